//! Which of several points are best where no objective is worth more than another (Deb et al., *A fast and elitist
//! multiobjective genetic algorithm: NSGA-II*, 2002). All objectives are minimised; NaN counts as larger than any number.

use std::cmp::Ordering;

/// The points that no other point dominates, in their order. A point dominates another where it is no larger in any objective
/// and smaller in at least one; points that are equal do not dominate each other.
///
/// All points have the same number of objectives, each of which is to be small.
pub fn pareto_front<P: AsRef<[f64]>>(points: &[P]) -> Vec<usize> {
    fronts(points).into_iter().next().unwrap_or_default()
}

/// The points sorted into fronts: those that no other dominates, those that only the first ones dominate, and so on.
pub(crate) fn fronts<P: AsRef<[f64]>>(points: &[P]) -> Vec<Vec<usize>> {
    let dominate = |a: usize, b: usize| dominates(points[a].as_ref(), points[b].as_ref());
    let all = || 0..points.len();
    let mut dominators: Vec<usize> = all().map(|point| all().filter(|&other| dominate(other, point)).count()).collect();
    let mut fronts = Vec::new();
    let mut front: Vec<usize> = all().filter(|&point| dominators[point] == 0).collect();
    while !front.is_empty() {
        let mut next = Vec::new();
        for &point in &front {
            for other in all().filter(|&other| dominate(point, other)) {
                dominators[other] -= 1;
                if dominators[other] == 0 {
                    next.push(other);
                }
            }
        }
        next.sort_unstable();
        fronts.push(std::mem::replace(&mut front, next));
    }
    fronts
}

/// How alone each point of a front is: the distances between its neighbours on either side in each objective, as parts of the
/// front's extent, together. Infinite at the ends. In the order of `front`.
pub(crate) fn crowding<P: AsRef<[f64]>>(points: &[P], front: &[usize]) -> Vec<f64> {
    let mut distances = vec![0.0; front.len()];
    let objectives = front.first().map_or(0, |&point| points[point].as_ref().len());
    for objective in 0..objectives {
        let value = |position: usize| points[front[position]].as_ref()[objective];
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        let (first, last) = (order[0], order[order.len() - 1]);
        let extent = value(last) - value(first);
        // No point stands out in an objective that all have the same of, or that is unknown.
        if extent > 0.0 && extent.is_finite() {
            (distances[first], distances[last]) = (f64::INFINITY, f64::INFINITY);
            for around in order.windows(3) {
                distances[around[1]] += (value(around[2]) - value(around[0])) / extent;
            }
        }
    }
    if front.len() <= 2 {
        distances.fill(f64::INFINITY);
    }
    distances
}

fn dominates(a: &[f64], b: &[f64]) -> bool {
    let each = || a.iter().zip(b).map(|(a, b)| compare(*a, *b));
    each().all(Ordering::is_le) && each().any(Ordering::is_lt)
}

/// The order of numbers, with NaN at the end, and 0 equal to -0.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_sorted_into_fronts() {
        let points = [[1.0, 5.0], [2.0, 3.0], [4.0, 1.0], [3.0, 4.0], [5.0, 5.0], [2.0, 3.0]];
        assert_eq!(fronts(&points), [vec![0, 1, 2, 5], vec![3], vec![4]]);
        assert_eq!(pareto_front(&points), [0, 1, 2, 5]);
        assert_eq!(pareto_front::<[f64; 2]>(&[]), [0usize; 0]);
    }

    #[test]
    fn with_one_objective_the_smallest_is_the_front() {
        assert_eq!(pareto_front(&[[3.0], [1.0], [2.0], [1.0]]), [1, 3]);
    }

    #[test]
    fn what_is_unknown_is_worse_than_any_number() {
        assert_eq!(pareto_front(&[[1.0, f64::NAN], [1.0, 9.0], [0.5, f64::NAN]]), [1, 2]);
        assert_eq!(pareto_front(&[[f64::NAN], [f64::NAN]]), [0, 1]);
        assert_eq!(pareto_front(&[[f64::INFINITY], [f64::NAN]]), [0]);
        assert_eq!(pareto_front(&[[0.0], [-0.0]]), [0, 1]);
    }

    #[test]
    fn ends_are_alone_and_the_others_as_far_as_their_neighbours() {
        let points = [[0.0, 10.0], [1.0, 4.0], [2.0, 3.0], [10.0, 0.0]];
        let distances = crowding(&points, &[0, 1, 2, 3]);
        assert_eq!((distances[0], distances[3]), (f64::INFINITY, f64::INFINITY));
        assert!((distances[1] - (0.2 + 0.7)).abs() < 1e-12, "{distances:?}");
        assert!((distances[2] - (0.9 + 0.4)).abs() < 1e-12, "{distances:?}");
    }

    #[test]
    fn an_objective_that_all_have_the_same_of_does_not_count() {
        let points = [[1.0, 7.0], [0.0, 7.0], [2.0, 7.0]];
        assert_eq!(crowding(&points, &[0, 1, 2]), [1.0, f64::INFINITY, f64::INFINITY]);
        assert_eq!(crowding(&points, &[1]), [f64::INFINITY]);
        assert_eq!(crowding(&[[5.0], [5.0], [5.0]], &[0, 1, 2]), [0.0; 3]);
    }
}
