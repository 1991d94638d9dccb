//! A card as Markdown.

use super::types::{CardCosts, CardData, CardNetwork, CardScore, CardTuning, CardWeights, ModelCard};
use crate::adaptation::{Adaptation, AdaptationMode};
use crate::summary::words::{conditions, counted, escaped, listed, milliseconds, percent};
use crate::summary::{Lines, NONE, capitalised, facts, fraction, warnings, with_interval};

impl ModelCard {
    /// The card as Markdown (GitHub's, for its tables). It ends with a line break.
    pub fn to_markdown(&self) -> String {
        let mut out = Lines::default();
        out.line(&format!("# {}, pruned", escaped(&self.source.name)));
        out.line(&escaped(&self.summary()));
        self.costs(&mut out);
        self.scores(&mut out);
        self.latencies(&mut out);
        warnings(&mut out, &self.warnings);
        self.made(&mut out);
        self.kept(&mut out);
        self.again(&mut out);
        out.text
    }

    fn summary(&self) -> String {
        let share = percent(fraction(self.pruned.macs, self.full.macs));
        let weights = match self.weights {
            CardWeights::Unadapted => "It has the full network's weights and running statistics where these are left.",
            CardWeights::Adapted => {
                "Its running statistics are its own (adaptive batch norm); its weights are the full network's."
            }
            CardWeights::Repaired => "Its layers are fitted to what the full network answers, without labels.",
            CardWeights::Tuned => "It was trained further after it was pruned.",
        };
        let own = self.scores.iter().rev().find(|score| score.network == self.network());
        let score = own.map(|own| {
            let what = if self.labelled() { "top-1" } else { "agreement with the full network" };
            let top1 = with_interval(own.score.top1, own.intervals.top1);
            format!(" {} on {} {} images: {top1}.", capitalised(what), own.images, own.image_set.name())
        });
        format!(
            "A convolutional network with {share} of the MACs of {}. {weights}{}",
            self.source.name,
            score.unwrap_or_default()
        )
    }

    fn labelled(&self) -> bool {
        self.data.as_ref().is_none_or(|data| data.labelled)
    }

    /// What scores of these weights are of.
    fn network(&self) -> CardNetwork {
        match self.weights {
            CardWeights::Unadapted => CardNetwork::Unadapted,
            CardWeights::Adapted => CardNetwork::Adapted,
            CardWeights::Repaired => CardNetwork::Repaired,
            CardWeights::Tuned => CardNetwork::Tuned,
        }
    }

    fn costs(&self, out: &mut Lines) {
        out.line("## Size");
        let row = |name: &str, of: fn(&CardCosts) -> Option<u64>| {
            let (full, pruned) = (of(&self.full), of(&self.pruned));
            let text = |count: Option<u64>| count.map_or(NONE.to_owned(), |count| count.to_string());
            let kept = full.zip(pruned).map_or(NONE.to_owned(), |(full, pruned)| percent(fraction(pruned, full)));
            vec![name.to_owned(), text(full), text(pruned), kept]
        };
        let rows = [
            row("MACs of one image", |costs| Some(costs.macs)),
            row("parameters", |costs| Some(costs.parameters)),
            row("bytes of weights and statistics", |costs| costs.bytes),
        ];
        out.table(&["", "full network", "pruned", "kept"], &rows);
    }

    fn scores(&self, out: &mut Lines) {
        if self.scores.is_empty() {
            return;
        }
        out.line("## Scores");
        let (top1, top5) = if self.labelled() {
            ("top-1", "top-5")
        } else {
            ("agreement with the full network", "its class among the five highest")
        };
        let row = |own: &CardScore| {
            let name = match own.network {
                CardNetwork::Full => "full network",
                CardNetwork::Unadapted => "pruned, the full network's statistics",
                CardNetwork::Adapted => "pruned, adaptive batch norm",
                CardNetwork::Repaired => "pruned and repaired",
                CardNetwork::ShortTuned => "pruned and trained for a short time",
                CardNetwork::Tuned => "pruned and tuned",
            };
            let is_own = own.network == self.network();
            let name = if is_own { format!("**{name}**") } else { name.to_owned() };
            vec![
                name,
                format!("{} {} images", own.images, own.image_set.name()),
                with_interval(own.score.top1, own.intervals.top1),
                with_interval(own.score.top5, own.intervals.top5),
                own.score.cross_entropy.map_or(NONE.to_owned(), |nats| format!("{nats:.3}")),
            ]
        };
        let rows: Vec<Vec<String>> = self.scores.iter().map(row).collect();
        out.table(&["network", "images", top1, top5, "cross-entropy"], &rows);
        out.line(
            "The intervals hold with 95% confidence, for the images being a sample. Bold is the network in the file.",
        );
    }

    fn latencies(&self, out: &mut Lines) {
        if self.latencies.is_empty() {
            return;
        }
        out.line("## Latency");
        let rows = self.latencies.iter().map(|measured| {
            vec![
                escaped(&conditions(&measured.latency)),
                milliseconds(measured.latency.full_milliseconds),
                milliseconds(measured.latency.milliseconds),
                format!("{:.2}x", measured.speedup),
            ]
        });
        out.table(&["runtime", "full network", "pruned", "speed-up"], &rows.collect::<Vec<_>>());
    }

