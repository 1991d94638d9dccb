//! Models, datasets and searches: what goes in comes out, in pages, and is deleted only when unused.

use eagleeye_spec::CandidateWeights;
use eagleeye_spec::report::{DatasetReport, REPORT_VERSION, Reachable};
use eagleeye_store::{CheckpointFormat, Kind, Model, Page, PageRequest, SearchState, Store, StoreError, Uuid};

use sea_orm::{ConnectionTrait, Database, Statement};

use crate::support::{World, dataset_report, inspection, request};

#[tokio::test]
async fn a_model_comes_back_as_it_was_stored() {
    let world = World::new().await;
    let mut new = world.new_model("graph").await;
    new.data = Some(world.file("model.onnx.data", "weights").await);
    let stored = world.store.models().create(new).await.unwrap();
    assert_eq!(world.store.models().get(stored.id).await.unwrap(), stored);
    assert_eq!((stored.bytes, stored.data_name.as_deref()), (12, Some("model.onnx.data")));
    assert_eq!((&stored.figures, stored.input_shape.as_slice()), (&inspection().report.figures, &[1, 1, 28, 28][..]));
    assert_eq!(stored.inspection().unwrap(), inspection());
}

#[tokio::test]
async fn a_dataset_comes_back_as_it_was_stored() {
    let world = World::new().await;
    let stored = world.dataset("clothes").await;
    assert_eq!(world.store.datasets().get(stored.id).await.unwrap(), stored);
    assert_eq!((&stored.content, stored.thumbnails), (&dataset_report().content, 2));
    let second = world.store.datasets().thumbnail(stored.id, 1).await.unwrap();
    assert_eq!(crate::support::content(world.store.files(), &second).await, b"clothes second");
    let error = world.store.datasets().thumbnail(stored.id, 2).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { kind: Kind::Thumbnail, .. }), "{error}");
}

#[tokio::test]
async fn a_new_search_is_queued_and_keeps_its_request() {
    let world = World::new().await;
    let search = world.search().await;
    assert_eq!(search.state, SearchState::Queued);
    assert_eq!(search.request, request(search.model_id, search.dataset_id));
    assert_eq!(world.store.searches().get(search.id).await.unwrap(), search);
}

#[tokio::test]
async fn names_can_be_changed_and_nothing_else_changes_with_them() {
    let world = World::new().await;
    let store = &world.store;
    let search = world.search().await;
    let (model, dataset) = (search.model_id, search.dataset_id);

    let before = store.models().get(model).await.unwrap();
    let renamed = store.models().rename(model, "wide".to_owned()).await.unwrap();
    assert_eq!(renamed, eagleeye_store::Model { name: "wide".to_owned(), ..before });
    let before = store.datasets().get(dataset).await.unwrap();
    let renamed = store.datasets().rename(dataset, "shoes".to_owned()).await.unwrap();
    assert_eq!(renamed, eagleeye_store::Dataset { name: "shoes".to_owned(), ..before });
    for name in [Some("first".to_owned()), None] {
        let before = store.searches().get(search.id).await.unwrap();
        let renamed = store.searches().rename(search.id, name.clone()).await.unwrap();
        let revision = before.revision + 1;
        assert_eq!(renamed, eagleeye_store::Search { name, revision, ..before }, "whoever follows it sees the change");
    }
}

