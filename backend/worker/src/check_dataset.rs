//! `check-dataset`: reads every image once, or a sample of them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use eagleeye_data::{Dataset, Files, Limits, check, check_sample, thumbnails};
use eagleeye_sandbox::Access;
use eagleeye_spec::report::DatasetReport;

use crate::confinement::{SandboxArgs, dataset_access};
use crate::failure::Failure;
use crate::output::{self, grouped, table};

/// Pictures for people to see what a dataset holds.
const THUMBNAILS: usize = 32;

#[derive(Debug, Args)]
pub struct CheckDatasetArgs {
    /// IDX images, an NPZ file, a Parquet file with columns `image` and `label`, or an archive (zip, tar, tar.gz) of PNG or JPEG images
    /// with one folder per class or, as a WebDataset, with a `.cls` file beside each image. An NPZ of images alone, a Parquet file
    /// without a column of integers and an archive without folders have no labels. Or a folder: with one folder of PNG or JPEG images
    /// per class, or with shards, which are tars as WebDatasets or Parquet files.
    images: PathBuf,
    /// The IDX file with the labels of IDX images, if they have any.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Folder for sample images as PNG files (000.png, 001.png, and so on); created if missing.
    #[arg(long, value_name = "FOLDER")]
    thumbnails: Option<PathBuf>,
    /// Largest total size of the unpacked files, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().unpacked_bytes)]
    max_unpacked_bytes: u64,
    /// Images to decode, spread evenly over the dataset; the others are only counted [default: all].
    #[arg(long, value_name = "IMAGES", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl CheckDatasetArgs {
    pub fn access(&self) -> Option<Access> {
        let write = self.thumbnails.iter().cloned().collect();
        self.sandbox.access(|| Access { write, ..dataset_access(&self.images, self.labels.as_ref()) })
    }
}

pub fn check_dataset(args: &CheckDatasetArgs) -> Result<(), Failure> {
    let files = Files { images: args.images.clone(), labels: args.labels.clone() };
    let limits = Limits { unpacked_bytes: args.max_unpacked_bytes, ..Limits::default() };
    let report = match args.sample {
        None => check(&files, &limits)?,
        Some(sample) => {
            // Opened once: what is large enough for a sample takes long to list.
            let dataset = Dataset::open(&files, &limits)?;
            let report = check_sample(&dataset, sample as usize)?;
            args.thumbnails.as_ref().map_or(Ok(()), |folder| write_thumbnails(&dataset, folder))?;
            return print(args, &report);
        }
    };
    if let Some(folder) = &args.thumbnails {
        write_thumbnails(&Dataset::open(&files, &limits)?, folder)?;
    }
    print(args, &report)
}

fn print(args: &CheckDatasetArgs, report: &DatasetReport) -> Result<(), Failure> {
    if args.json { output::json(&report.to_stored()?) } else { output::text(&describe(report)) }
}

/// The order of the names is the order of the pictures.
fn write_thumbnails(dataset: &Dataset, folder: &Path) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| Failure::Thumbnail { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    for (number, png) in thumbnails(dataset, THUMBNAILS)?.into_iter().enumerate() {
        let path = folder.join(format!("{number:03}.png"));
        std::fs::write(&path, png).map_err(failed(&path))?;
    }
    Ok(())
}

fn describe(report: &DatasetReport) -> String {
    let content = &report.content;
    let colour = if content.channels == 1 { "grey" } else { "colour" };
    let (min, max, common) = (report.shapes.min, report.shapes.max, report.shapes.most_common);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} images in {}, {colour}", grouped(content.images), content.kind.in_words());
    let _ = match min == max {
        true => writeln!(text, "{}x{} pixels each", common.width, common.height),
        false => writeln!(
            text,
            "{}x{} to {}x{} pixels, mostly {}x{}",
            min.width, min.height, max.width, max.height, common.width, common.height
        ),
    };
    if !content.labelled {
        return text + "without labels\n";
    }
    let head = vec!["class".to_owned(), "label".to_owned(), "images".to_owned()];
    let classes = content.classes.iter().map(|c| vec![c.name.clone(), c.index.to_string(), grouped(c.count)]);
    text.push('\n');
    text + &table(&std::iter::once(head).chain(classes).collect::<Vec<_>>())
}
