//! Which images serve for what. No image serves twice.

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// How many images each part gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// Training images from which batch norm statistics are computed.
    pub calibration: usize,
    /// Held-back training images on which candidates are scored.
    pub scoring: usize,
    /// Images that no part of a search sees; all that are left when absent.
    pub test: Option<usize>,
}

/// Indices of images, each in one list at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub calibration: Vec<usize>,
    pub scoring: Vec<usize>,
    pub test: Vec<usize>,
}

/// Splits a dataset so that each part has every class in the proportion of the whole, to within a few images (four where all
/// classes are equally frequent), and every batch of a part has them mixed. The same labels, counts and seed give the same split, in the same order.
pub fn split(labels: &[usize], counts: &SplitCounts, seed: u64) -> Result<Split, DataError> {
    let available = labels.len();
    let used = counts.calibration.saturating_add(counts.scoring);
    let test = counts.test.unwrap_or(available.saturating_sub(used));
    let wanted = used.saturating_add(test);
    if wanted > available {
        return Err(DataError::TooFewImages {
            wanted: wanted as u64,
            calibration: counts.calibration as u64,
            scoring: counts.scoring as u64,
            test: test as u64,
            available: available as u64,
        });
    }
    let mut order = stratified_order(labels, seed);
    order.truncate(wanted);
    let test = order.split_off(used);
    let scoring = order.split_off(counts.calibration);
    Ok(Split { calibration: order, scoring, test })
}

/// All images, ordered such that every stretch has the classes in proportion: the `j`-th of a class with `n` images, in
/// random order, stands at a random place of the `j`-th of `n` equal parts of the whole.
fn stratified_order(labels: &[usize], seed: u64) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |&largest| largest + 1);
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label].push(index);
    }
    let mut places = Vec::with_capacity(labels.len());
    for (class, mut images) in members.into_iter().enumerate() {
        // A stream of its own for each class: another class's images do not change this one's order.
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(class as u64);
        images.shuffle(&mut random);
        let count = images.len() as f64;
        for (rank, image) in images.into_iter().enumerate() {
            places.push(((rank as f64 + random.random::<f64>()) / count, image));
        }
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    places.into_iter().map(|(_, image)| image).collect()
}
