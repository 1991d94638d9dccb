//! What a weight is called that the file does not store.

use std::collections::{BTreeMap, BTreeSet};

use eagleeye_graph::{Graph, ParameterId, ParameterKind};

/// Names that are free once the weights' parts are gone.
pub(super) struct Names<'a> {
    graph: &'a Graph,
    taken: BTreeSet<String>,
    /// How often each name was asked for that was taken.
    asked: BTreeMap<String, usize>,
}

impl<'a> Names<'a> {
    pub fn new(graph: &'a Graph, gone: impl Fn(ParameterId) -> bool) -> Self {
        let parameters = graph.parameters.iter().enumerate().filter(|(id, _)| !gone(ParameterId(*id as u32)));
        let names = parameters.flat_map(|(_, p)| std::iter::once(&p.name).chain(&p.aliases));
        Self { graph, taken: names.cloned().collect(), asked: BTreeMap::new() }
    }

    /// The name of the largest tensor of this kind among those that the weight is computed from, or what PyTorch calls the
    /// weight once it is computed for good: `conv.weight` for `conv.weight_v` (weight norm), `conv.weight_orig` (pruning
    /// masks, spectral norm) and `conv.parametrizations.weight.original0`.
    pub fn of(&mut self, tensors: &[ParameterId], kind: ParameterKind, input: usize) -> String {
        let candidates = tensors.iter().map(|&id| self.graph.parameter(id)).filter(|p| p.kind == kind);
        let size = |shape: &[usize]| shape.iter().product::<usize>();
        let main = candidates.reduce(|main, other| if size(&other.shape) > size(&main.shape) { other } else { main });
        let main = main.map_or("", |p| p.name.as_str());
        let name = self.free(computed_for_good(main, if input == 1 { "weight" } else { "bias" }));
        self.taken.insert(name.clone());
        name
    }

    fn free(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        while self.taken.contains(&name) {
            let count = self.asked.entry(wanted.clone()).or_insert(1);
            *count += 1;
            name = format!("{wanted}_{count}");
        }
        name
    }
}

fn computed_for_good(main: &str, usual: &str) -> String {
    let (module, last) = main.rsplit_once('.').map_or(("", main), |(module, last)| (module, last));
    let within =
        |module: &str, name: &str| if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") };
    if let Some((owner, name)) = module.rsplit_once('.')
        && last.starts_with("original")
        && let Some(owner) = owner.strip_suffix("parametrizations")
    {
        return within(owner.trim_end_matches('.'), name);
    }
    if last.strip_suffix("_orig").or(last.strip_suffix("_v")).or(last.strip_suffix("_g")) == Some(usual) {
        return within(module, usual);
    }
    main.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_computed_weight_is_called_as_pytorch_calls_it() {
        let weight = |main: &str| computed_for_good(main, "weight");
        assert_eq!(weight("features.0.weight"), "features.0.weight");
        assert_eq!(weight("features.0.weight_v"), "features.0.weight");
        assert_eq!(weight("features.0.weight_orig"), "features.0.weight");
        assert_eq!(weight("features.0.parametrizations.weight.original1"), "features.0.weight");
        assert_eq!(weight("parametrizations.weight.original0"), "weight");
        assert_eq!(weight("onnx::Conv_12"), "onnx::Conv_12");
        assert_eq!(computed_for_good("0.bias_orig", "bias"), "0.bias");
    }
}
