//! How well a network classifies a set of images.

use eagleeye_spec::{Errors, Hits, Score};
use tch::{Kind, TchError, Tensor};

use crate::batches::batches;
use crate::exec::{Compiled, ExecError, Hook, Passes};
use crate::network::Network;
use crate::parts::Parts;
use crate::pictures::Batches;

/// A score and which of the images were classified correctly.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    pub score: Score,
    pub hits: Hits,
}

/// What the full network says of a set of images.
#[derive(Debug)]
pub struct Reference {
    /// Logarithms of its probabilities, `[n, classes]`, `f32`.
    log_probabilities: Tensor,
}

impl Reference {
    /// Runs the full network on `images`, `[n, C, H, W]`.
    pub fn of(
        full: &Network,
        images: &dyn Batches,
        batch_size: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, ExecError> {
        let count = images.count();
        let compiled = Compiled::new(full, batch_size.into())?;
        let (mut parts, mut log) = (Parts::new(batch_size), Vec::new());
        let run = |part| Ok(compiled.run(&[images.batch(part)?], &mut Cancel(cancelled))?.swap_remove(0));
        for range in batches(count, batch_size) {
            for (_, logits) in parts.each(range, run)? {
                log.push(log_probabilities(&logits)?);
            }
        }
        Ok(Self { log_probabilities: Tensor::f_cat(&log, 0)? })
    }

    /// How it scores itself against `labels`, `[n]`, `i64`.
    pub fn score(&self, labels: &Tensor) -> Result<Scored, TchError> {
        let mut all = Tally::default();
        all.add(&self.log_probabilities, labels, Some(&self.log_probabilities))?;
        all.scored()
    }

    /// Number of classes that it knows.
    pub fn classes(&self) -> u64 {
        self.log_probabilities.size().last().map_or(0, |&classes| classes as u64)
    }

    /// The classes that it answers, `[n]`, `i64`; of equal ones the first.
    pub fn answers(&self) -> Result<Tensor, TchError> {
        answers(&self.log_probabilities)
    }
}

/// Scores `network` on the first images of `images`, `[n, C, H, W]`, as many as there are `labels`, `[m]` (`i64`), all on its
/// device; `reference` is of these images.
///
/// A class counts as ranked before another of the same logit when its index is smaller, and anything that is not a number
/// counts as wrong, so that a broken network does not score well. Where the device has no memory for a batch, parts of it are scored one
/// after the other.
pub fn score(
    network: &Network,
    images: &dyn Batches,
    labels: &Tensor,
    reference: Option<&Reference>,
    passes: impl Into<Passes>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Scored, ExecError> {
    let passes = passes.into();
    let count = labels.size().first().map_or(0, |&n| n as usize);
    let compiled = Compiled::new(network, passes)?;
    let mut all = Tally::default();
    let mut parts = Parts::new(passes.batch_size);
    let run = |part| Ok(compiled.run(&[images.batch(part)?], &mut Cancel(cancelled))?.swap_remove(0));
    for range in batches(count, passes.batch_size) {
        for (part, logits) in parts.each(range, run)? {
            let (start, length) = (part.start as i64, part.len() as i64);
            let full = reference.map(|full| full.log_probabilities.f_narrow(0, start, length)).transpose()?;
            all.add(&logits, &labels.f_narrow(0, start, length)?, full.as_ref())?;
        }
    }
    Ok(all.scored()?)
}

struct Cancel<'a>(&'a dyn Fn() -> bool);

impl Hook for Cancel<'_> {
    fn sees_activations(&self) -> bool {
        false
    }

    fn cancelled(&self) -> bool {
        (self.0)()
    }
}

/// Figures of images so far. They stay on the device until all are there: whoever reads one waits for all that was given to the device
/// before.
#[derive(Debug, Default)]
struct Tally {
    /// Of each batch, `[n]`: whether the class is ranked first.
    hits: Vec<Tensor>,
    /// Of each batch, `[5]`, `f64`: images whose class is among the first five, and cross-entropy and divergence in sum, each with its
    /// squares.
    figures: Vec<Tensor>,
    /// Of each batch with a reference: images whose answer is the reference's.
    agreeing: Vec<Tensor>,
    compared: i64,
}

/// Sums of a figure of each image.
#[derive(Debug, Default)]
struct Sums {
    images: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn of(images: f64, sums: &[f64], squares: &[f64]) -> Self {
        Self { images, sum: sums.iter().sum(), squares: squares.iter().sum() }
    }

