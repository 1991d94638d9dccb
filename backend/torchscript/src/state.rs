//! The stored tensors of a module with their dotted names, as `state_dict` has them.

use std::collections::HashMap;

use eagleeye_graph::ParameterKind;
use eagleeye_graph::reading::Narrowed;
use tch::Tensor;

use super::description::{AttributeKind, Description, Literal, TensorLiteral};
use super::error::TorchScriptError;
use super::tensors::{from_data, reason};

/// Names of one module's tensors and submodules. The same submodule can be reached along several paths, so a few modules can
/// have any number of names.
const MAX_NAMES: usize = 1 << 20;
const MAX_DEPTH: usize = 64;

/// A tensor of the module's state.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    pub aliases: Vec<String>,
    pub kind: ParameterKind,
    /// Positions among the tensors that were read: one for each attribute that holds this tensor.
    pub indices: Vec<usize>,
}

/// All stored tensors in the order of `state_dict`, a tensor with several names once.
pub(super) fn entries(description: &Description, tensors: &[Tensor]) -> Result<Vec<Entry>, TorchScriptError> {
    let mut walk = Walk { description, tensors, entries: Vec::new(), by_identity: HashMap::new(), names: 0 };
    walk.object(0, "", 0)?;
    Ok(walk.entries)
}

/// Puts other tensors into the places of all parameters and buffers.
pub(super) fn replace(entries: &[Entry], tensors: &mut [Tensor], narrowed: &Narrowed) -> Result<(), TorchScriptError> {
    for entry in entries.iter().filter(|entry| entry.kind != ParameterKind::Constant) {
        let data = narrowed.tensors.get(&entry.name);
        let data = data.ok_or_else(|| TorchScriptError::NoStandIn { name: entry.name.clone() })?;
        let tensor = from_data(data).map_err(|error| TorchScriptError::Load(reason(&error)))?;
        for &index in &entry.indices {
            let place = tensors.get_mut(index);
            let place = place.ok_or_else(|| TorchScriptError::Missing { what: format!("tensor `{}`", entry.name) })?;
            *place = tensor.shallow_clone();
        }
    }
    Ok(())
}

struct Walk<'a> {
    description: &'a Description,
    tensors: &'a [Tensor],
    entries: Vec<Entry>,
    by_identity: HashMap<(Vec<i64>, Vec<i64>, ParameterKind), usize>,
    names: usize,
}

impl<'a> Walk<'a> {
    fn object(&mut self, index: usize, path: &str, depth: usize) -> Result<(), TorchScriptError> {
        let found: Option<&'a _> = self.description.objects.get(index);
        let object = found.ok_or_else(|| TorchScriptError::Missing { what: format!("object {index}") })?;
        if depth > MAX_DEPTH {
            return Err(TorchScriptError::Description(format!("modules are nested more than {MAX_DEPTH} deep")));
        }
        self.count()?;
        for wanted in [AttributeKind::Parameter, AttributeKind::Buffer, AttributeKind::Attribute] {
            for (name, kind, literal) in &object.attributes {
                if let (true, Literal::Tensor(tensor)) = (*kind == wanted, literal) {
                    self.tensor(&join(path, name), wanted, tensor)?;
                }
            }
        }
        for (name, _, literal) in &object.attributes {
            if let Literal::Object(child) = literal {
                self.object(*child, &join(path, name), depth + 1)?;
            }
        }
        Ok(())
    }

    fn tensor(&mut self, name: &str, kind: AttributeKind, literal: &TensorLiteral) -> Result<(), TorchScriptError> {
        self.count()?;
        let kind = match kind {
            AttributeKind::Parameter => ParameterKind::Parameter,
            AttributeKind::Buffer => ParameterKind::Buffer,
            AttributeKind::Attribute => ParameterKind::Constant,
        };
        let tensor = self.tensors.get(literal.index);
        let tensor = tensor.ok_or_else(|| TorchScriptError::Missing { what: format!("tensor `{name}`") })?;
        // Empty tensors have no memory that could be shared.
        if tensor.numel() > 0 {
            let identity = (literal.identity.clone(), tensor.size(), kind);
            if let Some(&index) = self.by_identity.get(&identity) {
                let entry = &mut self.entries[index];
                entry.aliases.push(name.to_owned());
                entry.indices.push(literal.index);
                return Ok(());
            }
            self.by_identity.insert(identity, self.entries.len());
        }
        let indices = vec![literal.index];
        self.entries.push(Entry { name: name.to_owned(), aliases: Vec::new(), kind, indices });
        Ok(())
    }

    fn count(&mut self) -> Result<(), TorchScriptError> {
        self.names += 1;
        match self.names {
            0..=MAX_NAMES => Ok(()),
            _ => Err(TorchScriptError::Description(format!("the state has more than {MAX_NAMES} names"))),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::super::description::Object;
    use super::*;

    #[test]
    fn few_modules_with_any_number_of_paths_are_refused() {
        // Each module holds the next one twice.
        let child = |name: &str, index: usize| (name.to_owned(), AttributeKind::Attribute, Literal::Object(index + 1));
        let holder = |index| Object {
            class: "M".into(),
            module: true,
            attributes: vec![child("left", index), child("right", index)],
        };
        let last = Object { class: "M".into(), module: true, attributes: Vec::new() };
        let description = Description {
            metadata: Default::default(),
            functions: Default::default(),
            objects: (0..MAX_DEPTH - 1).map(holder).chain([last]).collect(),
        };
        let error = entries(&description, &[]).unwrap_err().to_string();
        assert!(error.contains("names"), "{error}");
    }
}
