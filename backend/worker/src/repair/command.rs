//! Prunes, adapts, repairs, scores and writes one candidate.

use clap::Args;
use eagleeye_engine::comparison::{ComparedSeconds, FirstScores};
use eagleeye_engine::repair::{Follow, Outcome, RepairOptions, RepairedLayer};
use eagleeye_engine::{Comparison, First, Network, PruneError, compare};
use eagleeye_graph::channel_groups;
use eagleeye_spec::{GroupKeep, Score, SearchRequest};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::arguments::positive_fraction;
use crate::failure::Failure;
use crate::latency::needed_model;
use crate::network_file::NetworkFile;
use crate::output::{self, grouped, score_table, table};
use crate::provenance::{Provenance, Weights};
use crate::replaced::check_replaced;
use crate::search::{Inputs, SearchArgs, Told, check_single, inputs};

#[derive(Debug, Args)]
pub struct RepairArgs {
    #[command(flatten)]
    search: SearchArgs,
    /// Keep this fraction of every channel group that can be pruned, instead of a strategy under a budget.
    #[arg(long, value_name = "FRACTION", value_parser = positive_fraction, conflicts_with_all = ["macs", "parameters", "bytes", "latency", "strategy"])]
    keep_ratio: Option<f64>,
    /// Fit every layer to its own output, and not the last one before an addition to the sum.
    #[arg(long)]
    each_branch: bool,
    /// Leave grouped and depthwise convolutions as they are.
    #[arg(long)]
    leave_grouped: bool,
}

/// How the full network and one candidate's networks classify the scoring images, and what was done.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    scores: FirstScores,
    repaired: Score,
    /// Multiply-adds and learned parameters of the candidate, and what each channel group keeps.
    macs: u64,
    parameters: u64,
    groups: Vec<GroupKeep>,
    /// Images that statistics and weights were computed from, and that the networks were scored on.
    calibration_images: u64,
    scoring_images: u64,
    seconds: ComparedSeconds,
    /// In order of execution.
    layers: Vec<RepairedLayer>,
    /// Largest difference between the outputs of the reloaded file and the engine's own.
    max_difference: f64,
}

pub fn repair(args: &RepairArgs) -> Result<(), Failure> {
    let search = &args.search;
    let file = NetworkFile::by(&search.out, search.opset)?;
    check_replaced([&*search.out], search.inputs())?;
    let mut told = Told::default();
    let Inputs { source_hash, network, images, request, used } =
        inputs(search, |network, images, channels| args.request(network, images, channels), &mut told)?;
    let latency = needed_model(&network, &request)?;
    let progress = |done: u64, total: u64| told.line(&format!("layer {done} of {total}"));
    let follow = Follow { cancelled: &|| false, progress: &progress };
    let Comparison { first: First { candidate, scores, .. }, network: mut repaired, score, layers, seconds } =
        compare(&network, &images, &request, latency.as_ref(), args.options(), &follow)?;
    let provenance = Provenance::of(source_hash, &request, candidate.index, &candidate.groups, Weights::Repaired);
    provenance.write_into(&mut repaired.metadata);
    let max_difference = file.write(&repaired, &search.out)?;
    let report = Report {
        scores,
        repaired: score,
        macs: candidate.macs,
        parameters: candidate.parameters,
        groups: candidate.groups,
        calibration_images: used.calibration,
        scoring_images: used.scoring,
        seconds,
        layers,
        max_difference,
    };
    if search.json { output::json(&report) } else { output::text(&describe(&report)) }
}

impl RepairArgs {
    fn options(&self) -> RepairOptions {
        RepairOptions {
            makes_up_sums: !self.each_branch,
            fits_grouped: !self.leave_grouped,
            ..RepairOptions::default()
        }
    }

    fn request(&self, network: &Network, images: usize, channels: usize) -> Result<SearchRequest, Failure> {
        let mut further = Map::new();
        if let Some(ratio) = self.keep_ratio {
            let groups = channel_groups(&network.graph).map_err(PruneError::from)?;
            let keep = |size: usize| json!(((ratio * size as f64).round() as usize).max(1));
            let keep: Map<String, Value> =
                groups.prunable().map(|group| (group.name.clone(), keep(group.size))).collect();
            further.insert("strategies".to_owned(), json!(["manual"]));
            further.insert("manual".to_owned(), json!([{ "groups": keep }]));
        }
        let request = self.search.request_for_one(images, channels, further)?;
        check_single(&request)?;
        Ok(request)
    }
}

fn describe(report: &Report) -> String {
    let Report { scores, .. } = report;
    let scores = score_table(&[
        ("full", Some(scores.full)),
        ("vanilla", Some(scores.vanilla)),
        ("adaptive BN", Some(scores.adaptive_bn)),
        ("repaired", Some(report.repaired)),
    ]);
    let head = ["layer", "error before", "after", ""].map(str::to_owned).to_vec();
    let rows = report.layers.iter().map(|RepairedLayer { layer, outcome }| match outcome {
        Outcome::Fitted { before, after, .. } => {
            vec![layer.clone(), format!("{before:.4}"), format!("{after:.4}"), String::new()]
        }
        Outcome::Left { reason } => vec![layer.clone(), String::new(), String::new(), reason.clone()],
    });
    let layers = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    let images = format!(
        "{} MACs, {} parameters; {} calibration images, {} scoring images",
        grouped(report.macs),
        grouped(report.parameters),
        grouped(report.calibration_images),
        grouped(report.scoring_images)
    );
    format!("{scores}\n{images}\n\n{layers}")
}
