//! What can go wrong in the store, one variant per way.

use std::fmt;
use std::path::PathBuf;

use sea_orm::DbErr;
use uuid::Uuid;

use crate::address::Address;
use crate::files::FileHash;

/// The kinds of things that can be looked up, for error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Model,
    Dataset,
    Thumbnail,
    Search,
    Candidate,
    Checkpoint,
    Job,
    Upload,
    File,
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
            Kind::Job => "job",
            Kind::Upload => "upload",
            Kind::File => "file",
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
    /// What it is called; empty for a checkpoint.
    pub name: String,
    /// The name that the file was uploaded under.
    pub file: Option<String>,
}

impl Owner {
    fn remedy(&self) -> &'static str {
        match self.kind {
            Kind::Checkpoint => "ask for the export again, and it is made anew",
            _ => "upload it again, and whatever uses it works as before",
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
    #[error("there is no {kind} {id}")]
    NotFound { kind: Kind, id: String },
    #[error("{kind} {id} {reason}")]
    Conflict { kind: Kind, id: Uuid, reason: String },
    #[error("{kind} {id} is used by {}, which must be deleted first", counted(searches.len()))]
    InUse { kind: Kind, id: Uuid, searches: Vec<Uuid> },
    #[error("the lease {lease} of job {job} is no longer held: another worker has it, or the job has ended")]
    LeaseLost { job: Uuid, lease: i64 },
    #[error("the upload is larger than the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the upload broke off after {received} bytes: {source}")]
    Interrupted { received: u64, source: std::io::Error },
    #[error("`{cursor}` is not a cursor of this list: pass the `next_cursor` of the page before, unchanged")]
    BadCursor { cursor: String },
    #[error(
        "`{sort}` is not an order: index, top1, top5, cross_entropy, macs, parameters or seconds is expected, with - in \
         front for descending"
    )]
    BadSort { sort: String },
    #[error("`{hash}` is not a file hash: 64 lower-case hexadecimal digits are expected")]
    BadHash { hash: String },
    #[error("{field} is {value}, larger than the store can hold ({max})")]
    OutOfRange { field: &'static str, value: u64, max: u64 },
    #[error("column {column} of a stored {kind} cannot be read: {reason}")]
    Corrupt { kind: Kind, column: &'static str, reason: String },
    #[error("the file store address `{url}` cannot be used: {reason}")]
    BadFilesUrl { url: Address, reason: String },
    #[error("cannot read an address from the file {}: {source}", path.display())]
    AddressFile { path: PathBuf, source: std::io::Error },
    #[error("the database address `{url}` cannot be used: it must start with sqlite: or postgres:")]
    BadDatabaseUrl { url: Address },
    #[error("cannot prepare {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    /// What the file belongs to is not known here: see [`StoreError::about`].
    #[error("the stored file {hash} {damage}")]
    Damaged { hash: FileHash, damage: Damage },
    #[error("the stored file {owner} {damage}; {}", owner.remedy())]
    DamagedFile { owner: Owner, damage: Damage },
    #[error("{}: {source}", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
    #[error("file store: {0}")]
    Files(#[from] object_store::Error),
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

fn counted(searches: usize) -> String {
    if searches == 1 { "1 search".to_string() } else { format!("{searches} searches") }
}

impl StoreError {
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

    /// True when the same call may well succeed a moment later: the database was locked or out of reach.
    pub fn is_transient(&self) -> bool {
        match self {
            StoreError::Database(DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) => true,
            StoreError::Database(error) => error.to_string().contains("database is locked"),
            _ => false,
        }
    }
}
