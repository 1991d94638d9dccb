//! What a check found in a dataset.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sniff::Kind;

/// What is in a dataset that passed its check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub kind: Kind,
    /// Number of images.
    pub images: u64,
    /// Every class in order of its index. Numeric labels may leave gaps, which count 0.
    pub classes: Vec<Class>,
    /// 1 when all images are grey, else 3.
    pub channels: usize,
    /// The most common width in pixels, of [`Shapes::most_common`].
    pub width: u64,
    /// The most common height in pixels, of [`Shapes::most_common`].
    pub height: u64,
    pub shapes: Shapes,
}

/// One class of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The label.
    pub index: usize,
    pub name: String,
    /// Images with this label.
    pub count: u64,
}

/// Sizes of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shapes {
    /// Smallest width and smallest height, not necessarily of one image.
    pub min: Size,
    /// Largest width and largest height, not necessarily of one image.
    pub max: Size,
    pub most_common: Size,
}

/// Pixels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Size {
    pub width: u64,
    pub height: u64,
}

impl Shapes {
    /// From how many images have each size; `None` where there are none.
    pub(crate) fn of(counts: &BTreeMap<Size, u64>) -> Option<Self> {
        let widths = || counts.keys().map(|size| size.width);
        let heights = || counts.keys().map(|size| size.height);
        // Of equally common sizes the smallest, so that the answer does not depend on anything else.
        let most_common = counts.iter().rev().max_by_key(|&(_, count)| *count).map(|(size, _)| *size)?;
        Some(Self {
            min: Size { width: widths().min()?, height: heights().min()? },
            max: Size { width: widths().max()?, height: heights().max()? },
            most_common,
        })
    }
}
