//! Model cards that travel with a network.

use std::path::Path;

use eagleeye_engine::{Document, Network, PruneReport, StateDictError};
use eagleeye_spec::card::{
    CARD_VERSION, CardCosts, CardRepeat, CardSource, CardStrategy, CardWeights, ModelCard, shell_word,
};
use eagleeye_spec::{GroupKeep, Importance, Limits, Space, StrategyName};

/// The strategies that `prune` draws.
const STRATEGY: &str = "random";

/// A card as the files of an archive. What the archive comes to as a file, it cannot say itself.
pub fn documents(card: &ModelCard) -> Result<Vec<Document>, StateDictError> {
    let card = ModelCard { file: None, ..card.clone() };
    let json = serde_json::to_string_pretty(&card)?;
    Ok(vec![
        Document { name: "card.json", text: format!("{json}\n") },
        Document { name: "card.md", text: card.to_markdown() },
    ])
}

/// What `prune` was told.
#[derive(Debug, Clone, Copy)]
pub struct Pruning<'a> {
    pub model: &'a Path,
    pub source_hash: &'a str,
    pub macs: f64,
    pub seed: u64,
    pub index: u64,
    pub space: Space,
    pub importance: Importance,
    pub out: &'a Path,
}

impl Pruning<'_> {
    /// The card of a network that was pruned without images.
    pub fn card(&self, full: &Network, report: &PruneReport) -> ModelCard {
        let file_name = self.model.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = self.model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let input_shape: Vec<u64> = full.graph.input_shape(1).into_iter().map(|size| size as u64).collect();
        let groups = report.groups.iter().map(|group| GroupKeep {
            group: group.name.clone(),
            size: group.size as u64,
            kept: group.kept as u64,
        });
        let costs = |macs, parameters| CardCosts { macs, parameters, bytes: None };
        let command = self.command(&file_name, &input_shape);
        ModelCard {
            version: CARD_VERSION,
            producer: format!("EagleEye {}", env!("CARGO_PKG_VERSION")),
            file: None,
            source: CardSource {
                name,
                file_name,
                hash: self.source_hash.to_owned(),
                input_shape,
                classes: full.graph.classes().and_then(|classes| u32::try_from(classes).ok()),
            },
            weights: CardWeights::Unadapted,
            strategy: CardStrategy {
                name: StrategyName(STRATEGY.to_owned()),
                index: self.index,
                seed: self.seed,
                budget: Some(Limits { macs: Some(self.macs), ..Limits::default() }),
                importance: self.importance,
                groups: groups.collect(),
            },
            full: costs(report.macs.before, report.parameters.before),
            pruned: costs(report.macs.after, report.parameters.after),
            data: None,
            adaptation: None,
            tuning: None,
            scores: Vec::new(),
            latencies: Vec::new(),
            warnings: Vec::new(),
            repeat: CardRepeat { request: None, commands: vec![command], calls: Vec::new() },
        }
    }

    /// The command that was given, with its defaults.
    fn command(&self, file_name: &str, input_shape: &[u64]) -> String {
        let Self { macs, seed, index, space, importance, .. } = self;
        let shape: Vec<String> = input_shape.iter().map(u64::to_string).collect();
        let model = shell_word(file_name);
        let mut command = format!("eagleeye-worker prune {model} --input-shape {} --macs {macs}", shape.join(","));
        command.push_str(&format!(" --seed {seed} --index {index}"));
        if let Some(multiple) = space.round_to {
            command.push_str(&format!(" --round-to {multiple}"));
        }
        command.push_str(&format!(" --min-keep-ratio {}", space.min_keep_ratio));
        command.push_str(&format!(" --importance {}", importance.criterion.name()));
        command.push_str(&format!(" --aggregate {}", importance.aggregate.name()));
        let out = self.out.file_name().unwrap_or_default().to_string_lossy();
        format!("{command} --out {}", shell_word(&out))
    }
}
