//! The order of the queue, and changing it.

use eagleeye_spec::StudyRequest;
use eagleeye_store::{SEARCH_JOB, Stand, StoreError, TUNING_JOB, Uuid};
use serde_json::json;

use crate::races::searched;
use crate::support::World;

const KINDS: [&str; 2] = [SEARCH_JOB, TUNING_JOB];

/// What the jobs that wait are about, in order.
async fn waiting(world: &World) -> Vec<Uuid> {
    let line = world.store.queue().line(&KINDS, 100).await.unwrap();
    line.into_iter().filter(|job| job.stand == Stand::Waiting).map(|job| job.subject).collect()
}

/// The job about a search or a tuning.
async fn job_of(world: &World, subject: Uuid) -> Uuid {
    let line = world.store.queue().line(&KINDS, 100).await.unwrap();
    line.into_iter().find(|job| job.subject == subject).unwrap().id
}

async fn searches(world: &World, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.search().await.id);
    }
    ids
}

#[tokio::test]
async fn jobs_are_done_in_the_order_that_they_were_put_in() {
    let world = World::new().await;
    let ids = searches(&world, 4).await;
    assert_eq!(waiting(&world).await, ids);

    let queue = world.store.queue();
    let jobs = [job_of(&world, ids[0]).await, job_of(&world, ids[2]).await, job_of(&world, ids[3]).await];
    queue.put(&KINDS, jobs[1], Some(jobs[0])).await.unwrap();
    assert_eq!(waiting(&world).await, [ids[2], ids[0], ids[1], ids[3]]);
    queue.put(&KINDS, jobs[0], None).await.unwrap();
    assert_eq!(waiting(&world).await, [ids[2], ids[1], ids[3], ids[0]]);
    queue.put(&KINDS, jobs[2], Some(jobs[2])).await.unwrap();
    assert_eq!(waiting(&world).await, [ids[2], ids[1], ids[3], ids[0]], "before itself is where it is");

    // One that comes later is last, and what is claimed is what was first.
    let later = world.search().await.id;
    let mut order = vec![ids[2], ids[1], ids[3], ids[0], later];
    assert_eq!(waiting(&world).await, order);
    for place in 0..5 {
        assert_eq!(world.claim(&format!("worker {place}")).await.subject, order.remove(0));
        assert_eq!(waiting(&world).await, order);
    }
}

#[tokio::test]
async fn jobs_that_were_queued_in_one_moment_can_be_put_apart() {
    let world = World::new().await;
    // The clock of these tests stands still, as that of earlier versions' jobs does, whose turn is 0.
    let ids = searches(&world, 3).await;
    for _ in 0..2 {
        let last = *waiting(&world).await.last().unwrap();
        let first = waiting(&world).await[0];
        let (last_job, first_job) = (job_of(&world, last).await, job_of(&world, first).await);
        world.store.queue().put(&KINDS, last_job, Some(first_job)).await.unwrap();
        assert_eq!(waiting(&world).await[0], last);
    }
    assert_eq!(waiting(&world).await, [ids[1], ids[2], ids[0]]);
}

#[tokio::test]
async fn only_what_waits_has_a_place() {
    let world = World::new().await;
    let ids = searches(&world, 2).await;
    let (running, queued) = (job_of(&world, ids[0]).await, job_of(&world, ids[1]).await);
    world.claim("a").await;
    let queue = world.store.queue();
    for (id, before) in [(running, None), (queued, Some(running))] {
        let refused = queue.put(&KINDS, id, before).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { id, .. } if id == running), "{refused:?}");
    }
    let unknown = queue.put(&KINDS, Uuid::now_v7(), None).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { .. }), "{unknown:?}");
    let line = queue.line(&KINDS, 100).await.unwrap();
    assert_eq!(
        line.iter().map(|job| (job.id, job.stand)).collect::<Vec<_>>(),
        [(running, Stand::Running), (queued, Stand::Waiting)]
    );
}

#[tokio::test]
async fn the_fine_tunings_of_a_study_let_all_others_go_first() {
    let world = World::new().await;
    let search = searched(&world, 2).await;
    let candidates: Vec<Uuid> = world.store.candidates().all(search).await.unwrap().iter().map(|c| c.id).collect();
    let request: StudyRequest =
        serde_json::from_value(json!({ "seeds": [1], "options": { "epochs": 2, "flip": false } })).unwrap();
    let study = world.store.studies().create(search, &request, &candidates).await.unwrap();
    let members: Vec<Uuid> = study.members.iter().map(|member| member.tuning_id).collect();
    world.wait(60);
    let later = world.search().await.id;
    assert_eq!(waiting(&world).await, [later, members[0], members[1]]);
    let found = world.store.tunings().searches(&members).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(members[0], search), (members[1], search)]);

    // Who is in a hurry may say so.
    let (hurried, first) = (job_of(&world, members[1]).await, job_of(&world, later).await);
    world.store.queue().put(&KINDS, hurried, Some(first)).await.unwrap();
    assert_eq!(waiting(&world).await, [members[1], later, members[0]]);
}
