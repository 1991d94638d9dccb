//! The engine: networks in, pruned networks out. With `eagleeye-torchscript` the only crate that knows libtorch.
//!
//! [`load()`] reads a model file, [`inspect()`] says what can be pruned, [`search()`] evaluates strategies as the paper does, and
//! [`export()`] writes a network and proves the file. Nothing here knows HTTP, SQL or who keeps its results.

pub mod adapt;
mod arrivals;
mod batches;
mod board;
pub mod comparison;
mod computed;
pub mod device;
mod divisors;
mod doubt;
mod drawing;
pub mod exec;
pub mod export;
pub mod fold;
mod further;
mod gathering;
pub mod handover;
mod images;
pub mod importance;
pub mod inspect;
mod judge;
mod lanes;
pub mod latency;
pub mod load;
mod made_again;
mod maker;
mod means;
mod members;
pub mod network;
mod norms;
mod observer;
pub mod operators;
mod own_cost;
mod parts;
mod pictures;
pub mod precheck;
pub mod prune;
mod race;
mod recipe;
pub mod repair;
mod repair_best;
mod rewrite;
pub mod score;
pub mod search;
mod search_error;
mod short_tune_best;
mod sniff;
mod source;
mod state_dict;
pub mod study;
mod tensors;
#[cfg(test)]
mod testing;
pub mod timing;
pub mod tune;
pub mod verify;
pub mod virtual_bn;
mod warnings;
mod weights;

pub use comparison::{Comparison, First, compare, first_candidate};
pub use device::{Chosen, DeviceChoice, DeviceError};
pub use doubt::Doubt;
pub use eagleeye_onnx::export::{Opset, OpsetError};
pub use eagleeye_strategy::adaptation_of;
pub use eagleeye_torchscript::LIBTORCH_VERSION;
pub use eagleeye_torchscript::tensors::reason;
pub use exec::{ExecError, forward, has_bfloat16};
pub use export::{ExportError, export, export_onnx};
pub use images::{Images, MEMORY_BYTES, Part};
pub use importance::{ImportanceData, ImportanceError, importance};
pub use inspect::{InspectError, inspect};
pub use load::{LoadError, Loaded, load};
pub use made_again::{make_again, make_by_recipe, make_tuned, pruned_to};
pub use network::{Format, Network};
pub use observer::{Flow, Observer, Phase, Unobserved};
pub use pictures::{Batches, Pictures};
pub use precheck::{PrecheckError, precheck};
pub use prune::{PruneError, PruneReport, Pruned, prune_by, prune_to};
pub use recipe::RecipeError;
pub use rewrite::RewriteError;
pub use search::{Known, Outcome, search};
pub use search_error::SearchError;
pub use source::{CHUNK, ImagesError, Relabelled, Sink, Source, decode_chunk};
pub use state_dict::{Document, StateDictError, export_state_dict, load_narrowed};
pub use study::{StudyError, StudyObserver, adapt_by_fewer, tune_candidates};
pub use tch::Device;
pub use tune::{
    Outset, Progress, Snapshot, SnapshotError, TuneError, TuneImages, TuneObserver, Tuned, Wish, filter_norms, tune,
};
pub use verify::zero_oracle;
pub use weights::{WeightsError, with_weights, write_weights};
