//! Running statistics of batch norms from what they read, over all images.

use eagleeye_torchscript::tensors::is_finite;
use tch::{Kind, TchError, Tensor};

/// The mean and the sum of squared distances from it, per channel, of all entries so far (Chan, Golub and LeVeque 1983).
#[derive(Debug, Default)]
pub(super) struct Statistics {
    entries: f64,
    mean: Option<Tensor>,
    squares: Option<Tensor>,
}

impl Statistics {
    /// Adds a batch, `[N, C, ...]`.
    pub fn add(&mut self, batch: &Tensor) -> Result<(), TchError> {
        let channels = batch.size().get(1).copied().unwrap_or(1).max(1);
        let entries = batch.numel() as f64 / channels as f64;
        // The statistics of PyTorch's training mode, which take a fraction of the time of `var_mean`.
        let (mean, variance) = batch.f_batch_norm_update_stats(None::<Tensor>, None::<Tensor>, 0.0)?;
        let (variance, mean) = (variance.f_to_kind(Kind::Double)?, mean.f_to_kind(Kind::Double)?);
        let squares = variance.f_mul_scalar(entries)?;
        let all = self.entries + entries;
        (self.mean, self.squares) = match (&self.mean, &self.squares) {
            (Some(before), Some(so_far)) => {
                let step = mean.f_sub(before)?;
                let between = step.f_square()?.f_mul_scalar(self.entries * entries / all)?;
                let mean = before.f_add(&step.f_mul_scalar(entries / all)?)?;
                (Some(mean), Some(so_far.f_add(&squares)?.f_add(&between)?))
            }
            _ => (Some(mean), Some(squares)),
        };
        self.entries = all;
        Ok(())
    }

    /// Mean and unbiased variance in a kind; `None` where there were too few entries, or they are not finite.
    pub fn finish(&self, kind: Kind) -> Result<Option<(Tensor, Tensor)>, TchError> {
        let (Some(mean), Some(squares)) = (&self.mean, &self.squares) else { return Ok(None) };
        if self.entries < 2.0 {
            return Ok(None);
        }
        let variance = squares.f_div_scalar(self.entries - 1.0)?;
        let found = (mean.f_to_kind(kind)?, variance.f_to_kind(kind)?);
        Ok(if is_finite(&found.0)? && is_finite(&found.1)? { Some(found) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{difference, images};

    #[test]
    fn statistics_of_batches_are_those_of_all_images() {
        let read = images(1, &[50, 6, 5, 4]) * 0.1 + 7.0;
        let mut statistics = Statistics::default();
        for (start, length) in [(0, 16), (16, 30), (46, 4)] {
            statistics.add(&read.narrow(0, start, length)).unwrap();
        }
        let (mean, variance) = statistics.finish(Kind::Float).unwrap().unwrap();
        let (wanted_variance, wanted_mean) = read.to_kind(Kind::Double).var_mean_dim(&[0i64, 2, 3][..], true, false);
        assert!(difference(&mean, &wanted_mean.to_kind(Kind::Float)) < 1e-6);
        assert!(difference(&variance, &wanted_variance.to_kind(Kind::Float)) < 1e-4);
    }

    #[test]
    fn one_number_has_no_variance() {
        let mut statistics = Statistics::default();
        statistics.add(&images(2, &[1, 3])).unwrap();
        assert!(statistics.finish(Kind::Float).unwrap().is_none());
    }
}
