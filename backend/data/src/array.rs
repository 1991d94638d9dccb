//! Arrays of images and labels as IDX and NPZ store them: where they lie in a file and how to read one element.

use crate::error::DataError;
use crate::limits::Limits;
use crate::picture::{Picture, SampleType, Samples};
use crate::storage::Storage;

/// Element types that occur in either format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Element {
    pub fn bytes(self) -> u64 {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::U16 | Element::I16 => 2,
            Element::U32 | Element::I32 | Element::F32 => 4,
            Element::U64 | Element::I64 | Element::F64 => 8,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Element::U8 => "uint8",
            Element::I8 => "int8",
            Element::U16 => "uint16",
            Element::I16 => "int16",
            Element::U32 => "uint32",
            Element::I32 => "int32",
            Element::U64 => "uint64",
            Element::I64 => "int64",
            Element::F32 => "float32",
            Element::F64 => "float64",
        }
    }
}

/// An array in a file, in C order.
#[derive(Clone, Debug)]
pub struct Array {
    /// What it holds, for messages: `images` or `labels`.
    pub part: &'static str,
    pub storage: Storage,
    /// Where its first element lies.
    pub offset: u64,
    pub element: Element,
    pub big_endian: bool,
    pub shape: Vec<u64>,
}

impl Array {
    /// Checks that the file holds exactly the elements that the shape promises.
    pub fn check_length(&self) -> Result<(), DataError> {
        let elements = self.shape.iter().try_fold(self.element.bytes(), |n, &d| n.checked_mul(d));
        let expected = elements.unwrap_or(u64::MAX);
        let found = self.storage.length().saturating_sub(self.offset);
        if found < expected {
            return Err(DataError::Truncated { part: self.part, expected, found });
        }
        if found > expected {
            return Err(DataError::TrailingBytes { part: self.part, expected, extra: found - expected });
        }
        Ok(())
    }

    fn read(&self, first: u64, count: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = vec![0; count * self.element.bytes() as usize];
        let offset = self.offset + first * self.element.bytes();
        let outcome = self.storage.read_exact_at(&mut bytes, offset);
        outcome.map_err(|source| DataError::Read { part: self.part, source })?;
        Ok(bytes)
    }
}

/// Reads an array of labels, `[N]` or `[N, 1]`. Every label is below `limits.classes`.
pub fn read_labels(array: &Array, limits: &Limits) -> Result<Vec<usize>, DataError> {
    array.check_length()?;
    let count = match array.shape[..] {
        [n] | [n, 1] => n,
        _ => return Err(DataError::Shape { part: "labels", shape: array.shape.clone(), expected: "[N]" }),
    };
    if matches!(array.element, Element::F32 | Element::F64) {
        let found = array.element.name().to_owned();
        return Err(DataError::ElementType { part: "labels", found, expected: "an integer" });
    }
    if count > limits.images {
        return Err(DataError::TooManyImages { limit: limits.images });
    }
    let bytes = array.read(0, count as usize)?;
    let values = bytes.chunks_exact(array.element.bytes() as usize).map(|b| integer(b, array));
    values.enumerate().map(|(i, label)| checked_label(i as u64, label, limits)).collect()
}

fn checked_label(index: u64, label: i64, limits: &Limits) -> Result<usize, DataError> {
    match usize::try_from(label) {
        Ok(valid) if (valid as u64) < limits.classes => Ok(valid),
        _ => Err(DataError::LabelOutOfRange { index, label, largest: limits.classes.saturating_sub(1) }),
    }
}

/// An integer of up to 8 bytes; a `uint64` above `i64::MAX` comes out negative and is refused as a label.
fn integer(bytes: &[u8], array: &Array) -> i64 {
    let mut little = [0; 8];
    for (to, from) in little.iter_mut().zip(0..bytes.len()) {
        *to = bytes[if array.big_endian { bytes.len() - 1 - from } else { from }];
    }
    let value = i64::from_le_bytes(little);
    let unused = 64 - 8 * bytes.len() as u32;
    let signed = matches!(array.element, Element::I8 | Element::I16 | Element::I32 | Element::I64);
    if signed { value << unused >> unused } else { value }
}

/// An array of images of one size.
#[derive(Clone, Debug)]
pub struct Images {
    array: Array,
    pub count: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    channels_first: bool,
}

impl Images {
    /// What they are made of.
    pub fn element(&self) -> SampleType {
        if self.array.element == Element::U8 { SampleType::U8 } else { SampleType::F32 }
    }

    /// Takes `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` of `uint8` or `float32` with 1 or 3 channels. Where both
    /// readings fit, the channels are last.
    pub fn new(array: Array, limits: &Limits) -> Result<Self, DataError> {
        array.check_length()?;
        if !matches!(array.element, Element::U8 | Element::F32) {
            let found = array.element.name().to_owned();
            return Err(DataError::ElementType { part: "images", found, expected: "uint8 or float32" });
        }
        let (count, channels, height, width, channels_first) = match array.shape[..] {
            [n, h, w] => (n, 1, h, w, false),
            [n, h, w, c @ (1 | 3)] => (n, c, h, w, false),
            [n, c @ (1 | 3), h, w] => (n, c, h, w, true),
            _ => {
                let expected = "[N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels";
                return Err(DataError::Shape { part: "images", shape: array.shape, expected });
            }
        };
        if count == 0 {
            return Err(DataError::Empty);
        }
        if count > limits.images {
            return Err(DataError::TooManyImages { limit: limits.images });
        }
        if height == 0 || width == 0 {
            let expected = "images of at least 1x1 pixels";
            return Err(DataError::Shape { part: "images", shape: array.shape, expected });
        }
        if height.saturating_mul(width) > limits.pixels {
            return Err(DataError::Pixels { entry: "0".to_owned(), width, height, limit: limits.pixels });
        }
        let sizes = (count as usize, channels as usize, height as usize, width as usize);
        let (count, channels, height, width) = sizes;
        Ok(Self { array, count, channels, height, width, channels_first })
    }

    /// Reads one image. `index` is below `count`.
    pub fn picture(&self, index: usize) -> Result<Picture, DataError> {
        let size = self.channels * self.height * self.width;
        let bytes = self.array.read(index as u64 * size as u64, size)?;
        let samples = match self.array.element {
            Element::F32 => Samples::F32(self.channels_last(floats(&bytes, self.array.big_endian))),
            _ => Samples::U8(self.channels_last(bytes)),
        };
        Ok(Picture { channels: self.channels, height: self.height, width: self.width, samples })
    }

    /// Whether an image can hold values that are no numbers.
    pub fn is_float(&self) -> bool {
        self.array.element == Element::F32
    }

    fn channels_last<T: Copy>(&self, values: Vec<T>) -> Vec<T> {
        if !self.channels_first || self.channels == 1 {
            return values;
        }
        let plane = self.height * self.width;
        (0..plane).flat_map(|p| (0..self.channels).map(move |c| c * plane + p)).map(|i| values[i]).collect()
    }
}

fn floats(bytes: &[u8], big_endian: bool) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|&b| if big_endian { f32::from_be_bytes(b) } else { f32::from_le_bytes(b) }).collect()
}
