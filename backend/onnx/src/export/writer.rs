//! The ONNX nodes that the operations are lowered to, before their tensors have names.

use std::collections::HashMap;

use bytes::Bytes;
use eagleeye_graph::precision::Written;
use eagleeye_graph::{Dim, ElementType, Graph, Node, ParameterId, Precision, Source, TensorData, ValueId};

use super::attribute::{int, tensor};
use super::element::data_type;
use super::error::ExportError;
use super::opset::Opset;
use crate::proto::tensor_proto::DataType;
use crate::proto::{AttributeProto, TensorProto};

/// A tensor of the file: an input, an initializer or an output of an ONNX node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tensor(usize);

impl Tensor {
    /// An optional input that is left out.
    pub(super) const NONE: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// One ONNX node.
pub(super) struct Call {
    pub(super) operator: &'static str,
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
    pub(super) attributes: Vec<AttributeProto>,
}

/// The whole network as ONNX nodes.
pub(super) struct Lowered<'a> {
    pub(super) graph: &'a Graph,
    pub(super) calls: Vec<Call>,
    /// One per input and output of the network. Outputs are distinct and made by a node.
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
    /// Their element types.
    pub(super) input_elements: Vec<ElementType>,
    pub(super) output_elements: Vec<ElementType>,
    /// The parameters that a node reads, in the graph's order.
    pub(super) parameters: Vec<(ParameterId, Tensor)>,
    /// Per tensor the name that it should have, which need not be unique. Number 0 is [`Tensor::NONE`].
    pub(super) wanted_names: Vec<String>,
}

/// Takes down ONNX nodes, one operation of the graph after the other.
pub(super) struct Writer<'a> {
    opset: Opset,
    pub(super) graph: &'a Graph,
    weights: &'a [TensorData],
    /// Name and operator of the node that is being lowered.
    node: (&'a str, &'static str),
    calls: Vec<Call>,
    /// Per value of the graph; [`Tensor::NONE`] until it is made.
    values: Vec<Tensor>,
    /// Copies in other element types.
    casts: HashMap<(ValueId, ElementType), Tensor>,
    written: Written,
    output_elements: Vec<Option<ElementType>>,
    /// What the node that is being lowered computes in.
    element: ElementType,
    batch: Option<Tensor>,
    wanted_names: Vec<String>,
}

impl<'a> Writer<'a> {
    /// `weights` are the tensors of `graph.parameters`, whose element types the nodes have to respect.
    pub(super) fn new(opset: Opset, graph: &'a Graph, weights: &'a [TensorData], precision: &Precision) -> Self {
        let element = if precision.is_single() { ElementType::F32 } else { precision.main() };
        // A file has to say what its inputs are.
        let inputs = (0..graph.inputs.len()).map(|i| precision.inputs.get(i).copied().flatten().or(Some(element)));
        let precision = Precision { inputs: inputs.collect(), ..precision.clone() };
        let written = Written::new(graph, &precision, |id| weights[id.index()].element, native);
        let mut writer = Self {
            opset,
            graph,
            weights,
            node: ("", ""),
            calls: Vec::new(),
            values: vec![Tensor::NONE; graph.values.len()],
            casts: HashMap::new(),
            written,
            output_elements: precision.outputs,
            element: ElementType::F32,
            batch: None,
            wanted_names: vec![String::new()],
        };
        for &input in &graph.inputs {
            writer.values[input.index()] = writer.tensor(graph.value(input).name.clone());
        }
        writer
    }

    /// Starts to lower a node: names of helper tensors and errors refer to it from now on.
    pub(super) fn begin(&mut self, node: &'a Node) {
        let rank = node.inputs.first().map_or(0, |&x| self.graph.shape(x).len());
        self.node = (&node.name, node.op.name(rank));
        self.element = self.written.node(&node.name).unwrap_or(ElementType::F32);
    }

    /// Says which tensors are the outputs of a node. Those that were made since `begin` get the outputs' names.
    pub(super) fn bind(&mut self, node: &Node, made: &[Tensor], since: usize) {
        for (&value, &tensor) in node.outputs.iter().zip(made) {
            self.values[value.index()] = tensor;
            if tensor.index() >= since {
                self.wanted_names[tensor.index()].clone_from(&self.graph.value(value).name);
            }
        }
    }

    /// Number of tensors so far.
    pub(super) fn mark(&self) -> usize {
        self.wanted_names.len()
    }

