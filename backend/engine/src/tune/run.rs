//! One fine-tuning from its first step or a snapshot to its last step.

use std::collections::BTreeMap;
use std::time::Instant;

use eagleeye_spec::{Adaptation, Epoch, Score, TuneOptions, best_tuned_first};
use eagleeye_torchscript::tensors::is_finite;
use tch::{Device, TchError, Tensor};

use super::drift::{drift, filter_norms};
use super::error::{SnapshotError, TuneError};
use super::observe::{Outset, Progress, TuneObserver, Wish};
use super::order::Order;
use super::schedule::Schedule;
use super::snapshot::{Snapshot, State, VERSION};
use super::trainer::Trainer;
use super::validation::Target;
use crate::adapt::adapt;
use crate::network::Network;
use crate::observer::Flow;
use crate::pictures::Pictures;

/// Steps after which a time limit is turned into a number of steps for the first time.
const TIMED_STEPS: u64 = 20;
/// Steps between two looks at whether the loss is finite.
const CHECKED_STEPS: u64 = 50;
/// Images of a pass that computes the statistics of averaged weights.
const BATCH: usize = 128;

/// What stays the same.
pub(super) struct Task<'a> {
    pub options: &'a TuneOptions,
    /// The network as it began.
    pub begin: &'a Network,
    /// From which averaged weights get their statistics.
    pub calibration: &'a Pictures,
    pub validation: &'a Target<'a>,
    /// Training images.
    pub images: usize,
}

impl Task<'_> {
    fn batch(&self) -> usize {
        self.options.batch(self.images)
    }

    pub fn steps_per_epoch(&self) -> u64 {
        (self.images / self.batch()) as u64
    }

    fn limit(&self) -> Option<f64> {
        self.options.minutes.map(|minutes| minutes * 60.0)
    }
}

/// Where it stands.
pub(super) struct Run<'a> {
    task: Task<'a>,
    trainer: Trainer<'a>,
    steps: u64,
    total: Option<u64>,
    peak: f64,
    /// Until this process took it up.
    seconds_before: f64,
    started: Instant,
    /// Of this epoch's steps.
    epoch_seconds: f64,
    pub epochs: Vec<Epoch>,
    best: Option<Best>,
    order: Option<(u64, Order)>,
}

/// The best epoch so far, where it is asked for.
struct Best {
    epoch: u32,
    values: Tensor,
    statistics: Tensor,
}

impl<'a> Run<'a> {
    /// Begins with a largest learning rate of `peak`.
    pub fn new(task: Task<'a>, trainer: Trainer<'a>, peak: f64) -> Self {
        let total = task.options.epochs.map(|epochs| u64::from(epochs) * task.steps_per_epoch());
        Self {
            task,
            trainer,
            steps: 0,
            total,
            peak,
            seconds_before: 0.0,
            started: Instant::now(),
            epoch_seconds: 0.0,
            epochs: Vec::new(),
            best: None,
            order: None,
        }
    }

