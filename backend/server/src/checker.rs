//! Looks at untrusted files in a child process that is locked up: a file that makes a parser crash, hang, fill the
//! memory or do what a stranger wants costs an upload, and not the server.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use eagleeye_sandbox::exit::{self, MAX_REASON_BYTES};
use eagleeye_sandbox::{Allowance, Support, confined};
use eagleeye_spec::report::{DatasetReport, ModelInspection, ReportError};
use eagleeye_spec::{Precheck, SearchRequest};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::problem::{Kind, Problem};
use crate::spawner::Spawner;
use crate::store_problem::storage;

/// Checks that may run at once; more wait. All of them together have the memory of the limit.
const CHECKS_AT_ONCE: u64 = 2;
/// Memory that reading a model may need, in sizes of its files: as they are, as tensors, and as the graph's weights.
const MEMORY_PER_BYTE: u64 = 4;
/// Memory is handed out in pieces of this size.
const PIECE: u64 = 1 << 20;
/// A report of a network with thousands of groups stays well below this.
const MAX_REPORT_BYTES: u64 = 256 << 20;
/// What a zip of a model may unpack to, and more: the worker has a limit of its own.
const LARGEST_MODEL_FILE: u64 = 64 << 30;
/// Images of a dataset that is not uploaded which are decoded by its check.
const SAMPLE: u32 = 1000;
/// Largest temporary file of the check of such a dataset, which the operator has allowed, and of the jobs that read it.
const LARGEST_UNPACKED: u64 = 1 << 40;
/// The worker's exit codes.
const REFUSED: i32 = exit::UNUSABLE as i32;
const DISK_FULL: i32 = exit::DISK_FULL as i32;

/// Runs `eagleeye-worker inspect`, `check-dataset` and `check-search`.
#[derive(Debug)]
pub struct Checker {
    program: PathBuf,
    limits: CheckLimits,
    spawner: Spawner,
    /// Memory that no check has at the moment, in pieces.
    memory: Semaphore,
    support: Support,
}

/// What a check may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckLimits {
    pub time: Duration,
    /// Memory of all checks together. Each gets a share, and a large model as much as it may need.
    pub memory_bytes: u64,
    /// Bytes that a dataset may unpack to.
    pub unpacked_bytes: u64,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("{0}")]
    Refused(String),
    #[error("the check took longer than {} seconds and was stopped", .0.as_secs())]
    TooSlow(Duration),
    #[error("the check crashed on this file, or exceeded its memory limit of {memory_bytes} bytes ({how})")]
    Crashed { how: String, memory_bytes: u64 },
    #[error("the disk has no space for the check's temporary files")]
    DiskFull,
    #[error("the report is longer than {MAX_REPORT_BYTES} bytes")]
    LongReport,
    #[error("the worker's report cannot be read: {0}")]
    Report(#[from] ReportError),
    #[error("the request cannot be written for the check: {0}")]
    Request(serde_json::Error),
    #[error("cannot create a folder for temporary files: {0}")]
    Temporary(std::io::Error),
    #[error("cannot run {}: {source}", program.display())]
    Run { program: PathBuf, source: std::io::Error },
    #[error("the server is stopping")]
    Stopping,
}

impl Checker {
    pub fn new(program: PathBuf, limits: CheckLimits, support: Support) -> std::io::Result<Self> {
        let pieces =
            usize::try_from(limits.memory_bytes / PIECE).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        let (spawner, memory) = (Spawner::start()?, Semaphore::new(pieces.min(u32::MAX as usize)));
        Ok(Checker { program, limits, spawner, memory, support })
    }

    /// Which parts of the sandbox that checks run in this machine has.
    pub fn sandbox(&self) -> Support {
        self.support
    }

