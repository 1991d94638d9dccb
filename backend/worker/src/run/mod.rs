//! `run`: claims jobs from the queue and does them, one at a time; short ones also in the turns that a long one offers, as exports
//! between two candidates of a search. What is done for which kind of job is in [`HANDLERS`].
//!
//! The engine computes on a thread of its own; this side talks to the database. That way the heartbeat goes on whatever
//! the engine does, and a cancel is noticed in time.

mod engine_thread;
mod error;
mod export_job;
mod failed_reads;
mod handler;
mod image_cache;
mod inputs;
mod presence;
mod reader;
mod reporter;
mod resources;
mod retry;
mod search_job;
mod stop;
mod tend;
mod tuning_follower;
mod tuning_job;
mod turns;
mod watchdog;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use eagleeye_engine::{DeviceChoice, device};
use eagleeye_sandbox::{Scratch, support};
use eagleeye_store::{
    Address, CacheConfig, Claim, DEFAULT_CACHE_BYTES, DatasetRoots, Lease, Store, StoreConfig, StoreError,
};
use rustix::fs::Mode;
use rustix::process::umask;

use crate::failure::one_line;
use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::export_job::ExportJob;
use crate::run::failed_reads::FailedReads;
use crate::run::handler::{Handlers, Task};
use crate::run::image_cache::{DEFAULT_IMAGE_BYTES, ImageCache};
use crate::run::presence::Presence;
use crate::run::resources::Resources;
use crate::run::retry::{once, retry};
use crate::run::search_job::SearchJob;
use crate::run::stop::Stop;
use crate::run::tend::Tended;
use crate::run::tuning_job::TuningJob;
use crate::run::turns::{Offers, turns};

pub use error::RunError;
pub use reader::ForeignDataset;

/// Pause between looks at an empty queue: short after a job, since another may follow, then longer.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Pauses between looks at a file store that is not the server's.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Database with the queue: sqlite://PATH or postgres://... Put an address with a password into the variable or a
    /// file, because every user of this machine can read command lines.
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
    /// Largest total size of decoded images that are kept in the same folder for other jobs on the same dataset, in bytes; the least
    /// recently used are removed first. 0 keeps none.
    #[arg(long, value_name = "BYTES", env = "EAGLEEYE_IMAGE_CACHE_BYTES", hide_env_values = true, default_value_t = DEFAULT_IMAGE_BYTES)]
    image_cache_bytes: u64,
    /// Folders below which this worker may read datasets that were registered by their location, separated by commas. They must lie
    /// where they do for the server.
    #[arg(long, value_name = "FOLDERS", env = "EAGLEEYE_DATASET_ROOTS", hide_env_values = true, value_delimiter = ',')]
    dataset_roots: Vec<String>,
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
    /// Seconds after which fine-tuning stores another snapshot, beside the one after each epoch.
    #[arg(long, value_name = "SECONDS", env = "EAGLEEYE_SNAPSHOT_SECONDS", default_value_t = 60)]
    snapshot_seconds: u64,
}

/// Every kind of job, one line each.
const HANDLERS: Handlers = Handlers::new(&[&ExportJob, &SearchJob, &TuningJob]);

struct Worker {
    store: Store,
    name: String,
    handlers: Handlers,
    resources: Resources,
    image_cache: ImageCache,
    presence: Presence,
    failed_reads: FailedReads,
}

