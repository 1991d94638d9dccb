//! A worker with a kind of job that was made up for these tests: no other crate knows of it.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use eagleeye_engine::{Device, DeviceChoice};
use eagleeye_store::{Job, JobState, NewJob, PageRequest, Payload, Progress, Store, StoreConfig, Turn, Uuid};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::error::JobError;
use super::failed_reads::FailedReads;
use super::handler::{Handler, Handlers, Task};
use super::image_cache::ImageCache;
use super::presence::Presence;
use super::resources::Resources;
use super::stop::Stop;
use super::turns::Offers;
use super::{Worker, engine_thread::compute};

#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    name: String,
}

/// Greets whom the payload names, unless that is nobody.
#[derive(Debug)]
struct Greet(&'static Mutex<Vec<String>>);

#[async_trait(?Send)]
impl Handler for Greet {
    fn kind(&self) -> &'static str {
        "greet"
    }

    fn priority(&self) -> i32 {
        3
    }

    fn takes_turns(&self) -> bool {
        true
    }

    async fn perform(&self, task: Task) -> Result<(), JobError> {
        let Greeting { name } = task.payload.read()?;
        if name.is_empty() {
            return Err(JobError::Panicked("there is nobody to greet".to_owned()));
        }
        let progress = Progress { phase: "greeting".to_owned(), done: 1, total: 1 };
        task.store.queue().progress(&task.lease, &progress).await?;
        self.0.lock().unwrap().push(name);
        Ok(task.store.queue().finish(&task.lease).await?)
    }
}

/// A long job, which offers one turn in the middle.
#[derive(Debug)]
struct Recite(&'static Mutex<Vec<String>>);

#[async_trait(?Send)]
impl Handler for Recite {
    fn kind(&self) -> &'static str {
        "recite"
    }

    fn priority(&self) -> i32 {
        1
    }

    async fn perform(&self, task: Task) -> Result<(), JobError> {
        let Task { store, lease, cancel, offers, .. } = task;
        let (runtime, said) = (tokio::runtime::Handle::current(), self.0);
        compute(1, move || {
            said.lock().unwrap().push("first verse".to_owned());
            Offers::offer(&offers, &runtime, &cancel);
            said.lock().unwrap().push("second verse".to_owned());
            Ok(())
        })
        .await?;
        Ok(store.queue().finish(&lease).await?)
    }
}

struct Scene {
    store: Store,
    worker: Worker,
    said: &'static Mutex<Vec<String>>,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::connect_with(StoreConfig::in_folder(folder.path())).await.unwrap();
        let said: &'static Mutex<Vec<String>> = Box::leak(Box::default());
        let handlers: &'static [&'static dyn Handler] =
            Box::leak(Box::new([Box::leak(Box::new(Greet(said))) as &dyn Handler, Box::leak(Box::new(Recite(said)))]));
        let worker = Worker {
            store: store.clone(),
            name: "host".to_owned(),
            handlers: Handlers::new(handlers),
            resources: Resources {
                device: Device::Cpu,
                threads: 1,
                file_memory_bytes: 1,
                snapshot_period: Duration::from_secs(60),
            },
            image_cache: ImageCache { folder: folder.path().join("images"), bytes: 0 },
            presence: Presence::announce(&store, "host", DeviceChoice::Cpu.choose().unwrap()),
            failed_reads: FailedReads::default(),
        };
        Self { store, worker, said, _folder: folder }
    }

    async fn enqueue(&self, kind: &str, version: u32, name: &str) -> Uuid {
        let payload = Payload::new(version, &Greeting { name: name.to_owned() }).unwrap();
        self.store.queue().enqueue(NewJob { kind, subject: Uuid::now_v7(), payload, turn: Turn::Next }).await.unwrap()
    }

    /// Has the worker work until `is_done` says so.
    async fn work_until(&self, is_done: impl AsyncFn() -> bool) {
        let (request, stop) = Stop::by_hand();
        let watch = async {
            while !is_done().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            request.send_replace(true);
        };
        let both = async { tokio::join!(self.worker.work_until(&stop), watch) };
        let (worked, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("it is done in time");
        worked.unwrap();
    }

    async fn jobs(&self) -> Vec<Job> {
        self.store.queue().list(&PageRequest::default()).await.unwrap().items
    }

    async fn all_ended(&self) -> bool {
        self.jobs().await.iter().all(|job| !matches!(job.state, JobState::Queued | JobState::Running))
    }
}

#[tokio::test]
async fn a_made_up_kind_is_done_reported_and_fails_with_its_reason() {
    let scene = Scene::new().await;
    scene.enqueue("greet", 1, "Ada").await;
    scene.enqueue("greet", 1, "").await;
    scene.work_until(async || scene.all_ended().await).await;
    let jobs = scene.jobs().await;
    assert_eq!(jobs[0].state, JobState::Succeeded);
    assert_eq!(jobs[0].progress.as_ref().map(|progress| progress.phase.as_str()), Some("greeting"));
    assert_eq!(jobs[1].state, JobState::Failed);
    assert!(jobs[1].error.as_ref().is_some_and(|error| error.contains("nobody to greet")), "{jobs:?}");
    assert_eq!(*scene.said.lock().unwrap(), ["Ada"]);
}

#[tokio::test]
async fn kinds_go_by_the_priority_of_their_handlers_and_short_ones_in_the_turns_of_a_long_one() {
    let scene = Scene::new().await;
    scene.enqueue("greet", 1, "Ada").await;
    scene.enqueue("recite", 1, "").await;
    scene.work_until(async || scene.all_ended().await).await;
    assert_eq!(*scene.said.lock().unwrap(), ["first verse", "Ada", "second verse"]);
}

#[tokio::test]
async fn a_job_of_a_newer_version_waits_for_a_worker_that_reads_it_and_one_of_an_unknown_kind_is_left_alone() {
    let scene = Scene::new().await;
    scene.enqueue("greet", 2, "Ada").await;
    scene.enqueue("unheard of", 1, "Ada").await;
    scene.work_until(async || scene.jobs().await[0].lease > 0 && scene.jobs().await[0].worker.is_none()).await;
    let jobs = scene.jobs().await;
    assert_eq!((jobs[0].state, jobs[1].state, jobs[1].lease), (JobState::Queued, JobState::Queued, 0));
    assert!(scene.said.lock().unwrap().is_empty());
}
