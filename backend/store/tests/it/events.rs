//! The outbox, and those who read it.

use std::time::{Duration, Instant};

use eagleeye_spec::CandidateWeights;
use eagleeye_store::{CheckpointFormat, Event, EventKind, Feed, News, Store, Uuid};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement, TransactionTrait};

use crate::support::{EXPORTS, KINDS, World, candidate};

/// A feed that is up to date.
async fn feed(store: &Store) -> Feed {
    let mut feed = store.feed();
    assert_eq!(feed.next().await.unwrap(), News::Start);
    feed
}

async fn next(feed: &mut Feed) -> Vec<Event> {
    match tokio::time::timeout(Duration::from_secs(5), feed.next()).await.expect("there is news").unwrap() {
        News::Events(events) => events,
        News::Start => panic!("nothing was wrong"),
    }
}

/// Kinds of what has happened since, and to what.
async fn told(feed: &mut Feed) -> Vec<(EventKind, Uuid)> {
    next(feed).await.iter().map(|event| (event.kind, event.subject)).collect()
}

#[tokio::test]
async fn each_change_of_a_search_and_its_checkpoints_is_told_once() {
    let world = World::new().await;
    let mut feed = feed(&world.store).await;
    let id = world.search().await.id;
    assert_eq!(told(&mut feed).await, [(EventKind::SearchCreated, id)]);
    let lease = world.claim("a").await.lease;
    assert_eq!(told(&mut feed).await, [(EventKind::SearchChanged, id)]);
    world.record(&lease, 0, 0.9).await;
    assert_eq!(told(&mut feed).await, [(EventKind::SearchChanged, id)]);
    let best = world.store.searches().finish(&lease).await.unwrap().best_candidate_id.unwrap();
    let checkpoints = world.store.checkpoints().of_candidate(best).await.unwrap();
    let finished = told(&mut feed).await;
    assert_eq!(finished[0], (EventKind::SearchEnded, id));
    assert_eq!(finished.len(), 1 + CheckpointFormat::AUTOMATIC.len());
    for checkpoint in &checkpoints {
        assert!(finished.contains(&(EventKind::CheckpointRequested, checkpoint.id)));
    }

    let export = world.store.queue().claim("a", &EXPORTS).await.unwrap().unwrap();
    assert_eq!(told(&mut feed).await, [(EventKind::CheckpointChanged, export.subject)]);
    world.store.queue().fail(&export.lease, "the disk is full").await.unwrap();
    assert_eq!(told(&mut feed).await, [(EventKind::CheckpointEnded, export.subject)]);
    let failed = world.store.checkpoints().get(export.subject).await.unwrap();
    world.store.checkpoints().request(best, CandidateWeights::Adapted, failed.format).await.unwrap();
    assert_eq!(told(&mut feed).await, [(EventKind::CheckpointRequested, failed.id)]);

    world.store.searches().delete(id).await.unwrap();
    assert_eq!(told(&mut feed).await, [(EventKind::SearchDeleted, id)]);
}

#[tokio::test]
async fn a_change_that_is_not_made_is_not_told() {
    let world = World::new().await;
    let mut feed = feed(&world.store).await;
    let id = world.search().await.id;
    let lost = world.claim("a").await.lease;
    world.wait(60);
    let lease = world.claim("b").await.lease;
    let before = told(&mut feed).await;
    assert!(before.iter().all(|(_, subject)| *subject == id), "{before:?}");
    world.store.searches().record_candidate(&lost, candidate(0, 0.9)).await.unwrap_err();
    world.store.searches().finish(&lost).await.unwrap_err();
    world.store.searches().retry(id).await.unwrap_err();
    world.record(&lease, 0, 0.9).await;
    assert_eq!(told(&mut feed).await, [(EventKind::SearchChanged, id)], "of the one that was stored");
}

#[tokio::test]
async fn what_another_process_does_is_told_within_a_second() {
    let world = World::new().await;
    let other = world.other_process().await;
    let mut feed = feed(&world.store).await;
    let id = world.search().await.id;
    told(&mut feed).await;
    for worker in ["a", "b"] {
        let began = Instant::now();
        other.queue().claim(worker, &KINDS).await.unwrap().unwrap();
        assert_eq!(told(&mut feed).await.last().unwrap().1, id);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        world.wait(60);
    }
}

#[tokio::test]
async fn old_events_are_forgotten_and_their_numbers_are_not_used_again() {
    let world = World::new().await;
    let mut feed = feed(&world.store).await;
    world.search().await;
    let first = next(&mut feed).await.last().unwrap().id;
    world.wait(3600);
    assert_eq!(world.store.forget_events(Duration::from_secs(3601)).await.unwrap(), 0);
    assert_eq!(world.store.forget_events(Duration::from_secs(3599)).await.unwrap(), 1);
    world.claim("a").await;
    assert!(next(&mut feed).await[0].id > first);
}

#[tokio::test]
async fn an_event_that_becomes_visible_behind_a_later_one_is_told_too() {
    let world = World::new().await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    if database.get_database_backend() != DbBackend::Postgres {
        return eprintln!("not tested: SQLite has one writer at a time");
    }
    let mut feed = feed(&world.store).await;
    let subject = Uuid::now_v7();
    let early = database.begin().await.unwrap();
    let insert = "INSERT INTO events (kind, subject, at_ms) VALUES ('search.changed', $1, 0)";
    early.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, insert, [subject.into()])).await.unwrap();
    let later = world.search().await.id;
    let seen = next(&mut feed).await;
    assert_eq!(seen.iter().map(|event| event.subject).collect::<Vec<_>>(), [later]);
    early.commit().await.unwrap();
    let missed = next(&mut feed).await;
    assert_eq!(missed.iter().map(|event| event.subject).collect::<Vec<_>>(), [subject]);
    assert!(missed[0].id < seen[0].id);
}
