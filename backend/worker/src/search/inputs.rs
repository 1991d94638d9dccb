//! What a search begins with: the model, the request and the decoded images.

use eagleeye_data::{Dataset, Files, Limits, relabelled};
use eagleeye_engine::{Device, Images, Network, Observer, Relabelled, reason};
use eagleeye_spec::SearchRequest;
use eagleeye_spec::summary::ReportedSplit;

use crate::convert;
use crate::failure::Failure;
use crate::model_file::{ModelFile, ModelFileError};
use crate::provenance::hash_file;
use crate::search::SearchArgs;

/// A model and a dataset, read.
pub struct Inputs {
    pub source_hash: String,
    /// On the device that was asked for.
    pub network: Network,
    pub images: Images,
    pub request: SearchRequest,
    /// Images that serve for each purpose.
    pub used: ReportedSplit,
}

/// A model, read.
pub struct Model {
    pub source_hash: String,
    /// On the device that was asked for.
    pub network: Network,
    pub device: Device,
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
}

/// Reads the model that the arguments name.
pub fn model(args: &SearchArgs) -> Result<Model, Failure> {
    let device = args.device.resolve()?;
    let source = &args.model.model;
    let file = ModelFile::open(source)?;
    let source_hash =
        hash_file(source).map_err(|error| ModelFileError::Open { path: source.clone(), source: error })?;
    let loaded = eagleeye_engine::load(file.path(), args.model.shape())?;
    drop(file);
    let network = loaded.network.to_device(device).map_err(|error| Failure::Torch(reason(&error)))?;
    let shape = network.graph.input_shape(1);
    let [_, channels, height, width] = shape[..] else { return Err(Failure::NoImages(shape)) };
    Ok(Model { source_hash, network, device, shape: [channels, height, width] })
}

/// # Errors
/// [`Failure::Label`] where an image has a label that the network has no output for.
pub fn check_labels(labels: &[usize], network: &Network) -> Result<(), Failure> {
    let Some(classes) = network.graph.classes() else { return Ok(()) };
    match labels.iter().max() {
        Some(&label) if label >= classes => Err(Failure::Label { label, classes }),
        _ => Ok(()),
    }
}

/// Where one network is made, there is one budget.
///
/// # Errors
/// [`Failure::Arguments`] where there are several, or a front is asked for.
pub fn check_single(request: &SearchRequest) -> Result<(), Failure> {
    if request.budgets().len() > 1 || request.front {
        let says = "one network is made: give one budget, and no `--front`; `search` takes several";
        return Err(Failure::Arguments(says.to_owned()));
    }
    Ok(())
}

/// Reads what the arguments name. `request` makes the request of the network, the number of images and that of input channels.
pub fn inputs(
    args: &SearchArgs,
    request: impl FnOnce(&Network, usize, usize) -> Result<SearchRequest, Failure>,
    observer: &mut dyn Observer,
) -> Result<Inputs, Failure> {
    let Model { source_hash, network, device, shape: [channels, height, width] } = model(args)?;
    let files = Files { images: args.images.clone(), labels: args.labels.clone() };
    let mut dataset = Dataset::open(&files, &Limits { unpacked_bytes: u64::MAX, ..Limits::default() })?;
    let request = request(&network, dataset.len(), channels)?;
    let drawn = convert::draw_split(dataset.labels(), dataset.len(), &request)?;
    let labels = relabelled(dataset.labels(), dataset.classes(), &request.class_order)?;
    check_labels(&labels, &network)?;
    let used = convert::used_images(convert::stored_split(&drawn), &request);
    let [calibration, scoring, test] =
        [&used.calibration, &used.scoring, &used.test].map(|indices| indices.len() as u64);
    let preprocess = convert::preprocess(&request.preprocessing, channels, height, width);
    let mut dataset = Relabelled { source: &mut dataset, labels };
    let images = Images::decode(&mut dataset, &preprocess, &used, device, None, observer)?;
    Ok(Inputs { source_hash, network, images, request, used: ReportedSplit { calibration, scoring, test } })
}
