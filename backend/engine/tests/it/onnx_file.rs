//! Small ONNX files, written field by field (onnx.proto).

use std::io::Write;

use eagleeye_engine::{Network, load};
use tch::{Kind, Tensor};

/// A node with one output, which has the node's name.
pub struct Node {
    name: &'static str,
    operator: &'static str,
    inputs: &'static [&'static str],
    attributes: Vec<u8>,
}

pub fn node(name: &'static str, operator: &'static str, inputs: &'static [&'static str]) -> Node {
    Node { name, operator, inputs, attributes: Vec::new() }
}

impl Node {
    pub fn int(self, name: &str, value: i64) -> Self {
        self.attribute(name, 2, &number(3, value))
    }

    pub fn float(self, name: &str, value: f32) -> Self {
        self.attribute(name, 1, &[&[2 << 3 | 5][..], &value.to_le_bytes()].concat())
    }

    pub fn text(self, name: &str, value: &str) -> Self {
        self.attribute(name, 3, &bytes(4, value.as_bytes()))
    }

    pub fn ints(self, name: &str, values: &[i64]) -> Self {
        self.attribute(name, 7, &values.iter().flat_map(|&value| number(8, value)).collect::<Vec<u8>>())
    }

    fn attribute(mut self, name: &str, kind: i64, value: &[u8]) -> Self {
        self.attributes.extend(bytes(5, &[&bytes(1, name.as_bytes()), value, &number(20, kind)].concat()));
        self
    }

    fn encoded(&self) -> Vec<u8> {
        let inputs: Vec<u8> = self.inputs.iter().flat_map(|input| bytes(1, input.as_bytes())).collect();
        let name = self.name.as_bytes();
        [inputs, bytes(2, name), bytes(3, name), bytes(4, self.operator.as_bytes()), self.attributes.clone()].concat()
    }
}

/// The network of some nodes on `x`, an input of these sizes behind a batch, with stored tensors. The last node's output is
/// the network's.
pub fn network(opset: i64, sizes: &[i64], stored: &[(&str, Tensor)], nodes: &[Node]) -> Result<Network, String> {
    let nodes_and_name = nodes.iter().flat_map(|node| bytes(1, &node.encoded())).chain(bytes(2, b"test"));
    let stored = stored.iter().flat_map(|(name, tensor)| bytes(5, &tensor_proto(name, tensor)));
    let input = bytes(11, &value_info("x", sizes));
    let output = bytes(12, &value_info(nodes.last().unwrap().name, &[]));
    let graph: Vec<u8> = nodes_and_name.chain(stored).chain(input).chain(output).collect();
    let version = bytes(8, &[bytes(1, b""), number(2, opset)].concat());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[number(1, 8), version, bytes(7, &graph)].concat()).unwrap();
    load(file.path(), None).map(|loaded| loaded.network).map_err(|error| error.to_string())
}

fn value_info(name: &str, sizes: &[i64]) -> Vec<u8> {
    let batch = bytes(1, &bytes(2, b"batch"));
    let shape: Vec<u8> = batch.into_iter().chain(sizes.iter().flat_map(|&size| bytes(1, &number(1, size)))).collect();
    let tensor = [number(1, 1), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

fn tensor_proto(name: &str, tensor: &Tensor) -> Vec<u8> {
    let kind = match tensor.kind() {
        Kind::Float => 1,
        Kind::Uint8 => 2,
        Kind::Int64 => 7,
        Kind::Bool => 9,
        other => panic!("{other:?}"),
    };
    let entries = tensor.contiguous().view(-1);
    let mut raw = vec![0u8; entries.numel() * entries.kind().elt_size_in_bytes()];
    entries.copy_data_u8(&mut raw, entries.numel());
    let sizes: Vec<u8> = tensor.size().iter().flat_map(|&size| number(1, size)).collect();
    [sizes, number(2, kind), bytes(8, name.as_bytes()), bytes(9, &raw)].concat()
}

/// A field of a whole number.
fn number(field: u8, value: i64) -> Vec<u8> {
    [varint(u64::from(field) << 3), varint(value.cast_unsigned())].concat()
}

/// A field of a text or message.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [&varint(u64::from(field) << 3 | 2)[..], &varint(content.len() as u64), content].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
