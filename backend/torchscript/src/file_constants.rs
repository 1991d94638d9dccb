//! Tensors that a file stores with its code. A frozen module (`torch.jit.freeze`) has all of its weights there.

use std::collections::{HashMap, HashSet};

use eagleeye_graph::{Graph, Op, ParameterId, ParameterKind, ValueId};
use tch::{Kind, TchError, Tensor};

use super::description::{Block, Description, Literal, TensorLiteral};

/// Entries of the copies that are remembered: far more than the weights of any classifier.
const MAX_ENTRIES: usize = 1 << 29;
/// Copies that are remembered.
const MAX_COPIES: usize = 1 << 16;

/// The tensors of the code of a module of one function, by the names that libtorch gives them there: `CONSTANTS.c0`, ...
#[derive(Debug, Default)]
pub(super) struct FileConstants {
    /// By address, offset and strides.
    names: HashMap<Vec<i64>, String>,
    originals: HashMap<String, Tensor>,
    /// Copies that the code computes with, by the address of their entries, which they keep alive.
    copies: HashMap<usize, (Tensor, String)>,
    entries: usize,
    lowered: HashMap<String, ValueId>,
}

impl FileConstants {
    /// Numbers the constants in the order in which the code uses them, as libtorch does when it writes the code. Of a module
    /// with several functions nothing tells in which order these were written.
    pub fn of(description: &Description) -> Self {
        let mut constants = Self::default();
        if let (Some(function), 1) = (description.functions.values().next(), description.functions.len()) {
            constants.number(&function.body, &mut HashMap::new());
        }
        constants
    }

    /// `made` has the constants that stand before the block, by the number of their value.
    fn number<'d>(&mut self, block: &'d Block, made: &mut HashMap<usize, &'d TensorLiteral>) {
        for node in &block.nodes {
            if let ("prim::Constant", Some(Literal::Tensor(tensor)), &[output]) =
                (node.kind.as_str(), &node.value, &node.outputs[..])
            {
                made.insert(output, tensor);
            }
            for tensor in node.inputs.iter().filter_map(|input| made.get(input)) {
                let next = self.names.len();
                self.names.entry(tensor.identity.clone()).or_insert_with(|| format!("CONSTANTS.c{next}"));
            }
            node.blocks.iter().for_each(|inner| self.number(inner, made));
        }
    }

    /// Remembers a copy of a constant.
    pub fn remember(&mut self, literal: &TensorLiteral, original: &Tensor, copy: &Tensor) {
        let Some(name) = self.names.get(&literal.identity) else { return };
        self.entries = self.entries.saturating_add(copy.numel());
        if self.entries <= MAX_ENTRIES && self.copies.len() < MAX_COPIES {
            self.originals.entry(name.clone()).or_insert_with(|| original.shallow_clone());
            self.copies.insert(copy.data_ptr() as usize, (copy.shallow_clone(), name.clone()));
        }
    }

    /// The constant that a tensor is, unless the code has changed it in place or sees it in another way.
    pub fn find(&self, tensor: &Tensor) -> Result<Option<String>, TchError> {
        let Some((copy, name)) = self.copies.get(&(tensor.data_ptr() as usize)) else { return Ok(None) };
        let same = tensor.size() == copy.size() && tensor.stride() == copy.stride() && tensor.kind() == copy.kind();
        let float = matches!(tensor.kind(), Kind::Float | Kind::Half | Kind::BFloat16 | Kind::Double);
        let Some(original) = self.originals.get(name).filter(|_| same && float) else { return Ok(None) };
        Ok(tensor.f_equal(original)?.then(|| name.clone()))
    }

    pub fn lowered(&self, name: &str) -> Option<ValueId> {
        self.lowered.get(name).copied()
    }

    pub fn lower(&mut self, name: &str, value: ValueId) {
        self.lowered.insert(name.to_owned(), value);
    }

    /// Gives the constants that layers read as weights the kinds that they had before the module was frozen.
    pub fn make_parameters(&self, graph: &mut Graph) {
        let constants: HashSet<ParameterId> = self.lowered.values().filter_map(|&v| graph.parameter_of(v)).collect();
        let mut kinds: HashMap<ParameterId, ParameterKind> = HashMap::new();
        for node in &graph.nodes {
            let layer = matches!(
                node.op,
                Op::Conv(_) | Op::Linear { .. } | Op::LayerNorm { .. } | Op::GroupNorm { .. } | Op::PRelu
            );
            let statistics = match node.op {
                Op::BatchNorm { .. } => node.inputs.len() - 2,
                _ if layer => node.inputs.len(),
                _ => continue,
            };
            for (index, &input) in node.inputs.iter().enumerate().skip(1) {
                let kind = if index < statistics { ParameterKind::Parameter } else { ParameterKind::Buffer };
                if let Some(id) = graph.parameter_of(input).filter(|id| constants.contains(id)) {
                    kinds.entry(id).or_insert(kind);
                }
            }
        }
        kinds.into_iter().for_each(|(id, kind)| graph.parameters[id.index()].kind = kind);
    }
}
