//! TorchScript file to graph: check, load as data, run the code symbolically, drop what no output needs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use eagleeye_graph::reading::{Draft, Narrowed, drop_unused, shapes};
use eagleeye_graph::{BuildError, ElementType, Graph, ParameterKind, Precision, ValueId};
use tch::Tensor;

use super::archive::Contents;
use super::description::{Description, Function, Object};
use super::error::TorchScriptError;
use super::fault::Fault;
use super::ffi::LoadedModule;
use super::file_constants::FileConstants;
use super::interpreter::{Interpreter, stored_value};
use super::lowering::Lowering;
use super::state::{self, Entry};
use super::value::{Content, TensorRef, Value};
use super::{INPUT_SHAPE, archive, weight};

/// libtorch's parser and destructors call themselves for each level of nesting; the archive check bounds the levels.
const LOADER_STACK: usize = 512 << 20;

/// A network read from a TorchScript file.
#[derive(Debug)]
pub struct Imported {
    pub graph: Graph,
    /// The element types that the file stores and computes in.
    pub precision: Precision,
    /// Tensors by parameter, in `f32` where the file had another float type.
    pub weights: Vec<Tensor>,
    /// The file's extra files that are text.
    pub metadata: BTreeMap<String, String>,
    /// Whether the input shape is a guess from the weights, neither given nor stored.
    pub guessed_shape: bool,
}

/// Reads a traced or scripted module.
///
/// `input_shape` is `[batch, channels, height, width]` (any batch); where it is left out, the file's own metadata says it, then
/// the shape that the module was traced with, then a guess: channels of the first convolution and the first usual image size
/// that fits.
///
/// # Errors
/// Every way in which a file can be broken or not be understood; see [`TorchScriptError`]. Unsupported operators are
/// collected and reported together.
pub fn read(path: &Path, input_shape: Option<&[usize]>) -> Result<Imported, TorchScriptError> {
    read_with(path, input_shape, None)
}

/// [`read`], with other tensors, where they are given, in the places of all that the file stores as parameters and buffers.
///
/// # Errors
/// As [`read`]; above all where the file's code works with no other sizes than its own. Also where a stored tensor has no
/// stand-in.
pub fn read_with(
    path: &Path,
    input_shape: Option<&[usize]>,
    narrowed: Option<&Narrowed>,
) -> Result<Imported, TorchScriptError> {
    let contents = archive::check(path)?;
    let (description, mut tensors) = load(path, &contents.extra)?;
    takes_images_alone(&description)?;
    let entries = state::entries(&description, &tensors)?;
    if let Some(narrowed) = narrowed {
        state::replace(&entries, &mut tensors, narrowed)?;
    }
    let groups = narrowed.map(|narrowed| &narrowed.groups);
    let importer = Importer { description: &description, tensors: &tensors, entries: &entries, groups };
    let known = match input_shape {
        Some(shape) => Some(vec![shape.to_vec()]),
        None => {
            description.metadata.get(INPUT_SHAPE).and_then(|text| shapes::parse(text)).or_else(|| traced(&contents))
        }
    };
    let (graph, weights, precision) = match &known {
        Some(shapes) => importer.import(shapes)?,
        None => importer.guess()?,
    };
    let guessed_shape = known.is_none();
    if guessed_shape {
        tracing::warn!(shape = ?graph.input_shape(1), "the input shape is a guess; specify it if it is wrong");
    }
    Ok(Imported { graph, precision, weights, metadata: description.metadata, guessed_shape })
}

/// Refuses a `forward` that takes anything else than one tensor and what has a default.
fn takes_images_alone(description: &Description) -> Result<(), TorchScriptError> {
    let forward = forward(description)?;
    let mut tensors = Vec::new();
    for (index, name) in forward.names.iter().enumerate().skip(1) {
        match forward.types.get(index).map_or("", String::as_str) {
            "TensorType" => tensors.push(name.clone()),
            kind @ ("ListType" | "TupleType" | "DictType") => {
                let kind = format!("a {}", kind.trim_end_matches("Type").to_lowercase());
                return Err(TorchScriptError::Input { name: name.clone(), kind });
            }
            _ => {}
        }
    }
    match tensors.len() {
        0 => Err(TorchScriptError::NoInput),
        1 => Ok(()),
        _ => Err(TorchScriptError::Inputs(tensors)),
    }
}

fn forward(description: &Description) -> Result<&Function, TorchScriptError> {
    let class = &network(description)?.class;
    let forward = description.functions.get(&format!("{class}.forward"));
    forward.ok_or_else(|| TorchScriptError::Missing { what: "`forward`".into() })
}

fn network(description: &Description) -> Result<&Object, TorchScriptError> {
    description.objects.first().ok_or_else(|| TorchScriptError::Missing { what: "the network".into() })
}

