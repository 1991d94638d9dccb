//! How far a figure that was measured on some images may be from the one on all images of their kind.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The standard normal distribution has 95% between this and its negative.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// A 95% confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end; never below `low`.
    pub high: f64,
}

impl Interval {
    /// What is known of a share before any image was seen.
    pub const ANY_SHARE: Self = Self { low: 0.0, high: 1.0 };

    /// The share of hits: Wilson's score interval (Wilson, 1927), which keeps its coverage with few images and near 0 and 1.
    /// Without images, 0 to 1.
    pub fn wilson(hits: u64, images: u64) -> Self {
        Self::of_share(hits as f64 / images as f64, images)
    }

    /// Wilson's score interval of a share of `images` images, as top-1 or the agreement with another network. A share beyond
    /// 0 or 1 counts as 0 or 1. Without images, or where the share is not a number, 0 to 1.
    pub fn of_share(share: f64, images: u64) -> Self {
        if images == 0 || share.is_nan() {
            return Self::ANY_SHARE;
        }
        let (share, images) = (share.clamp(0.0, 1.0), images as f64);
        let z2 = Z * Z / images;
        let centre = (share + z2 / 2.0) / (1.0 + z2);
        let half = (share * (1.0 - share) * z2 + z2 * z2 / 4.0).sqrt() / (1.0 + z2);
        // Exact at the ends, where the formula is but rounding is not.
        let low = if share == 0.0 { 0.0 } else { (centre - half).clamp(0.0, share) };
        let high = if share == 1.0 { 1.0 } else { (centre + half).clamp(share, 1.0) };
        Self { low, high }
    }

    /// The mean of values that are never negative, as cross-entropies and Kullback-Leibler divergences of single images:
    /// the normal approximation, cut off at 0.
    ///
    /// `variance` is that of the values (divided by `n` - 1), not of their mean. None where there are fewer than two values, or
    /// where `mean` or `variance` is not finite or negative.
    pub fn mean(mean: f64, variance: f64, n: u64) -> Option<Self> {
        let usable = |value: f64| value.is_finite() && value >= 0.0;
        if n < 2 || !usable(mean) || !usable(variance) {
            return None;
        }
        let half = Z * (variance / n as f64).sqrt();
        Some(Self { low: (mean - half).max(0.0), high: mean + half })
    }

    /// The upper end minus the lower one.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    /// Whether the value lies in the interval, its ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The fewest images with which the interval of this share is no wider than `width`, which is above 0.
    pub fn images_for(share: f64, width: f64) -> u64 {
        let narrow = |images: u64| Self::of_share(share, images).width() <= width;
        // The width only falls with the images: double until it fits, then bisect.
        let mut enough = 1;
        while !narrow(enough) && enough < u64::MAX / 2 {
            enough *= 2;
        }
        let mut too_few = enough / 2;
        while enough - too_few > 1 {
            let middle = too_few + (enough - too_few) / 2;
            if narrow(middle) { enough = middle } else { too_few = middle }
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_near(interval: Interval, low: f64, high: f64) {
        let near = (interval.low - low).abs() < 1e-12 && (interval.high - high).abs() < 1e-12;
        assert!(near, "{interval:?} is not {low}..{high}");
    }

    #[test]
    fn wilson_gives_the_published_intervals() {
        // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3: four decimals.
        for (hits, images, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let interval = Interval::wilson(hits, images);
            assert!((interval.low - low).abs() < 5e-5 && (interval.high - high).abs() < 5e-5, "{hits}: {interval:?}");
        }
    }

    #[test]
    fn wilson_gives_what_scipy_gives() {
        // scipy.stats.binomtest(hits, images).proportion_ci(method="wilson")
        assert_near(Interval::wilson(930, 1000), 0.9124853518487166, 0.944223635853706);
        assert_near(Interval::wilson(51, 64), 0.6828636426898583, 0.8772658218081634);
        assert_near(Interval::wilson(5, 10), 0.236593090512564, 0.7634069094874361);
        assert_near(Interval::wilson(0, 10), 0.0, 0.27753279986288926);
        assert_near(Interval::wilson(10, 10), 0.7224672001371109, 1.0);
    }

    #[test]
    fn without_images_a_share_may_be_anything() {
        assert_eq!(Interval::wilson(0, 0), Interval::ANY_SHARE);
        assert_eq!(Interval::of_share(f64::NAN, 10), Interval::ANY_SHARE);
        assert_eq!(Interval::of_share(1.5, 10), Interval::wilson(10, 10));
    }

    #[test]
    fn a_mean_has_the_normal_interval() {
        // 1.959964 * sqrt(0.25 / 100) = 0.0979982
        assert_near(Interval::mean(0.5, 0.25, 100).unwrap(), 0.40200180077299726, 0.5979981992270027);
        assert_eq!(Interval::mean(0.01, 4.0, 10).unwrap().low, 0.0, "a divergence is never negative");
        assert_eq!(Interval::mean(2.0, 0.0, 5), Some(Interval { low: 2.0, high: 2.0 }));
        for (mean, variance, n) in [(0.5, 0.1, 1), (f64::NAN, 0.1, 9), (0.5, f64::INFINITY, 9), (0.5, -0.1, 9)] {
            assert_eq!(Interval::mean(mean, variance, n), None, "{mean} {variance} {n}");
        }
    }

    #[test]
    fn the_images_that_a_width_takes_are_the_fewest() {
        for share in [0.0, 0.1, 0.5, 0.93, 1.0] {
            let images = Interval::images_for(share, 0.04);
            assert!(Interval::of_share(share, images).width() <= 0.04, "{share}");
            assert!(Interval::of_share(share, images - 1).width() > 0.04, "{share}");
        }
        assert_eq!(Interval::images_for(0.5, 2.0), 1);
    }

    /// The probability that the interval of a sample contains the share that the sample was drawn with.
    fn coverage(share: f64, images: u64) -> f64 {
        let mut probability = (1.0 - share).powi(images as i32);
        let mut covered = 0.0;
        for hits in 0..=images {
            if Interval::wilson(hits, images).contains(share) {
                covered += probability;
            }
            probability *= (images - hits) as f64 / (hits + 1) as f64 * share / (1.0 - share);
        }
        covered
    }

    #[test]
    fn about_95_percent_of_the_intervals_contain_the_share() {
        for images in [20, 64, 200, 500] {
            let coverages: Vec<f64> = (10..=50).map(|share| coverage(f64::from(share) / 100.0, images)).collect();
            let mean = coverages.iter().sum::<f64>() / coverages.len() as f64;
            assert!((mean - 0.95).abs() < 0.006, "{images} images: {mean}");
            assert!(coverages.iter().all(|covered| *covered > 0.91), "{images} images: {coverages:?}");
        }
    }

    proptest! {
        #[test]
        fn an_interval_surrounds_its_share_and_narrows_with_images(hits in 0u64..1000, misses in 0u64..1000) {
            let images = hits + misses + 1;
            let interval = Interval::wilson(hits, images);
            prop_assert!(interval.contains(hits as f64 / images as f64));
            prop_assert!(0.0 <= interval.low && interval.high <= 1.0 && interval.width() > 0.0);
            prop_assert!(Interval::wilson(10 * hits, 10 * images).width() < interval.width());
            let mirrored = Interval::wilson(images - hits, images);
            prop_assert!((interval.low - (1.0 - mirrored.high)).abs() < 1e-12);
        }
    }
}
