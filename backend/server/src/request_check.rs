//! Whether a search can be done with the model and the dataset that it names.

use eagleeye_spec::precheck::BUDGET_FIELDS;
use eagleeye_spec::report::{PrunableSpace, Reachable};
use eagleeye_spec::warning::input_size_differs;
use eagleeye_spec::{Measure, SearchRequest, Warning};
use eagleeye_store::{Dataset, Model};
use eagleeye_strategy::{StrategyError, feasible_lanes, limited, manual_strategies, reachable};

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
    check_data(request, model, dataset, faults);
    let Some(model) = model else { return Ok(()) };
    // What is reachable is known for a space that can be drawn from alone.
    let needed = ["strategies", "manual", "group_limits", "round_to", "min_keep_ratio"];
    if !faults.has(BUDGET_FIELDS) && !faults.has(&needed) {
        check_budget(state, request, model, faults).await?;
    }
    Ok(())
}

/// Whether the model can be run on the dataset's images as the request says, whatever is then pruned.
pub fn check_data(request: &SearchRequest, model: Option<&Model>, dataset: Option<&Dataset>, faults: &mut Faults) {
    if let Some(dataset) = dataset {
        check_images(request, dataset, faults);
    }
    let Some(model) = model else { return };
    if let Some(channels) = input_channels(model, faults) {
        if let Some(dataset) = dataset {
            check_channels(channels, dataset, faults);
        }
        check_preprocessing(request, channels, faults);
    }
    check_classes(request, model, dataset, faults);
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

fn check_classes(request: &SearchRequest, model: &Model, dataset: Option<&Dataset>, faults: &mut Faults) {
    let Some(classes) = model.figures.classes else {
        let detail = "the model's output is not a list of class scores; a search needs a classifier".to_owned();
        return faults.add(Kind::DatasetDoesNotFit, "model_id", detail);
    };
    if !request.class_order.is_sorted() {
        return check_class_order(request, classes, dataset, faults);
    }
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

/// Each class of which there are images must be one of the model's outputs.
fn check_class_order(request: &SearchRequest, classes: u32, dataset: Option<&Dataset>, faults: &mut Faults) {
    let present = dataset.iter().flat_map(|dataset| &dataset.content.classes).filter(|class| class.count > 0);
    let names: Vec<&str> = present.map(|class| class.name.as_str()).collect();
    let outputs = request.class_order.outputs(names.iter().copied());
    for (name, output) in names.iter().zip(outputs) {
        let detail = match output {
            None => format!("lacks the dataset's class `{name}`"),
            Some(output) if output >= classes => {
                format!("gives class `{name}` output {output}, but the model has {classes} classes")
            }
            Some(_) => continue,
        };
        return faults.add(Kind::DatasetDoesNotFit, "class_order", detail);
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
    let prunable = match limited(&prunable(state, model).await?, &request.group_limits) {
        Ok(prunable) => prunable,
        Err(error) => {
            faults.add(Kind::InvalidField, "group_limits", error.to_string());
            return Ok(());
        }
    };
    let manual = match manual_strategies(request, &prunable) {
        Ok(manual) => manual,
        Err(error) => {
            faults.add(Kind::InvalidField, "manual", error.to_string());
            return Ok(());
        }
    };
    for fault in feasible_lanes(request, &prunable, &manual).err().unwrap_or_default() {
        refuse(&fault, request, &prunable, faults);
    }
    Ok(())
}

fn refuse(error: &StrategyError, request: &SearchRequest, prunable: &PrunableSpace, faults: &mut Faults) {
    match error {
        StrategyError::Unknown { .. } => faults.add(Kind::InvalidField, "strategies", error.to_string()),
        StrategyError::Manual { .. }
        | StrategyError::NothingManual
        | StrategyError::ManualGroups { .. }
        | StrategyError::ManualCount { .. } => faults.add(Kind::InvalidField, "manual", error.to_string()),
        StrategyError::AllLeftAlone | StrategyError::NoSuchGroup { .. } | StrategyError::Limit { .. } => {
            faults.add(Kind::InvalidField, "group_limits", error.to_string());
        }
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
            let measures = error.measures();
            for measure in &measures {
                let field = if request.limits(*measure) { measure.field() } else { "budgets" };
                faults.add(Kind::BudgetOutOfReach, field, error.to_string());
            }
            let range = reachable(prunable, &request.space(), measures.first().copied().unwrap_or(Measure::Macs));
            faults.reachable = Some(Reachable { min: *range.start(), max: *range.end() });
        }
    }
}

/// What can be said about a search from both reports alone.
pub fn known_before(model: Option<&Model>, dataset: Option<&Dataset>) -> Vec<Warning> {
    let (Some(model), Some(dataset)) = (model, dataset) else { return Vec::new() };
    let [_, _, height, width] = model.input_shape[..] else { return Vec::new() };
    let content = &dataset.content;
    let mut warnings = Vec::new();
    if model.figures.guessed_shape {
        warnings.push(Warning::input_size_guessed([height, width]));
    }
    let images = [u64::from(content.height), u64::from(content.width)];
    if input_size_differs([height, width], images) {
        warnings.push(Warning::input_size_differs([height, width], images));
    }
    warnings
}
