//! Prunes, adapts, fine-tunes, scores and writes one candidate.

use std::time::Duration;

use eagleeye_engine::comparison::FirstScores;
use eagleeye_engine::repair::{Follow, RepairOptions};
use eagleeye_engine::{First, Images, Network, Snapshot, TuneError, TuneImages, Tuned, compare, first_candidate};
use eagleeye_spec::templates::{Published, Template};
use eagleeye_spec::{CandidateWeights, Epoch, GroupKeep, Score, SearchRequest};
use serde::Serialize;

use super::arguments::TuneArgs;
use super::inputs::{Inputs, inputs};
use super::observer::Follower;
use crate::failure::Failure;
use crate::latency::needed_model;
use crate::network_file::NetworkFile;
use crate::output::{self, grouped, score_table, table};
use crate::provenance::{Provenance, Weights};

/// How networks classify the scoring images, and how the last of them was trained.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    scores: FirstScores,
    /// Where it was repaired before it was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    repaired: Option<Score>,
    tuned: Score,
    /// The tuned network on the test images.
    test: Option<Score>,
    epochs: Vec<Epoch>,
    /// Multiply-adds and learned parameters of the candidate, and what each channel group keeps.
    macs: u64,
    parameters: u64,
    groups: Vec<GroupKeep>,
    /// Images that it was trained on, and that the networks were scored on.
    training_images: u64,
    scoring_images: u64,
    test_images: u64,
    /// Largest difference between the outputs of the reloaded file and the engine's own.
    max_difference: f64,
    /// What was published of the template's network on ImageNet, where there is a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<PublishedResult>,
}

/// The result of a paper, which is none of this command's.
#[derive(Debug, Serialize)]
struct PublishedResult {
    template: &'static str,
    network: &'static str,
    images: &'static str,
    #[serde(flatten)]
    result: Published,
    #[serde(skip)]
    text: String,
}

impl PublishedResult {
    fn of(template: &'static Template) -> Self {
        let (name, network, result) = (template.name, template.network, template.published);
        Self { template: name, network, images: "ImageNet, validation", result, text: template.published_text() }
    }
}

pub fn tune(args: &TuneArgs) -> Result<(), Failure> {
    let file = NetworkFile::by(&args.search.out, args.search.opset)?;
    args.check_outputs()?;
    let options = args.options()?;
    args.set_threads();
    let resumed = match &args.snapshot {
        Some(path) if path.exists() => Some(Snapshot::read(path).map_err(TuneError::from)?),
        _ => None,
    };
    let Inputs { source_hash, network: full, request, images, train } = inputs(args)?;
    let begun = begin(options.start, &full, &images, &request)?;
    let First { candidate, scores, .. } = &begun.first;
    let mut follower = Follower::new(args.snapshot.clone(), Duration::from_secs_f64(args.snapshot_seconds));
    let test = Some(&images.test).filter(|test| !test.is_empty());
    let parts = TuneImages { train: &train, validation: &images.scoring, test };
    let tuned = eagleeye_engine::tune(&begun.network, Some(&full), parts, &options, resumed, &mut follower);
    if let Some(error) = follower.failed {
        return Err(TuneError::from(error).into());
    }
    let Tuned { mut network, epochs, validation, test: test_score } = tuned?;
    let weights = Weights::Tuned(Box::new(options));
    let provenance = Provenance::of(source_hash, &request, candidate.index, &candidate.groups, weights);
    provenance.write_into(&mut network.metadata);
    let max_difference = file.write(&network, &args.search.out)?;
    let report = Report {
        scores: *scores,
        repaired: begun.repaired,
        tuned: validation,
        test: test_score,
        epochs,
        macs: candidate.macs,
        parameters: candidate.parameters,
        training_images: train.len() as u64,
        scoring_images: images.scoring.len() as u64,
        test_images: images.test.len() as u64,
        groups: candidate.groups.clone(),
        max_difference,
        published: args.search.template().map(PublishedResult::of),
    };
    if args.search.json { output::json(&report) } else { output::text(&describe(&report)) }
}

/// The candidate that is tuned.
struct Begun {
    first: First,
    network: Network,
    /// The score of a repaired one.
    repaired: Option<Score>,
}

fn begin(start: CandidateWeights, full: &Network, images: &Images, request: &SearchRequest) -> Result<Begun, Failure> {
    let latency = needed_model(full, request)?;
    match start {
        CandidateWeights::Adapted => {
            let first = first_candidate(full, images, request, latency.as_ref(), &|| false)?;
            Ok(Begun { network: first.adapted.shallow_clone(), first, repaired: None })
        }
        CandidateWeights::Repaired => {
            let follow = Follow { cancelled: &|| false, progress: &|_, _| {} };
            let made = compare(full, images, request, latency.as_ref(), RepairOptions::default(), &follow)?;
            Ok(Begun { first: made.first, network: made.network, repaired: Some(made.score) })
        }
    }
}

fn describe(report: &Report) -> String {
    let scores = score_table(&[
        ("full", Some(report.scores.full)),
        ("vanilla", Some(report.scores.vanilla)),
        ("adaptive BN", Some(report.scores.adaptive_bn)),
        ("repaired", report.repaired),
        ("tuned", Some(report.tuned)),
        ("tuned, test images", report.test),
    ]);
    let share = |share: f64| format!("{:.2}%", 100.0 * share);
    let head = ["epoch", "loss", "train top-1", "validation top-1", "learning rate", "images/s"];
    let rows = report.epochs.iter().map(|epoch| {
        vec![
            epoch.epoch.to_string(),
            format!("{:.4}", epoch.loss),
            epoch.train_top1.map(share).unwrap_or_default(),
            share(epoch.validation.top1),
            format!("{:.2e}", epoch.learning_rate),
            format!("{:.0}", epoch.images_per_second),
        ]
    });
    let epochs = table(&std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect::<Vec<_>>());
    let images = format!(
        "{} MACs, {} parameters; {} training images, {} scoring images",
        grouped(report.macs),
        grouped(report.parameters),
        grouped(report.training_images),
        grouped(report.scoring_images)
    );
    let published = report.published.as_ref().map_or(String::new(), |published| format!("{}\n", published.text));
    format!("{scores}\n{epochs}\n{images}\n{published}")
}
