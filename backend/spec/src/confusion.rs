//! What a confusion matrix says about the labels: whether the classes are in another order than the network's, and whether the
//! network answers anything but one class.
//!
//! A confusion matrix has a row for each label and in it, for each class, how many of the label's images the network answered
//! with that class. Rows may be shorter than others, or absent; what is absent is 0.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// Up to so many classes the best assignment is exact; its time grows with their cube.
const EXACT_CLASSES: usize = 1000;
/// The least gain of another order of the classes that is worth a word.
const GAIN: f64 = 0.1;
/// A network answers nearly always the same class from this share on.
const NEARLY_ALWAYS: f64 = 0.9;

/// The accuracy as it is, and under the one-to-one assignment of answers to labels under which it is highest. Both are 0 without
/// images.
///
/// The second one is never below the first, and is above chance for answers that say nothing about the labels, the more so the
/// fewer images there are for each class: [`class_order_is_suspect`] takes that into account.
pub fn best_permutation_gain(confusion: &[Vec<u64>]) -> (f64, f64) {
    let identity: Vec<usize> = (0..classes(confusion)).collect();
    (accuracy_under(confusion, &identity), accuracy_under(confusion, &best_assignment(confusion)))
}

/// For each label the answer that stands for it, such that as many images as possible are classified correctly; of assignments
/// that are as good, one that moves the fewest classes.
///
/// Exact up to 1000 classes (Kuhn and Munkres); beyond, pairs of label and answer are taken by their number of images, largest
/// first, but the order as it is is kept where that is as good.
pub fn best_assignment(confusion: &[Vec<u64>]) -> Vec<usize> {
    let classes = classes(confusion);
    if classes > EXACT_CLASSES {
        return greedy_assignment(confusion);
    }
    // A class that stays is worth less than any image.
    let scale = classes as i64 + 1;
    let worth = |(label, answer)| count(confusion, label, answer) as i64 * scale + i64::from(label == answer);
    let Some(places) = (classes > 0).then(|| Matrix::from_fn(classes, classes, worth)) else { return Vec::new() };
    kuhn_munkres(&places).1
}

fn greedy_assignment(confusion: &[Vec<u64>]) -> Vec<usize> {
    let classes = classes(confusion);
    let rows = confusion.iter().enumerate();
    let pairs =
        rows.flat_map(|(label, row)| row.iter().enumerate().map(move |(answer, &images)| (images, label, answer)));
    let mut pairs: Vec<_> = pairs.filter(|&(images, _, _)| images > 0).collect();
    pairs.sort_by_key(|&(images, label, answer)| (std::cmp::Reverse(images), label != answer, label, answer));

    let mut assigned = vec![None; classes];
    let mut taken = vec![false; classes];
    for (_, label, answer) in pairs {
        if assigned[label].is_none() && !taken[answer] {
            (assigned[label], taken[answer]) = (Some(answer), true);
        }
    }
    for label in 0..classes {
        if assigned[label].is_none() && !taken[label] {
            (assigned[label], taken[label]) = (Some(label), true);
        }
    }
    let mut left = (0..classes).filter(|&answer| !taken[answer]);
    let greedy: Vec<usize> = assigned.into_iter().filter_map(|answer| answer.or_else(|| left.next())).collect();
    let identity: Vec<usize> = (0..classes).collect();
    let better = accuracy_under(confusion, &greedy) > accuracy_under(confusion, &identity);
    if better { greedy } else { identity }
}

/// The share of images whose answer is the one that stands for their label.
pub fn accuracy_under(confusion: &[Vec<u64>], assignment: &[usize]) -> f64 {
    let hits = assignment.iter().enumerate().map(|(label, &answer)| count(confusion, label, answer)).sum::<u64>();
    hits as f64 / images(confusion).max(1) as f64
}

/// Whether the classes are probably in another order than the network's: under the best assignment the accuracy is at least ten
/// points higher, at most half of the errors are left, and answers that have nothing to do with the labels would not reach it.
///
/// The last is a bound on what such answers are expected to reach: the largest of as many Poisson counts as there are classes,
/// for each label, with the mean that the label's and the answer's totals give (Bernstein's inequality). With a handful of images
/// for each class nothing is above it.
pub fn class_order_is_suspect(confusion: &[Vec<u64>]) -> bool {
    let assignment = best_assignment(confusion);
    let (current, best) = best_permutation_gain_of(confusion, &assignment);
    best - current >= GAIN && 1.0 - best <= (1.0 - current) / 2.0 && best > reached_by_chance(confusion, &assignment)
}

