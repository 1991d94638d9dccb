//! The messages of the ONNX specification, generated from `proto/onnx.proto`.

// Names and spellings are the specification's.
#![allow(clippy::enum_variant_names, dead_code)]

include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
