//! How jobs end: finish, fail, cancel in every state, release.

use eagleeye_spec::{CandidateWeights, Score};
use eagleeye_store::{Exported, SearchState, StoreError};

use crate::support::{KINDS, World, candidate_with};

#[tokio::test]
async fn a_finished_search_names_its_best_and_asks_for_three_files() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    for (index, top1) in [(0, 0.91), (2, 0.93), (1, 0.92)] {
        world.record(&lease, index, top1).await;
    }
    let search = world.store.searches().finish(&lease).await.unwrap();
    assert_eq!(search.state, SearchState::Succeeded);
    insta::assert_snapshot!("finished", world.picture().await);

    let again = world.store.searches().finish(&lease).await.unwrap();
    assert_eq!(again, search, "a worker that repeats the call gets the same answer");
}

#[tokio::test]
async fn of_equal_candidates_the_lower_loss_wins_and_then_the_lower_index() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    for (index, loss) in [(0, f64::INFINITY), (3, 0.25), (2, 0.5), (1, 0.25)] {
        let new = candidate_with(index, Score::new(0.9, 0.99, loss));
        world.store.searches().record_candidate(&lease, new).await.unwrap();
    }
    let search = world.store.searches().finish(&lease).await.unwrap();
    let best = world.store.candidates().get(search.best_candidate_id.unwrap()).await.unwrap();
    assert_eq!(best.index, 1);
}

#[tokio::test]
async fn an_export_takes_its_upload_over() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    world.store.searches().finish(&lease).await.unwrap();

    let claim = world.claim("a").await;
    let upload = world.store.upload_bytes("pruned weights").await.unwrap();
    let exported = Exported { upload, max_difference: 1e-6 };
    let checkpoint = world.store.checkpoints().finish(&claim.lease, &exported).await.unwrap();
    assert_eq!(checkpoint.hash.as_ref(), Some(&exported.upload.hash));
    let again = world.store.checkpoints().finish(&claim.lease, &exported).await.unwrap();
    assert_eq!(again, checkpoint);

    let failed = world.claim("a").await;
    world.store.queue().fail(&failed.lease, "the output differs by 0.5").await.unwrap();
    insta::assert_snapshot!("exported", world.picture().await);
}

#[tokio::test]
async fn a_failed_export_can_be_asked_for_again() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    world.store.searches().finish(&lease).await.unwrap();
    let failed = world.claim("a").await;
    world.store.queue().fail(&failed.lease, "no space left").await.unwrap();

    let id = failed.subject;
    let checkpoint = world.store.checkpoints().get(id).await.unwrap();
    let again = world
        .store
        .checkpoints()
        .request(checkpoint.candidate_id, CandidateWeights::Adapted, checkpoint.format)
        .await
        .unwrap();
    assert_eq!((again.id, again.error), (id, None));
    insta::assert_snapshot!("asked_again", world.picture().await);
    let claim = world.claim("a").await;
    assert_eq!((claim.subject, claim.lease.number), (id, 2));
}

#[tokio::test]
async fn an_export_under_a_lost_lease_leaves_no_file() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    world.store.searches().finish(&lease).await.unwrap();
    let late = world.claim("a").await.lease;
    let files = world.files_on_disk();
    world.wait(11);
    world.claim("b").await;

    let upload = world.store.upload_bytes("pruned weights").await.unwrap();
    let outcome = world.store.checkpoints().finish(&late, &Exported { upload, max_difference: 0.0 }).await;
    assert!(matches!(outcome, Err(StoreError::LeaseLost { .. })), "{outcome:?}");
    assert_eq!(world.files_on_disk(), files);
}

#[tokio::test]
async fn a_failed_search_says_why() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.store.queue().fail(&lease, "the images are 32 x 32, the network takes 28 x 28").await.unwrap();
    insta::assert_snapshot!("failed", world.picture().await);
    assert_eq!(world.store.queue().claim("b", &KINDS).await.unwrap(), None);
}

#[tokio::test]
async fn a_queued_search_is_cancelled_at_once() {
    let world = World::new().await;
    let search = world.search().await;
    let cancelled = world.store.searches().cancel(search.id).await.unwrap();
    assert_eq!(cancelled.state, SearchState::Cancelled);
    assert!(cancelled.finished_at.is_some());
    assert_eq!(world.store.queue().claim("a", &KINDS).await.unwrap(), None);
    let again = world.store.searches().cancel(search.id).await.unwrap();
    assert_eq!(again, cancelled);
}

