//! A file's network with other tensors: whether its own code runs with them is seen by reading it so.

use std::collections::BTreeMap;

use crate::tensor::TensorData;

/// What stands in for a file's own when it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Narrowed {
    /// Every stored tensor, by its name in the file.
    pub tensors: BTreeMap<String, TensorData>,
    /// Groups of convolutions and group norms that have other ones, by the names of their weights. Files write them into their
    /// code, where a module has an attribute.
    pub groups: BTreeMap<String, usize>,
}
