//! Operators of `aten`, computed by libtorch on known tensors and numbers.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use tch::Tensor;

use super::{c_string, check};

#[repr(C)]
#[derive(Clone, Copy)]
struct RawValue {
    kind: c_int,
    number: i64,
    real: f64,
    text: *const c_char,
    tensor: *mut c_void,
}

#[repr(C)]
struct RawResults {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn ee_operator_traits(name: *const c_char, overload: *const c_char, traits: *mut c_int) -> *mut c_char;
    fn ee_compute(
        name: *const c_char,
        overload: *const c_char,
        arguments: *const RawValue,
        length: usize,
        bytes: usize,
        exceeded: *mut c_int,
        results: *mut *mut RawResults,
    ) -> *mut c_char;
    fn ee_results_values(results: *const RawResults, length: *mut usize) -> *const RawValue;
    fn ee_results_taken(results: *const RawResults) -> usize;
    fn ee_results_free(results: *mut RawResults);
}

// Kinds of values; `torchscript.h` asserts the numbers of these and of the traits.
const NONE: c_int = 0;
const BOOL: c_int = 1;
const INT: c_int = 2;
const FLOAT: c_int = 3;
const TEXT: c_int = 4;
const TENSOR: c_int = 5;
const LIST: c_int = 6;

const COMPUTES: c_int = 1;
const RANDOM: c_int = 2;
const POINTWISE: c_int = 4;
const VIEW: c_int = 8;
const LISTS: c_int = 16;
const NUMBERS: c_int = 32;

/// An argument or a result.
#[derive(Debug)]
pub(crate) enum Datum {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Tensor(Tensor),
    List(Vec<Datum>),
}

/// What an operator is, as far as its schema and libtorch's tags tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits(c_int);

impl Traits {
    fn has(self, bit: c_int) -> bool {
        self.0 & bit != 0
    }

    /// Takes and gives tensors, numbers, texts and lists of them, and writes into none.
    pub fn computes(self) -> bool {
        self.has(COMPUTES)
    }

    pub fn draws_random_numbers(self) -> bool {
        self.has(RANDOM)
    }

    /// Each entry of the result comes from one entry of each operand.
    pub fn is_pointwise(self) -> bool {
        self.has(POINTWISE)
    }

    /// The result may share the memory of an argument.
    pub fn is_view(self) -> bool {
        self.has(VIEW)
    }

    /// A result is a list.
    pub fn gives_list(self) -> bool {
        self.has(LISTS)
    }

    /// Takes no tensor.
    pub fn is_of_numbers(self) -> bool {
        self.has(NUMBERS)
    }
}

/// Traits of an operator; those of none where there is no such operator.
pub(crate) fn traits(name: &str, overload: &str) -> Result<Traits, String> {
    let (name, overload) = (c_string(name)?, c_string(overload)?);
    let mut traits = 0;
    // SAFETY: both texts are live and zero-terminated; `traits` is a live number.
    check(unsafe { ee_operator_traits(name.as_ptr(), overload.as_ptr(), &raw mut traits) })?;
    Ok(Traits(traits))
}

/// Why an operator has no result.
#[derive(Debug)]
pub(crate) enum ComputeError {
    /// It would have taken more memory than it may.
    Exceeded,
    /// What libtorch says about the arguments.
    Failed(String),
}

impl From<String> for ComputeError {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// The result of an operator, a list where it has several, and the bytes that were taken for it.
pub(crate) struct Computed {
    pub result: Datum,
    pub taken: usize,
}

/// Runs an operator with the arguments of its schema, in order.
///
/// # Errors
/// Arguments that do not fit, and operators that take more than `bytes`.
pub(crate) fn compute(name: &str, overload: &str, arguments: &[Datum], bytes: usize) -> Result<Computed, ComputeError> {
    let (name, overload) = (c_string(name)?, c_string(overload)?);
    let mut texts = Vec::new();
    let mut raw = Vec::with_capacity(arguments.len());
    arguments.iter().try_for_each(|argument| flatten(argument, &mut raw, &mut texts))?;
    let mut exceeded = 0;
    let mut results = ptr::null_mut();
    // SAFETY: names, texts and tensors that `raw` points to are live until the end of this function; `results` is set only on
    // success.
    let message = unsafe {
        ee_compute(
            name.as_ptr(),
            overload.as_ptr(),
            raw.as_ptr(),
            raw.len(),
            bytes,
            &raw mut exceeded,
            &raw mut results,
        )
    };
    match check(message) {
        Err(_) if exceeded != 0 => return Err(ComputeError::Exceeded),
        other => other?,
    }
    let mut length = 0;
    // SAFETY: `results` is live; its values are `length` many and live as long as it. Each tensor among them is taken over once,
    // here, and `results` is freed once.
    unsafe {
        let values = ee_results_values(results, &raw mut length);
        let values = std::slice::from_raw_parts(values, length);
        let result = owned(&mut values.iter());
        let taken = ee_results_taken(results);
        ee_results_free(results);
        Ok(Computed { result, taken })
    }
}

/// Writes an argument and what is in it, one after the other.
fn flatten(argument: &Datum, raw: &mut Vec<RawValue>, texts: &mut Vec<CString>) -> Result<(), String> {
    let mut value = RawValue { kind: NONE, number: 0, real: 0.0, text: ptr::null(), tensor: ptr::null_mut() };
    match argument {
        Datum::None => {}
        Datum::Bool(flag) => (value.kind, value.number) = (BOOL, i64::from(*flag)),
        Datum::Int(number) => (value.kind, value.number) = (INT, *number),
        Datum::Float(number) => (value.kind, value.real) = (FLOAT, *number),
        Datum::Text(text) => {
            let text = c_string(text)?;
            // The characters stay where they are when the list of texts grows.
            (value.kind, value.text) = (TEXT, text.as_ptr());
            texts.push(text);
        }
        Datum::Tensor(tensor) => (value.kind, value.tensor) = (TENSOR, tensor.as_ptr().cast_mut().cast()),
        Datum::List(items) => {
            (value.kind, value.number) = (LIST, items.len() as i64);
            raw.push(value);
            return items.iter().try_for_each(|item| flatten(item, raw, texts));
        }
    }
    raw.push(value);
    Ok(())
}

/// The next of the values, with its items if it is a list.
///
/// # Safety
/// A tensor among the values was given away by the shim.
unsafe fn owned(values: &mut std::slice::Iter<RawValue>) -> Datum {
    let Some(value) = values.next() else { return Datum::None };
    match value.kind {
        BOOL => Datum::Bool(value.number != 0),
        INT => Datum::Int(value.number),
        FLOAT => Datum::Float(value.real),
        // SAFETY: the shim gives away a heap-allocated `at::Tensor`, which is what tch owns and frees.
        TENSOR => Datum::Tensor(unsafe { Tensor::from_ptr(value.tensor.cast()) }),
        // SAFETY: the items follow, for which the same holds.
        LIST => Datum::List((0..value.number).map(|_| unsafe { owned(values) }).collect()),
        _ => Datum::None,
    }
}
