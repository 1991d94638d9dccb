//! Cycles between files: one that cannot be understood without another that cannot be understood without it.
//!
//! What is measured: a file depends on another file of its crate when it names that file's module or an item of it, in a `use` or
//! in the path of an expression, type or pattern. A re-export counts as the file that it stands for, through up to
//! [`MOST_RE_EXPORTS`] of them. Not measured:
//!
//! - items marked `#[cfg(test)]` and files in a folder or of the name `tests`;
//! - the arguments of macro calls, and methods (a call names no file, the type of its receiver does);
//! - what a module and its own submodules need of each other: `mod.rs` may dispatch to its parts and hold what they share;
//! - binaries beside a library: they name it as another crate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, Result};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, UseTree};

/// Where a module is in its crate; the root is empty.
type Place = Vec<String>;

/// No chain of re-exports is followed further.
const MOST_RE_EXPORTS: usize = 8;

/// One file of a crate.
struct Module {
    file: String,
    /// Paths that it names, as written, each with the module inside the file that names it left out.
    named: BTreeSet<Vec<String>>,
    /// Names that its `use` items bring in, with their paths as written.
    bound: BTreeMap<String, Vec<String>>,
}

/// Files that depend on each other: what each of them names of another, in order of their names.
pub struct Cycle(Vec<Edge>);

struct Edge {
    from: String,
    to: String,
    /// One of the paths that make it, as written.
    path: String,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Edge { from, to, path }) in self.0.iter().enumerate() {
            write!(f, "{}{from} names `{path}` of {to}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The cycles of the crate whose sources are in `source`.
pub fn cycles(source: &Path) -> Result<Vec<Cycle>> {
    let mut modules = BTreeMap::new();
    read(source, source, &mut modules)?;
    Ok(cycles_among(&modules))
}

fn read(folder: &Path, source: &Path, modules: &mut BTreeMap<Place, Module>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let relative = path.strip_prefix(source).unwrap_or(&path);
        if is_left_out(relative, source) {
            continue;
        }
        if path.is_dir() {
            read(&path, source, modules)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let parsed = syn::parse_file(&text).with_context(|| format!("{} is not Rust", path.display()))?;
            modules.insert(place(relative), module(relative, &parsed));
        }
    }
    Ok(())
}

/// Unit tests, and binaries beside a library.
fn is_left_out(file: &Path, source: &Path) -> bool {
    let is_binary = file == Path::new("main.rs") && source.join("lib.rs").exists();
    is_binary || file == Path::new("bin") || file.file_stem().is_some_and(|stem| stem == "tests")
}

fn place(file: &Path) -> Place {
    let mut place: Place = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if place.last().is_some_and(|last| matches!(last.as_str(), "lib" | "main" | "mod")) {
        place.pop();
    }
    place
}

fn module(file: &Path, parsed: &File) -> Module {
    let mut reader = Reader { named: BTreeSet::new(), bound: BTreeMap::new() };
    reader.visit_file(parsed);
    Module { file: file.display().to_string(), named: reader.named, bound: reader.bound }
}

/// Collects the paths of a file.
struct Reader {
    named: BTreeSet<Vec<String>>,
    bound: BTreeMap<String, Vec<String>>,
}

impl Reader {
    fn take(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.take(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.take(item, prefix)),
            UseTree::Glob(_) => {
                self.named.insert(prefix.to_vec());
            }
            UseTree::Name(name) if name.ident == "self" => self.bind(prefix.last().cloned(), prefix.to_vec()),
            UseTree::Name(name) => self.bind(Some(name.ident.to_string()), with(&name.ident)),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.bind(Some(rename.rename.to_string()), prefix.to_vec());
            }
            UseTree::Rename(rename) => self.bind(Some(rename.rename.to_string()), with(&rename.ident)),
        }
    }

    fn bind(&mut self, name: Option<String>, path: Vec<String>) {
        if let Some(name) = name {
            self.bound.insert(name, path.clone());
        }
        self.named.insert(path);
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.take(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.named.insert(segments);
        }
        visit::visit_path(self, path);
    }
}

fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Mod(ItemMod { attrs, .. }) | Item::Use(ItemUse { attrs, .. }) => attrs,
        Item::Fn(function) => &function.attrs,
        Item::Impl(block) => &block.attrs,
        _ => &[],
    };
    attributes
        .iter()
        .any(|a| a.path().is_ident("cfg") && a.meta.require_list().is_ok_and(|l| l.tokens.to_string() == "test"))
}

