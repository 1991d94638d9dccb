//! What a file has that the graph cannot say.

use std::fmt;

/// An operation of a file that has no form in the graph, with the node that has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsupported {
    /// The format's own name, for example TorchScript's `aten::fft_rfft`; in ONNX with the domain where that is not ONNX's own:
    /// `NonMaxSuppression`, `com.microsoft::FusedConv`.
    pub operator: String,
    /// How the file calls the node. TorchScript: path of the module and the operation, for example `features.3.fft_rfft`. ONNX:
    /// the node's name, or the name of its first output where it has none.
    pub node: String,
    /// What about it is not supported; empty where the operator is not known at all.
    pub reason: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at `{}`", self.operator, self.node)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", self.reason) }
    }
}

impl Unsupported {
    /// All of them in one line.
    pub fn list(all: &[Self]) -> String {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_listed_with_their_node_and_what_is_known_against_them() {
        let new = |operator: &str, node: &str, reason: &str| Unsupported {
            operator: operator.into(),
            node: node.into(),
            reason: reason.into(),
        };
        let all = [new("aten::fft_rfft", "features.3.fft_rfft", ""), new("Pad", "/pad", "pads the batch")];
        assert_eq!(Unsupported::list(&all), "aten::fft_rfft at `features.3.fft_rfft`; Pad at `/pad` (pads the batch)");
        assert_eq!(Unsupported::list(&[]), "");
    }
}
