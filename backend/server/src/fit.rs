//! Whether a search can be done with the model and the dataset that it names.

use eagleeye_store::{Check, Dataset, Model};

use crate::api::search_request::{SearchRequest, Space};
use crate::checker::Wanted;
use crate::folder::Folder;
use crate::problem::{FieldError, Kind, Problem, ReachableRange};
use crate::state::AppState;

/// Checks the request against both reports. Image sizes need not match: images are resized to the model's input.
pub async fn check(state: &AppState, request: &SearchRequest, model: &Model, dataset: &Dataset) -> Result<(), Problem> {
    let channels = input_channels(model)?;
    check_channels(channels, dataset)?;
    check_classes(model, dataset)?;
    check_preprocessing(request, channels)?;
    check_images(request, dataset)?;
    let (range, unmet) = reachable(state, model, request).await?;
    check_budget(request, range, unmet)
}

/// Channels of the model's input, [batch, channels, height, width].
fn input_channels(model: &Model) -> Result<u64, Problem> {
    match model.input_shape.as_slice() {
        [_, channels, _, _] => Ok(*channels),
        shape => Err(Problem::new(
            Kind::DatasetDoesNotFit,
            format!(
                "the model's input has the shape {shape:?}; images need one of four: batch, channels, height, width"
            ),
        )),
    }
}

fn check_channels(channels: u64, dataset: &Dataset) -> Result<(), Problem> {
    let images = u64::from(dataset.channels);
    // One grey channel can stand for each of three colours; the other way round would be a guess.
    if images == channels || (images == 1 && channels == 3) {
        return Ok(());
    }
    let right = if channels == 3 { "3, or 1 that is repeated" } else { "as many" };
    let detail = format!(
        "the model takes images of {channels} channels and the dataset's have {images}; they need {right}. Sizes may \
         differ: images are resized to the model's input"
    );
    Err(Problem::new(Kind::DatasetDoesNotFit, detail))
}

fn check_classes(model: &Model, dataset: &Dataset) -> Result<(), Problem> {
    let Some(classes) = model.classes else {
        let detail = "the model's output is no list of class scores; a search needs a classifier";
        return Err(Problem::new(Kind::DatasetDoesNotFit, detail));
    };
    match dataset.classes.iter().map(|class| class.index).max() {
        Some(largest) if largest >= classes => {
            let detail = format!(
                "the dataset has labels up to {largest} and the model tells {classes} classes apart; labels must be \
                 from 0 to {}",
                classes.saturating_sub(1)
            );
            Err(Problem::new(Kind::DatasetDoesNotFit, detail))
        }
        _ => Ok(()),
    }
}

fn check_preprocessing(request: &SearchRequest, channels: u64) -> Result<(), Problem> {
    let preprocessing = &request.preprocessing;
    let lengths = [("mean", preprocessing.mean.len()), ("deviation", preprocessing.deviation.len())];
    let wrong = lengths.iter().filter(|(_, length)| *length as u64 != channels);
    let errors: Vec<FieldError> = wrong
        .map(|(field, length)| FieldError {
            field: format!("preprocessing.{field}"),
            detail: format!(
                "has {length} values; the model's input has {channels} channels, so it must have {channels}"
            ),
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

fn check_images(request: &SearchRequest, dataset: &Dataset) -> Result<(), Problem> {
    let (calibration, scoring) = (u64::from(request.calibration_images), u64::from(request.scoring_images));
    if calibration + scoring <= dataset.images {
        return Ok(());
    }
    let detail = format!(
        "calibration_images ({calibration}) and scoring_images ({scoring}) never overlap, so together they must be at \
         most the dataset's {} images",
        dataset.images
    );
    Err(Problem::new(Kind::NotEnoughImages, detail))
}

/// What can be reached in the space of the request, and why its budget cannot be met there. The model's report has the range
/// for the default space, in which smaller multiples are taken where others miss the budget; another one has to be asked about.
async fn reachable(
    state: &AppState,
    model: &Model,
    request: &SearchRequest,
) -> Result<(ReachableRange, Option<String>), Problem> {
    let space = request.space();
    if space == Space::default() {
        return Ok((model.reachable.into(), None));
    }
    let local = state.store.models().local(model, Check::Once).await?;
    let folder = Folder::of(model.files().into_iter().map(|(name, _)| name).zip(local).collect()).await?;
    let shape: Vec<String> = model.input_shape.iter().map(u64::to_string).collect();
    let path = folder.path_of(&model.file_name);
    let wanted = Wanted { space, budget: Some((request.macs, request.seed)) };
    let checked = state.checker.inspect(&path, Some(&shape.join(",")), wanted).await;
    let (report, _) = checked.map_err(|error| error.into_problem(Kind::UnusableModel))?;
    Ok((ReachableRange { min: report.reachable.min, max: report.reachable.max }, report.unmet))
}

fn check_budget(request: &SearchRequest, reachable: ReachableRange, unmet: Option<String>) -> Result<(), Problem> {
    let ReachableRange { min, max } = reachable;
    let Space { round_to, min_keep_ratio } = request.space();
    let space = match round_to {
        Some(multiple) => format!("round_to {multiple} and min_keep_ratio {min_keep_ratio}"),
        None => format!("min_keep_ratio {min_keep_ratio}"),
    };
    let change = match round_to {
        Some(2..) => "; a smaller round_to or min_keep_ratio leaves more within reach",
        _ if min_keep_ratio > 0.0 => "; a smaller min_keep_ratio leaves more within reach",
        _ => "",
    };
    let detail = if min >= max {
        format!("with {space} nothing of this model can be pruned; its groups say what is locked and why{change}")
    } else if !(min..=max).contains(&request.macs) {
        format!(
            "macs is {}; with {space} this model can be pruned to between {min} and {max} of its MACs{change}",
            request.macs
        )
    } else if let Some(reason) = unmet {
        reason
    } else {
        return Ok(());
    };
    Err(Problem::new(Kind::BudgetOutOfReach, detail).with_reachable(reachable))
}
