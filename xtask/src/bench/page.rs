//! docs/benchmarks.md: its frame is written by hand, and each of its sections by the command that measures it.

use std::fs;

use anyhow::{Context, Result};

use super::machine;
use crate::project::root;

const PAGE: &str = "docs/benchmarks.md";

/// Prints what `cargo xtask bench ARGUMENTS` has measured and writes it into its section, beneath the day, the machine and the
/// command.
pub fn publish(section: &str, arguments: &str, libtorch: Option<&str>, measured: &str) -> Result<()> {
    let machine = machine::described(libtorch)?;
    let markdown = format!("{machine}: `cargo xtask bench {arguments}`\n\n{}", measured.trim());
    println!("{markdown}\n");
    replace_section(section, &markdown)
}

/// Replaces what is between the section's markers on the page.
pub fn replace_section(name: &str, markdown: &str) -> Result<()> {
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let replaced = with_section(&page, name, markdown).with_context(|| format!("cannot replace a part of {PAGE}"))?;
    fs::write(&path, replaced).with_context(|| format!("cannot write {PAGE}"))
}

fn with_section(page: &str, name: &str, markdown: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench {name} -->"), format!("<!-- end {name} -->"));
    let (before, rest) = page.split_once(&begin).with_context(|| format!("it has no `{begin}`"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("it has no `{end}` behind `{begin}`"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", markdown.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_TWO: &str =
        "# Page\n<!-- bench a -->\nold\n<!-- end a -->\nframe\n<!-- bench b -->\nkept\n<!-- end b -->\n";

    #[test]
    fn a_section_is_replaced_and_all_else_stays() {
        let replaced = with_section(OF_TWO, "a", "\n| new |\n\n").unwrap();
        assert_eq!(replaced, OF_TWO.replace("old", "| new |"));
        assert_eq!(with_section(&replaced, "a", "old").unwrap(), OF_TWO);
    }

    #[test]
    fn a_page_without_the_markers_is_an_error() {
        assert!(with_section(OF_TWO, "c", "new").is_err());
        assert!(with_section("<!-- end a -->\n<!-- bench a -->", "a", "new").is_err());
    }

    #[test]
    fn the_page_has_every_section() {
        let page = fs::read_to_string(root().join(PAGE)).unwrap();
        for name in ["search", "winner", "reading", "answers", "exports", "jobs", "images", "precision"] {
            assert!(with_section(&page, name, "new").is_ok(), "{name}");
        }
    }
}
