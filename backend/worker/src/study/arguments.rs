//! What `study` is told.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use eagleeye_spec::SearchRequest;

use crate::failure::Failure;
use crate::network_file::folder_beside;
use crate::replaced::check_replaced;
use crate::tune::TuneArgs;

/// As many as a request can ask for; searches of more candidates have the best ones evaluated in every way.
const ALL: u32 = 1000;

#[derive(Debug, Args)]
pub struct StudyArgs {
    /// `--out FILE` is where the report goes as Markdown; beside it, with other endings, go the same as JSON and the figure as SVG.
    #[command(flatten)]
    pub tune: TuneArgs,
    /// From which each candidate is fine-tuned once. Two are needed to know how much of the differences is chance.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,2")]
    pub tune_seeds: Vec<u64>,
    /// Judge by adaptive batch norm from so many calibration images, too; numbers that are not below `--calibration` are left out.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "512")]
    pub fewer_calibration: Vec<u32>,
    /// Keeps what has been found, a JSON object a line. If it exists, the study goes on from there.
    #[arg(long, value_name = "FILE")]
    pub results: PathBuf,
    /// Fine-tune with so many processes side by side, which is for GPUs: they have room for more than one small network.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub processes: u32,
    /// The part of the fine-tunings that this process of several does.
    #[arg(long, hide = true)]
    pub part: Option<Share>,
}

/// Every so-many-th of the fine-tunings, as in `2/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub number: u32,
    pub of: u32,
}

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share = text
            .split_once('/')
            .and_then(|(number, of)| Some(Self { number: number.parse().ok()?, of: of.parse().ok()? }));
        share.filter(|share| share.number < share.of).ok_or("must be NUMBER/OF, the first below the second")
    }
}

impl StudyArgs {
    /// The report as JSON and the figure, beside the Markdown.
    pub fn beside(&self) -> [PathBuf; 2] {
        ["json", "svg"].map(|ending| self.tune.search.out.with_extension(ending))
    }

    /// Below those of the search, each once.
    pub fn fewer(&self, request: &SearchRequest) -> Vec<u32> {
        let below = |&count: &u32| count > 0 && (count as usize) < request.used_calibration_images();
        let mut counts: Vec<u32> = self.fewer_calibration.iter().copied().filter(below).collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    }

    /// Files with images and labels.
    pub fn data_files(&self) -> impl Iterator<Item = &PathBuf> {
        let search = &self.tune.search;
        let optional = [&search.labels, &self.tune.test_images, &self.tune.test_labels];
        std::iter::once(&search.images).chain(optional.into_iter().flatten())
    }

    /// # Errors
    /// What would overwrite something, or means nothing to a study.
    pub fn check(&self) -> Result<(), Failure> {
        let [json, svg] = self.beside();
        let out = &self.tune.search.out;
        let mut seeds = self.tune_seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        let says = if out.extension().is_none_or(|ending| ending != "md") {
            "`--out`: the report is Markdown, and its name must end in .md: JSON and the figure are written beside it"
        } else if seeds.len() < self.tune_seeds.len() {
            "`--tune-seeds`: each seed once"
        } else if self.tune.snapshot.is_some() {
            "`--snapshot` is for one fine-tuning; `--results` keeps those of a study"
        } else {
            folder_beside(out)?;
            return check_replaced([&**out, &json, &svg], self.tune.inputs().chain([&*self.results]));
        };
        Err(Failure::Arguments(says.to_owned()))
    }

    /// The request of the study's search: all candidates are evaluated on all images, in every way, and none on the test images,
    /// which are looked at after fine-tuning alone.
    pub fn request(&self, request: SearchRequest) -> SearchRequest {
        SearchRequest {
            racing: false,
            repaired: if request.repaired == 0 { ALL } else { request.repaired },
            short_tuned: if request.short_tuned == 0 { ALL } else { request.short_tuned },
            vanilla_images: request.scoring_images,
            test_images: Some(0),
            ..request
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_one_of_several() {
        assert_eq!("2/8".parse(), Ok(Share { number: 2, of: 8 }));
        for wrong in ["8/8", "2", "2/", "-1/8", "0/0"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