fn best_permutation_gain_of(confusion: &[Vec<u64>], assignment: &[usize]) -> (f64, f64) {
    let identity: Vec<usize> = (0..assignment.len()).collect();
    (accuracy_under(confusion, &identity), accuracy_under(confusion, assignment))
}

fn reached_by_chance(confusion: &[Vec<u64>], assignment: &[usize]) -> f64 {
    let all = images(confusion).max(1) as f64;
    let answers = answers_of(confusion);
    let spread = (assignment.len().max(2) as f64).ln();
    let largest = assignment.iter().enumerate().map(|(label, &answer)| {
        let images = confusion.get(label).map_or(0, |row| row.iter().sum()) as f64;
        let expected = images * answers[answer] as f64 / all;
        (expected + (2.0 * expected * spread).sqrt() + spread / 3.0).min(images)
    });
    largest.sum::<f64>() / all
}

/// A class that a network answers nearly always.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneAnswer {
    /// Its number.
    pub class: usize,
    /// Images that were answered so.
    pub answers: u64,
    /// Images that were answered at all.
    pub images: u64,
}

/// The class that the network answers on at least nine images of ten, unless at least half as many images are labelled so.
///
/// `answers` and `labels` are the images of each class by answer and by label; `labels` is empty where there are none.
pub fn one_answer(answers: &[u64], labels: &[u64]) -> Option<OneAnswer> {
    let images = answers.iter().sum::<u64>();
    let (class, &most) = answers.iter().enumerate().max_by_key(|&(class, count)| (count, std::cmp::Reverse(class)))?;
    let nearly_always = images > 0 && answers.len() > 1 && most as f64 >= NEARLY_ALWAYS * images as f64;
    let rightly = labels.get(class).is_some_and(|&labelled| 2 * labelled >= most);
    (nearly_always && !rightly).then_some(OneAnswer { class, answers: most, images })
}

/// Images of each class by answer: the columns' sums.
pub fn answers_of(confusion: &[Vec<u64>]) -> Vec<u64> {
    let mut answers = vec![0; classes(confusion)];
    for row in confusion {
        for (answer, images) in row.iter().enumerate() {
            answers[answer] += images;
        }
    }
    answers
}

fn classes(confusion: &[Vec<u64>]) -> usize {
    confusion.iter().map(Vec::len).max().unwrap_or(0).max(confusion.len())
}

fn images(confusion: &[Vec<u64>]) -> u64 {
    confusion.iter().flatten().sum()
}

