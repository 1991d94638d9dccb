//! What can go wrong in the store, one variant per way.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr};
use uuid::Uuid;

use crate::address::{Address, AddressFileError};
use crate::fault::{POSTGRES_CODE, StorageFault};
use crate::files::{BadHash, FileHash};
use crate::references::ReferenceError;

/// The kinds of things that can be looked up, for error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Model,
    Dataset,
    Thumbnail,
    Search,
    Candidate,
    Checkpoint,
    Tuning,
    Pipeline,
    TuningRace,
    Study,
    Job,
    Upload,
    File,
    Worker,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Model => "model",
            Kind::Dataset => "dataset",
            Kind::Thumbnail => "thumbnail",
            Kind::Search => "search",
            Kind::Candidate => "candidate",
            Kind::Checkpoint => "checkpoint",
            Kind::Tuning => "tuning",
            Kind::Pipeline => "pipeline",
            Kind::TuningRace => "tuning race",
            Kind::Study => "study",
            Kind::Job => "job",
            Kind::Upload => "upload",
            Kind::File => "file",
            Kind::Worker => "worker",
        })
    }
}

/// What has happened to a stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    Missing,
    /// Its content has another hash than its name.
    Altered {
        found: FileHash,
    },
    /// It was written to while it was read.
    Changed,
    /// The disk does not give its bytes back.
    Unreadable,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Missing => "is missing from the file store",
            Damage::Altered { .. } => "is damaged: its content is not what was stored",
            Damage::Changed => "is damaged: it was written to while it was read",
            Damage::Unreadable => "is damaged: the disk cannot read all of it",
        })
    }
}

/// What a stored file is part of, in words of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub kind: Kind,
    pub id: Uuid,
    /// What it is called; empty for a checkpoint and a tuning.
    pub name: String,
    /// The name that the file was uploaded under.
    pub file: Option<String>,
}

impl Owner {
    fn remedy(&self) -> &'static str {
        match self.kind {
            Kind::Checkpoint => "ask for the export again to recreate it",
            Kind::Tuning => "delete the tuning and queue it anew",
            _ => "upload it again to repair everything that uses it",
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { kind, id, name, file } = self;
        if let Some(file) = file {
            write!(f, "`{file}` ")?;
        }
        write!(f, "of {kind} ")?;
        if name.is_empty() { write!(f, "{id}") } else { write!(f, "`{name}` ({id})") }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{kind} {id} does not exist")]
    NotFound { kind: Kind, id: String },
    #[error("{kind} {id} {reason}")]
    Conflict { kind: Kind, id: Uuid, reason: String },
    #[error("{kind} {id} is used by {}, which must be deleted first", counted(searches.len() as u64, "search", "searches"))]
    InUse { kind: Kind, id: Uuid, searches: Vec<Uuid> },
    #[error(
        "the search has {} under budget {budget}, and the race asks for {wanted}", counted(*found, "candidate", "candidates")
    )]
    TooFewCandidates { budget: u32, found: u64, wanted: u32 },
    #[error(
        "the study would have {tunings} fine-tunings, and may have {most}: choose fewer candidates of each budget, or fewer seeds"
    )]
    TooManyTunings { tunings: u64, most: u64 },
    #[error("the search has no candidates of a budget, which a study could compare")]
    NothingToCompare,
    #[error("the search has {}, counted from 0, and none in place {budget}", counted(*budgets, "budget", "budgets"))]
    NoSuchBudget { budget: u32, budgets: u64 },
    #[error(
        "{epochs} epochs are too few for {candidates} candidates: a race needs one for each candidate of each rung, {least} \
         altogether"
    )]
    TooFewEpochs { epochs: u32, candidates: u32, least: u32 },
    #[error("the lease {lease} of job {job} is no longer held: another worker has it, or the job has ended")]
    LeaseLost { job: Uuid, lease: i64 },
    #[error("the upload is larger than the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the upload was interrupted after {received} bytes: {source}")]
    Interrupted { received: u64, source: std::io::Error },
    #[error("`{cursor}` is not a cursor of this list: pass the `next_cursor` of the previous page unchanged")]
    BadCursor { cursor: String },
    #[error(
        "`{sort}` is not a sort order: use rank, index, top1, top5, cross_entropy, macs, parameters or seconds, prefixed \
         with - for descending order"
    )]
    BadSort { sort: String },
    #[error(transparent)]
    BadHash(#[from] BadHash),
    #[error("{field} is {value}, larger than the store can hold ({max})")]
    OutOfRange { field: &'static str, value: u64, max: u64 },
    #[error("column {column} of a stored {kind} cannot be read: {reason}")]
    Corrupt { kind: Kind, column: &'static str, reason: String },
    #[error("the file store address `{url}` cannot be used: {reason}")]
    BadFilesUrl { url: Address, reason: String },
    #[error(transparent)]
    AddressFile(#[from] AddressFileError),
    #[error("the database address `{url}` cannot be used: it must start with sqlite: or postgres:")]
    BadDatabaseUrl { url: Address },
    #[error("cannot prepare {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    /// What the file belongs to is not known here: see [`StoreError::about`].
    #[error("the stored file {hash} {damage}")]
    Damaged { hash: FileHash, damage: Damage },
    #[error("the stored file {owner} {damage}; {}", owner.remedy())]
    DamagedFile { owner: Owner, damage: Damage },
    #[error("dataset `{name}` ({id}), registered at {location}, cannot be read: {reason}")]
    Reference { id: Uuid, name: String, location: String, reason: ReferenceError },
    #[error("{}: {source}", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "{place} is not the file store of this database: {} in it {}; pass --files the address that the server \
         uses, and if it is a network folder, make sure that it is mounted",
        crate::private::MARKER, found.as_ref().map_or("is missing".to_string(), |found| format!("contains {found} instead of {expected}"))
    )]
    ForeignFiles { place: String, expected: String, found: Option<String> },
    #[error("the database has not answered within {} s", after.as_secs())]
    NoAnswer { after: Duration },
    #[error("file store: {0}")]
    Files(#[from] object_store::Error),
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

/// `1 search`, `2 searches`
fn counted(number: u64, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}

impl StoreError {
    /// Where disk or database could not be written to for a reason that an administrator can mend.
    pub fn storage_fault(&self) -> Option<StorageFault> {
        match self {
            StoreError::Database(error) => StorageFault::of_database(error),
            StoreError::Files(error) => StorageFault::of(error),
            StoreError::Folder { source, .. } | StoreError::Disk { source, .. } => StorageFault::of_io(source),
            _ => None,
        }
    }

    pub(crate) fn not_found(kind: Kind, id: impl fmt::Display) -> Self {
        StoreError::NotFound { kind, id: id.to_string() }
    }

    /// Says to whom it belongs that a file is damaged; other errors stay as they are.
    pub fn about(self, owner: impl FnOnce() -> Owner) -> Self {
        match self {
            StoreError::Damaged { hash, damage } => {
                let owner = owner();
                tracing::error!(%hash, ?damage, %owner, "a stored file is damaged");
                StoreError::DamagedFile { owner, damage }
            }
            other => other,
        }
    }

    /// True when the same call may well succeed later, because the database was locked, full or out of reach.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::NoAnswer { .. } | StoreError::Database(_)) && self.waits_for().is_some()
    }

    /// What must come back before the same call can succeed, as a phrase that completes "waiting for"; `None` where
    /// nothing is gained by trying again.
    pub fn waits_for(&self) -> Option<String> {
        match self {
            StoreError::NoAnswer { .. } => Some("the database, which does not answer".to_string()),
            StoreError::Database(error) => database_waits_for(error),
            StoreError::Files(error) => files_wait_for(error),
            StoreError::Folder { path, source } | StoreError::Disk { path, source } => Some(match is_full(source) {
                true => format!("space on the disk of {}", path.display()),
                false => format!("the folder {}: {source}", path.display()),
            }),
            StoreError::Unreadable { path, source } => Some(format!("the file {}: {source}", path.display())),
            StoreError::ForeignFiles { .. } => Some(format!("a worker that can reach the files: {self}")),
            StoreError::Reference { reason, .. } if reason.is_of_this_machine() => {
                Some(format!("a worker that can reach the dataset: {self}"))
            }
            _ => None,
        }
    }
}

fn database_waits_for(error: &DbErr) -> Option<String> {
    let out_of_reach = Some("the database, which is unreachable".to_string());
    let error = match error {
        DbErr::ConnectionAcquire(_) => return out_of_reach,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        _ => return None,
    };
    match &**error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
            out_of_reach
        }
        // A connection that a proxy takes and drops looks like an answer that makes no sense.
        sqlx::Error::Protocol(_) => out_of_reach,
        sqlx::Error::Database(error) => state_of_database(error.code()?.as_ref()).map(str::to_string),
        _ => None,
    }
}

