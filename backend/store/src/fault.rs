//! Faults of the machine that others than programmers can mend: what to tell them.

use std::error::Error;
use std::fmt;
use std::io;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Characters of a code of PostgreSQL.
pub(crate) const POSTGRES_CODE: usize = 5;

/// Why something could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    /// The disk, or what this user or bucket may have of it.
    Full,
    ReadOnly,
    Forbidden,
}

impl StorageFault {
    /// What an error of the operating system stands for, where it is one of these.
    pub fn of_io(error: &io::Error) -> Option<Self> {
        match error.kind() {
            // A limit on the size of one file leaves the same choice as a full disk.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Some(StorageFault::Full)
            }
            io::ErrorKind::ReadOnlyFilesystem => Some(StorageFault::ReadOnly),
            io::ErrorKind::PermissionDenied => Some(StorageFault::Forbidden),
            _ => None,
        }
    }

    /// What SQLite and PostgreSQL say in numbers of their own.
    pub(crate) fn of_database(error: &DbErr) -> Option<Self> {
        let (DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
        else {
            return None;
        };
        let SqlxError::Database(error) = error.as_ref() else { return None };
        StorageFault::of_code(error.code()?.as_ref())
    }

    /// What a database's code stands for. PostgreSQL's have five characters, SQLite's are numbers.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        if code.len() == POSTGRES_CODE {
            return match code {
                // disk_full, insufficient_privilege, read_only_sql_transaction
                "53100" => Some(StorageFault::Full),
                "42501" => Some(StorageFault::Forbidden),
                "25006" => Some(StorageFault::ReadOnly),
                _ => None,
            };
        }
        // SQLite's extended codes have the plain one in their lowest byte.
        match code.parse::<u32>().ok()? & 0xff {
            3 => Some(StorageFault::Forbidden),
            8 => Some(StorageFault::ReadOnly),
            13 => Some(StorageFault::Full),
            _ => None,
        }
    }

    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(fault) = error.downcast_ref().and_then(StorageFault::of_io) {
                return Some(fault);
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StorageFault::Full => "the disk is full",
            StorageFault::ReadOnly => "the disk is read-only",
            StorageFault::Forbidden => "write permission is missing",
        })
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::error::StoreError;
    use crate::open::StoreConfig;
    use crate::store::Store;

    #[test]
    fn the_reason_is_found_however_deep_it_lies() {
        let of = |kind: io::ErrorKind| {
            let source = Box::new(io::Error::new(kind, "why"));
            StoreError::from(object_store::Error::Generic { store: "LocalFileSystem", source }).storage_fault()
        };
        assert_eq!(of(io::ErrorKind::StorageFull), Some(StorageFault::Full));
        assert_eq!(of(io::ErrorKind::QuotaExceeded), Some(StorageFault::Full));
        assert_eq!(of(io::ErrorKind::ReadOnlyFilesystem), Some(StorageFault::ReadOnly));
        assert_eq!(of(io::ErrorKind::PermissionDenied), Some(StorageFault::Forbidden));
        assert_eq!(of(io::ErrorKind::BrokenPipe), None);
    }

    #[test]
    fn codes_of_postgresql_are_not_read_as_numbers_of_sqlite() {
        for code in (0..100_000).map(|number| format!("{number:05}")) {
            let is_known = ["53100", "42501", "25006"].contains(&code.as_str());
            assert_eq!(StorageFault::of_code(&code).is_some(), is_known, "{code}");
        }
        assert_eq!(StorageFault::of_code("13"), Some(StorageFault::Full));
        assert_eq!(StorageFault::of_code("776"), Some(StorageFault::ReadOnly), "SQLITE_READONLY_ROLLBACK");
    }

    #[tokio::test]
    async fn a_full_database_is_told_from_one_that_is_read_only() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::new("sqlite::memory:", folder.path().join("files").display().to_string());
        let store = Store::connect_with(config).await.unwrap();
        store.database().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let full = loop {
            match store.upload_bytes(uuid::Uuid::now_v7().to_string()).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(full.storage_fault(), Some(StorageFault::Full), "{full}");

        store.database().execute_unprepared("PRAGMA query_only = 1").await.unwrap();
        let refused = store.upload_bytes("more").await.unwrap_err();
        assert_eq!(refused.storage_fault(), Some(StorageFault::ReadOnly), "{refused}");
    }
}
