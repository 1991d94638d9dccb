//! Uploads of any size in constant memory.

use std::io::{Read, repeat};

use reqwest::blocking::multipart::{Form, Part};

use crate::server::{Server, fake, stored_files};

const MEGABYTE: u64 = 1_000_000;
/// What the largest upload may make the server's memory grow to, whatever its size.
const ALLOWED: u64 = 100 * MEGABYTE;

/// The most memory that the server ever had, in bytes: `VmHWM` of `/proc/PID/status`.
fn peak_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes * 1024
}

/// A form with a generated file of this size, which the fake worker takes for a good one.
fn large(part: &'static str, bytes: u64) -> Form {
    let first = b"good\n";
    let content = first.chain(repeat(0)).take(bytes);
    Form::new().part(part, Part::reader_with_length(content, bytes).file_name("large"))
}

#[test]
fn a_gigabyte_costs_less_than_a_hundred_megabytes_of_memory_and_no_more_than_a_small_file() {
    let (data, server) = fake();
    server.upload("/models", large("file", 50 * MEGABYTE)).expect(201);
    let small = peak_memory(&server);

    let dataset = server.upload("/datasets", large("file", 1000 * MEGABYTE)).expect(201);
    let large = peak_memory(&server);
    assert_eq!(dataset["bytes"], 1000 * MEGABYTE);
    let stored = stored_files(data.path()).iter().map(|path| path.metadata().unwrap().len()).max();
    assert_eq!(stored, Some(1000 * MEGABYTE));
    assert!(large < ALLOWED, "the server took {large} bytes of memory");
    // Twenty times the file: what grows with it would show. How many parts are in flight depends on the disk.
    assert!(large - small < 40 * MEGABYTE, "{small} bytes became {large}");
}

#[test]
fn a_large_download_is_streamed_too() {
    let (_data, server) = fake();
    let model = server.upload("/models", large("file", 300 * MEGABYTE)).expect(201);
    let before = peak_memory(&server);
    let mut response = server.stream(&format!("/models/{}/file", crate::answer::id(&model)), |request| request);
    let received = std::io::copy(&mut response, &mut std::io::sink()).unwrap();
    assert_eq!(received, 300 * MEGABYTE);
    let grown = peak_memory(&server) - before;
    assert!(grown < 40 * MEGABYTE, "the server's memory grew by {grown} bytes");
}
