//! Archives with a file of the class beside each image.

use eagleeye_data::{DataError, Limits};
use eagleeye_spec::report::DatasetKind;

use crate::support::{OnDisk, as_stored, grey_png, gzip, jpeg, outline, small_idx, tar, zip};

/// Two images of class 2 and one of class 0, with whatever else samples have.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"A dataset.".to_vec()),
        ("000017.jpg", jpeg(2, 1, 200)),
        ("000017.cls", b"2\n".to_vec()),
        ("000017.json", b"{\"label\": 9}".to_vec()),
        ("000003.cls", b"0".to_vec()),
        ("000003.seg.png", b"a mask, which nobody reads".to_vec()),
        ("000003.PNG", grey_png(2, 1, &[30, 40])),
        ("000003.coarse.cls", b"1".to_vec()),
        ("000018.jpeg", jpeg(2, 1, 100)),
        ("000018.cls", b" 2 ".to_vec()),
        ("000018.txt", b"a dog".to_vec()),
        ("._000018.cls", b"litter".to_vec()),
    ]
}

fn borrowed<'a>(entries: &'a [(&'a str, Vec<u8>)]) -> Vec<(&'a str, &'a [u8])> {
    entries.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect()
}

/// The refusal of a tar, of which a zip is refused alike.
fn refusal(entries: &[(&str, &[u8])]) -> DataError {
    let zipped = OnDisk::one(&zip(entries)).check().unwrap_err();
    let refusal = OnDisk::one(&tar(entries)).check().unwrap_err();
    assert_eq!(refusal.to_string(), zipped.to_string());
    refusal
}

#[test]
fn samples_are_read_by_their_keys_from_every_kind_of_archive() {
    let mut entries = samples();
    let forwards = tar(&borrowed(&entries));
    entries.reverse();
    let backwards = borrowed(&entries);
    for file in [gzip(&forwards), forwards, tar(&backwards), zip(&backwards)] {
        let dataset = OnDisk::one(&file);
        let report = dataset.check().unwrap();
        assert_eq!((report.content.kind, report.content.labelled), (DatasetKind::WebDataset, true));
        assert_eq!(outline(&report), (3, 1, 2, 1, vec![("0", 1), ("1", 0), ("2", 2)]));

        let dataset = dataset.open();
        assert_eq!(dataset.labels(), [0, 2, 2]);
        let input = as_stored(1, 1, 2);
        assert_eq!(dataset.decode(0, &input).unwrap(), [30.0, 40.0]);
        assert_eq!(dataset.decode(1, &input).unwrap(), [200.0, 200.0]);
        assert_eq!(dataset.decode(2, &input).unwrap(), [100.0, 100.0]);
    }
}

#[test]
fn samples_may_lie_in_folders_whose_names_are_part_of_the_keys() {
    let dot = grey_png(1, 1, &[0]);
    let entries: [(&str, &[u8]); 6] = [
        ("train/", b""),
        ("./train/a.png", &dot),
        ("train/a.cls", b"1"),
        ("v1.2/a.cls", b"0"),
        ("v1.2/a.png", &dot),
        ("v1.2/LICENSE", b"MIT"),
    ];
    let dataset = OnDisk::one(&tar(&entries)).open();
    assert_eq!(dataset.labels(), [1, 0]);
}

#[test]
fn an_image_without_a_class_is_named() {
    let dot = grey_png(1, 1, &[0]);
    let refused = refusal(&[("a.png", &dot), ("a.cls", b"1"), ("b.png", &dot), ("b.json", b"{}")]);
    assert!(matches!(&refused, DataError::SampleWithoutClass { entry } if entry == "b.png"), "{refused}");
}

#[test]
fn a_class_without_an_image_is_named() {
    let dot = grey_png(1, 1, &[0]);
    let refused = refusal(&[("a.png", &dot), ("a.cls", b"1"), ("b.webp", &dot), ("b.cls", b"0")]);
    assert!(matches!(&refused, DataError::SampleWithoutImage { entry } if entry == "b.cls"), "{refused}");
    // The key ends at the first dot.
    let refused = refusal(&[("a.v1.png", &dot), ("a.v1.cls", b"1")]);
    assert!(matches!(&refused, DataError::SampleWithoutImage { entry } if entry == "a.v1.cls"), "{refused}");
    assert!(refused.to_string().contains("first dot"), "{refused}");
}

#[test]
fn a_class_that_is_no_number_within_the_limit_is_named() {
    let dot = grey_png(1, 1, &[0]);
    let long = [b' '; 40];
    let classes: [(&[u8], &str); 8] = [
        (b"cat", "\"cat\""),
        (b"-1", "\"-1\""),
        (b"1.0", "\"1.0\""),
        (b"", "\"\""),
        (b"99999999999999999999", "\"99999999999999999999\""),
        (b"65536", "\"65536\""),
        (b"\xff\x1b", "\"\u{fffd}\\u{1b}\""),
        (&long, "too much"),
    ];
    for (class, expected) in classes {
        let refused = refusal(&[("a.png", &dot), ("a.cls", class)]);
        let DataError::SampleClass { entry, found, largest: 65_535 } = &refused else { panic!("{refused}") };
        assert_eq!((entry.as_str(), found.as_str()), ("a.cls", expected));
    }
    let limits = Limits { classes: 3, ..Limits::default() };
    OnDisk::one(&tar(&[("a.png", &dot), ("a.cls", b"2")])).check_within(&limits).unwrap();
    let refused = OnDisk::one(&tar(&[("a.png", &dot), ("a.cls", b"3")])).check_within(&limits).unwrap_err();
    assert!(matches!(refused, DataError::SampleClass { largest: 2, .. }), "{refused}");
}

#[test]
fn a_second_image_or_class_of_a_key_is_named() {
    let dot = grey_png(1, 1, &[0]);
    let refused = refusal(&[("a.png", &dot), ("a.cls", b"1"), ("a.jpg", &dot)]);
    assert!(matches!(&refused, DataError::SampleTwice { entry } if entry == "a.jpg"), "{refused}");
    let refused = OnDisk::one(&tar(&[("a.cls", b"0"), ("a.png", &dot), ("./a.cls", b"1")])).check().unwrap_err();
    assert!(matches!(&refused, DataError::SampleTwice { entry } if entry == "./a.cls"), "{refused}");
}

#[test]
fn the_limit_of_images_holds() {
    let dot = grey_png(1, 1, &[0]);
    let entries: [(&str, &[u8]); 4] = [("a.png", &dot), ("a.cls", b"0"), ("b.png", &dot), ("b.cls", b"0")];
    let limits = Limits { images: 2, ..Limits::default() };
    OnDisk::one(&tar(&entries)).check_within(&limits).unwrap();
    let refused = OnDisk::one(&tar(&entries)).check_within(&Limits { images: 1, ..limits }).unwrap_err();
    assert!(matches!(refused, DataError::TooManyImages { limit: 1 }), "{refused}");
}

#[test]
fn labels_beside_a_webdataset_are_one_file_too_many() {
    let refused = OnDisk::two(&tar(&borrowed(&samples())), &small_idx().1).check().unwrap_err();
    assert!(matches!(refused, DataError::UnexpectedLabels { kind: "a WebDataset archive" }), "{refused}");
}