    /// Takes up what a snapshot has.
    pub fn resume(&mut self, snapshot: Snapshot) -> Result<(), TuneError> {
        let Snapshot { state, mut tensors } = snapshot;
        let own = self.state()?;
        if state.options != own.options {
            return Err(SnapshotError::Options { found: state.options }.into());
        }
        if state.tensors != own.tensors {
            return Err(SnapshotError::Network.into());
        }
        if state.images != own.images {
            return Err(SnapshotError::Images { found: state.images, images: own.images }.into());
        }
        let mut take = |name: &'static str, into: &mut Tensor| -> Result<(), TuneError> {
            let found = tensors.remove(name).filter(|found| found.size() == into.size());
            Ok(into.f_copy_(&found.ok_or(SnapshotError::Tensor(name))?)?)
        };
        let trainer = &mut self.trainer;
        take("weights", &mut trainer.parameters.trained.values)?;
        take("statistics", &mut trainer.parameters.statistics.values)?;
        take("first_moment", &mut trainer.steps.first)?;
        if let Some(second) = &mut trainer.steps.second {
            take("second_moment", second)?;
        }
        if let Some(average) = &mut trainer.average {
            take("average", average)?;
        }
        take("sums", &mut trainer.sums)?;
        if let Some(epoch) = state.best {
            let mut values = trainer.parameters.trained.values.f_zeros_like()?;
            let mut statistics = trainer.parameters.statistics.values.f_zeros_like()?;
            take("best_weights", &mut values)?;
            take("best_statistics", &mut statistics)?;
            self.best = Some(Best { epoch, values, statistics });
        }
        (self.steps, self.total, self.peak) = (state.steps, state.total, f64::from_bits(state.peak));
        (self.seconds_before, self.epoch_seconds, self.epochs) = (state.seconds, state.epoch_seconds, state.epochs);
        Ok(())
    }

    /// Goes on to the end.
    pub fn finish(&mut self, observer: &mut dyn TuneObserver) -> Result<(), TuneError> {
        observer.begin(&self.outset()?);
        let mut is_done = self.is_done();
        while !is_done {
            self.step(&|| observer.cancelled())?;
            is_done = self.is_done();
            let mut wish = observer.step(&self.progress());
            if is_done || self.steps.is_multiple_of(self.task.steps_per_epoch()) {
                let row = self.end_epoch(&|| observer.cancelled())?;
                let after = observer.epoch(&row);
                wish = if wish == Wish::Continue { after } else { wish };
                is_done |= self.is_done();
            }
            self.fulfil(wish, observer)?;
        }
        Ok(())
    }

    /// The network that fine-tuning has come to.
    pub fn network(&self, cancelled: &dyn Fn() -> bool) -> Result<Network, TuneError> {
        match &self.best {
            Some(best) => Ok(self.trainer.parameters.network_of(&best.values, &best.statistics)?),
            None => self.current(cancelled),
        }
    }

    fn step(&mut self, cancelled: &dyn Fn() -> bool) -> Result<(), TuneError> {
        let begun = Instant::now();
        let steps_per_epoch = self.task.steps_per_epoch();
        let (epoch, place) = (self.steps / steps_per_epoch, (self.steps % steps_per_epoch) as usize);
        let order = match self.order.take() {
            Some((of, order)) if of == epoch => order,
            _ => Order::new(self.task.images, steps_per_epoch, self.task.options, epoch),
        };
        let batch = self.task.batch();
        let range = place * batch..(place + 1) * batch;
        let (share, rate) = (order.shares.get(place).copied(), self.rate(self.steps));
        self.trainer.step(&order, range, share, rate, self.steps + 1, cancelled)?;
        self.order = Some((epoch, order));
        self.steps += 1;
        if self.steps.is_multiple_of(CHECKED_STEPS) || self.steps == TIMED_STEPS {
            self.check(rate)?;
        }
        self.epoch_seconds += begun.elapsed().as_secs_f64();
        if self.steps == TIMED_STEPS {
            self.plan();
        }
        Ok(())
    }

    /// Waits for the device, and looks whether the losses are finite.
    fn check(&self, rate: f64) -> Result<(), TuneError> {
        let finite = is_finite(&self.trainer.sums)?;
        if finite { Ok(()) } else { Err(TuneError::Diverged { step: self.steps, rate }) }
    }

    /// With a time limit: the steps that fit into it at the speed so far.
    fn plan(&mut self) {
        let Some(limit) = self.task.limit() else { return };
        let each = self.seconds() / self.steps as f64;
        let fitting = self.steps + ((limit - self.seconds()).max(0.0) / each) as u64;
        let most = self.task.options.epochs.map(|epochs| u64::from(epochs) * self.task.steps_per_epoch());
        self.total = Some(most.map_or(fitting, |most| most.min(fitting)));
    }

    fn rate(&self, step: u64) -> f64 {
        // Until it is known how many steps fit into the time, the rate rises slowly.
        let steps = self.total.unwrap_or(TIMED_STEPS * 100);
        Schedule { peak: self.peak, warmup: self.task.options.warmup, steps }.rate(step)
    }

    fn is_done(&self) -> bool {
        let is_late = self.task.limit().is_some_and(|limit| self.seconds() >= limit) && self.steps > 0;
        is_late || self.total.is_some_and(|total| self.steps >= total) || self.is_out_of_patience()
    }

    fn is_out_of_patience(&self) -> bool {
        let (Some(patience), Some(best)) = (self.task.options.patience, &self.best) else { return false };
        self.epochs.last().is_some_and(|last| last.epoch - best.epoch >= patience)
    }

    /// Validates, and writes the epoch's row.
    fn end_epoch(&mut self, cancelled: &dyn Fn() -> bool) -> Result<Epoch, TuneError> {
        let rate = self.rate(self.steps - 1);
        let begun = Instant::now();
        self.check(rate)?;
        self.epoch_seconds += begun.elapsed().as_secs_f64();
        let sums = Vec::<f64>::try_from(&self.trainer.sums)?;
        let [losses, batches, hits, images] = sums[..] else { return Err(SnapshotError::Tensor("sums").into()) };
        let network = self.current(cancelled)?;
        let validation = self.task.validation.score(&network, cancelled)?;
        let epoch = self.epochs.len() as u32 + 1;
        self.keep_best(epoch, &validation, &network)?;
        self.plan();
        let counts_hits = self.task.options.mixup == 0.0 && self.trainer.is_labelled();
        let left = self.total.map_or(0, |total| total.saturating_sub(self.steps)) as f64;
        let row = Epoch {
            epoch,
            steps: self.steps,
            loss: losses / batches,
            train_top1: counts_hits.then_some(hits / images),
            validation,
            learning_rate: rate,
            images_per_second: images / self.epoch_seconds,
            seconds: self.seconds(),
            seconds_left: left * self.seconds() / self.steps as f64,
            filter_norms: filter_norms(&network)?,
            drift: drift(self.task.begin, &network)?,
        };
        self.epochs.push(row.clone());
        _ = self.trainer.sums.f_zero_()?;
        self.epoch_seconds = 0.0;
        Ok(row)
    }

    fn keep_best(&mut self, epoch: u32, score: &Score, network: &Network) -> Result<(), TuneError> {
        if self.task.options.patience.is_none() {
            return Ok(());
        }
        let so_far = self.best.as_ref().and_then(|best| self.epochs.get(best.epoch as usize - 1));
        if so_far.is_none_or(|row| best_tuned_first(score, &row.validation).is_lt()) {
            let (values, statistics) = self.trainer.parameters.buffers_of(network)?;
            self.best = Some(Best { epoch, values, statistics });
        }
        Ok(())
    }

    /// The network as it is: its averaged weights with statistics of their own, where they are averaged.
    fn current(&self, cancelled: &dyn Fn() -> bool) -> Result<Network, TuneError> {
        let Trainer { parameters, average, .. } = &self.trainer;
        match average {
            None => Ok(parameters.network_of(&parameters.trained.values, &parameters.statistics.values)?),
            Some(average) => {
                let averaged = parameters.network_of(average, &parameters.statistics.values)?;
                Ok(adapt(&averaged, self.task.calibration, BATCH, Adaptation::default(), cancelled)?)
            }
        }
    }

    fn fulfil(&self, wish: Wish, observer: &mut dyn TuneObserver) -> Result<(), TuneError> {
        if wish == Wish::Continue {
            return Ok(());
        }
        match observer.snapshot(&self.snapshot()?) {
            Flow::Go => Ok(()),
            Flow::Stop => Err(TuneError::Cancelled),
        }
    }

    fn snapshot(&self) -> Result<Snapshot, TuneError> {
        let copied =
            |(name, tensor): (&str, &Tensor)| Ok((name.to_owned(), tensor.f_detach()?.f_to_device(Device::Cpu)?));
        let tensors = self.tensors().into_iter().map(copied).collect::<Result<BTreeMap<_, _>, TchError>>()?;
        Ok(Snapshot { state: self.state()?, tensors })
    }

    fn tensors(&self) -> Vec<(&str, &Tensor)> {
        let Trainer { parameters, steps, average, sums, .. } = &self.trainer;
        let mut tensors = vec![
            ("weights", &parameters.trained.values),
            ("statistics", &parameters.statistics.values),
            ("first_moment", &steps.first),
            ("sums", sums),
        ];
        tensors.extend(steps.second.as_ref().map(|second| ("second_moment", second)));
        tensors.extend(average.as_ref().map(|average| ("average", average)));
        if let Some(best) = &self.best {
            tensors.extend([("best_weights", &best.values), ("best_statistics", &best.statistics)]);
        }
        tensors
    }

    fn state(&self) -> Result<State, TuneError> {
        let network = &self.trainer.parameters.network;
        let sizes = |id| (network.graph.parameter(id).name.clone(), network.weight(id).size());
        let options = serde_json::to_string(self.task.options).map_err(|error| TuneError::Torch(error.to_string()))?;
        Ok(State {
            version: VERSION,
            steps: self.steps,
            total: self.total,
            peak: self.peak.to_bits(),
            seconds: self.seconds(),
            epoch_seconds: self.epoch_seconds,
            epochs: self.epochs.clone(),
            best: self.best.as_ref().map(|best| best.epoch),
            options,
            tensors: self.trainer.parameters.trained.ids().map(sizes).collect(),
            images: self.task.images as u64,
        })
    }

    fn outset(&self) -> Result<Outset, TuneError> {
        let mut bytes: u64 = self.tensors().iter().map(|(_, tensor)| bytes(tensor)).sum();
        if self.task.options.patience.is_some() && self.best.is_none() {
            let parameters = &self.trainer.parameters;
            bytes += bytes_of_both(&parameters.trained.values, &parameters.statistics.values);
        }
        Ok(Outset {
            steps: self.total,
            steps_per_epoch: self.task.steps_per_epoch(),
            learning_rate: self.peak,
            trained: self.trainer.parameters.trained.count() as u64,
            snapshot_bytes: bytes + serde_json::to_string(&self.state()?).map_or(0, |state| state.len() as u64),
        })
    }

    fn progress(&self) -> Progress {
        let epoch = self.steps.div_ceil(self.task.steps_per_epoch()) as u32;
        Progress { epoch, steps: self.steps, total: self.total, seconds: self.seconds() }
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }
}

fn bytes(tensor: &Tensor) -> u64 {
    (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64
}

fn bytes_of_both(one: &Tensor, other: &Tensor) -> u64 {
    bytes(one) + bytes(other)
}
