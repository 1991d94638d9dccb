//! IDX files of images and labels.

use eagleeye_data::{DataError, Files};
use eagleeye_spec::report::DatasetKind;

use crate::support::{F32, F64, OnDisk, U8, as_stored, gzip, idx, outline, small_idx};

#[test]
fn images_and_labels_are_read_packed_or_not() {
    let (images, labels) = small_idx();
    for (images, labels) in [
        (images.clone(), labels.clone()),
        (gzip(&images), gzip(&labels)),
        (gzip(&images), labels.clone()),
        (images.clone(), gzip(&labels)),
    ] {
        let dataset = OnDisk::two(&images, &labels);
        let report = dataset.check().unwrap();
        assert_eq!(report.content.kind, DatasetKind::Idx);
        assert_eq!(outline(&report), (4, 1, 3, 2, vec![("0", 2), ("1", 0), ("2", 2)]));

        let dataset = dataset.open();
        assert_eq!(dataset.labels(), [0, 2, 2, 0]);
        assert_eq!((dataset.len(), dataset.labels()[1]), (4, 2));
        let third = dataset.decode(2, &as_stored(1, 2, 3)).unwrap();
        assert_eq!(third, [12.0, 13.0, 14.0, 15.0, 16.0, 17.0]);
    }
}

#[test]
fn a_gzip_of_several_members_is_one_file() {
    let (images, labels) = small_idx();
    let packed = [gzip(&images[..20]), gzip(&images[20..])].concat();
    assert_eq!(OnDisk::two(&packed, &labels).check().unwrap().content.images, 4);
}

#[test]
fn colours_come_out_channel_by_channel_whichever_axis_they_lie_on() {
    let planes: Vec<u8> = (0..12).collect();
    let channels_first = idx(U8, &[1, 3, 2, 2], &planes);
    let pixels: Vec<u8> = (0..4).flat_map(|pixel| [pixel, pixel + 4, pixel + 8]).collect();
    let channels_last = idx(U8, &[1, 2, 2, 3], &pixels);
    for images in [channels_first, channels_last] {
        let dataset = OnDisk::two(&images, &idx(U8, &[1], &[0])).open();
        let decoded = dataset.decode(0, &as_stored(3, 2, 2)).unwrap();
        assert_eq!(decoded, (0u8..12).map(f32::from).collect::<Vec<_>>());
    }
}

#[test]
fn floats_are_read_big_endian() {
    let values = [0.5f32, -1.5, 2.25, 1e-3];
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    let dataset = OnDisk::two(&idx(F32, &[1, 2, 2], &data), &idx(U8, &[1], &[0]));
    dataset.check().unwrap();
    assert_eq!(dataset.open().decode(0, &as_stored(1, 2, 2)).unwrap(), values);
}

#[test]
fn labels_may_have_any_integer_type_and_a_second_axis_of_one() {
    let (images, _) = small_idx();
    let short: Vec<u8> = [0i16, 1, 300, 1].iter().flat_map(|label| label.to_be_bytes()).collect();
    let dataset = OnDisk::two(&images, &idx(0x0b, &[4, 1], &short)).open();
    assert_eq!(dataset.labels(), [0, 1, 300, 1]);
    assert_eq!(dataset.classes().len(), 301);
}

#[test]
fn images_alone_have_no_labels() {
    let (images, _) = small_idx();
    for file in [gzip(&images), images] {
        let report = OnDisk::one(&file).check().unwrap();
        assert_eq!((report.content.kind, report.content.labelled), (DatasetKind::Idx, false));
        assert_eq!(outline(&report), (4, 1, 3, 2, vec![]));
        let dataset = OnDisk::one(&file).open();
        assert_eq!(
            (dataset.len(), dataset.is_labelled(), dataset.labels(), dataset.classes().len()),
            (4, false, &[][..], 0)
        );
        let last = dataset.decode(3, &as_stored(1, 2, 3)).unwrap();
        assert_eq!(last, [18.0, 19.0, 20.0, 21.0, 22.0, 23.0]);
        let refusal = dataset.decode(4, &as_stored(1, 2, 3)).unwrap_err();
        assert!(matches!(refusal, DataError::NoSuchImage { index: 4, images: 4 }), "{refusal}");
    }
}

#[test]
fn labels_of_idx_images_are_idx_too() {
    let (images, labels) = small_idx();
    let refusal = OnDisk::two(&images, &crate::support::zip(&[("a/1.png", &labels)])).check().unwrap_err();
    assert!(matches!(refusal, DataError::LabelsNotIdx), "{refusal}");
}

