//! The store's errors as answers.

use std::io;

use eagleeye_store::{StorageFault, StoreError};

use crate::problem::{FieldError, Kind, Problem};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::NotFound { .. } => Problem::new(Kind::NotFound, detail),
            StoreError::Conflict { .. } => Problem::new(Kind::Conflict, detail),
            StoreError::InUse { searches, .. } => Problem::new(Kind::InUse, detail).with_searches(searches),
            StoreError::NothingToCompare => Problem::new(Kind::Conflict, detail),
            StoreError::TooFewCandidates { .. } | StoreError::TooManyTunings { .. } => of_field("candidates", detail),
            StoreError::NoSuchBudget { .. } => of_field("budget", detail),
            StoreError::TooFewEpochs { .. } => of_field("epochs", detail),
            StoreError::TooLarge { limit } => Problem::new(Kind::TooLarge, detail).with_limit(limit),
            StoreError::Interrupted { .. } => Problem::new(Kind::UploadInterrupted, detail),
            StoreError::BadCursor { .. } | StoreError::BadSort { .. } => Problem::new(Kind::InvalidParameter, detail),
            StoreError::DamagedFile { .. } => Problem::new(Kind::DamagedFile, detail),
            StoreError::Reference { .. } => Problem::new(Kind::UnusableDataset, detail),
            StoreError::Unreadable { .. } => {
                tracing::error!(%error, "a stored file cannot be read");
                let detail = "the server cannot read a stored file; its log gives the path and permissions";
                Problem::new(Kind::StorageNotReadable, detail)
            }
            error if error.storage_fault().is_some() => storage_problem(error.storage_fault(), error),
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

/// A field of the request that does not fit what is stored.
fn of_field(field: &str, detail: String) -> Problem {
    Problem::of_fields(Kind::InvalidField, vec![FieldError { field: field.to_owned(), detail }])
}

/// An error of the server's own temporary files.
pub fn storage(error: io::Error) -> Problem {
    storage_problem(StorageFault::of_io(&error), error)
}

fn storage_problem(fault: Option<StorageFault>, error: impl std::fmt::Display) -> Problem {
    match fault {
        Some(StorageFault::Full) => {
            tracing::error!(%error, "the disk is full");
            let detail = "the server's disk is full, and nothing from this request was kept; free \
                          some space and send it again";
            Problem::new(Kind::StorageFull, detail)
        }
        Some(fault @ (StorageFault::ReadOnly | StorageFault::Forbidden)) => {
            tracing::error!(%error, "the server cannot write");
            let detail = format!("the server cannot write to its folders: {fault}; its log gives the path");
            Problem::new(Kind::StorageNotWritable, detail)
        }
        None => Problem::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_not_one_that_cannot_be_written() {
        let source = io::ErrorKind::PermissionDenied.into();
        let problem = Problem::from(StoreError::Unreadable { path: "files/ab/cd".into(), source });
        assert_eq!(problem.kind(), Kind::StorageNotReadable);
        assert!(
            !problem.detail().contains("write") && !problem.detail().contains("files/ab/cd"),
            "{}",
            problem.detail()
        );
    }

    #[test]
    fn a_full_disk_and_one_that_cannot_be_written_to_are_told_apart() {
        let kind = |kind: io::ErrorKind| storage(kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::StorageFull), Kind::StorageFull);
        assert_eq!(kind(io::ErrorKind::ReadOnlyFilesystem), Kind::StorageNotWritable);
        assert_eq!(kind(io::ErrorKind::PermissionDenied), Kind::StorageNotWritable);
        assert_eq!(kind(io::ErrorKind::BrokenPipe), Kind::Internal);
    }
}
