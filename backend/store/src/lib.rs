//! What EagleEye keeps: models, datasets, searches, candidates, tunings, tuning races, checkpoints, the job queue, and the files behind them.
//!
//! One [`Store`] serves the server and every worker process; all of them share one database (SQLite or PostgreSQL)
//! and one file store. Repositories take and return plain structs; no SQL, row or query leaves this crate.
//!
//! Four rules hold everything together:
//! - a job is enqueued in the transaction that creates what it works on ([`queue`]),
//! - a worker's write is fenced by its lease and idempotent, so no candidate is stored twice ([`queue::Lease`]),
//! - what changes a search, a checkpoint, a tuning or a race tells of it in the same transaction ([`events`]),
//! - a file lives as long as a row or an [`Upload`] names its hash ([`garbage`]).

pub mod address;
mod answer;
pub mod candidates;
mod cards;
pub mod changes;
pub mod checkpoints;
pub mod clock;
pub mod datasets;
mod deleting;
mod entities;
pub mod error;
mod evaluations;
pub mod events;
mod export_job;
pub mod fault;
pub mod feed;
pub mod files;
pub mod garbage;
mod identity;
pub mod leaderboard;
pub mod models;
mod number;
mod open;
mod ordering;
pub mod page;
pub mod pipelines;
pub mod private;
pub mod queue;
mod reach;
mod referenced;
pub mod references;
pub mod resumable;
mod resuming;
mod run;
mod search_job;
pub mod searches;
mod settling;
mod standings;
mod store;
pub mod studies;
mod subject;
mod tuning_job;
pub mod tuning_races;
mod tuning_resuming;
pub mod tunings;
pub mod uploads;
pub mod workers;

pub use address::{Address, AddressFileError};
pub use answer::answer_within;
pub use candidates::{Candidate, NewCandidate};
pub use cards::CardRows;
pub use changes::{AT_ONCE, Changes};
pub use checkpoints::{Checkpoint, CheckpointFormat, CheckpointState, CheckpointWeights, EXPORT_JOB};
pub use clock::Clock;
pub use datasets::{Dataset, LocalDataset, NewDataset, NewReference};
pub use error::{Damage, Kind, Owner, StoreError};
pub use events::{Event, EventKind};
pub use export_job::Exported;
pub use fault::StorageFault;
pub use feed::{Feed, News};
pub use files::{BadHash, CacheConfig, Check, FileBody, FileHash, Files, LocalFile, Sha256};
pub use models::{Model, NewModel};
pub use open::{CACHE, DEFAULT_CACHE_BYTES, StoreConfig};
pub use ordering::{CandidateSort, Which};
pub use page::{Page, PageRequest};
pub use pipelines::{Pipeline, PipelineStage, PipelineState};
pub use queue::{Claim, HeartbeatAnswer, InLine, Job, JobState, Lease, NewJob, Payload, Queue, Stand, Turn, Wanted};
pub use referenced::Referenced;
pub use references::{DatasetRoots, Listing, Located, LocationError, ReferenceError, RootError};
pub use resumable::Resumable;
pub use search_job::CANDIDATES_PHASE;
pub use searches::{SEARCH_JOB, Search, SearchState, Split, Winner};
pub use store::Store;
pub use studies::{Study, StudyMember};
pub use subject::Progress;
pub use tuning_job::{EPOCHS_PHASE, Tuned};
pub use tuning_races::{RaceMember, RaceState, TuningRace};
pub use tunings::{PAUSED_PHASE, TUNING_JOB, TUNING_PAYLOAD, Tuning, TuningChanges, TuningState};
pub use uploads::{NamedUpload, Upload};
pub use uuid::Uuid;
pub use workers::{Work, Worker, WorkerReport};
