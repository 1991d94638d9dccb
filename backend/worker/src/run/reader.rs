//! Children that read a stranger's files for a job. What they hand over is checked before it is used.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eagleeye_data::{Files, Preprocess, SampleType, Samples};
use eagleeye_engine::handover::{self, HandoverError};
use eagleeye_engine::{CHUNK, ImagesError, Loaded, Sink, Source};
use eagleeye_sandbox::exit::{self, DISK_FULL, INTERNAL, MAX_REASON_BYTES, UNUSABLE};
use eagleeye_sandbox::{Allowance, confined};
use rustix::pipe::fcntl_setpipe_size;
use tempfile::TempDir;

use crate::run::watchdog::Watchdog;
use crate::wire::{self, Opened, Wanted, WireError};

/// This program, also when a newer one lies at its place meanwhile.
const SELF: &str = "/proc/self/exe";
/// What a child may compute, for each core. Reading takes seconds; this ends what does not end.
const CPU: Duration = Duration::from_secs(3600);
/// What a child may take for one answer: the network, the labels, or a batch of images. The largest take minutes.
const ANSWER: Duration = Duration::from_secs(1800);
/// Largest file that a child may write, in bytes. What a dataset unpacks to was limited when it was uploaded.
const FILE_BYTES: u64 = 1 << 40;
/// Chunks of images that a child is asked for before the first is there.
const AHEAD: usize = 2;
/// Bytes that may be on their way from a child, some images: the most that a user may have without privileges.
const PIPE_BYTES: usize = 1 << 20;
/// How long a child may live that has nothing left to say.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The file is at fault.
    #[error("{0}")]
    Refused(String),
    /// The machine is, or this program.
    #[error("the process that reads the file failed: {0}")]
    Failed(String),
    /// It has failed so too often for the machine alone to be at fault.
    #[error("the process that reads the file failed {times} times in a row: {reason}")]
    FailedForGood { times: u32, reason: String },
    #[error("the process that reads the file gave no response for {} minutes and was terminated", .0.as_secs() / 60)]
    TooSlow(Duration),
    #[error("the disk has no space to unpack the file: {0}")]
    DiskFull(String),
    #[error(
        "the process that reads the file crashed on it, or exceeded its memory limit of {memory_bytes} bytes ({how})"
    )]
    Crashed { how: String, memory_bytes: u64 },
    #[error("cannot create a folder for temporary files: {0}")]
    Temporary(io::Error),
    #[error("cannot start the process that reads the file: {0}")]
    Start(io::Error),
    #[error("the output of the process that reads the file cannot be used: {0}")]
    Handover(#[from] HandoverError),
    #[error("the output of the process that reads the file cannot be used: {0}")]
    Wire(#[from] WireError),
    #[error("the process that reads the file returned more than {0} bytes")]
    Endless(u64),
    #[error("the process that reads the file found no labels")]
    NoLabels,
    #[error("the process that reads the file does not exit")]
    Stuck,
}

impl ReaderError {
    /// A failure that has come so often that it is not waited out any more.
    pub fn for_good(self, times: u32) -> Self {
        match self {
            ReaderError::Failed(reason) => ReaderError::FailedForGood { times, reason },
            error => error,
        }
    }

    /// What a job waits for, as a phrase that completes "waiting for", where the machine is at fault; `None` where the
    /// file is.
    pub fn waits_for(&self) -> Option<String> {
        match self {
            ReaderError::DiskFull(reason) => {
                Some(format!("room for temporary files on the worker's machine ({reason})"))
            }
            ReaderError::Temporary(error) => {
                Some(format!("room for temporary files on the worker's machine ({error})"))
            }
            ReaderError::Start(error) => Some(format!("another process on the worker's machine ({error})")),
            ReaderError::Failed(reason) => {
                Some(format!("a process that can read files on the worker's machine ({reason})"))
            }
            _ => None,
        }
    }
}

/// A child at work. It is killed when this is dropped, and when the thread that started it ends.
#[derive(Debug)]
struct Reader {
    child: Child,
    watchdog: Option<Watchdog>,
    said: Option<JoinHandle<Vec<u8>>>,
    memory_bytes: u64,
    _scratch: TempDir,
}

/// Has a model read, with the tensors of a file in the places of its own where one is given. The thread that calls this must
/// live until it returns, as the caller's does by nature.
pub fn read_model(
    path: &Path,
    input_shape: &[usize],
    narrowed: Option<&Path>,
    memory_bytes: u64,
) -> Result<Loaded, ReaderError> {
    let shape: Vec<String> = input_shape.iter().map(ToString::to_string).collect();
    let mut arguments = vec!["read-model".into(), path.into(), "--input-shape".into(), shape.join(",").into()];
    if let Some(narrowed) = narrowed {
        arguments.extend(["--narrowed".into(), narrowed.into()]);
    }
    let (reader, _, output) = Reader::start(&arguments, memory_bytes)?;
    let mut message = Vec::new();
    output.take(memory_bytes + 1).read_to_end(&mut message).map_err(WireError::Pipe)?;
    if message.len() as u64 > memory_bytes {
        return Err(ReaderError::Endless(memory_bytes));
    }
    reader.finish()?;
    Ok(handover::read(&message)?)
}

/// A dataset that a child reads, for as long as this is kept by the thread that opened it.
#[derive(Debug)]
pub struct ForeignDataset {
    labels: Vec<usize>,
    images: usize,
    element: SampleType,
    /// Taken when the child has failed.
    reader: Option<Reader>,
    input: ChildStdin,
    output: ChildStdout,
}

impl ForeignDataset {
    pub fn open(files: &Files, memory_bytes: u64) -> Result<Self, ReaderError> {
        let mut arguments: Vec<OsString> = vec!["read-dataset".into(), (&files.images).into()];
        if let Some(labels) = &files.labels {
            arguments.extend(["--labels".into(), labels.into()]);
        }
        let (reader, input, mut output) = Reader::start(&arguments, memory_bytes)?;
        let opened: Option<Opened> = match wire::receive(&mut output) {
            Ok(opened) => opened,
            Err(error) => return Err(reader.explain(error.into())),
        };
        reader.rests();
        match opened {
            Some(Opened { labels, images, element }) => {
                let labels = labels.into_iter().map(|label| label as usize).collect();
                Ok(Self { labels, images, element, reader: Some(reader), input, output })
            }
            None => Err(reader.explain(ReaderError::NoLabels)),
        }
    }

    /// The number of the process that reads, while it lives.
    pub fn process(&self) -> Option<u32> {
        Some(self.reader.as_ref()?.child.id())
    }

    /// Has some images decoded. What was asked for is answered in order.
    fn ask(&mut self, indices: &[usize], preprocess: &Preprocess) -> Result<(), WireError> {
        wire::send(&Wanted { indices: indices.to_vec(), preprocess: preprocess.clone() }, &mut self.input)
    }

    fn answer(&mut self, images: usize, preprocess: &Preprocess) -> Result<Samples, WireError> {
        wire::receive_samples(self.element, images * preprocess.values(), &mut self.output)
    }

    /// The next answer, while the child decodes what is `ahead`.
    fn exchange(
        &mut self,
        ahead: Option<&[usize]>,
        images: usize,
        preprocess: &Preprocess,
    ) -> Result<Samples, ImagesError> {
        self.watchdog().inspect(|watchdog| watchdog.awaits_answer());
        let asked = ahead.map_or(Ok(()), |indices| self.ask(indices, preprocess));
        let answer = asked.and_then(|()| self.answer(images, preprocess));
        self.watchdog().inspect(|watchdog| watchdog.rests());
        answer.map_err(|error| self.failed(error))
    }

    fn failed(&mut self, error: WireError) -> ImagesError {
        let error = ReaderError::from(error);
        // A broken pipe says nothing; how the child ended does.
        let cause = match self.reader.take() {
            Some(reader) => reader.explain(error),
            None => error,
        };
        ImagesError::Reader(Box::new(cause))
    }

    fn watchdog(&self) -> Option<&Watchdog> {
        self.reader.as_ref()?.watchdog.as_ref()
    }
}

impl Source for ForeignDataset {
    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn count(&self) -> usize {
        self.images
    }

    fn element(&self) -> SampleType {
        self.element
    }

    /// The child has [`AHEAD`] chunks to decode while the sink takes one.
    fn decode(&mut self, indices: &[usize], preprocess: &Preprocess, sink: Sink) -> Result<(), ImagesError> {
        let chunks: Vec<&[usize]> = indices.chunks(CHUNK).collect();
        for chunk in chunks.iter().take(AHEAD) {
            self.ask(chunk, preprocess).map_err(|error| self.failed(error))?;
        }
        for (place, chunk) in chunks.iter().enumerate() {
            sink(self.exchange(chunks.get(place + AHEAD).copied(), chunk.len(), preprocess)?)?;
        }
        Ok(())
    }
}

impl Reader {
    fn start(arguments: &[OsString], memory_bytes: u64) -> Result<(Self, ChildStdin, ChildStdout), ReaderError> {
        let scratch = tempfile::Builder::new().prefix("eagleeye-read-").tempdir().map_err(ReaderError::Temporary)?;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let allowance = Allowance { memory_bytes, cpu: CPU * cores, file_bytes: FILE_BYTES };
        let mut command = confined(program().map_err(ReaderError::Start)?, allowance, scratch.path());
        command.args(arguments).env("RUST_LOG", "off");
        Reader::of(command, memory_bytes, scratch, ANSWER)
    }

    /// Starts the child, and awaits its first answer.
    fn of(
        mut command: Command,
        memory_bytes: u64,
        scratch: TempDir,
        patience: Duration,
    ) -> Result<(Self, ChildStdin, ChildStdout), ReaderError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(ReaderError::Start)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut reader = Reader { child, watchdog: None, said: None, memory_bytes, _scratch: scratch };
        reader.watchdog = Some(Watchdog::over(&reader.child, patience).map_err(ReaderError::Start)?);
        let (Some(input), Some(output), Some(mut errors)) = pipes else {
            return Err(ReaderError::Start(io::Error::other("a pipe is missing")));
        };
        // Where the system does not allow it, both processes change places more often.
        if let Err(error) = fcntl_setpipe_size(&output, PIPE_BYTES) {
            tracing::debug!(%error, "the pipe of a child process keeps its size");
        }
        // Read beside the rest: a full pipe would keep the child from ending.
        let listen = std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
            let mut said = Vec::new();
            let kept = (&mut errors).take(MAX_REASON_BYTES).read_to_end(&mut said);
            let rest = io::copy(&mut errors, &mut io::sink());
            if let Err(error) = kept.and(rest) {
                tracing::debug!(%error, "cannot read the output of a child process");
            }
            said
        });
        reader.said = Some(listen.map_err(ReaderError::Start)?);
        Ok((reader, input, output))
    }

    /// Waits for the child, which has nothing left to say, and tells why it failed where it did.
    fn finish(mut self) -> Result<(), ReaderError> {
        match self.end()? {
            Some(status) => self.judge(status),
            None => Err(ReaderError::Stuck),
        }
    }

    /// The child's own reason, where it has one, for what was noticed here.
    fn explain(mut self, noticed: ReaderError) -> ReaderError {
        match self.end() {
            Ok(Some(status)) => self.judge(status).err().unwrap_or(noticed),
            _ => noticed,
        }
    }

    /// Awaits nothing of the child for now, other than its end.
    fn rests(&self) {
        self.watchdog.as_ref().inspect(|watchdog| watchdog.rests());
    }

    /// How the child ended, where it does so in time.
    fn end(&mut self) -> Result<Option<ExitStatus>, ReaderError> {
        self.rests();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.child.try_wait().map_err(WireError::Pipe)?;
            if status.is_some() || Instant::now() > deadline {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn judge(&mut self, status: ExitStatus) -> Result<(), ReaderError> {
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        let reason = || exit::reason(&said).unwrap_or_else(|| "no reason given".to_owned());
        let ended_after = self.watchdog.as_ref().and_then(Watchdog::has_ended_it_after);
        match status.code() {
            Some(0) => Ok(()),
            Some(code) if code == i32::from(UNUSABLE) => Err(ReaderError::Refused(reason())),
            Some(code) if code == i32::from(INTERNAL) => Err(ReaderError::Failed(reason())),
            Some(code) if code == i32::from(DISK_FULL) => Err(ReaderError::DiskFull(reason())),
            _ if ended_after.is_some() => Err(ReaderError::TooSlow(ended_after.unwrap_or_default())),
            // `BROKEN_DOWN`, and whatever libtorch or the kernel ends the process with: another attempt would end so,
            // too.
            _ => Err(ReaderError::Crashed { how: status.to_string(), memory_bytes: self.memory_bytes }),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.rests();
        // One that has ended already cannot be killed, which is as good.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn program() -> io::Result<OsString> {
    if Path::new(SELF).exists() { Ok(SELF.into()) } else { Ok(std::env::current_exe()?.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child that does what the script says, each answer of which may take so long.
    fn child(script: &str, patience: Duration) -> (Reader, ChildStdin, ChildStdout) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Reader::of(command, 1 << 20, tempfile::tempdir().unwrap(), patience).unwrap()
    }

    /// Why the child failed whose answer was read.
    fn failure(script: &str) -> ReaderError {
        let (reader, _input, mut output) = child(script, Duration::from_secs(60));
        output.read_to_end(&mut Vec::new()).unwrap();
        reader.finish().unwrap_err()
    }

    #[test]
    fn a_child_that_sleeps_is_ended_and_the_job_does_not_wait_for_it() {
        let (reader, _input, mut output) = child("exec sleep 600", Duration::from_millis(200));
        let started = Instant::now();
        output.read_to_end(&mut Vec::new()).unwrap();
        let error = reader.explain(ReaderError::NoLabels);
        assert!(matches!(error, ReaderError::TooSlow(_)), "{error}");
        assert_eq!(error.waits_for(), None);
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_child_of_which_nothing_is_wanted_may_take_any_time() {
        let patience = Duration::from_millis(200);
        let (mut reader, input, mut output) = child("read line; echo \"$line\"", patience);
        reader.rests();
        std::thread::sleep(3 * patience);
        assert!(reader.child.try_wait().unwrap().is_none(), "it is there");
        io::Write::write_all(&mut &input, b"answer\n").unwrap();
        let mut answer = String::new();
        output.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer\n");
        reader.finish().unwrap();
    }

    #[test]
    fn only_faults_of_the_machine_are_waited_out() {
        for (code, waits) in [(INTERNAL, true), (DISK_FULL, true), (UNUSABLE, false), (exit::BROKEN_DOWN, false)] {
            let error = failure(&format!("echo 'error: why' >&2; exit {code}"));
            assert_eq!(error.waits_for().is_some(), waits, "{code}: {error}");
        }
        assert_eq!(failure("kill -9 $$").waits_for(), None);
    }
}
