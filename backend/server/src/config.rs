//! Settings: flags go before environment variables, those before the file, and that before the defaults.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use eagleeye_store::{
    Address, AddressFileError, CACHE, CacheConfig, DEFAULT_CACHE_BYTES, DatasetRoots, RootError, StoreConfig,
};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::checker::CheckLimits;

/// The file that is read when it is there and `--config` names no other.
const DEFAULT_FILE: &str = "eagleeye.toml";

const GIGABYTE: u64 = 1_000_000_000;

/// Settings that were given, by flag or environment variable; the same names are the keys of the file.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Address to listen on [default: 127.0.0.1]. Other addresses than loopback also require --anyone-may-use-it.
    #[arg(long, env = "EAGLEEYE_HOST", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<IpAddr>,
    /// Listen on an address that others can reach, although there is no authentication: anyone who reaches it can
    /// upload, search, download and
    /// delete.
    #[arg(long, env = "EAGLEEYE_ANYONE_MAY_USE_IT", hide_env_values = true)]
    #[serde(default, skip_serializing_if = "is_false")]
    anyone_may_use_it: bool,
    /// Port to listen on; 0 for any free port [default: 8080].
    #[arg(long, env = "EAGLEEYE_PORT", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// Folder for the database and the files [default: data].
    #[arg(long, env = "EAGLEEYE_DATA", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// Database, if not SQLite in the data folder: sqlite://PATH or postgres://... Put an address with a password into
    /// the variable or a file, because every user of this machine can read command lines.
    #[arg(long, env = "EAGLEEYE_DATABASE", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Address>,
    /// File that contains only the database address, instead of --database.
    #[arg(long, env = "EAGLEEYE_DATABASE_FILE", hide_env_values = true, conflicts_with = "database")]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_file: Option<PathBuf>,
    #[cfg_attr(feature = "s3", doc = "File store, if not in the data folder: a folder or s3://BUCKET/PREFIX")]
    #[cfg_attr(not(feature = "s3"), doc = "File store, if not in the data folder: another folder")]
    #[arg(long, env = "EAGLEEYE_FILES", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Address>,
    /// Largest total size in bytes of copies from a remote file store, kept in the data folder [default: 32000000000].
    #[arg(long, env = "EAGLEEYE_CACHE_BYTES", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_bytes: Option<u64>,
    /// Worker processes to keep running; 0 if workers are started elsewhere [default: 1].
    #[arg(long, env = "EAGLEEYE_WORKERS", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<u16>,
    /// Device of the workers: auto, cpu or cuda:N [default: auto].
    #[arg(long, env = "EAGLEEYE_DEVICE", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// The worker's program, if it is not next to this one.
    #[arg(long, env = "EAGLEEYE_WORKER_BINARY", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_binary: Option<PathBuf>,
    /// Largest model upload in bytes, including external weights [default: 8000000000].
    #[arg(long, env = "EAGLEEYE_MAX_MODEL_BYTES", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_model_bytes: Option<u64>,
    /// Largest dataset upload in bytes, labels included [default: 8000000000].
    #[arg(long, env = "EAGLEEYE_MAX_DATASET_BYTES", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_dataset_bytes: Option<u64>,
    /// Largest unpacked size of a dataset in bytes; larger ones are refused [default: 64000000000].
    #[arg(long, env = "EAGLEEYE_MAX_UNPACKED_BYTES", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_unpacked_bytes: Option<u64>,
    /// Folders below which anyone who reaches this server may register datasets where they lie, without an upload: absolute paths,
    /// separated by commas [default: none]. Workers that are started elsewhere need the same setting, and see the same files.
    #[arg(long, env = "EAGLEEYE_DATASET_ROOTS", hide_env_values = true, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_roots: Option<Vec<String>>,
    /// Time limit for checking an upload, in seconds [default: 300].
    #[arg(long, env = "EAGLEEYE_CHECK_SECONDS", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    check_seconds: Option<u64>,
    /// Memory limit in bytes for all checks of uploads together; a job that reads a model or a dataset may use the
    /// same amount again [default: 16000000000].
    #[arg(long, env = "EAGLEEYE_CHECK_MEMORY_BYTES", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    check_memory_bytes: Option<u64>,
    /// Host names under which browsers may reach this server, besides localhost and IP addresses, for example behind a
    /// proxy.
    #[arg(long, env = "EAGLEEYE_ALLOWED_HOSTS", hide_env_values = true, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_hosts: Option<Vec<String>>,
    /// Format of the log on standard error: text or json [default: text].
    #[arg(long, env = "EAGLEEYE_LOG_FORMAT", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<LogFormat>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// All settings, with their defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    pub host: IpAddr,
    pub anyone_may_use_it: bool,
    pub port: u16,
    pub data: PathBuf,
    pub database: Option<Address>,
    pub database_file: Option<PathBuf>,
    pub files: Option<Address>,
    pub cache_bytes: u64,
    pub workers: u16,
    pub device: String,
    pub worker_binary: Option<PathBuf>,
    pub max_model_bytes: u64,
    pub max_dataset_bytes: u64,
    pub max_unpacked_bytes: u64,
    pub dataset_roots: Vec<String>,
    pub check_seconds: u64,
    pub check_memory_bytes: u64,
    pub allowed_hosts: Vec<String>,
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            anyone_may_use_it: false,
            port: 8080,
            data: PathBuf::from("data"),
            database: None,
            database_file: None,
            files: None,
            cache_bytes: DEFAULT_CACHE_BYTES,
            workers: 1,
            device: "auto".to_owned(),
            worker_binary: None,
            max_model_bytes: 8 * GIGABYTE,
            max_dataset_bytes: 8 * GIGABYTE,
            max_unpacked_bytes: 64 * GIGABYTE,
            dataset_roots: Vec::new(),
            check_seconds: 300,
            check_memory_bytes: 16 * GIGABYTE,
            allowed_hosts: Vec::new(),
            log_format: LogFormat::Text,
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the settings file {} does not exist", .0.display())]
    NoFile(PathBuf),
    #[error("invalid settings: {0}")]
    Unreadable(Box<figment::Error>),
    #[error("device is `{0}`; it must be auto, cpu, cuda or cuda:N")]
    Device(String),
    #[error(
        "{0} can be reached from other machines, and there is no authentication: anyone who reaches it can \
            upload, search, \
         download and delete. Listen on 127.0.0.1, or pass --anyone-may-use-it to allow this"
    )]
    Unguarded(IpAddr),
    #[error("invalid settings: {0}")]
    DatasetRoots(#[from] RootError),
    #[error(transparent)]
    AddressFile(#[from] AddressFileError),
    #[error("cannot determine the location of this program to find the worker next to it: {0}")]
    Program(std::io::Error),
    #[error("the worker's program {} does not exist; build it, or set its path with --worker-binary", .0.display())]
    NoWorker(PathBuf),
}

impl From<figment::Error> for ConfigError {
    fn from(error: figment::Error) -> Self {
        ConfigError::Unreadable(Box::new(error))
    }
}

impl Config {
    /// Joins what was given with the file and the defaults. A `file` that is named must be there.
    pub fn load(given: &Given, file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut in_file = match file {
            Some(path) if !path.is_file() => return Err(ConfigError::NoFile(path.to_owned())),
            Some(path) => Given::read(path)?,
            None if Path::new(DEFAULT_FILE).is_file() => Given::read(Path::new(DEFAULT_FILE))?,
            None => Given::default(),
        };
        // Two ways to name the same thing.
        if given.database.is_some() || given.database_file.is_some() {
            (in_file.database, in_file.database_file) = (None, None);
        }
        let layers = Figment::from(Serialized::defaults(Config::default()))
            .merge(Serialized::defaults(in_file))
            .merge(Serialized::defaults(given));
        let config: Config = layers.extract()?;
        if !is_device(&config.device) {
            return Err(ConfigError::Device(config.device));
        }
        if !config.host.is_loopback() && !config.anyone_may_use_it {
            return Err(ConfigError::Unguarded(config.host));
        }
        config.dataset_roots()?;
        Ok(config)
    }

    /// Folders below which datasets may be registered.
    pub fn dataset_roots(&self) -> Result<DatasetRoots, ConfigError> {
        Ok(DatasetRoots::new(self.dataset_roots.iter().cloned())?)
    }

    /// Bytes of the largest file that may become anything.
    pub fn largest_upload(&self) -> u64 {
        self.max_model_bytes.max(self.max_dataset_bytes)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// Address of the database, for the store and for workers.
    pub fn database_url(&self) -> Result<Address, ConfigError> {
        match (&self.database, &self.database_file) {
            (Some(database), _) => Ok(database.clone()),
            (None, Some(file)) => Ok(Address::from_file(file)?),
            (None, None) => Ok(StoreConfig::in_folder(&self.data).database_url),
        }
    }

    /// Address of the file store, for the store and for workers.
    pub fn files_url(&self) -> Address {
        self.files.clone().unwrap_or_else(|| StoreConfig::in_folder(&self.data).files_url)
    }

    /// Where copies of a remote file store's files go, for the store and for workers.
    pub fn cache(&self) -> CacheConfig {
        CacheConfig { folder: self.data.join(CACHE), bytes: self.cache_bytes }
    }

    /// The worker's program: the one that was named, else the one beside this program.
    pub fn worker_program(&self) -> Result<PathBuf, ConfigError> {
        let beside = || std::env::current_exe().map(|path| path.with_file_name("eagleeye-worker"));
        let program = match &self.worker_binary {
            Some(program) => program.clone(),
            None => beside().map_err(ConfigError::Program)?,
        };
        if program.is_file() { Ok(program) } else { Err(ConfigError::NoWorker(program)) }
    }

    /// What the check of an upload may cost.
    pub fn check_limits(&self) -> CheckLimits {
        CheckLimits {
            time: Duration::from_secs(self.check_seconds),
            memory_bytes: self.check_memory_bytes,
            unpacked_bytes: self.max_unpacked_bytes,
        }
    }
}

impl Given {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        Ok(Figment::from(Toml::file_exact(path)).extract()?)
    }
}

// Serde hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_device(device: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    matches!(device, "auto" | "cpu" | "cuda") || device.strip_prefix("cuda:").is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    }

    #[test]
    fn without_settings_it_is_loopback_port_8080_and_one_worker() {
        let config = Config::load(&Given::default(), Some(file("").path())).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.address().to_string(), "127.0.0.1:8080");
        assert_eq!((config.workers, config.database_url().unwrap()), (1, "sqlite://data/eagleeye.db".into()));
    }

    #[test]
    fn flags_go_before_the_file() {
        let file = file("port = 9000\nworkers = 3\n");
        let given = Given { port: Some(9001), ..Given::default() };
        let config = Config::load(&given, Some(file.path())).unwrap();
        assert_eq!((config.port, config.workers), (9001, 3));
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named() {
        let error = Config::load(&Given::default(), Some(file("prot = 9000\n").path())).unwrap_err();
        assert!(error.to_string().contains("prot"), "{error}");
    }

    #[test]
    fn beyond_loopback_it_must_be_said_in_so_many_words_that_anyone_may_use_it() {
        let empty = file("");
        let load = |host: &str, anyone_may_use_it: bool| {
            let given = Given { host: Some(host.parse().unwrap()), anyone_may_use_it, ..Given::default() };
            Config::load(&given, Some(empty.path()))
        };
        for beyond in ["0.0.0.0", "::", "192.168.1.7"] {
            let refused = load(beyond, false).unwrap_err();
            assert!(matches!(refused, ConfigError::Unguarded(_)), "{refused}");
            assert!(refused.to_string().contains("--anyone-may-use-it"), "{refused}");
            assert!(load(beyond, true).is_ok(), "{beyond}");
        }
        assert!(load("127.0.0.1", false).is_ok() && load("::1", false).is_ok());
        let in_file = file("host = \"0.0.0.0\"\nanyone_may_use_it = true\n");
        assert!(Config::load(&Given::default(), Some(in_file.path())).is_ok());
    }

    #[test]
    fn the_database_may_be_named_in_a_file_of_its_own() {
        let secret = file("postgres://eagle:hunter2@db.example/eagleeye\n");
        let given = Given { database_file: Some(secret.path().to_owned()), ..Given::default() };
        let config = Config::load(&given, Some(file("").path())).unwrap();
        let database = config.database_url().unwrap();
        assert_eq!(database.expose(), "postgres://eagle:hunter2@db.example/eagleeye");
        assert!(!format!("{config:?} {database}").contains("hunter2"));
    }

    #[test]
    fn a_database_that_is_given_goes_before_that_of_the_file_however_each_is_named() {
        let secret = file("postgres://db.example/given\n");
        let as_address = Given { database: Some("postgres://db.example/given".into()), ..Given::default() };
        let as_file = Given { database_file: Some(secret.path().to_owned()), ..Given::default() };
        let other = file("postgres://db.example/other\n");
        let in_file = [
            file("database = \"postgres://db.example/other\"\n"),
            file(&format!("database_file = \"{}\"\n", other.path().display())),
        ];
        for settings in &in_file {
            for given in [&as_address, &as_file] {
                let config = Config::load(given, Some(settings.path())).unwrap();
                assert_eq!(config.database_url().unwrap().expose(), "postgres://db.example/given", "{given:?}");
            }
            let config = Config::load(&Given::default(), Some(settings.path())).unwrap();
            assert_eq!(config.database_url().unwrap().expose(), "postgres://db.example/other");
        }
    }

    #[test]
    fn a_device_is_auto_cpu_or_a_cuda_device() {
        for good in ["auto", "cpu", "cuda", "cuda:0", "cuda:12"] {
            assert!(is_device(good), "{good}");
        }
        for bad in ["", "gpu", "cuda:", "cuda:x"] {
            assert!(!is_device(bad), "{bad}");
        }
    }
}
