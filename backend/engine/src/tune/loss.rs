//! What is made small: cross-entropy against the labels, divergence from the full network, or both.

use eagleeye_spec::{Distillation, TuneOptions};
use tch::{Kind, Reduction, TchError, Tensor};

use super::augment::neighbours;

/// Labels below 0 would be left out; there are none.
const NO_LABEL: i64 = -100;

/// What a batch is compared with.
pub(super) struct Targets<'a> {
    /// `[n]`, `i64`.
    pub labels: Option<&'a Tensor>,
    /// The full network's logits for the same images, `[n, classes]`.
    pub teacher: Option<&'a Tensor>,
    /// Share of the images themselves where they are blended with their neighbours.
    pub share: Option<f64>,
}

/// How a loss is put together.
pub(super) struct Loss {
    smoothing: f64,
    distillation: Distillation,
}

impl Loss {
    pub fn new(options: &TuneOptions) -> Self {
        Self { smoothing: options.label_smoothing, distillation: options.distillation.unwrap_or_default() }
    }

    /// The mean over a batch, from its logits, `[n, classes]`.
    pub fn of(&self, logits: &Tensor, targets: &Targets) -> Result<Tensor, TchError> {
        let logits = logits.f_to_kind(if logits.kind() == Kind::Double { Kind::Double } else { Kind::Float })?;
        let weight = if targets.labels.is_some() { self.distillation.weight } else { 1.0 };
        match (targets.labels, targets.teacher) {
            (Some(labels), None) => self.hard(&logits, labels, targets.share),
            (None, Some(teacher)) => self.soft(&logits, teacher),
            (Some(labels), Some(teacher)) => {
                let hard = self.hard(&logits, labels, targets.share)?.f_mul_scalar(1.0 - weight)?;
                hard.f_add(&self.soft(&logits, teacher)?.f_mul_scalar(weight)?)
            }
            (None, None) => Err(TchError::Shape("a loss needs labels or another network's answers".to_owned())),
        }
    }

    /// Cross-entropy with smoothed labels, of blended images in the shares of both.
    fn hard(&self, logits: &Tensor, labels: &Tensor, share: Option<f64>) -> Result<Tensor, TchError> {
        let against = |labels: &Tensor| {
            logits.f_cross_entropy_loss(labels, None::<&Tensor>, Reduction::Mean, NO_LABEL, self.smoothing)
        };
        let own = against(labels)?;
        match share {
            None => Ok(own),
            Some(share) => {
                let other = against(&neighbours(labels)?)?.f_mul_scalar(1.0 - share)?;
                own.f_mul_scalar(share)?.f_add(&other)
            }
        }
    }

    /// The divergence from the full network's probabilities at a temperature, times its square, so that gradients have the same
    /// size at any temperature.
    fn soft(&self, logits: &Tensor, teacher: &Tensor) -> Result<Tensor, TchError> {
        let temperature = self.distillation.temperature;
        let logs = |logits: &Tensor| logits.f_div_scalar(temperature)?.f_log_softmax(1, None::<Kind>);
        let teacher = logs(&teacher.f_to_kind(logits.kind())?)?;
        let divergence = teacher.f_exp()?.f_mul(&teacher.f_sub(&logs(logits)?)?)?;
        // Where the full network is certain that it is not a class, its part is 0, whatever the other one says.
        let divergence = divergence.f_masked_fill(&teacher.f_isinf()?, 0.0)?;
        let mean = divergence.f_sum(None::<Kind>)?.f_div_scalar(logits.size()[0] as f64)?;
        mean.f_mul_scalar(temperature * temperature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits() -> Tensor {
        Tensor::from_slice(&[2.0f64, 0.5, -1.0, 0.0, 1.0, 0.3]).view([2, 3])
    }

    fn value(loss: &Loss, labels: Option<&Tensor>, teacher: Option<&Tensor>, share: Option<f64>) -> f64 {
        loss.of(&logits(), &Targets { labels, teacher, share }).unwrap().double_value(&[])
    }

    fn loss(smoothing: f64, temperature: f64, weight: f64) -> Loss {
        Loss { smoothing, distillation: Distillation { temperature, weight } }
    }

    fn log_softmax(row: [f64; 3], temperature: f64) -> [f64; 3] {
        let sum: f64 = row.iter().map(|x| (x / temperature).exp()).sum();
        row.map(|x| x / temperature - sum.ln())
    }

    #[test]
    fn smoothed_labels_are_spread_over_all_classes() {
        let labels = Tensor::from_slice(&[0i64, 2]);
        let rows = [log_softmax([2.0, 0.5, -1.0], 1.0), log_softmax([0.0, 1.0, 0.3], 1.0)];
        let plain = -(rows[0][0] + rows[1][2]) / 2.0;
        let spread = -rows.concat().iter().sum::<f64>() / 6.0;
        assert!((value(&loss(0.0, 1.0, 0.0), Some(&labels), None, None) - plain).abs() < 1e-12);
        let smoothed = value(&loss(0.1, 1.0, 0.0), Some(&labels), None, None);
        assert!((smoothed - (0.9 * plain + 0.1 * spread)).abs() < 1e-12);
    }

    #[test]
    fn blended_images_have_both_labels() {
        let (labels, swapped) = (Tensor::from_slice(&[0i64, 2]), Tensor::from_slice(&[2i64, 0]));
        let plain = loss(0.0, 1.0, 0.0);
        let expected = 0.7 * value(&plain, Some(&labels), None, None) + 0.3 * value(&plain, Some(&swapped), None, None);
        assert!((value(&plain, Some(&labels), None, Some(0.7)) - expected).abs() < 1e-12);
    }

    #[test]
    fn the_divergence_is_that_of_the_softened_probabilities() {
        let teacher = Tensor::from_slice(&[1.0f64, 1.0, 0.0, 3.0, -1.0, 0.0]).view([2, 3]);
        let pairs = [([2.0, 0.5, -1.0], [1.0, 1.0, 0.0]), ([0.0, 1.0, 0.3], [3.0, -1.0, 0.0])];
        let mut expected = 0.0;
        for (student, teacher) in pairs {
            let (p, q) = (log_softmax(teacher, 4.0), log_softmax(student, 4.0));
            expected += p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>() / 2.0 * 16.0;
        }
        let found = value(&loss(0.0, 4.0, 0.5), None, Some(&teacher), None);
        assert!((found - expected).abs() < 1e-12, "without labels it is all there is: {found} {expected}");
        let labels = Tensor::from_slice(&[0i64, 2]);
        let both = value(&loss(0.0, 4.0, 0.25), Some(&labels), Some(&teacher), None);
        let hard = value(&loss(0.0, 4.0, 0.25), Some(&labels), None, None);
        assert!((both - (0.75 * hard + 0.25 * expected)).abs() < 1e-12);
    }
}
