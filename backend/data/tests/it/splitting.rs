//! Which images serve for what.

use std::collections::BTreeSet;

use eagleeye_data::{DataError, Split, SplitCounts, split};
use proptest::prelude::*;

fn counts(calibration: usize, scoring: usize, test: Option<usize>) -> SplitCounts {
    SplitCounts { calibration, scoring, test }
}

fn parts(split: &Split) -> [&Vec<usize>; 3] {
    [&split.calibration, &split.scoring, &split.test]
}

#[test]
fn the_rest_is_for_tests_unless_a_number_is_given() {
    let labels = [0; 10];
    assert_eq!(split(&labels, &counts(3, 4, None), 0).unwrap().test.len(), 3);
    assert_eq!(split(&labels, &counts(3, 4, Some(1)), 0).unwrap().test.len(), 1);
    assert_eq!(split(&labels, &counts(5, 5, None), 0).unwrap().test.len(), 0);
}

#[test]
fn more_images_than_there_are_cannot_be_used() {
    let refusal = split(&[0; 10], &counts(6, 5, None), 0).unwrap_err();
    let named =
        matches!(refusal, DataError::TooFewImages { wanted: 11, calibration: 6, scoring: 5, test: 0, available: 10 });
    assert!(named, "{refusal}");
    assert!(split(&[0; 10], &counts(5, 5, Some(1)), 0).is_err());
    assert!(split(&[0; 10], &counts(usize::MAX, usize::MAX, Some(usize::MAX)), 0).is_err());
}

#[test]
fn another_seed_is_another_split() {
    let labels: Vec<usize> = (0..100).map(|index| index % 3).collect();
    let with = |seed| split(&labels, &counts(30, 40, None), seed).unwrap();
    assert_ne!(with(1), with(2));
    assert_ne!(with(1).calibration, (0..30).collect::<Vec<_>>(), "the order of the file is not kept");
}

/// Stored splits must stay what they are: a change of this test means that old searches cannot be repeated.
#[test]
fn a_split_is_the_same_in_every_release() {
    let labels: Vec<usize> = (0..12).map(|index| index % 3).collect();
    let found = split(&labels, &counts(4, 4, None), 7).unwrap();
    let expected = [vec![1, 0, 11, 9], vec![8, 10, 3, 7], vec![2, 6, 5, 4]];
    assert_eq!(parts(&found), expected.each_ref());
}

#[test]
fn batches_have_the_classes_mixed() {
    // A file that is sorted by class, as many are.
    let labels: Vec<usize> = (0..1000).map(|index| index / 100).collect();
    let found = split(&labels, &counts(500, 500, None), 3).unwrap();
    for batch in found.calibration.chunks(100) {
        let classes: BTreeSet<usize> = batch.iter().map(|&index| labels[index]).collect();
        assert_eq!(classes.len(), 10, "every batch of 100 sees every class");
    }
}

/// Labels of up to five classes, possibly with gaps, and counts that fit them.
fn splittable() -> impl Strategy<Value = (Vec<usize>, SplitCounts, u64)> {
    prop::collection::vec(0usize..5, 1..300).prop_flat_map(|labels| {
        let available = labels.len();
        let counts = (0..=available).prop_flat_map(move |calibration| {
            let rest = available - calibration;
            (Just(calibration), 0..=rest).prop_flat_map(move |(calibration, scoring)| {
                let test = prop::option::of(0..=rest - scoring);
                test.prop_map(move |test| SplitCounts { calibration, scoring, test })
            })
        });
        (Just(labels), counts, any::<u64>())
    })
}

proptest! {
    #[test]
    fn no_image_serves_twice_and_every_part_has_its_number((labels, counts, seed) in splittable()) {
        let found = split(&labels, &counts, seed).unwrap();
        prop_assert_eq!(found.calibration.len(), counts.calibration);
        prop_assert_eq!(found.scoring.len(), counts.scoring);
        let rest = labels.len() - counts.calibration - counts.scoring;
        prop_assert_eq!(found.test.len(), counts.test.unwrap_or(rest));
        let used: Vec<usize> = parts(&found).into_iter().flatten().copied().collect();
        let distinct: BTreeSet<usize> = used.iter().copied().collect();
        prop_assert_eq!(used.len(), distinct.len());
        prop_assert!(distinct.iter().all(|&index| index < labels.len()));
    }

    #[test]
    fn every_part_has_every_class_in_proportion_to_within_a_few_images((labels, counts, seed) in splittable()) {
        let found = split(&labels, &counts, seed).unwrap();
        for part in parts(&found) {
            for class in 0..5 {
                let of_class = labels.iter().filter(|&&label| label == class).count();
                let share = of_class as f64 * part.len() as f64 / labels.len() as f64;
                let count = part.iter().filter(|&&index| labels[index] == class).count() as f64;
                // A part ends at two places. At each, every class is within one image of its due at a common position,
                // and all classes together move that position by as many images as there are classes.
                let allowed = 2.0 * (1.0 + 5.0 * of_class as f64 / labels.len() as f64);
                prop_assert!((count - share).abs() <= allowed, "{count} of class {class} where {share} are due");
            }
        }
    }

    #[test]
    fn the_same_request_gives_the_same_split((labels, counts, seed) in splittable()) {
        prop_assert_eq!(split(&labels, &counts, seed).unwrap(), split(&labels, &counts, seed).unwrap());
    }
}
