//! `prune`: one strategy, without data.

use std::path::{Path, PathBuf};

use clap::Args;
use eagleeye_engine::{
    ImportanceData, Network, Opset, PruneReport, Pruned, export_state_dict, load_narrowed, prune_by,
};
use eagleeye_spec::{Importance, Space};
use serde::Serialize;

use crate::arguments::{ImportanceArgs, ModelArgs, SpaceArgs, positive_fraction};
use crate::card::{Pruning, documents};
use crate::failure::Failure;
use crate::model_file::{ModelFile, ModelFileError};
use crate::network_file::{NetworkFile, beside, folder_beside, no_onnx, opset};
use crate::output::{self, grouped, percent, table};
use crate::provenance::{Provenance, Weights, hash_file};
use crate::replaced::check_replaced;

#[derive(Debug, Args)]
pub struct PruneArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Fraction of the multiply-adds (MACs) to keep.
    #[arg(long, value_name = "FRACTION", value_parser = positive_fraction)]
    macs: f64,
    /// Seed of the random strategies.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Index of the strategy in the sequence, from 0.
    #[arg(long, default_value_t = 0)]
    index: u64,
    /// Where to write the pruned network; the extension .pt, .onnx or .safetensors selects the format. With .zip it is an
    /// archive of a state_dict and a Python file that rebuilds the pruned network from the original class.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Version of ONNX's operators in an ONNX file, from 13 to 21; 17 if omitted.
    #[arg(long, value_name = "VERSION", value_parser = opset)]
    opset: Option<Opset>,
    #[command(flatten)]
    space: SpaceArgs,
    #[command(flatten)]
    importance: ImportanceArgs,
    /// Also compare the pruned network with the full one whose removed channels are zero, and fail if they differ.
    #[arg(long)]
    verify: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// What pruning has removed, and how the written file was proven.
#[derive(Debug, Serialize)]
struct Report {
    format: &'static str,
    /// Largest difference between the outputs of the reloaded file and the engine's own.
    max_difference: f64,
    /// With --verify: largest difference from the full network whose removed channels are zero, relative to its largest
    /// output.
    #[serde(skip_serializing_if = "Option::is_none")]
    zero_oracle: Option<f64>,
    /// Notes about the written file, one sentence each.
    notices: Vec<String>,
    /// How the channels that stay were chosen.
    importance: Importance,
    #[serde(flatten)]
    pruned: PruneReport,
}

pub fn prune(args: &PruneArgs) -> Result<(), Failure> {
    let wanted = Wanted::by(&args.out, args.opset)?;
    let source = &args.model.model;
    check_replaced([&*args.out], [&**source])?;
    let file = ModelFile::open(source)?;
    let source_hash =
        hash_file(source).map_err(|error| ModelFileError::Open { path: source.clone(), source: error })?;
    let loaded = eagleeye_engine::load(file.path(), args.model.shape())?;
    let (space, importance) = (args.space.space(), args.importance.importance());
    let data = ImportanceData::without_images(args.seed);
    let mut pruned = prune_by(&loaded.network, args.macs, args.seed, args.index, &space, importance, &data)?;
    Provenance {
        source_hash: source_hash.clone(),
        seed: args.seed,
        index: args.index,
        strategy: pruned.report.groups.iter().map(|group| (group.name.clone(), group.kept as u64)).collect(),
        importance,
        weights: Weights::Pruned,
    }
    .write_into(&mut pruned.network.metadata);
    let zero_oracle = if args.verify { Some(verify(&loaded.network, &pruned)?) } else { None };
    let pruning = Pruning {
        model: source,
        source_hash: &source_hash,
        macs: args.macs,
        seed: args.seed,
        index: args.index,
        space,
        importance,
        out: &args.out,
    };
    let max_difference = match wanted {
        Wanted::Network(file) => file.write(&pruned.network, &args.out)?,
        Wanted::StateDict => beside(&args.out, |path| {
            let shape = loaded.network.graph.input_shape(1);
            let read_again = |weights: &Path| Ok(load_narrowed(file.path(), &shape, weights)?);
            let documents = documents(&pruning.card(&loaded.network, &pruned.report))?;
            export_state_dict(&loaded.network, &pruned.network, &documents, path, read_again)
        })?,
    };
    let mut notices = pruned.network.precision_notices();
    notices.extend(rounding_notice(&space));
    let report =
        Report { format: wanted.name(), max_difference, zero_oracle, notices, importance, pruned: pruned.report };
    if args.json { output::json(&report) } else { output::text(&describe(&report)) }
}