fn cycles_among(modules: &BTreeMap<Place, Module>) -> Vec<Cycle> {
    let mut graph = DiGraph::<&Place, String>::new();
    let nodes: BTreeMap<&Place, _> = modules.keys().map(|place| (place, graph.add_node(place))).collect();
    for (from, module) in modules {
        for path in &module.named {
            if let Some(to) = absolute(modules, from, path).and_then(|path| owner(modules, &path, 0))
                && !from.starts_with(to)
                && !to.starts_with(from)
            {
                graph.update_edge(nodes[from], nodes[to], path.join("::"));
            }
        }
    }
    let file = |node: NodeIndex| modules[graph[node]].file.clone();
    let several = tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1);
    let mut found: Vec<Vec<Edge>> = several
        .map(|component| {
            let within = graph
                .edge_references()
                .filter(|edge| [edge.source(), edge.target()].iter().all(|n| component.contains(n)));
            let edges = within.map(|edge| Edge {
                from: file(edge.source()),
                to: file(edge.target()),
                path: edge.weight().clone(),
            });
            let mut edges: Vec<Edge> = edges.collect();
            edges.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
            edges
        })
        .collect();
    found.sort_by(|a, b| a[0].from.cmp(&b[0].from));
    found.into_iter().map(Cycle).collect()
}

/// A path that is written in a module, from the root of the crate; `None` where it is another crate's.
fn absolute(modules: &BTreeMap<Place, Module>, from: &Place, path: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let within = |place: &[String]| Some([place, rest].concat());
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => within(from),
        "super" => {
            let parent = &from[..from.len().checked_sub(1)?];
            match rest.first().is_some_and(|next| next == "super") {
                true => absolute(modules, &parent.to_vec(), rest),
                false => within(parent),
            }
        }
        name => {
            let child = [from.as_slice(), &[name.to_owned()]].concat();
            if modules.contains_key(&child) {
                return within(&child);
            }
            let bound = modules.get(from)?.bound.get(name)?;
            if bound.first().is_some_and(|first| first == name) {
                return None;
            }
            within(&absolute(modules, from, bound)?)
        }
    }
}

/// The module that has what a path from the root names. Re-exports are followed.
fn owner<'m>(modules: &'m BTreeMap<Place, Module>, path: &[String], followed: usize) -> Option<&'m Place> {
    let length = (0..=path.len()).rev().find(|&length| modules.contains_key(&path[..length]))?;
    let (place, module) = modules.get_key_value(&path[..length])?;
    let Some(bound) = path.get(length).and_then(|item| module.bound.get(item)) else { return Some(place) };
    if followed == MOST_RE_EXPORTS {
        return Some(place);
    }
    // An item of another crate that is re-exported belongs to the module that does so.
    match absolute(modules, place, bound) {
        Some(path) => owner(modules, &path, followed + 1),
        None => Some(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of each cycle.
    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let files_of = |cycle: Cycle| {
            let files: BTreeSet<String> = cycle.0.into_iter().map(|edge| edge.from).collect();
            files.into_iter().collect()
        };
        cycles_of(files).into_iter().map(files_of).collect()
    }

    fn cycles_of(files: &[(&str, &str)]) -> Vec<Cycle> {
        let modules = files.iter().map(|(file, text)| {
            let file = Path::new(file);
            (place(file), module(file, &syn::parse_file(text).unwrap()))
        });
        cycles_among(&modules.collect())
    }

    #[test]
    fn files_that_use_each_other_are_a_cycle() {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "fn f(a: crate::a::A) {}")];
        assert_eq!(found(&files), [["a.rs", "b.rs"]]);
    }

    #[test]
    fn a_cycle_says_what_each_file_names_of_the_other() {
        let cycles = cycles_of(&[("a.rs", "use crate::b::B;"), ("b.rs", "fn f(a: super::a::A) {}")]);
        assert_eq!(cycles[0].to_string(), "a.rs names `crate::b::B` of b.rs, b.rs names `super::a::A` of a.rs");
    }

    #[test]
    fn files_of_tests_and_a_binary_beside_a_library_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let left_out = |file: &str| is_left_out(Path::new(file), folder.path());
        assert!(left_out("a/tests") && left_out("a/tests.rs") && left_out("bin"));
        assert!(!left_out("main.rs") && !left_out("a/test.rs"));
        fs::write(folder.path().join("lib.rs"), "").unwrap();
        assert!(left_out("main.rs"));
    }

    #[test]
    fn a_cycle_through_a_re_export_is_found() {
        let root = "mod a; mod b; pub use b::B;";
        assert_eq!(found(&[("lib.rs", root), ("a.rs", "use crate::B;"), ("b.rs", "use super::a::A;")]).len(), 1);
    }

    #[test]
    fn a_module_and_its_parts_are_no_cycle_and_neither_are_uses_in_tests() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod part; use part::run; pub struct Shared;"),
            ("a/part.rs", "use super::Shared; use crate::b::B;"),
            ("b.rs", "#[cfg(test)] mod tests { use crate::a::part::run; }"),
        ];
        assert_eq!(found(&files), Vec::<Vec<String>>::new());
    }

    #[test]
    fn longer_cycles_are_named_whole() {
        let files = [
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use super::a;"),
            ("d.rs", "use crate::a::A;"),
        ];
        assert_eq!(found(&files), [["a.rs", "b.rs", "c.rs"]]);
    }
}
