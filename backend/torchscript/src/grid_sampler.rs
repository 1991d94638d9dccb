//! The numbers by which PyTorch knows the modes of `grid_sampler`.

use eagleeye_graph::{SampleMode, SamplePadding};

/// The arguments `interpolation_mode` and `padding_mode`.
pub fn sampling_codes(mode: SampleMode, padding: SamplePadding) -> (i64, i64) {
    let mode = match mode {
        SampleMode::Linear => 0,
        SampleMode::Nearest => 1,
        SampleMode::Cubic => 2,
    };
    let padding = match padding {
        SamplePadding::Zeros => 0,
        SamplePadding::Border => 1,
        SamplePadding::Reflection => 2,
    };
    (mode, padding)
}
