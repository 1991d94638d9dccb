//! A report as Markdown.

use std::fmt::Write;

use super::types::{
    Comparison, Report, ReportSection, ReportedCandidate, ReportedCosts, ReportedStrategy, ScoredOn, Standing,
};
use super::words::{
    conditions, counted, duration, escaped, from_to, listed, milliseconds, percent, signed, signed_from_to,
};
use crate::budget::Budget;
use crate::interval::Interval;
use crate::request::SearchRequest;
use crate::warning::Warning;

/// Where there is nothing to say.
pub(crate) const NONE: &str = "-";

impl Report {
    /// The report as Markdown (GitHub's, for its tables). It ends with a line break.
    pub fn to_markdown(&self) -> String {
        let mut out = Lines::default();
        out.line(&format!("# Pruning search: {}", escaped(self.name.as_deref().unwrap_or(&self.model))));
        out.line(&format!("Model {} on dataset {}.", bold(&self.model), bold(&self.dataset)));
        out.line(&escaped(&self.sentences.join(" ")));
        for section in &self.sections {
            self.section(&mut out, section);
        }
        self.keep_counts(&mut out);
        warnings(&mut out, &self.warnings);
        if !self.advice.is_empty() {
            out.line("## What to try");
            out.list(self.advice.iter().map(|advice| escaped(advice)));
        }
        self.settings(&mut out);
        out.text
    }

    fn section(&self, out: &mut Lines, section: &ReportSection) {
        out.line(&format!("## {}", escaped(&capitalised(&section.title))));
        out.line(&escaped(&section.sentences.join(" ")));
        if let Some(winner) = &section.winner {
            self.strategies(out, section, winner);
            latencies(out, winner);
        }
        self.front(out, section);
    }

    /// Strategies side by side, and the full network.
    fn strategies(&self, out: &mut Lines, section: &ReportSection, winner: &ReportedCandidate) {
        let has_test = section.strategies.iter().any(|strategy| strategy.best.test.is_some());
        let is_repaired = section.strategies.iter().any(|strategy| strategy.best.repaired.is_some());
        let is_short_tuned = section.strategies.iter().any(|strategy| strategy.best.short_tuned.is_some());
        let has_latency = section.strategies.iter().any(|strategy| !strategy.best.latencies.is_empty());
        let mut columns = vec!["strategy", "candidates", "best", self.score_name(), "images"];
        columns.extend(self.labelled.then_some("agreement"));
        columns.extend(["cross-entropy", "difference from uniform, points"]);
        columns.extend(has_test.then_some("on test images"));
        columns.extend(is_repaired.then_some("repaired"));
        columns.extend(is_short_tuned.then_some("trained for a short time"));
        columns.extend(["MACs", "parameters", "bytes"]);
        columns.extend(has_latency.then_some("latency"));

        let row = |strategy: &ReportedStrategy| {
            let best = &strategy.best;
            let name = escaped(&strategy.strategy.0);
            let name = if best.index == winner.index { format!("**{name}**") } else { name };
            let mut row = vec![name, strategy.evaluated.to_string(), best.index.to_string()];
            row.extend(self.scores(&best.scoring));
            row.push(best.against_uniform.as_ref().map_or(NONE.to_owned(), difference));
            row.extend(has_test.then(|| best.test.as_ref().map_or(NONE.to_owned(), top1)));
            row.extend(is_repaired.then(|| best.repaired.as_ref().map_or(NONE.to_owned(), top1)));
            row.extend(is_short_tuned.then(|| best.short_tuned.as_ref().map_or(NONE.to_owned(), top1)));
            row.extend(costs(&best.costs));
            row.extend(has_latency.then(|| latency(best)));
            row
        };
        let mut rows: Vec<Vec<String>> = section.strategies.iter().map(row).collect();

        let mut full = vec!["full network".to_owned(), NONE.to_owned(), NONE.to_owned()];
        full.extend(self.scores(&self.full.scoring));
        full.push(NONE.to_owned());
        full.extend(has_test.then(|| self.full.test.as_ref().map_or(NONE.to_owned(), top1)));
        full.extend(is_repaired.then(|| NONE.to_owned()));
        full.extend(is_short_tuned.then(|| NONE.to_owned()));
        full.extend([self.full.macs.to_string(), self.full.parameters.to_string()]);
        full.push(self.full.bytes.map_or(NONE.to_owned(), |bytes| bytes.to_string()));
        let beside = winner.latencies.first().map(|measured| milliseconds(measured.latency.full_milliseconds));
        full.extend(has_latency.then(|| beside.unwrap_or(NONE.to_owned())));
        rows.push(full);
        out.table(&columns, &rows);
        if has_latency && let Some(measured) = winner.latencies.first() {
            out.line(&escaped(&format!("Latency in {}.", conditions(&measured.latency))));
        }
    }

