//! What parts of a search take on this machine, for `cargo xtask bench`.

mod candidates;
mod images;
mod precision;

pub use candidates::{BenchArgs, bench};
pub use images::{BenchImagesArgs, bench_images};
pub use precision::{BenchPrecisionArgs, bench_precision};

/// The most memory that a process has taken: `VmHWM` of proc(5).
fn peak_memory(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
