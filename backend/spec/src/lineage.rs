//! Where a model comes from that was made of a checkpoint.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::stored::{StoredError, current, upgraded};

/// The version of stored documents.
const VERSION: u64 = 1;

/// What a model was made of: a pruned network that is a model again, to be pruned further. What is named here may have been
/// deleted since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lineage {
    /// The model that was pruned.
    pub model_id: Uuid,
    /// The search of the candidate.
    pub search_id: Uuid,
    pub candidate_id: Uuid,
    /// The fine-tuning that its weights are of. Null where they are not tuned.
    #[schema(required)]
    pub tuning_id: Option<Uuid>,
    /// Whose file the model's is.
    pub checkpoint_id: Uuid,
    /// The network that the line began with.
    pub first: FirstModel,
}

/// The uploaded network that a line of pruned ones began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirstModel {
    pub model_id: Uuid,
    /// Multiply-accumulates for one image.
    pub macs: u64,
    pub parameters: u64,
}

impl Lineage {
    /// The document as it is stored.
    ///
    /// # Errors
    /// Never for what was read from JSON.
    pub fn to_stored(&self) -> Result<Value, StoredError> {
        current(self, VERSION)
    }

    /// A stored document, of any version up to today's.
    ///
    /// # Errors
    /// Where the document is of a newer version, or does not have the form of its own.
    pub fn from_stored(document: Value) -> Result<Self, StoredError> {
        upgraded(document, VERSION, |_, _| {})
    }
}
