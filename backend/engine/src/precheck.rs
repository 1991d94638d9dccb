//! The full network on a sample of a search's images, before the search is queued: whether model, data and preprocessing go
//! together.

use std::collections::BTreeSet;
use std::time::Instant;

use eagleeye_graph::macs;
use eagleeye_spec::presets::distinct_values;
use eagleeye_spec::warning::other_preset_fits;
use eagleeye_spec::{
    BestPreset, ChannelOrder, ClassAnswers, Hits, Intervals, Precheck, Preprocessing, PresetFit, SearchRequest,
    Warning, WarningCode,
};
use tch::{TchError, Tensor};

use crate::doubt::Labels;
use crate::exec::ExecError;
use crate::fold::fold;
use crate::images::Part;
use crate::network::Network;
use crate::rewrite::RewriteError;
use crate::score::{Reference, score};
use crate::warnings;
use eagleeye_torchscript::tensors::reason;

/// MACs that the sample, and all presets together, may take where that leaves enough images: some ten seconds of a core.
const WORK: u64 = 400_000_000_000;
/// Fewer images tell a usable network from chance no more.
const LEAST_IMAGES: usize = 64;
/// On fewer images even a wrong preset's difference may be chance.
const LEAST_PRESET_IMAGES: usize = 32;
const MOST_PRESET_IMAGES: usize = 256;
/// A larger batch takes more memory and no less time.
const MOST_AT_ONCE: usize = 128;

