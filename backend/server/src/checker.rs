//! Looks at untrusted files in a child process: a file that makes a parser crash, hang or fill the memory costs an
//! upload, and not the server.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::api::datasets::Class;
use crate::api::models::{BatchNormState, ChannelGroup, Layer, ModelFormat};
use crate::api::search_request::Space;
use crate::problem::{Kind, Problem};
use crate::scratch::Scratch;
use crate::store_problem::storage;

/// Checks that may run at once; more wait. With the memory limit this bounds what uploads can cost.
const CHECKS_AT_ONCE: usize = 2;
/// A report of a network with thousands of groups stays well below this.
const MAX_REPORT_BYTES: u64 = 256 << 20;
/// Standard error beyond this is cut: the reason is in its last line.
const MAX_REASON_BYTES: u64 = 1 << 20;
/// The worker's exit code for "this file cannot be used", with the reason as one line on standard error.
const REFUSED: i32 = 2;
/// The worker's exit code for a disk without room for temporary files.
const DISK_FULL: i32 = 3;

/// Runs `eagleeye-worker inspect` and `check-dataset`.
#[derive(Debug)]
pub struct Checker {
    program: PathBuf,
    limits: CheckLimits,
    scratch: Scratch,
    slots: Semaphore,
}

/// What a check may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckLimits {
    pub time: Duration,
    /// Memory of the process that checks.
    pub memory_bytes: u64,
    /// Bytes that a dataset may unpack to.
    pub unpacked_bytes: u64,
}

/// What `inspect` finds in a model. Fields that the server does not need are kept in the stored report.
#[derive(Debug, Clone, Deserialize)]
pub struct InspectReport {
    pub format: ModelFormat,
    pub inputs: Vec<Input>,
    pub macs: u64,
    pub parameters: u64,
    pub batch_norms: u32,
    pub batch_norm_state: BatchNormState,
    pub guessed_shape: bool,
    pub operators: BTreeMap<String, u64>,
    pub layers: Vec<Layer>,
    pub groups: Vec<ChannelGroup>,
    pub reachable: ReportedRange,
    #[serde(default)]
    pub classes: Option<u32>,
    /// Absent in reports of older versions.
    #[serde(default)]
    pub element_type: Option<String>,
    #[serde(default)]
    pub notices: Vec<String>,
    /// Why the budget that was asked about cannot be met.
    #[serde(default)]
    pub unmet: Option<String>,
}

/// The strategies that a search would draw.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub space: Space,
    /// The budget and the seed, where it is asked whether they can be met.
    pub budget: Option<(f64, u64)>,
}

impl From<Space> for Wanted {
    fn from(space: Space) -> Self {
        Wanted { space, budget: None }
    }
}

/// An input of a model.
#[derive(Debug, Clone, Deserialize)]
pub struct Input {
    /// [batch, channels, height, width].
    pub shape: Vec<u64>,
}

/// Smallest and largest budget, as fractions of the full network's MACs.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ReportedRange {
    pub min: f64,
    pub max: f64,
}

/// What `check-dataset` finds in a dataset.
#[derive(Debug, Clone, Deserialize)]
pub struct DatasetReport {
    pub kind: String,
    pub images: u64,
    pub classes: Vec<Class>,
    pub channels: u32,
    /// The most common width and height.
    pub width: u32,
    pub height: u32,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("{0}")]
    Refused(String),
    #[error("the check took longer than {} seconds and was stopped", .0.as_secs())]
    TooSlow(Duration),
    #[error(
        "the check crashed on this file, or needed more than the {memory_bytes} bytes of memory it may take ({how})"
    )]
    Crashed { how: String, memory_bytes: u64 },
    #[error("the disk has no room for the check's temporary files")]
    DiskFull,
    #[error("the report is longer than {MAX_REPORT_BYTES} bytes")]
    LongReport,
    #[error("the worker's report cannot be read: {0}")]
    Report(serde_json::Error),
    #[error("cannot run {}: {source}", program.display())]
    Run { program: PathBuf, source: std::io::Error },
    #[error("the server is stopping")]
    Stopping,
}

