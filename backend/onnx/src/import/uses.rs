//! What the nodes of a graph use its initializers for.

use std::collections::{HashMap, HashSet};

use crate::proto::GraphProto;

/// How initializers are used, by name.
#[derive(Debug, Default)]
pub(super) struct Uses<'a> {
    /// Running statistics of batch norms.
    pub buffers: HashSet<&'a str>,
    /// Those that are used at several places, also by way of an `Identity` or a `Cast`.
    pub shared: HashSet<&'a str>,
}

impl<'a> Uses<'a> {
    pub fn of(graph: &'a GraphProto) -> Self {
        let mut aliases: HashMap<&str, &str> = graph.initializer.iter().map(|t| (t.name(), t.name())).collect();
        let mut uses = Self::default();
        let mut seen = HashSet::new();
        for node in &graph.node {
            let stored = node.input.iter().map(|name| aliases.get(name.as_str()).copied());
            if matches!(node.op_type(), "Identity" | "Cast")
                && let (Some(Some(stored)), Some(output)) = (stored.clone().next(), node.output.first())
            {
                aliases.insert(output, stored);
                continue;
            }
            for (index, stored) in stored.enumerate().filter_map(|(index, stored)| Some((index, stored?))) {
                if !seen.insert(stored) {
                    uses.shared.insert(stored);
                }
                if node.op_type() == "BatchNormalization" && index >= 3 {
                    uses.buffers.insert(stored);
                }
            }
        }
        uses
    }
}
