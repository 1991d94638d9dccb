//! How well one figure orders what another one orders.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A coefficient of correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coefficient {
    /// Pearson's r: how near the points are to a line.
    Pearson,
    /// Spearman's rho: Pearson's of the ranks; ties share the mean of theirs.
    Spearman,
    /// Kendall's tau-b: by how much more pairs agree in their order than disagree, divided by the geometric mean of how many are
    /// untied in the one and in the other.
    Kendall,
}

impl Coefficient {
    pub const ALL: [Self; 3] = [Self::Pearson, Self::Spearman, Self::Kendall];

    /// From -1 to 1. `None` where there are fewer than two pairs, one side has one value only, or a value is not finite.
    pub fn of(self, x: &[f64], y: &[f64]) -> Option<f64> {
        debug_assert_eq!(x.len(), y.len());
        // The mean of equal values need not be one of them.
        let has_order = |values: &[f64]| values.iter().any(|value| *value != values[0]);
        if x.iter().chain(y).any(|value| !value.is_finite()) || !has_order(x) || !has_order(y) {
            return None;
        }
        match self {
            Self::Pearson => pearson(x, y),
            Self::Spearman => pearson(&ranks(x), &ranks(y)),
            Self::Kendall => kendall(x, y),
        }
    }
}

fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - mean_x, y - mean_y);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    divided(xy, xx, yy)
}

fn kendall(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mut agreeing, mut apart_x, mut apart_y) = (0.0, 0.0, 0.0);
    let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
    for i in 0..x.len() {
        for j in 0..i {
            let (along_x, along_y) = (sign(x[i], x[j]), sign(y[i], y[j]));
            agreeing += along_x * along_y;
            apart_x += along_x * along_x;
            apart_y += along_y * along_y;
        }
    }
    divided(agreeing, apart_x, apart_y)
}

/// Rounding does not take a coefficient beyond its ends.
fn divided(both: f64, one: f64, other: f64) -> Option<f64> {
    (one > 0.0 && other > 0.0).then(|| (both / (one.sqrt() * other.sqrt())).clamp(-1.0, 1.0))
}

/// The ranks of values, from 1 for the smallest; equal ones share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = begin as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|&place| ranks[place] = rank);
        begin += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// SciPy 1.17.1: pearsonr, spearmanr and kendalltau of the same lists.
    #[test]
    fn coefficients_are_those_of_scipy() {
        let x = [0.10, 0.30, 0.20, 0.20, 0.55, 0.50, 0.90];
        let y = [0.910, 0.925, 0.920, 0.931, 0.931, 0.929, 0.940];
        let wanted = [0.829_846_088, 0.790_909_091, 0.75];
        for (coefficient, wanted) in Coefficient::ALL.into_iter().zip(wanted) {
            let found = coefficient.of(&x, &y).unwrap();
            assert!((found - wanted).abs() < 1e-9, "{coefficient:?}: {found}, not {wanted}");
        }
    }

    #[test]
    fn what_has_no_order_has_no_correlation() {
        for coefficient in Coefficient::ALL {
            assert_eq!(coefficient.of(&[], &[]), None);
            assert_eq!(coefficient.of(&[1.0], &[2.0]), None);
            assert_eq!(coefficient.of(&[1.0, 1.0], &[2.0, 3.0]), None);
            assert_eq!(coefficient.of(&[0.1; 24], &std::array::from_fn::<f64, 24, _>(|place| place as f64)), None);
            assert_eq!(coefficient.of(&[1.0, f64::NAN], &[2.0, 3.0]), None);
        }
    }

    proptest! {
        #[test]
        fn the_same_order_is_1_and_the_opposite_one_is_minus_1(values in prop::collection::hash_set(-1000_i32..1000, 2..20)) {
            let x: Vec<f64> = values.into_iter().map(f64::from).collect();
            let rising: Vec<f64> = x.iter().map(|x| x * x * x).collect();
            let falling: Vec<f64> = x.iter().map(|x| -x).collect();
            for coefficient in [Coefficient::Spearman, Coefficient::Kendall] {
                prop_assert!((coefficient.of(&x, &rising).unwrap() - 1.0).abs() < 1e-12);
                prop_assert!((coefficient.of(&x, &falling).unwrap() + 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn both_sides_count_alike(pairs in prop::collection::vec((0_u8..5, 0_u8..5), 2..20)) {
            let x: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.0)).collect();
            let y: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.1)).collect();
            for coefficient in Coefficient::ALL {
                prop_assert_eq!(coefficient.of(&x, &y), coefficient.of(&y, &x));
            }
        }
    }
}
