//! Why a worker stops, and why a job of it fails.

use eagleeye_data::DataError;
use eagleeye_engine::latency::LatencyError;
use eagleeye_engine::{
    DeviceError, Doubt, ExecError, ExportError, ImagesError, OpsetError, RewriteError, SearchError, SnapshotError,
    StateDictError, TuneError, WeightsError,
};
use eagleeye_store::{AddressFileError, RootError, StoreError};

use crate::latency::{LatencyModelError, LeadersError, MeasureError};
use crate::model_file::ModelFileError;
use crate::run::reader::ReaderError;

/// Why the worker stops; a job that fails does not stop it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("`--device`: {0}")]
    Device(#[from] DeviceError),
    #[error("no database given: set EAGLEEYE_DATABASE, --database or --database-file")]
    NoDatabase,
    #[error(transparent)]
    AddressFile(#[from] AddressFileError),
    #[error("`--dataset-roots`: {0}")]
    Roots(#[from] RootError),
    #[error("cannot create a folder for temporary files: {0}")]
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
                | RunError::Roots(_)
                | RunError::AddressFile(_)
                | RunError::Store(
                    StoreError::BadDatabaseUrl { .. }
                        | StoreError::BadFilesUrl { .. }
                        | StoreError::ForeignFiles { .. }
                )
        )
    }
}

/// Why a job ended without its result. All but the first two are the reasons of a failed job, or of one that waits.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this worker does no jobs of kind `{0}`")]
    UnknownKind(String),
    #[error("the job is written in version {found} of its kind; this worker reads up to version {known}")]
    NewerPayload { found: u32, known: u32 },
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
    /// The search is done, or was not worth doing, and its scores are not to be believed.
    #[error(transparent)]
    Doubt(Doubt),
    #[error(transparent)]
    LatencyModel(LatencyModelError),
    #[error("this candidate's search has no stored split")]
    NoSplit,
    #[error("the tuning of this checkpoint has no stored weights")]
    NoWeights,
    #[error("the tuned weights: {0}")]
    Weights(#[from] WeightsError),
    #[error("fine-tuning: {0}")]
    Tune(TuneError),
    #[error("fine-tuning: {0}")]
    Snapshot(SnapshotError),
    #[error("the scores before fine-tuning: {0}")]
    Exec(ExecError),
    #[error("the scores before fine-tuning: {0}")]
    Fold(#[from] RewriteError),
    #[error("the export: {0}")]
    Export(#[from] ExportError),
    #[error("the export: {0}")]
    Opset(#[from] OpsetError),
    #[error("the export as a state_dict: {0}")]
    StateDict(#[from] StateDictError),
    #[error("cannot move the weights to {device}: {reason}")]
    Device { device: String, reason: String },
    #[error("cannot write a temporary file: {0}")]
    Temporary(std::io::Error),
    #[error("cannot start a thread for the engine: {0}")]
    Thread(std::io::Error),
    #[error("an engine error: {0}")]
    Panicked(String),
}

impl JobError {
    /// What the job waits for, as a phrase that completes "waiting for", where the fault is of the moment or of this
    /// machine; `None` where the job itself cannot be done.
    pub fn waits_for(&self) -> Option<String> {
        match self {
            JobError::Store(error) => error.waits_for(),
            JobError::NewerPayload { .. } => Some("a worker of a newer version of EagleEye".to_owned()),
            JobError::ModelReader(error) | JobError::DatasetReader(error) => error.waits_for(),
            JobError::ModelFile(ModelFileError::Temporary(error))
            | JobError::Dataset(DataError::Temporary { source: error, .. })
            | JobError::Export(ExportError::Write { source: error, .. } | ExportError::Read { source: error, .. })
            | JobError::StateDict(
                StateDictError::Write { source: error, .. } | StateDictError::Read { source: error, .. },
            )
            | JobError::Snapshot(SnapshotError::Write { source: error, .. })
            | JobError::Weights(WeightsError::Write { source: error, .. })
            | JobError::LatencyModel(LatencyModelError::Measure(LeadersError::Measure(
                MeasureError::Folder(error)
                | MeasureError::Engine(LatencyError::Export {
                    error: ExportError::Write { source: error, .. } | ExportError::Read { source: error, .. },
                    ..
                }),
            )))
            | JobError::Temporary(error) => Some(format!("room for temporary files on the worker's machine ({error})")),
            JobError::Thread(error) => Some(format!("a free thread on the worker's machine ({error})")),
            JobError::ModelFile(ModelFileError::Open { source: error, .. })
            | JobError::Dataset(DataError::Open { source: error, .. }) => {
                Some(format!("the file store, which cannot be read on the worker's machine ({error})"))
            }
            _ => None,
        }
    }

    /// Whether files are missing where this worker looks for them.
    pub fn is_about_files(&self) -> bool {
        use StoreError::{Files, Folder, ForeignFiles};
        matches!(
            self,
            JobError::Store(Files(_) | Folder { .. } | ForeignFiles { .. })
                | JobError::ModelFile(ModelFileError::Open { .. })
                | JobError::Dataset(DataError::Open { .. })
        )
    }
}

impl From<ImagesError> for JobError {
    fn from(error: ImagesError) -> Self {
        match error {
            ImagesError::Cancelled => JobError::Cancelled,
            ImagesError::Reader(error) => match error.downcast() {
                Ok(error) => JobError::DatasetReader(*error),
                Err(error) => JobError::Images(ImagesError::Reader(error)),
            },
            error => JobError::Images(error),
        }
    }
}

impl From<LatencyModelError> for JobError {
    fn from(error: LatencyModelError) -> Self {
        match error {
            LatencyModelError::Measure(LeadersError::Measure(MeasureError::Cancelled)) => JobError::Cancelled,
            error => JobError::LatencyModel(error),
        }
    }
}

impl From<TuneError> for JobError {
    fn from(error: TuneError) -> Self {
        match error {
            TuneError::Cancelled => JobError::Cancelled,
            error => JobError::Tune(error),
        }
    }
}

impl From<ExecError> for JobError {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Cancelled => JobError::Cancelled,
            error => JobError::Exec(error),
        }
    }
}

impl From<SearchError> for JobError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Cancelled => JobError::Cancelled,
            SearchError::Doubt(doubt) => JobError::Doubt(doubt),
            error => JobError::Search(error),
        }
    }
}
