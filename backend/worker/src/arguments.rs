//! Argument types that several commands share.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use eagleeye_spec::{Aggregate, Criterion, Importance, Space};

/// A number, of which JSON has no infinite ones.
pub fn number(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| format!("`{text}` is not a finite number"))
}

/// A length of time of at most a day.
pub fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=86_400.0).contains(number));
    number.ok_or_else(|| "must be a number from 0 to 86400".to_owned())
}

/// A network, as every command that takes one takes it.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// TorchScript, ONNX, or a zip of one ONNX file with its external weights.
    pub model: PathBuf,
    /// Shape of the first input, such as 1,3,224,224, if the file does not contain it.
    #[arg(long, value_name = "SHAPE")]
    pub input_shape: Option<InputShape>,
}

impl ModelArgs {
    pub fn shape(&self) -> Option<&[usize]> {
        self.input_shape.as_ref().map(|shape| &shape.0[..])
    }
}

/// Which strategies may be drawn; what budgets are reachable depends on it.
#[derive(Debug, Args)]
pub struct SpaceArgs {
    /// Keep a multiple of this many channels per layer, or all of them; 1 allows any number. Default: multiples of 8 in
    /// groups that have at least four of them, because runtimes are slower with odd counts.
    #[arg(long, value_name = "CHANNELS", value_parser = multiple)]
    round_to: Option<usize>,
    /// Smallest share of a channel group's units to keep.
    #[arg(long, value_name = "FRACTION", default_value_t = Space::default().min_keep_ratio, value_parser = fraction)]
    min_keep_ratio: f64,
}

impl SpaceArgs {
    pub fn space(&self) -> Space {
        Space { round_to: self.round_to, min_keep_ratio: self.min_keep_ratio }
    }
}

/// Which channels stay, however many do.
#[derive(Debug, Args)]
pub struct ImportanceArgs {
    /// What makes channels important: norms of their filters (l1, l2), scales of their batch norms (bn_scale), distances from
    /// the other filters (fpgm), the change of the loss without them (taylor), their mean square (activation), or random
    /// numbers. taylor and activation need images and are refused without them.
    #[arg(long, value_name = "CRITERION", default_value = Criterion::default().name(), value_parser = named(Criterion::ALL, Criterion::name))]
    importance: Criterion,
    /// How the values of several layers for the same channels become one: their sum, the mean of each layer's values divided
    /// by the layer's mean, or the values of the leading layer alone.
    #[arg(long, value_name = "AGGREGATE", default_value = Aggregate::default().name(), value_parser = named(Aggregate::ALL, Aggregate::name))]
    aggregate: Aggregate,
}

impl ImportanceArgs {
    pub fn importance(&self) -> Importance {
        Importance { criterion: self.importance, aggregate: self.aggregate }
    }
}

/// One of several values, by its name.
pub fn named<T, const N: usize>(all: [T; N], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let found = move |text: String| all.into_iter().find(|&one| name(one) == text).ok_or("has no such value");
    PossibleValuesParser::new(all.map(name)).try_map(found)
}

fn multiple(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "must be a whole number from 1".to_owned())
}

fn fraction(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| "must be a number from 0 to 1".to_owned())
}

/// A part of something that is more than nothing.
pub fn positive_fraction(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| *part > 0.0 && *part <= 1.0);
    part.ok_or_else(|| "must be a number above 0 and at most 1".to_owned())
}

/// Sizes of a network's input, batch first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape(pub Vec<usize>);

/// Why a text is no input shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not a size; enter whole numbers from 1 separated by commas, such as 1,3,224,224")]
pub struct InputShapeError {
    part: String,
}

impl FromStr for InputShape {
    type Err = InputShapeError;

    fn from_str(text: &str) -> Result<Self, InputShapeError> {
        let size = |part: &str| match part.trim().parse() {
            Ok(size) if size > 0 => Ok(size),
            _ => Err(InputShapeError { part: part.to_owned() }),
        };
        text.split(',').map(size).collect::<Result<_, _>>().map(InputShape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_or_without_blanks() {
        assert_eq!("1,3,224,224".parse(), Ok(InputShape(vec![1, 3, 224, 224])));
        assert_eq!("1, 784".parse(), Ok(InputShape(vec![1, 784])));
    }

    #[test]
    fn multiples_begin_with_one_and_fractions_end_with_it() {
        assert_eq!(multiple("8"), Ok(8));
        assert_eq!(fraction("0.25"), Ok(0.25));
        for wrong in ["0", "-8", "1.5", "eight"] {
            assert!(multiple(wrong).is_err(), "{wrong}");
        }
        for wrong in ["-0.1", "1.01", "nan", "half"] {
            assert!(fraction(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_part_that_is_no_size_is_named() {
        for (text, part) in [("1,x,28", "x"), ("1,,28", ""), ("0,3,28,28", "0"), ("1x3", "1x3"), ("-1,3", "-1")] {
            assert_eq!(text.parse::<InputShape>(), Err(InputShapeError { part: part.to_owned() }), "{text}");
        }
    }
}