    /// Imports a model and reports on it. `input_shape` is the client's, as `1,3,224,224`. A model without an input is
    /// refused.
    pub async fn inspect(&self, file: &Path, input_shape: Option<&str>) -> Result<ModelInspection, CheckError> {
        let mut check = Check::new("inspect", file, self.share_for(file).await);
        check.arguments(["--sandbox", "--json"]);
        if let Some(shape) = input_shape {
            check.arguments(["--input-shape", shape]);
        }
        let found = ModelInspection::from_stored(self.run(check).await?)?;
        match found.report.inputs.is_empty() {
            true => Err(CheckError::Refused("the model has no input; it needs one for images".to_owned())),
            false => Ok(found),
        }
    }

    /// Reads every image of a dataset and reports on it; thumbnails go into the folder `thumbnails`.
    pub async fn check_dataset(
        &self,
        images: &Path,
        labels: Option<&Path>,
        thumbnails: &Path,
    ) -> Result<DatasetReport, CheckError> {
        let mut check = Check::new("check-dataset", images, self.share());
        check.arguments(["--json", "--thumbnails"]);
        check.arguments([thumbnails.as_os_str(), "--sandbox".as_ref()]);
        check.arguments(["--max-unpacked-bytes", &self.limits.unpacked_bytes.to_string()]);
        if let Some(labels) = labels {
            check.arguments(["--labels".as_ref(), labels.as_os_str()]);
        }
        Ok(DatasetReport::from_stored(self.run(check).await?)?)
    }

    /// Lists a dataset that is not uploaded, reads a sample of its images and reports on it; thumbnails go into the folder
    /// `thumbnails`. `place` is a file or a folder.
    pub async fn check_referenced(&self, place: &Path, thumbnails: &Path) -> Result<DatasetReport, CheckError> {
        let mut check = Check::new("check-dataset", place, self.share());
        check.file_bytes = LARGEST_UNPACKED;
        check.arguments(["--json", "--thumbnails"]);
        check.arguments([thumbnails.as_os_str(), "--sandbox".as_ref()]);
        check.arguments(["--max-unpacked-bytes", &u64::MAX.to_string(), "--sample", &SAMPLE.to_string()]);
        Ok(DatasetReport::from_stored(self.run(check).await?)?)
    }

    /// Scores a model on a sample of a dataset's images, as a search of `request` would. `model` lies in a folder of its own;
    /// `input_shape` is [batch, channels, height, width].
    pub async fn check_search(
        &self,
        model: &Path,
        input_shape: &[u64],
        (images, labels): (&Path, Option<&Path>),
        request: &SearchRequest,
    ) -> Result<Precheck, CheckError> {
        let body = serde_json::to_vec(request).map_err(CheckError::Request)?;
        let file = tempfile::Builder::new().prefix("eagleeye-check-").tempfile().map_err(CheckError::Temporary)?;
        tokio::fs::write(file.path(), body).await.map_err(CheckError::Temporary)?;
        let shape: Vec<String> = input_shape.iter().map(u64::to_string).collect();
        let mut check = Check::new("check-search", model, self.share_for(model).await);
        check.arguments(["--sandbox", "--json", "--input-shape", &shape.join(",")]);
        check.arguments(["--images".as_ref(), images.as_os_str(), "--request".as_ref(), file.path().as_os_str()]);
        // What the dataset unpacks to was limited when it was uploaded, or is the operator's.
        check.arguments(["--max-unpacked-bytes", &u64::MAX.to_string()]);
        if let Some(labels) = labels {
            check.arguments(["--labels".as_ref(), labels.as_os_str()]);
        }
        Ok(serde_json::from_value(self.run(check).await?).map_err(ReportError::Form)?)
    }

    /// Memory of a check that needs no more than others, in pieces.
    fn share(&self) -> u32 {
        u32::try_from(self.limits.memory_bytes / CHECKS_AT_ONCE / PIECE).unwrap_or(u32::MAX).max(1)
    }

    /// Memory of the check of a model, in pieces. The files of its weights are in its folder, which holds nothing else.
    async fn share_for(&self, file: &Path) -> u32 {
        let all = u32::try_from(self.limits.memory_bytes / PIECE).unwrap_or(u32::MAX).max(1);
        let bytes = folder_bytes(file.parent().unwrap_or(file)).await;
        let needed = u32::try_from(bytes.saturating_mul(MEMORY_PER_BYTE) / PIECE).unwrap_or(u32::MAX);
        needed.clamp(self.share(), all)
    }

