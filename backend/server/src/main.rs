//! `eagleeye`: the server's program.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use eagleeye_server::config::{Config, Given, LogFormat};
use eagleeye_server::{app, problem, serve, warnings};
use rustix::fs::Mode;
use rustix::process::umask;
use tracing_subscriber::EnvFilter;

/// Structural pruning of convolutional classifiers as a service.
#[derive(Parser)]
#[command(name = "eagleeye", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Serve the REST API and the page, and keep workers running.
    ///
    /// Flags override environment variables, which override the settings file. Its keys are the flag names with
    /// underscores.
    Serve {
        /// Settings file [default: eagleeye.toml, if it exists].
        #[arg(long, env = "EAGLEEYE_CONFIG", hide_env_values = true)]
        config: Option<PathBuf>,
        #[command(flatten)]
        given: Box<Given>,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Print the list of all problem types.
    Problems,
    /// Print the list of all codes of warnings.
    Warnings,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Serve { config, given } => {
            let config = Config::load(&given, config.as_deref())?;
            log_to_stderr(config.log_format);
            // Whatever this process and its workers make is for their user alone.
            umask(Mode::RWXG | Mode::RWXO);
            let runtime = tokio::runtime::Runtime::new().context("cannot start the asynchronous runtime")?;
            runtime.block_on(serve::serve(config))
        }
        Task::Openapi => print(&(app::document().to_pretty_json().context("cannot write the document")? + "\n")),
        Task::Problems => print(&problem::catalogue()),
        Task::Warnings => print(&warnings::page()),
    }
}

fn log_to_stderr(format: LogFormat) {
    // Migrations announce each start that has nothing to do.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sea_orm_migration=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for terminals; in a file they are in the way.
    let log = log.with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