fn count(confusion: &[Vec<u64>], label: usize, answer: usize) -> u64 {
    confusion.get(label).and_then(|row| row.get(answer)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A network that is right on `hits` of `images` images of each class and else spreads its answers, behind an order of classes.
    fn network(order: &[usize], hits: u64, images: u64) -> Vec<Vec<u64>> {
        let others = (order.len() - 1) as u64;
        let wrong = (images - hits) / others;
        let row = |right: usize| {
            let cell = |answer| if answer == right { images - wrong * others } else { wrong };
            (0..order.len()).map(cell).collect()
        };
        order.iter().map(|&right| row(right)).collect()
    }

    #[test]
    fn a_permuted_diagonal_is_put_right() {
        let order = [3, 0, 4, 1, 2];
        let confusion = network(&order, 92, 100);
        assert_eq!(best_assignment(&confusion), order);
        assert_eq!(best_permutation_gain(&confusion), (0.02, 0.92));
        assert!(class_order_is_suspect(&confusion));
    }

    #[test]
    fn a_network_whose_classes_are_in_order_gains_nothing() {
        let confusion = network(&[0, 1, 2, 3], 70, 100);
        assert_eq!(best_permutation_gain(&confusion), (0.7, 0.7));
        assert!(!class_order_is_suspect(&confusion));
        // Two classes that are told apart badly gain a little when they are swapped.
        assert!(!class_order_is_suspect(&[vec![80, 10, 10], vec![10, 40, 50], vec![10, 50, 40]].map(Vec::from)));
    }

    #[test]
    fn the_assignment_is_the_best_and_not_the_nearest() {
        // Taking the 9 first leaves 9 + 0; the best is 8 + 8.
        let confusion = [vec![9, 8], vec![8, 0]];
        assert_eq!(best_assignment(&confusion), [1, 0]);
        assert_eq!(best_permutation_gain(&confusion), (9.0 / 25.0, 16.0 / 25.0));
    }

    #[test]
    fn some_folders_in_another_order_are_seen() {
        // Folders "0", "1", "10", "2", ..., "9": the first two are where they were.
        let confusion = network(&[0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9], 54, 64);
        let right = 11.0 * 54.0 / 704.0;
        assert_eq!(best_permutation_gain(&confusion), ((2.0 * 54.0 + 9.0) / 704.0, right));
        assert!(class_order_is_suspect(&confusion));
    }

    #[test]
    fn answers_that_have_nothing_to_do_with_the_labels_are_no_permutation() {
        // 64 images of 10 classes with fixed, scattered answers: the best assignment gains much and means nothing.
        let mut confusion = vec![vec![0; 10]; 10];
        for image in 0..64u64 {
            let scattered = (image * image * 2_654_435_761 + 12_345) >> 7;
            confusion[(image % 10) as usize][(scattered % 10) as usize] += 1;
        }
        let (current, best) = best_permutation_gain(&confusion);
        assert!(best - current > 0.15, "{current} {best}");
        assert!(!class_order_is_suspect(&confusion));
        // One image of each class fits an order of the classes whatever the answers are.
        let shifted: Vec<usize> = (0..20).map(|class| (class + 1) % 20).collect();
        assert!(!class_order_is_suspect(&network(&shifted, 1, 1)));
    }

    #[test]
    fn a_matrix_may_be_empty_or_have_fewer_labels_than_answers() {
        assert_eq!(best_permutation_gain(&[]), (0.0, 0.0));
        assert_eq!(best_permutation_gain(&[vec![0, 0], vec![]]), (0.0, 0.0));
        assert!(!class_order_is_suspect(&[]));
        let two_of_four = [vec![0, 0, 0, 5], vec![0, 5]];
        assert_eq!(best_assignment(&two_of_four)[..2], [3, 1]);
        assert_eq!(best_permutation_gain(&two_of_four), (0.5, 1.0));
    }

    #[test]
    fn a_thousand_classes_and_more_are_put_right_in_time() {
        for classes in [1000, 1500] {
            let confusion: Vec<Vec<u64>> = (0..classes)
                .map(|label| (0..classes).map(|answer| if answer == (label + 7) % classes { 5 } else { 0 }).collect())
                .collect();
            assert_eq!(best_permutation_gain(&confusion), (0.0, 1.0), "{classes} classes");
            assert!(class_order_is_suspect(&confusion), "{classes} classes");
        }
    }

    #[test]
    fn a_network_that_answers_one_class_is_seen_unless_the_images_are_of_that_class() {
        assert_eq!(one_answer(&[2, 95, 3], &[30, 35, 35]), Some(OneAnswer { class: 1, answers: 95, images: 100 }));
        assert_eq!(one_answer(&[2, 95, 3], &[]), Some(OneAnswer { class: 1, answers: 95, images: 100 }));
        assert_eq!(one_answer(&[2, 95, 3], &[5, 90, 5]), None);
        assert_eq!(one_answer(&[20, 77, 3], &[30, 35, 35]), None);
        assert_eq!((one_answer(&[], &[]), one_answer(&[0, 0], &[]), one_answer(&[9], &[9])), (None, None, None));
        assert_eq!(answers_of(&[vec![1, 2, 3], vec![4]]), [5, 2, 3]);
    }

    proptest! {
        #[test]
        fn no_order_of_the_classes_is_better(
            cells in prop::collection::vec(prop::collection::vec(0u64..30, 5), 5),
            order in Just((0..5usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let best = best_assignment(&cells);
            let mut answers = best.clone();
            answers.sort_unstable();
            prop_assert_eq!(answers, (0..5).collect::<Vec<_>>());
            let reached = accuracy_under(&cells, &best);
            prop_assert!(reached >= accuracy_under(&cells, &order));
            prop_assert!(reached >= accuracy_under(&cells, &greedy_assignment(&cells)));
            let (current, gained) = best_permutation_gain(&cells);
            prop_assert!(current <= gained && gained == reached);
        }
    }
}
