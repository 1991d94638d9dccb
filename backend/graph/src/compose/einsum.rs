//! Sums of products over named axes, as permutations, matrix products and sums along axes.

use std::collections::BTreeSet;

use super::Compose;
use crate::ir::ValueId;
use crate::ops::{Binary, Op, Reduction};
use crate::shape::{Dim, Shape};

type Made<C, T = ValueId> = Result<T, <C as Compose>::Fault>;

/// The most axes that the dots of an equation may stand for.
const MAX_DOTS: usize = 36;
/// The most operands of an equation.
const MAX_OPERANDS: usize = 64;

/// A tensor and the names of its axes.
struct Term {
    value: ValueId,
    axes: Vec<char>,
}

/// Computes `equation` (NumPy's form, `...` included) on the operands, from the left to the right.
///
/// A product with a stored matrix over the matrix's whole side is a linear layer. Not supported: an axis that is named twice
/// in one operand, and sums over the batch.
pub fn einsum<C: Compose>(c: &mut C, equation: &str, operands: &[ValueId]) -> Made<C> {
    let ranks: Vec<usize> = operands.iter().map(|&x| c.shape(x).len()).collect();
    let (inputs, output) =
        parsed(equation, &ranks).map_err(|reason| C::unsupported(format!("the equation `{equation}` {reason}")))?;
    let mut terms: Vec<Term> = operands.iter().zip(inputs).map(|(&value, axes)| Term { value, axes }).collect();
    drop_single_entries(c, &mut terms)?;
    let mut terms = terms.into_iter();
    let mut result = terms.next().ok_or_else(|| C::invalid("has no operands".into()))?;
    while let Some(next) = terms.next() {
        let later = terms.as_slice().iter().flat_map(|t| &t.axes);
        let needed: BTreeSet<char> = output.iter().chain(later).copied().collect();
        result = contracted(c, result, next, &needed)?;
    }
    let needed = output.iter().copied().collect();
    result = summed(c, result, |axis| BTreeSet::contains(&needed, &axis))?;
    arranged(c, result, &output).map(|term| term.value)
}

/// The names of the axes of every operand and of the result.
fn parsed(equation: &str, ranks: &[usize]) -> Result<(Vec<Vec<char>>, Vec<char>), String> {
    let compact: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match compact.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (compact.as_str(), None),
    };
    let inputs: Vec<&str> = inputs.split(',').collect();
    if inputs.len() > MAX_OPERANDS {
        return Err(format!("has {} operands, more than {MAX_OPERANDS}", inputs.len()));
    }
    if inputs.len() != ranks.len() {
        return Err(format!("names {} operands, but the operator has {}", inputs.len(), ranks.len()));
    }
    let most = inputs.iter().zip(ranks).filter_map(|(term, &rank)| dots(term, rank)).max().unwrap_or(0);
    if most > MAX_DOTS {
        return Err(format!("has an ellipsis for more than {MAX_DOTS} axes"));
    }
    let mut terms = Vec::with_capacity(inputs.len());
    for (term, &rank) in inputs.iter().zip(ranks) {
        let axes = names(term, dots(term, rank).unwrap_or(0), most)?;
        if axes.len() != rank {
            return Err(format!("names {} axes for a tensor of rank {rank}", axes.len()));
        }
        if let Some(twice) = repeated(&axes) {
            return Err(format!("takes a diagonal along `{twice}`"));
        }
        terms.push(axes);
    }
    let output = match output {
        Some(output) => names(output, most, most)?,
        None => implied(&terms),
    };
    let known = output.iter().all(|axis| terms.iter().any(|t| t.contains(axis)));
    if !known || repeated(&output).is_some() {
        return Err("names an axis of the result that no operand has, or names an axis twice".into());
    }
    Ok((terms, output))
}

/// How many axes the dots of a term stand for.
fn dots(term: &str, rank: usize) -> Option<usize> {
    term.contains("...").then(|| rank.saturating_sub(term.chars().filter(|c| *c != '.').count()))
}