#[tokio::test]
async fn a_running_search_is_cancelled_by_its_worker() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    assert_eq!(world.store.searches().cancel(search.id).await.unwrap().state, SearchState::Running);
    insta::assert_snapshot!("cancel_requested", world.picture().await);

    assert!(world.store.queue().heartbeat(&lease).await.unwrap().stop_requested);
    world.store.queue().stopped(&lease).await.unwrap();
    insta::assert_snapshot!("cancelled", world.picture().await);
    assert!(world.store.queue().heartbeat(&lease).await.unwrap().lost);
}

#[tokio::test]
async fn a_search_whose_worker_is_silent_is_cancelled_at_once() {
    let world = World::new().await;
    let search = world.search().await;
    world.claim("a").await;
    world.wait(11);
    assert_eq!(world.store.searches().cancel(search.id).await.unwrap().state, SearchState::Cancelled);
}

#[tokio::test]
async fn a_search_whose_worker_dies_over_its_cancel_is_not_given_out_again() {
    let world = World::new().await;
    let search = world.search().await;
    world.claim("a").await;
    world.store.searches().cancel(search.id).await.unwrap();
    world.wait(11);
    assert_eq!(world.store.queue().reap().await.unwrap(), 1);
    assert_eq!(world.store.searches().get(search.id).await.unwrap().state, SearchState::Cancelled);
    assert_eq!(world.store.queue().claim("b", &KINDS).await.unwrap(), None);
}

#[tokio::test]
async fn a_search_that_has_ended_cannot_be_cancelled() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.store.searches().finish(&lease).await.unwrap();
    let error = world.store.searches().cancel(search.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }));
    assert!(error.to_string().ends_with("has succeeded and can no longer be cancelled"), "{error}");
}

#[tokio::test]
async fn a_released_job_is_free_at_once_and_the_attempt_does_not_count() {
    let world = World::new().await;
    world.search().await;
    for lease in 1..=5 {
        let claim = world.claim("a").await;
        assert_eq!((claim.lease.number, claim.attempt), (lease, 1));
        world.store.queue().release(&claim.lease).await.unwrap();
    }
    insta::assert_snapshot!("released", world.picture().await);
}

#[tokio::test]
async fn a_worker_that_lost_the_answer_to_its_claim_gives_the_job_back_and_the_attempt_does_not_count() {
    let world = World::new().await;
    world.search().await;
    for _ in 0..5 {
        assert_eq!(world.claim("a").await.attempt, 1);
        assert_eq!(world.store.queue().release_all("b").await.unwrap(), 0);
        assert_eq!(world.store.queue().release_all("a").await.unwrap(), 1);
    }
    assert_eq!(world.claim("b").await.attempt, 1);
}

#[tokio::test]
async fn a_job_released_after_its_cancel_is_cancelled() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.store.searches().cancel(search.id).await.unwrap();
    world.store.queue().release(&lease).await.unwrap();
    assert_eq!(world.store.searches().get(search.id).await.unwrap().state, SearchState::Cancelled);
}

#[tokio::test]
async fn a_deleted_search_takes_its_lease_with_it() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    world.store.searches().delete(search.id).await.unwrap();
    assert!(world.store.queue().heartbeat(&lease).await.unwrap().lost);
    let outcome = world.store.searches().finish(&lease).await;
    assert!(matches!(outcome, Err(StoreError::LeaseLost { .. })), "{outcome:?}");
    assert_eq!(world.picture().await, "jobs\n");
}

#[tokio::test]
async fn a_search_deleted_while_its_worker_writes_ends_the_worker_and_nothing_else() {
    let world = World::new().await;
    let (model, dataset) = (world.model("weights").await, world.dataset("clothes").await);
    for _ in 0..8 {
        let search = world.search_on(&model, &dataset).await;
        let lease = world.claim("a").await.lease;
        let worker = world.other_process().await;
        let writing = tokio::spawn(async move {
            for index in 0.. {
                worker.searches().record_candidate(&lease, crate::support::candidate(index, 0.9)).await?;
            }
            Ok(())
        });
        while world.store.candidates().evaluated(search.id).await.unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        world.store.searches().delete(search.id).await.unwrap();
        let outcome: Result<(), StoreError> = writing.await.unwrap();
        assert!(matches!(outcome, Err(StoreError::LeaseLost { .. })), "{outcome:?}");
    }
    assert_eq!(world.picture().await, "jobs\n");
}
