//! The graph as an ONNX file.
