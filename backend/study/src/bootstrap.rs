//! How far a figure of some candidates may be from that of all candidates of their kind: resampled, with a seed.

use eagleeye_spec::Interval;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Resamples of each figure.
const RESAMPLES: usize = 2_000;
/// The least part of the resamples that must have a figure.
const LEAST: f64 = 0.5;

/// The places of so many items, drawn with replacement as often as there are items; the same for all figures of them.
pub struct Bootstrap {
    items: usize,
    resamples: Vec<Vec<usize>>,
}

impl Bootstrap {
    pub fn new(items: usize, seed: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let resample = |_| (0..items).map(|_| generator.random_range(0..items)).collect();
        Self { items, resamples: (0..if items == 0 { 0 } else { RESAMPLES }).map(resample).collect() }
    }

    /// The items as they are, each once.
    pub fn all(&self) -> Vec<usize> {
        (0..self.items).collect()
    }

    /// From the 2.5th to the 97.5th percentile of a figure. `None` where less than half of the resamples have it.
    pub fn interval(&self, figure: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
        let mut found: Vec<f64> = self.resamples.iter().filter_map(|places| figure(places)).collect();
        if found.is_empty() || (found.len() as f64) < LEAST * RESAMPLES as f64 {
            return None;
        }
        found.sort_by(f64::total_cmp);
        let at = |part: f64| found[(part * (found.len() - 1) as f64).round() as usize];
        Some(Interval { low: at(0.025), high: at(0.975) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_distribution() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let mean = |places: &[usize]| Some(places.iter().map(|&place| values[place]).sum::<f64>() / 100.0);
        let Interval { low, high } = Bootstrap::new(100, 7).interval(mean).unwrap();
        // 49.5 and 1.96 times 28.87 / 10 to either side.
        assert!((low - 43.84).abs() < 0.6 && (high - 55.16).abs() < 0.6, "{low} to {high}");
        assert_eq!(Bootstrap::new(100, 7).interval(mean), Some(Interval { low, high }), "the seed decides");
        assert_ne!(Bootstrap::new(100, 8).interval(mean), Some(Interval { low, high }));
    }

    #[test]
    fn what_most_resamples_lack_has_no_interval() {
        assert_eq!(Bootstrap::new(5, 0).interval(|_| None), None);
        assert_eq!(Bootstrap::new(0, 0).interval(|_| Some(1.0)), None);
        let rarely = |places: &[usize]| (places[0] == 0).then_some(1.0);
        assert_eq!(Bootstrap::new(5, 0).interval(rarely), None);
    }
}
