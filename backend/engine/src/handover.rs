//! A network on its way from the process that read a stranger's file to the one that computes with it.
//!
//! It is the graph as MessagePack, which keeps every bit of a number, infinities included, and the weights as safetensors.
//! The receiver believes nothing: it checks the graph as if it had to build it, and every tensor against the graph.

use std::collections::BTreeMap;
use std::io::{self, Write};

use eagleeye_graph::{Graph, GraphFault, Precision};
use safetensors::tensor::{SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tch::{TchError, Tensor};

use crate::export::dtype;
use crate::load::Loaded;
use crate::network::{Format, Network};
use eagleeye_torchscript::tensors::{kind, reason, signed, to_data};

/// Bytes of the part before the weights; the largest classifiers have less than a hundredth of it.
const MAX_HEAD_BYTES: usize = 64 << 20;

/// Why a network cannot be handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    #[error("cannot write: {0}")]
    Write(io::Error),
    #[error("the graph cannot be encoded: {0}")]
    Encode(rmp_serde::encode::Error),
    #[error("the graph has {0} bytes; the limit is {MAX_HEAD_BYTES}")]
    Head(usize),
    #[error("the message is truncated")]
    Short,
    #[error("the graph cannot be decoded: {0}")]
    Decode(rmp_serde::decode::Error),
    #[error("the graph is inconsistent: {0}")]
    Graph(#[from] GraphFault),
    #[error("the network computes in {0}, which is not a floating-point type")]
    Precision(&'static str),
    #[error("the weights: {0}")]
    Weights(#[from] SafeTensorError),
    #[error("found {found} tensors for {parameters} parameters")]
    Count { found: usize, parameters: usize },
    #[error("tensor `{0}` does not match the graph")]
    Tensor(String),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for HandoverError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// Everything but the weights.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    graph: Graph,
    precision: Precision,
    format: Format,
    metadata: BTreeMap<String, String>,
    guessed_shape: bool,
}

/// Writes a network: the length of the head in 8 bytes, the head, and the weights under their positions as names.
pub fn write(loaded: Loaded, out: &mut impl Write) -> Result<(), HandoverError> {
    let Loaded { network: Network { graph, weights, precision, format, metadata }, guessed_shape } = loaded;
    let head = Head { graph, precision, format, metadata, guessed_shape };
    let encoded = rmp_serde::to_vec_named(&head).map_err(HandoverError::Encode)?;
    if encoded.len() > MAX_HEAD_BYTES {
        return Err(HandoverError::Head(encoded.len()));
    }
    let weights = weights.iter().map(to_data).collect::<Result<Vec<_>, _>>()?;
    let views = weights.iter().enumerate().map(|(position, data)| {
        TensorView::new(dtype(data.element), data.shape.clone(), &data.bytes).map(|view| (position.to_string(), view))
    });
    let weights = safetensors::serialize(views.collect::<Result<Vec<_>, _>>()?, None)?;
    for part in [&(encoded.len() as u64).to_le_bytes()[..], &encoded, &weights] {
        out.write_all(part).map_err(HandoverError::Write)?;
    }
    out.flush().map_err(HandoverError::Write)
}

/// Reads what [`write()`] has written, or refuses it. The weights are on the CPU.
pub fn read(message: &[u8]) -> Result<Loaded, HandoverError> {
    let (length, rest) = message.split_first_chunk().ok_or(HandoverError::Short)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_HEAD_BYTES {
        return Err(HandoverError::Head(length));
    }
    let (head, weights) = rest.split_at_checked(length).ok_or(HandoverError::Short)?;
    let head: Head = rmp_serde::from_slice(head).map_err(HandoverError::Decode)?;
    let Head { graph, precision, format, metadata, guessed_shape } = head;
    graph.check()?;
    if let Some(element) = precision.elements().find(|element| !element.is_float()) {
        return Err(HandoverError::Precision(element.name()));
    }
    let weights = tensors(&graph, weights)?;
    Ok(Loaded { network: Network { graph, weights, precision, format, metadata }, guessed_shape })
}

fn tensors(graph: &Graph, bytes: &[u8]) -> Result<Vec<Tensor>, HandoverError> {
    let stored = SafeTensors::deserialize(bytes)?;
    let (found, parameters) = (stored.len(), graph.parameters.len());
    if found != parameters {
        return Err(HandoverError::Count { found, parameters });
    }
    let read = |(position, parameter): (usize, &eagleeye_graph::Parameter)| {
        let view = stored.tensor(&position.to_string())?;
        if view.dtype() != dtype(parameter.element) || view.shape() != parameter.shape {
            return Err(HandoverError::Tensor(parameter.name.clone()));
        }
        Ok(Tensor::f_from_data_size(view.data(), &signed(&parameter.shape), kind(parameter.element))?)
    };
    graph.parameters.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::{Dim, ElementType, GraphBuilder, Op, PadMode, ParameterKind, Unary};

    use super::*;

    /// A network with numbers that JSON does not have, and a tensor of each kind of size.
    fn network() -> Loaded {
        let mut builder = GraphBuilder::new("net");
        let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(4)]).unwrap();
        let (_, w) = builder.parameter("fc.weight", &[3, 4], ElementType::F32, ParameterKind::Parameter).unwrap();
        builder.parameter("steps", &[], ElementType::I64, ParameterKind::Buffer).unwrap();
        builder.parameter("half", &[2], ElementType::Bf16, ParameterKind::Buffer).unwrap();
        builder.parameter("none", &[0], ElementType::F32, ParameterKind::Constant).unwrap();
        let pad = Op::Pad { pads: vec![(0, 0), (1, 1)], mode: PadMode::Constant(f64::NEG_INFINITY) };
        let y = builder.push("fc", Op::Linear { transposed: false }, &[x, w]).unwrap();
        let y = builder.push("pad", pad, &[y]).unwrap();
        let y = builder.push("clamp", Op::Unary(Unary::Clamp(Some(-0.1), Some(f64::INFINITY))), &[y]).unwrap();
        let graph = builder.finish(&[y]).unwrap();
        let weights = vec![
            Tensor::from_slice(&[f32::NAN, 0.1, 1e-42, f32::INFINITY, 5., 6., 7., 8., 9., 10., 11., 12.])
                .reshape([3, 4]),
            Tensor::from(7i64),
            Tensor::from_slice(&[1.5f32, -2.0]).to_kind(tch::Kind::BFloat16),
            Tensor::zeros([0], (tch::Kind::Float, tch::Device::Cpu)),
        ];
        let precision = Precision {
            parameters: BTreeMap::from([("fc.weight".to_owned(), ElementType::F16)]),
            nodes: BTreeMap::from([("fc".to_owned(), ElementType::F64)]),
            inputs: vec![None],
            outputs: vec![Some(ElementType::Bf16)],
        };
        let metadata = BTreeMap::from([("source".to_owned(), "a \"file\"".to_owned())]);
        Loaded { network: Network { graph, weights, precision, format: Format::Onnx, metadata }, guessed_shape: true }
    }

    fn message() -> Vec<u8> {
        let mut message = Vec::new();
        write(network(), &mut message).unwrap();
        message
    }

    /// The message with another head.
    fn with_head(change: impl FnOnce(&mut Head)) -> Vec<u8> {
        let message = message();
        let length = u64::from_le_bytes(message[..8].try_into().unwrap()) as usize;
        let mut head: Head = rmp_serde::from_slice(&message[8..8 + length]).unwrap();
        change(&mut head);
        let head = rmp_serde::to_vec_named(&head).unwrap();
        [&(head.len() as u64).to_le_bytes()[..], &head, &message[8 + length..]].concat()
    }

    #[test]
    fn every_bit_of_a_network_survives_infinities_included() {
        let (sent, received) = (network(), read(&message()).unwrap());
        assert_eq!(received.network.graph, sent.network.graph);
        assert_eq!((received.network.format, received.guessed_shape), (Format::Onnx, true));
        assert_eq!(received.network.precision, sent.network.precision);
        assert_eq!(received.network.metadata, sent.network.metadata);
        for (received, sent) in received.network.weights.iter().zip(&sent.network.weights) {
            assert_eq!(to_data(received).unwrap(), to_data(sent).unwrap());
        }
    }

    #[test]
    fn a_graph_that_is_not_sound_is_refused() {
        let unsound = with_head(|head| head.graph.nodes[0].inputs[0].0 = 99);
        assert!(matches!(read(&unsound), Err(HandoverError::Graph(GraphFault::NoValue(99)))));
    }

    #[test]
    fn a_network_that_computes_in_whole_numbers_is_refused() {
        let whole = with_head(|head| head.precision.outputs[0] = Some(ElementType::I64));
        assert!(matches!(read(&whole), Err(HandoverError::Precision("int64"))));
    }

    #[test]
    fn weights_that_do_not_fit_the_graph_are_refused() {
        let other_kind = with_head(|head| head.graph.parameters[2].element = ElementType::F16);
        assert!(matches!(read(&other_kind), Err(HandoverError::Tensor(name)) if name == "half"));
        let one_less = with_head(|head| {
            head.graph.parameters.pop();
            head.graph.values.retain(|value| value.name != "none");
            for value in head.graph.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().chain(&mut node.outputs)) {
                value.0 -= u32::from(value.0 > 4);
            }
            head.graph.outputs[0].0 -= 1;
        });
        assert!(matches!(read(&one_less), Err(HandoverError::Count { found: 4, parameters: 3 })));
    }

    #[test]
    fn a_cut_or_endless_message_is_refused() {
        let message = message();
        for length in [0, 7, 8, 100, message.len() - 1] {
            assert!(read(&message[..length]).is_err(), "{length}");
        }
        assert!(matches!(read(&[255; 16]), Err(HandoverError::Head(_))));
        assert!(read(&[message, vec![0]].concat()).is_err());
    }
}
