//! What is tuned on what: the model, the request that makes the candidate, and the decoded images.

use std::path::PathBuf;

use eagleeye_data::{Dataset, Files, Limits, Preprocess, Split, relabelled};
use eagleeye_engine::{Images, Network, Part, Relabelled};
use eagleeye_spec::{ClassOrder, SearchRequest};
use serde_json::Map;

use super::arguments::TuneArgs;
use crate::convert;
use crate::failure::Failure;
use crate::search::{Model, SearchArgs, Told, check_labels, check_single, model};

/// A model and its images, read.
pub struct Inputs {
    pub source_hash: String,
    /// On the device that was asked for.
    pub network: Network,
    pub request: SearchRequest,
    /// The candidate is made and scored with these; the calibration images are the first of the training images.
    pub images: Images,
    /// All images that are not for scoring or tests.
    pub train: Part,
}

/// Reads what the arguments name, for one candidate.
pub fn inputs(args: &TuneArgs) -> Result<Inputs, Failure> {
    let inputs = read(args, |search, images, channels| search.request_for_one(images, channels, Map::new()))?;
    check_single(&inputs.request)?;
    Ok(inputs)
}

/// Reads what the arguments name.
pub fn inputs_of_many(args: &TuneArgs) -> Result<Inputs, Failure> {
    read(args, SearchArgs::request)
}

fn read(
    args: &TuneArgs,
    request: impl Fn(&SearchArgs, usize, usize) -> Result<SearchRequest, Failure>,
) -> Result<Inputs, Failure> {
    let search = &args.search;
    let Model { source_hash, network, shape: [channels, height, width], .. } = model(search)?;
    let mut dataset = open(search.images.clone(), search.labels.clone())?;
    let request = request(search, dataset.len(), channels)?;
    if args.snapshot.is_some() && request.limits_latency() {
        let says = "`--snapshot` needs the same candidate each time, and no two measurements of latency agree: limit macs, \
                    parameters or bytes";
        return Err(Failure::Arguments(says.to_owned()));
    }
    let split = split(args, &dataset, &request)?;
    let preprocess = convert::preprocess(&request.preprocessing, channels, height, width);
    let Images { calibration: train, scoring, test } =
        decode(&mut dataset, &network, &request.class_order, &preprocess, &split)?;
    let mut images = Images { calibration: train.head(request.used_calibration_images())?, scoring, test };
    if let Some(path) = &args.test_images {
        let mut dataset = open(path.clone(), args.test_labels.clone())?;
        if images.scoring.labels.is_some() && dataset.classes().is_empty() {
            let says = "`--test-images` has no labels, and `--images` has: give `--test-labels`, without which the result would be \
                        the agreement with the full network beside accuracies";
            return Err(Failure::Arguments(says.to_owned()));
        }
        let all = Split { test: (0..dataset.len()).collect(), ..Split::default() };
        images.test = decode(&mut dataset, &network, &request.class_order, &preprocess, &all)?.test;
    }
    Ok(Inputs { source_hash, network, request, images, train })
}

/// The calibration images and all that are left are for training, but those that `--test` holds back.
fn split(args: &TuneArgs, dataset: &Dataset, request: &SearchRequest) -> Result<Split, Failure> {
    let Split { calibration: mut train, scoring, test: mut left } =
        convert::draw_split(dataset.labels(), dataset.len(), request)?;
    let held_back = if args.test_images.is_some() { 0 } else { request.test_images.unwrap_or_default() as usize };
    if held_back > left.len() {
        let says = format!(
            "{held_back} test images are requested, and {} of {} are left beside those for calibration and scoring",
            left.len(),
            dataset.len()
        );
        return Err(Failure::Arguments(says));
    }
    train.extend(left.split_off(held_back));
    Ok(Split { calibration: train, scoring, test: left })
}

fn open(images: PathBuf, labels: Option<PathBuf>) -> Result<Dataset, Failure> {
    let limits = Limits { unpacked_bytes: u64::MAX, ..Limits::default() };
    Ok(Dataset::open(&Files { images, labels }, &limits)?)
}

fn decode(
    dataset: &mut Dataset,
    network: &Network,
    order: &ClassOrder,
    preprocess: &Preprocess,
    split: &Split,
) -> Result<Images, Failure> {
    let labels = relabelled(dataset.labels(), dataset.classes(), order)?;
    check_labels(&labels, network)?;
    let mut source = Relabelled { source: dataset, labels };
    Ok(Images::decode(&mut source, preprocess, split, network.device(), None, &mut Told::default())?)
}
