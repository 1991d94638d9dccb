//! `run`: claims jobs from the queue and does them, one at a time.
//!
//! The engine computes on a thread of its own; this side talks to the database. That way the heartbeat goes on whatever the
//! engine does, and a cancel is noticed in time.

mod checkpoint_job;
mod engine_thread;
mod error;
mod inputs;
mod reporter;
mod retry;
mod search_job;
mod stop;
mod tend;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use eagleeye_engine::{Device, DeviceChoice};
use eagleeye_store::{Address, CacheConfig, Claim, DEFAULT_CACHE_BYTES, Store, StoreConfig, Work};
use rustix::fs::Mode;
use rustix::process::umask;

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
    /// Folder for copies of a remote file store's files; workers of one machine may share it.
    #[arg(long, value_name = "FOLDER", env = "EAGLEEYE_CACHE", hide_env_values = true, default_value = "data/cache")]
    cache: PathBuf,
    /// Bytes that these copies may take; those that were not used for the longest time go first.
    #[arg(long, value_name = "BYTES", env = "EAGLEEYE_CACHE_BYTES", hide_env_values = true, default_value_t = DEFAULT_CACHE_BYTES)]
    cache_bytes: u64,
    /// What the queue knows this process by; no other process, not even an earlier one, may have the same name.
    #[arg(long)]
    name: String,
    /// Device to compute on: auto, cpu or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Threads to compute with; results are the same to the last digit only for the same number [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// What the engine's jobs are done with.
#[derive(Debug, Clone, Copy)]
pub struct Equipment {
    pub device: Device,
    pub threads: usize,
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
    // Whatever this process makes is for its user alone.
    umask(Mode::RWXG | Mode::RWXO);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let equipment = Equipment { device: args.device.resolve()?, threads: args.threads.map_or(cores, usize::from) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    runtime.block_on(async {
        let stop = Stop::watch().map_err(RunError::Signals)?;
        let cache = CacheConfig { folder: args.cache, bytes: args.cache_bytes };
        let config = StoreConfig { cache, ..StoreConfig::new(database, args.files) };
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