#[tokio::test]
async fn a_model_is_inspected_anew_only_while_no_search_uses_it() {
    let world = World::new().await;
    let model = world.model("weights").await;
    let mut found = inspection();
    found.report.inputs[0].shape = vec![1, 1, 8, 8];
    let figures = &mut found.report.figures;
    (figures.macs, figures.classes, figures.guessed_shape) = (1_000, Some(3), false);
    figures.reachable = Reachable { min: 0.2, max: 0.9 };
    let changed = world.store.models().reinspected(model.id, &found).await.unwrap();
    assert_eq!((changed.input_shape.as_slice(), &changed.figures), (&[1, 1, 8, 8][..], &found.report.figures));
    assert_eq!(changed.inspection().unwrap(), found);
    assert_eq!((changed.name, changed.hash), (model.name.clone(), model.hash.clone()));

    let dataset = world.dataset("clothes").await;
    let search = world.search_on(&model, &dataset).await;
    let error = world.store.models().reinspected(model.id, &found).await.unwrap_err();
    let StoreError::InUse { searches, .. } = error else { panic!("{error}") };
    assert_eq!(searches, [search.id]);
    assert_eq!(world.store.models().searches(model.id).await.unwrap(), [search.id]);
}

#[tokio::test]
async fn a_report_is_completed_unless_another_input_shape_was_set_meanwhile() {
    let world = World::new().await;
    let model = world.model("weights").await;
    let models = world.store.models();
    let stored = async || models.get(model.id).await.unwrap().inspection().unwrap();
    let found = |notice: &str| {
        let mut found = inspection();
        found.report.details.notices.push(notice.to_owned());
        found
    };
    models.complete_report(&model, &found("complete")).await.unwrap();
    assert_eq!(stored().await, found("complete"));
    let before = Model { input_shape: vec![1, 1, 56, 56], ..model.clone() };
    models.complete_report(&before, &found("of another shape")).await.unwrap();
    assert_eq!(stored().await, found("complete"));
}

#[tokio::test]
async fn a_model_whose_report_cannot_be_read_is_listed_and_deleted() {
    let world = World::new().await;
    let models = world.store.models();
    let model = world.model("weights").await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    database.execute_unprepared("UPDATE models SET report = '{\"version\": 99}'").await.unwrap();
    let listed = models.list(&PageRequest::default()).await.unwrap().items.remove(0);
    assert_eq!((listed.id, listed.figures.macs), (model.id, model.figures.macs));
    let error = listed.inspection().unwrap_err().to_string();
    assert!(error.contains(&model.id.to_string()) && error.contains("version 99"), "{error}");
    // Nor does it need what no version has written.
    database.execute_unprepared("UPDATE models SET report = '[]', format = 'caffe', macs = -1").await.unwrap();
    models.get(model.id).await.unwrap_err();
    models.delete(model.id).await.unwrap();
    assert!(world.files_on_disk().is_empty(), "{:?}", world.files_on_disk());
}

#[tokio::test]
async fn reports_are_stored_with_their_version() {
    let world = World::new().await;
    world.model("weights").await;
    world.dataset("clothes").await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    let stored = async |column: &str, table: &str| -> serde_json::Value {
        let sql = format!("SELECT {column} FROM {table}");
        let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await;
        row.unwrap().unwrap().try_get("", column).unwrap()
    };
    let (model, dataset) = (stored("report", "models").await, stored("summary", "datasets").await);
    assert_eq!((&model["version"], &dataset["version"]), (&REPORT_VERSION.into(), &REPORT_VERSION.into()));
    assert_eq!(DatasetReport::from_stored(dataset).unwrap(), dataset_report());
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new().await;
    let id = Uuid::nil();
    let store = &world.store;
    let new = request(id, id);
    let errors = [
        (Kind::Model, store.models().get(id).await.unwrap_err()),
        (Kind::Model, store.models().delete(id).await.unwrap_err()),
        (Kind::Model, store.searches().create(new).await.unwrap_err()),
        (Kind::Model, store.models().rename(id, String::new()).await.unwrap_err()),
        (Kind::Dataset, store.datasets().rename(id, String::new()).await.unwrap_err()),
        (Kind::Search, store.searches().rename(id, None).await.unwrap_err()),
        (Kind::Dataset, store.datasets().get(id).await.unwrap_err()),
        (Kind::Dataset, store.datasets().delete(id).await.unwrap_err()),
        (Kind::Search, store.searches().get(id).await.unwrap_err()),
        (Kind::Search, store.searches().delete(id).await.unwrap_err()),
        (Kind::Search, store.searches().cancel(id).await.unwrap_err()),
        (Kind::Search, store.searches().changes_since(id, 0).await.unwrap_err()),
        (Kind::Candidate, store.candidates().get(id).await.unwrap_err()),
        (Kind::Candidate, store.checkpoints().of_candidate(id).await.unwrap_err()),
        (
            Kind::Candidate,
            store.checkpoints().request(id, CandidateWeights::Adapted, CheckpointFormat::Onnx).await.unwrap_err(),
        ),
        (Kind::Checkpoint, store.checkpoints().get(id).await.unwrap_err()),
    ];
    for (expected, error) in errors {
        assert!(matches!(&error, StoreError::NotFound { kind, .. } if *kind == expected), "{expected}: {error}");
        assert!(error.to_string().contains(&id.to_string()), "{error}");
    }
}

