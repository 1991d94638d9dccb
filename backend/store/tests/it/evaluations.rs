//! Scores that an earlier schema has kept in columns of candidates become evaluations.

use eagleeye_migrations::{Migrator, MigratorTrait};
use eagleeye_spec::{Evaluation, EvaluationKind, GroupKeep, ImageSet, Score, score_of};
use eagleeye_store::{CandidateSort, PageRequest, Split, Uuid};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use crate::support::{World, candidate, candidate_with};

/// Steps of the schema from the one that has evaluations to the newest.
fn steps_since_evaluations() -> u32 {
    let names: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let position = names.iter().position(|name| name == "m20261127_000002_evaluations").unwrap();
    u32::try_from(names.len() - position).unwrap()
}

/// A candidate as the program of that schema has written it.
async fn insert_old(database: &DatabaseConnection, search: Uuid, index: u32, scores: &str) -> Uuid {
    let is_sqlite = database.get_database_backend() == DbBackend::Sqlite;
    let literal = |id: Uuid| if is_sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
    let id = Uuid::now_v7();
    let sql = format!(
        "INSERT INTO candidates (id, search_id, \"index\", strategy, keep_ratios, macs, parameters, top1, top5, \
         cross_entropy, unadapted_top1, unadapted_top5, unadapted_cross_entropy, seconds, revision, created_at) \
         VALUES ({}, {}, {index}, '[16]', '[{{\"group\":\"stem\",\"size\":32,\"kept\":16}}]', 8000000, 1500000, \
         {scores}, 1.5, 2, '2026-01-01 00:00:00+00:00')",
        literal(id),
        literal(search)
    );
    database.execute_unprepared(&sql).await.unwrap();
    id
}

#[tokio::test]
async fn scores_in_columns_become_evaluations_to_the_last_bit() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let split = Split { calibration: vec![0], scoring: (1..21).collect(), test: vec![] };
    world.store.searches().save_split(&lease, &split).await.unwrap();
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    Migrator::down(&database, Some(steps_since_evaluations())).await.unwrap();
    let both = insert_old(&database, search.id, 0, "0.30000000000000004, 0.75, 2e-308, 0.1, 0.5, NULL").await;
    let adapted_only = insert_old(&database, search.id, 1, "0.5, 0.75, NULL, NULL, NULL, NULL").await;

    let store = world.other_process().await;
    let found = store.candidates().get(both).await.unwrap();
    let evaluation =
        |kind, score, seconds| Evaluation { seconds, ..Evaluation::new(kind, ImageSet::Scoring, 20, score) };
    let score = Score::new(0.1 + 0.2, 0.75, 2e-308);
    let unadapted = Score::new(0.1, 0.5, f64::NAN);
    let expected =
        [evaluation(EvaluationKind::Adapted, score, 1.5), evaluation(EvaluationKind::Unadapted, unadapted, 0.0)];
    assert_eq!((found.score, found.seconds, found.evaluations.as_slice()), (score, 1.5, expected.as_slice()));
    assert_eq!(found.groups, [GroupKeep { group: "stem".to_owned(), size: 32, kept: 16 }]);

    let other = store.candidates().get(adapted_only).await.unwrap();
    assert_eq!((other.evaluations.len(), other.score), (1, Score::new(0.5, 0.75, f64::NAN)));
    let page = PageRequest::default();
    let ranked = store.candidates().list(search.id, CandidateSort::BEST_FIRST, &page).await.unwrap();
    assert_eq!(ranked.items, [other, found]);

    // The search goes on where it was.
    assert_eq!(store.candidates().evaluated(search.id).await.unwrap().len(), 2);
    store.searches().record_candidate(&lease, candidate(2, 0.9)).await.unwrap();
    let ended = store.searches().finish(&lease).await.unwrap();
    let best = store.candidates().get(ended.best_candidate_id.unwrap()).await.unwrap();
    assert_eq!(best.index, 2);
}

#[tokio::test]
async fn a_step_back_gives_the_columns_their_scores_again() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    let new = candidate_with(0, Score::new(0.1 + 0.2, 1.0 / 3.0, f64::NAN));
    let stored = world.store.searches().record_candidate(&lease, new).await.unwrap();
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    Migrator::down(&database, Some(steps_since_evaluations())).await.unwrap();
    let sql = "SELECT top1, cross_entropy, unadapted_top1 FROM candidates";
    let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await;
    let row = row.unwrap().unwrap();
    let column = |name: &str| row.try_get::<Option<f64>>("", name).unwrap();
    let columns = ["top1", "cross_entropy", "unadapted_top1"].map(column);
    assert_eq!(columns, [Some(0.1 + 0.2), None, Some(0.1)]);

    let again = world.other_process().await.candidates().get(stored.id).await.unwrap();
    let unadapted = |candidate: &eagleeye_store::Candidate| {
        score_of(&candidate.evaluations, EvaluationKind::Unadapted, ImageSet::Scoring)
    };
    assert_eq!((again.score, unadapted(&again)), (stored.score, unadapted(&stored)));
}

#[tokio::test]
async fn evaluations_go_with_their_search() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    let count = async || {
        let sql = "SELECT COUNT(*) AS number FROM evaluations";
        let statement = Statement::from_string(database.get_database_backend(), sql);
        let row = database.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get::<i64>("", "number").unwrap()
    };
    assert_eq!(count().await, 2);
    world.store.searches().delete(search.id).await.unwrap();
    assert_eq!(count().await, 0);
}
