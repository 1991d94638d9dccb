//! A PostgreSQL that goes away for a while. Needs one to go away from: see `postgres.rs`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use eagleeye_store::{PageRequest, SearchState, StoreConfig, Uuid};
use serde_json::json;

use crate::postgres::{Cable, Postgres, not_tested};
use crate::service::{PATIENCE, Service, World, leaderboard};
use crate::support::{example, until, worker};

/// Longer than any patience that a worker might have.
const OUTAGE: Duration = Duration::from_secs(65);

impl Postgres {
    async fn world(&self) -> World {
        let folder = tempfile::tempdir().unwrap();
        let mut config = StoreConfig::in_folder(folder.path());
        config.database_url = self.url(&self.host).into();
        World::with(folder, config).await
    }

    fn start(&self, world: &World, name: &str, cable: &Cable) -> Service {
        let mut command = worker();
        command.args(["run", "--database", &self.url(&format!("127.0.0.1:{}", cable.port))]);
        command.arg("--files").arg(world.folder.path().join("files"));
        command.arg("--cache").arg(world.folder.path().join("cache")).args(["--name", name, "--device", "cpu"]);
        let mut child = command.env("RUST_LOG", "warn").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        Service { server: child.stdin.take(), log: None, child }
    }
}

/// Who has the job of a search, under which lease.
async fn holder(world: &World, search: Uuid) -> (Option<String>, i64) {
    let page = PageRequest { limit: Some(100), cursor: None };
    let jobs = world.store.queue().list(&page).await.unwrap().items;
    let job = jobs.into_iter().find(|job| job.subject == search).unwrap();
    (job.worker, job.lease)
}

#[tokio::test]
async fn workers_outlive_an_outage_of_the_database_and_what_was_computed_meanwhile_is_kept() {
    let Some(postgres) = Postgres::new() else { return not_tested() };
    let world = postgres.world().await;
    let cables = [0, 1].map(|_| Cable::to(postgres.host.clone()));
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let search = world.search(&model, json!({ "candidates": 60 })).await;
    let mut first = postgres.start(&world, "first", &cables[0]);
    world.wait_for_candidates(search, 1).await;
    let mut second = postgres.start(&world, "second", &cables[1]);
    until("both are seen", PATIENCE, async || (world.store.workers().list().await.unwrap().len() == 2).then_some(()))
        .await;

    for cable in &cables {
        cable.cut();
    }
    let before = world.store.candidates().evaluated(search).await.unwrap().len();
    tokio::time::sleep(OUTAGE).await;
    for cable in &cables {
        cable.mend();
    }
    let mended = Instant::now();
    world.wait_for_candidates(search, before + 2).await;
    assert!(mended.elapsed() < Duration::from_secs(20), "{:?}", mended.elapsed());
    assert_eq!(holder(&world, search).await, (Some("first".to_owned()), 1), "the idle one left the job to it");
    assert_eq!(world.ended(search).await.state, SearchState::Succeeded);

    // Now one of them alone is cut off, and long enough for the other to take its job.
    let again = world.search(&model, json!({ "candidates": 60 })).await;
    world.wait_for_candidates(again, 1).await;
    let (holder_name, _) = holder(&world, again).await;
    let is_first = holder_name.as_deref() == Some("first");
    let cable = &cables[usize::from(!is_first)];
    cable.cut();
    until("the other has the job", PATIENCE, async || (holder(&world, again).await.1 == 2).then_some(())).await;
    cable.mend();
    assert_eq!(world.ended(again).await.state, SearchState::Succeeded);
    assert_eq!(holder(&world, again).await.1, 2, "who was away did not come in between");
    assert_eq!(leaderboard(&world.store, again).await, leaderboard(&world.store, search).await);
    for worker in [&mut first, &mut second] {
        assert!(worker.child.try_wait().unwrap().is_none(), "no worker has exited");
    }
}

#[tokio::test]
async fn a_worker_waits_for_a_database_that_is_started_after_it() {
    let Some(postgres) = Postgres::new() else { return not_tested() };
    let world = postgres.world().await;
    let cable = Cable::to(postgres.host.clone());
    cable.cut();
    let mut worker = postgres.start(&world, "early", &cable);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(worker.child.try_wait().unwrap().is_none());
    cable.mend();
    until("it is seen", PATIENCE, async || world.store.workers().list().await.unwrap().pop()).await;
}