/// What was decided for somebody who asked for no multiple.
fn rounding_notice(space: &Space) -> Option<String> {
    let says = "Groups keep multiples of 8 channels, or of 4, 2 or 1 if they have fewer than four multiples or the \
                budget requires it: runtimes process channels in blocks, and odd counts can be slower than the full \
                network. \
                --round-to 1 \
                allows any count.";
    space.round_to.is_none().then(|| says.to_owned())
}

/// Largest relative difference from the zeroed network that is rounding.
const ROUNDING: f64 = 1e-4;

fn verify(network: &Network, pruned: &Pruned) -> Result<f64, Failure> {
    let difference = eagleeye_engine::zero_oracle(network, pruned)?;
    if difference <= ROUNDING { Ok(difference) } else { Err(Failure::ZeroOracle { difference }) }
}

/// What is written.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Network(NetworkFile),
    StateDict,
}

impl Wanted {
    /// What a file's name and `--opset` ask for.
    fn by(path: &Path, opset: Option<Opset>) -> Result<Self, Failure> {
        if path.extension().is_some_and(|ending| ending == "zip") {
            folder_beside(path)?;
            return if opset.is_none() { Ok(Wanted::StateDict) } else { Err(no_onnx()) };
        }
        let file = NetworkFile::by(path, opset).map_err(|failure| match failure {
            Failure::OutputFormat(path) => Failure::OutputFormatOrArchive(path),
            other => other,
        })?;
        Ok(Wanted::Network(file))
    }

    fn name(self) -> &'static str {
        match self {
            Wanted::Network(file) => file.format.name(),
            Wanted::StateDict => "state_dict",
        }
    }
}

fn describe(report: &Report) -> String {
    let PruneReport { macs, parameters, groups, divisors: _ } = &report.pruned;
    let row = |name: &str, before: u64, after: u64| {
        vec![name.to_owned(), grouped(before), grouped(after), percent(after, before)]
    };
    let head = ["", "before", "after", "kept"].map(str::to_owned).to_vec();
    let totals = [row("MACs", macs.before, macs.after), row("parameters", parameters.before, parameters.after)];
    let groups = groups.iter().map(|group| row(&group.name, group.size as u64, group.kept as u64));
    let table = table(&std::iter::once(head).chain(totals).chain(groups).collect::<Vec<_>>());
    report.notices.iter().fold(table, |text, notice| format!("{text}\n{notice}\n"))
}

#[cfg(test)]
mod tests {
    use eagleeye_engine::Format;

    use super::*;

    #[test]
    fn the_ending_may_ask_for_an_archive() {
        let wanted = |name: &str| Wanted::by(Path::new(name), None);
        assert!(matches!(
            wanted("src/pruned.pt"),
            Ok(Wanted::Network(NetworkFile { format: Format::TorchScript, .. }))
        ));
        assert!(matches!(wanted("src/pruned.zip"), Ok(Wanted::StateDict)));
        assert!(matches!(wanted("zip"), Err(Failure::OutputFormatOrArchive(_))));
        let archive = Wanted::by(Path::new("pruned.zip"), Some(Opset::default()));
        assert!(matches!(archive, Err(Failure::Arguments(_))));
    }
}
