//! The whole job, in the order in which the server and its worker do it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use eagleeye_engine::repair::Follow;
use eagleeye_engine::{Known, Network, SearchError, make_again};
use eagleeye_spec::{Candidate, CandidateWeights, Report, ReportInput, ReportedEnd, SearchRequest};

use crate::arguments::named;
use crate::failure::Failure;
use crate::latency::{LeaderLatencies, measure_leaders, needed_model};
use crate::network_file::NetworkFile;
use crate::output;
use crate::provenance::{Provenance, Weights};
use crate::replaced::check_replaced;
use crate::search::SearchArgs;
use crate::search::inputs::{Inputs, inputs};
use crate::search::observer::Told;

#[derive(Debug, Args)]
pub struct SearchCommandArgs {
    #[command(flatten)]
    search: SearchArgs,
    /// Which weights winners are written with. Repaired ones are scored, too: `--repaired` is 1 at least.
    #[arg(long, value_parser = named(CandidateWeights::ALL, CandidateWeights::name), default_value = CandidateWeights::Adapted.name())]
    weights: CandidateWeights,
}

/// Searches, writes the winner of each budget, and reports.
pub fn search(SearchCommandArgs { search: args, weights }: &SearchCommandArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let file = NetworkFile::by(&args.out, args.opset)?;
    check_replaced([&*args.out], args.inputs())?;
    let mut told = Told::default();
    let Inputs { source_hash, network, images, request, used } =
        inputs(args, |_, images, channels| request(args, *weights, images, channels), &mut told)?;
    check_replaced(places(&args.out, &request).iter().map(PathBuf::as_path), args.inputs())?;

    let latency_model = needed_model(&network, &request)?;
    let known = Known { candidates: Vec::new(), latency: latency_model.clone() };
    let outcome = eagleeye_engine::search(&network, &images, &request, known, &mut told)?;
    let winners: Vec<&Candidate> = outcome.winners().collect();
    let mut warnings = std::mem::take(&mut told.warnings);
    let mut measured = LeaderLatencies::default();
    if !args.no_latency {
        let leaders = outcome.candidates.iter().filter(|candidate| outcome.leaders.contains(&candidate.index));
        measured = measure_leaders(&network, leaders, &|| false)?;
        warnings.extend(measured.warnings(&request, outcome.winners()));
    }
    let made = |winner: &Candidate| {
        let follow = Follow { cancelled: &|| false, progress: &|_, _| {} };
        make_again(*weights, &network, &images, &request, &winner.origin.strategy, &winner.strategy, &follow)
    };
    let provenance = |winner: &Candidate| {
        Provenance::of(source_hash.clone(), &request, winner.index, &winner.groups, Weights::of(*weights))
    };
    write_winners(&args.out, file, &winners, made, provenance)?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let report = Report::new(&ReportInput {
        name: request.name.as_deref(),
        model: &name(&args.model.model),
        dataset: &name(&args.images),
        request: &request,
        baseline: &outcome.baseline,
        classes: network.graph.classes().map(|classes| classes as u32),
        split: used,
        candidates: &outcome.candidates,
        latencies: &measured.by_index,
        latency_model: latency_model.as_ref(),
        warnings: &warnings,
        seconds: Some(started.elapsed().as_secs_f64()),
        ended: ReportedEnd::Succeeded,
        error: None,
    });
    if args.json { output::json(&report) } else { output::text(&report.to_markdown()) }
}

fn request(
    args: &SearchArgs,
    weights: CandidateWeights,
    images: usize,
    channels: usize,
) -> Result<SearchRequest, Failure> {
    let request = args.request(images, channels)?;
    let least = u32::from(weights == CandidateWeights::Repaired);
    Ok(SearchRequest { repaired: request.repaired.max(least), ..request })
}

/// Writes the winners as they are made.
fn write_winners(
    out: &Path,
    file: NetworkFile,
    winners: &[&Candidate],
    made: impl Fn(&Candidate) -> Result<Network, SearchError>,
    provenance: impl Fn(&Candidate) -> Provenance,
) -> Result<(), Failure> {
    for winner in winners {
        let mut made = made(winner)?;
        provenance(winner).write_into(&mut made.metadata);
        file.write(&made, &place(out, winner.origin.budget, winners.len() > 1))?;
    }
    Ok(())
}

/// Everywhere that winners of a search may go.
fn places(out: &Path, request: &SearchRequest) -> Vec<PathBuf> {
    // The front has winners without a budget.
    let budgets = (0..request.budgets().len() as u32).map(Some).chain(request.front.then_some(None));
    let budgets: Vec<Option<u32>> = budgets.collect();
    let are_several = budgets.len() > 1;
    budgets.into_iter().map(|budget| place(out, budget, are_several)).collect()
}

/// Where the winner of a budget goes: as it was said for the only one, with its number in the name for several.
fn place(out: &Path, budget: Option<u32>, are_several: bool) -> PathBuf {
    if !are_several {
        return out.to_owned();
    }
    let number = budget.map_or("none".to_owned(), |budget| budget.to_string());
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out.extension().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}.budget-{number}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_of(budgets: serde_json::Value) -> SearchRequest {
        let id = "00000000-0000-0000-0000-000000000000";
        let preprocessing = serde_json::json!({ "mean": [0.5], "deviation": [0.5] });
        let request = serde_json::json!({
            "model_id": id, "dataset_id": id, "scoring_images": 10, "calibration_images": 10, "candidates": 1, "budgets": budgets,
            "preprocessing": preprocessing,
        });
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn winners_of_several_budgets_have_names_of_their_own() {
        let out = Path::new("a/best.onnx");
        assert_eq!(place(out, Some(0), false), out);
        assert_eq!(place(out, Some(1), true), Path::new("a/best.budget-1.onnx"));
        assert_eq!(place(out, None, true), Path::new("a/best.budget-none.onnx"));
        let one = SearchRequest { macs: Some(0.5), ..request_of(serde_json::json!([])) };
        assert_eq!(places(out, &one), [out], "no other name is taken by one winner");
        let two = request_of(serde_json::json!([{ "macs": 0.5 }, { "macs": 0.25 }]));
        let names = ["a/best.budget-0.onnx", "a/best.budget-1.onnx"].map(PathBuf::from);
        assert_eq!(places(out, &two), names);
        let front = SearchRequest { front: true, ..two };
        assert_eq!(places(out, &front)[2..], [PathBuf::from("a/best.budget-none.onnx")]);
    }
}
