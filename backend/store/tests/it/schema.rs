//! The schema: up, down, and up again; foreign keys; two processes that start together.

use eagleeye_migrations::{Migrator, MigratorTrait};
use eagleeye_store::{Store, StoreConfig, StoreError};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use crate::support::{KINDS, World};

async fn tables(database: &DatabaseConnection) -> Vec<String> {
    let sql = match database.get_database_backend() {
        DbBackend::Postgres => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1",
    };
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

#[tokio::test]
async fn migrations_go_down_and_up_again() {
    let world = World::new().await;
    world.search().await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    let all = [
        "candidates",
        "checkpoints",
        "datasets",
        "evaluations",
        "events",
        "files",
        "jobs",
        "model_graphs",
        "models",
        "pipeline_stages",
        "pipelines",
        "properties",
        "recipes",
        "resumable_uploads",
        "seaql_migrations",
        "searches",
        "splits",
        "studies",
        "thumbnails",
        "tuning_epochs",
        "tuning_races",
        "tunings",
        "upload_parts",
        "uploads",
        "workers",
    ];
    assert_eq!(tables(&database).await, all);
    Migrator::down(&database, None).await.unwrap();
    assert_eq!(tables(&database).await, ["seaql_migrations"]);
    Migrator::up(&database, None).await.unwrap();
    assert_eq!(tables(&database).await, all);
    assert_eq!(world.store.queue().claim("a", &KINDS).await.unwrap(), None);
}

#[tokio::test]
async fn processes_that_start_together_do_not_migrate_twice() {
    let world = World::new().await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    Migrator::down(&database, None).await.unwrap();
    let starts = (0..6).map(|_| {
        let config = world.config.clone();
        tokio::spawn(async move { Store::connect_with(config).await.map(|_| ()) })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    world.search().await;
}

#[tokio::test]
async fn a_row_that_names_a_missing_file_is_refused() {
    let world = World::new().await;
    let mut new = world.new_model("weights").await;
    new.file.upload.hash = eagleeye_store::FileHash::from(blake3::hash(b"something else"));
    let error = world.store.models().create(new).await.unwrap_err();
    let StoreError::Database(error) = error else { panic!("{error}") };
    assert!(error.to_string().to_lowercase().contains("foreign key"), "{error}");
}

#[tokio::test]
async fn an_address_of_another_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    let error = Store::connect("mysql://localhost/eagleeye".into(), files.to_str().unwrap().into()).await.unwrap_err();
    assert!(matches!(error, StoreError::BadDatabaseUrl { .. }), "{error}");
}

#[tokio::test]
async fn a_folder_with_odd_characters_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("50% of what? #1");
    let store = Store::connect_with(StoreConfig::in_folder(&odd)).await.unwrap();
    store.ping().await.unwrap();
    store.upload_bytes("weights").await.unwrap();
    let header = std::fs::read(odd.join("eagleeye.db")).unwrap();
    assert_eq!(&header[..15], b"SQLite format 3");
    assert_eq!(header[18..20], [2, 2], "file format 2 is write-ahead logging");
}

#[tokio::test]
async fn the_folder_of_a_database_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("deep/down/eagleeye.db").display());
    let store =
        Store::connect(database.as_str().into(), folder.path().join("files").to_str().unwrap().into()).await.unwrap();
    assert_eq!(store.queue().claim("a", &KINDS).await.unwrap(), None);
    assert!(folder.path().join("deep/down/eagleeye.db").is_file());
}
