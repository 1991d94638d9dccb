//! `inspect`: what a network costs, and what of it can be pruned.

use std::fmt::Write;

use clap::Args;
use eagleeye_engine::device::set_threads;
use eagleeye_engine::inspect::unmet;
use eagleeye_sandbox::Access;
use eagleeye_spec::Budget;
use eagleeye_spec::report::{BatchNormState, ChannelGroup, ModelInspection, ModelReport, Port};

use crate::arguments::{ModelArgs, SpaceArgs};
use crate::confinement::{SandboxArgs, model_access};
use crate::failure::Failure;
use crate::model_file::ModelFile;
use crate::output::{self, grouped, table};

#[derive(Debug, Args)]
pub struct InspectArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    space: SpaceArgs,
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Also explain why this fraction of the MACs cannot be kept if channel multiples prevent it.
    #[arg(long, value_name = "FRACTION")]
    macs: Option<f64>,
    /// Seed of the random strategies that are tried for --macs.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl InspectArgs {
    pub fn access(&self) -> Option<Access> {
        self.sandbox.access(|| model_access(&self.model.model))
    }
}

pub fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    // A check runs beside a worker that owns the cores: two programs whose OpenMP threads spin while they wait for each
    // other's cores are many times slower than one, and reading a network gains nothing from threads.
    set_threads(1);
    let file = ModelFile::open(&args.model.model)?;
    let loaded = eagleeye_engine::load(file.path(), args.model.shape())?;
    let space = args.space.space();
    let mut found = eagleeye_engine::inspect(&loaded, &space)?;
    if let Some(macs) = args.macs {
        found.unmet = unmet(&loaded, &space, &Budget::macs(macs), args.seed)?;
    }
    if args.json { output::json(&found.to_stored()?) } else { output::text(&describe(&found)) }
}

fn describe(found: &ModelInspection) -> String {
    let ModelReport { figures, inputs, outputs, details } = &found.report;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |name: &str, says: &str| _ = writeln!(text, "{name:<12}{says}");
    line("format", figures.format.name());
    line("weights", &details.element_type);
    line("input", &ports(inputs));
    line("output", &ports(outputs));
    line("MACs", &grouped(figures.macs));
    line("parameters", &grouped(figures.parameters));
    line("batch norms", &batch_norms(&found.report));
    let operators: Vec<String> = details.operators.iter().map(|(name, count)| format!("{name} {count}")).collect();
    line("operators", &operators.join(", "));
    let (min, max) = (100.0 * figures.reachable.min, 100.0 * figures.reachable.max);
    line("reachable", &format!("{min:.2}% to {max:.2}% of the MACs"));
    for notice in &details.notices {
        line("notice", notice);
    }
    if let Some(reason) = &found.unmet {
        line("budget", reason);
    }
    text.push('\n');
    text + &groups(&details.groups)
}

fn ports(ports: &[Port]) -> String {
    let shape = |port: &Port| port.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    ports.iter().map(|port| format!("{} {}", port.name, shape(port))).collect::<Vec<_>>().join("; ")
}

fn batch_norms(report: &ModelReport) -> String {
    match report.details.batch_norm_state {
        BatchNormState::Present => report.figures.batch_norms.to_string(),
        BatchNormState::Folded => "none after a convolution; a search inserts virtual ones".to_owned(),
        BatchNormState::Absent => "none".to_owned(),
    }
}

fn groups(groups: &[ChannelGroup]) -> String {
    let head = ["channel group", "units", "parameters", "locked because"].map(str::to_owned).to_vec();
    let rows = groups.iter().map(|group| {
        let reason = group.reason.clone().unwrap_or_default();
        vec![group.name.clone(), grouped(group.size), group.members.len().to_string(), reason]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
