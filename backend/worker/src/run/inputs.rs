//! What a job needs of its search's model and dataset.

use eagleeye_data::{Files, Preprocess};
use eagleeye_engine::Network;
use eagleeye_engine::tensors::reason;
use eagleeye_store::{FileHash, Search, SearchRequest, Store};

use crate::convert;
use crate::model_file::{ModelFile, NamedFile};
use crate::run::Equipment;
use crate::run::error::JobError;
use crate::run::reader::{ForeignDataset, read_model};
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
    pub async fn fetch(store: &Store, search: &Search) -> Result<Self, JobError> {
        let model = retry(async || store.models().get(search.model_id).await).await?;
        let dataset = retry(async || store.datasets().get(search.dataset_id).await).await?;
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

    /// The network as it was uploaded, with the input shape that its inspection reported. The file is read by a child.
    pub fn network(&self, equipment: Equipment) -> Result<Network, JobError> {
        let Equipment { device, file_memory_bytes, .. } = equipment;
        let file = ModelFile::gather(&self.model)?;
        let loaded = read_model(file.path(), &self.input_shape, file_memory_bytes).map_err(JobError::ModelReader)?;
        loaded
            .network
            .to_device(device)
            .map_err(|error| JobError::Device { device: format!("{device:?}"), reason: reason(&error) })
    }

    /// The dataset that was checked at upload. The files are read by a child.
    pub fn dataset(&self, equipment: Equipment) -> Result<ForeignDataset, JobError> {
        ForeignDataset::open(&self.dataset, equipment.file_memory_bytes).map_err(JobError::DatasetReader)
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