    /// All inputs of a node in the type that it computes in.
    pub(super) fn inputs(&mut self, node: &Node) -> Vec<Tensor> {
        node.inputs.iter().map(|&id| self.typed(id, self.element)).collect()
    }

    /// A value in an element type: ONNX does not mix them, where PyTorch promotes.
    fn typed(&mut self, id: ValueId, wanted: ElementType) -> Tensor {
        let tensor = self.value(id);
        if self.found(id) == wanted {
            return tensor;
        }
        if let Some(&cast) = self.casts.get(&(id, wanted)) {
            return cast;
        }
        let cast = self.call("Cast", &[tensor], vec![int("to", data_type(wanted) as i64)]);
        self.casts.insert((id, wanted), cast);
        cast
    }

    /// The element type in which a value is in the file.
    fn found(&self, id: ValueId) -> ElementType {
        match self.graph.parameter_of(id) {
            Some(parameter) => self.weights[parameter.index()].element,
            None => self.written.values[id.index()].unwrap_or(ElementType::F32),
        }
    }

    fn value(&mut self, id: ValueId) -> Tensor {
        let value = self.graph.value(id);
        if let Source::Parameter(parameter) = value.source
            && self.values[id.index()] == Tensor::NONE
        {
            self.values[id.index()] = self.tensor(self.graph.parameter(parameter).name.clone());
        }
        self.values[id.index()]
    }

    /// Adds an ONNX node with one output.
    pub(super) fn call(
        &mut self,
        operator: &'static str,
        inputs: &[Tensor],
        attributes: Vec<AttributeProto>,
    ) -> Tensor {
        let output = self.tensor(format!("{}/{operator}", self.node.0));
        self.calls.push(Call { operator, inputs: inputs.to_vec(), outputs: vec![output], attributes });
        output
    }

    /// Adds an ONNX node with several outputs.
    pub(super) fn call_many(
        &mut self,
        operator: &'static str,
        inputs: &[Tensor],
        attributes: Vec<AttributeProto>,
        outputs: usize,
    ) -> Vec<Tensor> {
        let outputs: Vec<_> = (0..outputs).map(|i| self.tensor(format!("{}/{operator}.{i}", self.node.0))).collect();
        self.calls.push(Call { operator, inputs: inputs.to_vec(), outputs: outputs.clone(), attributes });
        outputs
    }

    /// A one-dimensional `int64` constant.
    pub(super) fn int64s(&mut self, what: &str, values: &[i64]) -> Tensor {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(what, &[values.len()], DataType::Int64, bytes)
    }

    /// A constant of rank 0, in the type that the node computes in.
    pub(super) fn scalar(&mut self, what: &str, value: f64) -> Tensor {
        self.floats(what, &[], &[value as f32])
    }

