//! ONNX file to graph: decode, run the nodes symbolically, drop what no output needs.
//!
//! Shapes keep the batch symbolic throughout. What does not depend on the network's input is computed while reading, so that
//! chains of shape arithmetic fold away and no shape is inferred twice.

mod call;
mod cleanup;
mod external;
mod extremes;
mod fault;
mod file;
mod fuse;
mod indices;
mod interpreter;
mod known;
mod lowering;
mod narrow;
mod operators;
mod settle;
mod tensor;
#[cfg(test)]
mod tests;
mod uses;
mod view;
mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use eagleeye_graph::reading::{Narrowed, shapes};
use eagleeye_graph::{BuildError, ElementType, Graph, Precision, Shape, TensorData, ValueId};

use self::call::Value;
use self::file::Model;
use self::interpreter::Interpreter;
use self::lowering::Lowering;
use self::uses::Uses;
use crate::error::OnnxError;
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::dimension::Value as Size;
use crate::proto::type_proto::Value as Type;
use crate::proto::{NodeProto, TensorProto, ValueInfoProto};

pub use operators::{Operator, families, folded_operators};

/// The metadata entry that says the input shapes, as EagleEye's own exports write it: `1,3,224,224`, several inputs separated
/// by semicolons.
pub const INPUT_SHAPE: &str = "input_shape";

/// The largest batch that an exporter can have meant.
const MAX_BATCH: i64 = 1 << 16;

/// A network read from an ONNX file.
#[derive(Debug)]
pub struct Imported {
    pub graph: Graph,
    /// The element types that the file stores and computes in.
    pub precision: Precision,
    /// Entries by parameter, in `f32` where the file had another float type.
    pub weights: Vec<TensorData>,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// Whether the input shape is a guess from the weights, neither given nor stored.
    pub guessed_shape: bool,
}

/// Reads an ONNX file, with external data from the same folder.
///
/// `input_shape` is `[batch, channels, height, width]` (any batch), for all inputs of the network; where it is left out, the
/// file's own description of its inputs says it, then its metadata, then a guess: channels of the first convolution and the
/// first usual image size that fits.
///
/// # Errors
/// Every way in which a file can be broken or not be understood; see [`OnnxError`]. Unsupported operators are collected and
/// reported together.
pub fn read(path: &Path, input_shape: Option<&[usize]>) -> Result<Imported, OnnxError> {
    read_with(path, input_shape, None)
}

/// [`read`], with other tensors, where they are given, in the places of those of the file's initializers that are named.
///
/// # Errors
/// As [`read`]; above all where the file's nodes work with no other sizes than its own.
pub fn read_with(
    path: &Path,
    input_shape: Option<&[usize]>,
    narrowed: Option<Narrowed>,
) -> Result<Imported, OnnxError> {
    let mut file = file::open(path)?;
    takes_images_alone(&file)?;
    if let Some(narrowed) = narrowed {
        narrow::narrow(&mut file, narrowed)?;
    }
    import(&file, input_shape)
}

/// Refuses a network with several inputs, and one whose input cannot hold pixels.
fn takes_images_alone(file: &Model) -> Result<(), OnnxError> {
    let inputs = Importer::new(file)?.inputs;
    let [input] = inputs[..] else {
        return Err(OnnxError::Inputs(inputs.iter().map(|input| call::cut(input.name())).collect()));
    };
    let element = match input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(Type::TensorType(tensor)) => DataType::try_from(tensor.elem_type()).unwrap_or(DataType::Undefined),
        _ => DataType::Undefined,
    };
    match element {
        DataType::Int64 | DataType::Bool | DataType::String | DataType::Complex64 | DataType::Complex128 => {
            let reason = format!("contains {}; images must be floating-point numbers", element.as_str_name());
            Err(OnnxError::Input { name: call::cut(input.name()), reason })
        }
        _ => Ok(()),
    }
}

fn import(model: &Model, input_shape: Option<&[usize]>) -> Result<Imported, OnnxError> {
    let metadata: BTreeMap<String, String> =
        model.model.metadata_props.iter().map(|e| (e.key().to_owned(), e.value().to_owned())).collect();
    let importer = Importer::new(model)?;
    let known = match input_shape {
        Some(shape) => Some(vec![shape.to_vec()]),
        None => importer.described().or_else(|| metadata.get(INPUT_SHAPE).and_then(|text| shapes::parse(text))),
    };
    let (graph, weights, precision) = match &known {
        Some(shapes) => importer.import(shapes)?,
        None => importer.guess()?,
    };
    Ok(Imported { graph, precision, weights, metadata, guessed_shape: known.is_none() })
}

