//! The source text of `forward`: one line of TorchScript for each node.

use std::collections::BTreeMap;
use std::fmt::Write;

use eagleeye_graph::{Dim, Graph, Node, Op, Source, ValueId};

use super::error::TorchScriptError;

mod operations;

/// Source of `forward` for a module that holds every parameter at its path in `paths`.
pub(super) fn forward(graph: &Graph, paths: &BTreeMap<String, String>) -> Result<String, TorchScriptError> {
    let writer = Writer { graph, paths, batch: batch_axis(graph) };
    writer.forward()
}

pub(super) struct Writer<'a> {
    graph: &'a Graph,
    paths: &'a BTreeMap<String, String>,
    /// Input, axis and entries for each image, to compute the batch size from.
    batch: Option<(usize, usize, usize)>,
}

fn batch_axis(graph: &Graph) -> Option<(usize, usize, usize)> {
    graph.inputs.iter().enumerate().find_map(|(input, &id)| {
        graph.shape(id).iter().enumerate().find_map(|(axis, dim)| match dim {
            Dim::Batch(each) => Some((input, axis, *each)),
            Dim::Fixed(_) => None,
        })
    })
}

impl Writer<'_> {
    fn forward(&self) -> Result<String, TorchScriptError> {
        let inputs: Vec<String> = (0..self.graph.inputs.len()).map(|i| format!("{}: Tensor", input_name(i))).collect();
        let result = match self.graph.outputs.len() {
            1 => "Tensor".to_owned(),
            n => format!("Tuple[{}]", vec!["Tensor"; n].join(", ")),
        };
        let mut text = format!("def forward(self, {}) -> {result}:\n", inputs.join(", "));
        if let Some((input, axis, each)) = self.batch {
            let per_image = if each == 1 { String::new() } else { format!(" // {each}") };
            let _ = writeln!(text, "    batch = torch.size({}, {axis}){per_image}", input_name(input));
        }
        for node in &self.graph.nodes {
            for line in operations::lines(self, node)? {
                let _ = writeln!(text, "    {line}");
            }
        }
        let outputs: Vec<String> = self.graph.outputs.iter().map(|&id| self.value(id)).collect();
        let _ = writeln!(text, "    return {}", outputs.join(", "));
        Ok(text)
    }

    /// Expression for a value.
    fn value(&self, id: ValueId) -> String {
        match self.graph.value(id).source {
            Source::Input(index) => input_name(index),
            Source::Parameter(parameter) => {
                let name = &self.graph.parameter(parameter).name;
                let path = self.paths.get(name).unwrap_or(name);
                // `getattr` also reaches numbered children, which have no name in Python's grammar.
                path.split('.').fold("self".to_owned(), |object, segment| format!("getattr({object}, \"{segment}\")"))
            }
            Source::Node(..) => format!("v{}", id.0),
        }
    }

    fn input(&self, node: &Node, index: usize) -> String {
        node.inputs.get(index).map_or_else(|| "None".to_owned(), |&id| self.value(id))
    }

    /// Sizes of a target shape with the batch as -1, for `reshape`.
    fn open_shape(&self, shape: &[Dim]) -> String {
        list(shape.iter().map(|dim| match dim {
            Dim::Fixed(size) => size.to_string(),
            Dim::Batch(_) => "-1".to_owned(),
        }))
    }

    /// Sizes of a target shape with the batch's own size, for `expand`.
    fn full_shape(&self, shape: &[Dim]) -> String {
        list(shape.iter().map(|dim| match dim {
            Dim::Fixed(size) => size.to_string(),
            Dim::Batch(1) => "batch".to_owned(),
            Dim::Batch(each) => format!("batch * {each}"),
        }))
    }

    fn refused<T>(&self, node: &Node, reason: &str) -> Result<T, TorchScriptError> {
        let rank = node.inputs.first().map_or(0, |&x| self.graph.shape(x).len());
        let operator = node.op.name(rank).to_owned();
        Err(TorchScriptError::Write { operator, node: node.name.clone(), reason: reason.to_owned() })
    }
}

fn input_name(index: usize) -> String {
    if index == 0 { "input".to_owned() } else { format!("input_{index}") }
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// A float as TorchScript reads it: always with a point or an exponent.
fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "float(\"nan\")".to_owned(),
        f64::INFINITY => "float(\"inf\")".to_owned(),
        f64::NEG_INFINITY => "float(\"-inf\")".to_owned(),
        _ => format!("{value:?}"),
    }
}

fn flag(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// Whether an operation's line can be written without its node's shapes.
fn spatial_axes(op: &Op) -> usize {
    match op {
        Op::Conv(conv) => conv.stride.len(),
        Op::Pool(pool) => pool.kernel.len(),
        Op::AdaptivePool { output, .. } | Op::Resize { output, .. } => output.len(),
        _ => 0,
    }
}
