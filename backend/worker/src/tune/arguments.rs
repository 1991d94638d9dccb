//! What `tune` is told.

use std::path::{Path, PathBuf};

use clap::Args;
use eagleeye_spec::templates::Template;
use eagleeye_spec::{CandidateWeights, Distillation, Optimizer, TuneOptions};

use crate::arguments::{named, seconds};
use crate::failure::Failure;
use crate::network_file::folder_beside;
use crate::replaced::check_replaced;
use crate::search::SearchArgs;

#[derive(Debug, Args)]
pub struct TuneArgs {
    #[command(flatten)]
    pub search: SearchArgs,
    /// What is trained: the candidate with adapted running statistics (adapted, the default) or with repaired weights (repaired).
    #[arg(long, value_name = "START", value_parser = named(CandidateWeights::ALL, CandidateWeights::name))]
    from: Option<CandidateWeights>,
    /// Test images, on which the result is scored once, in a file of their own. Without it, `--test` holds back as many of the
    /// training images.
    #[arg(long, value_name = "FILE")]
    pub test_images: Option<PathBuf>,
    /// The IDX file with the labels of IDX test images.
    #[arg(long, value_name = "FILE", requires = "test_images")]
    pub test_labels: Option<PathBuf>,
    /// Passes over the training images, which are all but the scoring images. This or `--minutes` is needed.
    #[arg(long, value_name = "NUMBER")]
    epochs: Option<u32>,
    /// Time limit.
    #[arg(long, value_name = "NUMBER")]
    minutes: Option<f64>,
    #[arg(long, value_name = "NAME", value_parser = named(Optimizer::ALL, Optimizer::name))]
    optimizer: Option<Optimizer>,
    /// Largest learning rate.
    #[arg(long, value_name = "NUMBER")]
    learning_rate: Option<f64>,
    /// Images per step.
    #[arg(long, value_name = "IMAGES")]
    tune_batch: Option<u32>,
    /// Images per forward pass, where memory is short.
    #[arg(long, value_name = "IMAGES")]
    micro_batch: Option<u32>,
    /// Learn from the full network's answers beside the labels.
    #[arg(long)]
    distill: bool,
    /// Images whose class depends on left and right, such as digits.
    #[arg(long)]
    no_flip: bool,
    /// Options as JSON, as docs/tuning.md lists them; the options above replace what it says.
    #[arg(long, value_name = "FILE")]
    options: Option<PathBuf>,
    /// The file of snapshots. If it exists, fine-tuning continues from it.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Seconds between two snapshots; there is one after each epoch, too.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds, requires = "snapshot")]
    pub snapshot_seconds: f64,
    /// Threads of one operation; all cores if omitted.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
}

impl TuneArgs {
    /// The files that are read and never written.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> + Clone {
        let own = [&self.test_images, &self.test_labels, &self.options].into_iter().flatten();
        self.search.inputs().chain(own.map(PathBuf::as_path))
    }

    /// # Errors
    /// Where the result or a snapshot would replace a file that is read, or the snapshot has no folder to go to.
    pub fn check_outputs(&self) -> Result<(), Failure> {
        let snapshot = self.snapshot.as_deref();
        check_replaced([&*self.search.out], self.inputs().chain(snapshot))?;
        check_replaced(snapshot, self.inputs())?;
        snapshot.map_or(Ok(()), |path| folder_beside(path).map(drop))
    }

    /// Computes with so many threads as are asked for.
    pub fn set_threads(&self) {
        if let Some(threads) = self.threads {
            eagleeye_engine::device::set_threads(threads);
        }
    }

    /// # Errors
    /// Each option that is out of range.
    pub fn options(&self) -> Result<TuneOptions, Failure> {
        let mut options = match &self.options {
            None => self.search.template().map(Template::tune).unwrap_or_default(),
            Some(path) => {
                let failed = |reason: String| Failure::Arguments(format!("`--options {}`: {reason}", path.display()));
                let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?
            }
        };
        options.start = self.from.unwrap_or(options.start);
        // A time limit takes the place of a template's epochs.
        let is_limited = self.minutes.is_some() && self.options.is_none();
        options.epochs = self.epochs.or(options.epochs.filter(|_| !is_limited));
        options.minutes = self.minutes.or(options.minutes);
        options.optimizer = self.optimizer.unwrap_or(options.optimizer);
        options.learning_rate = self.learning_rate.or(options.learning_rate);
        options.batch_size = self.tune_batch.unwrap_or(options.batch_size);
        options.micro_batch = self.micro_batch.or(options.micro_batch);
        options.flip &= !self.no_flip;
        if self.distill && options.distillation.is_none() {
            options.distillation = Some(Distillation::default());
        }
        options.seed = self.search.seed().unwrap_or(options.seed);
        let faults = options.faults();
        if faults.is_empty() {
            return Ok(options);
        }
        Err(Failure::of_fields(&faults))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        tune: TuneArgs,
    }

    fn options(arguments: &str) -> Result<TuneOptions, String> {
        let fixed = "tune m.pt --images i --out o.pt --mean 0.5 --deviation 0.25 --macs 0.5";
        let cli = Cli::try_parse_from(format!("{fixed} {arguments}").split_whitespace());
        cli.map_err(|error| error.to_string())?.tune.options().map_err(|error| error.to_string())
    }

    #[test]
    fn epochs_are_enough() {
        let found = options("--epochs 3 --seed 7").unwrap();
        assert_eq!(found, TuneOptions { epochs: Some(3), seed: 7, ..TuneOptions::default() });
        assert!(options("").unwrap_err().contains("enter `epochs` or `minutes`"));
        assert_eq!(options("--epochs 3 --from repaired").unwrap().start, CandidateWeights::Repaired);
        assert!(options("--epochs 3 --from tuned").unwrap_err().contains("possible values: adapted, repaired"));
    }

    #[test]
    fn a_template_has_its_own_fine_tuning() {
        let published = options("--template resnet50_50").unwrap();
        assert_eq!((published.epochs, published.learning_rate, published.batch_size), (Some(120), Some(0.01), 128));
        assert_eq!(options("--template resnet50_50 --epochs 2").unwrap().epochs, Some(2));
        let limited = options("--template resnet50_50 --minutes 5").unwrap();
        assert_eq!((limited.epochs, limited.minutes), (None, Some(5.0)));
    }

    #[test]
    fn options_out_of_range_are_named() {
        let found =
            options("--minutes 2 --optimizer adamw --distill --no-flip --tune-batch 64 --learning-rate 0.01").unwrap();
        assert_eq!((found.optimizer, found.rate(9000), found.flip), (Optimizer::AdamW, 0.01, false));
        assert_eq!(found.distillation, Some(Distillation::default()));
        assert!(options("--epochs 0").unwrap_err().contains("epochs must be from 1"));
        assert!(options("--epochs 1 --optimizer adam").is_err());
    }
}
