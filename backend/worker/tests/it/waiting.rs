//! `run` when something is missing for a while: the disk, the files, the database; and what goes beside a long search.

use std::process::{Command, Stdio};
use std::time::Duration;

use eagleeye_spec::CandidateWeights;
use eagleeye_store::{
    CheckpointFormat, CheckpointState, EXPORT_JOB, SEARCH_JOB, Search, SearchState, StoreConfig, Wanted,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::json;

use crate::service::{PATIENCE, Service, World, leaderboard};
use crate::support::{example, refused, until, worker};

const KINDS: [Wanted<'static>; 2] =
    [Wanted { kind: EXPORT_JOB, priority: 0 }, Wanted { kind: SEARCH_JOB, priority: 1 }];

impl World {
    /// A worker whose writes fail, instead of ending it, when its limit of file sizes is reached.
    fn start_on_small_disk(&self, name: &str) -> Service {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_eagleeye-worker")]);
        // A log that is a file could not be written either.
        shell.args(self.arguments(name)).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = shell.spawn().unwrap();
        Service { server: child.stdin.take(), log: None, child }
    }

    async fn waiting(&self, search: eagleeye_store::Uuid) -> Search {
        let waits = async || Some(self.get(search).await).filter(|search| search.waiting_for.is_some());
        until("the search says what it waits for", PATIENCE, waits).await
    }
}

/// The size of files that a process can write, in bytes; `None` for any.
fn limit_files(service: &Service, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(Pid::from_child(&service.child)), Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn a_disk_that_takes_no_writes_is_waited_out_and_the_leaderboard_is_that_of_an_undisturbed_search() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let id = world.search(&model, json!({ "candidates": 6 })).await;
    let mut worker = world.start_on_small_disk("w");
    world.wait_for_candidates(id, 1).await;
    limit_files(&worker, Some(0));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let stored = world.store.candidates().evaluated(id).await.unwrap().len();
    assert_eq!(world.get(id).await.state, SearchState::Running, "{stored} candidates are stored");
    assert!(stored < 6, "it had not ended before the disk was full");
    limit_files(&worker, None);

    assert_eq!(world.ended(id).await.state, SearchState::Succeeded);
    assert!(worker.child.try_wait().unwrap().is_none(), "the same process did it");
    let undisturbed = world.search(&model, json!({ "candidates": 6 })).await;
    world.ended(undisturbed).await;
    assert_eq!(leaderboard(&world.store, id).await, leaderboard(&world.store, undisturbed).await);
}

#[tokio::test]
async fn a_search_that_was_cancelled_and_one_that_failed_end_like_an_undisturbed_one_when_they_are_taken_up_again() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    // Many candidates: none of the searches may have ended before it is disturbed.
    let many = json!({ "candidates": 25 });
    let undisturbed = world.search(&model, many.clone()).await;
    let failed = world.search(&model, many.clone()).await;
    let mut worker = world.start("first");
    world.ended(undisturbed).await;
    world.wait_for_candidates(failed, 1).await;
    worker.signal(Signal::KILL);
    worker.exit(Duration::from_secs(2)).await;
    world.store.queue().worker_died("first").await.unwrap();
    let exports_first = async || world.store.queue().claim("puppet", &KINDS).await.unwrap().unwrap();
    let mut claim = exports_first().await;
    while claim.subject != failed {
        claim = exports_first().await;
    }
    world.store.queue().fail(&claim.lease, "the disk is full").await.unwrap();

    let cancelled = world.search(&model, many).await;
    let _worker = world.start("second");
    world.wait_for_candidates(cancelled, 1).await;
    world.store.searches().cancel(cancelled).await.unwrap();
    for search in [failed, cancelled] {
        let ended = world.ended(search).await;
        assert!(matches!(ended.state, SearchState::Failed | SearchState::Cancelled), "{ended:?}");
        assert!(world.store.candidates().evaluated(search).await.unwrap().len() < 25);
        world.store.searches().retry(search).await.unwrap();
    }
    for search in [failed, cancelled] {
        assert_eq!(world.ended(search).await.state, SearchState::Succeeded);
        assert_eq!(leaderboard(&world.store, search).await, leaderboard(&world.store, undisturbed).await);
    }
}

#[tokio::test]
async fn a_worker_with_other_files_than_the_servers_refuses_to_run() {
    let world = World::new().await;
    let database = StoreConfig::in_folder(world.folder.path()).database_url;
    let elsewhere = world.folder.path().join("elsewhere");
    let mut command = worker();
    command
        .args(["run", "--database", database.expose(), "--name", "w", "--files"])
        .arg(&elsewhere)
        .stdin(Stdio::null());
    let said = refused(command.env("RUST_LOG", "error").output().unwrap());
    assert!(said.contains("elsewhere is not the file store of this database"), "{said}");
}

#[tokio::test]
async fn a_search_whose_files_are_away_waits_and_goes_on_when_they_are_back() {
    let world = World::new().await;
    let worker = world.start_and_wait("w");
    let (files, away) = (world.folder.path().join("files"), world.folder.path().join("away"));
    let model = world.model(&example("mobilenet_v1.pt")).await;
    std::fs::rename(&files, &away).unwrap();
    let id = world.search(&model, json!({ "candidates": 1 })).await;
    let waiting = world.waiting(id).await;
    assert_eq!((waiting.state, waiting.error), (SearchState::Queued, None));
    assert!(waiting.waiting_for.unwrap().contains("is not the file store of this database"));
    until("the worker says so, too", PATIENCE, async || {
        let workers = world.store.workers().list().await.unwrap();
        workers.iter().any(|worker| worker.note.is_some()).then_some(())
    })
    .await;

    std::fs::rename(&away, &files).unwrap();
    let ended = world.ended(id).await;
    assert_eq!((ended.state, ended.waiting_for), (SearchState::Succeeded, None));
    drop(worker);
}

#[tokio::test]
async fn a_search_over_a_deleted_file_fails_and_says_what_to_do() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let hash = model.hash.to_string();
    std::fs::remove_file(world.folder.path().join("files").join(&hash[..2]).join(&hash[2..])).unwrap();
    let id = world.search(&model, json!({})).await;
    let _worker = world.start("w");
    let failed = world.ended(id).await;
    let reason = failed.error.unwrap();
    assert_eq!(failed.state, SearchState::Failed);
    // A hash tells nobody what to upload.
    assert!(reason.contains("`mobilenet_v1.pt`") && reason.contains("upload it again"), "{reason}");
    assert!(!reason.contains(&hash), "{reason}");
}

