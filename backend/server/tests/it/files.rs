//! Small files, right and wrong, made on the spot.

use std::io::{Cursor, Write};

use crate::protobuf::{field, number};

/// An IDX file of unsigned bytes.
pub fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    file.extend(sizes.iter().flat_map(|s| s.to_be_bytes()));
    file.extend(bytes);
    file
}

/// A zip archive of stored (or, for large ones, deflated) entries.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A grey PNG of one value.
pub fn png(side: u32, channels: u8) -> Vec<u8> {
    let image = match channels {
        1 => image::DynamicImage::ImageLuma8(image::GrayImage::from_pixel(side, side, image::Luma([90]))),
        _ => image::DynamicImage::ImageRgb8(image::RgbImage::from_pixel(side, side, image::Rgb([90, 20, 10]))),
    };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// An ONNX file with its larger weights in a file beside it, as `torch.onnx.save(.., save_as_external_data=True)` writes it:
/// the two files, where the first refers to the second as `location`.
pub fn with_external_weights(onnx: &[u8], location: &str) -> (Vec<u8>, Vec<u8>) {
    let mut data = Vec::new();
    let mut tensor = |tensor: &[u8]| {
        let mut kept = Vec::new();
        for part in parts(tensor) {
            if part.number == RAW_DATA && part.content.len() >= 64 {
                let (offset, length) = (data.len().to_string(), part.content.len().to_string());
                data.extend(part.content);
                for (key, value) in [("location", location), ("offset", &offset), ("length", &length)] {
                    kept.extend(field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat()));
                }
                kept.extend(number(14, 1));
            } else {
                kept.extend(part.whole);
            }
        }
        kept
    };
    let mut graph = |graph: &[u8]| rewritten(graph, INITIALIZER, &mut tensor);
    (rewritten(onnx, GRAPH, &mut graph), data)
}

/// Fields of ModelProto, GraphProto and TensorProto.
const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const RAW_DATA: u64 = 9;

struct FieldOf<'a> {
    number: u64,
    whole: &'a [u8],
    /// Of a field that holds bytes.
    content: &'a [u8],
}

fn rewritten(message: &[u8], number: u64, with: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let part = |part: FieldOf<'_>| match part.number == number {
        true => field(number as u8, &with(part.content)),
        false => part.whole.to_vec(),
    };
    parts(message).into_iter().flat_map(part).collect()
}

/// The fields of a protobuf message in their order.
fn parts(message: &[u8]) -> Vec<FieldOf<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let start = at;
        let key = varint(message, &mut at);
        let length = match key & 7 {
            0 => {
                varint(message, &mut at);
                0
            }
            1 => 8,
            2 => varint(message, &mut at) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        found.push(FieldOf {
            number: key >> 3,
            whole: &message[start..at + length],
            content: &message[at..at + length],
        });
        at += length;
    }
    found
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// An ONNX network `x [N,1,4,4] -> operator -> y`, opset 17, by the numbers of the ONNX specification.
pub fn onnx_with_operator(operator: &str, node: &str) -> Vec<u8> {
    let dims: Vec<u8> = [1u8, 1, 4, 4].iter().flat_map(|&d| field(1, &number(1, d))).collect();
    let tensor = field(1, &[number(1, 1), field(2, &dims)].concat());
    let value = |name: &str| [field(1, name.as_bytes()), field(2, &tensor)].concat();
    let node = [field(1, b"x"), field(2, b"y"), field(3, node.as_bytes()), field(4, operator.as_bytes())].concat();
    let graph = [field(1, &node), field(2, b"g"), field(11, &value("x")), field(12, &value("y"))].concat();
    let opset = [field(1, b""), number(2, 17)].concat();
    [number(1, 8), field(7, &graph), field(8, &opset)].concat()
}
