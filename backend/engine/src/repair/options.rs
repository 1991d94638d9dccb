//! How a network is repaired.

/// Activations of all calibration images that are kept at a time.
const DEFAULT_MEMORY_BYTES: u64 = 1 << 30;

/// What is left to choose about a repair. The defaults are the better ones of those that were measured (`docs/repair.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepairOptions {
    /// Bytes of activations that may be kept for all calibration images. Where they do not suffice, layers are computed again
    /// from the last place where they did, which takes longer and changes no result.
    pub memory_bytes: u64,
    /// Fit the last layer before an addition so that the sum is right, and not its own output.
    pub makes_up_sums: bool,
    /// Fit grouped convolutions too, depthwise ones among them.
    pub fits_grouped: bool,
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self { memory_bytes: DEFAULT_MEMORY_BYTES, makes_up_sums: true, fits_grouped: true }
    }
}