#[tokio::test]
async fn an_export_is_done_while_a_long_search_runs() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let long = world.search(&model, json!({ "candidates": 500 })).await;
    let mut worker = world.start("w");
    world.wait_for_candidates(long, 2).await;
    let candidate = world.store.candidates().all(long).await.unwrap().remove(0);
    let asked = world
        .store
        .checkpoints()
        .request(candidate.id, CandidateWeights::Adapted, CheckpointFormat::Onnx)
        .await
        .unwrap();
    let ready = until("the export is there", PATIENCE, async || {
        let checkpoint = world.store.checkpoints().get(asked.id).await.unwrap();
        (checkpoint.state != CheckpointState::Queued && checkpoint.state != CheckpointState::Running)
            .then_some(checkpoint)
    })
    .await;
    assert_eq!((ready.state, ready.error), (CheckpointState::Ready, None));
    let search = world.get(long).await;
    assert_eq!(search.state, SearchState::Running);
    world.wait_for_candidates(long, usize::try_from(search.progress.done).unwrap() + 1).await;
    world.store.searches().cancel(long).await.unwrap();
    assert_eq!(world.ended(long).await.state, SearchState::Cancelled);
    assert!(worker.child.try_wait().unwrap().is_none());
}

#[tokio::test]
async fn an_export_beside_a_search_survives_a_kill_of_the_worker_and_changes_no_score() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let disturbed = world.search(&model, json!({ "candidates": 4 })).await;
    let mut killed = world.start("killed");
    world.wait_for_candidates(disturbed, 1).await;
    let candidate = world.store.candidates().all(disturbed).await.unwrap().remove(0);
    let asked = world
        .store
        .checkpoints()
        .request(candidate.id, CandidateWeights::Adapted, CheckpointFormat::TorchScript)
        .await
        .unwrap();
    until("the export has begun", PATIENCE, async || {
        let state = world.store.checkpoints().get(asked.id).await.unwrap().state;
        (state != CheckpointState::Queued).then_some(())
    })
    .await;
    killed.signal(Signal::KILL);
    killed.exit(Duration::from_secs(20)).await;
    world.store.queue().worker_died("killed").await.unwrap();

    let _worker = world.start("other");
    assert_eq!(world.ended(disturbed).await.state, SearchState::Succeeded);
    let checkpoint = world.store.checkpoints().get(asked.id).await.unwrap();
    assert_eq!((checkpoint.state, checkpoint.error), (CheckpointState::Ready, None));
    let undisturbed = world.search(&model, json!({ "candidates": 4 })).await;
    world.ended(undisturbed).await;
    assert_eq!(leaderboard(&world.store, disturbed).await, leaderboard(&world.store, undisturbed).await);
}

#[tokio::test]
async fn a_worker_is_seen_while_it_is_idle_at_work_and_no_longer_when_it_has_ended() {
    let world = World::new().await;
    let mut worker = world.start_and_wait("w");
    let seen = async || world.store.workers().list().await.unwrap();
    let idle = until("it is seen", PATIENCE, async || seen().await.pop()).await;
    assert_eq!((idle.name.as_str(), idle.pid, idle.device.as_str()), ("w", worker.child.id(), "cpu"));
    assert!(!idle.host.is_empty() && idle.work.is_none(), "{idle:?}");

    let id = world.example_search(json!({ "candidates": 500 })).await;
    until("it is seen at work", PATIENCE, async || {
        seen().await.pop().filter(|w| w.work.as_ref().is_some_and(|work| work.subject == id))
    })
    .await;
    world.wait_for_candidates(id, 1).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit(Duration::from_secs(3)).await, Some(0));
    assert!(seen().await.is_empty());
}