    fn score_name(&self) -> &'static str {
        if self.labelled { "top-1" } else { "agreement with the full network" }
    }

    fn scores(&self, on: &ScoredOn) -> Vec<String> {
        let mut scores = vec![top1(on), on.images.to_string()];
        if self.labelled {
            scores.push(on.score.agreement.map_or(NONE.to_owned(), percent));
        }
        scores.push(on.score.cross_entropy.map_or(NONE.to_owned(), |nats| format!("{nats:.3}")));
        scores
    }

    fn front(&self, out: &mut Lines, section: &ReportSection) {
        let Some(front) = section.front.as_ref().filter(|front| !front.is_empty()) else { return };
        out.line("### Front of cost and score");
        let measure = front.first().map(|point| point.measure.to_string()).unwrap_or_default();
        let share = format!("{measure}, of the full network's");
        let columns = ["candidate", "strategy", measure.as_str(), share.as_str(), self.score_name(), "images"];
        let rows = front.iter().map(|point| {
            vec![
                point.index.to_string(),
                escaped(&point.strategy.0),
                point.cost.to_string(),
                percent(point.fraction),
                with_interval(point.top1, point.interval),
                point.images.to_string(),
            ]
        });
        out.table(&columns, &rows.collect::<Vec<_>>());
    }

    /// What each winner keeps of each channel group.
    fn keep_counts(&self, out: &mut Lines) {
        let winners = self.sections.iter().filter_map(|section| Some((section, section.winner.as_ref()?)));
        let winners: Vec<(&ReportSection, &ReportedCandidate)> = winners.collect();
        let Some((_, first)) = winners.first().filter(|(_, first)| !first.groups.is_empty()) else { return };
        out.line("## What the winners keep");
        let mut columns = vec!["channel group".to_owned(), "units".to_owned()];
        columns.extend(
            winners.iter().map(|(section, winner)| format!("candidate {}, {}", winner.index, escaped(&section.title))),
        );
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let rows = first.groups.iter().enumerate().map(|(place, group)| {
            let kept = winners
                .iter()
                .map(|(_, winner)| winner.groups.get(place).map_or(NONE.to_owned(), |group| group.kept.to_string()));
            [escaped(&group.group), group.size.to_string()].into_iter().chain(kept).collect()
        });
        out.table(&columns, &rows.collect::<Vec<_>>());
    }

    /// All that it takes to run the search again.
    fn settings(&self, out: &mut Lines) {
        let (request, split) = (&self.request, &self.split);
        let names: Vec<String> = request.strategies.iter().map(|name| name.0.clone()).collect();
        let budgets: Vec<String> = request.budgets().iter().map(Budget::in_words).collect();
        let yes_no = |value: bool| if value { "yes" } else { "no" }.to_owned();
        let rows = [
            ("seed", request.seed.to_string()),
            ("budgets", budgets.join("; ")),
            ("strategies", listed(&names)),
            ("candidates of each strategy and budget, at most", request.candidates.to_string()),
            ("uniform reference", yes_no(request.uniform_reference)),
            ("racing", yes_no(request.racing)),
            ("calibration images", split.calibration.to_string()),
            ("scoring images", split.scoring.to_string()),
            ("test images", split.test.to_string()),
            ("best candidates of each budget that are repaired", request.repaired.to_string()),
            ("best candidates of each budget that are trained for a short time", short_tuned(request)),
            ("images per forward pass", request.batch_size.to_string()),
            ("channel multiples", request.round_to.map_or("default".to_owned(), |multiple| multiple.to_string())),
            ("importance", format!("{}, {}", request.importance.criterion.name(), request.importance.aggregate.name())),
            ("image passes", format!("{} of {}", self.passes.spent, self.passes.of_all)),
            ("time", self.seconds.map_or(NONE.to_owned(), duration)),
        ];
        out.line("## Settings");
        facts(out, ["setting", "value"], rows);
        if let Ok(body) = serde_json::to_string_pretty(request) {
            out.line("The request, which gives the same search again:");
            out.line(&format!("```json\n{body}\n```"));
        }
    }
}