/// [`StorageFault::of_code`] says how codes are read.
fn state_of_database(code: &str) -> Option<&'static str> {
    const OUT_OF_REACH: &str = "the database, which is unreachable";
    const FULL: &str = "space on the disk of the database";
    const BUSY: &str = "the database, which is busy";
    const BROKEN: &str = "the disk of the database, which reports errors";
    if StorageFault::of_code(code) == Some(StorageFault::Full) {
        return Some(FULL);
    }
    if code.len() == POSTGRES_CODE {
        return match code {
            "58030" => Some(BROKEN),
            "25006" => Some("the database, which does not accept writes at the moment"),
            "55P03" => Some(BUSY),
            _ if code.starts_with("08") || code.starts_with("57P") => Some(OUT_OF_REACH),
            _ if code.starts_with("53") || code.starts_with("40") => Some(BUSY),
            _ => None,
        };
    }
    match code.parse::<u32>().ok()? & 0xff {
        5 | 6 => Some(BUSY),
        10 => Some(BROKEN),
        14 => Some(OUT_OF_REACH),
        _ => None,
    }
}

fn files_wait_for(error: &object_store::Error) -> Option<String> {
    use object_store::Error;
    match error {
        Error::Generic { .. } | Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {}
        _ => return None,
    }
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(is_full) {
            return Some("space on the disk of the file store".to_string());
        }
        cause = error.source();
    }
    Some(format!("the file store: {error}"))
}

fn is_full(error: &io::Error) -> bool {
    StorageFault::of_io(error) == Some(StorageFault::Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_full_disks_and_locks_are_waited_for_and_mistakes_are_not() {
        let waited_for =
            ["53100", "53300", "57P01", "57P03", "08006", "40001", "58030", "5", "261", "6", "13", "778", "14"];
        for code in waited_for {
            assert!(state_of_database(code).is_some(), "{code}");
        }
        // A wrong password, a missing database, a missing table, broken constraints.
        for code in ["28P01", "3D000", "42P01", "23503", "1555", "787", "1"] {
            assert_eq!(state_of_database(code), None, "{code}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_faults_of_the_file_store() {
        let failed = |kind| {
            let source = Box::new(io::Error::from(kind));
            StoreError::Files(object_store::Error::Generic { store: "LocalFileSystem", source }).waits_for().unwrap()
        };
        assert_eq!(failed(io::ErrorKind::StorageFull), "space on the disk of the file store");
        assert!(failed(io::ErrorKind::ConnectionRefused).starts_with("the file store: "));
        let missing = StoreError::not_found(Kind::File, "abc");
        assert_eq!(missing.waits_for(), None);
    }
}