    /// A constant in the type that the node computes in; as many values as `shape` has elements.
    pub(super) fn floats(&mut self, what: &str, shape: &[usize], values: &[f32]) -> Tensor {
        let bytes = match self.element {
            ElementType::F16 => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        self.constant(what, shape, data_type(self.element), bytes)
    }

    /// Truths as zeros and ones, in the type that the node computes in.
    pub(super) fn numbers(&mut self, truths: Tensor) -> Tensor {
        self.call("Cast", &[truths], vec![int("to", data_type(self.element) as i64)])
    }

    /// A constant node and not an initializer, so that an importer does not take it for a parameter.
    fn constant(&mut self, what: &str, shape: &[usize], element: DataType, bytes: Vec<u8>) -> Tensor {
        let value = TensorProto {
            dims: shape.iter().map(|&d| d as i64).collect(),
            data_type: Some(element as i32),
            raw_data: Some(Bytes::from(bytes)),
            ..TensorProto::default()
        };
        let output = self.call("Constant", &[], vec![tensor("value", value)]);
        self.wanted_names[output.index()] = format!("{}/{what}", self.node.0);
        output
    }

    /// The number of images in the batch, `[1]` of `int64`.
    pub(super) fn batch(&mut self) -> Result<Tensor, ExportError> {
        if let Some(batch) = self.batch {
            return Ok(batch);
        }
        let Some((input, axis, each)) = batch_axis(self.graph) else {
            return self.refused("its size depends on the batch, but none of the network's inputs does");
        };
        let input = self.value(input);
        let mut batch = self.sizes(input, axis, axis + 1);
        if each > 1 {
            let each = self.int64s("batch_each", &[each as i64]);
            batch = self.call("Div", &[batch, each], vec![]);
        }
        self.batch = Some(batch);
        Ok(batch)
    }

    /// Whether the file's operators are those of this version or of a later one.
    pub(super) fn has(&self, version: u32) -> bool {
        self.opset.version() >= version
    }

    /// Refuses a node whose operator came with a later version than the file's.
    pub(super) fn needs(&self, version: u32, operator: &str) -> Result<(), ExportError> {
        if self.has(version) {
            return Ok(());
        }
        let asked = self.opset.version();
        self.refused(format!("{operator} came with operator set {version}, and {asked} was asked for"))
    }

    /// Sizes of the axes from one to below another, of `int64`.
    pub(super) fn sizes(&mut self, x: Tensor, from: usize, to: usize) -> Tensor {
        let (from, to) = (from as i64, to as i64);
        if self.has(15) {
            return self.call("Shape", &[x], vec![int("start", from), int("end", to)]);
        }
        let sizes = self.call("Shape", &[x], vec![]);
        let (starts, ends) = (self.int64s("starts", &[from]), self.int64s("ends", &[to]));
        self.call("Slice", &[sizes, starts, ends], vec![])
    }

    /// `x` with another shape; the axis that depends on the batch is computed by the runtime.
    pub(super) fn reshape(&mut self, x: Tensor, shape: &[Dim]) -> Tensor {
        let sizes: Vec<i64> = shape
            .iter()
            .map(|dim| match dim {
                Dim::Fixed(size) => *size as i64,
                Dim::Batch(_) => -1,
            })
            .collect();
        let sizes = self.int64s("shape", &sizes);
        self.call("Reshape", &[x, sizes], vec![])
    }

    pub(super) fn refused<T>(&self, reason: impl Into<String>) -> Result<T, ExportError> {
        let (node, operator) = self.node;
        Err(ExportError::Operator { operator, node: node.to_owned(), reason: reason.into() })
    }

    pub(super) fn finish(mut self) -> Lowered<'a> {
        let graph = self.graph;
        let mut outputs = Vec::new();
        let mut output_elements = Vec::new();
        for (index, &id) in graph.outputs.iter().enumerate() {
            let found = self.found(id);
            let found = if found.is_float() { found } else { ElementType::F32 };
            let element = self.output_elements.get(index).copied().flatten().unwrap_or(found);
            let output = self.output(id, element, &outputs);
            outputs.push(output);
            output_elements.push(element);
        }
        let parameters = graph.values.iter().zip(&self.values).filter_map(|(value, &tensor)| match value.source {
            Source::Parameter(parameter) if tensor != Tensor::NONE => Some((parameter, tensor)),
            _ => None,
        });
        Lowered {
            graph,
            inputs: graph.inputs.iter().map(|id| self.values[id.index()]).collect(),
            input_elements: graph.inputs.iter().map(|&id| self.found(id)).collect(),
            outputs,
            output_elements,
            parameters: parameters.collect(),
            calls: self.calls,
            wanted_names: self.wanted_names,
        }
    }

    /// The tensor of an output of the network: an own one where the value is no activation or an output already.
    fn output(&mut self, id: ValueId, element: ElementType, taken: &[Tensor]) -> Tensor {
        let tensor = self.typed(id, element);
        let made_here = self.calls.iter().any(|call| call.outputs.contains(&tensor));
        if made_here && !taken.contains(&tensor) {
            return tensor;
        }
        let output = self.call("Identity", &[tensor], vec![]);
        self.wanted_names[output.index()].clone_from(&self.graph.value(id).name);
        output
    }

    fn tensor(&mut self, wanted_name: String) -> Tensor {
        self.wanted_names.push(wanted_name);
        Tensor(self.wanted_names.len() - 1)
    }
}

/// What ONNX Runtime computes in for an element type.
fn native(element: ElementType) -> ElementType {
    if element == ElementType::F16 { element } else { ElementType::F32 }
}

/// An input of the network that has the batch, the axis where, and its entries for each image.
fn batch_axis(graph: &Graph) -> Option<(ValueId, usize, usize)> {
    graph.inputs.iter().find_map(|&id| {
        graph.shape(id).iter().enumerate().find_map(|(axis, dim)| match dim {
            Dim::Batch(each) => Some((id, axis, *each)),
            Dim::Fixed(_) => None,
        })
    })
}
