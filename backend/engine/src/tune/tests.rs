use std::cell::Cell;
use std::path::{Path, PathBuf};

use eagleeye_spec::{Adaptation, Distillation, DriftKind, Optimizer};
use tch::{Kind, Tensor};

use super::*;
use crate::adapt::adapt;
use crate::exec::forward;
use crate::observer::Flow;
use crate::testing::{classifier, difference, images};

/// Follows fine-tuning, and pauses it once.
#[derive(Default)]
struct Follower {
    pause_after: Option<u64>,
    snapshot: Option<PathBuf>,
    outset: Option<Outset>,
    rows: Vec<Epoch>,
    cancel_after: Option<u32>,
    asked: Cell<u32>,
}

impl TuneObserver for Follower {
    fn cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.cancel_after.is_some_and(|most| self.asked.get() > most)
    }

    fn begin(&mut self, outset: &Outset) {
        self.outset = Some(*outset);
    }

    fn step(&mut self, progress: &Progress) -> Wish {
        if self.pause_after == Some(progress.steps) { Wish::Save } else { Wish::Continue }
    }

    fn epoch(&mut self, epoch: &Epoch) -> Wish {
        self.rows.push(epoch.clone());
        Wish::Continue
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Flow {
        snapshot.write(self.snapshot.as_ref().unwrap()).unwrap();
        Flow::Stop
    }
}

/// Images whose class a small network can learn: the brightest of five stripes.
fn part(seed: u64, count: usize) -> Part {
    let noise = images(seed, &[count, 1, 12, 12]);
    let classes: Vec<i64> = (0..count as i64).map(|image| (image * 7 + seed as i64) % 5).collect();
    for (image, &class) in classes.iter().enumerate() {
        let mut stripe = noise.get(image as i64).narrow(1, class * 2, 2);
        stripe += 2.0;
    }
    Part { images: noise.into(), labels: Some(Tensor::from_slice(&classes)) }
}

struct Sets {
    train: Part,
    validation: Part,
    test: Part,
}

fn sets() -> Sets {
    Sets { train: part(1, 70), validation: part(2, 40), test: part(3, 40) }
}

impl Sets {
    fn images(&self) -> TuneImages<'_> {
        TuneImages { train: &self.train, validation: &self.validation, test: Some(&self.test) }
    }

    fn unlabelled(self) -> Self {
        let without = |part: Part| Part { labels: None, ..part };
        Self { train: without(self.train), validation: without(self.validation), test: without(self.test) }
    }
}

fn options() -> TuneOptions {
    TuneOptions { epochs: Some(3), batch_size: 16, learning_rate: Some(0.05), seed: 4, ..TuneOptions::default() }
}

fn tuned(network: &Network, full: Option<&Network>, sets: &Sets, options: &TuneOptions) -> (Tuned, Follower) {
    let mut follower = Follower::default();
    let tuned = tune(network, full, sets.images(), options, None, &mut follower).unwrap();
    (tuned, follower)
}

fn assert_same(one: &Network, other: &Network) {
    for (parameter, (a, b)) in one.graph.parameters.iter().zip(one.weights.iter().zip(&other.weights)) {
        assert_eq!(a, b, "{}", parameter.name);
    }
}

#[test]
fn a_network_learns_and_tells_how_it_goes() {
    let (network, sets) = (classifier(1, true), sets());
    let options = TuneOptions { epochs: Some(12), ..options() };
    let (tuned, follower) = tuned(&network, None, &sets, &options);
    assert!(tuned.validation.top1 > 0.9, "{:?}", tuned.validation);
    assert!(tuned.test.unwrap().top1 > 0.9);
    assert_eq!(follower.rows, tuned.epochs);
    let outset = follower.outset.unwrap();
    assert_eq!((outset.steps, outset.steps_per_epoch, outset.learning_rate), (Some(48), 4, 0.05));
    let [first, .., last] = &tuned.epochs[..] else { panic!("twelve epochs") };
    assert_eq!((first.epoch, first.steps, last.epoch, last.steps), (1, 4, 12, 48));
    assert!(first.loss > last.loss && last.train_top1.unwrap() > 0.9);
    assert!(first.learning_rate > last.learning_rate && last.seconds_left == 0.0 && last.images_per_second > 0.0);
    assert_eq!(last.filter_norms.counts.iter().sum::<u64>(), 56);
    let moved = |kind| last.drift.iter().filter(|layer| layer.kind == kind && layer.relative > 0.0).count();
    assert_eq!((moved(DriftKind::Weight), moved(DriftKind::Mean), moved(DriftKind::Variance)), (6, 5, 5));
    assert_eq!(tuned.validation, last.validation);
}

