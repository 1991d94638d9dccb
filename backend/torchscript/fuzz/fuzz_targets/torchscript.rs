//! Bytes as a TorchScript file, taken as far as an upload and a pruning go. Mutations change an entry of the archive and pack
//! it again: see `eagleeye_torchscript_fuzz::mutate`.

#![no_main]

use eagleeye_torchscript_fuzz::{flow, mutate};
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
