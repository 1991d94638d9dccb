//! ONNX files, written field by field: a matrix product and a ReLU, again and again.

use std::path::{Path, PathBuf};

const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// A protobuf message as it grows.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input.as_bytes()));
    node.bytes(2, output.as_bytes()).bytes(4, operator.as_bytes())
}

fn value(name: &str, element: u64, width: u64) -> Message {
    let batch = Message::default().bytes(2, b"N");
    let shape = Message::default().bytes(1, &batch.0).bytes(1, &Message::default().number(1, width).0);
    let tensor = Message::default().number(1, element).bytes(2, &shape.0);
    Message::default().bytes(1, name.as_bytes()).bytes(2, &Message::default().bytes(1, &tensor.0).0)
}

/// What is wrong with a file, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Sound,
    TwoInputs,
    WholeNumbers,
}

/// Writes a network of `layers` layers on `[N, width]`.
pub fn write(folder: &Path, name: &str, layers: usize, width: u64, form: Form) -> PathBuf {
    let weight: Vec<u8> = (0..width * width).flat_map(|i| ((i % 7) as f32 / 70.0 - 0.04).to_le_bytes()).collect();
    let weight = Message::default().number(1, width).number(1, width).number(2, FLOAT).bytes(8, b"w").bytes(9, &weight);
    let mut graph = Message::default();
    let mut last = "x".to_owned();
    if form == Form::WholeNumbers {
        let cast = node("Cast", &["x"], "cast");
        let to = Message::default().bytes(1, b"to").number(3, FLOAT).number(20, 2);
        graph = graph.bytes(1, &cast.bytes(5, &to.0).0);
        last = "cast".to_owned();
    }
    for layer in 0..layers {
        let (product, output) = (format!("p{layer}"), format!("y{layer}"));
        graph = graph.bytes(1, &node("MatMul", &[&last, "w"], &product).0);
        graph = graph.bytes(1, &node("Relu", &[&product], &output).0);
        last = output;
    }
    graph = graph.bytes(2, b"graph").bytes(5, &weight.0);
    graph = graph.bytes(11, &value("x", if form == Form::WholeNumbers { INT64 } else { FLOAT }, width).0);
    if form == Form::TwoInputs {
        graph = graph.bytes(11, &value("other", FLOAT, width).0);
    }
    graph = graph.bytes(12, &value(&last, FLOAT, width).0);
    let operators = Message::default().bytes(1, b"").number(2, 13);
    let model = Message::default().number(1, 8).bytes(7, &graph.0).bytes(8, &operators.0);
    let path = folder.join(name);
    std::fs::write(&path, model.0).unwrap();
    path
}
