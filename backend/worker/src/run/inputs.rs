//! What a job needs of its search's model and dataset.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use eagleeye_data::{Files, Preprocess, Split, relabelled};
use eagleeye_engine::{Device, Images, Network, Observer, Relabelled, Source, StateDictError, reason};
use eagleeye_spec::SearchRequest;
use eagleeye_store::{Check, Dataset, FileHash, LocalDataset, LocalFile, Owner, Search, Store};

use crate::convert;
use crate::model_file::{ModelFile, NamedFile};
use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::image_cache::{Decoded, ImageCache};
use crate::run::reader::{ForeignDataset, ReaderError, read_model};
use crate::run::resources::Resources;
use crate::run::retry::retry;

/// A search's model as local files, ready for the engine's thread.
#[derive(Debug)]
pub struct ModelInputs {
    pub request: SearchRequest,
    /// Of the uploaded model file.
    pub hash: FileHash,
    named: Vec<NamedFile>,
    input_shape: Vec<usize>,
    owner: Owner,
    files: Vec<LocalFile>,
}

impl ModelInputs {
    /// Looks the model up, copies its files here where the store is remote, and reads them whole to see whether they are what
    /// was uploaded.
    pub async fn fetch(store: &Store, search: &Search, cancel: &CancelFlag) -> Result<Self, JobError> {
        let model = retry(|| cancel.is_set(), async || store.models().get(search.model_id).await).await?;
        let files = store.models().local(&model, Check::Anew).await?;
        let named = model.files().into_iter().zip(&files);
        let named = named.map(|((name, _), file)| NamedFile { name: name.to_owned(), path: file.path().to_owned() });
        Ok(Self {
            request: search.request.clone(),
            named: named.collect(),
            input_shape: model.input_shape.iter().map(|&size| size as usize).collect(),
            owner: model.owner(),
            files,
            hash: model.hash,
        })
    }

    /// The network as it was uploaded, with the input shape that its inspection reported. The file is read by a child.
    pub fn network(&self, resources: Resources) -> Result<Network, JobError> {
        self.read(None, resources)
    }

    /// The network of the same file with the tensors of an archive's weights in the places of its own.
    pub fn narrowed_network(&self, weights: &Path, resources: Resources) -> Result<Network, JobError> {
        self.read(Some(weights), resources).map_err(|error| match error {
            JobError::ModelReader(ReaderError::Refused(reason)) => StateDictError::Refused(reason).into(),
            error => error,
        })
    }

    fn read(&self, narrowed: Option<&Path>, resources: Resources) -> Result<Network, JobError> {
        let Resources { device, file_memory_bytes, .. } = resources;
        let file = ModelFile::gather(&self.named)?;
        let loaded = read_model(file.path(), &self.input_shape, narrowed, file_memory_bytes);
        // What a file that was written to meanwhile makes of itself is beside the point.
        unchanged(&self.files, &self.owner)?;
        loaded
            .map_err(JobError::ModelReader)?
            .network
            .to_device(device)
            .map_err(|error| JobError::Device { device: format!("{device:?}"), reason: reason(&error) })
    }

    fn preprocess(&self) -> Result<Preprocess, JobError> {
        match self.input_shape[..] {
            [_, channels, height, width] => {
                Ok(convert::preprocess(&self.request.preprocessing, channels, height, width))
            }
            _ => Err(JobError::NoImages(self.input_shape.clone())),
        }
    }
}

/// A search's dataset as local files, ready for the engine's thread.
#[derive(Debug)]
pub struct DatasetInputs {
    /// Number of the dataset's images.
    pub images: usize,
    /// Names of its classes, by label.
    classes: Vec<String>,
    named: Files,
    owner: Owner,
    files: LocalDataset,
    hash: FileHash,
    cache: ImageCache,
}

