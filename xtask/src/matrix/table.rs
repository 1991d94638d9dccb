//! The matrix as Markdown: a line for each format, then one for each file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;

use super::check::Checked;

/// One network in one format.
pub struct Row {
    pub model: String,
    pub format: String,
    pub outcome: Outcome,
}

pub enum Outcome {
    Checked(Result<Checked>),
    /// The exporter itself cannot write the network, for this reason.
    NotExported(String),
}

impl Row {
    pub fn checked(&self) -> Option<&Checked> {
        match &self.outcome {
            Outcome::Checked(Ok(checked)) => Some(checked),
            _ => None,
        }
    }

    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Checked(Err(_)))
    }
}

/// Names of the operators that the networks have between them.
pub fn operators(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().filter_map(Row::checked).flat_map(|c| &c.operators).map(String::as_str).collect()
}

pub fn table(rows: &[Row]) -> String {
    let mut text = "| format | networks | exporter fails | pass |\n|---|---|---|---|\n".to_owned();
    let formats: BTreeSet<&str> = rows.iter().map(|r| r.format.as_str()).collect();
    for format in formats {
        let of_format = || rows.iter().filter(|r| r.format == format);
        let passed = of_format().filter(|r| r.checked().is_some()).count();
        let refused = of_format().filter(|r| matches!(r.outcome, Outcome::NotExported(_))).count();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {format} | {} | {refused} | {passed} |", of_format().count());
    }
    text.push_str("\n| model | format | import s | groups | units | locked | error |\n|---|---|---|---|---|---|---|\n");
    for Row { model, format, outcome } in rows {
        let _ = match outcome {
            Outcome::Checked(Ok(c)) => {
                let Checked { seconds, groups, units, locked, proof, .. } = c;
                let proof = proof.in_words();
                writeln!(text, "| {model} | {format} | {seconds:.2} | {groups} | {units} | {locked} | {proof} |")
            }
            Outcome::Checked(Err(error)) => writeln!(text, "| {model} | {format} | | | | | FAILED: {error:#} |"),
            Outcome::NotExported(reason) => {
                writeln!(text, "| {model} | {format} | | | | | the exporter cannot write it: {reason} |")
            }
        };
    }
    text.push_str(
        "\nBehind an error, why the engine zeroed the network itself: `(norms)`, norms over channels see the channels that stay \
         alone; `(computed)`, the file computes a weight from its tensors. See `xtask/src/matrix/check.rs`.\n",
    );
    let _ = writeln!(text, "\nOperators: {}.", operators(rows).into_iter().collect::<Vec<_>>().join(", "));
    text
}
