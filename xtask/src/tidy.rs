//! The invariants of ARCHITECTURE.md that a compiler does not check.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cycles::cycles;
use crate::project::{cargo, command, output, root, say};

/// Which of the workspace's crates each crate may depend on (tests included).
const ARROWS: [(&str, &[&str]); 15] = [
    ("eagleeye-graph", &[]),
    ("eagleeye-onnx", &["eagleeye-graph"]),
    ("eagleeye-torchscript", &["eagleeye-graph"]),
    ("eagleeye-spec", &["eagleeye-graph"]),
    ("eagleeye-strategy", &["eagleeye-graph", "eagleeye-spec"]),
    ("eagleeye-study", &["eagleeye-spec"]),
    ("eagleeye-data", &["eagleeye-spec"]),
    ("eagleeye-latency", &["eagleeye-spec"]),
    (
        "eagleeye-engine",
        &[
            "eagleeye-graph",
            "eagleeye-onnx",
            "eagleeye-torchscript",
            "eagleeye-spec",
            "eagleeye-strategy",
            "eagleeye-data",
        ],
    ),
    ("eagleeye-sandbox", &[]),
    ("eagleeye-migrations", &[]),
    ("eagleeye-store", &["eagleeye-migrations", "eagleeye-spec"]),
    (
        "eagleeye-server",
        &["eagleeye-store", "eagleeye-sandbox", "eagleeye-spec", "eagleeye-strategy", "eagleeye-study"],
    ),
    (
        "eagleeye-worker",
        &[
            "eagleeye-graph",
            "eagleeye-spec",
            "eagleeye-data",
            "eagleeye-engine",
            "eagleeye-latency",
            "eagleeye-store",
            "eagleeye-study",
            "eagleeye-sandbox",
        ],
    ),
    ("xtask", &[]),
];

/// Libraries that only the named crates may use.
const OWNERS: [(&str, &[&str]); 15] = [
    ("tch", &["eagleeye-engine", "eagleeye-torchscript"]),
    ("torch-sys", &["eagleeye-engine", "eagleeye-torchscript"]),
    ("ort", &["eagleeye-latency"]),
    ("prost", &["eagleeye-onnx"]),
    ("axum", &["eagleeye-server"]),
    ("tower-http", &["eagleeye-server"]),
    ("utoipa", &["eagleeye-server", "eagleeye-spec", "eagleeye-study"]),
    ("plotters", &["eagleeye-study"]),
    ("sea-orm", &["eagleeye-store"]),
    ("sea-orm-migration", &["eagleeye-migrations", "eagleeye-store"]),
    ("object_store", &["eagleeye-store"]),
    ("image", &["eagleeye-data"]),
    ("parquet", &["eagleeye-data"]),
    ("landlock", &["eagleeye-sandbox"]),
    ("seccompiler", &["eagleeye-sandbox"]),
];

/// The crates that stay free of an asynchronous runtime: they take values and return values.
const SYNCHRONOUS: [&str; 10] = [
    "eagleeye-graph",
    "eagleeye-onnx",
    "eagleeye-torchscript",
    "eagleeye-spec",
    "eagleeye-strategy",
    "eagleeye-study",
    "eagleeye-data",
    "eagleeye-engine",
    "eagleeye-latency",
    "eagleeye-sandbox",
];

const LONGEST_FILE: usize = 600;
/// Bytes of the largest file that belongs into the tree.
const LARGEST_FILE: u64 = 6 << 20;

pub fn run() -> Result<()> {
    let mut faults = Vec::new();
    check_arrows(&mut faults)?;
    check_cycles(&mut faults)?;
    check_shared_dependencies(&mut faults)?;
    check_sources(&mut faults)?;
    if !faults.is_empty() {
        bail!("the tree is not tidy:\n  {}", faults.join("\n  "));
    }
    say(
        "tidy",
        "arrows between crates; cycles between files of a crate whose items name each other's (re-exports followed; tests, macro \
         arguments, and a module with its own parts left out); unused libraries, file lengths, unfinished work: nothing to say",
    );
    Ok(())
}

/// What [`cycles`] measures, for each crate.
fn check_cycles(faults: &mut Vec<String>) -> Result<()> {
    for package in packages()? {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = Path::new(package["manifest_path"].as_str().context("a package without a manifest")?);
        for cycle in cycles(&manifest.with_file_name("src"))? {
            faults.push(format!("`{name}` has a cycle between files: {cycle}"));
        }
    }
    Ok(())
}

fn packages() -> Result<Vec<Value>> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata printed no JSON")?;
    Ok(metadata["packages"].as_array().context("cargo metadata lists no packages")?.clone())
}

fn check_arrows(faults: &mut Vec<String>) -> Result<()> {
    for package in packages()? {
        let name = package["name"].as_str().unwrap_or_default();
        let dependencies: Vec<&Value> = package["dependencies"].as_array().into_iter().flatten().collect();
        let names = |tests_too: bool| {
            let wanted = dependencies.iter().filter(|d| tests_too || d["kind"] != "dev");
            wanted.filter_map(|d| d["name"].as_str()).collect::<Vec<_>>()
        };
        faults.extend(arrow_faults(name, &names(true)));
        faults.extend(library_faults(name, &names(false)));
    }
    Ok(())
}

/// Which of our crates a crate knows that it may not know, not even in its tests.
fn arrow_faults(name: &str, dependencies: &[&str]) -> Vec<String> {
    let Some((_, allowed)) = ARROWS.iter().find(|(n, _)| *n == name) else {
        return vec![format!("crate `{name}` is not on the map: add it to ARCHITECTURE.md and to xtask's tidy")];
    };
    let is_ours = |d: &str| ARROWS.iter().any(|(n, _)| *n == d);
    let forbidden = dependencies.iter().filter(|d| is_ours(d) && !allowed.contains(d) && **d != name);
    forbidden.map(|d| format!("crate `{name}` may not depend on `{d}`")).collect()
}