/// The axes of a term; dots stand for the last `count` of `most` axes without a letter.
fn names(term: &str, count: usize, most: usize) -> Result<Vec<char>, String> {
    let letters = |text: &str| {
        let axes: Vec<char> = text.chars().collect();
        if axes.iter().all(char::is_ascii_alphabetic) {
            Ok(axes)
        } else {
            Err("contains characters other than letters".to_owned())
        }
    };
    let Some((before, after)) = term.split_once("...") else {
        return letters(term);
    };
    let unnamed = (most - count..most).filter_map(unnamed_axis);
    Ok(letters(before)?.into_iter().chain(unnamed).chain(letters(after)?).collect())
}

/// A name that no letter of an equation is; they sort as the axes do.
fn unnamed_axis(index: usize) -> Option<char> {
    char::from_u32(0x1000 + u32::try_from(index).ok()?)
}

fn repeated(axes: &[char]) -> Option<char> {
    axes.iter().enumerate().find(|(i, axis)| axes[..*i].contains(axis)).map(|(_, axis)| *axis)
}

/// The axes of the result where the equation does not say: those of the dots, then letters that stand once, sorted.
fn implied(terms: &[Vec<char>]) -> Vec<char> {
    let all: Vec<char> = terms.concat();
    let unnamed: BTreeSet<char> = all.iter().copied().filter(|c| !c.is_ascii_alphabetic()).collect();
    let once = |axis: &char| axis.is_ascii_alphabetic() && all.iter().filter(|a| *a == axis).count() == 1;
    let letters: BTreeSet<char> = all.iter().copied().filter(once).collect();
    unnamed.into_iter().chain(letters).collect()
}

/// Axes of one entry that are longer in another operand are broadcast: they are left out.
fn drop_single_entries<C: Compose>(c: &mut C, terms: &mut [Term]) -> Made<C, ()> {
    let mut sizes: Vec<(char, Dim)> = Vec::new();
    for term in terms.iter() {
        for (&axis, &size) in term.axes.iter().zip(c.shape(term.value)) {
            match sizes.iter_mut().find(|(name, _)| *name == axis) {
                Some((_, known)) if *known == Dim::Fixed(1) => *known = size,
                Some((_, known)) if *known != size && size != Dim::Fixed(1) => {
                    let (known, size) = (known.sample(), size.sample());
                    return Err(C::invalid(format!("an axis has both {known} and {size} entries")));
                }
                Some(_) => {}
                None => sizes.push((axis, size)),
            }
        }
    }
    for term in terms.iter_mut() {
        let full = |axis: &char, size: &Dim| sizes.iter().any(|(name, known)| name == axis && known == size);
        let shape = c.shape(term.value).clone();
        let kept: Vec<(char, Dim)> =
            term.axes.iter().copied().zip(shape).filter(|(axis, size)| full(axis, size)).collect();
        if kept.len() < term.axes.len() {
            term.value = c.reshape(term.value, kept.iter().map(|(_, size)| *size).collect())?;
            term.axes = kept.into_iter().map(|(axis, _)| axis).collect();
        }
    }
    Ok(())
}

/// Sums over the axes that nobody needs.
fn summed<C: Compose>(c: &mut C, term: Term, needed: impl Fn(char) -> bool) -> Made<C, Term> {
    let gone: Vec<usize> = (0..term.axes.len()).filter(|&i| !needed(term.axes[i])).collect();
    let value = c.reduce(Reduction::Sum, &gone, false, term.value)?;
    Ok(Term { value, axes: term.axes.into_iter().filter(|&axis| needed(axis)).collect() })
}

/// Permutes the axes into an order.
fn arranged<C: Compose>(c: &mut C, term: Term, order: &[char]) -> Made<C, Term> {
    let places = order.iter().map(|axis| term.axes.iter().position(|a| a == axis)).collect::<Option<Vec<_>>>();
    let places = places.ok_or_else(|| C::invalid("an axis does not occur in any operand".into()))?;
    Ok(Term { value: c.permute(term.value, places)?, axes: order.to_vec() })
}

/// How the axes of two operands belong together.
struct Axes {
    /// In both operands and in the result.
    shared: Vec<char>,
    /// In both operands and not in the result.
    summed: Vec<char>,
    rows: Vec<char>,
    columns: Vec<char>,
}