#[test]
fn a_network_that_is_tuned_stays_as_it_was() {
    let (network, sets) = (classifier(1, true), sets());
    let before: Vec<Tensor> = network.weights.iter().map(Tensor::copy).collect();
    let (result, _) = tuned(&network, None, &sets, &options());
    assert_eq!(network.weights, before);
    assert_eq!(result.network.graph, network.graph);
    assert!(result.network.weights.iter().all(|weight| !weight.requires_grad() && weight.is_contiguous()));
}

/// Tunes in two halves, through a file, and compares with one whole.
fn assert_resumes(options: &TuneOptions, pause_after: u64, network: &Network, full: Option<&Network>) {
    let sets = sets();
    let (whole, follower) = tuned(network, full, &sets, options);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuning.safetensors");
    let mut first = Follower { pause_after: Some(pause_after), snapshot: Some(path.clone()), ..Follower::default() };
    let paused = tune(network, full, sets.images(), options, None, &mut first).unwrap_err();
    assert!(matches!(paused, TuneError::Cancelled), "{paused}");
    let stated = follower.outset.unwrap().snapshot_bytes as f64;
    let size = std::fs::metadata(&path).unwrap().len() as f64;
    assert!(size < 1.3 * stated + 16_384.0, "{size} bytes, {stated} were stated");
    let snapshot = Snapshot::read(&path).unwrap();
    assert_eq!(snapshot.state.steps, pause_after);
    let mut second = Follower::default();
    let resumed = tune(network, full, sets.images(), options, Some(snapshot), &mut second).unwrap();
    assert_same(&resumed.network, &whole.network);
    assert_eq!((resumed.validation, resumed.test), (whole.validation, whole.test));
    let figures = |epoch: &Epoch| (epoch.epoch, epoch.steps, epoch.loss.to_bits(), epoch.validation.top1.to_bits());
    let rows = |tuned: &Tuned| tuned.epochs.iter().map(figures).collect::<Vec<_>>();
    assert_eq!(rows(&resumed), rows(&whole));
}

#[test]
fn a_run_that_was_interrupted_ends_with_the_same_weights() {
    let network = classifier(1, true);
    for pause_after in [1, 4, 6, 11] {
        assert_resumes(&options(), pause_after, &network, None);
    }
}

#[test]
fn so_does_one_with_everything_that_has_a_state() {
    let (network, full) = (classifier(1, true), classifier(2, true));
    let options = TuneOptions {
        optimizer: Optimizer::AdamW,
        learning_rate: Some(0.01),
        crop_padding: 2,
        mixup: 0.3,
        label_smoothing: 0.1,
        average: Some(0.8),
        clip_norm: 1.0,
        patience: Some(2),
        micro_batch: Some(7),
        distillation: Some(Distillation::default()),
        ..options()
    };
    assert_resumes(&options, 6, &network, Some(&full));
    let cut = TuneOptions { crop_padding: 0, crop_area: Some(0.4), ..options.clone() };
    assert_resumes(&cut, 5, &network, Some(&full));
    assert_resumes(&TuneOptions { find_learning_rate: true, learning_rate: None, ..options }, 5, &network, Some(&full));
}

#[test]
fn so_does_one_of_a_folded_network() {
    assert_resumes(&options(), 5, &classifier(3, false), None);
}

