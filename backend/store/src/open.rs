//! Opening the store.

use std::path::Path;
use std::time::Duration;

use eagleeye_migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::{Connection, Executor, SqliteConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, SqlxError};

use crate::address::Address;
use crate::clock::Clock;
use crate::error::StoreError;
use crate::export_job::CheckpointSubject;
use crate::files::{CacheConfig, Files};
use crate::private;
use crate::reach::Reach;
use crate::references::DatasetRoots;
use crate::search_job::SearchSubject;
use crate::store::{Inner, Store, begin};
use crate::subject::Subjects;
use crate::tuning_job::TuningSubject;

/// Everything that keeps step with its jobs, one line each.
const SUBJECTS: Subjects = Subjects::new(&[&SearchSubject, &CheckpointSubject, &TuningSubject]);

/// How long a SQLite writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a call waits for a connection to a database that does not answer. Writers of SQLite wait for each other longer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL lets a statement wait for another's lock, and a transaction for its process: one that was cut off in the
/// middle would keep its locks for hours.
const PATIENCE_OF_POSTGRES: &str = "SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '30s'";
/// Any number will do, as long as every EagleEye process uses the same.
const MIGRATION_LOCK: i64 = 0x6561_676c_6565;

/// Name of the folder of copies in a data folder.
pub const CACHE: &str = "cache";
/// Bytes that the copies of a remote store's files may take: a few of the largest datasets.
pub const DEFAULT_CACHE_BYTES: u64 = 32_000_000_000;

/// Where things are kept and how the queue behaves.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite://path` (made when missing), `sqlite::memory:`, or `postgres://…`.
    pub database_url: Address,
    /// A folder, `file://` and a path, or `s3://bucket/prefix` with the cargo feature `s3`.
    pub files_url: Address,
    /// Where copies of a remote store's files are kept, and how many bytes of them may stay.
    pub cache: CacheConfig,
    /// Folders below which datasets may be read where they lie.
    pub dataset_roots: DatasetRoots,
    /// A running job whose worker was silent for longer may be claimed by another.
    pub stale_after: Duration,
    /// How often a job may be claimed without making progress.
    pub max_attempts: u32,
    pub clock: Clock,
}

impl StoreConfig {
    pub fn new(database_url: impl Into<Address>, files_url: impl Into<Address>) -> Self {
        StoreConfig {
            database_url: database_url.into(),
            files_url: files_url.into(),
            cache: CacheConfig { folder: Path::new("data").join(CACHE), bytes: DEFAULT_CACHE_BYTES },
            dataset_roots: DatasetRoots::default(),
            stale_after: Duration::from_secs(10),
            max_attempts: 3,
            clock: Clock::system(),
        }
    }

    /// Everything in one folder, which is made when missing: a SQLite database, the files, and the cache.
    pub fn in_folder(folder: &Path) -> Self {
        // The address is percent-decoded, and a question mark begins its options.
        let database = folder.join("eagleeye.db").display().to_string().replace('%', "%25").replace('?', "%3F");
        let mut config = StoreConfig::new(format!("sqlite://{database}"), folder.join("files").display().to_string());
        config.cache.folder = folder.join(CACHE);
        config
    }
}

impl Store {
    /// Opens the store with default settings and brings the schema up to date.
    pub async fn connect(database_url: Address, files_url: Address) -> Result<Self, StoreError> {
        Store::connect_with(StoreConfig::new(database_url, files_url)).await
    }

    /// Opens the store and brings the schema up to date. Several processes may do so at once.
    pub async fn connect_with(config: StoreConfig) -> Result<Self, StoreError> {
        let files = Files::open(&config.files_url, config.cache.clone())?;
        let database = connect_database(&config.database_url).await?;
        migrate(&database).await?;
        let clock = match database_time_ms(&database).await? {
            Some(now_ms) => config.clock.clone().aligned_to(now_ms),
            None => config.clock.clone(),
        };
        let StoreConfig { dataset_roots, stale_after, max_attempts, .. } = config;
        let reach = Reach::new(clock.clone(), stale_after);
        let subjects = SUBJECTS;
        Ok(Store::new(Inner { database, files, clock, reach, subjects, dataset_roots, stale_after, max_attempts }))
    }
}