/// The product of two operands, with all axes that are needed later.
fn contracted<C: Compose>(c: &mut C, left: Term, right: Term, needed: &BTreeSet<char>) -> Made<C, Term> {
    let left = summed(c, left, |axis| needed.contains(&axis) || right.axes.contains(&axis))?;
    let right = summed(c, right, |axis| needed.contains(&axis) || left.axes.contains(&axis))?;
    let (both, rows): (Vec<char>, Vec<char>) = left.axes.iter().partition(|axis| right.axes.contains(axis));
    let columns = right.axes.iter().copied().filter(|axis| !left.axes.contains(axis)).collect();
    let (shared, summed) = both.into_iter().partition(|axis| needed.contains(axis));
    let axes = Axes { shared, summed, rows, columns };
    if axes.summed.is_empty() {
        return multiplied(c, left, right, &axes);
    }
    let weight = |c: &C, term: &Term| c.is_parameter(term.value) && axes.shared.is_empty();
    match (weight(c, &left), weight(c, &right)) {
        (false, true) => linear(c, left, right, &axes),
        (true, false) => {
            let axes = Axes { rows: axes.columns, columns: axes.rows, ..axes };
            linear(c, right, left, &axes)
        }
        _ => matrices(c, left, right, &axes),
    }
}

/// Without a sum: entry by entry, with broadcasting.
fn multiplied<C: Compose>(c: &mut C, left: Term, right: Term, axes: &Axes) -> Made<C, Term> {
    let all: Vec<char> = left.axes.iter().chain(&axes.columns).copied().collect();
    let mut spread = |term: Term| {
        let own: Vec<char> = all.iter().copied().filter(|axis| term.axes.contains(axis)).collect();
        let term = arranged(c, term, &own)?;
        let mut sizes = c.shape(term.value).clone().into_iter();
        let shape = all.iter().map(|axis| if own.contains(axis) { sizes.next() } else { None });
        let shape: Shape = shape.map(|size| size.unwrap_or(Dim::Fixed(1))).collect();
        // Broadcasting adds leading axes by itself.
        let first = all.iter().position(|axis| own.contains(axis)).unwrap_or(all.len());
        c.reshape(term.value, shape[first..].to_vec())
    };
    let (left, right) = (spread(left)?, spread(right)?);
    Ok(Term { value: c.binary(Binary::Mul, left, right)?, axes: all })
}

/// `x` by a stored tensor of which all axes are summed over or new.
fn linear<C: Compose>(c: &mut C, x: Term, weight: Term, axes: &Axes) -> Made<C, Term> {
    let x = arranged(c, x, &[&axes.rows[..], &axes.summed].concat())?;
    if axes.columns.is_empty() {
        let weight = arranged(c, weight, &axes.summed)?;
        let product = c.binary(Binary::Mul, x.value, weight.value)?;
        let over: Vec<usize> = (axes.rows.len()..x.axes.len()).collect();
        return Ok(Term { value: c.reduce(Reduction::Sum, &over, false, product)?, axes: axes.rows.clone() });
    }
    let (entries, _) = joined(c, x.value, axes.rows.len(), axes.summed.len())?;
    let (y, sizes) = match (&axes.columns[..], &axes.summed[..]) {
        ([_], [summed]) => {
            let transposed = weight.axes[0] == *summed;
            let size = c.shape(weight.value)[usize::from(transposed)];
            (c.push(Op::Linear { transposed }, &[entries, weight.value])?, vec![size])
        }
        _ => {
            let weight = arranged(c, weight, &[&axes.summed[..], &axes.columns].concat())?;
            let (matrix, sizes) = joined(c, weight.value, axes.summed.len(), axes.columns.len())?;
            let (matrix, _) = joined(c, matrix, 0, axes.summed.len())?;
            (c.product(entries, matrix)?, sizes)
        }
    };
    let mut shape = c.shape(y)[..axes.rows.len()].to_vec();
    shape.extend(sizes);
    Ok(Term { value: c.reshape(y, shape)?, axes: [&axes.rows[..], &axes.columns].concat() })
}

