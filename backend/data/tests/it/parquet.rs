//! Parquet files with a column of images.

use eagleeye_data::{DataError, Limits};
use eagleeye_spec::report::DatasetKind;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterVersion;

use crate::parquet_files::{Column, HUGGING_FACE, bytes, named, noted, packings, parquet, paths, pets, plain, wide};
use crate::support::{OnDisk, as_stored, grey_png, outline, small_idx};

fn dot() -> Vec<u8> {
    grey_png(1, 1, &[7])
}

fn refusal(file: &[u8]) -> DataError {
    OnDisk::one(file).check().unwrap_err()
}

#[test]
fn images_labels_and_names_are_read_however_pages_are_packed() {
    for packing in packings() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = named(&["cat", "dog"]).set_compression(packing).set_writer_version(version);
            let dataset = OnDisk::one(&pets(properties.set_encoding(Encoding::PLAIN)));
            let report = dataset.check().unwrap();
            assert_eq!((report.content.kind, report.content.labelled), (DatasetKind::Parquet, true));
            assert_eq!(outline(&report), (3, 3, 2, 1, vec![("cat", 2), ("dog", 1)]), "{packing}, {version:?}");

            let dataset = dataset.open();
            assert_eq!((dataset.len(), dataset.labels()), (3, &[1, 0, 0][..]));
            let input = as_stored(3, 1, 2);
            assert_eq!(dataset.decode(2, &input).unwrap(), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
            assert_eq!(dataset.decode(0, &input).unwrap(), [30.0, 40.0, 30.0, 40.0, 30.0, 40.0]);
            assert_eq!(dataset.size(1).unwrap(), [1, 2]);
        }
    }
}

#[test]
fn several_threads_read_at_once() {
    let dataset = OnDisk::one(&pets(plain())).open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(dataset.decode(0, &as_stored(1, 1, 2)).unwrap(), [30.0, 40.0]);
                    assert_eq!(dataset.decode(1, &as_stored(1, 1, 2)).unwrap(), [200.0, 200.0]);
                }
            });
        }
    });
}

