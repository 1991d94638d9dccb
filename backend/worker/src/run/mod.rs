//! `run`: claims jobs from the queue and does them, one at a time.
//!
//! The engine computes on a thread of its own; this side talks to the database. That way the heartbeat goes on whatever the
//! engine does, and a cancel is noticed in time.

mod checkpoint_job;
mod engine_thread;
mod error;
mod inputs;
mod reader;
mod reporter;
mod retry;
mod search_job;
mod stop;
mod tend;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use eagleeye_engine::{Device, DeviceChoice};
use eagleeye_sandbox::{Scratch, support};
use eagleeye_store::{Address, Claim, Store, StoreConfig, Work};

use crate::run::engine_thread::CancelFlag;
use crate::run::retry::retry;
use crate::run::stop::Stop;
use crate::run::tend::Tended;

pub use error::RunError;

/// Pause between looks at an empty queue: short after a job, since another may follow, then longer.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Database with the queue: sqlite://PATH or postgres://... One with a password belongs into the variable or a file, since
    /// everybody on this machine can read a command line.
    #[arg(long, value_name = "URL", env = "EAGLEEYE_DATABASE", hide_env_values = true)]
    database: Option<Address>,
    /// File that holds the address of the database and nothing else, instead of --database.
    #[arg(
        long,
        value_name = "FILE",
        env = "EAGLEEYE_DATABASE_FILE",
        hide_env_values = true,
        conflicts_with = "database"
    )]
    database_file: Option<PathBuf>,
    /// File store: a folder or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL", env = "EAGLEEYE_FILES", hide_env_values = true)]
    files: Address,
    /// Folder for downloads from a remote file store [default: one in the folder for temporary files].
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// What the queue knows this process by; no other process, not even an earlier one, may have the same name.
    #[arg(long)]
    name: String,
    /// Device to compute on: auto, cpu or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Threads to compute with; results are the same to the last digit only for the same number [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Memory in bytes that reading a model or a dataset may take.
    #[arg(long, value_name = "BYTES", default_value_t = 16_000_000_000)]
    file_memory_bytes: u64,
}

/// What the engine's jobs are done with.
#[derive(Debug, Clone, Copy)]
pub struct Equipment {
    pub device: Device,
    pub threads: usize,
    /// Memory in bytes that the child that reads a model or a dataset may take.
    pub file_memory_bytes: u64,
}

struct Worker {
    store: Store,
    name: String,
    equipment: Equipment,
}

/// Does jobs until it is told to stop. Does not return when a job had to be abandoned in the middle of a computation: the
/// process then ends, since libtorch cannot be stopped from outside.
pub fn run(args: RunArgs) -> Result<(), RunError> {
    let database = match (args.database, args.database_file) {
        (Some(database), _) => database,
        (None, Some(file)) => Address::from_file(&file)?,
        (None, None) => return Err(RunError::NoDatabase),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let equipment = Equipment {
        device: args.device.resolve()?,
        threads: args.threads.map_or(cores, usize::from),
        file_memory_bytes: args.file_memory_bytes,
    };
    let scratch = Scratch::in_environment().map_err(RunError::Temporary)?;
    scratch.take_over();
    let sandbox = support();
    if !sandbox.is_complete() {
        tracing::warn!("the sandbox for models and datasets has gaps on this machine: {sandbox}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    runtime.block_on(async {
        let stop = Stop::watch().map_err(RunError::Signals)?;
        let mut config = StoreConfig::new(database, args.files);
        config.cache = args.cache.unwrap_or(config.cache);
        let store = Store::connect_with(config).await?;
        let worker = Worker { store, name: args.name, equipment };
        tracing::info!(name = worker.name, device = ?equipment.device, threads = equipment.threads, "ready for jobs");
        worker.work_until(&stop).await
    })
}

impl Worker {
    async fn work_until(&self, stop: &Stop) -> Result<(), RunError> {
        let mut pause = SHORTEST_PAUSE;
        while !stop.is_requested() {
            // Not to be dropped half way: a job might be claimed, and nobody know of it.
            match retry(async || self.store.queue().claim(&self.name).await).await? {
                Some(claim) => {
                    self.work_on(&claim, stop).await?;
                    pause = SHORTEST_PAUSE;
                }
                None => {
                    tokio::select! {
                        () = stop.requested() => {}
                        () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                    }
                }
            }
        }
        tracing::info!(name = self.name, "stopped");
        Ok(())
    }

    async fn work_on(&self, claim: &Claim, stop: &Stop) -> Result<(), RunError> {
        let Claim { lease, work, attempt } = claim;
        tracing::info!(job = %lease.job_id, lease = lease.number, attempt, ?work, "job claimed");
        let cancel = CancelFlag::default();
        let tended = match *work {
            Work::Search(id) => {
                let job = search_job::perform(&self.store, *lease, id, self.equipment, cancel.clone());
                tend::tend(&self.store, lease, stop, &cancel, job).await
            }
            Work::Checkpoint(id) => {
                let job = checkpoint_job::perform(&self.store, *lease, id, self.equipment, cancel.clone());
                tend::tend(&self.store, lease, stop, &cancel, job).await
            }
        };
        match tended {
            Ok(Tended::Ended) => Ok(()),
            Ok(Tended::EngineBusy) => {
                tracing::warn!(job = %lease.job_id, "the engine does not stop; this process ends itself");
                engine_thread::end_process()
            }
            Err(error) => Err(error.into()),
        }
    }
}