    /// Where it comes from and what was done.
    fn made(&self, out: &mut Lines) {
        let (source, strategy) = (&self.source, &self.strategy);
        let shape: Vec<String> = source.input_shape.iter().map(u64::to_string).collect();
        let importance = strategy.importance;
        let budget = strategy.budget.map(|limits| limits.budget().in_words());
        let mut rows = vec![
            ("made by", self.producer.clone()),
            ("full network", source.name.clone()),
            ("its file", source.file_name.clone()),
            ("BLAKE3 of its file", source.hash.clone()),
            ("input shape", shape.join(" x ")),
            ("classes", source.classes.map_or(NONE.to_owned(), |classes| classes.to_string())),
            ("strategy", format!("{}, number {}, seed {}", strategy.name, strategy.index, strategy.seed)),
            ("budget", budget.unwrap_or(NONE.to_owned())),
            ("channels that stay", format!("by {}, {}", importance.criterion.name(), importance.aggregate.name())),
            ("running statistics", self.statistics()),
        ];
        rows.extend(self.data.iter().flat_map(data));
        rows.extend(self.tuning.iter().flat_map(tuning));
        if let Some(file) = &self.file {
            let opset = file.opset.map_or(String::new(), |opset| format!(", operator set {opset}"));
            rows.push(("format", format!("{}{opset}", file.format)));
            rows.extend(file.bytes.map(|bytes| ("bytes of the file", bytes.to_string())));
            rows.extend(file.sha256.clone().map(|hash| ("SHA-256 of the file", hash)));
            rows.extend(file.hash.clone().map(|hash| ("BLAKE3 of the file", hash)));
        }
        out.line("## How it was made");
        facts(out, ["", ""], rows);
    }

    fn statistics(&self) -> String {
        let own = match (self.adaptation, self.weights) {
            (Some(own), _) => adapted(&own),
            (None, CardWeights::Unadapted) => "the full network's".to_owned(),
            (None, _) => "those of the repaired network, over all calibration images".to_owned(),
        };
        if self.weights == CardWeights::Tuned { format!("{own}; then trained") } else { own }
    }

    fn kept(&self, out: &mut Lines) {
        if self.strategy.groups.is_empty() {
            return;
        }
        out.line("## What it keeps");
        let rows = self.strategy.groups.iter().map(|group| {
            let kept = percent(fraction(group.kept, group.size));
            vec![escaped(&group.group), group.size.to_string(), group.kept.to_string(), kept]
        });
        out.table(&["channel group", "units", "kept", "keep ratio"], &rows.collect::<Vec<_>>());
    }

    fn again(&self, out: &mut Lines) {
        out.line("## How to get it again");
        if !self.repeat.commands.is_empty() {
            out.line("On the command line:");
            out.line(&format!("```sh\n{}\n```", self.repeat.commands.join("\n")));
        }
        if !self.repeat.calls.is_empty() {
            out.line("Over the API, with this server's ids in `request.json`:");
            out.line(&format!("```\n{}\n```", self.repeat.calls.join("\n")));
        }
        let files = [
            ("request.json", self.repeat.request.as_ref().and_then(|own| serde_json::to_string_pretty(own).ok())),
            ("options.json", self.tuning.as_ref().and_then(|own| serde_json::to_string_pretty(&own.options).ok())),
        ];
        for (name, body) in files {
            if let Some(body) = body {
                out.line(&format!("`{name}`:"));
                out.line(&format!("```json\n{body}\n```"));
            }
        }
    }
}

fn adapted(adaptation: &Adaptation) -> String {
    let batches = match adaptation.batches {
        None => "all calibration images once".to_owned(),
        Some(1) => "1 batch".to_owned(),
        Some(batches) => format!("{batches} batches"),
    };
    match adaptation.mode {
        AdaptationMode::Cumulative => format!("the mean over {batches}"),
        AdaptationMode::Momentum => format!("averaged with momentum {} over {batches}", adaptation.weight()),
    }
}

fn data(data: &CardData) -> Vec<(&'static str, String)> {
    let split = data.split;
    let parts = [(split.calibration, "calibration"), (split.scoring, "scoring"), (split.test, "test")];
    let parts: Vec<String> = parts.iter().map(|(count, name)| format!("{count} {name} images")).collect();
    let mut rows = vec![
        ("dataset", format!("{}, {}", data.name, counted(data.images, "image"))),
        ("BLAKE3 of its images", data.hash.clone()),
        ("images used", format!("{}, drawn by seed {}", listed(&parts), data.seed)),
        ("labels", if data.labelled { "yes" } else { "none" }.to_owned()),
    ];
    rows.extend(data.labels_hash.clone().map(|hash| ("BLAKE3 of its labels", hash)));
    rows
}

fn tuning(tuning: &CardTuning) -> Vec<(&'static str, String)> {
    let CardTuning { options, epochs, training_images } = tuning;
    let (epochs, images) = (counted(u64::from(*epochs), "epoch"), counted(*training_images, "image"));
    let trained = format!("{} with {}, seed {}", options.optimizer.name(), epochs, options.seed);
    vec![("trained", format!("{trained}, on {images}, from the {} candidate", options.start.name()))]
}
