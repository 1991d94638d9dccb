//! Why a worker stops, and why a job of it fails.

use eagleeye_data::DataError;
use eagleeye_engine::{DeviceError, ExportError, ImagesError, SearchError};
use eagleeye_store::StoreError;

use crate::model_file::ModelFileError;
use crate::run::reader::ReaderError;

/// Why the worker stops; a job that fails does not stop it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("`--device`: {0}")]
    Device(#[from] DeviceError),
    #[error("no database is named: give EAGLEEYE_DATABASE, --database or --database-file")]
    NoDatabase,
    #[error("cannot make a folder for temporary files: {0}")]
    Temporary(std::io::Error),
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    #[error("cannot watch for signals: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunError {
    /// Whether an argument is at fault.
    pub fn is_argument(&self) -> bool {
        matches!(
            self,
            RunError::Device(_)
                | RunError::NoDatabase
                | RunError::Store(
                    StoreError::BadDatabaseUrl { .. } | StoreError::BadFilesUrl { .. } | StoreError::AddressFile { .. }
                )
        )
    }
}

/// Why a job ended without its result. All but the first two are the reasons of a failed job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("model: {0}")]
    ModelFile(#[from] ModelFileError),
    #[error("model: {0}")]
    ModelReader(ReaderError),
    #[error("dataset: {0}")]
    DatasetReader(ReaderError),
    #[error("the network takes inputs of shape {0:?}; a search needs images, [batch, channels, height, width]")]
    NoImages(Vec<usize>),
    #[error("dataset: {0}")]
    Dataset(#[from] DataError),
    #[error("the images cannot be prepared: {0}")]
    Images(ImagesError),
    #[error("the search: {0}")]
    Search(SearchError),
    #[error("the search of this candidate has no stored split")]
    NoSplit,
    #[error("the export: {0}")]
    Export(#[from] ExportError),
    #[error("cannot move the weights to {device}: {reason}")]
    Device { device: String, reason: String },
    #[error("cannot write a temporary file: {0}")]
    Temporary(std::io::Error),
    #[error("cannot start a thread for the engine: {0}")]
    Thread(std::io::Error),
    #[error("a fault of the engine: {0}")]
    Panicked(String),
}

impl From<ImagesError> for JobError {
    fn from(error: ImagesError) -> Self {
        match error {
            ImagesError::Cancelled => JobError::Cancelled,
            error => JobError::Images(error),
        }
    }
}

impl From<SearchError> for JobError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Cancelled => JobError::Cancelled,
            error => JobError::Search(error),
        }
    }
}
