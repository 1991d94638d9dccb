//! Whether a search can be done with the model and the dataset that it names.

use eagleeye_store::{Dataset, Model};

use crate::api::search_request::{SearchRequest, Space};
use crate::checker::Wanted;
use crate::faults::Faults;
use crate::inspection::inspect_stored;
use crate::problem::{Kind, Problem, ReachableRange};
use crate::state::AppState;

/// Checks the request against both reports and names every field at fault. Image sizes need not match: images are
/// resized
/// to the model's input.
///
/// # Errors
/// When the model cannot be looked at; what is wrong with the request goes to `faults`.
pub async fn check(
    state: &AppState,
    request: &SearchRequest,
    model: Option<&Model>,
    dataset: Option<&Dataset>,
    faults: &mut Faults,
) -> Result<(), Problem> {
    if let Some(dataset) = dataset {
        check_images(request, dataset, faults);
    }
    let Some(model) = model else { return Ok(()) };
    if let Some(channels) = input_channels(model, faults) {
        if let Some(dataset) = dataset {
            check_channels(channels, dataset, faults);
        }
        check_preprocessing(request, channels, faults);
    }
    check_classes(model, dataset, faults);
    // What is reachable is known for a space that can be drawn from alone.
    if !faults.has(&["macs", "round_to", "min_keep_ratio"]) {
        let (range, unmet) = reachable(state, model, request).await?;
        check_budget(request, range, unmet, faults);
    }
    Ok(())
}

/// Channels of the model's input, [batch, channels, height, width].
fn input_channels(model: &Model, faults: &mut Faults) -> Option<u64> {
    match model.input_shape.as_slice() {
        [_, channels, _, _] => Some(*channels),
        shape => {
            let detail = format!(
                "the model's input has the shape {shape:?}; images need four dimensions: batch, channels, height, width"
            );
            faults.add(Kind::DatasetDoesNotFit, "model_id", detail);
            None
        }
    }
}

fn check_channels(channels: u64, dataset: &Dataset, faults: &mut Faults) {
    let images = u64::from(dataset.channels);
    // One grey channel can stand for each of three colours; the other way round would be a guess.
    if images == channels || (images == 1 && channels == 3) {
        return;
    }
    let right = if channels == 3 { "3 channels, or 1 that is repeated" } else { "the same number" };
    let detail = format!(
        "the model takes images with {} and the dataset's have {images}; they need {right}. Sizes may differ: images \
         are resized to the model's input",
        counted(channels, "channel")
    );
    faults.add(Kind::DatasetDoesNotFit, "dataset_id", detail);
}

/// `1 channel`, `3 channels`
fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn check_classes(model: &Model, dataset: Option<&Dataset>, faults: &mut Faults) {
    let Some(classes) = model.classes else {
        let detail = "the model's output is not a list of class scores; a search needs a classifier".to_owned();
        return faults.add(Kind::DatasetDoesNotFit, "model_id", detail);
    };
    let largest = dataset.and_then(|dataset| dataset.classes.iter().map(|class| class.index).max());
    if let Some(largest) = largest.filter(|largest| *largest >= classes) {
        let detail = format!(
            "the dataset has labels up to {largest} but the model has {classes} classes; labels must be from 0 \
             to {}",
            classes.saturating_sub(1)
        );
        faults.add(Kind::DatasetDoesNotFit, "dataset_id", detail);
    }
}

fn check_preprocessing(request: &SearchRequest, channels: u64, faults: &mut Faults) {
    let preprocessing = &request.preprocessing;
    for (field, length) in [("mean", preprocessing.mean.len()), ("deviation", preprocessing.deviation.len())] {
        if length as u64 != channels {
            let (found, wanted) = (counted(length as u64, "value"), counted(channels, "channel"));
            let detail = format!("has {found}; the model's input has {wanted}, so it must have {channels}");
            faults.add(Kind::InvalidField, &format!("preprocessing.{field}"), detail);
        }
    }
}

fn check_images(request: &SearchRequest, dataset: &Dataset, faults: &mut Faults) {
    let (calibration, scoring) = (u64::from(request.calibration_images), u64::from(request.scoring_images));
    if calibration + scoring > dataset.images {
        let detail = format!(
            "calibration_images ({calibration}) and scoring_images ({scoring}) never overlap, so together they must be \
             at most the dataset's {} images",
            dataset.images
        );
        faults.add(Kind::NotEnoughImages, "scoring_images", detail);
    }
}

/// What can be reached in the space of the request, and why its budget cannot be met there. The model's report has the
/// range
/// for the default space, in which smaller multiples are taken where others miss the budget; another one has to be
/// asked about.
async fn reachable(
    state: &AppState,
    model: &Model,
    request: &SearchRequest,
) -> Result<(ReachableRange, Option<String>), Problem> {
    let space = request.space();
    if space == Space::default() {
        return Ok((model.reachable.into(), None));
    }
    let wanted = Wanted { space, budget: Some((request.macs, request.seed)) };
    let (report, _) = inspect_stored(state, model, &model.input_shape, wanted).await?;
    Ok((ReachableRange { min: report.reachable.min, max: report.reachable.max }, report.unmet))
}

fn check_budget(request: &SearchRequest, reachable: ReachableRange, unmet: Option<String>, faults: &mut Faults) {
    let ReachableRange { min, max } = reachable;
    let Space { round_to, min_keep_ratio } = request.space();
    let space = match round_to {
        Some(multiple) => format!("round_to {multiple} and min_keep_ratio {min_keep_ratio}"),
        None => format!("min_keep_ratio {min_keep_ratio}"),
    };
    let change = match round_to {
        Some(2..) => "; a smaller round_to or min_keep_ratio widens this range",
        _ if min_keep_ratio > 0.0 => "; a smaller min_keep_ratio widens this range",
        _ => "",
    };
    let detail = if min >= max {
        format!("with {space} nothing of this model can be pruned; its groups show what is locked and why{change}")
    } else if !(min..=max).contains(&request.macs) {
        format!(
            "macs is {}; with {space} this model can be pruned to between {min} and {max} of its MACs{change}",
            request.macs
        )
    } else if let Some(reason) = unmet {
        reason
    } else {
        return;
    };
    faults.add(Kind::BudgetOutOfReach, "macs", detail);
    faults.reachable = Some(reachable);
}