async fn connect_database(address: &Address) -> Result<DatabaseConnection, StoreError> {
    let url = address.expose();
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false);
    if url.starts_with("sqlite:") {
        // Each connection to `:memory:` is a database of its own.
        let is_memory = url.contains(":memory:");
        options.max_connections(if is_memory { 1 } else { 8 });
        options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_clean(connection))));
        options.map_sqlx_sqlite_opts(move |sqlite| {
            if !is_memory {
                // Where this fails, so does opening the database, and that error is the one reported.
                let _ = private::database(sqlite.get_filename());
            }
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "NORMAL")
        });
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        options.max_connections(16).acquire_timeout(ACQUIRE_TIMEOUT);
        options.map_sqlx_postgres_pool_opts(|pool| {
            // As statements, and not as parameters of the connection, which a proxy may not know.
            pool.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(PATIENCE_OF_POSTGRES).await.map(drop) })
            })
        });
    } else {
        return Err(StoreError::BadDatabaseUrl { url: address.clone() });
    }
    Ok(Database::connect(options).await?)
}

/// Whether a connection may be used again: one whose transaction could neither be committed nor rolled back, as on a full disk,
/// is closed, since it would keep the write lock.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, SqlxError> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // A rollback that is still under way comes before the answer to this.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Runs pending migrations in one transaction, which keeps processes that start together out of each other's way.
async fn migrate(database: &DatabaseConnection) -> Result<(), StoreError> {
    let transaction = begin(database).await?;
    if database.get_database_backend() == DbBackend::Postgres {
        // Another process may take long for a migration.
        transaction.execute_unprepared("SET LOCAL lock_timeout = 0").await?;
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    }
    Migrator::up(&transaction, None).await?;
    Ok(transaction.commit().await?)
}

/// The clock of a database that several machines share; `None` for SQLite, which has no clock of its own.
async fn database_time_ms(database: &DatabaseConnection) -> Result<Option<i64>, StoreError> {
    if database.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms";
    let row = database.query_one_raw(sea_orm::Statement::from_string(DbBackend::Postgres, sql)).await?;
    match row {
        Some(row) => Ok(Some(row.try_get("", "now_ms")?)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pragma(store: &Store, name: &str) -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) AS value FROM pragma_{name}");
        let statement = sea_orm::Statement::from_string(DbBackend::Sqlite, sql);
        let row = store.database().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get("", "value").unwrap()
    }

    #[tokio::test]
    async fn sqlite_keeps_foreign_keys_and_survives_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::connect_with(StoreConfig::in_folder(folder.path())).await.unwrap();
        assert_eq!(pragma(&store, "foreign_keys").await, "1");
        assert_eq!(pragma(&store, "journal_mode").await, "wal");
        assert_eq!(pragma(&store, "synchronous").await, "1", "1 is NORMAL, which with WAL never corrupts the file");
    }

    #[tokio::test]
    async fn postgres_waits_for_no_lock_and_no_lost_process_for_ever() {
        let Ok(server) = std::env::var("EAGLEEYE_TEST_POSTGRES") else {
            return eprintln!("not tested: EAGLEEYE_TEST_POSTGRES names no PostgreSQL");
        };
        let database = connect_database(&server.into()).await.unwrap();
        for (setting, expected) in [("lock_timeout", "20s"), ("idle_in_transaction_session_timeout", "30s")] {
            let statement = sea_orm::Statement::from_string(DbBackend::Postgres, format!("SHOW {setting}"));
            let row = database.query_one_raw(statement).await.unwrap().unwrap();
            assert_eq!(row.try_get::<String>("", setting).unwrap(), expected);
        }
    }
}