#[test]
fn a_file_of_something_else_is_told_what_would_be_right() {
    let refusal = OnDisk::one(b"width,height,label\n28,28,7\n").check().unwrap_err();
    assert!(matches!(refusal, DataError::UnknownFormat { part: "images" }), "{refusal}");
    for word in ["IDX", "NPZ", "Parquet", "zip", "tar.gz", "per class", ".cls"] {
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
    let (images, _) = small_idx();
    let refusal = OnDisk::two(&images, b"7\n3\n1\n0\n").check().unwrap_err();
    assert!(matches!(refusal, DataError::UnknownFormat { part: "labels" }), "{refusal}");
    let refusal = OnDisk::one(b"").check().unwrap_err();
    assert!(matches!(refusal, DataError::UnknownFormat { part: "images" }), "{refusal}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Files { images: folder.path().join("absent"), labels: None };
    let refusal = eagleeye_data::check(&missing, &Default::default()).unwrap_err();
    assert!(matches!(&refusal, DataError::Open { part: "images", path, .. } if path.ends_with("absent")), "{refusal}");

    let images = OnDisk::one(&small_idx().0);
    let folder = Files { labels: Some(folder.path().to_owned()), ..images.files.clone() };
    let refusal = eagleeye_data::check(&folder, &Default::default()).unwrap_err();
    assert!(matches!(refusal, DataError::Read { part: "labels", .. }), "{refusal}");
}

#[test]
fn counts_that_do_not_match_are_both_named() {
    let (images, _) = small_idx();
    let refusal = OnDisk::two(&images, &idx(U8, &[3], &[0, 1, 2])).check().unwrap_err();
    assert!(matches!(refusal, DataError::LabelCount { images: 4, labels: 3 }), "{refusal}");
}

#[test]
fn a_file_cut_short_says_how_much_is_missing() {
    let (images, labels) = small_idx();
    let refusal = OnDisk::two(&images[..images.len() - 5], &labels).check().unwrap_err();
    assert!(matches!(refusal, DataError::Truncated { part: "images", expected: 24, found: 19 }), "{refusal}");
    let refusal = OnDisk::two(&images[..9], &labels).check().unwrap_err();
    assert!(matches!(refusal, DataError::Truncated { part: "images", expected: 16, found: 9 }), "{refusal}");
    let refusal = OnDisk::two(&images, &labels[..labels.len() - 1]).check().unwrap_err();
    assert!(matches!(refusal, DataError::Truncated { part: "labels", expected: 4, found: 3 }), "{refusal}");

    let mut packed = gzip(&images);
    packed.truncate(packed.len() - 12);
    let refusal = OnDisk::two(&packed, &labels).check().unwrap_err();
    assert!(matches!(refusal, DataError::Gzip { part: "images", .. }), "{refusal}");
    let refusal = OnDisk::two(&packed[..3], &labels).check().unwrap_err();
    assert!(matches!(refusal, DataError::Gzip { part: "images", .. }), "{refusal}");
}

#[test]
fn sizes_that_lie_are_refused_before_anything_is_allocated() {
    let (_, labels) = small_idx();
    let absurd = idx(U8, &[u32::MAX; 4], &[0; 24]);
    let refusal = OnDisk::two(&absurd, &labels).check().unwrap_err();
    assert!(matches!(refusal, DataError::Truncated { part: "images", expected: u64::MAX, found: 24 }), "{refusal}");
}

#[test]
fn bytes_behind_the_data_are_no_dataset() {
    let (mut images, labels) = small_idx();
    images.extend([0; 3]);
    let refusal = OnDisk::two(&images, &labels).check().unwrap_err();
    assert!(matches!(refusal, DataError::TrailingBytes { part: "images", expected: 24, extra: 3 }), "{refusal}");
}

#[test]
fn element_types_and_shapes_that_mean_nothing_are_named() {
    let (images, labels) = small_idx();
    let doubles = idx(F64, &[4, 1, 1], &[0; 32]);
    let refusal = OnDisk::two(&doubles, &labels).check().unwrap_err();
    let named = matches!(&refusal, DataError::ElementType { part: "images", found, .. } if found == "float64");
    assert!(named, "{refusal}");

    let refusal = OnDisk::two(&images, &idx(F32, &[4], &[0; 16])).check().unwrap_err();
    let named = matches!(&refusal, DataError::ElementType { part: "labels", found, .. } if found == "float32");
    assert!(named, "{refusal}");

    let refusal = OnDisk::two(&idx(U8, &[4, 6], &[0; 24]), &labels).check().unwrap_err();
    let named = matches!(&refusal, DataError::Shape { part: "images", shape, .. } if shape == &[4, 6]);
    assert!(named, "{refusal}");

    let refusal = OnDisk::two(&idx(U8, &[4, 2, 0], &[]), &labels).check().unwrap_err();
    assert!(matches!(refusal, DataError::Shape { part: "images", .. }), "{refusal}");

    let refusal = OnDisk::two(&images, &idx(U8, &[2, 2], &[0; 4])).check().unwrap_err();
    assert!(matches!(refusal, DataError::Shape { part: "labels", .. }), "{refusal}");
}

#[test]
fn a_negative_label_is_named_with_its_image() {
    let (images, _) = small_idx();
    let signed = idx(0x09, &[4], &[0, 1, 0xff, 1]);
    let refusal = OnDisk::two(&images, &signed).check().unwrap_err();
    assert!(matches!(refusal, DataError::LabelOutOfRange { index: 2, label: -1, .. }), "{refusal}");
}

#[test]
fn an_empty_dataset_is_none() {
    let refusal = OnDisk::two(&idx(U8, &[0, 2, 3], &[]), &idx(U8, &[0], &[])).check().unwrap_err();
    assert!(matches!(refusal, DataError::Empty), "{refusal}");
}

#[test]
fn a_value_that_is_no_number_is_named_with_its_image() {
    let data: Vec<u8> = [1.0f32, 2.0, f32::NAN, 4.0].iter().flat_map(|value| value.to_be_bytes()).collect();
    let refusal = OnDisk::two(&idx(F32, &[2, 1, 2], &data), &idx(U8, &[2], &[0, 1])).check().unwrap_err();
    assert!(matches!(refusal, DataError::NotFinite { index: 1, value } if value.is_nan()), "{refusal}");
}