/// A graph, its entries by parameter, and the element types of the file.
type Network = (Graph, Vec<TensorData>, Precision);

struct Importer<'a> {
    file: &'a Model,
    /// Inputs that are no initializers: older files list both.
    inputs: Vec<&'a ValueInfoProto>,
    uses: Uses<'a>,
}

impl<'a> Importer<'a> {
    fn new(file: &'a Model) -> Result<Self, OnnxError> {
        let stored: HashSet<&str> = file.graph.initializer.iter().map(|t| t.name()).collect();
        let inputs: Vec<_> = file.graph.input.iter().filter(|i| !stored.contains(i.name())).collect();
        if inputs.is_empty() {
            return Err(OnnxError::Input { name: String::new(), reason: "is missing: the network has none".into() });
        }
        Ok(Self { file, inputs, uses: Uses::of(&file.graph) })
    }

    /// The input shapes that the file describes, where nothing but the batch is open.
    fn described(&self) -> Option<Vec<Vec<usize>>> {
        let shape = |input: &&ValueInfoProto| {
            let sizes = sizes_of(input)?;
            let (_, rest) = sizes.split_first()?;
            let rest = rest.iter().copied().collect::<Option<Vec<usize>>>()?;
            let usable = !rest.is_empty() && !rest.contains(&0);
            usable.then(|| [1].into_iter().chain(rest).collect())
        };
        self.inputs.iter().map(shape).collect()
    }

    /// The batch that the exporter wrote into the file as a number.
    fn written_batch(&self) -> Option<usize> {
        let batch = *sizes_of(self.inputs.first()?)?.first()?;
        batch.filter(|&n| n > 0 && n as i64 <= MAX_BATCH)
    }

    /// Imports with the given input shapes; a single one stands for all inputs.
    fn import(&self, shapes: &[Vec<usize>]) -> Result<Network, OnnxError> {
        let first = shapes.first().cloned().unwrap_or_default();
        self.build(shapes).map_err(|error| match error {
            OnnxError::Shape { error, .. } => OnnxError::Shape { shape: first, error },
            other => other,
        })
    }

    fn guess(&self) -> Result<Network, OnnxError> {
        let candidates = self.candidates();
        let mut first_error = None;
        for shape in &candidates {
            match self.import(std::slice::from_ref(shape)) {
                Err(error @ (OnnxError::Shape { .. } | OnnxError::Invalid { .. })) => {
                    first_error.get_or_insert(error);
                }
                done => return done,
            }
        }
        let tried = candidates.iter().map(|s| format!("{s:?}")).collect::<Vec<_>>().join(", ");
        let first = first_error.unwrap_or_else(|| OnnxError::InputShape(Vec::new()));
        Err(OnnxError::NoInputShape { tried, first: Box::new(first) })
    }

    /// Shapes to try: from the weight of the first convolution, or of the first product with a matrix.
    fn candidates(&self) -> Vec<Vec<usize>> {
        let stored: HashMap<&str, &TensorProto> = self.file.graph.initializer.iter().map(|t| (t.name(), t)).collect();
        let weight = |node: &NodeProto| stored.get(node.input.get(1)?.as_str()).copied();
        let first = |operators: &[&str], rank: usize| {
            let mut nodes = self.file.graph.node.iter().filter(|n| operators.contains(&n.op_type()));
            nodes.find_map(|n| weight(n).filter(|w| w.dims.len() == rank).map(|w| (n, w)))
        };
        let size = |t: &TensorProto, axis: usize| t.dims.get(axis).and_then(|&d| usize::try_from(d).ok()).unwrap_or(0);
        if let Some((node, weight)) = first(&["Conv"], 4) {
            let groups = usize::try_from(attribute(node, "group").unwrap_or(1)).unwrap_or(1);
            let channels = size(weight, 1).saturating_mul(groups);
            return shapes::usual_images(channels);
        }
        let matrix = first(&["Gemm", "MatMul"], 2);
        let takes = |(node, matrix)| size(matrix, usize::from(attribute(node, "transB").is_some_and(|flag| flag != 0)));
        matrix.map(|found| vec![1, takes(found)]).into_iter().collect()
    }

