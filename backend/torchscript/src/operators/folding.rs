//! Operators that are computed while the network is read, because they work on sizes, numbers, containers or tensors that do
//! not depend on the input.

use crate::call::Call;
use crate::fault::Lowered;
use crate::lowering::Lowering;
use crate::value::Value;

/// An operator that is computed while the network is read.
#[derive(Clone, Copy, Debug)]
pub struct Folded {
    pub name: &'static str,
    takes: Takes,
    pub(super) compute: fn(&mut Lowering, &Call) -> Lowered,
}

/// What may be unknown of the arguments.
#[derive(Clone, Copy, Debug)]
enum Takes {
    Known,
    /// Parts of containers may be unknown, but no argument as a whole.
    UnknownParts,
    Anything,
}

impl Folded {
    pub(super) const fn new(name: &'static str, compute: fn(&mut Lowering, &Call) -> Lowered) -> Self {
        Self { name, takes: Takes::Known, compute }
    }

    /// One that looks at no part of its arguments.
    pub(super) const fn of_parts(name: &'static str, compute: fn(&mut Lowering, &Call) -> Lowered) -> Self {
        Self { name, takes: Takes::UnknownParts, compute }
    }

    /// One that carries its arguments along, whatever they are. What is unknown matters where it is used; something unknown in
    /// a list makes the list unknown, and no shorter one.
    pub(super) const fn carrying(name: &'static str, compute: fn(&mut Lowering, &Call) -> Lowered) -> Self {
        Self { name, takes: Takes::Anything, compute }
    }

    /// Whether the operator takes arguments of which something is unknown.
    pub(super) fn takes_unknown(&self, arguments: &[Value]) -> bool {
        match self.takes {
            Takes::Known => false,
            Takes::UnknownParts => !arguments.iter().any(|argument| matches!(argument, Value::Unknown)),
            Takes::Anything => true,
        }
    }
}

/// Operators on one kind of values.
#[derive(Clone, Copy, Debug)]
pub struct FoldedFamily {
    /// What the operators work on.
    pub title: &'static str,
    /// Whether a call of one of these names is about that.
    pub(super) applies: fn(&Call) -> bool,
    pub operators: &'static [Folded],
}