    /// The report that a check prints.
    async fn run(&self, check: Check) -> Result<Value, CheckError> {
        let _memory = self.memory.acquire_many(check.pieces).await.map_err(|_| CheckError::Stopping)?;
        let scratch = tempfile::Builder::new().prefix("eagleeye-check-").tempdir().map_err(CheckError::Temporary)?;
        let memory_bytes = u64::from(check.pieces) * PIECE;
        let command = self.command(check, memory_bytes, &scratch);
        let printed = tokio::time::timeout(self.limits.time, self.output(command, memory_bytes))
            .await
            .map_err(|_| CheckError::TooSlow(self.limits.time))??;
        Ok(serde_json::from_slice(&printed).map_err(ReportError::Form)?)
    }

    fn command(&self, check: Check, memory_bytes: u64, scratch: &TempDir) -> Command {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let file_bytes = self.limits.unpacked_bytes.max(check.file_bytes);
        let allowance = Allowance { memory_bytes, cpu: self.limits.time.saturating_mul(cores), file_bytes };
        let mut command = Command::from(confined(&self.program, allowance, scratch.path()));
        // Standard error is for the one line that says why.
        command.args(check.arguments).env("RUST_LOG", "off");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// What the program printed on standard output. Dropping the future kills the program.
    async fn output(&self, command: Command, memory_bytes: u64) -> Result<Vec<u8>, CheckError> {
        let failed = |source| CheckError::Run { program: self.program.clone(), source };
        let mut child = self.spawner.spawn(command).await.map_err(failed)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (printed, said) =
            tokio::try_join!(read_at_most(stdout, MAX_REPORT_BYTES + 1), read_at_most(stderr, MAX_REASON_BYTES))
                .map_err(failed)?;
        if printed.len() as u64 > MAX_REPORT_BYTES {
            return Err(CheckError::LongReport);
        }
        let status = child.wait().await.map_err(failed)?;
        match status.code() {
            Some(0) => Ok(printed),
            Some(REFUSED) => {
                Err(CheckError::Refused(exit::reason(&said).unwrap_or_else(|| "the file cannot be used".to_owned())))
            }
            Some(DISK_FULL) => Err(CheckError::DiskFull),
            _ => {
                tracing::warn!(%status, stderr = %String::from_utf8_lossy(&said), "a check crashed");
                Err(CheckError::Crashed { how: status.to_string(), memory_bytes })
            }
        }
    }
}

/// What a child is asked to do, and the memory that it gets for it, in pieces.
struct Check {
    arguments: Vec<OsString>,
    pieces: u32,
    /// Largest file that it may write at least, in bytes.
    file_bytes: u64,
}

impl Check {
    fn new(task: &str, file: &Path, pieces: u32) -> Self {
        Check { arguments: vec![task.into(), file.into()], pieces, file_bytes: LARGEST_MODEL_FILE }
    }

    fn arguments<A: AsRef<OsStr> + ?Sized, const N: usize>(&mut self, more: [&A; N]) {
        self.arguments.extend(more.map(|argument| argument.as_ref().to_owned()));
    }
}

/// Bytes of the files in a folder; of one that cannot be read none, since the check then says why.
async fn folder_bytes(folder: &Path) -> u64 {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return 0 };
    let mut bytes: u64 = 0;
    while let Ok(Some(entry)) = entries.next_entry().await {
        // Followed: stored files may stand in the folder as links.
        bytes += tokio::fs::metadata(entry.path()).await.map_or(0, |file| file.len());
    }
    bytes
}

