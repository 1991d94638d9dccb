//! Random importance, against which the other criteria have to show that they are better.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::error::ImportanceError;
use super::subject::{LayerScores, Subject};

/// Uniform in `[0, 1)`. They depend on the seed and on the group's number alone.
pub(super) fn uniform(subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    let groups = (0u64..).zip(&subject.groups.groups);
    let scores = groups.map(|(number, group)| {
        let mut rng = ChaCha8Rng::seed_from_u64(subject.data.seed);
        // Streams from the other end: strategies are drawn with the same seed from the first ones.
        rng.set_stream(u64::MAX - number);
        vec![(0..group.size).map(|_| rng.random()).collect()]
    });
    Ok(scores.collect())
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::channel_groups;
    use eagleeye_spec::{Aggregate, Criterion, Importance};

    use crate::importance::{ImportanceData, importance};
    use crate::testing::classifier;

    #[test]
    fn the_same_seed_gives_the_same_numbers_whatever_the_weights_are() {
        let of = |network_seed, seed| {
            let network = classifier(network_seed, true);
            let groups = channel_groups(&network.graph).unwrap();
            let how = Importance { criterion: Criterion::Random, aggregate: Aggregate::Sum };
            importance(&network, &groups, how, &ImportanceData::without_images(seed)).unwrap()
        };
        assert_eq!(of(1, 7), of(2, 7));
        let (seven, eight) = (of(1, 7), of(1, 8));
        assert!(seven.iter().zip(&eight).all(|(a, b)| a != b));
        assert!(seven[0].iter().zip(&seven[1]).all(|(a, b)| a != b), "groups have numbers of their own");
    }
}
