//! Which images a network classifies correctly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::interval::Interval;

/// Which images of a set were classified correctly, in the set's order.
///
/// Smaller sets are prefixes of larger ones, so two networks that were scored on different numbers of images are compared on
/// those that both have seen. As text it is the number of images, a colon, and the bits in base64 without padding: 8 to a byte,
/// the first image in the lowest bit of the first byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hits {
    /// Bits beyond the last image are 0.
    bytes: Vec<u8>,
    images: u64,
}

/// Why stored hits cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HitsError {
    #[error("the hits of {images} images take {} bytes, not {bytes}", images.div_ceil(8))]
    Length { images: u64, bytes: u64 },
    #[error("there are hits beyond the last of {images} images")]
    Beyond { images: u64 },
    #[error("hits are written as `images:bits`, with the bits in base64; `{0}` is not")]
    Form(String),
    #[error("the bits are not base64 without padding: {0}")]
    Base64(#[from] base64::DecodeError),
}

impl Hits {
    /// One bit for each image, in the set's order: whether it was classified correctly.
    pub fn from_bits(bits: impl IntoIterator<Item = bool>) -> Self {
        let mut hits = Self::default();
        hits.extend(bits);
        hits
    }

    /// Images that were scored.
    pub fn len(&self) -> u64 {
        self.images
    }

    /// Whether no image was scored.
    pub fn is_empty(&self) -> bool {
        self.images == 0
    }

    /// Images that were classified correctly.
    pub fn count(&self) -> u64 {
        ones(self.bytes.iter().copied())
    }

    /// Whether the image was classified correctly; None beyond the last one.
    pub fn get(&self, image: u64) -> Option<bool> {
        let byte = self.bytes.get(usize::try_from(image / 8).ok()?)?;
        (image < self.images).then_some(byte >> (image % 8) & 1 == 1)
    }

    /// The first `images` images, or all where there are fewer.
    pub fn prefix(&self, images: u64) -> Self {
        let images = images.min(self.images);
        let mut bytes = self.bytes.clone();
        bytes.truncate(images.div_ceil(8) as usize);
        if let (Some(last), used @ 1..) = (bytes.last_mut(), images % 8) {
            *last &= (1 << used) - 1;
        }
        Self { bytes, images }
    }

    /// Images that are hits here and not in `other`, of those that both have.
    pub fn count_without(&self, other: &Self) -> u64 {
        let images = self.images.min(other.images);
        let (own, other) = (self.prefix(images), other.prefix(images));
        ones(own.bytes.iter().zip(&other.bytes).map(|(own, other)| own & !other))
    }

    /// The 95% confidence interval of the share of hits.
    pub fn interval(&self) -> Interval {
        Interval::wilson(self.count(), self.images)
    }

    /// The bits, 8 to a byte, the first image in the lowest bit of the first byte.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What [`Hits::to_bytes`] gave, with the number of images.
    pub fn from_bytes(bytes: Vec<u8>, images: u64) -> Result<Self, HitsError> {
        let length = bytes.len() as u64;
        if length != images.div_ceil(8) {
            return Err(HitsError::Length { images, bytes: length });
        }
        let hits = Self { bytes, images };
        if hits.prefix(images) != hits {
            return Err(HitsError::Beyond { images });
        }
        Ok(hits)
    }
}

impl Extend<bool> for Hits {
    /// The images that follow in the set's order.
    fn extend<T: IntoIterator<Item = bool>>(&mut self, bits: T) {
        for hit in bits {
            let place = self.images % 8;
            match self.bytes.last_mut() {
                Some(last) if place != 0 => *last |= u8::from(hit) << place,
                _ => self.bytes.push(u8::from(hit)),
            }
            self.images += 1;
        }
    }
}

impl From<Hits> for String {
    fn from(hits: Hits) -> Self {
        format!("{}:{}", hits.images, STANDARD_NO_PAD.encode(&hits.bytes))
    }
}

impl TryFrom<String> for Hits {
    type Error = HitsError;