/// What libtorch says about a file that it does not load.
pub(super) fn not_loaded(text: String) -> TorchScriptError {
    let name = text.split_once("Unknown builtin op: ").map(|(_, rest)| rest);
    match name.and_then(|rest| rest.split([' ', '\n']).next()) {
        Some(operator) => TorchScriptError::CustomOperator(operator.trim_end_matches('.').to_owned()),
        None => TorchScriptError::Load(text),
    }
}

/// Loads on a thread with a large stack, where everything of libtorch's own that can recurse also ends.
fn load(path: &Path, extra_names: &[String]) -> Result<(Description, Vec<Tensor>), TorchScriptError> {
    let work = || -> Result<_, TorchScriptError> {
        let module = LoadedModule::load(path, extra_names).map_err(not_loaded)?;
        let description = serde_json::from_slice::<Description>(module.description());
        let description = description.map_err(|error| TorchScriptError::Description(error.to_string()))?;
        Ok((description, module.tensors().map_err(TorchScriptError::Load)?))
    };
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("torchscript-loader".into()).stack_size(LOADER_STACK);
        let thread = builder.spawn_scoped(scope, work);
        let thread = thread
            .map_err(|error| TorchScriptError::Load(format!("cannot start a thread to load the file: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(TorchScriptError::Load("the loading thread panicked".into())))
    })
}

/// The shapes that the network was traced with, where they are such as images have.
fn traced(contents: &Contents) -> Option<Vec<Vec<usize>>> {
    let size = |size: &i64| usize::try_from(*size).ok().filter(|size| *size > 0);
    let shape = |sizes: &Vec<i64>| sizes.iter().map(size).collect::<Option<Vec<_>>>().filter(|shape| shape.len() > 1);
    let shapes = contents.traced_shapes.iter().map(shape).collect::<Option<Vec<_>>>();
    shapes.filter(|shapes| !shapes.is_empty())
}

/// A graph, its tensors by parameter, and the element types of the file.
type Network = (Graph, Vec<Tensor>, Precision);

struct Importer<'a> {
    description: &'a Description,
    tensors: &'a [Tensor],
    entries: &'a [Entry],
    /// By the names of weights, where they are not those of the code.
    groups: Option<&'a BTreeMap<String, usize>>,
}

