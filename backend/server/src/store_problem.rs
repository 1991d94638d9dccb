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
            error => match error.waits_for() {
                Some(fault) => {
                    tracing::warn!(%error, "the store cannot be used");
                    Problem::new(Kind::Unavailable, format!("the server waits for {fault}; try again in a moment"))
                }
                None => Problem::internal(error),
            },
        }
    }
}
