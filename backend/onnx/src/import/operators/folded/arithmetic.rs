//! Arithmetic, comparisons and functions of each entry.

use std::cmp::Ordering;

use eagleeye_graph::Count;

use super::{Fold, Inputs};
use crate::import::call::{Call, Lowered, constant};
use crate::import::extremes::{larger, smaller};
use crate::import::fault::{Fault, invalid, unsupported};
use crate::import::known::{Entries, Known, broadcast, broadcast_positions, size_of};
use crate::import::lowering::Lowering;

pub(super) const OPERATORS: &[(&str, Fold)] = &[
    ("Add", |lo, _, inputs| numeric(lo, inputs, Count::add, |a, b| a + b)),
    ("Sub", |lo, _, inputs| numeric(lo, inputs, Count::subtract, |a, b| a - b)),
    ("Mul", |lo, _, inputs| numeric(lo, inputs, Count::multiply, |a, b| a * b)),
    ("Div", |lo, _, inputs| numeric(lo, inputs, Count::truncated_divide, |a, b| a / b)),
    ("Pow", |lo, _, inputs| numeric(lo, inputs, power, f64::powf)),
    ("Mod", modulo),
    ("Sum", |lo, _, inputs| numeric(lo, inputs, Count::add, |a, b| a + b)),
    ("Mean", mean),
    ("Max", |lo, _, inputs| numeric(lo, inputs, |a, b| extreme(a, b, Ordering::Greater), larger)),
    ("Min", |lo, _, inputs| numeric(lo, inputs, |a, b| extreme(a, b, Ordering::Less), smaller)),
    ("Equal", |lo, _, inputs| compared(lo, inputs, Ordering::is_eq)),
    ("Less", |lo, _, inputs| compared(lo, inputs, Ordering::is_lt)),
    ("LessOrEqual", |lo, _, inputs| compared(lo, inputs, Ordering::is_le)),
    ("Greater", |lo, _, inputs| compared(lo, inputs, Ordering::is_gt)),
    ("GreaterOrEqual", |lo, _, inputs| compared(lo, inputs, Ordering::is_ge)),
    ("And", |lo, _, inputs| logical(lo, inputs, |a, b| a && b)),
    ("Or", |lo, _, inputs| logical(lo, inputs, |a, b| a || b)),
    ("Xor", |lo, _, inputs| logical(lo, inputs, |a, b| a != b)),
    ("Not", not),
    ("BitwiseAnd", |lo, _, inputs| bitwise(lo, inputs, |a, b| Some(a & b))),
    ("BitwiseOr", |lo, _, inputs| bitwise(lo, inputs, |a, b| Some(a | b))),
    ("BitwiseXor", |lo, _, inputs| bitwise(lo, inputs, |a, b| Some(a ^ b))),
    ("BitwiseNot", |lo, _, inputs| {
        bitwise(lo, &inputs.with(1, Known::ints(Vec::new(), vec![Count::fixed(-1)])), |a, b| Some(a ^ b))
    }),
    ("BitShift", shifted),
    ("Where", select),
    ("Neg", |lo, _, inputs| each(lo, inputs, Some(Count::negate), |v| -v)),
    ("Abs", |lo, _, inputs| each(lo, inputs, Some(absolute), f64::abs)),
    ("Sign", |lo, _, inputs| each(lo, inputs, Some(sign), |v| if v == 0.0 { 0.0 } else { v.signum() })),
    ("Floor", |lo, _, inputs| each(lo, inputs, None, f64::floor)),
    ("Ceil", |lo, _, inputs| each(lo, inputs, None, f64::ceil)),
    ("Round", |lo, _, inputs| each(lo, inputs, None, f64::round_ties_even)),
    ("Sqrt", |lo, _, inputs| each(lo, inputs, None, f64::sqrt)),
    ("Exp", |lo, _, inputs| each(lo, inputs, None, f64::exp)),
    ("Log", |lo, _, inputs| each(lo, inputs, None, f64::ln)),
    ("Reciprocal", |lo, _, inputs| each(lo, inputs, None, f64::recip)),
    ("Sin", |lo, _, inputs| each(lo, inputs, None, f64::sin)),
    ("Cos", |lo, _, inputs| each(lo, inputs, None, f64::cos)),
    ("Tan", |lo, _, inputs| each(lo, inputs, None, f64::tan)),
    ("Asin", |lo, _, inputs| each(lo, inputs, None, f64::asin)),
    ("Acos", |lo, _, inputs| each(lo, inputs, None, f64::acos)),
    ("Atan", |lo, _, inputs| each(lo, inputs, None, f64::atan)),
    ("Sinh", |lo, _, inputs| each(lo, inputs, None, f64::sinh)),
    ("Cosh", |lo, _, inputs| each(lo, inputs, None, f64::cosh)),
    ("Asinh", |lo, _, inputs| each(lo, inputs, None, f64::asinh)),
    ("Acosh", |lo, _, inputs| each(lo, inputs, None, f64::acosh)),
    ("Atanh", |lo, _, inputs| each(lo, inputs, None, f64::atanh)),
    ("Softplus", |lo, _, inputs| each(lo, inputs, None, |v| larger(v, 0.0) + (-v.abs()).exp().ln_1p())),
    ("Softsign", |lo, _, inputs| each(lo, inputs, None, |v| v / (1.0 + v.abs()))),
    ("LeakyRelu", |lo, call, inputs| {
        let slope = call.float_or("alpha", 0.01)?;
        each(lo, inputs, None, |v| if v < 0.0 { slope * v } else { v })
    }),
    ("Tanh", |lo, _, inputs| each(lo, inputs, None, f64::tanh)),
    ("Relu", |lo, _, inputs| each(lo, inputs, None, |v| larger(v, 0.0))),
    ("Sigmoid", |lo, _, inputs| each(lo, inputs, None, |v| 1.0 / (1.0 + (-v).exp()))),
    ("Clip", clip),
    ("IsNaN", |lo, _, inputs| asked(lo, inputs, f64::is_nan)),
    ("IsInf", infinite),
];