    fn try_from(text: String) -> Result<Self, HitsError> {
        let parts = text.split_once(':').and_then(|(images, bits)| Some((images.parse().ok()?, bits)));
        let Some((images, bits)) = parts else { return Err(HitsError::Form(text)) };
        Self::from_bytes(STANDARD_NO_PAD.decode(bits)?, images)
    }
}

impl PartialSchema for Hits {
    fn schema() -> RefOr<Schema> {
        let description = "Which images were classified correctly, in the order of the image set: the number of images, a colon, \
                           and a bit for each in base64 without padding, the first image in the lowest bit of the first byte.";
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]+:[A-Za-z0-9+/]*$"));
        text.description(Some(description)).examples(["12:XQs"]).into()
    }
}

impl ToSchema for Hits {}

fn ones(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.map(|byte| u64::from(byte.count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hits_are_counted_in_the_order_of_the_images() {
        let hits = Hits::from_bits([true, false, true, true, true, false, true, false, true, true, false, true]);
        assert_eq!((hits.len(), hits.count(), hits.to_bytes()), (12, 8, &[0b0101_1101, 0b1011][..]));
        assert_eq!((hits.get(0), hits.get(1), hits.get(11), hits.get(12)), (Some(true), Some(false), Some(true), None));
        assert_eq!(hits.prefix(9), Hits::from_bits([true, false, true, true, true, false, true, false, true]));
        assert_eq!((hits.prefix(8).count(), hits.prefix(0), hits.prefix(99)), (5, Hits::default(), hits.clone()));
        assert_eq!(hits.interval(), Interval::wilson(8, 12));
        assert!(Hits::default().is_empty() && !hits.is_empty());
    }

    #[test]
    fn text_and_bytes_read_back() {
        let hits = Hits::from_bits([true, false, true, true, true, false, true, false, true, true, false, true]);
        assert_eq!(serde_json::to_value(&hits).unwrap(), "12:XQs");
        assert_eq!(serde_json::from_str::<Hits>("\"12:XQs\"").unwrap(), hits);
        assert_eq!(serde_json::from_str::<Hits>("\"0:\"").unwrap(), Hits::default());
        assert_eq!(Hits::from_bytes(hits.to_bytes().to_vec(), 12), Ok(hits));
    }

    #[test]
    fn the_documented_example_can_be_read() {
        let schema = serde_json::to_value(Hits::schema()).unwrap();
        assert_eq!((&schema["type"], Hits::name().as_ref()), (&"string".into(), "Hits"));
        let example: Hits = serde_json::from_value(schema["examples"][0].clone()).unwrap();
        assert_eq!((example.len(), example.count()), (12, 8));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_reason() {
        let said = |text: &str| Hits::try_from(text.to_owned()).unwrap_err().to_string();
        assert_eq!(said("17:XQs"), "the hits of 17 images take 3 bytes, not 2");
        assert_eq!(said("11:XQs"), "there are hits beyond the last of 11 images");
        for text in ["XQs", "-1:XQs", ":XQs"] {
            assert!(said(text).contains(&format!("`{text}` is not")), "{}", said(text));
        }
        assert!(said("12:X?s").contains("not base64"), "{}", said("12:X?s"));
        assert_eq!(Hits::from_bytes(vec![], u64::MAX), Err(HitsError::Length { images: u64::MAX, bytes: 0 }));
    }

    proptest! {
        #[test]
        fn hits_read_back_and_grow_as_they_would_have_been_made(
            bits in prop::collection::vec(any::<bool>(), 0..200),
            cut in 0usize..200,
        ) {
            let whole = Hits::from_bits(bits.iter().copied());
            let cut = cut.min(bits.len());
            let mut grown = whole.prefix(cut as u64);
            prop_assert_eq!(grown.count(), bits[..cut].iter().filter(|hit| **hit).count() as u64);
            grown.extend(bits[cut..].iter().copied());
            prop_assert_eq!(&grown, &whole);
            prop_assert_eq!(Hits::try_from(String::from(whole.clone())), Ok(whole));
        }
    }
}
