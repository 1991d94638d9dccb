//! Versions of the set of operators that files can be written in.

/// The oldest and the newest. Before 13, splits and sums take their sizes and axes in another form.
const OLDEST: u32 = 13;
const NEWEST: u32 = 21;
/// Runtimes since early 2022 read it; LayerNormalization is an operator since then.
const DEFAULT: u32 = 17;

/// A version of ONNX's operators, from 13 to 21.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opset(u32);

/// Why there is no such version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operator set {0} cannot be written; {OLDEST} to {NEWEST} can")]
pub struct OpsetError(u32);

impl Opset {
    /// # Errors
    /// Where files are not written in this version.
    pub fn new(version: u32) -> Result<Self, OpsetError> {
        if (OLDEST..=NEWEST).contains(&version) { Ok(Self(version)) } else { Err(OpsetError(version)) }
    }

    /// Every version, the oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (OLDEST..=NEWEST).map(Self)
    }

    pub fn version(self) -> u32 {
        self.0
    }

    /// The version of the file format that came with it.
    pub(super) fn ir_version(self) -> i64 {
        match self.0 {
            ..15 => 7,
            15..19 => 8,
            19..21 => 9,
            21.. => 10,
        }
    }
}

impl Default for Opset {
    fn default() -> Self {
        Self(DEFAULT)
    }
}