/// A section with what was found, where there is something.
pub(crate) fn warnings(out: &mut Lines, warnings: &[Warning]) {
    if warnings.is_empty() {
        return;
    }
    out.line("## Warnings");
    let said = |warning: &Warning| {
        let title = bold(&format!("{}.", warning.code.title()));
        format!("`{}`: {title} {}", warning.code.name(), escaped(&warning.message))
    };
    out.list(warnings.iter().map(said));
}

/// A table of names and values.
pub(crate) fn facts(out: &mut Lines, head: [&str; 2], facts: impl IntoIterator<Item = (&'static str, String)>) {
    let rows = facts.into_iter().map(|(name, value)| vec![name.to_owned(), escaped(&value)]);
    out.table(&head, &rows.collect::<Vec<_>>());
}

/// How many are trained, and for how long.
fn short_tuned(request: &SearchRequest) -> String {
    match request.short_tuned {
        0 => "0".to_owned(),
        count => format!("{count}, {} each", counted(request.short_tune_epochs.into(), "epoch")),
    }
}

fn costs(costs: &ReportedCosts) -> [String; 3] {
    [
        percent(costs.macs_fraction),
        percent(costs.parameters_fraction),
        costs.bytes_fraction.map_or(NONE.to_owned(), percent),
    ]
}

fn top1(on: &ScoredOn) -> String {
    with_interval(on.score.top1, on.intervals.top1)
}

pub(crate) fn with_interval(share: f64, interval: Interval) -> String {
    format!("{} ({})", percent(share), from_to(interval))
}

fn difference(compared: &Comparison) -> String {
    let verdict = match compared.standing {
        Standing::Same => return "the same".to_owned(),
        Standing::Better => "better",
        Standing::Tied => "tied",
        Standing::Below => "below",
    };
    format!("{} ({}), {verdict}", signed(compared.difference), signed_from_to(compared.interval).replace(" points", ""))
}

fn latency(candidate: &ReportedCandidate) -> String {
    candidate.latencies.first().map_or(NONE.to_owned(), |measured| {
        format!("{} ({:.2}x)", milliseconds(measured.latency.milliseconds), measured.speedup)
    })
}

/// The winner's latencies, one row for each way to run it.
fn latencies(out: &mut Lines, winner: &ReportedCandidate) {
    if winner.latencies.len() < 2 {
        return;
    }
    let rows = winner.latencies.iter().map(|measured| {
        vec![
            escaped(&conditions(&measured.latency)),
            milliseconds(measured.latency.milliseconds),
            milliseconds(measured.latency.full_milliseconds),
            format!("{:.2}x", measured.speedup),
        ]
    });
    out.table(&["runtime", "winner", "full network", "speed-up"], &rows.collect::<Vec<_>>());
}

fn bold(text: &str) -> String {
    format!("**{}**", escaped(text))
}

pub(crate) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// Blocks with an empty line between them.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) text: String,
}

impl Lines {
    pub(crate) fn line(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn list(&mut self, items: impl Iterator<Item = String>) {
        let items: Vec<String> = items.map(|item| format!("- {item}")).collect();
        self.line(&items.join("\n"));
    }

    /// Cells are Markdown already.
    pub(crate) fn table(&mut self, columns: &[&str], rows: &[Vec<String>]) {
        let mut table = format!("| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
        for row in rows {
            // Writing to a string cannot fail.
            let _ = write!(table, "\n| {} |", row.join(" | "));
        }
        self.line(&table);
    }
}