fn power(base: Count, exponent: Count) -> Option<Count> {
    let exponent = u32::try_from(exponent.known()?).ok()?;
    if exponent == 1 { Some(base) } else { base.known()?.checked_pow(exponent).map(Count::fixed) }
}

fn extreme(a: Count, b: Count, wanted: Ordering) -> Option<Count> {
    a.order(b).map(|order| if order == wanted { a } else { b })
}

pub(super) fn absolute(count: Count) -> Option<Count> {
    if count.order(Count::fixed(0))?.is_lt() { count.negate() } else { Some(count) }
}

fn sign(count: Count) -> Option<Count> {
    count.order(Count::fixed(0)).map(|order| Count::fixed(order as i64))
}

/// Positions of the operands' entries in a result of their common shape.
struct Pairs {
    shape: Vec<usize>,
    left: Vec<usize>,
    right: Vec<usize>,
}

impl Pairs {
    fn new(lo: &mut Lowering, a: &Known, b: &Known) -> Lowered<Self> {
        let shape = broadcast(&a.shape, &b.shape)?;
        lo.charge(size_of(&shape)?)?;
        let (left, right) = (broadcast_positions(&a.shape, &shape), broadcast_positions(&b.shape, &shape));
        Ok(Self { shape, left, right })
    }

    fn map<A: Copy, B: Copy, R>(&self, a: &[A], b: &[B], f: impl Fn(A, B) -> R) -> Vec<R> {
        self.left.iter().zip(&self.right).map(|(&i, &j)| f(a[i], b[j])).collect()
    }
}

/// Whole numbers stay whole and may depend on the batch; anything with a float is a float.
fn pair(
    lo: &mut Lowering,
    a: &Known,
    b: &Known,
    whole: impl Fn(Count, Count) -> Option<Count>,
    float: impl Fn(f64, f64) -> f64,
) -> Lowered<Known> {
    let pairs = Pairs::new(lo, a, b)?;
    if a.is_float() || b.is_float() {
        let entries = pairs.map(&a.numbers()?, &b.numbers()?, float);
        return Ok(Known::floats(pairs.shape, entries, a.double || b.double));
    }
    let entries = pairs.map(&a.counts()?, &b.counts()?, whole).into_iter().collect::<Option<Vec<_>>>();
    match entries {
        Some(entries) => Known::ints(pairs.shape, entries).in_type(if a.is_bool() { b } else { a }.whole_type),
        None => unsupported("a number that is too large or not linear in the batch"),
    }
}

fn numeric(
    lo: &mut Lowering,
    inputs: &Inputs,
    whole: impl Fn(Count, Count) -> Option<Count>,
    float: impl Fn(f64, f64) -> f64,
) -> Lowered {
    let mut result = inputs.get(0)?.clone();
    for index in 1..inputs.len() {
        result = pair(lo, &result, inputs.get(index)?, &whole, &float)?;
    }
    Ok(constant(result))
}

fn modulo(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (a, b) = (inputs.get(0)?, inputs.get(1)?);
    let like_c = call.flag("fmod")?;
    if like_c && !a.is_float() {
        return Ok(constant(pair(
            lo,
            a,
            b,
            |a, b| a.known()?.checked_rem(b.known()?).map(Count::fixed),
            |a, b| a % b,
        )?));
    }
    Ok(constant(pair(lo, a, b, Count::remainder, |a, b| if like_c { a % b } else { a - b * (a / b).floor() })?))
}

fn compared(lo: &mut Lowering, inputs: &Inputs, holds: impl Fn(Ordering) -> bool) -> Lowered {
    let (a, b) = (inputs.get(0)?, inputs.get(1)?);
    let pairs = Pairs::new(lo, a, b)?;
    if a.is_float() || b.is_float() {
        let entries = pairs.map(&a.numbers()?, &b.numbers()?, |a, b| a.partial_cmp(&b).is_some_and(&holds));
        return Ok(constant(Known::bools(pairs.shape, entries)));
    }
    let entries = pairs.map(&a.counts()?, &b.counts()?, |a, b| a.order(b).map(&holds));
    match entries.into_iter().collect::<Option<Vec<_>>>() {
        Some(entries) => Ok(constant(Known::bools(pairs.shape, entries))),
        None => unsupported("a comparison that depends on the batch size"),
    }
}