    fn build(&self, shapes: &[Vec<usize>]) -> Result<Network, OnnxError> {
        let mut lowering = Lowering::new(self.file.graph.name(), &self.file.folder);
        lowering.written_batch = self.written_batch();
        let mut interpreter = Interpreter::new(&self.file.model, lowering, &self.uses)?;
        let mut frame = interpreter.frame();
        interpreter.store(&self.file.graph, &mut frame)?;
        for (index, input) in self.inputs.iter().enumerate() {
            check_type(input)?;
            let shape = shapes.get(index).or(shapes.last()).map_or(&[][..], Vec::as_slice);
            let id = interpreter.lowering.draft.builder.input(input.name(), batched(shape)?).map_err(misfit)?;
            if let Some(element) = element_of(input) {
                interpreter.lowering.draft.builder.stored_as(id, element);
            }
            frame.bind(input.name(), Value::Graph(id))?;
        }
        interpreter.run(&self.file.graph.node, &mut frame)?;
        if !interpreter.unsupported.is_empty() {
            let mut all = interpreter.unsupported;
            all.sort();
            all.dedup();
            return Err(OnnxError::Unsupported(all));
        }
        let names: Vec<String> = self.file.graph.output.iter().map(|o| o.name().to_owned()).collect();
        let output = |name: &String| {
            let wrong = |reason: &str| Err(OnnxError::Output { name: name.clone(), reason: reason.to_owned() });
            match frame.get(name) {
                Some(Value::Graph(id)) => Ok(*id),
                Some(Value::Known(_) | Value::Stored(_) | Value::PerImage(_) | Value::Places(_)) => {
                    wrong("does not depend on the network's input")
                }
                Some(_) => wrong("is not computed"),
                None => wrong("is not the output of any node"),
            }
        };
        let outputs = names.iter().map(output).collect::<Result<Vec<_>, _>>()?;
        for (output, &id) in self.file.graph.output.iter().zip(&outputs) {
            interpreter.lowering.draft.builder.seen_as(id, element_of(output).or_else(|| frame.element(output.name())));
        }
        self.finish(interpreter.lowering, &outputs, &names)
    }

    fn finish(&self, mut lowering: Lowering, outputs: &[ValueId], names: &[String]) -> Result<Network, OnnxError> {
        let builder = std::mem::take(&mut lowering.draft.builder);
        let precision = builder.precision(outputs);
        let graph = builder.finish(outputs).map_err(misfit)?;
        let (graph, kept) = cleanup::cleaned(&graph, names).map_err(misfit)?;
        let weights = lowering.weights(|index| kept.get(index).copied().unwrap_or(false))?;
        Ok((graph, weights, precision))
    }
}

fn attribute(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|a| a.name() == name).map(|a| a.i())
}

/// The sizes that the file states for a tensor; `None` for those that it leaves open.
fn sizes_of(info: &ValueInfoProto) -> Option<Vec<Option<usize>>> {
    let Some(Type::TensorType(tensor)) = info.r#type.as_ref()?.value.as_ref() else {
        return None;
    };
    let size = |value: &Option<Size>| match value {
        Some(Size::DimValue(size)) => usize::try_from(*size).ok(),
        _ => None,
    };
    Some(tensor.shape.as_ref()?.dim.iter().map(|d| size(&d.value)).collect())
}

/// The element type that the file states for a tensor, where the engine has it.
fn element_of(info: &ValueInfoProto) -> Option<ElementType> {
    match info.r#type.as_ref()?.value.as_ref()? {
        Type::TensorType(tensor) => tensor::element(DataType::try_from(tensor.elem_type()).ok()?),
        _ => None,
    }
}

fn check_type(input: &ValueInfoProto) -> Result<(), OnnxError> {
    match input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        None | Some(Type::TensorType(_)) => Ok(()),
        Some(_) => Err(OnnxError::Input { name: input.name().to_owned(), reason: "is not a tensor".into() }),
    }
}

fn batched(shape: &[usize]) -> Result<Shape, OnnxError> {
    shapes::batched(shape).ok_or_else(|| OnnxError::InputShape(shape.to_vec()))
}

fn misfit(error: BuildError) -> OnnxError {
    OnnxError::Shape { shape: Vec::new(), error: Box::new(error) }
}
