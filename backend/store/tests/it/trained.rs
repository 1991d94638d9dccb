//! What workers write into tunings.

use eagleeye_spec::{DriftKind, Epoch, Histogram, LayerDrift, Score, TuningResult};
use eagleeye_store::{Lease, StoreError, Tuned};

use crate::support::World;

/// An epoch after which so much is lost on the validation images; less is better.
pub fn epoch(number: u32, loss: f64) -> Epoch {
    Epoch {
        epoch: number,
        steps: u64::from(number) * 10,
        loss,
        train_top1: None,
        validation: Score::new(0.9, 0.99, loss),
        learning_rate: 0.01,
        images_per_second: 1000.0,
        seconds: 1.5,
        seconds_left: 3.0,
        filter_norms: Histogram { low: 0.0, high: 2.0, counts: vec![1, 2] },
        drift: vec![LayerDrift { tensor: "conv1.weight".to_owned(), kind: DriftKind::Weight, relative: 0.1 }],
    }
}

pub async fn save(world: &World, lease: &Lease, content: &str) -> Result<(), StoreError> {
    let upload = world.store.upload_bytes(content.to_owned()).await.unwrap();
    world.store.tunings().save_snapshot(lease, &upload).await
}

pub async fn tuned(world: &World, weights: &str) -> Tuned {
    let score = |top1| Score::new(top1, 0.99, 0.3);
    let result = TuningResult {
        full: score(0.94),
        before: score(0.9),
        validation: score(0.93),
        test: Some(score(0.92)),
        epochs: 3,
        training_images: 20,
        validation_images: 20,
        test_images: 10,
        by_epoch: vec![0.5],
        seconds: Some(1.0),
        trained_by: None,
        filter_norms_before: None,
    };
    Tuned { weights: world.store.upload_bytes(weights.to_owned()).await.unwrap(), steps: 30, result }
}
