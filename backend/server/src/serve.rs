//! `eagleeye serve`: opens the store, starts the workers, answers requests, and stops all of it in order.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use eagleeye_sandbox::{Scratch, support};
use eagleeye_store::{CACHE, Store, StoreConfig, answer_within, private};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app;
use crate::checker::Checker;
use crate::config::Config;
use crate::followers::Followers;
use crate::outages::Outages;
use crate::pipelines::drive;
use crate::prunable::complete_all;
use crate::state::AppState;
use crate::study_report::Analyses;
use crate::supervisor::{WorkerCommand, Workers, supervise};

/// How long answers under way may take once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// An upload that nobody has touched for so long is one that a crash has left.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);
const REAP_EVERY: Duration = Duration::from_secs(10);
/// What looking after the queue may take; a writer of SQLite may wait half a minute for another.
const ANSWER: Duration = Duration::from_secs(45);
/// What it may take to remove files that nobody needs, of which there may be many.
const LONGEST_SWEEP: Duration = Duration::from_secs(1800);
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// How long events are kept for those who read them late.
const EVENTS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// Serves until the process is asked to stop by SIGTERM or Ctrl-C.
pub async fn serve(config: Config) -> Result<()> {
    let worker = config.worker_program()?;
    private::folder(&config.data)?;
    // Unpacked datasets may be as large as the disk allows, and the system's own folder for such files often lies in
    // memory.
    let temporary = config.data.join("tmp");
    private::tighten(&temporary, |name| name.starts_with("eagleeye-"));
    private::tighten(&config.data.join(CACHE), private::is_of_store);
    let scratch = Scratch::within(&temporary).context("cannot create a folder for temporary files")?;
    scratch.take_over();
    let (database, files) = (config.database_url()?, config.files_url());
    let dataset_roots = config.dataset_roots()?;
    let (cache, roots) = (config.cache(), dataset_roots.clone());
    let store_config = StoreConfig { cache, dataset_roots: roots, ..StoreConfig::new(database.clone(), files.clone()) };
    let store = Store::connect_with(store_config).await.context("cannot open the store")?;
    store.own_files().await.context("cannot use the file store")?;
    let listener = TcpListener::bind(config.address()).await.with_context(|| in_the_way(config.address()))?;

    let shutdown = CancellationToken::new();
    let workers = Workers::new(config.workers.into());
    let command = WorkerCommand {
        program: worker.clone(),
        database,
        files,
        cache: config.cache(),
        device: config.device.clone(),
        temporary: temporary.canonicalize().context("the folder for temporary files is missing")?,
        file_memory_bytes: config.check_memory_bytes,
        dataset_roots: dataset_roots.names(),
    };
    let supervisor = tokio::spawn(supervise(command, workers.clone(), store.clone(), shutdown.clone()));
    let outages = Outages::default();
    tokio::spawn(outages.clone().watch(store.clone(), shutdown.clone()));
    let followers = Followers::default();
    tokio::spawn(followers.clone().wake(store.clone(), shutdown.clone()));
    tokio::spawn(tidy(store.clone(), shutdown.clone()));
    tokio::spawn(stop_on_signal(shutdown.clone()));

    let sandbox = support();
    if !sandbox.is_complete() {
        tracing::warn!("the sandbox for uploaded files has gaps on this machine: {sandbox}");
    }
    let checker = Checker::new(worker, config.check_limits(), sandbox).context("cannot start a thread")?;
    let checker = Arc::new(checker);
    let (config, stop) = (Arc::new(config), shutdown.clone());
    let analyses = Analyses::default();
    let state = AppState { store, checker, config, workers, outages, followers, analyses, shutdown: stop };
    tokio::spawn(drive(state.clone(), shutdown.clone()));
    tokio::spawn(complete_all(state.clone()));
    listen(listener, state, &shutdown).await?;
    supervisor.await.context("the worker supervisor failed")
}

/// Answers requests until `shutdown`, and those under way a little longer.
async fn listen(listener: TcpListener, state: AppState, shutdown: &CancellationToken) -> Result<()> {
    let address = listener.local_addr().context("the listener has no address")?;
    tracing::info!("listening on http://{address}");
    if !address.ip().is_loopback() {
        tracing::warn!("there is no authentication: anyone who reaches {address} can upload, search and delete");
    }
    let server = axum::serve(listener, app::router(state)).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server.into_future() => ended.context("the server failed"),
        () = overdue => {
            tracing::warn!("unfinished responses are cut off");
            Ok(())
        }
    }
}

/// Ends jobs that no worker will end, and removes what crashes have left.
async fn tidy(store: Store, shutdown: CancellationToken) {
    let mut reap = tokio::time::interval(REAP_EVERY);
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = reap.tick() => match answer_within(ANSWER, store.queue().reap()).await {
                Ok(0) => {}
                Ok(jobs) => tracing::warn!(jobs, "ended jobs that no worker could end"),
                Err(error) => tracing::warn!(%error, "cannot maintain the queue"),
            },
            _ = sweep.tick() => {
                match answer_within(LONGEST_SWEEP, store.sweep(ABANDONED_AFTER)).await {
                    Ok(swept) => tracing::debug!(?swept, "removed unused files"),
                    Err(error) => tracing::warn!(%error, "cannot remove unused files"),
                }
                if let Err(error) = answer_within(ANSWER, store.forget_events(EVENTS_KEPT)).await {
                    tracing::warn!(%error, "cannot remove old events");
                }
                if let Err(error) = answer_within(ANSWER, store.workers().sweep()).await {
                    tracing::warn!(%error, "cannot remove workers that have exited");
                }
            }
        }
    }
}

async fn stop_on_signal(shutdown: CancellationToken) {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminated => {}
        interrupted = tokio::signal::ctrl_c() => if let Err(error) = interrupted {
            tracing::error!(%error, "cannot listen for Ctrl-C");
        },
    }
    tracing::info!("stopping");
    shutdown.cancel();
}

fn in_the_way(address: SocketAddr) -> String {
    format!("cannot listen on {address}; if another program uses it, choose another port with --port")
}