    fn mean(&self) -> Option<f64> {
        Some(self.sum / self.images).filter(|mean| mean.is_finite())
    }

    /// The mean's standard error.
    fn error(&self) -> Option<f64> {
        let variance = (self.squares - self.sum * self.sum / self.images) / (self.images - 1.0);
        Some((variance.max(0.0) / self.images).sqrt()).filter(|error| error.is_finite() && self.mean().is_some())
    }
}

/// The sum of values, `[n]`, and that of their squares, `f64`.
fn sums(values: &Tensor) -> Result<[Tensor; 2], TchError> {
    let values = values.f_to_kind(Kind::Double)?;
    Ok([values.f_sum(Kind::Double)?, values.f_square()?.f_sum(Kind::Double)?])
}

impl Tally {
    fn add(&mut self, logits: &Tensor, labels: &Tensor, full: Option<&Tensor>) -> Result<(), TchError> {
        let logits = logits.f_flatten(1, -1)?.f_to_kind(Kind::Float)?;
        let index = labels.f_unsqueeze(1)?;
        let target = logits.f_gather(1, &index, false)?;
        let classes = Tensor::f_arange(logits.size()[1], (Kind::Int64, logits.device()))?;
        let not_below = logits.f_le_tensor(&target)?.f_logical_not()?;
        let tied_before = logits.f_eq_tensor(&target)?.f_logical_and(&classes.f_lt_tensor(&index)?)?;
        let rank = not_below.f_logical_or(&tied_before)?.f_sum_dim_intlist(1i64, false, Kind::Int64)?;
        self.hits.push(rank.f_eq(0)?);
        let top5 = rank.f_lt(5)?.f_sum(Kind::Double)?;
        let logs = log_probabilities(&logits)?;
        let [cross_entropy, its_squares] = sums(&logs.f_gather(1, &index, false)?.f_neg()?)?;
        let [kl, kl_squares] = match full {
            Some(full) => {
                self.compared += labels.numel() as i64;
                self.agreeing.push(answers(&logs)?.f_eq_tensor(&answers(full)?)?.f_sum(Kind::Int64)?);
                sums(&divergence(full, &logs)?)?
            }
            None => [top5.f_zeros_like()?, top5.f_zeros_like()?],
        };
        self.figures.push(Tensor::f_stack(&[top5, cross_entropy, its_squares, kl, kl_squares], 0)?);
        Ok(())
    }

    fn scored(self) -> Result<Scored, TchError> {
        let hits = Vec::<bool>::try_from(&Tensor::f_cat(&self.hits, 0)?)?;
        let [top5, cross_entropies, their_squares, kls, kl_squares] = columns(&self.figures)?;
        let images = hits.len() as f64;
        let cross_entropy = Sums::of(images, &cross_entropies, &their_squares);
        let kl = Sums::of(self.compared as f64, &kls, &kl_squares);
        let has_reference = self.compared > 0;
        let agreeing: i64 = match has_reference {
            true => Tensor::f_stack(&self.agreeing, 0)?.f_sum(Kind::Int64)?.f_int64_value(&[])?,
            false => 0,
        };
        let hits = Hits::from_bits(hits.iter().copied());
        let score = Score {
            agreement: has_reference.then_some(agreeing as f64 / self.compared as f64),
            // A divergence is never negative; rounding may make it so.
            kl: if has_reference { kl.mean().map(|kl| kl.max(0.0)) } else { None },
            errors: Errors { cross_entropy: cross_entropy.error(), kl: kl.error() },
            ..Score::new(
                hits.count() as f64 / images,
                top5.iter().sum::<f64>() / images,
                cross_entropy.mean().unwrap_or(f64::NAN),
            )
        };
        Ok(Scored { score, hits })
    }
}

/// The columns of rows, `[N]` each, `f64`.
fn columns<const N: usize>(rows: &[Tensor]) -> Result<[Vec<f64>; N], TchError> {
    let values = Vec::<f64>::try_from(&Tensor::f_stack(rows, 0)?.f_flatten(0, -1)?)?;
    Ok(std::array::from_fn(|column| values.iter().skip(column).step_by(N).copied().collect()))
}