/// Why the full network cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum PrecheckError {
    #[error("there are no images to score the network on")]
    NoImages,
    #[error("an image has the label {label}, but the network has {classes} classes; labels must be below that")]
    Label { label: i64, classes: u64 },
    #[error("the network cannot be run on the images: {0}")]
    Exec(#[from] ExecError),
    #[error("the network's batch norms cannot be folded: {0}")]
    Fold(#[from] RewriteError),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for PrecheckError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// Images of a sample, where so many are asked for: fewer for a network of many MACs.
pub fn sample_size(network: &Network, asked: usize) -> usize {
    asked.min(affordable(network, 1).max(LEAST_IMAGES))
}

/// Scores the full network on `pixels`, `[n, C, H, W]`: images in the network's size with their stored values (0 to 255), red
/// first; and on the first of them with the values of each known preset.
///
/// `names` are those of the classes, by index, as many as are known. The same network, images and request give the same answer
/// but for `seconds`.
pub fn precheck(
    network: &Network,
    pixels: &Part,
    request: &SearchRequest,
    names: &[String],
) -> Result<Precheck, PrecheckError> {
    if pixels.is_empty() {
        return Err(PrecheckError::NoImages);
    }
    let started = Instant::now();
    let folded = fold(network)?;
    let batch_size = (request.batch_size as usize).min(MOST_AT_ONCE);
    let input = prepared(&pixels.images.all()?, &request.preprocessing)?;
    let reference = Reference::of(&folded, &input, batch_size, &|| false)?;
    drop(input);
    let answers = reference.answers()?;
    let labels = known_labels(pixels, reference.classes())?.unwrap_or_else(|| answers.shallow_clone());
    let seen = Labels::of(&labels, &reference, pixels.labels.is_some())?;
    let scored = reference.score(&labels)?;

    let mut warnings = warnings::before(&seen, request, &scored.score, names);
    let presets = match &pixels.labels {
        Some(labels) => Presets::try_on(&folded, pixels, labels, request, &scored.hits, batch_size)?,
        None => Presets::default(),
    };
    // Where another order of the classes explains the answers, a preset that is better by chance does not.
    let is_order = warnings.iter().any(|warning| warning.code == WarningCode::ClassOrderSuspect);
    let best_preset = presets.best().map(|best| BestPreset { fits_better: best.fits_better && !is_order, ..best });
    warnings.extend(best_preset.as_ref().filter(|best| best.fits_better).and_then(|best| presets.warning(&best.name)));
    Ok(Precheck {
        images: seen.images,
        labelled: seen.are_given,
        score: seen.are_given.then_some(scored.score),
        intervals: seen.are_given.then(|| Intervals::of(&scored.score, seen.images)),
        classes: histogram(&answers, pixels.labels.as_ref(), names)?,
        preset_images: presets.requested.len(),
        presets: presets.tried.into_iter().map(|(fit, _)| fit).collect(),
        best_preset,
        warnings,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The images' labels, where they have any, each of a class that the network has.
fn known_labels(pixels: &Part, classes: u64) -> Result<Option<Tensor>, PrecheckError> {
    let Some(labels) = &pixels.labels else { return Ok(None) };
    let label = labels.f_max()?.f_int64_value(&[])?;
    if label as u64 >= classes {
        return Err(PrecheckError::Label { label, classes });
    }
    Ok(Some(labels.shallow_clone()))
}

/// The network's input for pixels, `[n, C, H, W]`, as `eagleeye_data::Preprocess` computes it.
fn prepared(pixels: &Tensor, preprocessing: &Preprocessing) -> Result<Tensor, TchError> {
    let each = |values: &[f64]| {
        let single: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Tensor::f_from_slice(&single)?.f_reshape([1, -1, 1, 1])?.f_to_device(pixels.device())
    };
    let (mean, deviation) = (each(&preprocessing.mean)?, each(&preprocessing.deviation)?);
    let ordered = match preprocessing.channels {
        ChannelOrder::Rgb => pixels.shallow_clone(),
        ChannelOrder::Bgr => pixels.f_flip([1])?,
    };
    ordered.f_mul_scalar(f64::from(preprocessing.scale as f32))?.f_sub(&mean)?.f_div(&deviation)
}

/// What the network does with presets, on the same images.
#[derive(Debug, Default)]
struct Presets {
    /// Of the request's own values.
    requested: Hits,
    tried: Vec<(PresetFit, Hits)>,
}

impl Presets {
    /// `hits` are those with the request's values, on all images.
    fn try_on(
        network: &Network,
        pixels: &Part,
        labels: &Tensor,
        request: &SearchRequest,
        hits: &Hits,
        batch_size: usize,
    ) -> Result<Self, PrecheckError> {
        let known = known_presets(pixels.images.channels());
        let most = affordable(network, known.len()).clamp(LEAST_PRESET_IMAGES, MOST_PRESET_IMAGES);
        let images = pixels.first(most).all()?;
        let labels = labels.f_narrow(0, 0, most.min(pixels.len()) as i64)?;
        let requested = hits.prefix(most as u64);
        let tried = known.into_iter().map(|(name, values)| {
            let is_requested = same_values(&values, &request.preprocessing);
            let hits = match is_requested {
                true => requested.clone(),
                false => score(network, &prepared(&images, &values)?, &labels, None, batch_size, &|| false)?.hits,
            };
            let fit = PresetFit {
                name: name.to_owned(),
                top1: share(&hits),
                interval: hits.interval(),
                requested: is_requested,
            };
            Ok((fit, hits))
        });
        let tried = tried.collect::<Result<_, PrecheckError>>()?;
        Ok(Self { requested, tried })
    }

    /// The best that is above the request's values, of equal ones the first.
    fn best(&self) -> Option<BestPreset> {
        let above = self.tried.iter().filter(|(_, hits)| hits.count() > self.requested.count());
        let (fit, hits) = above.rev().max_by_key(|(_, hits)| hits.count())?;
        Some(BestPreset { name: fit.name.clone(), fits_better: other_preset_fits(&self.requested, hits) })
    }

    fn warning(&self, name: &str) -> Option<Warning> {
        let (fit, hits) = self.tried.iter().find(|(fit, _)| fit.name == name)?;
        Some(Warning::other_preset_fits(share(&self.requested), name, fit.top1, hits.len()))
    }
}

/// Known presets for inputs of so many channels, each with values that none before it has.
fn known_presets(channels: usize) -> Vec<(&'static str, Preprocessing)> {
    let mut known: Vec<(&str, Preprocessing)> = Vec::new();
    for preset in distinct_values() {
        let Some(values) = preset.preprocessing(channels) else { continue };
        if !known.iter().any(|(_, other)| same_values(other, &values)) {
            known.push((preset.name, values));
        }
    }
    known
}

/// Whether both do the same with the values of pixels, but for how many digits were written down.
fn same_values(a: &Preprocessing, b: &Preprocessing) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-4 * a.abs().max(b.abs());
    let all = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| near(a, b));
    let in_order = a.mean.len() < 2 || a.channels == b.channels;
    all(&a.mean, &b.mean) && all(&a.deviation, &b.deviation) && near(a.scale, b.scale) && in_order
}

/// Images that so many passes over them can afford.
fn affordable(network: &Network, passes: usize) -> usize {
    (WORK / macs(&network.graph).max(1) / passes.max(1) as u64) as usize
}

fn share(hits: &Hits) -> f64 {
    hits.count() as f64 / hits.len().max(1) as f64
}

/// How often each class was answered and is right, of those that were or are.
fn histogram(answers: &Tensor, labels: Option<&Tensor>, names: &[String]) -> Result<Vec<ClassAnswers>, TchError> {
    let answers = Vec::<i64>::try_from(answers)?;
    let labels = labels.map(Vec::<i64>::try_from).transpose()?.unwrap_or_default();
    let classes: BTreeSet<i64> = answers.iter().chain(&labels).copied().collect();
    let count = |values: &[i64], class: i64| values.iter().filter(|&&value| value == class).count() as u64;
    let row = |&class: &i64| ClassAnswers {
        index: class as u32,
        name: names.get(class as usize).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| class.to_string()),
        answers: count(&answers, class),
        labels: count(&labels, class),
    };
    Ok(classes.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::WarningCode;
    use serde_json::json;

    use super::*;
    use crate::testing::{classifier, images};

    fn request(preprocessing: serde_json::Value) -> SearchRequest {
        let nil = "00000000-0000-0000-0000-000000000000";
        let body = json!({
            "model_id": nil, "dataset_id": nil, "calibration_images": 3200, "scoring_images": 5000,
            "preprocessing": preprocessing,
        });
        serde_json::from_value(body).unwrap()
    }

    /// Pixels whose labels are what the network answers when they are prepared as Fashion-MNIST's.
    fn sample(network: &Network, count: i64) -> Part {
        let pixels = (images(3, &[count as usize, 1, 12, 12]) + 1.0) * 127.5;
        let right = request(json!({ "mean": [0.2860], "deviation": [0.3530] })).preprocessing;
        let reference = Reference::of(network, &prepared(&pixels, &right).unwrap(), 32, &|| false).unwrap();
        Part { images: pixels.into(), labels: Some(reference.answers().unwrap()) }
    }

    fn codes(found: &Precheck) -> Vec<WarningCode> {
        found.warnings.iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn the_requests_values_are_found_among_the_presets_and_none_is_better() {
        let network = classifier(1, true);
        let sample = sample(&network, 100);
        let right = request(json!({ "mean": [0.286], "deviation": [0.353] }));
        let found = precheck(&network, &sample, &right, &["bag".to_owned()]).unwrap();
        assert_eq!((found.images, found.preset_images, found.labelled), (100, 100, true));
        assert!(found.score.unwrap().top1 > 0.97 && found.intervals.unwrap().top1.low > 0.9, "{found:?}");
        let requested: Vec<_> = found.presets.iter().filter(|fit| fit.requested).map(|fit| &fit.name[..]).collect();
        assert_eq!(requested, ["fashion_mnist"]);
        assert_eq!(found.best_preset, None);
        let sum = |of: fn(&ClassAnswers) -> u64| found.classes.iter().map(of).sum::<u64>();
        assert_eq!((sum(|class| class.answers), sum(|class| class.labels)), (100, 100));
        assert!(found.classes.iter().all(|class| (class.name == "bag") == (class.index == 0)), "{:?}", found.classes);
        let again = precheck(&network, &sample, &right, &["bag".to_owned()]).unwrap();
        assert_eq!(Precheck { seconds: 0.0, ..again }, Precheck { seconds: 0.0, ..found });
    }

    #[test]
    fn images_without_labels_have_no_score_and_no_presets() {
        let network = classifier(1, true);
        let sample = Part { labels: None, ..sample(&network, 70) };
        let found = precheck(&network, &sample, &request(json!({ "mean": [0.0], "deviation": [1.0] })), &[]).unwrap();
        assert_eq!((found.labelled, found.score, found.intervals, found.preset_images), (false, None, None, 0));
        assert!(found.presets.is_empty() && codes(&found).contains(&WarningCode::Unlabelled), "{found:?}");
        assert_eq!(found.classes.iter().map(|class| class.answers).sum::<u64>(), 70);
        assert!(found.classes.iter().all(|class| class.labels == 0));
    }

    #[test]
    fn a_label_beyond_the_networks_classes_and_no_images_are_refused() {
        let network = classifier(1, true);
        let wanted = request(json!({ "mean": [0.0], "deviation": [1.0] }));
        let pixels = images(3, &[2, 1, 12, 12]);
        let beyond = Part { images: pixels.shallow_clone().into(), labels: Some(Tensor::from_slice(&[0i64, 5])) };
        let error = precheck(&network, &beyond, &wanted, &[]).unwrap_err();
        assert!(matches!(error, PrecheckError::Label { label: 5, classes: 5 }), "{error}");
        let none = Part { images: pixels.narrow(0, 0, 0).into(), labels: None };
        assert!(matches!(precheck(&network, &none, &wanted, &[]), Err(PrecheckError::NoImages)));
    }

    #[test]
    fn presets_are_for_the_inputs_channels_and_none_is_tried_twice() {
        let names = |channels| known_presets(channels).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(1), ["mnist", "fashion_mnist", "0_to_1", "minus_1_to_1", "0_to_255"]);
        let colour = names(3);
        assert!(colour.contains(&"torchvision") && colour.contains(&"caffe") && colour.contains(&"cifar10"));
        assert!(!colour.contains(&"timm") && !colour.contains(&"minus_1_to_1") && !colour.contains(&"mnist"));
    }

    #[test]
    fn values_become_the_input_in_the_order_of_the_networks_channels() {
        let pixels = Tensor::from_slice(&[10.0f32, 20.0, 30.0]).reshape([1, 3, 1, 1]);
        let mut values = request(json!({ "mean": [1, 2, 3], "deviation": [2, 4, 5], "scale": 0.5 })).preprocessing;
        let input =
            |values: &Preprocessing| Vec::<f32>::try_from(prepared(&pixels, values).unwrap().flatten(0, -1)).unwrap();
        assert_eq!(input(&values), [2.0, 2.0, 2.4]);
        values.channels = ChannelOrder::Bgr;
        assert_eq!(input(&values), [7.0, 2.0, 0.4]);
    }

    #[test]
    fn a_network_of_many_macs_is_scored_on_fewer_images() {
        let network = classifier(1, true);
        assert_eq!((sample_size(&network, 512), sample_size(&network, 10)), (512, 10));
        assert!(affordable(&network, 4) <= affordable(&network, 1) / 4 && affordable(&network, 4) > MOST_PRESET_IMAGES);
    }
}
