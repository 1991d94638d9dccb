//! Everything that fine-tuning needs to go on as if it had not been interrupted: one file in the safetensors format, with where it
//! stood as JSON in its header.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;

use eagleeye_spec::Epoch;
use safetensors::tensor::{SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use eagleeye_torchscript::tensors::{element, kind, signed, to_data};

use super::error::SnapshotError;
use crate::export::dtype;

pub(super) const VERSION: u32 = 1;
/// Key of the header under which the state stands.
const STATE: &str = "eagleeye.tuning";
/// Key of the header under which the hash of the state and all tensors stands. The first snapshots had none.
const HASH: &str = "eagleeye.hash";

/// Where fine-tuning stood, to the last bit.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) state: State,
    /// On the CPU.
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// What of a snapshot is no tensor. Numbers that further results depend on are whole, since JSON rounds others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub version: u32,
    /// Steps done.
    pub steps: u64,
    /// Steps altogether, where known.
    pub total: Option<u64>,
    /// The bits of the largest learning rate.
    pub peak: u64,
    pub seconds: f64,
    /// Of this epoch, without validation.
    pub epoch_seconds: f64,
    pub epochs: Vec<Epoch>,
    /// The epoch, from 1, whose weights are the best so far.
    pub best: Option<u32>,
    /// The options as JSON.
    pub options: String,
    /// Names and sizes of the trained tensors.
    pub tensors: Vec<(String, Vec<i64>)>,
    /// Training images.
    pub images: u64,
}

/// What the states of all versions have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Snapshot {
    /// Writes the snapshot beside its place and moves it there when it is whole, so that there is always a good one.
    ///
    /// # Errors
    /// Where it cannot be written; what was there before stays.
    pub fn write(&self, path: &Path) -> Result<(), SnapshotError> {
        let failed = |source| SnapshotError::Write { path: path.to_owned(), source };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let bytes = self.to_bytes(path)?;
        let mut beside = tempfile::Builder::new().prefix(".eagleeye-").tempfile_in(parent).map_err(failed)?;
        beside.write_all(&bytes).and_then(|()| beside.as_file().sync_all()).map_err(failed)?;
        beside.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Reads what [`Self::write`] has written.
    ///
    /// # Errors
    /// Where there is no such file, or it is not a whole snapshot of this version.
    pub fn read(path: &Path) -> Result<Self, SnapshotError> {
        let bytes = fs::read(path).map_err(|source| SnapshotError::Read { path: path.to_owned(), source })?;
        let form = |source| SnapshotError::Form { path: path.to_owned(), source };
        let unstated = |reason: String| SnapshotError::State { path: path.to_owned(), reason };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(form)?;
        let entry = |key| metadata.metadata().as_ref().and_then(|entries| entries.get(key));
        let text = entry(STATE).ok_or_else(|| unstated("it does not say where fine-tuning stood".to_owned()))?;
        let Version { version } = serde_json::from_str(text).map_err(|error| unstated(error.to_string()))?;
        if version != VERSION {
            return Err(SnapshotError::Version { found: version, known: VERSION });
        }
        let state: State = serde_json::from_str(text).map_err(|error| unstated(error.to_string()))?;
        let mut found = SafeTensors::deserialize(&bytes).map_err(form)?.tensors();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        if entry(HASH).is_some_and(|hash| *hash != hash_of(text, found.iter().map(|(_, view)| view.data()))) {
            return Err(SnapshotError::Damaged { path: path.to_owned() });
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in found {
            let known = [tch::Kind::Float, tch::Kind::Double].into_iter().filter_map(element);
            let element = known.into_iter().find(|&element| dtype(element) == view.dtype());
            let element = element.ok_or_else(|| unstated(format!("tensor `{name}` is of another type")))?;
            tensors.insert(name, Tensor::f_from_data_size(view.data(), &signed(view.shape()), kind(element))?);
        }
        Ok(Self { state, tensors })
    }

    fn to_bytes(&self, path: &Path) -> Result<Vec<u8>, SnapshotError> {
        let state = serde_json::to_string(&self.state)
            .map_err(|error| SnapshotError::State { path: path.to_owned(), reason: error.to_string() })?;
        let form = |source| SnapshotError::Form { path: path.to_owned(), source };
        let data = self.tensors.iter().map(|(name, tensor)| Ok((name, to_data(tensor)?)));
        let data = data.collect::<Result<Vec<_>, SnapshotError>>()?;
        let hash = hash_of(&state, data.iter().map(|(_, data)| &data.bytes[..]));
        let views = data.iter().map(|(name, data)| {
            TensorView::new(dtype(data.element), data.shape.clone(), &data.bytes).map(|view| ((*name).clone(), view))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(form)?;
        safetensors::serialize(views, Some(HashMap::from([(STATE.to_owned(), state), (HASH.to_owned(), hash)])))
            .map_err(form)
    }
}

/// Of tensors in the order of their names.
fn hash_of<'a>(state: &'a str, tensors: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in std::iter::once(state.as_bytes()).chain(tensors) {
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}