/// Does jobs until it is told to stop. Does not return when a job had to be abandoned in the middle of a computation:
/// the process then ends, since libtorch cannot be stopped from outside.
pub fn run(args: RunArgs) -> Result<(), RunError> {
    let database = match (args.database, args.database_file) {
        (Some(database), _) => database,
        (None, Some(file)) => Address::from_file(&file)?,
        (None, None) => return Err(RunError::NoDatabase),
    };
    let dataset_roots = DatasetRoots::new(args.dataset_roots)?;
    // Whatever this process makes is for its user alone.
    umask(Mode::RWXG | Mode::RWXO);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let chosen = args.device.choose()?;
    let resources = Resources {
        device: chosen.device,
        threads: args.threads.map_or(cores, usize::from),
        file_memory_bytes: args.file_memory_bytes,
        snapshot_period: Duration::from_secs(args.snapshot_seconds),
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
        let image_cache = ImageCache { folder: args.cache.join("images"), bytes: args.image_cache_bytes };
        let cache = CacheConfig { folder: args.cache, bytes: args.cache_bytes };
        let config = StoreConfig { cache, dataset_roots, ..StoreConfig::new(database, args.files) };
        let store = open(&config, &stop).await?;
        let presence = Presence::announce(&store, &args.name, chosen.clone());
        let worker = Worker {
            store,
            name: args.name,
            handlers: HANDLERS,
            resources,
            image_cache,
            presence,
            failed_reads: FailedReads::default(),
        };
        tracing::info!(
            name = worker.name,
            device = device::name(chosen.device),
            because = chosen.reason,
            threads = resources.threads,
            "ready for jobs"
        );
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
    /// know of it.
    async fn claim(&self, stop: &Stop) -> Result<Option<Claim>, StoreError> {
        let wanted = self.handlers.wanted();
        let mut is_in_doubt = false;
        let claimed = retry(
            || stop.is_requested(),
            async || {
                if is_in_doubt {
                    // What an attempt whose answer was lost may have claimed.
                    self.store.queue().release_all(&self.name).await?;
                }
                is_in_doubt = true;
                self.store.queue().claim(&self.name, &wanted).await
            },
        )
        .await;
        match claimed {
            Err(error) if error.is_transient() && stop.is_requested() => Ok(None),
            claimed => claimed,
        }
    }

    async fn work_on(&self, claim: &Claim, stop: &Stop) -> Result<(), RunError> {
        let Claim { lease, kind, subject, attempt, .. } = claim;
        tracing::info!(job = %lease.job_id, lease = lease.number, attempt, kind, %subject, "job claimed");
        self.presence.at(Some(lease.job_id));
        let tended = self.perform_with_turns(claim, stop).await;
        self.presence.at(None);
        match tended? {
            Tended::Ended => {}
            Tended::FilesAway => self.wait_for_files(stop).await,
            Tended::EngineBusy => end_with_busy_engine(lease),
        }
        Ok(())
    }

    /// Does a job, and in the turns that it offers the short ones that wait.
    async fn perform_with_turns(&self, claim: &Claim, stop: &Stop) -> Result<Tended, StoreError> {
        let (offers, mut turns) = turns();
        let mut job = pin!(self.perform(claim, offers, stop));
        let mut others = pin!(async move {
            while let Some(_turn) = turns.next().await {
                self.do_waiting_short_jobs(stop).await?;
            }
            Ok::<(), StoreError>(())
        });
        tokio::select! {
            tended = &mut job => {
                // Where the engine has returned, no further turn will come; a job that is under way is seen to its end.
                if !matches!(tended, Ok(Tended::EngineBusy)) {
                    others.await?;
                }
                tended
            }
            ended = &mut others => {
                let tended = job.await;
                ended.and(tended)
            }
        }
    }

    /// Errors of the moment leave what waits to the next turn.
    async fn do_waiting_short_jobs(&self, stop: &Stop) -> Result<(), StoreError> {
        let wanted = self.handlers.wanted_in_turns();
        while !stop.is_requested() {
            let claim = match once(async || self.store.queue().claim(&self.name, &wanted).await).await {
                Ok(Some(claim)) => claim,
                Ok(None) => return Ok(()),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "cannot look for short jobs");
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            tracing::info!(job = %claim.lease.job_id, kind = claim.kind, "job done in a turn of another");
            match self.perform(&claim, Offers::refused(), stop).await? {
                Tended::Ended => {}
                Tended::FilesAway => return Ok(()),
                Tended::EngineBusy => end_with_busy_engine(&claim.lease),
            }
        }
        Ok(())
    }

    async fn perform(&self, claim: &Claim, offers: Offers, stop: &Stop) -> Result<Tended, StoreError> {
        let (lease, cancel) = (claim.lease, CancelFlag::default());
        let task = Task {
            store: self.store.clone(),
            lease,
            subject: claim.subject,
            payload: claim.payload.clone(),
            resources: self.resources,
            image_cache: self.image_cache.clone(),
            cancel: cancel.clone(),
            offers,
        };
        let job = async { self.failed_reads.judge(lease.job_id, self.hand_over(&claim.kind, task).await) };
        tend::tend(&self.store, &lease, stop, &cancel, job).await
    }

    async fn hand_over(&self, kind: &str, task: Task) -> Result<(), JobError> {
        // The queue gives kinds that were asked for.
        let handler = self.handlers.of(kind).ok_or_else(|| JobError::UnknownKind(kind.to_owned()))?;
        let (found, known) = (task.payload.version, handler.payload_version());
        if found > known {
            return Err(JobError::NewerPayload { found, known });
        }
        handler.perform(task).await
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