fn snapshot_after(steps: u64, options: &TuneOptions, network: &Network, path: &Path) -> Snapshot {
    let mut follower = Follower { pause_after: Some(steps), snapshot: Some(path.to_owned()), ..Follower::default() };
    tune(network, None, sets().images(), options, None, &mut follower).unwrap_err();
    Snapshot::read(path).unwrap()
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    let network = classifier(1, true);
    let refusal = |network: &Network, sets: &Sets, options: &TuneOptions| {
        let snapshot = snapshot_after(2, &self::options(), &classifier(1, true), &path);
        tune(network, None, sets.images(), options, Some(snapshot), &mut Follower::default()).unwrap_err()
    };
    let other_options = TuneOptions { seed: 5, ..options() };
    let error = refusal(&network, &sets(), &other_options);
    assert!(matches!(error, TuneError::Snapshot(SnapshotError::Options { .. })), "{error}");
    let error = refusal(&classifier(1, false), &sets(), &options());
    assert!(matches!(error, TuneError::Snapshot(SnapshotError::Network)), "{error}");
    let fewer = Sets { train: part(1, 60), ..sets() };
    let error = refusal(&network, &fewer, &options());
    assert!(matches!(error, TuneError::Snapshot(SnapshotError::Images { found: 70, images: 60 })), "{error}");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(Snapshot::read(&path), Err(SnapshotError::Damaged { .. })));
    std::fs::write(&path, b"no snapshot").unwrap();
    assert!(matches!(Snapshot::read(&path), Err(SnapshotError::Form { .. })));
    assert!(matches!(Snapshot::read(&folder.path().join("none")), Err(SnapshotError::Read { .. })));
}

#[test]
fn folded_batch_norms_are_trained_and_folded_again() {
    let (network, sets) = (classifier(3, false), sets());
    let options = TuneOptions { epochs: Some(24), ..options() };
    let (result, _) = tuned(&network, None, &sets, &options);
    assert_eq!(result.network.graph.parameters, network.graph.parameters);
    assert_eq!(result.network.batch_norms(), 0);
    assert!(result.test.unwrap().top1 > 0.9, "{:?}", result.test);
    let norms = result.epochs[23].drift.iter().filter(|layer| layer.kind == DriftKind::Mean).count();
    assert_eq!(norms, 5, "virtual ones");
}

#[test]
fn without_labels_a_network_learns_what_the_full_one_says() {
    let learnt = TuneOptions { epochs: Some(12), ..options() };
    let (full, _) = tuned(&classifier(1, true), None, &sets(), &learnt);
    let network = classifier(8, true);
    let (result, _) = tuned(&network, Some(&full.network), &sets().unlabelled(), &learnt);
    assert!(result.test.unwrap().agreement.unwrap() > 0.9, "{:?}", result.test);
    assert!(result.epochs.iter().all(|epoch| epoch.train_top1.is_none()));
    let error = tune(&network, None, sets().unlabelled().images(), &options(), None, &mut Follower::default());
    assert!(matches!(error.unwrap_err(), TuneError::NothingToLearn));
}

#[test]
fn an_average_has_statistics_of_its_own() {
    let (network, sets) = (classifier(1, true), sets());
    let (plain, _) = tuned(&network, None, &sets, &options());
    let (averaged, _) = tuned(&network, None, &sets, &TuneOptions { average: Some(0.9), ..options() });
    let x = &sets.test.images.all().unwrap();
    assert!(difference(&forward(&averaged.network, x).unwrap(), &forward(&plain.network, x).unwrap()) > 1e-3);
    let again = adapt(&averaged.network, &sets.train.images, 128, Adaptation::default(), &|| false).unwrap();
    assert!(difference(&forward(&again, x).unwrap(), &forward(&averaged.network, x).unwrap()) < 1e-5);
}

#[test]
fn running_statistics_follow_every_batch_with_pytorchs_momentum() {
    let (network, sets) = (classifier(1, true), sets());
    let options = TuneOptions { epochs: Some(1), batch_size: 70, learning_rate: Some(1e-9), flip: false, ..options() };
    let (result, _) = tuned(&network, None, &sets, &options);
    let expected = adapt(&network, &sets.train.images, 128, Adaptation::momentum(0.1, 1), &|| false).unwrap();
    for (parameter, (a, b)) in network.graph.parameters.iter().zip(result.network.weights.iter().zip(&expected.weights))
    {
        assert!(difference(a, b) < 1e-4, "{}", parameter.name);
    }
}

