//! Parquet files that promise what is not there, and more.

use eagleeye_data::{DataError, Limits};
use parquet::basic::{Compression, Encoding, ZstdLevel};

use crate::parquet_files::{HUGGING_FACE, bytes, packings, parquet, paths, pets, plain, wide};
use crate::support::{OnDisk, grey_png};

/// What is said of a damaged file.
fn reason(file: &[u8]) -> String {
    let refused = OnDisk::one(file).check().unwrap_err();
    assert!(matches!(refused, DataError::Parquet { .. }), "{refused}");
    refused.to_string()
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let file = pets(plain());
    for length in 4..file.len() {
        let refused = OnDisk::one(&file[..length]).check().unwrap_err();
        assert!(matches!(refused, DataError::Parquet { .. }), "{length}: {refused}");
    }
}

#[test]
fn a_page_that_unpacks_to_more_than_the_limit_is_refused_whatever_it_is_packed_in() {
    let zeros = vec![0; 4_000_000];
    let limits = Limits { unpacked_bytes: 1_000_000, ..Limits::default() };
    for packing in packings().into_iter().skip(1) {
        let columns = vec![bytes(&[&zeros]), paths(1), wide(&[0])];
        let dataset = OnDisk::one(&parquet(HUGGING_FACE, plain().set_compression(packing), &[columns]));
        let refused = dataset.check_within(&limits).unwrap_err();
        assert!(matches!(refused, DataError::UnpackedBytes { limit: 1_000_000 }), "{packing}: {refused}");
    }
}

#[test]
fn one_value_of_a_dictionary_is_counted_as_often_as_it_is_used() {
    let image = grey_png(100, 100, &[0; 10_000]);
    let columns = vec![bytes(&[&image[..]; 100]), paths(100), wide(&[0; 100])];
    let dataset = OnDisk::one(&parquet(HUGGING_FACE, plain(), &[columns]));
    assert!(std::fs::metadata(&dataset.files.images).unwrap().len() < 3 * image.len() as u64, "it is stored once");
    let limits = |bytes| Limits { unpacked_bytes: bytes, ..Limits::default() };
    dataset.check_within(&limits(100 * image.len() as u64)).unwrap();
    let refused = dataset.check_within(&limits(100 * image.len() as u64 - 1)).unwrap_err();
    assert!(matches!(refused, DataError::UnpackedBytes { .. }), "{refused}");
}

#[test]
fn what_pages_promise_is_held_against_what_there_is() {
    // The header of the first page, a dictionary of a PNG: type 2, unpacked and packed size, one value.
    let image = grey_png(1, 1, &[0]);
    let file = parquet(HUGGING_FACE, plain(), &[vec![bytes(&[&image]), paths(1), wide(&[0])]]);
    let size = 4 + image.len() as u8;
    let zigzag = |value: u8| if value < 64 { vec![2 * value] } else { vec![0x80 | (2 * (value % 64)), value / 64] };
    let mut header = vec![0x15, 4, 0x15];
    let sizes = zigzag(size);
    header.extend(&sizes);
    header.push(0x15);
    header.extend(&sizes);
    let place = file.windows(header.len()).position(|bytes| bytes == header).unwrap();
    let rest = place + header.len();
    assert_eq!(file[rest..][..5], [0x4c, 0x15, 2, 0x15, 0], "one value, in plain encoding");

    let mut many = file.clone();
    many[rest + 2] = 126;
    assert!(reason(&many).contains("a dictionary promises 63 values"), "{}", reason(&many));
    let mut encoded = file.clone();
    encoded[rest + 4] = 14;
    assert!(reason(&encoded).contains("encoding 7"), "{}", reason(&encoded));
    let mut negative = file.clone();
    negative[place + 3] |= 1;
    assert!(reason(&negative).contains("negative size"), "{}", reason(&negative));
    let mut mistyped = file;
    mistyped[place] = 0x18;
    assert!(reason(&mistyped).contains("a field of a wrong type"), "{}", reason(&mistyped));
}

#[test]
fn encodings_whose_decoders_believe_what_they_read_are_refused() {
    let properties = plain().set_dictionary_enabled(false).set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY);
    let schema = "message m { required binary image; }";
    let refused = reason(&parquet(schema, properties, &[vec![bytes(&[&grey_png(1, 1, &[0])])]]));
    assert!(refused.contains("encoding 6") && refused.contains("plain or dictionary"), "{refused}");
}

#[test]
fn a_way_of_packing_that_is_not_read_is_named() {
    let mut file = pets(plain().set_compression(Compression::ZSTD(ZstdLevel::default())));
    // In the footer, field 4 of each column: ZSTD is 6, BROTLI 4.
    let footer = file.len() - 8 - u32::from_le_bytes(file[file.len() - 8..][..4].try_into().unwrap()) as usize;
    let places: Vec<usize> =
        (footer..file.len() - 2).filter(|&at| file[at] == 0x15 && file[at + 1] == 12 && file[at + 2] == 0x16).collect();
    assert_eq!(places.len(), 6, "three columns in two row groups");
    for place in places {
        file[place + 1] = 8;
    }
    assert!(reason(&file).contains("Brotli") && reason(&file).contains("snappy, zstd"), "{}", reason(&file));
}

#[test]
fn a_schema_as_deep_as_a_footer_is_long_is_refused() {
    // version 1; the schema: elements of one child each, `{ 3: OPTIONAL, 4: "g", 5: 1 }`.
    let depth = 1_000_000u32;
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    footer.extend([depth as u8 | 0x80, (depth >> 7) as u8 | 0x80, (depth >> 14) as u8]);
    for _ in 0..depth {
        footer.extend([0x35, 2, 0x18, 1, b'g', 0x15, 2, 0]);
    }
    footer.extend([0x16, 2, 0x19, 0x0c, 0]);
    let file = [b"PAR1", &footer[..], &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat();
    assert!(reason(&file).contains("1000000 columns"), "{}", reason(&file));
}

#[test]
fn footers_that_are_none_are_told_apart() {
    let file = |length: u32, magic: &[u8]| [b"PAR1", &[0; 20][..], &length.to_le_bytes(), magic].concat();
    assert!(reason(b"PAR1").ends_with("it is cut off"));
    assert!(reason(&file(4, b"PARE")).ends_with("it is encrypted"));
    assert!(reason(&file(4, b"PAR2")).contains("does not end with `PAR1`"));
    assert!(reason(&file(40, b"PAR1")).contains("its footer is missing"));
    assert!(reason(&file(u32::MAX, b"PAR1")).contains("4294967295 bytes"));
    reason(&file(20, b"PAR1"));
}
