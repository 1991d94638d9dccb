//! What the library and the variable that names it are called.

/// The variable that names the library's file.
pub const VARIABLE: &str = "EAGLEEYE_ONNXRUNTIME";
/// The library's name; installed ones have their version behind it.
pub const LIBRARY: &str = "libonnxruntime.so";
/// The oldest version that `ort` works with.
pub const OLDEST: &str = "1.17";
