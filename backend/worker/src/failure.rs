//! What ends a command, and the exit code that says whose fault it is.

use std::fmt::Display;
use std::path::PathBuf;

use eagleeye_data::DataError;
use eagleeye_engine::DeviceError;
use eagleeye_engine::handover::HandoverError;
use eagleeye_engine::{
    ExportError, ImagesError, InspectError, LoadError, PrecheckError, PruneError, SearchError, StateDictError,
    StudyError, TuneError,
};
use eagleeye_sandbox::SandboxError;
use eagleeye_sandbox::exit::{BROKEN_DOWN, DISK_FULL, INTERNAL, UNUSABLE};
use eagleeye_spec::FieldFault;
use eagleeye_spec::report::ReportError;
use eagleeye_store::StorageFault;
use eagleeye_study::FigureError;

use crate::check_search::CheckSearchError;
use crate::latency::{LatencyModelError, LeadersError, MeasureError};
use crate::model_file::ModelFileError;
use crate::run::RunError;
use crate::study::ResultsError;
use crate::wire::WireError;

/// Why a command ends without its result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("an image has the label {label}, but the network has {classes} classes; labels must be below that")]
    Label { label: usize, classes: usize },
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Prune(#[from] PruneError),
    #[error("`--out {}`: the name must end in .pt, .onnx or .safetensors, which selects the format", .0.display())]
    OutputFormat(PathBuf),
    #[error("`--out {}`: the name must end in .pt, .onnx, .safetensors or .zip, which selects the format", .0.display())]
    OutputFormatOrArchive(PathBuf),
    #[error("{} cannot be written: there is no folder {}; make it first", path.display(), folder.display())]
    NoOutputFolder { path: PathBuf, folder: PathBuf },
    #[error("{} would replace {}, which is read; give it another name", path.display(), read.display())]
    Replaced { path: PathBuf, read: PathBuf },
    #[error("`--out {}`: cannot write there: {source}", path.display())]
    OutputFile { path: PathBuf, source: std::io::Error },
    #[error(
        "the pruned network differs from the full one with the removed channels set to zero by {difference:e} of its \
            largest output"
    )]
    ZeroOracle { difference: f64 },
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    StateDict(#[from] StateDictError),
    #[error("`--device`: {0}")]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
    #[error("{0}")]
    Arguments(String),
    #[error("`--request {}`: {reason}", path.display())]
    Request { path: PathBuf, reason: String },
    #[error("the network's input has the shape {0:?}; images need four dimensions: batch, channels, height, width")]
    NoImages(Vec<usize>),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Tune(#[from] TuneError),
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error("a part of the study ended early ({0}); see the messages above, and give the same command again")]
    Part(std::process::ExitStatus),
    #[error(transparent)]
    Figure(#[from] FigureError),
    #[error(transparent)]
    Leaders(#[from] LeadersError),
    #[error(transparent)]
    LatencyModel(#[from] LatencyModelError),
    #[error("libtorch: {0}")]
    Torch(String),
    #[error(transparent)]
    Dataset(#[from] DataError),
    #[error(transparent)]
    CheckSearch(#[from] CheckSearchError),
    #[error(transparent)]
    Precheck(#[from] PrecheckError),
    #[error("the images cannot be prepared: {0}")]
    Images(ImagesError),
    #[error(transparent)]
    Handover(#[from] HandoverError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("thumbnail {}: {source}", path.display())]
    Thumbnail { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("cannot write to standard output: {0}")]
    Stdout(std::io::Error),
    #[error("the report cannot be written as JSON: {0}")]
    Json(serde_json::Error),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{}: {source}", path.display())]
    Input { path: PathBuf, source: std::io::Error },
    #[error("cannot run this program once more: {0}")]
    Process(std::io::Error),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error("internal error; see the messages above")]
    Panicked,
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<ImagesError> for Failure {
    fn from(error: ImagesError) -> Self {
        match error {
            ImagesError::Data(error) => Failure::Dataset(error),
            error => Failure::Images(error),
        }
    }
}

impl Failure {
    /// What options make of a request, where it is not one that the server would take.
    pub fn of_fields(faults: &[FieldFault]) -> Self {
        let each = faults.iter().map(|FieldFault { field, detail }| format!("{field} {detail}"));
        Self::Arguments(each.collect::<Vec<_>>().join("; "))
    }

    /// [`UNUSABLE`] where what was given is at fault, [`DISK_FULL`] and [`BROKEN_DOWN`] for those,
    /// else [`INTERNAL`].
    pub fn exit_code(&self) -> u8 {
        match self {
            failure if failure.is_full_disk() => DISK_FULL,
            // Limits of memory are what keeps threads from starting in a process that works on a file.
            Failure::Thread(_) | Failure::Panicked => BROKEN_DOWN,
            // What a file makes of a message, it makes of the next one, too.
            Failure::Handover(_) | Failure::Wire(_) | Failure::Images(_) => BROKEN_DOWN,
            Failure::ModelFile(error) if error.is_internal() => INTERNAL,
            Failure::Prune(PruneError::Torch(_)) => INTERNAL,
            Failure::StateDict(
                StateDictError::Torch(_)
                | StateDictError::Write { .. }
                | StateDictError::Read { .. }
                | StateDictError::Archive(_)
                | StateDictError::Entry(_),
            ) => INTERNAL,
            // libtorch's only errors at this place are for want of memory.
            Failure::Precheck(PrecheckError::Torch(_)) => BROKEN_DOWN,
            Failure::Dataset(DataError::Temporary { .. } | DataError::Thumbnail { .. }) => INTERNAL,
            Failure::Run(error) if error.is_argument() => UNUSABLE,
            Failure::Measure(error) if error.is_internal() => INTERNAL,
            Failure::Search(error) | Failure::Study(StudyError::Make { source: error, .. }) => of_search(error),
            Failure::Tune(error) | Failure::Study(StudyError::Tune { source: error, .. }) => of_tune(error),
            Failure::Leaders(_) | Failure::Torch(_) => INTERNAL,
            Failure::ModelFile(_)
            | Failure::Load(_)
            | Failure::Arguments(_)
            | Failure::Results(_)
            | Failure::Input { .. }
            | Failure::Request { .. }
            | Failure::NoImages(_)
            | Failure::Inspect(_)
            | Failure::Prune(_)
            | Failure::StateDict(_)
            | Failure::OutputFormat(_)
            | Failure::OutputFormatOrArchive(_)
            | Failure::NoOutputFolder { .. }
            | Failure::OutputFile { .. }
            | Failure::Replaced { .. }
            | Failure::Label { .. }
            | Failure::Device(_)
            | Failure::Measure(_)
            | Failure::LatencyModel(_)
            | Failure::Dataset(_)
            | Failure::CheckSearch(_)
            | Failure::Precheck(_)
            | Failure::Sandbox(SandboxError::NotANumber { .. }) => UNUSABLE,
            Failure::Export(_)
            | Failure::ZeroOracle { .. }
            | Failure::Thumbnail { .. }
            | Failure::Sandbox(_)
            | Failure::Stdout(_)
            | Failure::Json(_)
            | Failure::Report(_)
            | Failure::Study(StudyError::Stopped)
            | Failure::Part(_)
            | Failure::Process(_)
            | Failure::Figure(_)
            | Failure::Run(_) => INTERNAL,
        }
    }

    fn is_full_disk(&self) -> bool {
        let source = match self {
            Failure::ModelFile(ModelFileError::Temporary(source))
            | Failure::Measure(MeasureError::Folder(source))
            | Failure::LatencyModel(LatencyModelError::Measure(LeadersError::Measure(MeasureError::Folder(source))))
            | Failure::Dataset(DataError::Temporary { source, .. })
            | Failure::StateDict(StateDictError::Write { source, .. })
            | Failure::Results(ResultsError::File { source, .. })
            | Failure::Thumbnail { source, .. } => source,
            _ => return false,
        };
        StorageFault::of_io(source) == Some(StorageFault::Full)
    }
}

fn of_search(error: &SearchError) -> u8 {
    use SearchError::{Doubt, Exec, Groups, OnlyProbes, Strategy};
    let is_users = matches!(error, Strategy(_) | OnlyProbes(_) | Doubt(_) | Groups(_) | Exec(_));
    if is_users { UNUSABLE } else { INTERNAL }
}

fn of_tune(error: &TuneError) -> u8 {
    let is_internal = matches!(error, TuneError::Torch(_) | TuneError::Rewrite(_) | TuneError::Cancelled);
    if is_internal { INTERNAL } else { UNUSABLE }
}

/// A message as one line: readers take the last line of standard error, and a job's reason is shown in a table.
pub fn one_line(message: impl Display) -> String {
    message.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        assert_eq!(one_line("unsupported operators:\n  - Wavelet\n"), "unsupported operators: - Wavelet");
    }

    #[test]
    fn what_a_file_brings_about_is_no_fault_of_the_machine() {
        let wire = WireError::Length(1 << 40);
        assert_eq!(Failure::Wire(wire).exit_code(), BROKEN_DOWN);
        assert_eq!(Failure::Images(ImagesError::Cancelled).exit_code(), BROKEN_DOWN);
        assert_eq!(Failure::Sandbox(SandboxError::Orphaned).exit_code(), INTERNAL);
        assert_eq!(Failure::Stdout(std::io::ErrorKind::BrokenPipe.into()).exit_code(), INTERNAL);
    }

    #[test]
    fn a_full_disk_is_not_the_datasets_fault() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let temporary = Failure::Dataset(DataError::Temporary { part: "images", source: full() });
        assert_eq!(temporary.exit_code(), DISK_FULL);
        assert_eq!(Failure::ModelFile(ModelFileError::Temporary(full())).exit_code(), DISK_FULL);
        let other = ModelFileError::Temporary(std::io::ErrorKind::NotFound.into());
        assert_eq!(Failure::ModelFile(other).exit_code(), INTERNAL);
        let damaged = Failure::Dataset(DataError::Gzip { part: "images", source: full() });
        assert_eq!(damaged.exit_code(), UNUSABLE);
    }
}
