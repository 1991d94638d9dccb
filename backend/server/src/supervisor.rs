//! Worker processes: started, watched, restarted, and stopped with the server.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eagleeye_store::{Address, CacheConfig, Store, answer_within};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// First pause after a worker ended; doubled each time up to the longest one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A worker that was up for this long did not fail at its start: the next pause is the shortest again.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// What a worker has to give its job back when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// What the database may take for an answer; the next worker does not wait for one that does not answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How many worker processes are up.
#[derive(Debug, Clone, Default)]
pub struct Workers {
    wanted: usize,
    running: Arc<AtomicUsize>,
}

impl Workers {
    pub fn new(wanted: usize) -> Self {
        Workers { wanted, running: Arc::default() }
    }

    pub fn wanted(&self) -> usize {
        self.wanted
    }

    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

/// What a worker is started with.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    pub program: PathBuf,
    pub database: Address,
    pub files: Address,
    pub cache: CacheConfig,
    pub device: String,
    /// Where the worker makes its folder for temporary files.
    pub temporary: PathBuf,
    /// Memory limit for reading a model or a dataset, in bytes.
    pub file_memory_bytes: u64,
    /// Folders below which it may read datasets where they lie.
    pub dataset_roots: Vec<String>,
}

/// Keeps the wanted number of workers up until `shutdown`, and returns when all of them have ended.
pub async fn supervise(command: WorkerCommand, workers: Workers, store: Store, shutdown: CancellationToken) {
    let mut slots = JoinSet::new();
    for slot in 0..workers.wanted {
        slots.spawn(keep_up(slot, command.clone(), workers.clone(), store.clone(), shutdown.clone()));
    }
    while slots.join_next().await.is_some() {}
}

async fn keep_up(slot: usize, command: WorkerCommand, workers: Workers, store: Store, shutdown: CancellationToken) {
    let mut pause = Duration::ZERO;
    while !shutdown.is_cancelled() {
        // A fresh name for each start: the queue must not take the new process for the old one.
        let name = format!("worker-{slot}-{}", Uuid::now_v7().simple());
        let started = Instant::now();
        match command.spawn(&name) {
            Ok(child) => {
                workers.running.fetch_add(1, Ordering::Relaxed);
                watch(child, &name, &shutdown).await;
                pause = pause_after(pause, started.elapsed());
                workers.running.fetch_sub(1, Ordering::Relaxed);
                give_back(&store, &name).await;
            }
            Err(error) => {
                tracing::error!(%error, program = %command.program.display(), "cannot start a worker");
                pause = pause_after(pause, Duration::ZERO);
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The pause before the next start, after the one before the last start and what that one lasted.
fn pause_after(last: Duration, lived: Duration) -> Duration {
    match lived >= HEALTHY_AFTER {
        true => SHORTEST_PAUSE,
        false => (last * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
    }
}

/// Waits until the worker ends; at shutdown asks it to end, and kills it when it does not.
async fn watch(mut child: Child, name: &str, shutdown: &CancellationToken) {
    tracing::info!(name, pid = child.id(), "worker started");
    // Taken out, since waiting for a child closes the input that it still holds. The end of its input is what tells a
    // worker that its server is gone.
    let input = child.stdin.take();
    tokio::select! {
        ended = child.wait() => match ended {
            Ok(status) => tracing::warn!(name, %status, "worker ended; another will be started"),
            Err(error) => tracing::error!(name, %error, "lost sight of a worker"),
        },
        () = shutdown.cancelled() => {
            drop(input);
            if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                tracing::warn!(name, "worker did not stop in time; killing it");
                if let Err(error) = child.kill().await {
                    tracing::error!(name, %error, "cannot kill a worker");
                }
            }
        }
    }
}

/// The jobs of a process that is known to be dead need not wait for their heartbeats to grow stale, and nobody needs to
/// see it any more.
async fn give_back(store: &Store, name: &str) {
    match answer_within(ANSWER, store.queue().worker_died(name)).await {
        Ok(0) => {}
        Ok(jobs) => tracing::info!(name, jobs, "jobs of the ended worker may be claimed again"),
        Err(error) => tracing::warn!(name, %error, "jobs of the ended worker wait for their heartbeats to grow stale"),
    }
    if let Err(error) = answer_within(ANSWER, store.workers().forget(name)).await {
        tracing::debug!(name, %error, "cannot remove the ended worker from the list yet");
    }
}

impl WorkerCommand {
    fn spawn(&self, name: &str) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            // Not as arguments, which everybody on this machine can read.
            .env("EAGLEEYE_DATABASE", self.database.expose())
            .env_remove("EAGLEEYE_DATABASE_FILE")
            .env("EAGLEEYE_FILES", self.files.expose())
            .arg("--cache")
            .arg(&self.cache.folder)
            .args(["--cache-bytes", &self.cache.bytes.to_string()])
            .args(["--name", name, "--device", &self.device])
            .args(["--file-memory-bytes", &self.file_memory_bytes.to_string()])
            // An empty variable stands for none, whatever this process's own says.
            .env("EAGLEEYE_DATASET_ROOTS", self.dataset_roots.join(","))
            .env("TMPDIR", &self.temporary)
            // Held open for as long as the server lives.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses after workers that each lived for so long.
    fn pauses(lived: &[u64]) -> Vec<u128> {
        let mut pause = Duration::ZERO;
        let next = |seconds: &u64| {
            pause = pause_after(pause, Duration::from_secs(*seconds));
            pause.as_millis()
        };
        lived.iter().map(next).collect()
    }

    #[test]
    fn a_worker_that_fails_at_its_start_is_started_again_after_at_most_five_seconds() {
        assert_eq!(pauses(&[0; 9]), [200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
    }

    #[test]
    fn a_worker_that_was_killed_at_work_is_replaced_at_once_however_often() {
        assert_eq!(pauses(&[8; 9]), [200; 9]);
        assert_eq!(pauses(&[0, 0, 0, 0, 60, 0]), [200, 400, 800, 1600, 200, 400]);
    }
}
