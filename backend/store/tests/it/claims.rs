//! Who gets which job: claims, dead workers, leases.

use eagleeye_store::{Claim, EXPORT_JOB, SEARCH_JOB, StoreError};

use crate::support::{KINDS, World, candidate};

#[tokio::test]
async fn a_claimed_job_runs_under_its_first_lease() {
    let world = World::new().await;
    let search = world.search().await;
    insta::assert_snapshot!("queued", world.picture().await);

    let claim = world.claim("a").await;
    assert_eq!((claim.kind.as_str(), claim.subject), (SEARCH_JOB, search.id));
    assert_eq!((claim.lease.number, claim.attempt), (1, 1));
    assert_eq!(world.store.queue().claim("b", &KINDS).await.unwrap(), None);
    insta::assert_snapshot!("claimed", world.picture().await);
}

#[tokio::test]
async fn an_empty_queue_gives_nothing() {
    let world = World::new().await;
    assert_eq!(world.store.queue().claim("a", &KINDS).await.unwrap(), None);
    assert_eq!(world.store.queue().reap().await.unwrap(), 0);
}

#[tokio::test]
async fn a_job_with_a_fresh_heartbeat_stays_with_its_worker() {
    let world = World::new().await;
    world.search().await;
    let claim = world.claim("a").await;
    for _ in 0..5 {
        world.wait(9);
        let answer = world.store.queue().heartbeat(&claim.lease).await.unwrap();
        assert!(!answer.lost && !answer.stop_requested);
        assert_eq!(world.store.queue().claim("b", &KINDS).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_job_whose_worker_fell_silent_goes_on_from_its_candidates() {
    let world = World::new().await;
    let search = world.search().await;
    let dead = world.claim("a").await;
    world.record(&dead.lease, 0, 0.91).await;
    world.wait(11);
    insta::assert_snapshot!("silent", world.picture().await);

    let alive = world.claim("b").await;
    assert_eq!((alive.lease.number, alive.attempt), (2, 2));
    assert_eq!(world.evaluated(search.id).await, [0]);
    insta::assert_snapshot!("taken_over", world.picture().await);
}

#[tokio::test]
async fn a_worker_that_comes_back_late_changes_nothing() {
    let world = World::new().await;
    world.search().await;
    let late = world.claim("a").await.lease;
    world.wait(11);
    let current = world.claim("b").await.lease;
    world.record(&current, 0, 0.9).await;
    let before = world.picture().await;

    let (queue, searches) = (world.store.queue(), world.store.searches());
    assert!(queue.heartbeat(&late).await.unwrap().lost);
    let outcomes = [
        searches.record_candidate(&late, candidate(1, 0.5)).await.map(|_| ()),
        searches.record_candidate(&late, candidate(0, 0.5)).await.map(|_| ()),
        searches.finish(&late).await.map(|_| ()),
        queue.fail(&late, "too late").await,
        queue.stopped(&late).await,
        queue.release(&late).await,
        searches.save_split(&late, &Default::default()).await.map(|_| ()),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::LeaseLost { lease: 1, .. })), "{outcome:?}");
    }
    assert_eq!(world.picture().await, before);
}

#[tokio::test]
async fn workers_that_ask_at_once_get_different_jobs() {
    let world = World::new().await;
    let (model, dataset) = (world.model("weights").await, world.dataset("clothes").await);
    for _ in 0..24 {
        world.search_on(&model, &dataset).await;
    }

    let mut workers = Vec::new();
    for number in 0..6 {
        let store = if number % 2 == 0 { world.store.clone() } else { world.other_process().await };
        workers.push(tokio::spawn(async move {
            let mut claims: Vec<Claim> = Vec::new();
            while let Some(claim) = store.queue().claim(&format!("worker {number}"), &KINDS).await.unwrap() {
                claims.push(claim);
            }
            claims
        }));
    }
    let mut jobs = Vec::new();
    for worker in workers {
        jobs.extend(worker.await.unwrap().into_iter().map(|claim| (claim.lease.job_id, claim.lease.number)));
    }
    // On PostgreSQL a worker may skip a row that another holds and find nothing more; a second look finds the rest.
    while let Some(claim) = world.store.queue().claim("last", &KINDS).await.unwrap() {
        jobs.push((claim.lease.job_id, claim.lease.number));
    }
    jobs.sort();
    jobs.dedup_by_key(|(job, _)| *job);
    assert_eq!(jobs.len(), 24);
    assert!(jobs.iter().all(|(_, lease)| *lease == 1), "{jobs:?}");
}

