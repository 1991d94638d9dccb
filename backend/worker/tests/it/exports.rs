//! `run`: a candidate as an archive for PyTorch.

use std::path::Path;

use eagleeye_spec::CandidateWeights;
use eagleeye_store::{Check, Checkpoint, CheckpointFormat, CheckpointState, Uuid};
use serde_json::{Value, json};

use crate::service::{PATIENCE, World};
use crate::support::until;

impl World {
    async fn exported(&self, candidate: Uuid, format: CheckpointFormat) -> Checkpoint {
        let asked = self.store.checkpoints().request(candidate, CandidateWeights::Adapted, format).await.unwrap();
        until("the export has ended", PATIENCE, async || {
            let checkpoint = self.store.checkpoints().get(asked.id).await.unwrap();
            matches!(checkpoint.state, CheckpointState::Ready | CheckpointState::Failed).then_some(checkpoint)
        })
        .await
    }
}

#[tokio::test]
async fn a_candidate_is_exported_as_a_state_dict_with_its_card() {
    let world = World::new().await;
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/data_folders/small.pt");
    let model = world.model(&small).await;
    let search = world.search(&model, json!({ "candidates": 1, "test_images": 200 })).await;
    let _worker = world.start("w");
    let search = world.ended(search).await;
    let candidate = search.best_candidate_id.unwrap();

    let archive = world.exported(candidate, CheckpointFormat::StateDict).await;
    assert_eq!((archive.state, archive.error.clone()), (CheckpointState::Ready, None));
    assert!(archive.max_difference.unwrap() < 1e-4);
    let file = world.store.files().materialize(&archive.hash.unwrap(), Check::Anew).await.unwrap();
    let mut entries = zip::ZipArchive::new(std::fs::File::open(file.path()).unwrap()).unwrap();
    let mut names: Vec<String> = entries.file_names().map(|name| name.unwrap().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["card.json", "card.md", "rebuild.py", "weights.safetensors"]);
    let card = std::io::read_to_string(entries.by_name("card.json").unwrap()).unwrap();
    let card: Value = serde_json::from_str(&card).unwrap();
    assert_eq!(card["source"]["hash"], model.hash.to_string());
    assert_eq!((&card["file"], &card["weights"]), (&Value::Null, &json!("adapted")));
    let scored = card["scores"].as_array().unwrap();
    assert!(scored.iter().any(|own| own["network"] == "adapted" && own["image_set"] == "test"), "{card}");
    assert_eq!(card["repeat"]["request"]["strategies"], json!(["manual"]));
}
