//! Tensors whose entries are known while the network is read: shapes, indices, masks, numbers.

use eagleeye_graph::Count;

use super::fault::{Fault, invalid, unsupported};
use crate::proto::tensor_proto::DataType;

/// Entries of one known tensor. Networks compute with shapes, index tables and attention masks; none comes near this.
pub(super) const MAX_KNOWN: usize = 1 << 23;
/// Axes of a tensor. PyTorch ends at 64, and no network comes near.
pub(super) const MAX_RANK: usize = 32;

/// The entries of a tensor, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entries {
    /// Numbers that were rounded to `f32` where the file's type has no more digits.
    Float(Vec<f64>),
    /// Whole numbers, which may depend on the batch.
    Int(Vec<Count>),
    Bool(Vec<bool>),
}

/// A tensor with known entries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub shape: Vec<usize>,
    pub entries: Entries,
    /// Whether floats have the digits of `f64`.
    pub double: bool,
    /// The type of whole numbers.
    pub whole_type: WholeType,
}

/// A type of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WholeType {
    bits: u32,
    signed: bool,
}

impl WholeType {
    pub const I64: Self = Self { bits: 64, signed: true };

    /// `None` for the types of anything but whole numbers.
    pub fn of(kind: DataType) -> Option<Self> {
        let (bits, signed) = match kind {
            DataType::Uint8 => (8, false),
            DataType::Int8 => (8, true),
            DataType::Uint16 => (16, false),
            DataType::Int16 => (16, true),
            DataType::Uint32 => (32, false),
            DataType::Int32 => (32, true),
            DataType::Uint64 => (64, false),
            DataType::Int64 => (64, true),
            _ => return None,
        };
        Some(Self { bits, signed })
    }

    /// The number that is left of one in this type; `None` where it is beyond what is computed with.
    fn wrapped(self, number: i64) -> Option<i64> {
        if self.bits == 64 {
            return (self.signed || number >= 0).then_some(number);
        }
        let unused = 64 - self.bits;
        let highest = number << unused;
        Some(if self.signed { highest >> unused } else { (highest.cast_unsigned() >> unused).cast_signed() })
    }
}

impl Known {
    pub fn ints(shape: Vec<usize>, entries: Vec<Count>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), entries.len());
        Self { shape, entries: Entries::Int(entries), double: false, whole_type: WholeType::I64 }
    }

    pub fn bools(shape: Vec<usize>, entries: Vec<bool>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), entries.len());
        Self { shape, entries: Entries::Bool(entries), double: false, whole_type: WholeType::I64 }
    }

    /// Floats, rounded to `f32` unless they are `double`.
    pub fn floats(shape: Vec<usize>, mut entries: Vec<f64>, double: bool) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), entries.len());
        if !double {
            entries.iter_mut().for_each(|v| *v = f64::from(*v as f32));
        }
        Self { shape, entries: Entries::Float(entries), double, whole_type: WholeType::I64 }
    }

    /// The same whole numbers in another type, of which each keeps what it has room for.
    pub fn in_type(mut self, whole_type: WholeType) -> Result<Self, Fault> {
        self.whole_type = whole_type;
        if let (Entries::Int(entries), true) = (&mut self.entries, whole_type != WholeType::I64) {
            for entry in entries {
                if let Some(number) = entry.known() {
                    let wrapped = whole_type.wrapped(number).map(Count::fixed);
                    *entry = wrapped.ok_or_else(|| Fault::Unsupported("an integer beyond 63 bits".into()))?;
                }
            }
        }
        Ok(self)
    }

    /// A list of whole numbers.
    pub fn list(entries: impl IntoIterator<Item = Count>) -> Self {
        let entries: Vec<Count> = entries.into_iter().collect();
        Self::ints(vec![entries.len()], entries)
    }

    pub fn is_float(&self) -> bool {
        matches!(self.entries, Entries::Float(_))
    }

    pub fn is_bool(&self) -> bool {
        matches!(self.entries, Entries::Bool(_))
    }

    pub fn len(&self) -> usize {
        match &self.entries {
            Entries::Float(v) => v.len(),
            Entries::Int(v) => v.len(),
            Entries::Bool(v) => v.len(),
        }
    }

    /// Whether all entries are the same.
    pub fn is_uniform(&self) -> bool {
        fn same<T: PartialEq>(entries: &[T]) -> bool {
            entries.windows(2).all(|pair| pair[0] == pair[1])
        }
        match &self.entries {
            Entries::Float(v) => same(v),
            Entries::Int(v) => same(v),
            Entries::Bool(v) => same(v),
        }
    }

    /// The number that all entries are.
    pub fn uniform(&self) -> Option<f64> {
        if self.is_uniform() { self.numbers().ok()?.first().copied() } else { None }
    }

    /// The number in a tensor of one entry, of any rank.
    pub fn number(&self) -> Option<f64> {
        match &self.entries {
            Entries::Float(v) => <[f64; 1]>::try_from(&v[..]).ok().map(|[v]| v),
            Entries::Int(v) => <[Count; 1]>::try_from(&v[..]).ok().and_then(|[v]| v.known()).map(|v| v as f64),
            Entries::Bool(v) => <[bool; 1]>::try_from(&v[..]).ok().map(|[v]| f64::from(u8::from(v))),
        }
    }

    /// Whole numbers; bools count as 0 and 1.
    pub fn counts(&self) -> Result<Vec<Count>, Fault> {
        match &self.entries {
            Entries::Int(v) => Ok(v.clone()),
            Entries::Bool(v) => Ok(v.iter().map(|&v| Count::fixed(i64::from(v))).collect()),
            Entries::Float(_) => Err(Fault::Invalid("has floats instead of integers".into())),
        }
    }

    /// Whole numbers that do not depend on the batch.
    pub fn whole(&self) -> Result<Vec<i64>, Fault> {
        let known = self.counts()?.into_iter().map(Count::known).collect::<Option<Vec<_>>>();
        known.map_or_else(|| unsupported("depends on the batch size"), Ok)
    }

    /// The entries as floats.
    pub fn numbers(&self) -> Result<Vec<f64>, Fault> {
        match &self.entries {
            Entries::Float(v) => Ok(v.clone()),
            _ => Ok(self.whole()?.into_iter().map(|v| v as f64).collect()),
        }
    }

    /// Whether each entry is true, that is not zero.
    pub fn truths(&self) -> Result<Vec<bool>, Fault> {
        match &self.entries {
            Entries::Bool(v) => Ok(v.clone()),
            _ => Ok(self.numbers()?.into_iter().map(|v| v != 0.0).collect()),
        }
    }

    /// The tensor of `shape` whose entries stand at these positions of this one.
    pub fn take(&self, shape: Vec<usize>, positions: &[usize]) -> Self {
        fn pick<T: Copy>(entries: &[T], positions: &[usize]) -> Vec<T> {
            positions.iter().map(|&p| entries[p]).collect()
        }
        let entries = match &self.entries {
            Entries::Float(v) => Entries::Float(pick(v, positions)),
            Entries::Int(v) => Entries::Int(pick(v, positions)),
            Entries::Bool(v) => Entries::Bool(pick(v, positions)),
        };
        Self { shape, entries, ..*self }
    }

    /// The same entries in another shape of the same size.
    pub fn reshaped(&self, shape: Vec<usize>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), self.len());
        Self { shape, ..self.clone() }
    }
}

