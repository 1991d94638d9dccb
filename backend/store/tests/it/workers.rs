//! Workers that say that they are there.

use eagleeye_store::{SEARCH_JOB, Work, WorkerReport};

use crate::support::World;

fn report(name: &str) -> WorkerReport {
    WorkerReport {
        name: name.to_string(),
        host: "night".to_string(),
        pid: 7,
        device: "cpu".to_string(),
        device_reason: Some("it was asked for".to_string()),
        hardware: Some("A fast one".to_owned()),
        memory_bytes: Some(1 << 36),
        job: None,
        note: None,
    }
}

#[tokio::test]
async fn workers_are_listed_with_what_they_do_and_since_when() {
    let world = World::new().await;
    let search = world.search().await;
    world.store.workers().report(&report("idle")).await.unwrap();
    world.wait(5);
    let lease = world.claim("busy").await.lease;
    let busy = WorkerReport { job: Some(lease.job_id), ..report("busy") };
    world.store.workers().report(&busy).await.unwrap();
    world.store.workers().report(&report("idle")).await.unwrap();

    let listed = world.store.workers().list().await.unwrap();
    assert_eq!(listed.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>(), ["idle", "busy"]);
    assert_eq!(
        (listed[0].work.clone(), listed[1].work.clone()),
        (None, Some(Work { kind: SEARCH_JOB.to_owned(), subject: search.id }))
    );
    assert_eq!((listed[0].last_seen - listed[0].since).num_seconds(), 5);
    assert_eq!((listed[0].host.as_str(), listed[0].pid), ("night", 7));
}

#[tokio::test]
async fn a_worker_that_is_gone_drops_out() {
    let world = World::new().await;
    for name in ["orderly", "killed", "alive"] {
        world.store.workers().report(&report(name)).await.unwrap();
    }
    world.store.workers().forget("orderly").await.unwrap();
    assert_eq!(world.store.workers().list().await.unwrap().len(), 2);
    world.wait(25);
    world.store.workers().report(&report("alive")).await.unwrap();
    let listed = world.store.workers().list().await.unwrap();
    assert_eq!(listed.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>(), ["alive"]);
    assert_eq!(world.store.workers().sweep().await.unwrap(), 1);
}
