//! A store with a search that a worker has claimed, for tests that need no engine.

use eagleeye_store::{
    Claim, Lease, NamedUpload, NewDataset, NewModel, SEARCH_JOB, SearchState, Store, StoreConfig, Uuid, Wanted,
};
use tempfile::TempDir;

#[path = "../tests/it/reports.rs"]
mod reports;

pub const KINDS: [Wanted<'static>; 1] = [Wanted { kind: SEARCH_JOB, priority: 1 }];

pub struct ClaimedSearch {
    pub store: Store,
    pub id: Uuid,
    pub lease: Lease,
    _folder: TempDir,
}

impl ClaimedSearch {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::connect_with(StoreConfig::in_folder(folder.path())).await.unwrap();
        let id = queue_search(&store).await;
        let Claim { lease, .. } = store.queue().claim("this worker", &KINDS).await.unwrap().unwrap();
        Self { store, id, lease, _folder: folder }
    }

    /// How the search stands, and why it failed.
    pub async fn state(&self) -> (SearchState, Option<String>) {
        let search = self.store.searches().get(self.id).await.unwrap();
        (search.state, search.error)
    }
}

async fn queue_search(store: &Store) -> Uuid {
    let file = async |name: &str| {
        let upload = store.upload_bytes(name.to_owned()).await.unwrap();
        NamedUpload { name: name.to_owned(), upload }
    };
    let model = NewModel {
        name: "model".to_owned(),
        file: file("model.pt").await,
        data: None,
        inspection: reports::inspection(),
        lineage: None,
    };
    let dataset = NewDataset {
        name: "dataset".to_owned(),
        images_file: file("images.npz").await,
        labels_file: None,
        report: reports::dataset_report(),
        thumbnails: Vec::new(),
    };
    let model = store.models().create(model).await.unwrap().id;
    let dataset = store.datasets().create(dataset).await.unwrap().id;
    let request = serde_json::from_value(serde_json::json!({
        "model_id": model, "dataset_id": dataset, "macs": 0.5, "calibration_images": 10, "scoring_images": 10,
        "preprocessing": { "mean": [0.5], "deviation": [0.25] },
    }));
    store.searches().create(request.unwrap()).await.unwrap().id
}
