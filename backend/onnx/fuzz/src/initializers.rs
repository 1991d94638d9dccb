//! Changes of stored tensors: their sizes, types, and where their entries are.

use crate::proto::tensor_proto::{DataLocation, DataType};
use crate::proto::{StringStringEntryProto, TensorProto};
use crate::random::Random;

/// Entries of a tensor that is made or filled anew.
const MOST_ENTRIES: usize = 300;

/// Changes one of the tensors.
pub fn change(tensors: &mut [TensorProto], random: &mut Random) {
    if let Some(tensor) = random.pick_mut(tensors) {
        change_one(tensor, random);
    }
}

/// Adds a small tensor of whole numbers, as operators take them for shapes, axes and places.
pub fn add(tensors: &mut Vec<TensorProto>, random: &mut Random) {
    let name = format!("stored{}", random.below(1000));
    if let Some(copied) = random.pick(tensors).cloned().filter(|_| random.once_in(3)) {
        tensors.push(TensorProto { name: Some(name), ..copied });
    } else {
        tensors.push(TensorProto { name: Some(name), ..whole_numbers(random) });
    }
}

/// A tensor of at most four whole numbers.
pub fn whole_numbers(random: &mut Random) -> TensorProto {
    let count = random.below(5);
    let entries: Vec<i64> = (0..count).map(|_| random.number()).collect();
    let dims = if count == 1 && random.once_in(2) { Vec::new() } else { vec![count as i64] };
    TensorProto { dims, data_type: Some(DataType::Int64.into()), int64_data: entries, ..TensorProto::default() }
}

fn change_one(tensor: &mut TensorProto, random: &mut Random) {
    match random.below(12) {
        0 => tensor.dims.push(random.number()),
        1 => drop(tensor.dims.pop()),
        // Sizes that lie.
        2 | 3 => {
            if let Some(size) = random.pick_mut(&mut tensor.dims) {
                *size = random.number();
            }
        }
        // Another shape whose sizes do not lie.
        4 | 5 => {
            if let Some(size) = random.pick_mut(&mut tensor.dims) {
                *size = random.below(9) as i64;
            }
            fill(tensor, random);
        }
        6 => tensor.data_type = Some(random.below(26) as i32),
        7 => {
            tensor.data_type = Some(random.below(26) as i32);
            fill(tensor, random);
        }
        8 => external(tensor, random),
        9 => change_raw(tensor, random),
        _ => change_entry(tensor, random),
    }
}

/// As many entries as the shape says, in the field that the type says.
fn fill(tensor: &mut TensorProto, random: &mut Random) {
    let count = tensor.dims.iter().try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?));
    let Some(count) = count.filter(|&n| n <= MOST_ENTRIES) else {
        return;
    };
    let plain = TensorProto {
        name: tensor.name.clone(),
        dims: tensor.dims.clone(),
        data_type: tensor.data_type,
        ..TensorProto::default()
    };
    *tensor = plain;
    match DataType::try_from(tensor.data_type()).unwrap_or(DataType::Undefined) {
        DataType::Float => tensor.float_data = (0..count).map(|_| random.real()).collect(),
        DataType::Double => tensor.double_data = (0..count).map(|_| f64::from(random.real())).collect(),
        DataType::Int64 => tensor.int64_data = (0..count).map(|_| random.number()).collect(),
        DataType::Uint32 | DataType::Uint64 => tensor.uint64_data = (0..count).map(|_| random.bits()).collect(),
        _ => tensor.int32_data = (0..count).map(|_| random.number() as i32).collect(),
    }
}

fn external(tensor: &mut TensorProto, random: &mut Random) {
    let entry = |key: &str, value: &str| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    let places = ["weights.data", "../weights.data", "", ".", "/etc/hostname", "model.onnx", "absent"];
    let numbers = ["0", "4", "4092", "4096", "-1", "18446744073709551615", "9223372036854775807", "x"];
    tensor.data_location = Some(DataLocation::External.into());
    tensor.external_data = vec![entry("location", random.pick(&places).unwrap_or(&""))];
    for key in ["offset", "length"] {
        if random.once_in(2) {
            tensor.external_data.push(entry(key, random.pick(&numbers).unwrap_or(&"")));
        }
    }
}

fn change_raw(tensor: &mut TensorProto, random: &mut Random) {
    let raw = tensor.raw_data.get_or_insert_default();
    match random.below(3) {
        0 => drop(raw.pop()),
        1 => raw.push(random.bits() as u8),
        _ => {
            if let Some(byte) = random.pick_mut(raw) {
                *byte = random.bits() as u8;
            }
        }
    }
}

fn change_entry(tensor: &mut TensorProto, random: &mut Random) {
    if let Some(raw) = tensor.raw_data.as_mut().filter(|raw| raw.len() >= 8) {
        let place = random.below(raw.len() / 8) * 8;
        if let Some(entry) = raw.get_mut(place..place + 8) {
            entry.copy_from_slice(&random.number().to_le_bytes());
        }
    }
    if let Some(entry) = random.pick_mut(&mut tensor.int64_data) {
        *entry = random.number();
    }
    if let Some(entry) = random.pick_mut(&mut tensor.int32_data) {
        *entry = random.number() as i32;
    }
    if let Some(entry) = random.pick_mut(&mut tensor.float_data) {
        *entry = random.real();
    }
}
