//! Parameter names as attribute paths of a module tree.
//!
//! Names that came from TorchScript stay as they are. An ONNX initializer can be called anything: characters that an attribute
//! cannot have are replaced, and a name that is also the path of a submodule gets an underscore.

use std::collections::{BTreeMap, BTreeSet};

use eagleeye_graph::Graph;

/// Attributes and methods that every module has, and words that Python keeps for itself.
const RESERVED: [&str; 37] = [
    "training", "forward", "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
    "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Attribute path of every name (aliases included) of the graph's parameters. Different names get different paths.
pub(super) fn attribute_paths(graph: &Graph) -> BTreeMap<String, String> {
    let names: Vec<&String> =
        graph.parameters.iter().flat_map(|p| std::iter::once(&p.name).chain(&p.aliases)).collect();
    // Names that need no change come first, so that a changed one never takes their place.
    let (plain, odd): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| clean(name) == **name);
    let mut taken = Paths::default();
    let mut paths = BTreeMap::new();
    for name in plain.into_iter().chain(odd) {
        paths.insert(name.clone(), taken.place(&clean(name)));
    }
    paths
}

/// Paths that are in use as tensors and as submodules.
#[derive(Default)]
struct Paths {
    leaves: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl Paths {
    fn place(&mut self, wanted: &str) -> String {
        let mut path = wanted.to_owned();
        while let Some(conflict) = self.conflict(&path) {
            path.insert(conflict, '_');
        }
        self.modules.extend(prefixes(&path).map(str::to_owned));
        self.leaves.insert(path.clone());
        path
    }

    /// Where a path needs another name: the end of the segment that is taken as something else.
    fn conflict(&self, path: &str) -> Option<usize> {
        let parent = prefixes(path).find(|p| self.leaves.contains(*p)).map(str::len);
        let own = self.leaves.contains(path) || self.modules.contains(path);
        parent.or(own.then_some(path.len()))
    }
}

/// Paths of the submodules above a tensor, outermost first.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('.').map(|(dot, _)| &path[..dot])
}

fn clean(name: &str) -> String {
    name.split('.').map(clean_segment).collect::<Vec<_>>().join(".")
}

fn clean_segment(segment: &str) -> String {
    let mut clean: String =
        segment.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if clean.is_empty() || RESERVED.contains(&clean.as_str()) {
        clean.push('_');
    }
    clean
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::{ElementType, GraphBuilder, Op, ParameterKind, Unary, shape::fixed};

    use super::*;

    fn paths(names: &[&str]) -> BTreeMap<String, String> {
        let mut builder = GraphBuilder::new("network");
        let x = builder.input("x", fixed(&[1])).unwrap();
        for name in names {
            builder.parameter(name, &[1], ElementType::F32, ParameterKind::Parameter).unwrap();
        }
        let y = builder.push("y", Op::Unary(Unary::Relu), &[x]).unwrap();
        attribute_paths(&builder.finish(&[y]).unwrap())
    }

    #[test]
    fn names_of_a_state_dict_stay_as_they_are() {
        let paths = paths(&["layer1.0.conv1.weight", "fc.bias"]);
        assert!(paths.iter().all(|(name, path)| name == path));
    }

    #[test]
    fn odd_names_get_different_paths() {
        let paths = paths(&["onnx::Conv_250", "onnx__Conv_250", "onnx/:Conv_250", "", "if", "a..b"]);
        let unique: BTreeSet<&String> = paths.values().collect();
        assert_eq!(unique.len(), paths.len());
        assert_eq!(paths["onnx__Conv_250"], "onnx__Conv_250");
        assert_eq!(paths["if"], "if_");
    }

    #[test]
    fn a_name_can_be_a_tensor_and_the_path_of_others() {
        let paths = paths(&["a.b", "a", "a.b.c", "a_"]);
        let unique: BTreeSet<&String> = paths.values().collect();
        assert_eq!(unique.len(), 4);
        let leaf = |path: &String| paths.values().any(|other| other.starts_with(&format!("{path}.")));
        assert!(!paths.values().any(leaf));
    }
}
