//! What a job needs of its search's model and dataset.

use eagleeye_data::{Dataset, Files, Limits, Preprocess};
use eagleeye_engine::tensors::reason;
use eagleeye_engine::{Device, Network, load};
use eagleeye_store::{FileHash, Search, SearchRequest, Store};

use crate::convert;
use crate::model_file::{ModelFile, NamedFile};
use crate::run::engine_thread::CancelFlag;
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
}

impl Inputs {
    /// Looks everything up, and downloads the files where the store is remote.
    pub async fn fetch(store: &Store, search: &Search, cancel: &CancelFlag) -> Result<Self, JobError> {
        let give_up = || cancel.is_set();
        let model = retry(give_up, async || store.models().get(search.model_id).await).await?;
        let dataset = retry(give_up, async || store.datasets().get(search.dataset_id).await).await?;
        let local = async |hash: &FileHash| store.files().materialize(hash).await;

        let mut files = vec![NamedFile { name: model.file_name, path: local(&model.hash).await? }];
        if let (Some(name), Some(hash)) = (model.data_name, &model.data_hash) {
            files.push(NamedFile { name, path: local(hash).await? });
        }
        let labels = match &dataset.labels_hash {
            Some(hash) => Some(local(hash).await?),
            None => None,
        };
        Ok(Self {
            request: search.request.clone(),
            model_hash: model.hash,
            model: files,
            input_shape: model.input_shape.into_iter().map(|size| size as usize).collect(),
            dataset: Files { images: local(&dataset.images_hash).await?, labels },
        })
    }

    /// The network as it was uploaded, with the input shape that its inspection reported.
    pub fn network(&self, device: Device) -> Result<Network, JobError> {
        let file = ModelFile::gather(&self.model)?;
        let loaded = load(file.path(), Some(&self.input_shape))?;
        loaded
            .network
            .to_device(device)
            .map_err(|error| JobError::Device { device: format!("{device:?}"), reason: reason(&error) })
    }

    /// The dataset that was checked at upload, under the server's limit; so there is none on what it unpacks to here.
    pub fn dataset(&self) -> Result<Dataset, JobError> {
        Ok(Dataset::open(&self.dataset, &Limits { unpacked_bytes: u64::MAX, ..Limits::default() })?)
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
