//! Why importance cannot be computed.

use eagleeye_spec::Criterion;
use eagleeye_torchscript::tensors::reason;
use tch::TchError;

use crate::exec::ExecError;

/// Why the importance of units cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportanceError {
    #[error(
        "importance by `{}` needs calibration images, and there are none; without images, use one of {}", .0.name(),
        without_images()
    )]
    NeedsImages(Criterion),
    #[error("importance needs one label for each image, but there are {labels} labels for {images} images")]
    Labels { images: usize, labels: usize },
    #[error(
        "importance by `{}` is not finite for `{group}`: the network computes infinities or NaN on the calibration \
         images; check the preprocessing, or use a criterion without images: {}", criterion.name(), without_images()
    )]
    NotFinite { criterion: Criterion, group: String },
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for ImportanceError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

fn without_images() -> String {
    let criteria = Criterion::ALL.into_iter().filter(|criterion| !criterion.needs_images());
    criteria.map(|criterion| format!("`{}`", criterion.name())).collect::<Vec<_>>().join(", ")
}
