//! Whether two networks can be told apart on the same images.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hits::Hits;
use crate::interval::{Interval, Z};

/// Networks are tied where they would differ as much by chance with at least this probability.
pub const TIED: f64 = 0.05;

/// Two networks on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Paired {
    /// Images that both were scored on.
    pub images: u64,
    /// Images that only the first one classifies correctly.
    pub only_a: u64,
    /// Images that only the second one classifies correctly.
    pub only_b: u64,
    /// Probability that two equally good networks differ this much or more on these images.
    #[schema(minimum = 0, maximum = 1)]
    pub p_value: f64,
}

/// Compares two networks on the images that both were scored on: the exact McNemar test, two-sided.
///
/// Images on which both are right or both wrong say nothing about which is better. Of the others, equally good networks win each
/// with probability 1/2, so the p-value is the binomial one of the smaller count, doubled.
pub fn paired(a: &Hits, b: &Hits) -> Paired {
    let (only_a, only_b) = (a.count_without(b), b.count_without(a));
    Paired { images: a.len().min(b.len()), only_a, only_b, p_value: two_sided(only_a, only_b).exact }
}

/// Whether the two cannot be told apart on the images that both were scored on, at [`TIED`].
pub fn tied(a: &Hits, b: &Hits) -> bool {
    paired(a, b).tied()
}

impl Paired {
    /// Whether the two cannot be told apart, at [`TIED`].
    ///
    /// One comparison is wrong in at most 5% of the cases; the best of many against one other is wrong more often.
    pub fn tied(&self) -> bool {
        self.p_value >= TIED
    }

    /// Whether the first one is better and the two are not tied.
    pub fn a_is_better(&self) -> bool {
        !self.tied() && self.only_a > self.only_b
    }

    /// Whether the second one is better and the two are not tied.
    pub fn b_is_better(&self) -> bool {
        !self.tied() && self.only_b > self.only_a
    }

    /// The p-value that counts half of the probability of exactly this difference (Fagerland, Lydersen and Laake, 2013). The
    /// exact test calls fewer than 5% of equally good pairs different, far fewer where they differ on few images; this one comes
    /// closer to 5%, but is not sure to stay below.
    pub fn mid_p(&self) -> f64 {
        two_sided(self.only_a, self.only_b).mid
    }

    /// The share of the first one's hits minus that of the second one's; 0 without images.
    pub fn difference(&self) -> f64 {
        (self.only_a as f64 - self.only_b as f64) / self.images.max(1) as f64
    }

    /// The 95% confidence interval of [`Paired::difference`]: Wald's with half an image added to each of the four counts
    /// (Agresti and Min, 2005), within -1 to 1. It is widened to contain 0 where the exact test, which asks for more, cannot tell
    /// the networks apart.
    pub fn interval(&self) -> Interval {
        let (a, b, images) = (self.only_a as f64 + 0.5, self.only_b as f64 + 0.5, self.images as f64 + 2.0);
        let centre = (a - b) / images;
        let half = Z * (a + b - (a - b) * (a - b) / images).sqrt() / images;
        let (low, high) = ((centre - half).max(-1.0), (centre + half).min(1.0));
        if self.tied() { Interval { low: low.min(0.0), high: high.max(0.0) } } else { Interval { low, high } }
    }
}

struct TwoSided {
    exact: f64,
    mid: f64,
}

