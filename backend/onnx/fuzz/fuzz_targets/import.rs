//! Bytes as an ONNX file, taken as far as an upload goes without libtorch. Mutations change messages, not bytes: see
//! `eagleeye_onnx_fuzz::mutate`.

#![no_main]

use eagleeye_onnx_fuzz::{flow, mutate};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| flow::run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match mutate::mutated(&data[..size], max_size, seed) {
        Some(bytes) => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
});