impl DatasetInputs {
    /// As [`ModelInputs::fetch`].
    pub async fn fetch(
        store: &Store,
        search: &Search,
        cache: ImageCache,
        cancel: &CancelFlag,
    ) -> Result<Self, JobError> {
        let dataset = retry(|| cancel.is_set(), async || store.datasets().get(search.dataset_id).await).await?;
        let files = store.datasets().local(&dataset, Check::Anew).await?;
        Ok(Self {
            images: dataset.content.images as usize,
            classes: class_names(&dataset),
            named: Files { images: files.images().to_owned(), labels: files.labels().map(Path::to_owned) },
            owner: dataset.owner(),
            files,
            hash: dataset.images_hash,
            cache,
        })
    }

    /// The dataset that was checked when it came. The files are read by a child.
    pub fn open(&self, resources: Resources) -> Result<ForeignDataset, JobError> {
        let opened = ForeignDataset::open(&self.named, resources.file_memory_bytes);
        self.check()?;
        opened.map_err(JobError::DatasetReader)
    }

    /// To be asked when the images have been read: whether nobody has written to their files meanwhile.
    pub fn check(&self) -> Result<(), JobError> {
        Ok(self.files.still_intact().map_err(|error| error.about(|| self.owner.clone()))?)
    }

    /// The images of a split on a device, with the labels of the network's classes.
    pub fn images_of(
        &self,
        model: &ModelInputs,
        dataset: &mut ForeignDataset,
        split: &Split,
        device: Device,
        observer: &mut dyn Observer,
    ) -> Result<Images, JobError> {
        let images =
            self.while_decoding(model, dataset, split, device, |images| images.complete(observer).map(|()| images));
        Ok(images??)
    }

    /// As [`images_of`](Self::images_of), with images that are used before all are there.
    pub fn while_decoding<R>(
        &self,
        model: &ModelInputs,
        dataset: &mut ForeignDataset,
        split: &Split,
        device: Device,
        use_images: impl FnOnce(Images) -> R,
    ) -> Result<R, JobError> {
        let preprocess = model.preprocess()?;
        let labels = relabelled(dataset.labels(), &self.classes, &model.request.class_order)?;
        let decoded = Decoded {
            dataset: &self.hash,
            preprocess: &preprocess,
            element: dataset.element(),
            images: dataset.count(),
            wanted: split.calibration.len() + split.scoring.len() + split.test.len(),
        };
        let kept = self.cache.take(decoded);
        let mut dataset = Relabelled { source: dataset, labels };
        // No image is used that was read from a file which somebody has written to meanwhile.
        let watch = Watch::of(self);
        let stops = || watch.finds_a_change();
        let used = Images::while_decoding(&mut dataset, &preprocess, split, device, kept, &stops, use_images);
        self.check()?;
        Ok(used?)
    }
}

/// Looks whether a dataset's files are as they were, again and again, for a twentieth of the time at most: that may take a moment for a
/// file and minutes for a folder of many.
struct Watch<'a> {
    inputs: &'a DatasetInputs,
    due: Mutex<Instant>,
}

impl<'a> Watch<'a> {
    fn of(inputs: &'a DatasetInputs) -> Self {
        Self { inputs, due: Mutex::new(Instant::now()) }
    }

    fn finds_a_change(&self) -> bool {
        let Ok(mut due) = self.due.lock() else { return true };
        let started = Instant::now();
        if started < *due {
            return false;
        }
        let is_changed = self.inputs.check().is_err();
        *due = Instant::now() + 19 * started.elapsed();
        is_changed
    }
}

/// By label; labels that no image has have their number as a name.
fn class_names(dataset: &Dataset) -> Vec<String> {
    let classes = &dataset.content.classes;
    let count = classes.iter().map(|class| class.index + 1).max().unwrap_or(0);
    let mut names: Vec<String> = (0..count).map(|label| label.to_string()).collect();
    for class in classes {
        names[class.index as usize].clone_from(&class.name);
    }
    names
}

fn unchanged(files: &[LocalFile], owner: &Owner) -> Result<(), JobError> {
    let outcome = files.iter().try_for_each(LocalFile::still_intact);
    Ok(outcome.map_err(|error| error.about(|| owner.clone()))?)
}