/// Which libraries a crate uses that belong to another; tests may make their data with any.
fn library_faults(name: &str, dependencies: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for dependency in dependencies {
        if let Some((_, owners)) =
            OWNERS.iter().find(|(library, owners)| library == dependency && !owners.contains(&name))
        {
            faults.push(format!("only {} may use `{dependency}`, not `{name}`", owners.join(", ")));
        }
        if *dependency == "tokio" && SYNCHRONOUS.contains(&name) {
            faults.push(format!("crate `{name}` stays free of `tokio`"));
        }
    }
    faults
}

/// Libraries that the workspace names and no crate uses. Its own crates are [`ARROWS`]'s matter.
fn check_shared_dependencies(faults: &mut Vec<String>) -> Result<()> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let packages = packages()?;
    let used = packages.iter().flat_map(|package| package["dependencies"].as_array().into_iter().flatten());
    // A dependency that is renamed is known by its new name in the manifest.
    let used = used.filter_map(|d| d["rename"].as_str().or_else(|| d["name"].as_str()));
    faults.extend(unused_dependencies(&manifest, &used.collect())?);
    Ok(())
}

fn unused_dependencies(manifest: &str, used: &BTreeSet<&str>) -> Result<Vec<String>> {
    let manifest: toml::Table = manifest.parse().context("Cargo.toml is no TOML")?;
    let shared = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let shared = shared.and_then(toml::Value::as_table).context("Cargo.toml has no [workspace.dependencies]")?;
    let unused = shared.iter().filter(|(name, how)| how.get("path").is_none() && !used.contains(name.as_str()));
    Ok(unused.map(|(name, _)| format!("no crate uses `{name}`: remove it from [workspace.dependencies]")).collect())
}

fn check_sources(faults: &mut Vec<String>) -> Result<()> {
    let tracked = output(command("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    for path in tracked.lines() {
        let bytes = fs::metadata(root().join(path)).map_or(0, |file| file.len());
        faults.extend(size_fault(path, bytes));
    }
    for path in tracked.lines().filter(|p| is_source(p)) {
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        faults.extend(source_faults(path, &text));
    }
    Ok(())
}

/// What programs write beside the sources in a test or a trial is found by its size.
fn size_fault(path: &str, bytes: u64) -> Option<String> {
    (bytes > LARGEST_FILE)
        .then(|| format!("{path} has {bytes} bytes, more than {LARGEST_FILE}: was it meant to be here?"))
}

fn is_source(path: &str) -> bool {
    let source = [".rs", ".ts", ".svelte", ".cpp", ".h", ".sh"].iter().any(|ending| path.ends_with(ending));
    source && !path.ends_with(".gen.ts")
}

fn source_faults(path: &str, text: &str) -> Vec<String> {
    // Spelled in two halves, so that this file does not find itself.
    let unfinished =
        [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("], ["#[ig", "nore]"], ["/wo", "rk/"]];
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        faults.push(format!("{path} has {lines} lines, more than {LONGEST_FILE}: does it still have one subject?"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(word) = unfinished.iter().map(|halves| halves.concat()).find(|word| line.contains(word)) {
            faults.push(format!("{path}:{}: `{word}`", number + 1));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graph_may_not_know_libtorch_or_a_runtime() {
        assert_eq!(library_faults("eagleeye-graph", &["ndarray"]), Vec::<String>::new());
        let faults = library_faults("eagleeye-graph", &["tch", "tokio"]);
        assert_eq!(
            faults,
            [
                "only eagleeye-engine, eagleeye-torchscript may use `tch`, not `eagleeye-graph`",
                "crate `eagleeye-graph` stays free of `tokio`"
            ]
        );
    }

    #[test]
    fn the_server_may_not_know_the_engine_or_write_queries() {
        let dependencies = ["eagleeye-engine", "sea-orm", "eagleeye-store"];
        assert_eq!(arrow_faults("eagleeye-server", &dependencies).len(), 1);
        assert_eq!(library_faults("eagleeye-server", &dependencies).len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_is_a_fault() {
        assert_eq!(arrow_faults("eagleeye-attic", &[]).len(), 1);
    }

    #[test]
    fn a_library_that_no_crate_uses_is_a_fault() {
        let manifest =
            "[workspace.dependencies]\nours = { path = \"ours\" }\nserde = \"1\"\nmime = { version = \"2\" }";
        let faults = unused_dependencies(manifest, &BTreeSet::from(["serde"])).unwrap();
        assert_eq!(faults, ["no crate uses `mime`: remove it from [workspace.dependencies]"]);
        assert_eq!(unused_dependencies(manifest, &BTreeSet::from(["serde", "mime"])).unwrap(), Vec::<String>::new());
        assert!(unused_dependencies("[workspace]", &BTreeSet::new()).is_err());
    }

    #[test]
    fn a_file_that_a_program_left_behind_is_a_fault() {
        assert_eq!(size_fault("docs/a.png", LARGEST_FILE), None);
        assert!(size_fault("backend/data.pixels", LARGEST_FILE + 1).unwrap().contains("data.pixels"));
    }

    #[test]
    fn unfinished_work_and_long_files_are_faults() {
        assert_eq!(source_faults("a.rs", "fn a() {}\n"), Vec::<String>::new());
        assert_eq!(source_faults("a.rs", &["// TO", "DO: later"].concat()).len(), 1);
        assert_eq!(source_faults("a.rs", &"\n".repeat(601)).len(), 1);
    }
}
