//! Pipelines: what their stages consist of is made once, whoever asks for it and however often.

use eagleeye_spec::{CandidateWeights, PipelineRequest, TuneOptions};
use eagleeye_store::{CheckpointFormat, NewModel, Pipeline, PipelineState, StoreError, Uuid};
use serde_json::json;

use crate::support::{World, request};

async fn pipeline(world: &World) -> Pipeline {
    let (model, dataset) = (world.model("weights").await, world.dataset("clothes").await);
    let mut search = request(model.id, dataset.id);
    search.macs = None;
    let asked: PipelineRequest = serde_json::from_value(json!({ "search": search, "macs": [0.7, 0.5] })).unwrap();
    world.store.pipelines().create(&asked).await.unwrap()
}

async fn begin_search(world: &World, pipeline: &Pipeline) {
    let request = pipeline.request.search_of(0, pipeline.stages[0].model_id, 1.0);
    world.store.pipelines().begin_search(pipeline.id, 0, request, &[]).await.unwrap();
}

/// A pipeline whose first search has ended, with its winner.
async fn searched(world: &World) -> (Pipeline, Uuid) {
    let pipeline = pipeline(world).await;
    begin_search(world, &pipeline).await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    let winner = world.store.searches().finish(&lease).await.unwrap().best_candidate_id.unwrap();
    (pipeline, winner)
}

async fn models(world: &World) -> usize {
    world.store.models().list(&Default::default()).await.unwrap().items.len()
}

#[tokio::test]
async fn each_part_of_a_stage_is_made_once() {
    let world = World::new().await;
    let (pipeline, winner) = searched(&world).await;
    let (pipelines, options) = (world.store.pipelines(), TuneOptions { epochs: Some(1), ..TuneOptions::default() });
    let of_stage = async || pipelines.get(pipeline.id).await.unwrap().stages[0];
    let search = of_stage().await.search_id;
    begin_search(&world, &pipeline).await;
    assert_eq!(of_stage().await.search_id, search);

    pipelines.begin_tuning(pipeline.id, 0, winner, &options).await.unwrap();
    let tuning = of_stage().await.tuning_id;
    pipelines.begin_tuning(pipeline.id, 0, winner, &options).await.unwrap();
    assert_eq!(of_stage().await.tuning_id, tuning);
    assert_eq!(world.store.tunings().get(tuning.unwrap()).await.unwrap().candidate_id, winner);

    let format = CheckpointFormat::TorchScript;
    pipelines.begin_export(pipeline.id, 0, winner, CandidateWeights::Repaired, format).await.unwrap();
    let checkpoint = world.store.checkpoints().get(of_stage().await.checkpoint_id.unwrap()).await.unwrap();
    assert_eq!(checkpoint.tuning_id, tuning, "what is tuned is exported so");
}

#[tokio::test]
async fn the_next_stage_begins_once_and_a_model_that_is_not_needed_leaves_no_file() {
    let world = World::new().await;
    let (pipeline, _) = searched(&world).await;
    let before = models(&world).await;
    let (one, other) = (world.new_model("one").await, world.new_model("other").await);
    let unneeded = other.file.upload.hash.clone();
    let begin = async |model: NewModel| world.store.pipelines().begin_stage(pipeline.id, 0, model).await.unwrap();
    begin(one).await;
    begin(other).await;
    let stages = world.store.pipelines().get(pipeline.id).await.unwrap().stages;
    assert_eq!((stages.len(), models(&world).await), (2, before + 1));
    assert_eq!(stages[1].search_id, None);
    assert_eq!(world.store.files().size(&unneeded).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_begins_in_a_pipeline_that_has_ended_until_it_is_opened_again() {
    let world = World::new().await;
    let pipeline = pipeline(&world).await;
    let pipelines = world.store.pipelines();
    let ended = pipelines.end(pipeline.id, PipelineState::Failed, Some("no space".to_owned())).await.unwrap();
    assert_eq!((ended.state, ended.error.as_deref()), (PipelineState::Failed, Some("no space")));
    assert!(ended.finished_at.is_some());
    let again = pipelines.end(pipeline.id, PipelineState::Succeeded, None).await.unwrap();
    assert_eq!(again, ended, "it has ended once");
    begin_search(&world, &pipeline).await;
    assert_eq!(pipelines.get(pipeline.id).await.unwrap().stages[0].search_id, None);
    assert_eq!(pipelines.unfinished().await.unwrap(), Vec::<Uuid>::new());

    let opened = pipelines.reopen(pipeline.id).await.unwrap();
    assert_eq!((opened.state, opened.error, opened.finished_at), (PipelineState::Running, None, None));
    assert_eq!(pipelines.unfinished().await.unwrap(), [pipeline.id]);
    assert!(matches!(pipelines.reopen(pipeline.id).await, Err(StoreError::Conflict { .. })));
    begin_search(&world, &pipeline).await;
    assert!(pipelines.get(pipeline.id).await.unwrap().stages[0].search_id.is_some());
}

#[tokio::test]
async fn what_a_pipeline_has_made_stays_when_it_is_deleted() {
    let world = World::new().await;
    let (pipeline, winner) = searched(&world).await;
    world.store.pipelines().delete(pipeline.id).await.unwrap();
    assert!(matches!(world.store.pipelines().get(pipeline.id).await, Err(StoreError::NotFound { .. })));
    world.store.candidates().get(winner).await.unwrap();
}
