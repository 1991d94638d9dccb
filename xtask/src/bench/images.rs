//! How fast a dataset of JPEGs is prepared for a network beside decoding alone, and how much memory that takes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::missed::Missed;
use crate::matrix::script;
use crate::project::{command, output, release_binary, root, run, say};

/// Images of a dataset: few enough for memory, and too many.
const COUNTS: [u64; 2] = [10_000, 50_000];
/// Images that are decoded alone, of either dataset.
const ALONE: u64 = 10_000;

/// Side of what the network takes, in pixels of three bytes.
const SIDE: u64 = 224;
const PREPARED_BYTES: u64 = SIDE * SIDE * 3;
/// Bytes of one of the JPEGs in the tar, with some to spare.
const JPEG_BYTES: u64 = 80_000;

/// Images that are prepared, as a part of those that are decoded alone in the same time.
const LEAST_PREPARED: f64 = 0.8;
/// MB that a process may take beside the images that it keeps in memory: its libraries, and the batches that it is at.
const BESIDE_IMAGES_MB: f64 = 1024.0;

const MB: f64 = (1 << 20) as f64;

/// What `eagleeye-worker bench-images` prints; rates are in images a second.
#[derive(Deserialize)]
struct Prepared {
    images: u64,
    decoding_alone: f64,
    prepared: f64,
    /// In seconds.
    first_batch: f64,
    memory_limit_bytes: u64,
    batches: f64,
    peak_memory_bytes: Option<u64>,
    reader_memory_bytes: Option<u64>,
}

impl Prepared {
    fn kept(&self) -> &'static str {
        if self.images * PREPARED_BYTES <= self.memory_limit_bytes { "in memory" } else { "on disk" }
    }

    fn of_alone(&self) -> f64 {
        self.prepared / self.decoding_alone
    }

    /// MB that the process with the prepared images has taken.
    fn job_mb(&self) -> f64 {
        megabytes(self.peak_memory_bytes)
    }

    /// MB that the one that reads the dataset has taken.
    fn reader_mb(&self) -> f64 {
        megabytes(self.reader_memory_bytes)
    }
}

fn megabytes(bytes: Option<u64>) -> f64 {
    bytes.map_or(f64::NAN, |bytes| bytes as f64 / MB)
}

/// Prepares datasets that are made for it and removed afterwards, and returns a table.
pub fn measure_all(python: &Path, missed: &mut Missed) -> Result<String> {
    let mut table =
        "| images | bytes of one | decoded alone | prepared | of alone | first batch, s | kept | batches | MB | MB of the reader |\n\
                     |---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for count in COUNTS {
        let (jpeg_bytes, prepared) = prepare(count, python)?;
        table += &row(jpeg_bytes, &prepared);
        check(&prepared, missed);
    }
    Ok(table)
}

/// Bytes of one JPEG on average, and what came of so many of them.
fn prepare(count: u64, python: &Path) -> Result<(u64, Prepared)> {
    let folder = tempfile::Builder::new().prefix("images-").tempdir_in(root().join("target/bench"));
    let folder = folder.context("cannot make a folder in target/bench")?;
    check_room(folder.path(), count * (JPEG_BYTES + PREPARED_BYTES))?;
    let tar = folder.path().join("images.tar");
    say("bench", format!("making {count} JPEGs"));
    run(script(python, "jpegs.py").arg(count.to_string()).arg(&tar))?;
    let jpeg_bytes = fs::metadata(&tar).context("there is no tar")?.len() / count;
    say("bench", format!("preparing {count} images"));
    let mut worker = command(release_binary("eagleeye-worker"));
    worker.arg("bench-images").arg(&tar).args(["--alone", &ALONE.to_string(), "--side", &SIDE.to_string()]);
    // Prepared images go to the disk that has the room, and not to one that may be memory.
    worker.env("TMPDIR", folder.path()).env("RUST_LOG", "error");
    let prepared = serde_json::from_str(&output(&mut worker)?).context("the worker printed no JSON")?;
    Ok((jpeg_bytes, prepared))
}

fn check_room(folder: &Path, needed: u64) -> Result<()> {
    let free = output(command("df").args(["--output=avail", "--block-size=1"]).arg(folder))?;
    let free: u64 = free.lines().last().unwrap_or_default().trim().parse().context("df says no number")?;
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    ensure!(
        free >= needed,
        "the images need {:.1} GB in target/bench, and {:.1} GB are free",
        gigabytes(needed),
        gigabytes(free)
    );
    Ok(())
}

fn check(prepared: &Prepared, missed: &mut Missed) {
    let images = prepared.images;
    let in_memory = prepared.memory_limit_bytes as f64 / MB;
    missed.at_least(LEAST_PREPARED, prepared.of_alone(), format_args!("part of {images} images that is prepared"));
    let what = format_args!("MB of the process with {images} prepared images");
    missed.at_most(in_memory + BESIDE_IMAGES_MB, prepared.job_mb(), what);
    missed.at_most(
        BESIDE_IMAGES_MB,
        prepared.reader_mb(),
        format_args!("MB of the process that reads {images} images"),
    );
}

fn row(jpeg_bytes: u64, prepared: &Prepared) -> String {
    let Prepared { images, decoding_alone, prepared: rate, first_batch, batches, .. } = prepared;
    let (of_alone, kept) = (prepared.of_alone(), prepared.kept());
    let (job, reader) = (prepared.job_mb(), prepared.reader_mb());
    format!(
        "| {images} | {jpeg_bytes} | {decoding_alone:.0} | {rate:.0} | {of_alone:.2} | {first_batch:.1} | {kept} | {batches:.0} | {job:.0} | {reader:.0} |\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(images: u64, rate: f64, peak_memory_bytes: Option<u64>) -> Prepared {
        Prepared {
            images,
            decoding_alone: 500.0,
            prepared: rate,
            first_batch: 0.4,
            memory_limit_bytes: 2 << 30,
            batches: 3000.0,
            peak_memory_bytes,
            reader_memory_bytes: Some(100 << 20),
        }
    }

    #[test]
    fn the_one_dataset_fits_into_memory_and_the_other_does_not() {
        let kept = COUNTS.map(|count| prepared(count, 450.0, None).kept());
        assert_eq!(kept, ["in memory", "on disk"]);
    }

    #[test]
    fn a_row_has_rates_and_megabytes() {
        let row = row(64_100, &prepared(50_000, 450.0, Some(700 << 20)));
        assert_eq!(row, "| 50000 | 64100 | 500 | 450 | 0.90 | 0.4 | on disk | 3000 | 700 | 100 |\n");
    }

    #[test]
    fn slow_preparation_and_memory_above_the_limit_are_missed_and_so_is_unknown_memory() {
        let missed_by = |prepared: &Prepared| {
            let mut missed = Missed::default();
            check(prepared, &mut missed);
            missed.into_result().map_or_else(|error| error.to_string().lines().count() - 1, |()| 0)
        };
        assert_eq!(missed_by(&prepared(50_000, 450.0, Some(3 << 30))), 0);
        assert_eq!(missed_by(&prepared(50_000, 390.0, Some((3 << 30) + 1))), 2);
        assert_eq!(missed_by(&prepared(50_000, 450.0, None)), 1);
    }
}
