//! Searches that are taken up again.

use eagleeye_spec::{Warning, WarningCode};
use eagleeye_store::{SearchState, StoreError};

use crate::support::World;

#[tokio::test]
async fn a_failed_search_is_taken_up_again_with_its_candidates() {
    let world = World::new().await;
    let search = world.search().await;
    let failed = world.claim("a").await.lease;
    world.record(&failed, 0, 0.91).await;
    world.store.queue().fail(&failed, "the disk is full").await.unwrap();

    let again = world.store.searches().retry(search.id).await.unwrap();
    assert_eq!((again.state, again.error, again.finished_at), (SearchState::Queued, None, None));
    assert_eq!((again.progress.done, again.progress.total), (1, 4));
    let claim = world.claim("b").await;
    assert_eq!((claim.subject, claim.lease.number, claim.attempt), (search.id, 2, 1));
    let evaluated = world.store.candidates().evaluated(search.id).await.unwrap();
    assert_eq!(evaluated.iter().map(|stored| stored.index).collect::<Vec<_>>(), [0]);
    world.record(&claim.lease, 1, 0.92).await;
    let ended = world.store.searches().finish(&claim.lease).await.unwrap();
    assert_eq!(ended.state, SearchState::Succeeded);
}

#[tokio::test]
async fn a_cancelled_search_is_taken_up_again_and_the_worker_that_was_stopped_writes_nothing() {
    let world = World::new().await;
    let search = world.search().await;
    let stopped = world.claim("a").await.lease;
    world.record(&stopped, 0, 0.91).await;
    world.store.searches().cancel(search.id).await.unwrap();
    world.store.queue().stopped(&stopped).await.unwrap();
    world.store.searches().retry(search.id).await.unwrap();

    let late = world.store.searches().record_candidate(&stopped, crate::support::candidate(1, 0.5)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let claim = world.claim("b").await;
    let answer = world.store.queue().heartbeat(&claim.lease).await.unwrap();
    assert!(!answer.stop_requested && !answer.lost, "the old cancel is over");
    assert!(world.store.queue().heartbeat(&stopped).await.unwrap().lost);
}

#[tokio::test]
async fn a_search_that_has_not_failed_is_not_taken_up_again() {
    let world = World::new().await;
    let search = world.search().await;
    let refusal = async |says: &str| {
        let error = world.store.searches().retry(search.id).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    refusal("is already queued").await;
    let lease = world.claim("a").await.lease;
    refusal("is running").await;
    world.store.searches().finish(&lease).await.unwrap();
    refusal("has succeeded").await;
}

#[tokio::test]
async fn a_search_whose_model_file_is_gone_is_not_taken_up_again() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.store.queue().fail(&lease, "no").await.unwrap();
    let hash = world.store.models().get(search.model_id).await.unwrap().hash.to_string();
    std::fs::remove_file(world.folder.path().join("files").join(&hash[..2]).join(&hash[2..])).unwrap();
    let error = world.store.searches().retry(search.id).await.unwrap_err().to_string();
    assert!(error.contains("`mobilenet.pt` of model `MobileNetV1`") && error.contains("is missing"), "{error}");
    assert!(!error.contains(&hash), "a hash tells nobody what to upload: {error}");
    assert_eq!(world.store.searches().get(search.id).await.unwrap().state, SearchState::Failed);
}

#[tokio::test]
async fn a_search_that_is_taken_up_again_begins_again_for_who_looks_at_it() {
    let world = World::new().await;
    let search = world.search().await;
    let phase = async || world.store.searches().get(search.id).await.unwrap().progress.phase;
    let lease = world.claim("a").await.lease;
    assert_eq!(phase().await, "starting");
    world.record(&lease, 0, 0.91).await;
    world.store.queue().fail(&lease, "no").await.unwrap();
    world.store.searches().retry(search.id).await.unwrap();
    assert_eq!(phase().await, "queued");
    world.claim("b").await;
    assert_eq!(phase().await, "starting", "it is not queued any more");
}

#[tokio::test]
async fn what_was_said_of_the_winners_is_said_anew_of_the_next_ones() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let warning = |code: WarningCode| Warning { code, message: code.name().to_owned(), at: code.at() };
    for code in [WarningCode::FewScoringImages, WarningCode::WinnerSlowerThanFull] {
        world.store.searches().save_warning(&lease, &warning(code)).await.unwrap();
    }
    world.store.searches().finish(&lease).await.unwrap();
    let codes = async || {
        let warnings = world.store.searches().get(search.id).await.unwrap().warnings;
        warnings.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
    };
    assert_eq!(codes().await, [WarningCode::FewScoringImages, WarningCode::WinnerSlowerThanFull]);
    world.store.searches().extend(search.id, &search.request).await.unwrap();
    assert_eq!(codes().await, [WarningCode::FewScoringImages]);
}
