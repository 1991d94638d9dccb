//! How much a dataset may cost.

use serde::{Deserialize, Serialize};

/// Bounds that a dataset must stay within; each is named in the error that it causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of all files together after unpacking.
    pub unpacked_bytes: u64,
    /// Number of images.
    pub images: u64,
    /// Bytes of one PNG or JPEG file.
    pub image_bytes: u64,
    /// Pixels of one image, width times height.
    pub pixels: u64,
    /// Number of classes; for numeric labels the largest label plus one.
    pub classes: u64,
}

impl Default for Limits {
    /// Roomy enough for ImageNet: 256 GiB unpacked, 4 million images, 64 MiB and 64 megapixels an image, 65,536 classes.
    fn default() -> Self {
        Self { unpacked_bytes: 256 << 30, images: 4_000_000, image_bytes: 64 << 20, pixels: 64 << 20, classes: 1 << 16 }
    }
}
