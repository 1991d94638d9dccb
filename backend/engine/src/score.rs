//! How well a network classifies a set of images.

use eagleeye_spec::Score;
use tch::{Kind, TchError, Tensor};

use crate::batches::batches;
use crate::exec::{self, ExecError, Hook};
use crate::network::Network;

/// Scores `network` on `images` `[n, C, H, W]` with `labels` `[n]` (`i64`), all on its device.
///
/// A class counts as ranked before another of the same logit when its index is smaller, and anything that is not a number
/// counts as wrong, so that a broken network does not score well.
pub fn score(
    network: &Network,
    images: &Tensor,
    labels: &Tensor,
    batch_size: usize,
    cancelled: &dyn Fn() -> bool,
) -> Result<Score, ExecError> {
    let count = images.size().first().map_or(0, |&n| n as usize);
    let (mut top1, mut top5, mut cross_entropy) = (0, 0, 0.0);
    for range in batches(count, batch_size) {
        let (start, length) = (range.start as i64, range.len() as i64);
        let batch = images.f_narrow(0, start, length)?;
        let logits = exec::run(network, &[batch], &mut Cancel(cancelled))?.swap_remove(0);
        let tally = tally(&logits, &labels.f_narrow(0, start, length)?)?;
        top1 += tally.top1;
        top5 += tally.top5;
        cross_entropy += tally.cross_entropy;
    }
    let share = |n: i64| n as f64 / count as f64;
    Ok(Score::new(share(top1), share(top5), cross_entropy / count as f64))
}

struct Cancel<'a>(&'a dyn Fn() -> bool);

impl Hook for Cancel<'_> {
    fn cancelled(&self) -> bool {
        (self.0)()
    }
}

/// Sums over one batch.
struct Tally {
    top1: i64,
    top5: i64,
    cross_entropy: f64,
}

fn tally(logits: &Tensor, labels: &Tensor) -> Result<Tally, TchError> {
    let logits = logits.f_flatten(1, -1)?.f_to_kind(Kind::Float)?;
    let index = labels.f_unsqueeze(1)?;
    let target = logits.f_gather(1, &index, false)?;
    let classes = Tensor::f_arange(logits.size()[1], (Kind::Int64, logits.device()))?;
    let not_below = logits.f_le_tensor(&target)?.f_logical_not()?;
    let tied_before = logits.f_eq_tensor(&target)?.f_logical_and(&classes.f_lt_tensor(&index)?)?;
    let rank = not_below.f_logical_or(&tied_before)?.f_sum_dim_intlist(1i64, false, Kind::Int64)?;
    let within = |k: i64| rank.f_lt(k)?.f_sum(Kind::Int64)?.f_int64_value(&[]);
    let log_likelihood = logits.f_log_softmax(1, Kind::Float)?.f_gather(1, &index, false)?;
    Ok(Tally {
        top1: within(1)?,
        top5: within(5)?,
        cross_entropy: -log_likelihood.f_sum(Kind::Double)?.f_double_value(&[])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(rows: &[[f32; 6]]) -> Tensor {
        Tensor::from_slice(&rows.concat()).reshape([rows.len() as i64, 6])
    }

    #[test]
    fn ranks_are_counted() {
        let logits = logits(&[[9.0, 5.0, 4.0, 3.0, 2.0, 1.0]; 3]);
        let tally = tally(&logits, &Tensor::from_slice(&[0i64, 4, 5])).unwrap();
        assert_eq!((tally.top1, tally.top5), (1, 2));
    }

    #[test]
    fn equal_logits_are_won_by_the_first_class_alone() {
        let logits = logits(&[[1.0; 6]; 6]);
        let tally = tally(&logits, &Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5])).unwrap();
        assert_eq!((tally.top1, tally.top5), (1, 5));
        assert!((tally.cross_entropy - 6.0 * 6.0f64.ln()).abs() < 1e-5, "{}", tally.cross_entropy);
    }

    #[test]
    fn not_a_number_is_never_right() {
        let logits = logits(&[[f32::NAN; 6]; 1]);
        let tally = tally(&logits, &Tensor::from_slice(&[0i64])).unwrap();
        assert_eq!((tally.top1, tally.top5), (0, 0));
    }
}
