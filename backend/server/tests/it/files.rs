//! Small files, right and wrong, made on the spot.

use std::io::{Cursor, Write};

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

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(bytes);
    out
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
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