#[tokio::test]
async fn lists_are_newest_first_and_pages_do_not_shift_when_rows_come() {
    let world = World::new().await;
    for number in 0..5 {
        world.model(&format!("weights {number}")).await;
    }
    let first = models(&world.store, None).await;
    world.model("a late one").await;
    let second = models(&world.store, first.next_cursor.clone()).await;
    let third = models(&world.store, second.next_cursor.clone()).await;
    assert_eq!((first.items.len(), second.items.len(), third.items.len()), (2, 2, 1));
    assert_eq!(third.next_cursor, None);
    let mut sizes: Vec<Uuid> = first.items.iter().chain(&second.items).chain(&third.items).copied().collect();
    assert!(sizes.is_sorted_by(|newer, older| newer > older), "{sizes:?}");
    sizes.dedup();
    assert_eq!(sizes.len(), 5);
}

#[tokio::test]
async fn a_foreign_cursor_is_refused() {
    let world = World::new().await;
    let page = PageRequest { limit: None, cursor: Some("page 2".to_string()) };
    let error = world.store.searches().list(&page).await.unwrap_err();
    assert!(matches!(error, StoreError::BadCursor { .. }), "{error}");
}

#[tokio::test]
async fn a_model_and_a_dataset_in_use_stay() {
    let world = World::new().await;
    let search = world.search().await;
    let model = world.store.models().delete(search.model_id).await.unwrap_err();
    let dataset = world.store.datasets().delete(search.dataset_id).await.unwrap_err();
    for (kind, refusal) in [(Kind::Model, model), (Kind::Dataset, dataset)] {
        let StoreError::InUse { kind: found, searches, .. } = &refusal else { panic!("{refusal}") };
        assert_eq!((*found, &searches[..]), (kind, &[search.id][..]));
    }

    world.store.searches().delete(search.id).await.unwrap();
    world.store.models().delete(search.model_id).await.unwrap();
    world.store.datasets().delete(search.dataset_id).await.unwrap();
    assert!(world.files_on_disk().is_empty(), "{:?}", world.files_on_disk());
}

#[tokio::test]
async fn a_checkpoint_asked_for_twice_is_one() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    let candidate = world.store.candidates().all(search.id).await.unwrap().remove(0);
    let mut requests = Vec::new();
    for _ in 0..4 {
        let store = world.other_process().await;
        let candidate = candidate.id;
        requests.push(tokio::spawn(async move {
            store.checkpoints().request(candidate, CandidateWeights::Adapted, CheckpointFormat::Onnx).await.unwrap().id
        }));
    }
    let mut ids = Vec::new();
    for request in requests {
        ids.push(request.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.store.queue().list(&PageRequest::default()).await.unwrap().items.len(), 2);
}

async fn models(store: &Store, cursor: Option<String>) -> Page<Uuid> {
    let page = store.models().list(&PageRequest { limit: Some(2), cursor }).await.unwrap();
    Page { items: page.items.into_iter().map(|model| model.id).collect(), next_cursor: page.next_cursor }
}
