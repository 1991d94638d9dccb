//! Bounds what decoding may cost, before anything is decoded.
//!
//! A message of two bytes becomes a structure of a hundred: a small file could ask for any amount of memory. This counts the
//! messages, strings and numbers that the bytes describe, without making them.

use crate::error::OnnxError;

/// Messages, strings and numbers outside of raw tensor data that a file may describe. The largest networks in use have some
/// ten thousand nodes.
const MAX_ITEMS: u64 = 1 << 23;
/// Levels of nesting; prost ends at 100.
const MAX_DEPTH: usize = 100;

/// The messages, by what their fields hold.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Function,
    ValueInfo,
    /// Types, shapes and their sizes. Every field is taken for a message of the same kind.
    Type,
    /// Pairs of texts: metadata, versions, places of external data.
    Entry,
}

/// What a length-delimited field holds.
enum Field {
    Message(Kind),
    /// One allocation.
    Text,
    /// Packed numbers, at most one for each byte.
    Numbers,
    /// Packed numbers as wide as in memory.
    Plain,
}

impl Kind {
    /// What the structure itself counts: attributes have room for a tensor and a graph.
    fn weight(self) -> u64 {
        if matches!(self, Self::Attribute) { 4 } else { 0 }
    }

    fn field(self, number: u64) -> Field {
        use Field::{Message, Numbers, Plain, Text};
        match (self, number) {
            (Self::Model, 7) => Message(Self::Graph),
            (Self::Model, 25) => Message(Self::Function),
            (Self::Model, 8 | 14) => Message(Self::Entry),
            (Self::Graph, 1) | (Self::Function, 7) => Message(Self::Node),
            (Self::Graph, 5) => Message(Self::Tensor),
            (Self::Graph, 15) => Message(Self::SparseTensor),
            (Self::Graph, 11..=13) | (Self::Function, 12) => Message(Self::ValueInfo),
            (Self::Graph, 16) | (Self::Function, 9 | 14) => Message(Self::Entry),
            (Self::Node, 5) | (Self::Function, 11) => Message(Self::Attribute),
            (Self::Node, 9) | (Self::ValueInfo, 4) => Message(Self::Entry),
            (Self::ValueInfo, 2) | (Self::Type, _) => Message(Self::Type),
            (Self::Attribute, 5 | 10) => Message(Self::Tensor),
            (Self::Attribute, 6 | 11) => Message(Self::Graph),
            (Self::Attribute, 22 | 23) => Message(Self::SparseTensor),
            (Self::Attribute, 14 | 15) => Message(Self::Type),
            (Self::Attribute, 7) => Plain,
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7 | 11) | (Self::SparseTensor, 3) => Numbers,
            (Self::Tensor, 4 | 9 | 10) => Plain,
            (Self::Tensor, 13 | 16) => Message(Self::Entry),
            (Self::SparseTensor, 1 | 2) => Message(Self::Tensor),
            _ => Text,
        }
    }
}

/// Refuses bytes that describe more than a network can need. Malformed bytes pass: decoding says what is wrong with them.
pub(super) fn check(bytes: &[u8]) -> Result<(), OnnxError> {
    let mut scan = Scan { items: 0 };
    match scan.message(bytes, Kind::Model, 0) {
        Some(()) | None if scan.items <= MAX_ITEMS => Ok(()),
        _ => Err(OnnxError::TooComplex(format!("more than {MAX_ITEMS} fields"))),
    }
}

struct Scan {
    items: u64,
}

impl Scan {
    /// Counts the fields of a message; `None` where the bytes are malformed or the count is over the limit.
    fn message(&mut self, mut bytes: &[u8], kind: Kind, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        while !bytes.is_empty() {
            self.count(1)?;
            let key = varint(&mut bytes)?;
            match key & 7 {
                0 => {
                    varint(&mut bytes)?;
                }
                1 => skip(&mut bytes, 8)?,
                5 => skip(&mut bytes, 4)?,
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    let content = bytes.get(..length)?;
                    match kind.field(key >> 3) {
                        Field::Message(inner) => {
                            self.count(inner.weight())?;
                            self.inner(content, inner, kind, depth)?;
                        }
                        Field::Numbers => self.count(content.len() as u64 / 4)?,
                        Field::Text | Field::Plain => {}
                    }
                    skip(&mut bytes, length)?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// A field of a type can be text, which does not look like a message: that is no reason to stop counting.
    fn inner(&mut self, content: &[u8], inner: Kind, outer: Kind, depth: usize) -> Option<()> {
        let counted = self.message(content, inner, depth + 1);
        match outer {
            Kind::Type if self.items <= MAX_ITEMS => Some(()),
            _ => counted,
        }
    }

    fn count(&mut self, items: u64) -> Option<()> {
        self.items = self.items.saturating_add(items);
        (self.items <= MAX_ITEMS).then_some(())
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn skip(bytes: &mut &[u8], length: usize) -> Option<()> {
    *bytes = bytes.get(length..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto};

    fn model(graph: GraphProto) -> Vec<u8> {
        ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
    }

    #[test]
    fn millions_of_empty_nodes_are_refused_before_they_are_made() {
        let graph = GraphProto { node: vec![NodeProto::default(); 1000], ..GraphProto::default() };
        assert!(check(&model(graph)).is_ok());
        let nodes = [0x0a, 0].repeat(MAX_ITEMS as usize);
        let mut bytes = vec![0x3a];
        prost::encoding::encode_varint(nodes.len() as u64, &mut bytes);
        bytes.extend(nodes);
        assert!(matches!(check(&bytes), Err(OnnxError::TooComplex(_))));
    }

    #[test]
    fn raw_tensor_data_costs_nothing() {
        let tensor = TensorProto { raw_data: Some(vec![0; 64 << 20].into()), ..TensorProto::default() };
        assert!(check(&model(GraphProto { initializer: vec![tensor], ..GraphProto::default() })).is_ok());
    }
}
