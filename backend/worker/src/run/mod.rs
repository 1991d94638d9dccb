//! `run`: claims jobs from the queue and does them, one at a time; exports also between two candidates of a search.
//!
//! The engine computes on a thread of its own; this side talks to the database. That way the heartbeat goes on whatever
//! the
//! engine does, and a cancel is noticed in time.

mod checkpoint_job;
mod engine_thread;
mod error;
mod failed_reads;
mod inputs;
mod presence;
mod reader;
mod reporter;
mod retry;
mod search_job;
mod stop;
mod tend;
mod turns;
mod watchdog;

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use eagleeye_engine::{Device, DeviceChoice};
use eagleeye_sandbox::{Scratch, support};
use eagleeye_store::{
    Address, CacheConfig, Claim, DEFAULT_CACHE_BYTES, Lease, Store, StoreConfig, StoreError, Uuid, Work,
};
use rustix::fs::Mode;
use rustix::process::umask;

use crate::failure::one_line;
use crate::run::engine_thread::CancelFlag;
use crate::run::failed_reads::FailedReads;
use crate::run::presence::Presence;
use crate::run::retry::{once, retry};
use crate::run::stop::Stop;
use crate::run::tend::Tended;
use crate::run::turns::turns;

pub use error::RunError;

/// Pause between looks at an empty queue: short after a job, since another may follow, then longer.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Pauses between looks at a file store that is not the server's.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Database with the queue: sqlite://PATH or postgres://... Put an address with a password into the variable or a
    /// file, because
    /// every user of this machine can read command lines.
    #[arg(long, value_name = "URL", env = "EAGLEEYE_DATABASE", hide_env_values = true)]
    database: Option<Address>,
    /// File that contains only the database address, instead of --database.
    #[arg(
        long,
        value_name = "FILE",
        env = "EAGLEEYE_DATABASE_FILE",
        hide_env_values = true,
        conflicts_with = "database"
    )]
    database_file: Option<PathBuf>,
    #[cfg_attr(feature = "s3", doc = "File store of the server: a folder or s3://BUCKET/PREFIX")]
    #[cfg_attr(not(feature = "s3"), doc = "File store of the server: a folder")]
    #[arg(long, value_name = "URL", env = "EAGLEEYE_FILES", hide_env_values = true)]
    files: Address,
    /// Folder for copies of files from a remote file store; workers on one machine may share it.
    #[arg(long, value_name = "FOLDER", env = "EAGLEEYE_CACHE", hide_env_values = true, default_value = "data/cache")]
    cache: PathBuf,
    /// Largest total size of these copies in bytes; the least recently used are removed first.
    #[arg(long, value_name = "BYTES", env = "EAGLEEYE_CACHE_BYTES", hide_env_values = true, default_value_t = DEFAULT_CACHE_BYTES)]
    cache_bytes: u64,
    /// Name of this process in the queue; no other process, past or present, may have the same one.
    #[arg(long)]
    name: String,
    /// Device to compute on: auto, cpu or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Threads to compute with; results are identical to the last digit only for the same number [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Memory limit for reading a model or a dataset, in bytes.
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
    presence: Presence,
    failed_reads: FailedReads,
}

/// Does jobs until it is told to stop. Does not return when a job had to be abandoned in the middle of a computation:
/// the
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
        let cache = CacheConfig { folder: args.cache, bytes: args.cache_bytes };
        let config = StoreConfig { cache, ..StoreConfig::new(database, args.files) };
        let store = open(&config, &stop).await?;
        let presence = Presence::announce(&store, &args.name, equipment.device);
        let worker = Worker { store, name: args.name, equipment, presence, failed_reads: FailedReads::default() };
        tracing::info!(name = worker.name, device = ?equipment.device, threads = equipment.threads, "ready for jobs");
        let outcome = worker.work_until(&stop).await;
        worker.presence.end().await;
        outcome
    })
}

/// Opens the store. A database server that is away is waited for, as it may be started after its workers.
///
/// # Errors
/// Where an address is wrong, or the files are not those of the server.
async fn open(config: &StoreConfig, stop: &Stop) -> Result<Store, RunError> {
    let is_file = config.database_url.expose().starts_with("sqlite:");
    let give_up = || is_file || stop.is_requested();
    let store = retry(give_up, async || Store::connect_with(config.clone()).await).await?;
    match retry(give_up, async || store.check_files().await).await {
        Err(StoreError::Files(error)) => tracing::warn!(%error, "the file store does not respond yet"),
        checked => checked?,
    }
    Ok(store)
}