impl CheckError {
    /// As an answer; `unusable` is the kind for a file that was refused.
    pub fn into_problem(self, unusable: Kind) -> Problem {
        let detail = self.to_string();
        match self {
            CheckError::Refused(_) => Problem::new(unusable, detail),
            CheckError::TooSlow(_) => Problem::new(Kind::CheckTooSlow, detail),
            CheckError::Crashed { .. } | CheckError::LongReport => Problem::new(Kind::CheckCrashed, detail),
            CheckError::Stopping => Problem::new(Kind::Unavailable, detail),
            CheckError::DiskFull => storage(ErrorKind::StorageFull.into()),
            CheckError::Temporary(error) => storage(error),
            CheckError::Report(_) | CheckError::Request(_) | CheckError::Run { .. } => Problem::internal(detail),
        }
    }
}

async fn read_at_most(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe).take(limit).read_to_end(&mut bytes).await?;
        // A full pipe would keep the program from ending; what comes beyond the limit is not kept.
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(time: Duration) -> CheckLimits {
        CheckLimits { time, memory_bytes: 1 << 30, unpacked_bytes: 1 << 20 }
    }

    fn checker(script: &str, time: Duration) -> (tempfile::TempPath, Checker) {
        use std::os::unix::fs::PermissionsExt;
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let checker = Checker::new(path.to_path_buf(), limits(time), Support::default()).unwrap();
        (path, checker)
    }

    async fn refusal(script: &str, time: Duration) -> CheckError {
        let (_program, checker) = checker(script, time);
        checker.inspect(Path::new("model"), None).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_refusal_carries_the_workers_last_line() {
        let script = "echo 'a warning' >&2; echo 'error: operator `Einsum` is not supported' >&2; exit 2";
        let error = refusal(script, Duration::from_secs(10)).await;
        assert!(matches!(&error, CheckError::Refused(line) if line == "operator `Einsum` is not supported"), "{error}");
    }

    #[tokio::test]
    async fn a_crash_a_hang_and_nonsense_are_told_apart() {
        let long = Duration::from_secs(10);
        assert!(matches!(refusal("kill -9 $$", long).await, CheckError::Crashed { .. }));
        assert!(matches!(refusal("exit 1", long).await, CheckError::Crashed { .. }));
        let full = refusal("exit 3", long).await;
        assert_eq!(full.into_problem(Kind::UnusableModel).kind(), Kind::StorageFull);
        assert!(matches!(refusal("echo nonsense", long).await, CheckError::Report(_)));
        assert!(matches!(refusal("exec sleep 60", Duration::from_millis(100)).await, CheckError::TooSlow(_)));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_fault_of_the_server() {
        let program = PathBuf::from("/no/such/program");
        let checker = Checker::new(program, limits(Duration::from_secs(1)), Support::default()).unwrap();
        let error = checker.inspect(Path::new("model"), None).await.unwrap_err();
        assert_eq!(error.into_problem(Kind::UnusableModel).kind(), Kind::Internal);
    }

    #[tokio::test]
    async fn all_checks_together_have_the_memory_of_the_limit() {
        let script = "echo \"error: $EAGLEEYE_MEMORY_LIMIT\" >&2; exit 2";
        let (_program, checker) = checker(script, Duration::from_secs(10));
        let given = async |file: &Path| match checker.inspect(file, None).await {
            Err(CheckError::Refused(line)) => line.parse::<u64>().unwrap(),
            other => panic!("{other:?}"),
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model");
        let sized = |bytes: u64| std::fs::File::create(&file).unwrap().set_len(bytes).unwrap();
        // The limit is a gigabyte: a small file gets half of it, a large one what it may need, the largest all.
        for (bytes, memory) in [(1 << 10, 512 << 20), (200 << 20, 800 << 20), (4 << 30, 1 << 30)] {
            sized(bytes);
            assert_eq!(given(&file).await, memory, "{bytes}");
        }
        // Whoever needs all waits until the others are done.
        let held = checker.memory.acquire_many(1).await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(300), given(&file)).await;
        assert!(waiting.is_err(), "{waiting:?}");
        drop(held);
        assert_eq!(given(&file).await, 1 << 30);
    }
}
