//! Writing a network as a file, and proving the file before it is offered: it is read again and must answer as the engine does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eagleeye_graph::{ElementType, Precision, TensorData};
use eagleeye_onnx::export::{ExportError as OnnxExportError, Opset};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde_json::Value;
use tch::{CModule, Device, IValue, Kind, TchError, Tensor};

use crate::exec::{ExecError, forward};
use crate::load::{LoadError, load};
use crate::network::{Format, Network};
use eagleeye_torchscript::tensors::{from_data, reason, signed, to_data};
use eagleeye_torchscript::{self as torchscript, TorchScriptError};

/// Largest difference from the engine's own output, relative to its largest number, that a file may have.
const TOLERANCE: f64 = 1e-4;
/// The same where libtorch computes in half precision: some tens of roundings. What the file computes is proven before, by
/// EagleEye's own reading of it in `f32`.
const HALF_TOLERANCE: f64 = 2e-2;
const BFLOAT_TOLERANCE: f64 = 1e-1;
/// Batch sizes of the comparison: a batch that was written into the file as a constant shows with the second.
const BATCHES: [usize; 2] = [1, 3];
const SEED: i64 = 0;
/// A safetensors file begins with the length of its header.
const LENGTH_BYTES: usize = size_of::<u64>();

/// Why a network was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("TorchScript: {0}")]
    TorchScript(#[from] TorchScriptError),
    #[error("ONNX: {0}")]
    Onnx(#[from] OnnxExportError),
    #[error("safetensors: {0}")]
    Safetensors(#[from] SafeTensorError),
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the written file cannot be read again: {0}")]
    ReadBack(#[from] LoadError),
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("parameter `{0}` is not in the written file")]
    Missing(String),
    #[error("parameter `{0}` has another element type in the written file")]
    Element(String),
    #[error("the written file returns {found} outputs instead of {expected}")]
    Outputs { expected: usize, found: usize },
    #[error(
        "the written file's output differs from the engine's by {difference:e} of the largest value; at most \
         {tolerance:e} is accepted"
    )]
    Differs { difference: f64, tolerance: f64 },
    #[error("{0}")]
    Exec(#[from] ExecError),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for ExportError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// Writes `network` to `path`, reads the file again and compares its output with the engine's own on random images in batches
/// of two sizes. Returns the largest absolute difference.
///
/// TorchScript is read twice: by EagleEye's importer, and run by libtorch itself. Everything of `network.metadata` travels
/// inside the file.
///
/// # Errors
/// [`ExportError::Differs`] when the file computes something else; the file is then removed again, as after any error.
pub fn export(network: &Network, format: Format, path: &Path) -> Result<f64, ExportError> {
    export_at(network, format, Opset::default(), path)
}

/// [`export()`] as ONNX, in another version of its operators.
///
/// # Errors
/// As [`export()`]; also where a node needs an operator that came with a later version.
pub fn export_onnx(network: &Network, opset: Opset, path: &Path) -> Result<f64, ExportError> {
    export_at(network, Format::Onnx, opset, path)
}

fn export_at(network: &Network, format: Format, opset: Opset, path: &Path) -> Result<f64, ExportError> {
    let outcome = write(network, format, opset, path).and_then(|()| compare(network, format, path));
    if outcome.is_err() {
        // The error of the export matters more than that of tidying up after it.
        let _ = fs::remove_file(path);
    }
    outcome
}

fn write(network: &Network, format: Format, opset: Opset, path: &Path) -> Result<(), ExportError> {
    let network = network.to_device(Device::Cpu)?;
    let Network { graph, precision, metadata, .. } = &network;
    match format {
        Format::TorchScript => Ok(torchscript::write_in(graph, &network.stored_weights()?, precision, metadata, path)?),
        Format::Onnx => {
            let weights = data(&network)?;
            save(path, &eagleeye_onnx::export::write_at(opset, graph, &weights, precision, metadata)?)
        }
        Format::Safetensors => save(path, &safetensors_file(&network)?),
    }
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    fs::write(path, bytes).map_err(|source| ExportError::Write { path: path.to_owned(), source })
}

pub(crate) fn data(network: &Network) -> Result<Vec<TensorData>, TchError> {
    network.stored_weights()?.iter().map(to_data).collect()
}

/// Every stored tensor under its names, with the metadata in the header.
fn safetensors_file(network: &Network) -> Result<Vec<u8>, ExportError> {
    let weights = data(network)?;
    let mut views = Vec::new();
    for (parameter, weight) in network.graph.parameters.iter().zip(&weights) {
        for name in std::iter::once(&parameter.name).chain(&parameter.aliases) {
            views.push((name.as_str(), TensorView::new(dtype(weight.element), weight.shape.clone(), &weight.bytes)?));
        }
    }
    with_metadata(&safetensors::serialize(views, None)?, &network.metadata)
}

/// Puts the metadata into the header of a safetensors file, in the order of its keys. The library takes it as a map whose
/// order changes from run to run, and with it the bytes of the same network.
pub(crate) fn with_metadata(file: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, ExportError> {
    let (header_bytes, _) = SafeTensors::read_metadata(file)?;
    let (header, tensors) = file[LENGTH_BYTES..].split_at(header_bytes);
    let mut header: BTreeMap<String, Value> = serde_json::from_slice(header).map_err(SafeTensorError::from)?;
    header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    let mut header = serde_json::to_vec(&header).map_err(SafeTensorError::from)?;
    // The tensors' bytes begin at a multiple of eight; blanks end the header.
    header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
    Ok([&(header.len() as u64).to_le_bytes()[..], &header[..], tensors].concat())
}

/// The safetensors name of an element type.
pub(crate) fn dtype(element: ElementType) -> Dtype {
    match element {
        ElementType::F16 => Dtype::F16,
        ElementType::Bf16 => Dtype::BF16,
        ElementType::F32 => Dtype::F32,
        ElementType::F64 => Dtype::F64,
        ElementType::U8 => Dtype::U8,
        ElementType::I8 => Dtype::I8,
        ElementType::I16 => Dtype::I16,
        ElementType::I32 => Dtype::I32,
        ElementType::I64 => Dtype::I64,
        ElementType::Bool => Dtype::BOOL,
    }
}

/// The element type of a safetensors name, where networks can store it.
pub(crate) fn element_of(found: Dtype) -> Option<ElementType> {
    use ElementType::{Bf16, Bool, F16, F32, F64, I8, I16, I32, I64, U8};
    [F16, Bf16, F32, F64, U8, I8, I16, I32, I64, Bool].into_iter().find(|element| dtype(*element) == found)
}

/// The largest absolute difference between the answers of a network, its weights rounded as they are stored, and of another.
pub(crate) fn compare_with(network: &Network, other: &Network) -> Result<f64, ExportError> {
    compare_answers(network, |images, expected| difference(&forward(other, images)?, expected, TOLERANCE))
}

fn compare(network: &Network, format: Format, path: &Path) -> Result<f64, ExportError> {
    let read = match format {
        Format::Safetensors => with_weights_of(&rounded(&network.to_device(Device::Cpu)?)?, path)?,
        Format::TorchScript | Format::Onnx => load(path, Some(&network.graph.input_shape(1)))?.network,
    };
    let tolerance = tolerance(network);
    compare_answers(network, |images, expected| {
        let own = difference(&forward(&read, images)?, expected, TOLERANCE)?;
        if format != Format::TorchScript {
            return Ok(own);
        }
        let found = run_torchscript(path, images)?.f_to_kind(Kind::Float)?;
        Ok(own.max(difference(&found, expected, tolerance)?))
    })
}

/// The largest of what `compared` finds between a network's answers to some images, its weights rounded as they are stored, and
/// those of another.
fn compare_answers(
    network: &Network,
    compared: impl Fn(&Tensor, &Tensor) -> Result<f64, ExportError>,
) -> Result<f64, ExportError> {
    // Random numbers and the comparison itself are the CPU's, so that the check does not depend on the device.
    let network = rounded(&network.to_device(Device::Cpu)?)?;
    let mut largest: f64 = 0.0;
    for batch in BATCHES {
        let images = random_images(&network, batch)?;
        largest = largest.max(compared(&images, &forward(&network, &images)?)?);
    }
    Ok(largest)
}

/// The network with its weights rounded to the types that they are stored in.
fn rounded(network: &Network) -> Result<Network, TchError> {
    let stored = network.stored_weights()?;
    let weights = stored.iter().zip(&network.weights).map(|(stored, own)| stored.f_to_kind(own.kind()));
    Ok(network.with(network.graph.clone(), weights.collect::<Result<_, _>>()?))
}

/// What libtorch's own run of a file may differ by.
fn tolerance(network: &Network) -> f64 {
    let Precision { parameters, nodes, .. } = &network.precision;
    let of = |element: &ElementType| match element {
        ElementType::Bf16 => BFLOAT_TOLERANCE,
        ElementType::F16 => HALF_TOLERANCE,
        _ => TOLERANCE,
    };
    parameters.values().chain(nodes.values()).map(of).fold(TOLERANCE, f64::max)
}

fn random_images(network: &Network, batch: usize) -> Result<Tensor, TchError> {
    tch::manual_seed(SEED);
    Tensor::f_randn(signed(&network.graph.input_shape(batch)), (Kind::Float, Device::Cpu))
}

/// The same graph with the weights of a safetensors file.
fn with_weights_of(network: &Network, path: &Path) -> Result<Network, ExportError> {
    let bytes = fs::read(path).map_err(|source| ExportError::Read { path: path.to_owned(), source })?;
    let file = SafeTensors::deserialize(&bytes)?;
    let stored: BTreeMap<String, TensorView> = file.tensors().into_iter().collect();
    let mut weights = Vec::new();
    let own = network.weights.iter().zip(network.stored_weights()?);
    for (parameter, (own, written)) in network.graph.parameters.iter().zip(own) {
        let view = stored.get(&parameter.name).ok_or_else(|| ExportError::Missing(parameter.name.clone()))?;
        let element =
            eagleeye_torchscript::tensors::element(written.f_kind()?).filter(|element| dtype(*element) == view.dtype());
        let element = element.ok_or_else(|| ExportError::Element(parameter.name.clone()))?;
        let data = TensorData { element, shape: view.shape().to_vec(), bytes: view.data().to_vec() };
        weights.push(from_data(&data)?.f_to_kind(own.kind())?);
    }
    Ok(network.with(network.graph.clone(), weights))
}

/// What libtorch's own interpreter makes of a file that was written here.
fn run_torchscript(path: &Path, images: &Tensor) -> Result<Tensor, ExportError> {
    let module = CModule::load_on_device(path, Device::Cpu)?;
    let _no_grad = tch::no_grad_guard();
    match module.forward_is(&[IValue::Tensor(images.shallow_clone())])? {
        IValue::Tensor(output) => Ok(output),
        IValue::Tuple(outputs) => match outputs.into_iter().next() {
            Some(IValue::Tensor(output)) => Ok(output),
            _ => Err(ExportError::Outputs { expected: 1, found: 0 }),
        },
        _ => Err(ExportError::Outputs { expected: 1, found: 0 }),
    }
}

/// The largest absolute difference, once it is known to be small.
fn difference(found: &Tensor, expected: &Tensor, tolerance: f64) -> Result<f64, ExportError> {
    if found.size() != expected.size() {
        return Err(ExportError::Differs { difference: f64::INFINITY, tolerance });
    }
    let absolute = found.f_sub(expected)?.f_abs()?.f_max()?.f_double_value(&[])?;
    let scale = expected.f_abs()?.f_max()?.f_double_value(&[])?.max(1e-12);
    // Written so that not-a-number is a difference.
    if absolute / scale <= tolerance {
        Ok(absolute)
    } else {
        Err(ExportError::Differs { difference: absolute / scale, tolerance })
    }
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::Space;

    use super::*;
    use crate::prune::prune_to;
    use crate::testing::classifier;

    fn pruned(batch_norms: bool) -> Network {
        let mut network = classifier(1, batch_norms);
        network.metadata.insert("strategy".into(), "[4, 2]".into());
        prune_to(&network, 0.5, 7, 0, &Space::default()).unwrap().network
    }

    #[test]
    fn an_answer_that_is_no_number_or_of_another_shape_differs() {
        let numbers = |entries: &[f32]| Tensor::from_slice(entries);
        assert_eq!(difference(&numbers(&[1.0, 2.0]), &numbers(&[1.0, 2.0]), TOLERANCE).unwrap(), 0.0);
        for wrong in [&[1.0, f32::NAN][..], &[f32::NAN, 2.0], &[f32::INFINITY, 2.0], &[1.0]] {
            for (found, expected) in [(wrong, &[1.0, 2.0][..]), (&[1.0, 2.0], wrong), (wrong, &[f32::NAN, f32::NAN])] {
                let refused = difference(&numbers(found), &numbers(expected), TOLERANCE);
                assert!(matches!(refused, Err(ExportError::Differs { .. })), "{found:?} is not {expected:?}");
            }
        }
    }

    #[test]
    fn every_format_answers_as_the_engine_does() {
        let folder = tempfile::tempdir().unwrap();
        for batch_norms in [true, false] {
            for format in [Format::TorchScript, Format::Onnx, Format::Safetensors] {
                let path = folder.path().join("network").with_extension(format.extension());
                assert!(export(&pruned(batch_norms), format, &path).unwrap() < 1e-5);
            }
        }
    }

    /// As the network of a file with these weights in `element`.
    fn stored_in(element: ElementType) -> Network {
        let mut network = pruned(true);
        let names = network.graph.parameters.iter().map(|p| p.name.clone());
        network.precision = Precision {
            parameters: names.map(|name| (name, element)).collect(),
            nodes: network.graph.nodes.iter().map(|node| (node.name.clone(), element)).collect(),
            inputs: vec![Some(element)],
            outputs: vec![Some(element)],
        };
        network
    }

    #[test]
    fn what_can_be_asked_for_is_what_can_be_written() {
        let written: Vec<u32> = Opset::all().map(Opset::version).collect();
        assert_eq!(written, eagleeye_spec::ONNX_OPSETS.collect::<Vec<_>>());
        assert_eq!(Opset::default().version(), eagleeye_spec::DEFAULT_ONNX_OPSET);
    }

    #[test]
    fn onnx_files_answer_alike_in_every_version_of_the_operators() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.onnx");
        let network = pruned(true);
        let mut sizes = std::collections::BTreeSet::new();
        for opset in Opset::all() {
            assert!(export_onnx(&network, opset, &path).unwrap() < 1e-5, "{opset:?}");
            sizes.insert(std::fs::read(&path).unwrap());
        }
        assert_eq!(sizes.len(), Opset::all().count(), "each says its own version");
    }

    #[test]
    fn a_network_comes_out_in_the_element_types_that_it_came_in() {
        let folder = tempfile::tempdir().unwrap();
        for element in [ElementType::F16, ElementType::Bf16, ElementType::F64] {
            let network = stored_in(element);
            for format in [Format::TorchScript, Format::Onnx, Format::Safetensors] {
                let path = folder.path().join("network").with_extension(format.extension());
                let difference =
                    export(&network, format, &path).unwrap_or_else(|e| panic!("{element:?} {format:?}: {e}"));
                assert!(difference < 0.5, "{difference}");
                if format == Format::Safetensors {
                    let bytes = std::fs::read(&path).unwrap();
                    let file = SafeTensors::deserialize(&bytes).unwrap();
                    assert!(file.tensors().iter().all(|(_, view)| view.dtype() == dtype(element)));
                    continue;
                }
                let read = load(&path, None).unwrap().network;
                assert_eq!(read.precision.parameters, network.precision.parameters, "{format:?}");
                assert_eq!(read.precision.outputs, [Some(element)], "{format:?}");
                assert!(read.weights.iter().all(|w| w.kind() == Kind::Float));
            }
            // libtorch gets what the file says, and answers in it.
            let path = folder.path().join("network.pt");
            let images = random_images(&network, 2).unwrap().to_kind(eagleeye_torchscript::tensors::kind(element));
            assert_eq!(run_torchscript(&path, &images).unwrap().kind(), eagleeye_torchscript::tensors::kind(element));
        }
    }

    #[test]
    fn a_tensor_with_numbers_that_half_precision_cannot_hold_stays_in_single() {
        let folder = tempfile::tempdir().unwrap();
        let mut network = stored_in(ElementType::F16);
        let index = network.graph.parameters.iter().position(|p| p.name.ends_with("running_var")).unwrap();
        network.weights[index] = network.weights[index].full_like(1e6);
        let name = network.graph.parameters[index].name.clone();
        for format in [Format::TorchScript, Format::Onnx] {
            let path = folder.path().join("network").with_extension(format.extension());
            export(&network, format, &path).unwrap();
            let read = load(&path, None).unwrap().network;
            assert_eq!(read.precision.parameters[&name], ElementType::F32);
            assert_eq!(read.precision.main(), ElementType::F16);
        }
    }

    #[test]
    fn names_and_metadata_travel_inside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let network = pruned(true);
        let learned = |n: &Network| n.graph.parameters.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        for format in [Format::TorchScript, Format::Onnx] {
            let path = folder.path().join("network").with_extension(format.extension());
            export(&network, format, &path).unwrap();
            let read = load(&path, None).unwrap().network;
            assert_eq!(read.metadata["strategy"], "[4, 2]");
            let (mut found, mut expected) = (learned(&read), learned(&network));
            found.sort();
            expected.sort();
            assert_eq!(found, expected);
        }
        let path = folder.path().join("network.safetensors");
        export(&network, Format::Safetensors, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["strategy"], "[4, 2]");
    }

    #[test]
    fn the_same_network_gives_the_same_bytes_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut network = pruned(true);
        network.metadata.extend((0..20).map(|number| (format!("key {number}"), format!("value \"{number}\""))));
        for format in [Format::TorchScript, Format::Onnx, Format::Safetensors] {
            let written = |name: &str| {
                let path = folder.path().join(name).join("network").with_extension(format.extension());
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                export(&network, format, &path).unwrap();
                std::fs::read(path).unwrap()
            };
            assert!(written("first") == written("second"), "{format:?}");
        }
        let bytes = std::fs::read(folder.path().join("first/network.safetensors")).unwrap();
        let (header_bytes, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["key 7"], "value \"7\"");
        assert_eq!(header_bytes % 8, 0, "readers that map the file want its tensors aligned");
    }

    #[test]
    fn a_file_that_computes_something_else_is_not_offered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.onnx");
        let (network, other) = (pruned(true), pruned(true));
        let mut other = other;
        other.weights[0] = &other.weights[0] * 1.01;
        write(&other, Format::Onnx, Opset::default(), &path).unwrap();
        assert!(matches!(compare(&network, Format::Onnx, &path), Err(ExportError::Differs { .. })));
    }

    #[test]
    fn what_is_wrong_with_a_written_file_is_said_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.safetensors");
        let network = pruned(true);
        assert!(matches!(with_weights_of(&network, &path), Err(ExportError::Read { .. })));
        write(&stored_in(ElementType::F16), Format::Safetensors, Opset::default(), &path).unwrap();
        let error = with_weights_of(&network, &path).unwrap_err();
        assert!(matches!(error, ExportError::Element(_)), "{error}");
        let mut other = network;
        other.graph.parameters[0].name = "another".into();
        assert!(matches!(with_weights_of(&other, &path), Err(ExportError::Missing(_))));
    }

    #[test]
    fn nothing_is_left_of_an_export_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/network.onnx");
        assert!(matches!(export(&pruned(true), Format::Onnx, &path), Err(ExportError::Write { .. })));
        assert!(!path.exists());
    }
}