impl Worker {
    async fn work_until(&self, stop: &Stop) -> Result<(), RunError> {
        let mut pause = SHORTEST_PAUSE;
        while !stop.is_requested() {
            match self.claim(stop).await? {
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

    /// The next job, through any outage of the database. Not to be dropped half way: a job might be claimed, and nobody
    /// know
    /// of it.
    async fn claim(&self, stop: &Stop) -> Result<Option<Claim>, StoreError> {
        let mut is_in_doubt = false;
        let claimed = retry(
            || stop.is_requested(),
            async || {
                if is_in_doubt {
                    // What an attempt whose answer was lost may have claimed.
                    self.store.queue().release_all(&self.name).await?;
                }
                is_in_doubt = true;
                self.store.queue().claim(&self.name).await
            },
        )
        .await;
        match claimed {
            Err(error) if error.is_transient() && stop.is_requested() => Ok(None),
            claimed => claimed,
        }
    }

    async fn work_on(&self, claim: &Claim, stop: &Stop) -> Result<(), RunError> {
        let Claim { lease, work, attempt } = claim;
        tracing::info!(job = %lease.job_id, lease = lease.number, attempt, ?work, "job claimed");
        self.presence.at(Some(lease.job_id));
        let tended = match *work {
            Work::Search(id) => self.search(lease, id, stop).await,
            Work::Checkpoint(id) => self.export(lease, id, stop).await,
        };
        self.presence.at(None);
        match tended? {
            Tended::Ended => {}
            Tended::FilesAway => self.wait_for_files(stop).await,
            Tended::EngineBusy => end_with_busy_engine(lease),
        }
        Ok(())
    }

    /// Does a search, and between its candidates the exports that wait.
    async fn search(&self, lease: &Lease, id: Uuid, stop: &Stop) -> Result<Tended, StoreError> {
        let cancel = CancelFlag::default();
        let (offers, mut turns) = turns();
        let job = search_job::perform(&self.store, *lease, id, self.equipment, cancel.clone(), offers);
        let job = async { self.failed_reads.judge(lease.job_id, job.await) };
        let mut search = pin!(tend::tend(&self.store, lease, stop, &cancel, job));
        let mut exports = pin!(async move {
            while let Some(_turn) = turns.next().await {
                self.do_waiting_exports(stop).await?;
            }
            Ok::<(), StoreError>(())
        });
        tokio::select! {
            tended = &mut search => {
                // Where the engine has returned, no further turn will come; an export that is under way is seen to its
                // end.
                if !matches!(tended, Ok(Tended::EngineBusy)) {
                    exports.await?;
                }
                tended
            }
            ended = &mut exports => {
                let tended = search.await;
                ended.and(tended)
            }
        }
    }

    /// Errors of the moment leave what waits to the next turn.
    async fn do_waiting_exports(&self, stop: &Stop) -> Result<(), StoreError> {
        while !stop.is_requested() {
            let claim = match once(async || self.store.queue().claim_export(&self.name).await).await {
                Ok(Some(claim)) => claim,
                Ok(None) => return Ok(()),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "cannot look for exports");
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let Work::Checkpoint(id) = claim.work else { return Ok(()) };
            tracing::info!(job = %claim.lease.job_id, "export between two candidates");
            match self.export(&claim.lease, id, stop).await? {
                Tended::Ended => {}
                Tended::FilesAway => return Ok(()),
                Tended::EngineBusy => end_with_busy_engine(&claim.lease),
            }
        }
        Ok(())
    }

    async fn export(&self, lease: &Lease, id: Uuid, stop: &Stop) -> Result<Tended, StoreError> {
        let cancel = CancelFlag::default();
        let job = checkpoint_job::perform(&self.store, *lease, id, self.equipment, cancel.clone());
        let job = async { self.failed_reads.judge(lease.job_id, job.await) };
        tend::tend(&self.store, lease, stop, &cancel, job).await
    }

    /// Takes no jobs for as long as their files are not where this worker looks for them.
    async fn wait_for_files(&self, stop: &Stop) {
        let mut pause = FIRST_LOOK;
        while let Err(error) = once(async || self.store.check_files().await).await {
            tracing::warn!(%error, "not taking jobs");
            self.presence.note(Some(one_line(&error)));
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_LOOK),
            }
        }
        self.presence.note(None);
    }
}

fn end_with_busy_engine(lease: &Lease) -> ! {
    tracing::warn!(job = %lease.job_id, "the engine does not stop; terminating this process");
    engine_thread::end_process()
}