impl Checker {
    pub fn new(program: PathBuf, limits: CheckLimits, scratch: Scratch) -> Self {
        Checker { program, limits, scratch, slots: Semaphore::new(CHECKS_AT_ONCE) }
    }

    /// Imports a model and reports on it. `input_shape` is the client's, as `1,3,224,224`; what is reachable is told for the
    /// strategies that are `wanted`.
    pub async fn inspect(
        &self,
        file: &Path,
        input_shape: Option<&str>,
        wanted: impl Into<Wanted>,
    ) -> Result<(InspectReport, Value), CheckError> {
        let Wanted { space, budget } = wanted.into();
        let mut command = self.command("inspect");
        command.arg(file).arg("--json");
        if let Some(shape) = input_shape {
            command.args(["--input-shape", shape]);
        }
        if let Some((macs, seed)) = budget {
            command.args(["--macs", &macs.to_string(), "--seed", &seed.to_string()]);
        }
        if let Some(multiple) = space.round_to {
            command.args(["--round-to", &multiple.to_string()]);
        }
        command.args(["--min-keep-ratio", &space.min_keep_ratio.to_string()]);
        self.run(command).await
    }

    /// Reads every image of a dataset and reports on it; thumbnails go into the folder `thumbnails`.
    pub async fn check_dataset(
        &self,
        images: &Path,
        labels: Option<&Path>,
        thumbnails: &Path,
    ) -> Result<(DatasetReport, Value), CheckError> {
        let mut command = self.command("check-dataset");
        command.arg(images).arg("--json").arg("--thumbnails").arg(thumbnails);
        command.args(["--max-unpacked-bytes", &self.limits.unpacked_bytes.to_string()]);
        if let Some(labels) = labels {
            command.arg("--labels").arg(labels);
        }
        self.run(command).await
    }

    fn command(&self, task: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(task);
        // Standard error is for the one line that says why; the worker limits its own memory.
        command.env("RUST_LOG", "off").env("EAGLEEYE_MEMORY_LIMIT", self.limits.memory_bytes.to_string());
        self.scratch.give_to(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    async fn run<T: DeserializeOwned>(&self, command: Command) -> Result<(T, Value), CheckError> {
        let _slot = self.slots.acquire().await.map_err(|_| CheckError::Stopping)?;
        let printed = tokio::time::timeout(self.limits.time, self.output(command))
            .await
            .map_err(|_| CheckError::TooSlow(self.limits.time))??;
        let report: Value = serde_json::from_slice(&printed).map_err(CheckError::Report)?;
        let needed = T::deserialize(&report).map_err(CheckError::Report)?;
        Ok((needed, report))
    }

    /// What the program printed on standard output. Dropping the future kills the program.
    async fn output(&self, mut command: Command) -> Result<Vec<u8>, CheckError> {
        let failed = |source| CheckError::Run { program: self.program.clone(), source };
        let mut child = command.spawn().map_err(failed)?;
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
            Some(REFUSED) => Err(CheckError::Refused(reason(&said))),
            Some(DISK_FULL) => Err(CheckError::DiskFull),
            _ => {
                tracing::warn!(%status, stderr = %String::from_utf8_lossy(&said), "a check crashed");
                Err(CheckError::Crashed { how: status.to_string(), memory_bytes: self.limits.memory_bytes })
            }
        }
    }
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
            CheckError::Report(_) | CheckError::Run { .. } => Problem::internal(detail),
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

/// The last line that says something, without the word that says that it is an error.
fn reason(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("the file cannot be used");
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.chars().filter(|c| !c.is_control()).take(4000).collect()
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
        let checker = Checker::new(path.to_path_buf(), limits(time), Scratch::default());
        (path, checker)
    }

    async fn refusal(script: &str, time: Duration) -> CheckError {
        let (_program, checker) = checker(script, time);
        checker.inspect(Path::new("model"), None, Space::default()).await.unwrap_err()
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
        let checker =
            Checker::new(PathBuf::from("/no/such/program"), limits(Duration::from_secs(1)), Scratch::default());
        let error = checker.inspect(Path::new("model"), None, Space::default()).await.unwrap_err();
        assert_eq!(error.into_problem(Kind::UnusableModel).kind(), Kind::Internal);
    }
}