/// Number of entries of a shape, where a known tensor may have as many.
pub(super) fn size_of(shape: &[usize]) -> Result<usize, Fault> {
    if shape.len() > MAX_RANK {
        return invalid(format!("makes a tensor of rank {}", shape.len()));
    }
    // An empty tensor may not have huge axes either: sizes are multiplied in any order later.
    let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1))).filter(|&n| n <= MAX_KNOWN);
    let size = size.ok_or_else(|| Fault::Invalid(format!("makes a constant of more than {MAX_KNOWN} entries")))?;
    Ok(if shape.contains(&0) { 0 } else { size })
}

/// Distance between neighbours along each axis, in row-major order.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

/// For every entry of a tensor of `shape`, in order, the sum of `offset(axis, index)` over its axes.
pub(super) fn positions(shape: &[usize], offset: impl Fn(usize, usize) -> usize) -> Vec<usize> {
    let mut positions = vec![0];
    for (axis, &size) in shape.iter().enumerate() {
        let offsets: Vec<usize> = (0..size).map(|index| offset(axis, index)).collect();
        positions = positions.iter().flat_map(|&p| offsets.iter().map(move |&o| p + o)).collect();
    }
    positions
}

/// Positions in a tensor of shape `from` of the entries of its broadcast to `to`.
pub(super) fn broadcast_positions(from: &[usize], to: &[usize]) -> Vec<usize> {
    let strides = strides(from);
    let missing = to.len().saturating_sub(from.len());
    positions(to, |axis, index| match axis.checked_sub(missing) {
        Some(own) if from[own] != 1 => index * strides[own],
        _ => 0,
    })
}

/// The shape that two tensors broadcast to.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let sizes = (0..rank).map(|axis| match (at(a, axis), at(b, axis)) {
        (x, y) if x == y || y == 1 => Ok(x),
        (1, y) => Ok(y),
        _ => Err(Fault::Invalid(format!("the shapes {a:?} and {b:?} cannot be broadcast together"))),
    });
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_position() {
        let x = Known::floats(vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], false);
        let transposed = positions(&[3, 2], |axis, i| i * [1, 3][axis]);
        assert_eq!(x.take(vec![3, 2], &transposed).entries, Entries::Float(vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(broadcast_positions(&[3, 1], &[2, 3, 2]), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
        assert_eq!(positions(&[], |_, _| 7), [0]);
        assert!(positions(&[2, 0], |_, _| 0).is_empty());
    }

    #[test]
    fn single_floats_are_rounded_and_doubles_are_not() {
        assert_eq!(Known::floats(vec![], vec![0.1], false).number(), Some(f64::from(0.1f32)));
        assert_eq!(Known::floats(vec![], vec![0.1], true).number(), Some(0.1));
    }

    #[test]
    fn whole_numbers_keep_what_their_type_has_room_for() {
        let in_type = |kind, number| {
            let known = Known::ints(vec![], vec![Count::fixed(number)]).in_type(WholeType::of(kind).unwrap());
            known.ok().and_then(|known| known.number())
        };
        assert_eq!(in_type(DataType::Uint8, 300), Some(44.0));
        assert_eq!(in_type(DataType::Uint8, -6), Some(250.0));
        assert_eq!(in_type(DataType::Int8, 200), Some(-56.0));
        assert_eq!(in_type(DataType::Int32, 1 << 31), Some(f64::from(i32::MIN)));
        assert_eq!(in_type(DataType::Uint64, 5), Some(5.0));
        assert_eq!(in_type(DataType::Uint64, -6), None);
    }

    #[test]
    fn large_constants_are_refused() {
        assert!(size_of(&[1 << 32, 1 << 32]).is_err() && size_of(&[1 << 12, 1 << 12]).is_err());
        assert!(size_of(&[0, 1 << 40]).is_err());
        assert_eq!(size_of(&[0, 1 << 4]).unwrap(), 0);
    }
}
