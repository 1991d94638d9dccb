//! Versions of ONNX's operators, as they are asked for.

use std::ops::RangeInclusive;

/// The versions that files can be written in.
pub const ONNX_OPSETS: RangeInclusive<u32> = 13..=21;
/// The version where none is asked for: runtimes since early 2022 read it.
pub const DEFAULT_ONNX_OPSET: u32 = 17;
