//! What a job needs of its search's model and dataset.

use eagleeye_data::{Dataset, Files, Limits, Preprocess};
use eagleeye_engine::tensors::reason;
use eagleeye_engine::{Device, Network, load};
use eagleeye_store::{Check, FileHash, LocalDataset, LocalFile, Owner, Search, SearchRequest, Store};

use crate::convert;
use crate::model_file::{ModelFile, NamedFile};
use crate::run::error::JobError;
use crate::run::retry::retry;

/// A search's inputs as local files, ready for the engine's thread.
#[derive(Debug)]
pub struct Inputs {
    pub request: SearchRequest,
    /// Of the uploaded model file.
    pub model_hash: FileHash,
    model: Vec<NamedFile>,
    input_shape: Vec<usize>,
    dataset: Files,
    model_owner: Owner,
    model_files: Vec<LocalFile>,
    dataset_owner: Owner,
    dataset_files: Vec<LocalFile>,
}

impl Inputs {
    /// Looks everything up, copies the files here where the store is remote, and reads them whole to see whether they are
    /// what was uploaded.
    pub async fn fetch(store: &Store, search: &Search) -> Result<Self, JobError> {
        let model = retry(async || store.models().get(search.model_id).await).await?;
        let dataset = retry(async || store.datasets().get(search.dataset_id).await).await?;
        let model_files = store.models().local(&model, Check::Anew).await?;
        let LocalDataset { images, labels } = store.datasets().local(&dataset, Check::Anew).await?;

        let named = model.files().into_iter().zip(&model_files);
        let named = named.map(|((name, _), file)| NamedFile { name: name.to_owned(), path: file.path().to_owned() });
        let path = |file: &LocalFile| file.path().to_owned();
        Ok(Self {
            request: search.request.clone(),
            model: named.collect(),
            input_shape: model.input_shape.iter().map(|&size| size as usize).collect(),
            dataset: Files { images: path(&images), labels: labels.as_ref().map(path) },
            model_owner: model.owner(),
            model_files,
            dataset_owner: dataset.owner(),
            dataset_files: std::iter::once(images).chain(labels).collect(),
            model_hash: model.hash,
        })
    }

    /// The network as it was uploaded, with the input shape that its inspection reported.
    pub fn network(&self, device: Device) -> Result<Network, JobError> {
        let file = ModelFile::gather(&self.model)?;
        let loaded = load(file.path(), Some(&self.input_shape));
        // What a file that was written to meanwhile makes of itself is beside the point.
        unchanged(&self.model_files, &self.model_owner)?;
        loaded?
            .network
            .to_device(device)
            .map_err(|error| JobError::Device { device: format!("{device:?}"), reason: reason(&error) })
    }

    /// The dataset that was checked at upload, under the server's limit; so there is none on what it unpacks to here.
    pub fn dataset(&self) -> Result<Dataset, JobError> {
        Ok(Dataset::open(&self.dataset, &Limits { unpacked_bytes: u64::MAX, ..Limits::default() })?)
    }

    /// To be asked when the images have been read: whether nobody has written to their files meanwhile.
    pub fn check_dataset(&self) -> Result<(), JobError> {
        unchanged(&self.dataset_files, &self.dataset_owner)
    }

    pub fn preprocess(&self) -> Result<Preprocess, JobError> {
        match self.input_shape[..] {
            [_, channels, height, width] => {
                Ok(convert::preprocess(&self.request.preprocessing, channels, height, width))
            }
            _ => Err(JobError::NoImages(self.input_shape.clone())),
        }
    }
}

fn unchanged(files: &[LocalFile], owner: &Owner) -> Result<(), JobError> {
    let outcome = files.iter().try_for_each(LocalFile::still_intact);
    Ok(outcome.map_err(|error| error.about(|| owner.clone()))?)
}
