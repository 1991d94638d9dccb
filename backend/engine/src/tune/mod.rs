//! Fine-tuning: a pruned network is trained until it is as good as it gets.
//!
//! Gradients go through the graph's own interpreter. The learning rate rises and falls once; batch norms are in training mode,
//! those that an exporter folded away too; the test images are looked at once, at the end. Whoever keeps snapshots can go on from
//! the last one after a crash and comes to the same weights, to the last bit on the CPU with the same number of threads.

mod augment;
mod drift;
mod error;
mod loss;
mod observe;
mod one_step;
mod optimizer;
mod order;
mod parameters;
mod prepare;
mod range;
mod run;
mod schedule;
mod snapshot;
mod trainer;
mod validation;

use eagleeye_spec::{Epoch, Score, TuneOptions};

use self::prepare::Prepared;
use self::range::find_rate;
use self::run::{Run, Task};
use self::trainer::Trainer;
use self::validation::Target;
use crate::fold::fold;
use crate::images::Part;
use crate::network::Network;

pub use drift::filter_norms;
pub use error::{SnapshotError, TuneError};
pub use observe::{Outset, Progress, TuneObserver, Wish};
pub use one_step::write_gradients;
pub use schedule::Schedule;
pub use snapshot::Snapshot;

/// Training images that averaged weights and virtual batch norms get their statistics from.
const CALIBRATION: usize = 1024;

/// Images on the network's device, disjoint.
#[derive(Clone, Copy, Debug)]
pub struct TuneImages<'a> {
    pub train: &'a Part,
    /// Each epoch is scored on them.
    pub validation: &'a Part,
    /// The result is scored on them, once.
    pub test: Option<&'a Part>,
}

/// What fine-tuning has come to.
#[derive(Debug)]
pub struct Tuned {
    /// With the parameters of the network that was tuned.
    pub network: Network,
    pub epochs: Vec<Epoch>,
    /// On the validation images.
    pub validation: Score,
    pub test: Option<Score>,
}

/// Trains `network` on images, beginning with `resume` where that is given.
///
/// `full` is the network to learn from, where the options ask for it or the images have no labels; scores say how often a
/// network agrees with it. The same network, images and options give the same weights to the last bit on the CPU with the
/// same number of threads, however often it was interrupted; only a time limit makes them depend on the time.
///
/// # Errors
/// [`TuneError::Option`], [`TuneError::Snapshot`] and the like before anything is trained; [`TuneError::Cancelled`] where the
/// observer wished it; [`TuneError::Diverged`] where the loss is no number any more.
pub fn tune(
    network: &Network,
    full: Option<&Network>,
    images: TuneImages,
    options: &TuneOptions,
    resume: Option<Snapshot>,
    observer: &mut dyn TuneObserver,
) -> Result<Tuned, TuneError> {
    check(&images, full, options)?;
    let cancelled = || observer.cancelled();
    let calibration = images.train.first(CALIBRATION);
    let prepared = Prepared::new(network, &calibration, &cancelled)?;
    let full = full.map(fold).transpose()?;
    let validation = Target::new(full.as_ref(), images.validation, &cancelled)?;
    let learns_from_full = options.distillation.is_some() || images.train.labels.is_none();
    let teacher = full.as_ref().filter(|_| learns_from_full);
    let trainer = || Trainer::new(&prepared.network, teacher, images.train, options);
    let peak = match (&resume, options.find_learning_rate) {
        (None, true) => find_rate(trainer()?, options, images.train.len(), &cancelled)?,
        _ => options.rate(images.train.len()),
    };
    let task = Task {
        options,
        begin: &prepared.network,
        calibration: &calibration,
        validation: &validation,
        images: images.train.len(),
    };
    let mut run = Run::new(task, trainer()?, peak);
    if let Some(snapshot) = resume {
        run.resume(snapshot)?;
    }
    run.finish(observer)?;
    let cancelled = || observer.cancelled();
    let tuned = prepared.finished(&run.network(&cancelled)?)?;
    let test = images.test.map(|part| Target::new(full.as_ref(), part, &cancelled)?.score(&tuned, &cancelled));
    let test = test.transpose()?;
    Ok(Tuned { validation: validation.score(&tuned, &cancelled)?, network: tuned, epochs: run.epochs, test })
}

fn check(images: &TuneImages, full: Option<&Network>, options: &TuneOptions) -> Result<(), TuneError> {
    if let Some(fault) = options.faults().into_iter().next() {
        return Err(TuneError::Option { field: fault.field, detail: fault.detail });
    }
    let found = images.train.len();
    if found < 2 {
        return Err(TuneError::TooFewImages { found });
    }
    if images.validation.is_empty() {
        return Err(TuneError::NoValidation);
    }
    match &images.train.labels {
        Some(labels) if labels.numel() != found => Err(TuneError::Labels { images: found, labels: labels.numel() }),
        None if full.is_none() => Err(TuneError::NothingToLearn),
        _ if options.distillation.is_some() && full.is_none() => Err(TuneError::NothingToLearn),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod gradients;
#[cfg(test)]
mod tests;