#[test]
fn gradients_of_several_passes_are_those_of_the_batch() {
    // Without batch norms, what a pass sees beside an image does not matter.
    let mut net = crate::testing::Layers::new(5);
    let x = net.image(1, 12);
    let x = net.conv(x, 6, 3, 1, 1, true);
    let x = net.relu(x);
    let x = net.push("norm", eagleeye_graph::Op::GroupNorm { groups: 2, epsilon: 1e-5 }, &[x]);
    let x = net.global_mean(x, false);
    let y = net.linear(x, 5);
    let (network, sets) = (net.finish(y), sets());
    let (whole, _) = tuned(&network, None, &sets, &options());
    let (passes, _) = tuned(&network, None, &sets, &TuneOptions { micro_batch: Some(5), ..options() });
    for (parameter, (a, b)) in
        network.graph.parameters.iter().zip(passes.network.weights.iter().zip(&whole.network.weights))
    {
        assert!(difference(a, b) < 1e-4, "{}", parameter.name);
    }
    assert!((passes.epochs[2].loss - whole.epochs[2].loss).abs() < 1e-4);
}

#[test]
fn patience_ends_it_and_the_best_is_returned() {
    let (network, sets) = (classifier(1, true), sets());
    let options = TuneOptions { epochs: Some(40), patience: Some(2), ..options() };
    let (result, _) = tuned(&network, None, &sets, &options);
    let count = result.epochs.len();
    assert!(count < 40, "it cannot get better {count} times");
    assert_eq!(result.validation, result.epochs[count - 3].validation, "the best, two epochs before the end");
}

#[test]
fn a_time_limit_ends_it() {
    let (network, sets) = (classifier(1, true), sets());
    let options = TuneOptions { epochs: None, minutes: Some(0.02), ..options() };
    let (result, follower) = tuned(&network, None, &sets, &options);
    let last = result.epochs.last().unwrap();
    assert!(last.seconds < 6.0, "{}", last.seconds);
    let outset = follower.outset.unwrap();
    assert_eq!(outset.steps, None);
    // On a busy machine there may be one epoch alone, at whose end the rate has come down, too.
    assert!(last.learning_rate < outset.learning_rate, "{last:?}");
}

#[test]
fn cancelling_stops_in_the_middle() {
    let (network, sets) = (classifier(1, true), sets());
    let mut follower = Follower { cancel_after: Some(100), ..Follower::default() };
    let error = tune(&network, None, sets.images(), &options(), None, &mut follower).unwrap_err();
    assert!(matches!(error, TuneError::Cancelled), "{error}");
    assert_eq!(follower.asked.get(), 101);
}

#[test]
fn a_loss_that_is_no_number_ends_it() {
    let (network, sets) = (classifier(1, false), sets());
    let options = TuneOptions { learning_rate: Some(100.0), epochs: Some(50), momentum: 0.99, ..options() };
    let mut broken = network.shallow_clone();
    broken.weights[0] = &network.weights[0] * f64::NAN;
    let error = tune(&broken, None, sets.images(), &options, None, &mut Follower::default()).unwrap_err();
    assert!(matches!(error, TuneError::Diverged { step: 4, .. }), "{error}");
}

#[test]
fn what_cannot_be_tuned_is_refused_before_anything_is_computed() {
    let (network, sets) = (classifier(1, true), sets());
    let refusal = |sets: &Sets, options: &TuneOptions| {
        tune(&network, None, sets.images(), options, None, &mut Follower::default()).unwrap_err().to_string()
    };
    assert_eq!(refusal(&sets, &TuneOptions::default()), "`epochs` is missing: enter `epochs` or `minutes`");
    let one = Sets { train: part(1, 1), ..self::sets() };
    assert!(refusal(&one, &options()).contains("at least two"));
    let none = Sets { validation: part(1, 0), ..self::sets() };
    assert!(refusal(&none, &options()).contains("no validation images"));
    let taught = TuneOptions { distillation: Some(Distillation::default()), ..options() };
    assert!(refusal(&sets, &taught).contains("no full network"));
}

#[test]
fn a_double_network_is_trained_in_double() {
    let network = classifier(1, true);
    let weights = network.weights.iter().map(|weight| weight.to_kind(Kind::Double)).collect();
    let network = network.with(network.graph.clone(), weights);
    let (result, _) = tuned(&network, None, &sets(), &options());
    assert!(result.network.weights.iter().all(|weight| weight.kind() == Kind::Double));
}
