//! The range test of learning rates (Smith, 2017): a rate that rises from step to step, until the loss does.

use eagleeye_spec::TuneOptions;
use tch::Tensor;

use super::error::TuneError;
use super::order::Order;
use super::trainer::Trainer;

const STEPS: u64 = 100;
/// Factors of the default rate at which the test begins and ends.
const RANGE: (f64, f64) = (1e-3, 1e2);
/// Weight of the losses before in the smoothed loss.
const SMOOTHING: f64 = 0.9;
/// By how much of the smallest loss a loss may be above it.
const BLOWN_UP: f64 = 2.0;
/// How far below the rate with the smallest loss training is still fast, and safe.
const SAFE: f64 = 10.0;

/// Trains with a rising rate on the first epoch's images, and returns a tenth of the rate at which the loss was smallest. The
/// trainer is used up.
pub(super) fn find_rate(
    mut trainer: Trainer,
    options: &TuneOptions,
    images: usize,
    cancelled: &dyn Fn() -> bool,
) -> Result<f64, TuneError> {
    let batch = options.batch(images);
    let in_epoch = (images / batch) as u64;
    let mut curve = Curve::default();
    let mut order = Order::new(images, in_epoch, options, 0);
    for step in 0..STEPS {
        let place = (step % in_epoch) as usize;
        if place == 0 && step > 0 {
            order = Order::new(images, in_epoch, options, step / in_epoch);
        }
        let rate = rate(options.rate(images), step);
        let range = place * batch..(place + 1) * batch;
        trainer.step(&order, range, order.shares.get(place).copied(), rate, step + 1, cancelled)?;
        let loss = mean_loss(&trainer.sums)?;
        _ = trainer.sums.f_zero_()?;
        if !curve.add(rate, loss) {
            break;
        }
    }
    Ok(curve.best.unwrap_or(options.rate(images) * SAFE) / SAFE)
}

fn rate(default: f64, step: u64) -> f64 {
    let place = step as f64 / (STEPS - 1) as f64;
    default * RANGE.0 * (RANGE.1 / RANGE.0).powf(place)
}

fn mean_loss(sums: &Tensor) -> Result<f64, TuneError> {
    let sums = Vec::<f64>::try_from(sums)?;
    Ok(sums[0] / sums[1])
}

/// The smoothed loss along the rates.
#[derive(Default)]
struct Curve {
    losses: u32,
    sum: f64,
    smallest: Option<f64>,
    best: Option<f64>,
}

impl Curve {
    /// Whether the test goes on.
    fn add(&mut self, rate: f64, loss: f64) -> bool {
        self.losses += 1;
        self.sum = SMOOTHING * self.sum + (1.0 - SMOOTHING) * loss;
        let smoothed = self.sum / (1.0 - SMOOTHING.powf(f64::from(self.losses)));
        if self.smallest.is_none_or(|smallest| smoothed < smallest) {
            (self.smallest, self.best) = (Some(smoothed), Some(rate));
        }
        smoothed.is_finite() && self.smallest.is_some_and(|smallest| smoothed <= BLOWN_UP * smallest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_by_the_same_factor() {
        let rates: Vec<f64> = (0..STEPS).map(|step| rate(0.05, step)).collect();
        assert!((rates[0] - 5e-5).abs() < 1e-12 && (rates[99] - 5.0).abs() < 1e-9);
        assert!(rates.windows(2).all(|pair| (pair[1] / pair[0] - rates[1] / rates[0]).abs() < 1e-9));
    }

    #[test]
    fn the_test_ends_when_the_loss_blows_up() {
        let mut curve = Curve::default();
        let losses = [1.0, 0.8, 0.6, 0.5, 0.5, 5.0, 20.0, 50.0];
        let ended = losses.iter().zip(1..).position(|(&loss, rate)| !curve.add(f64::from(rate), loss));
        assert_eq!((curve.best, ended), (Some(5.0), Some(5)));
        assert!(!Curve::default().add(1.0, f64::NAN));
    }
}