impl Importer<'_> {
    /// Imports with the given input shapes; a single one stands for all inputs.
    fn import(&self, shapes: &[Vec<usize>]) -> Result<Network, TorchScriptError> {
        let first = shapes.first().cloned().unwrap_or_default();
        self.build(shapes).map_err(|error| match error {
            TorchScriptError::Shape { error, .. } => TorchScriptError::Shape { shape: first, error },
            other => other,
        })
    }

    fn guess(&self) -> Result<Network, TorchScriptError> {
        let candidates = self.candidates();
        let mut first_error = None;
        for shape in &candidates {
            match self.import(std::slice::from_ref(shape)) {
                Err(error @ (TorchScriptError::Shape { .. } | TorchScriptError::Invalid { .. })) => {
                    first_error.get_or_insert(error);
                }
                Err(error @ TorchScriptError::Raised { .. }) => {
                    first_error.get_or_insert(error);
                }
                done => return done,
            }
        }
        let tried = candidates.iter().map(|s| format!("{s:?}")).collect::<Vec<_>>().join(", ");
        let first = first_error.unwrap_or_else(|| TorchScriptError::InputShape(Vec::new()));
        Err(TorchScriptError::NoInputShape { tried, first: Box::new(first) })
    }

    /// Shapes to try: from the weight of the first convolution, or of the first linear layer.
    fn candidates(&self) -> Vec<Vec<usize>> {
        let weights = || self.entries.iter().filter_map(|e| self.tensors.get(*e.indices.first()?)).map(Tensor::size);
        let Some(convolution) = weights().find(|size| size.len() == 4) else {
            let linear = weights().find(|size| size.len() == 2);
            return linear.map(|size| vec![1, size[1] as usize]).into_iter().collect();
        };
        shapes::usual_images(convolution[1] as usize)
    }

    fn build(&self, shapes: &[Vec<usize>]) -> Result<Network, TorchScriptError> {
        let class = &network(self.description)?.class;
        let forward = forward(self.description)?;
        let mut lowering = Lowering::new(class.rsplit('.').next().unwrap_or(class));
        lowering.file_constants = FileConstants::of(self.description);
        let mut stored = HashMap::new();
        for entry in self.entries {
            self.store(entry, &mut lowering, &mut stored)?;
        }
        let inputs = self.inputs(forward, shapes, &mut lowering)?;
        let mut interpreter = Interpreter::new(self.description, self.tensors, stored, lowering);
        let result = interpreter.run(inputs)?;
        if !interpreter.unsupported.is_empty() {
            let mut all = interpreter.unsupported;
            all.sort();
            all.dedup();
            return Err(TorchScriptError::Unsupported(all));
        }
        weight::of_values(std::slice::from_ref(&result))?;
        if let Some(cause) = result.missing() {
            return Err(TorchScriptError::Unsupported(vec![(*cause).clone()]));
        }
        let mut outputs = Vec::new();
        collect_outputs(&result, &mut outputs)?;
        let Lowering { draft: Draft { mut builder, .. }, weights, file_constants, .. } = interpreter.lowering;
        for (id, element) in &outputs {
            builder.seen_as(*id, *element);
        }
        let outputs: Vec<ValueId> = outputs.into_iter().map(|(id, _)| id).collect();
        let precision = builder.precision(&outputs);
        let mut graph = builder.finish(&outputs).map_err(misfit)?;
        file_constants.make_parameters(&mut graph);
        // Stored tensors stay, used or not.
        let (graph, kept) =
            drop_unused(&graph, |parameter| parameter.kind != ParameterKind::Constant).map_err(misfit)?;
        let weights = weights.into_iter().zip(kept).filter_map(|(weight, kept)| kept.then_some(weight)).collect();
        Ok((graph, weights, precision))
    }

    fn store(
        &self,
        entry: &Entry,
        lowering: &mut Lowering,
        stored: &mut HashMap<usize, Value>,
    ) -> Result<(), TorchScriptError> {
        let tensor = entry.indices.first().and_then(|&index| self.tensors.get(index));
        let tensor = tensor.ok_or_else(|| TorchScriptError::Missing { what: format!("tensor `{}`", entry.name) })?;
        let id = lowering.parameter(&entry.name, tensor, entry.kind).map_err(|fault| failed(fault, &entry.name))?;
        for alias in &entry.aliases {
            lowering.alias(id, alias).map_err(misfit)?;
        }
        if let Some(&groups) = self.groups.and_then(|groups| groups.get(&entry.name)) {
            lowering.groups.insert(id, groups);
        }
        let value = stored_value(id, tensor);
        stored.extend(entry.indices.iter().map(|&index| (index, value.clone())));
        Ok(())
    }

    /// Values for the arguments of `forward` behind `self`: tensors are inputs, others take their defaults.
    fn inputs(
        &self,
        forward: &Function,
        shapes: &[Vec<usize>],
        lowering: &mut Lowering,
    ) -> Result<Vec<Value>, TorchScriptError> {
        let mut values = Vec::new();
        for (index, name) in forward.names.iter().enumerate().skip(1) {
            if forward.types.get(index).is_some_and(|kind| kind == "TensorType") {
                let tensors = values.iter().filter(|v| matches!(v, Value::Tensor(_))).count();
                let shape = shapes.get(tensors).or(shapes.last()).map_or(&[][..], Vec::as_slice);
                let shape = shapes::batched(shape).ok_or_else(|| TorchScriptError::InputShape(shape.to_vec()))?;
                let id = lowering.draft.builder.input(name, shape).map_err(misfit)?;
                values.push(Value::Tensor(TensorRef::new(Content::Graph(id))));
            } else {
                let default = forward.defaults.get(index).and_then(super::interpreter::plain);
                let kind = || "neither a tensor nor an argument with a default".to_owned();
                values.push(default.ok_or_else(|| TorchScriptError::Input { name: name.clone(), kind: kind() })?);
            }
        }
        Ok(values)
    }
}

fn misfit(error: BuildError) -> TorchScriptError {
    TorchScriptError::Shape { shape: Vec::new(), error }
}

fn failed(fault: Fault, name: &str) -> TorchScriptError {
    match fault {
        Fault::Build(error) => misfit(error),
        Fault::Fatal(error) => error,
        Fault::Invalid(reason) | Fault::Unsupported(reason) => {
            TorchScriptError::Invalid { operator: "a stored tensor".into(), node: name.to_owned(), reason }
        }
        Fault::Missing(cause) => TorchScriptError::Unsupported(vec![(*cause).clone()]),
        Fault::Unknown => TorchScriptError::Missing { what: format!("tensor `{name}`") },
    }
}

/// Tensors of the result in order; `None` in the places of outputs that `eval()` leaves out.
fn collect_outputs(value: &Value, outputs: &mut Vec<(ValueId, Option<ElementType>)>) -> Result<(), TorchScriptError> {
    match value {
        Value::Tensor(tensor) => match tensor.content() {
            Some(Content::Graph(id)) => outputs.push((id, tensor.element())),
            _ => return Err(TorchScriptError::Output),
        },
        Value::None => {}
        Value::Dict(entries) => {
            for (_, item) in entries.borrow().iter() {
                collect_outputs(item, outputs)?;
            }
        }
        other => {
            for item in other.items().ok_or(TorchScriptError::Output)? {
                collect_outputs(&item, outputs)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libtorch_does_not_know_is_called_a_custom_operator() {
        let error = not_loaded("Unknown builtin op: torchvision::nms.\nCould not find any".into());
        assert!(matches!(&error, TorchScriptError::CustomOperator(name) if name == "torchvision::nms"), "{error}");
    }
}
