//! The store's errors as answers.

use eagleeye_store::StoreError;

use crate::problem::{Kind, Problem};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::NotFound { .. } => Problem::new(Kind::NotFound, detail),
            StoreError::Conflict { .. } => Problem::new(Kind::Conflict, detail),
            StoreError::InUse { searches, .. } => Problem::new(Kind::InUse, detail).with_searches(searches),
            StoreError::TooLarge { limit } => Problem::new(Kind::TooLarge, detail).with_limit(limit),
            StoreError::Interrupted { .. } => Problem::new(Kind::UploadInterrupted, detail),
            StoreError::BadCursor { .. } | StoreError::BadSort { .. } => Problem::new(Kind::InvalidParameter, detail),
            error if error.is_transient() => {
                tracing::warn!(%error, "the store is out of reach");
                Problem::new(Kind::Unavailable, "the database is busy or out of reach; try again in a moment")
            }
            error => Problem::internal(error),
        }
    }
}