#[tokio::test]
async fn workers_that_ask_at_once_for_an_abandoned_job_do_not_both_get_it() {
    let world = World::new().await;
    world.search().await;
    world.claim("dead").await;
    let mut stores = Vec::new();
    for _ in 0..6 {
        stores.push(world.other_process().await);
    }
    world.wait(11);

    let mut workers = Vec::new();
    for (number, store) in stores.into_iter().enumerate() {
        workers
            .push(tokio::spawn(async move { store.queue().claim(&format!("worker {number}"), &KINDS).await.unwrap() }));
    }
    let mut claims = Vec::new();
    for worker in workers {
        claims.extend(worker.await.unwrap());
    }
    assert_eq!(claims.len(), 1, "{claims:?}");
    assert_eq!(claims[0].lease.number, 2);
}

#[tokio::test]
async fn a_job_that_kills_its_workers_fails_after_three_attempts() {
    let world = World::new().await;
    world.search().await;
    for attempt in 1..=3 {
        assert_eq!(world.claim("a").await.attempt, attempt);
        world.wait(11);
    }
    assert_eq!(world.store.queue().claim("a", &KINDS).await.unwrap(), None);
    insta::assert_snapshot!("worn_out", world.picture().await);
}

#[tokio::test]
async fn a_search_that_gets_on_survives_any_number_of_dead_workers() {
    let world = World::new().await;
    let search = world.search().await;
    for index in 0..8 {
        let claim = world.claim("a").await;
        assert_eq!(claim.lease.number, i64::from(index) + 1);
        world.record(&claim.lease, index, 0.9).await;
        world.wait(11);
    }
    assert_eq!(world.evaluated(search.id).await, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(world.claim("a").await.attempt, 2);
}

#[tokio::test]
async fn a_worker_known_to_be_dead_is_not_waited_for() {
    let world = World::new().await;
    world.search().await;
    world.claim("a").await;
    assert_eq!(world.store.queue().worker_died("b").await.unwrap(), 0);
    assert_eq!(world.store.queue().claim("c", &KINDS).await.unwrap(), None);
    assert_eq!(world.store.queue().worker_died("a").await.unwrap(), 1);
    let claim = world.claim("c").await;
    assert_eq!((claim.lease.number, claim.attempt), (2, 2));
}

#[tokio::test]
async fn exports_go_before_searches_and_searches_in_order() {
    let world = World::new().await;
    let first = world.search().await;
    let (model, dataset) = (world.model("w").await, world.dataset("d").await);
    let second = world.search_on(&model, &dataset).await;

    let claim = world.claim("a").await;
    assert_eq!((claim.kind.as_str(), claim.subject), (SEARCH_JOB, first.id));
    world.record(&claim.lease, 0, 0.9).await;
    world.store.searches().finish(&claim.lease).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.claim("a").await.kind, EXPORT_JOB);
    }
    assert_eq!(world.claim("a").await.subject, second.id);
}

#[tokio::test]
async fn a_worker_that_was_started_during_an_outage_leaves_running_jobs_to_those_that_are_about_to_report() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.wait(60);
    // Nobody could report for a minute; now the database is back, and a new worker is the first to reach it.
    let new = world.other_process().await;
    assert_eq!(new.queue().claim("b", &KINDS).await.unwrap(), None);
    assert!(!world.store.queue().heartbeat(&lease).await.unwrap().lost);
    world.wait(11);
    assert_eq!(new.queue().claim("b", &KINDS).await.unwrap().unwrap().lease.number, 2, "then it is dead indeed");
}
