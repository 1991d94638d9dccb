//! Whether a search can be done with the model and the dataset that it names.

use eagleeye_spec::report::Reachable;
use eagleeye_spec::{Measure, SearchRequest};
use eagleeye_store::{Dataset, Model};
use eagleeye_strategy::{StrategyError, Task, feasible, reachable};

use crate::faults::Faults;
use crate::problem::{Kind, Problem};
use crate::prunable::prunable;
use crate::state::AppState;

/// Checks the request against both reports and names every field at fault. Image sizes need not match: images are
/// resized to the model's input.
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
    if !faults.has(&["strategy", "macs", "parameters", "round_to", "min_keep_ratio"]) {
        check_budget(state, request, model, faults).await?;
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
    let images = u64::from(dataset.content.channels);
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
    let Some(classes) = model.figures.classes else {
        let detail = "the model's output is not a list of class scores; a search needs a classifier".to_owned();
        return faults.add(Kind::DatasetDoesNotFit, "model_id", detail);
    };
    let largest = dataset.and_then(|dataset| dataset.content.classes.iter().map(|class| class.index).max());
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
    let images = dataset.content.images;
    if calibration + scoring > images {
        let detail = format!(
            "calibration_images ({calibration}) and scoring_images ({scoring}) never overlap, so together they must be \
             at most the dataset's {images} images"
        );
        faults.add(Kind::NotEnoughImages, "scoring_images", detail);
    }
}

/// The check that the engine begins a search with, on the model's stored costs.
async fn check_budget(
    state: &AppState,
    request: &SearchRequest,
    model: &Model,
    faults: &mut Faults,
) -> Result<(), Problem> {
    let prunable = prunable(state, model).await?;
    let (space, budget) = (request.space(), request.budget());
    let task = Task::new(&prunable, space, &budget, request.seed);
    let Err(error) = feasible(&request.strategy.0, &task) else { return Ok(()) };
    match &error {
        StrategyError::Unknown { .. } => faults.add(Kind::InvalidField, "strategy", error.to_string()),
        StrategyError::NothingToPrune => {
            let detail =
                "nothing in this model can be pruned; its channel groups say what is locked and why".to_owned();
            faults.add(Kind::BudgetOutOfReach, "macs", detail);
        }
        StrategyError::NothingWithin(_) => {
            faults.add(Kind::BudgetOutOfReach, "macs", error.to_string());
            faults.reachable = Some(Reachable { min: 1.0, max: 1.0 });
        }
        _ => {
            for measure in error.measures() {
                faults.add(Kind::BudgetOutOfReach, measure.field(), error.to_string());
            }
            let range = reachable(&prunable, &space, Measure::Macs);
            faults.reachable = Some(Reachable { min: *range.start(), max: *range.end() });
        }
    }
    Ok(())
}
