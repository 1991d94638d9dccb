//! Standard output: JSON for programs, or text for people; and progress on standard error.

use std::io::{IsTerminal, Write, stderr, stdout};

use eagleeye_spec::Score;
use serde::Serialize;

use crate::failure::Failure;

/// Prints a report as one line of JSON.
pub fn json(report: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(report).map_err(Failure::Json)?;
    line.push(b'\n');
    print(&line)
}

/// Prints text as it is.
pub fn text(text: &str) -> Result<(), Failure> {
    print(text.as_bytes())
}

/// Shows how far something is on standard error, in the place of the line before, where somebody looks.
pub fn progress_line(text: &str) {
    if stderr().is_terminal() {
        // Somebody who has closed standard error does not want to be told.
        let _ = write!(stderr(), "\r\x1b[K{text}");
    }
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Stdout)
}

/// Rows with every column as wide as its widest cell, the first one flush left, the others right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(i, (cell, &w))| if i == 0 { format!("{cell:<w$}") } else { format!("{cell:>w$}") });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Scores by name; those that there are.
pub fn score_table(scores: &[(&str, Option<Score>)]) -> String {
    let share = |share: f64| format!("{:.2}%", 100.0 * share);
    let head = ["", "top-1", "top-5"].map(str::to_owned).to_vec();
    let row = |&(name, score): &(&str, Option<Score>)| {
        score.map(|score| vec![name.to_owned(), share(score.top1), share(score.top5)])
    };
    table(&std::iter::once(head).chain(scores.iter().filter_map(row)).collect::<Vec<_>>())
}

/// A whole number with its thousands apart: `16,242,186`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole in percent, `50.3%`; of nothing there is nothing.
pub fn percent(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    format!("{share:.1}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (16_242_186, "16,242,186")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_part_of_nothing_is_nothing() {
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(0, 0), "0.0%");
    }

    #[test]
    fn columns_line_up() {
        let rows = [["group", "size"], ["conv1", "1,024"], ["fc", "10"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "group   size\nconv1  1,024\nfc        10\n");
    }
}