fn logical(lo: &mut Lowering, inputs: &Inputs, f: impl Fn(bool, bool) -> bool) -> Lowered {
    let (a, b) = (inputs.get(0)?, inputs.get(1)?);
    let pairs = Pairs::new(lo, a, b)?;
    let entries = pairs.map(&a.truths()?, &b.truths()?, f);
    Ok(constant(Known::bools(pairs.shape, entries)))
}

fn not(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    Ok(constant(Known::bools(x.shape.clone(), x.truths()?.into_iter().map(|t| !t).collect())))
}

fn select(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let (condition, a, b) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
    let shape = broadcast(&condition.shape, &broadcast(&a.shape, &b.shape)?)?;
    lo.charge(size_of(&shape)?)?;
    let places = |k: &Known| broadcast_positions(&k.shape, &shape);
    let truths = condition.truths()?;
    let choices: Vec<bool> = places(condition).into_iter().map(|p| truths[p]).collect();
    let (left, right) = (places(a), places(b));
    fn pick<T: Copy>(choices: &[bool], left: &[usize], right: &[usize], a: &[T], b: &[T]) -> Vec<T> {
        choices.iter().zip(left.iter().zip(right)).map(|(&c, (&i, &j))| if c { a[i] } else { b[j] }).collect()
    }
    Ok(constant(match (&a.entries, &b.entries) {
        (Entries::Bool(a), Entries::Bool(b)) => Known::bools(shape, pick(&choices, &left, &right, a, b)),
        (Entries::Float(_), _) | (_, Entries::Float(_)) => {
            let entries = pick(&choices, &left, &right, &a.numbers()?, &b.numbers()?);
            Known::floats(shape, entries, a.double || b.double)
        }
        _ => Known::ints(shape, pick(&choices, &left, &right, &a.counts()?, &b.counts()?)).in_type(a.whole_type)?,
    }))
}

fn each(
    lo: &mut Lowering,
    inputs: &Inputs,
    whole: Option<fn(Count) -> Option<Count>>,
    float: impl Fn(f64) -> f64,
) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    match (&x.entries, whole) {
        (Entries::Int(entries), Some(whole)) => {
            let entries = entries.iter().map(|&v| whole(v)).collect::<Option<Vec<_>>>();
            let entries =
                entries.ok_or_else(|| Fault::Unsupported("a number that depends on the batch size".into()))?;
            Ok(constant(Known::ints(x.shape.clone(), entries).in_type(x.whole_type)?))
        }
        (Entries::Float(entries), _) => {
            let entries = entries.iter().map(|&v| float(v)).collect();
            Ok(constant(Known::floats(x.shape.clone(), entries, x.double)))
        }
        _ => invalid("needs floats"),
    }
}

fn clip(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let mut result = inputs.get(0)?.clone();
    let bound = |index: usize, name: &str| match inputs.optional(index) {
        Some(known) => Ok(Some(known.clone())),
        None => call.optional_float(name).map(|v| v.map(|v| Known::floats(Vec::new(), vec![v], false))),
    };
    if let Some(low) = bound(1, "min")? {
        result = pair(lo, &result, &low, |a, b| extreme(a, b, Ordering::Greater), larger)?;
    }
    if let Some(high) = bound(2, "max")? {
        result = pair(lo, &result, &high, |a, b| extreme(a, b, Ordering::Less), smaller)?;
    }
    Ok(constant(result))
}

fn asked(lo: &mut Lowering, inputs: &Inputs, question: impl Fn(f64) -> bool) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    Ok(constant(Known::bools(x.shape.clone(), x.numbers()?.into_iter().map(question).collect())))
}

fn infinite(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (negative, positive) = (call.int_or("detect_negative", 1)? != 0, call.int_or("detect_positive", 1)? != 0);
    asked(lo, inputs, |v| v.is_infinite() && if v < 0.0 { negative } else { positive })
}

fn mean(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let mut sum = inputs.get(0)?.clone();
    for index in 1..inputs.len() {
        sum = pair(lo, &sum, inputs.get(index)?, |_, _| None, |a, b| a + b)?;
    }
    let count = inputs.len() as f64;
    Ok(constant(Known::floats(sum.shape.clone(), sum.numbers()?.into_iter().map(|v| v / count).collect(), sum.double)))
}

fn bitwise(lo: &mut Lowering, inputs: &Inputs, f: impl Fn(i64, i64) -> Option<i64>) -> Lowered {
    if inputs.all().any(Known::is_float) {
        return invalid("needs integers");
    }
    numeric(lo, inputs, |a, b| f(a.known()?, b.known()?).map(Count::fixed), |_, _| f64::NAN)
}

fn shifted(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let left = call.text("direction")? == "LEFT";
    bitwise(lo, inputs, |a, by| {
        let by = u32::try_from(by).ok()?;
        // What leaves the number is lost.
        Some(if left { a.checked_shl(by).unwrap_or(0) } else { a.checked_shr(by).unwrap_or(0) })
    })
}