/// The Kullback-Leibler divergence of each image, `[n]`, `f64`, between logarithms of probabilities, `[n, classes]`.
fn divergence(full: &Tensor, logs: &Tensor) -> Result<Tensor, TchError> {
    // Where the full network is certain that it is not a class, its part is 0, whatever the other one says.
    let probabilities = full.f_exp()?;
    let parts = probabilities.f_mul(&full.f_sub(logs)?)?.f_masked_fill(&probabilities.f_eq(0.0)?, 0.0)?;
    parts.f_sum_dim_intlist(1i64, false, Kind::Double)
}

/// `[n, classes]`, whatever the shape of the logits behind the first axis.
fn log_probabilities(logits: &Tensor) -> Result<Tensor, TchError> {
    logits.f_flatten(1, -1)?.f_to_kind(Kind::Float)?.f_log_softmax(1, Kind::Float)
}

/// The first of the largest of each row.
fn answers(rows: &Tensor) -> Result<Tensor, TchError> {
    rows.f_argmax(1, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{classifier, images};

    fn logits(rows: &[[f32; 6]]) -> Tensor {
        Tensor::from_slice(&rows.concat()).reshape([rows.len() as i64, 6])
    }

    fn scored(logits: &Tensor, labels: &[i64], full: Option<&Tensor>) -> Scored {
        let mut tally = Tally::default();
        tally.add(logits, &Tensor::from_slice(labels), full).unwrap();
        tally.scored().unwrap()
    }

    #[test]
    fn ranks_are_counted() {
        let found = scored(&logits(&[[9.0, 5.0, 4.0, 3.0, 2.0, 1.0]; 3]), &[0, 4, 5], None);
        assert_eq!((found.hits.count(), found.score.top5), (1, 2.0 / 3.0));
        assert_eq!((found.score.agreement, found.score.kl), (None, None));
    }

    #[test]
    fn equal_logits_are_won_by_the_first_class_alone() {
        let found = scored(&logits(&[[1.0; 6]; 6]), &[0, 1, 2, 3, 4, 5], None);
        assert_eq!((found.hits.count(), found.score.top5), (1, 5.0 / 6.0));
        let (mean, error) = (found.score.cross_entropy.unwrap(), found.score.errors.cross_entropy.unwrap());
        assert!((mean - 6.0f64.ln()).abs() < 1e-5 && error < 1e-5, "{mean} {error}");
    }

    #[test]
    fn not_a_number_is_never_right() {
        let found = scored(&logits(&[[f32::NAN; 6]; 1]), &[0], None);
        assert_eq!((found.hits.count(), found.score.top5, found.score.cross_entropy), (0, 0.0, None));
    }

    #[test]
    fn divergence_and_agreement_are_from_the_full_network_and_need_no_labels() {
        let (full, pruned) =
            (logits(&[[2.0, 0.0, 0.0, 0.0, 0.0, 0.0]; 2]), logits(&[[0.0; 6], [0.0, 3.0, 0.0, 0.0, 0.0, 0.0]]));
        let full = log_probabilities(&full).unwrap();
        let found = scored(&pruned, &[3, 3], Some(&full)).score;
        assert_eq!(found.agreement, Some(0.5), "the first row ties, and its first class counts");
        let p = 2.0f64.exp() / (2.0f64.exp() + 5.0);
        let q = (1.0 - p) / 5.0;
        let entropy = -(p * p.ln() + 5.0 * q * q.ln());
        let (first, z) = (6.0f64.ln() - entropy, (3.0f64.exp() + 5.0).ln());
        let second = z - q * 3.0 - entropy;
        assert!((found.kl.unwrap() - (first + second) / 2.0).abs() < 1e-6, "{found:?}");
        let same = scored(&full, &[3, 3], Some(&full)).score;
        assert_eq!((same.agreement, same.kl), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn as_many_images_are_scored_as_there_are_labels() {
        let (network, images) = (classifier(1, true), images(2, &[20, 1, 12, 12]));
        let reference = Reference::of(&network, &images, 8, &|| false).unwrap();
        let labels = reference.answers().unwrap();
        let at = |n| score(&network, &images, &labels.narrow(0, 0, n), Some(&reference), 8, &|| false).unwrap();
        assert_eq!((at(20).hits.count(), at(13).hits.len()), (20, 13));
        assert_eq!((at(13).score.agreement, at(13).score.top1), (Some(1.0), 1.0));
    }
}