/// A product of matrices for each index of the shared axes.
fn matrices<C: Compose>(c: &mut C, left: Term, right: Term, axes: &Axes) -> Made<C, Term> {
    let Axes { shared, summed, rows, columns } = axes;
    let left = arranged(c, left, &[&shared[..], rows, summed].concat())?;
    let right = arranged(c, right, &[&shared[..], summed, columns].concat())?;
    let (a, height) = joined(c, left.value, shared.len(), rows.len())?;
    let (a, _) = joined(c, a, shared.len() + 1, summed.len())?;
    let (b, width) = joined(c, right.value, shared.len() + summed.len(), columns.len())?;
    let (b, _) = joined(c, b, shared.len(), summed.len())?;
    let y = c.product(a, b)?;
    let mut shape = c.shape(y)[..shared.len()].to_vec();
    shape.extend(height.into_iter().chain(width));
    Ok(Term { value: c.reshape(y, shape)?, axes: [&shared[..], rows, columns].concat() })
}

/// Makes `count` axes from `first` on one, and says their sizes. No axes become one of a single entry.
fn joined<C: Compose>(c: &mut C, x: ValueId, first: usize, count: usize) -> Made<C, (ValueId, Shape)> {
    let mut shape = c.shape(x).clone();
    let sizes = shape[first..first + count].to_vec();
    let mut one = Dim::Fixed(1);
    for size in &sizes {
        one = match (one, *size) {
            (Dim::Fixed(a), Dim::Fixed(b)) => Dim::Fixed(a.saturating_mul(b)),
            (Dim::Batch(a), Dim::Fixed(b)) | (Dim::Fixed(a), Dim::Batch(b)) => Dim::Batch(a.saturating_mul(b)),
            (Dim::Batch(_), Dim::Batch(_)) => return Err(C::unsupported("multiplies the batch with itself".into())),
        };
    }
    shape.splice(first..first + count, [one]);
    Ok((c.reshape(x, shape)?, sizes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(equation: &str, ranks: &[usize]) -> Result<String, String> {
        parsed(equation, ranks).map(|(_, output)| output.into_iter().collect())
    }

    #[test]
    fn an_equation_without_an_arrow_keeps_what_stands_once_in_order() {
        assert_eq!(output("ki,ij", &[2, 2]).unwrap(), "jk");
        assert_eq!(output("ba", &[2]).unwrap(), "ab");
    }

    #[test]
    fn dots_stand_for_the_last_axes_without_a_letter() {
        let (inputs, result) = parsed("...ij,...jk->...ik", &[4, 3]).unwrap();
        assert_eq!((inputs[0].len(), inputs[1].len(), result.len()), (4, 3, 4));
        assert_eq!(inputs[0][1], inputs[1][0]);
    }

    #[test]
    fn diagonals_and_misfits_are_named() {
        assert!(output("ii->i", &[2]).unwrap_err().contains("diagonal"));
        assert!(output("ij,jk->ik", &[2, 3]).unwrap_err().contains("2 axes for a tensor of rank 3"));
        assert!(output("ij->ijk", &[2]).unwrap_err().contains("no operand has"));
        assert!(output("i1->i", &[2]).unwrap_err().contains("letters"));
        assert!(output("ij,jk->ik", &[2]).unwrap_err().contains("2 operands, but the operator has 1"));
    }

    #[test]
    fn more_operands_than_any_network_has_are_refused() {
        let sum = |count: usize| output(&vec!["i"; count].join(","), &vec![1; count]);
        assert_eq!(sum(MAX_OPERANDS).unwrap(), "");
        assert!(sum(MAX_OPERANDS + 1).unwrap_err().contains("65 operands"));
    }

    #[test]
    fn every_axis_of_the_dots_has_a_name() {
        let (inputs, result) = parsed("...a->...", &[MAX_DOTS + 1]).unwrap();
        assert_eq!((inputs[0].len(), result.len()), (MAX_DOTS + 1, MAX_DOTS));
        assert!(parsed("...->...", &[MAX_DOTS + 1]).unwrap_err().contains("ellipsis"));
    }
}