/// Twice the probability of at most the smaller count among as many fair coins as there are in both counts.
///
/// Binomial coefficients are taken relative to the largest one, each from its neighbour towards the end, so nothing overflows;
/// what is too small for an `f64` counts as 0.
fn two_sided(one: u64, other: u64) -> TwoSided {
    let (less, coins) = (one.min(other), one + other);
    let middle = coins / 2;
    let (mut term, mut lower_half, mut at_most, mut exactly) = (1.0, 0.0, 0.0, 0.0);
    for k in (0..=middle).rev() {
        lower_half += term;
        if k == less {
            exactly = term;
        }
        if k <= less {
            at_most += term;
        }
        term *= k as f64 / (coins - k + 1) as f64;
        if term == 0.0 {
            break;
        }
    }
    // An even number of coins has one largest coefficient, which belongs to both halves.
    let all = 2.0 * lower_half - if coins % 2 == 0 { 1.0 } else { 0.0 };
    let doubled = |weight: f64| (2.0 * weight / all).min(1.0);
    TwoSided { exact: doubled(at_most), mid: doubled(at_most - exactly / 2.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two networks of which one alone is right on the first images and the other alone on the next; then both are right.
    fn pair(only_a: u64, only_b: u64, both: u64) -> (Hits, Hits) {
        let images = only_a + only_b + both;
        let a = Hits::from_bits((0..images).map(|image| image < only_a || image >= only_a + only_b));
        let b = Hits::from_bits((0..images).map(|image| image >= only_a));
        (a, b)
    }

    fn compared(only_a: u64, only_b: u64) -> Paired {
        let (a, b) = pair(only_a, only_b, 10);
        paired(&a, &b)
    }

    #[test]
    fn p_values_are_those_of_the_literature() {
        // Fagerland, Lydersen and Laake, "The McNemar test for binary matched-pairs data" (2013), table 1.
        let airways = compared(1, 7);
        assert!((airways.p_value - 0.0703125).abs() < 1e-12 && (airways.mid_p() - 0.0390625).abs() < 1e-12);
        // 0.053 and 0.035 with three decimals.
        let discordant = compared(6, 16);
        assert!((discordant.p_value - 0.052478790283203125).abs() < 1e-12);
        assert!((discordant.mid_p() - 0.03468966484069824).abs() < 1e-12);
    }

    #[test]
    fn p_values_are_those_of_exact_integers() {
        // Sums of binomial coefficients in Python's integers; scipy.stats.binomtest gives the same to 12 digits.
        for (only_a, only_b, exact, mid) in [
            (121, 59, 4.4344492637551645e-06, 3.2666467957745733e-06),
            (0, 5, 0.0625, 0.03125),
            (9, 1, 0.021484375, 0.01171875),
            (500, 600, 0.0028195449914364275, 0.002564772797753158),
            (30_000, 30_700, 0.0045513811014997576, 0.004494178532686109),
            (49_999, 50_001, 0.9974768737858033, 0.9949537980331216),
            (5, 158, 1.5914350285968168e-40, 8.205758237740989e-41),
        ] {
            let found = two_sided(only_a, only_b);
            let near = |found: f64, wanted: f64| (found / wanted - 1.0).abs() < 1e-11;
            assert!(
                near(found.exact, exact) && near(found.mid, mid),
                "{only_a} {only_b}: {} {}",
                found.exact,
                found.mid
            );
        }
    }

    #[test]
    fn many_images_neither_overflow_nor_take_long() {
        let far = compared(0, 100_000);
        assert_eq!((far.p_value, far.mid_p(), far.tied(), far.b_is_better()), (0.0, 0.0, false, true));
        let level = compared(500_000, 500_000);
        assert_eq!((level.p_value, level.tied(), level.difference()), (1.0, true, 0.0));
    }

    #[test]
    fn networks_of_different_numbers_of_images_are_compared_on_those_of_both() {
        let short = Hits::from_bits([true, true, false, false, true]);
        let long = Hits::from_bits([false, false, true, true, true, true, false, true, false, true]);
        let compared = paired(&short, &long);
        assert_eq!((compared.images, compared.only_a, compared.only_b), (5, 2, 2));
        let none = paired(&Hits::default(), &long);
        assert_eq!(none, Paired { images: 0, only_a: 0, only_b: 0, p_value: 1.0 });
        assert!(none.tied() && none.difference() == 0.0 && none.interval().width() > 1.9);
    }

    #[test]
    fn few_images_leave_what_many_decide() {
        let (a, b) = pair(4, 2, 58);
        assert!(tied(&a, &b), "3 points of 64 images");
        let (a, b) = pair(400, 200, 5800);
        assert!(!tied(&a, &b) && paired(&a, &b).a_is_better() && !paired(&a, &b).b_is_better());
    }

    #[test]
    fn the_interval_of_a_difference_is_that_of_agresti_and_min() {
        // 1,600 ratings of a prime minister, of which 86 and 150 changed (Agresti, "Categorical Data Analysis", table 10.1).
        let (a, b) = pair(86, 150, 1364);
        let compared = paired(&a, &b);
        let interval = compared.interval();
        assert!((compared.difference() + 0.04).abs() < 1e-12);
        assert!((interval.low + 0.0586829).abs() < 1e-7 && (interval.high + 0.0212172).abs() < 1e-7, "{interval:?}");
    }

    proptest! {
        #[test]
        fn comparing_is_symmetric_and_gives_a_probability(
            a in prop::collection::vec(any::<bool>(), 0..200),
            b in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let common = a.len().min(b.len());
            let only_a = (0..common).filter(|&image| a[image] && !b[image]).count() as u64;
            let (a, b) = (Hits::from_bits(a), Hits::from_bits(b));
            let (there, back) = (paired(&a, &b), paired(&b, &a));
            prop_assert_eq!((there.images, there.only_a), (common as u64, only_a));
            prop_assert_eq!((there.only_a, there.only_b, there.p_value), (back.only_b, back.only_a, back.p_value));
            prop_assert!((0.0..=1.0).contains(&there.p_value) && (0.0..=1.0).contains(&there.mid_p()));
            prop_assert!(there.mid_p() <= there.p_value);
            prop_assert!(there.interval().contains(there.difference() * common as f64 / (common as f64 + 2.0)));
            prop_assert_eq!(there.tied(), tied(&b, &a));
            prop_assert!(!there.tied() || there.interval().contains(0.0));
        }

        #[test]
        fn a_network_is_tied_with_itself(bits in prop::collection::vec(any::<bool>(), 0..200)) {
            let hits = Hits::from_bits(bits);
            let itself = paired(&hits, &hits);
            prop_assert_eq!((itself.p_value, itself.only_a, itself.only_b), (1.0, 0, 0));
            prop_assert!(itself.tied());
        }
    }
}
