//! Saying that this worker is there, and what it is at, for the server to show.

use std::time::Duration;

use eagleeye_engine::{Chosen, device};
use eagleeye_store::{Store, Uuid, WorkerReport};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::hardware::Hardware;

/// Time between reports.
const PERIOD: Duration = Duration::from_secs(4);
/// After so long without an answer a report is lost.
const ANSWER: Duration = Duration::from_secs(10);
/// What the last word may take when the worker ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Reports for as long as it lives; what it says can be changed.
#[derive(Debug)]
pub struct Presence {
    store: Store,
    report: watch::Sender<WorkerReport>,
    task: JoinHandle<()>,
}

impl Presence {
    /// Begins to report. To be called inside a runtime.
    pub fn announce(store: &Store, name: &str, Chosen { device, reason }: Chosen) -> Self {
        let hardware = Hardware::of(device);
        let report = WorkerReport {
            name: name.to_owned(),
            host: host(),
            pid: std::process::id(),
            device: device::name(device),
            device_reason: Some(reason),
            hardware: hardware.name,
            memory_bytes: hardware.memory_bytes,
            job: None,
            note: None,
        };
        let (report, changes) = watch::channel(report);
        let task = tokio::spawn(keep_reporting(store.clone(), changes));
        Self { store: store.clone(), report, task }
    }

    /// The job that this worker is at now.
    pub fn at(&self, job: Option<Uuid>) {
        self.report.send_modify(|report| report.job = job);
    }

    /// Why this worker takes no jobs now.
    pub fn note(&self, note: Option<String>) {
        self.report.send_if_modified(|report| {
            let is_news = report.note != note;
            report.note = note;
            is_news
        });
    }

    /// Signs off.
    pub async fn end(self) {
        self.task.abort();
        let name = self.report.borrow().name.clone();
        // Where this fails, the server stops listing the worker a little later.
        let _ = timeout(FAREWELL, self.store.workers().forget(&name)).await;
    }
}

async fn keep_reporting(store: Store, mut changes: watch::Receiver<WorkerReport>) {
    loop {
        let report = changes.borrow_and_update().clone();
        match timeout(ANSWER, store.workers().report(&report)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "this worker cannot report its presence"),
            Err(_) => tracing::debug!("the database does not respond to this worker's presence report"),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}