#[test]
fn without_names_classes_are_numbers() {
    let columns = || vec![bytes(&[&dot(), &dot()]), paths(2), wide(&[2, 0])];
    let notes = ["{}", r#"{"info": {"features": {"label": {"dtype": "int64", "_type": "Value"}}}}"#];
    for properties in [plain(), noted(notes[0]), noted(notes[1])] {
        let report = OnDisk::one(&parquet(HUGGING_FACE, properties, &[columns()])).check().unwrap();
        assert_eq!(outline(&report), (2, 1, 1, 1, vec![("0", 1), ("1", 0), ("2", 1)]));
    }
}

#[test]
fn a_class_with_a_name_needs_no_image() {
    let report = OnDisk::one(&pets(named(&["cat", "dog", "emu"]))).check().unwrap();
    assert_eq!(outline(&report).4, [("cat", 2), ("dog", 1), ("emu", 0)]);
}

#[test]
fn columns_are_known_by_their_names_or_by_being_the_only_ones() {
    let (one, other) = (dot(), grey_png(1, 1, &[9]));
    let cases = [
        // CIFAR-10, CIFAR-100, and what pandas writes of bytes.
        "message m { required group img { required binary bytes; } required int64 label; }",
        "message m { required binary img; required int64 fine_label; }",
        "message m { required binary photo; required int64 species (INTEGER(64, true)); }",
        "message m { required binary image; required int64 labels (UINT_64); }",
    ];
    for schema in cases {
        let dataset = OnDisk::one(&parquet(schema, plain(), &[vec![bytes(&[&one, &other]), wide(&[1, 0])]]));
        assert_eq!(dataset.check().unwrap().content.images, 2, "{schema}");
        let dataset = dataset.open();
        assert_eq!(dataset.labels(), [1, 0], "{schema}");
        assert_eq!(dataset.decode(1, &as_stored(1, 1, 1)).unwrap(), [9.0]);
    }

    let schema = "message m { required binary mask; required binary image; required int64 coarse_label; \
                  required int32 fine_label; required int32 id; }";
    let numbers = |values: &[i32]| Column::Narrow(values.iter().copied().map(Some).collect());
    let columns = vec![bytes(&[b"mask"]), bytes(&[&one]), wide(&[5]), numbers(&[3]), numbers(&[17])];
    let dataset = OnDisk::one(&parquet(schema, plain(), &[columns])).open();
    assert_eq!(dataset.labels(), [3]);
    assert_eq!(dataset.decode(0, &as_stored(1, 1, 1)).unwrap(), [7.0]);
}

#[test]
fn without_a_column_of_integers_images_have_no_labels() {
    let schema = "message m { required binary image; required int32 taken (DATE); }";
    let taken = Column::Narrow(vec![Some(20_000)]);
    let report = OnDisk::one(&parquet(schema, plain(), &[vec![bytes(&[&dot()]), taken]])).check().unwrap();
    assert!(!report.content.labelled);
    assert_eq!(outline(&report), (1, 1, 1, 1, vec![]));
}

#[test]
fn columns_that_cannot_be_told_are_listed() {
    let schema = "message m { required binary left; required binary right; required int64 label; }";
    let file = parquet(schema, plain(), &[vec![bytes(&[&dot()]), bytes(&[&dot()]), wide(&[0])]]);
    let refused = refusal(&file);
    assert!(matches!(&refused, DataError::ParquetImages { found } if found == &["left", "right"]), "{refused}");

    let schema = "message m { required binary path (UTF8); required int64 label; }";
    let refused = refusal(&parquet(schema, plain(), &[vec![bytes(&[b"a.png"]), wide(&[0])]]));
    assert!(matches!(&refused, DataError::ParquetImages { found } if found == &["path", "label"]), "{refused}");

    let schema = "message m { required binary image; required int64 width; required int64 height; }";
    let refused = refusal(&parquet(schema, plain(), &[vec![bytes(&[&dot()]), wide(&[1]), wide(&[1])]]));
    assert!(matches!(&refused, DataError::ParquetLabels { found } if found == &["width", "height"]), "{refused}");
    assert!(refused.to_string().contains("`label`"), "{refused}");

    let schema = "message m { required binary image; required binary label (UTF8); }";
    let refused = refusal(&parquet(schema, plain(), &[vec![bytes(&[&dot()]), bytes(&[b"cat"])]]));
    let named = matches!(&refused, DataError::ElementType { part: "labels", found, .. } if found.contains("`label`"));
    assert!(named, "{refused}");
}

#[test]
fn what_is_missing_is_named_with_its_row() {
    let columns = |image: Option<Vec<u8>>, label| {
        vec![Column::Bytes(vec![Some(dot()), image]), paths(2), Column::Wide(vec![Some(0), label])]
    };
    let refused = refusal(&parquet(HUGGING_FACE, plain(), &[columns(None, Some(0))]));
    assert!(matches!(&refused, DataError::ParquetNull { column, index: 1 } if column == "image"), "{refused}");
    let refused = refusal(&parquet(HUGGING_FACE, plain(), &[columns(Some(dot()), None)]));
    assert!(matches!(&refused, DataError::ParquetNull { column, index: 1 } if column == "label"), "{refused}");
    let refused = refusal(&parquet(HUGGING_FACE, plain(), &[]));
    assert!(matches!(refused, DataError::Empty), "{refused}");
}

#[test]
fn labels_out_of_range_are_named_with_their_row() {
    let file = |label, properties| {
        parquet(HUGGING_FACE, properties, &[vec![bytes(&[&dot(), &dot()]), paths(2), wide(&[0, label])]])
    };
    let refused = refusal(&file(-1, plain()));
    assert!(matches!(refused, DataError::LabelOutOfRange { index: 1, label: -1, .. }), "{refused}");
    let refused = refusal(&file(2, named(&["cat", "dog"])));
    assert!(matches!(refused, DataError::LabelOutOfRange { index: 1, label: 2, largest: 1 }), "{refused}");
    let limits = Limits { classes: 2, ..Limits::default() };
    let refused = OnDisk::one(&file(2, plain())).check_within(&limits).unwrap_err();
    assert!(matches!(refused, DataError::LabelOutOfRange { index: 1, label: 2, largest: 1 }), "{refused}");
    let refused = OnDisk::one(&file(0, named(&["a", "b", "c"]))).check_within(&limits).unwrap_err();
    assert!(matches!(refused, DataError::TooManyClasses { found: 3, limit: 2 }), "{refused}");
}

#[test]
fn an_image_that_is_none_is_named_with_its_row() {
    let file = parquet(HUGGING_FACE, plain(), &[vec![bytes(&[&dot(), b"GIF89a"]), paths(2), wide(&[0, 1])]]);
    let refused = refusal(&file);
    assert!(matches!(&refused, DataError::Image { entry, .. } if entry == "image 1"), "{refused}");
}

#[test]
fn names_that_cannot_be_read_are_refused() {
    for note in ["{", r#"{"info": {"features": {"label": {"names": ["cat", 7]}}}}"#] {
        let refused = refusal(&pets(noted(note)));
        assert!(matches!(refused, DataError::Parquet { .. }), "{refused}");
    }
}

#[test]
fn labels_beside_a_parquet_file_are_one_file_too_many() {
    let refused = OnDisk::two(&pets(plain()), &small_idx().1).check().unwrap_err();
    assert!(matches!(refused, DataError::UnexpectedLabels { kind: "a Parquet file" }), "{refused}");
    let refused = OnDisk::two(&small_idx().0, &pets(plain())).check().unwrap_err();
    assert!(matches!(refused, DataError::LabelsNotIdx), "{refused}");
}

#[test]
fn limits_are_those_of_every_dataset() {
    let file = pets(plain().set_compression(Compression::SNAPPY));
    let dataset = OnDisk::one(&file);
    let within = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        dataset.check_within(&limits).unwrap_err()
    };
    let refused = within(|limits| limits.images = 2);
    assert!(matches!(refused, DataError::TooManyImages { limit: 2 }), "{refused}");
    let refused = within(|limits| limits.image_bytes = 20);
    assert!(matches!(&refused, DataError::ImageBytes { entry, limit: 20, .. } if entry == "0"), "{refused}");
    let refused = within(|limits| limits.unpacked_bytes = 200);
    assert!(matches!(refused, DataError::UnpackedBytes { limit: 200 }), "{refused}");
    let refused = within(|limits| limits.pixels = 1);
    assert!(matches!(&refused, DataError::Pixels { entry, limit: 1, .. } if entry == "image 0"), "{refused}");
}
