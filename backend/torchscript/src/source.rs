//! The source text of `forward`: one line of TorchScript for each node.

use std::collections::BTreeMap;
use std::fmt::Write;

use eagleeye_graph::precision::Written;
use eagleeye_graph::{Dim, ElementType, Graph, Node, Op, ParameterId, Precision, Source, ValueId};
use tch::Tensor;

use super::error::TorchScriptError;
use crate::tensors::element;

mod operations;

/// Source of `forward` for a module that holds every parameter at its path in `paths`.
pub(super) fn forward(
    graph: &Graph,
    paths: &BTreeMap<String, String>,
    weights: &[Tensor],
    precision: &Precision,
) -> Result<String, TorchScriptError> {
    let stored = |id: ParameterId| weights.get(id.index()).and_then(|w| element(w.kind())).unwrap_or(ElementType::F32);
    let written = (!precision.is_single()).then(|| Written::new(graph, precision, stored, |element| element));
    let writer = Writer { graph, paths, batch: batch_axis(graph), written, precision };
    writer.forward()
}

pub(super) struct Writer<'a> {
    graph: &'a Graph,
    paths: &'a BTreeMap<String, String>,
    /// Input, axis and entries for each image, to compute the batch size from.
    batch: Option<(usize, usize, usize)>,
    /// The types of a network that is not `f32` throughout.
    written: Option<Written>,
    precision: &'a Precision,
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
        let elements = self.precision.outputs.iter().copied().chain(std::iter::repeat(None));
        let outputs: Vec<String> =
            self.graph.outputs.iter().zip(elements).map(|(&id, element)| self.typed(id, element)).collect();
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
        let element = self.written.as_ref().and_then(|written| written.node(&node.name));
        node.inputs.get(index).map_or_else(|| "None".to_owned(), |&id| self.typed(id, element))
    }

    /// A value in an element type: cast where it is written in another one.
    fn typed(&self, id: ValueId, wanted: Option<ElementType>) -> String {
        let text = self.value(id);
        let (Some(written), Some(wanted)) = (&self.written, wanted) else { return text };
        let is_input = matches!(self.graph.value(id).source, Source::Input(_));
        match written.values[id.index()] {
            // Whatever the input comes in is cast; that does nothing where it is right already.
            _ if is_input => {}
            Some(found) if found != wanted => {}
            _ => return text,
        }
        let number = match wanted {
            ElementType::F16 => 5,
            ElementType::Bf16 => 15,
            ElementType::F64 => 7,
            _ => 6,
        };
        format!("torch.to({text}, {number})")
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
