//! The learning rate of each step.

use std::f64::consts::PI;

/// A linear rise to `peak` and a fall to zero along half a cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    pub peak: f64,
    /// Part of the steps that rise.
    pub warmup: f64,
    /// Steps altogether.
    pub steps: u64,
}

impl Schedule {
    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        let rising = (self.warmup * self.steps as f64).round() as u64;
        if step < rising {
            return self.peak * (step + 1) as f64 / rising as f64;
        }
        let falling = self.steps.saturating_sub(rising).max(1);
        let done = (step - rising).min(falling) as f64 / falling as f64;
        self.peak * 0.5 * (1.0 + (PI * done).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_in_a_line_and_falls_along_a_cosine() {
        let schedule = Schedule { peak: 0.4, warmup: 0.2, steps: 20 };
        let rates: Vec<f64> = (0..20).map(|step| schedule.rate(step)).collect();
        assert_eq!(rates[..5], [0.1, 0.2, 0.30000000000000004, 0.4, 0.4]);
        assert!((rates[12] - 0.2).abs() < 1e-12, "half of it in the middle of the fall: {}", rates[12]);
        assert!(rates[4..].windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rates[19] > 0.0 && rates[19] < 0.005, "{}", rates[19]);
    }

    #[test]
    fn there_may_be_no_rise_and_no_fall() {
        assert_eq!(Schedule { peak: 1.0, warmup: 0.0, steps: 10 }.rate(0), 1.0);
        let rising = Schedule { peak: 1.0, warmup: 1.0, steps: 4 };
        assert_eq!([0, 1, 2, 3].map(|step| rising.rate(step)), [0.25, 0.5, 0.75, 1.0]);
        assert!(rising.rate(9) < 1e-12, "beyond the end");
    }
}
