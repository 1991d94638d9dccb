//! Messages between a job and the child that reads a stranger's file for it: MessagePack with its length in front.

use std::io::{self, Read, Write};

use eagleeye_data::{Preprocess, SampleType, Samples};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Images that are wanted next. The answer is their values, as many as the preprocessing makes of each.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    pub indices: Vec<usize>,
    pub preprocess: Preprocess,
}

/// Longest message in bytes. The labels of the largest dataset have a third of it.
const LONGEST: u64 = 64 << 20;

/// Why a message did not come through.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the pipe: {0}")]
    Pipe(#[from] io::Error),
    #[error("a message has {0} bytes; the limit is {LONGEST}")]
    Length(u64),
    #[error("a message cannot be encoded: {0}")]
    Encode(rmp_serde::encode::Error),
    #[error("a message cannot be decoded: {0}")]
    Decode(rmp_serde::decode::Error),
}

pub fn send(message: &impl Serialize, to: &mut impl Write) -> Result<(), WireError> {
    let bytes = rmp_serde::to_vec_named(message).map_err(WireError::Encode)?;
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(&bytes)?;
    Ok(to.flush()?)
}

/// The next message, or `None` where the sender has closed the pipe.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, WireError> {
    let mut length = [0; 8];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let length = u64::from_le_bytes(length);
    if length > LONGEST {
        return Err(WireError::Length(length));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    rmp_serde::from_slice(&bytes).map(Some).map_err(WireError::Decode)
}

/// What a dataset's reader says first.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opened {
    pub labels: Vec<u32>,
    /// Number of images.
    pub images: usize,
    pub element: SampleType,
}

/// Sends samples as they are, little-endian.
pub fn send_samples(samples: &Samples, to: &mut impl Write) -> Result<(), WireError> {
    match samples {
        Samples::U8(values) => to.write_all(values)?,
        Samples::F32(values) => {
            to.write_all(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
        }
    }
    Ok(to.flush()?)
}

/// Reads `count` samples that were sent so.
pub fn receive_samples(element: SampleType, count: usize, from: &mut impl Read) -> Result<Samples, WireError> {
    let mut bytes = vec![0; count * element.bytes()];
    from.read_exact(&mut bytes)?;
    Ok(match element {
        SampleType::U8 => Samples::U8(bytes),
        SampleType::F32 => Samples::F32(bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_numbers_come_out_as_they_went_in() {
        let mut pipe = Vec::new();
        send(&vec![1u32, 70_000], &mut pipe).unwrap();
        let numbers = Samples::F32(vec![0.1, f32::NEG_INFINITY]);
        send_samples(&numbers, &mut pipe).unwrap();
        send_samples(&Samples::U8(vec![0, 255]), &mut pipe).unwrap();
        let mut from = &pipe[..];
        assert_eq!(receive::<Vec<u32>>(&mut from).unwrap(), Some(vec![1, 70_000]));
        assert_eq!(receive_samples(SampleType::F32, 2, &mut from).unwrap(), numbers);
        assert_eq!(receive_samples(SampleType::U8, 2, &mut from).unwrap(), Samples::U8(vec![0, 255]));
        assert_eq!(receive::<Vec<u32>>(&mut from).unwrap(), None);
    }

    #[test]
    fn a_child_is_told_the_whole_preprocessing() {
        let preprocessing = serde_json::from_value(serde_json::json!({
            "mean": [0, 0, 0], "deviation": [1, 1, 1], "resize": { "mode": "shorter_side", "size": 256 },
            "filter": "bicubic", "channels": "bgr",
        }));
        let preprocess = crate::convert::preprocess(&preprocessing.unwrap(), 3, 224, 224);
        let mut pipe = Vec::new();
        send(&Wanted { indices: vec![7], preprocess: preprocess.clone() }, &mut pipe).unwrap();
        let heard: Wanted = receive(&mut &pipe[..]).unwrap().unwrap();
        assert_eq!((heard.indices, heard.preprocess), (vec![7], preprocess));
    }

    #[test]
    fn a_message_that_is_too_long_or_cut_is_refused() {
        assert!(matches!(receive::<u32>(&mut &[255; 9][..]), Err(WireError::Length(_))));
        let mut pipe = Vec::new();
        send(&"text", &mut pipe).unwrap();
        assert!(matches!(receive::<String>(&mut &pipe[..10]), Err(WireError::Pipe(_))));
        assert!(matches!(receive::<u32>(&mut &pipe[..]), Err(WireError::Decode(_))));
        assert!(receive_samples(SampleType::F32, 3, &mut &[0; 8][..]).is_err());
    }
}
