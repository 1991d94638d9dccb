//! Fields of protobuf messages, of which ONNX files are made. The server's tests include this file.

/// One that holds bytes.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    [&out, bytes].concat()
}

/// One that holds a number below 128.
pub fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}
