//! Archives with one folder per class: zip, tar, tar.gz.

use eagleeye_data::DataError;
use eagleeye_spec::report::{DatasetKind, ImageSize};
use image::ExtendedColorType;

use crate::support::{OnDisk, as_stored, colour_png, grey_png, gzip, jpeg, outline, png, tar, tar_header, zip};

/// Two cats and a dog, and the litter that comes with archives.
fn pets() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"Pets.".to_vec()),
        ("dog/", Vec::new()),
        ("dog/rex.png", grey_png(2, 1, &[30, 40])),
        ("cat/tom.jpg", jpeg(2, 1, 200)),
        ("cat/felix.png", grey_png(2, 1, &[10, 20])),
        (".DS_Store", b"litter".to_vec()),
        ("__MACOSX/cat/._tom.jpg", b"litter".to_vec()),
        ("cat/Thumbs.db", b"litter".to_vec()),
    ]
}

fn borrowed<'a>(entries: &'a [(&'a str, Vec<u8>)]) -> Vec<(&'a str, &'a [u8])> {
    entries.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect()
}

/// The refusal of a zip with a good image and one more entry.
fn refusal_beside(name: &str, bytes: &[u8]) -> DataError {
    OnDisk::one(&zip(&[("cat/a.png", &grey_png(1, 1, &[0])), (name, bytes)])).check().unwrap_err()
}

#[test]
fn the_three_kinds_of_archive_give_the_same_dataset() {
    let entries = pets();
    let entries = borrowed(&entries);
    let kinds = [
        (DatasetKind::Zip, zip(&entries)),
        (DatasetKind::Tar, tar(&entries)),
        (DatasetKind::TarGz, gzip(&tar(&entries))),
    ];
    for (kind, file) in kinds {
        let dataset = OnDisk::one(&file);
        let report = dataset.check().unwrap();
        assert_eq!(report.content.kind, kind);
        assert_eq!(outline(&report), (3, 1, 2, 1, vec![("cat", 2), ("dog", 1)]));

        let dataset = dataset.open();
        assert_eq!((dataset.classes(), dataset.labels()), (&["cat".into(), "dog".into()][..], &[0, 0, 1][..]));
        let input = as_stored(1, 1, 2);
        assert_eq!(dataset.decode(0, &input).unwrap(), [10.0, 20.0], "felix comes before tom");
        assert_eq!(dataset.decode(1, &input).unwrap(), [200.0, 200.0]);
        assert_eq!(dataset.decode(2, &input).unwrap(), [30.0, 40.0]);
    }
}

#[test]
fn the_order_in_an_archive_does_not_matter() {
    let mut entries = pets();
    let forwards = zip(&borrowed(&entries));
    entries.reverse();
    let (forwards, backwards) = (OnDisk::one(&forwards).open(), OnDisk::one(&zip(&borrowed(&entries))).open());
    for index in 0..3 {
        let input = as_stored(1, 1, 2);
        assert_eq!(forwards.decode(index, &input).unwrap(), backwards.decode(index, &input).unwrap());
    }
}

#[test]
fn the_class_folders_may_lie_in_one_common_folder() {
    let dot = grey_png(1, 1, &[0]);
    let nested = [("pets/LICENSE", &b"MIT"[..]), ("pets/cat/a.png", &dot), ("./pets/dog/b.png", &dot)];
    let report = OnDisk::one(&zip(&nested)).check().unwrap();
    assert_eq!(outline(&report), (2, 1, 1, 1, vec![("cat", 1), ("dog", 1)]));
}

#[test]
fn images_of_several_sizes_and_colours_are_summed_up() {
    let file = zip(&[
        ("a/1.png", &grey_png(4, 2, &[0; 8])),
        ("a/2.png", &grey_png(4, 2, &[0; 8])),
        ("b/1.png", &colour_png(3, 5, [9, 8, 7])),
    ]);
    let dataset = OnDisk::one(&file);
    let report = dataset.check().unwrap();
    assert_eq!(outline(&report), (3, 3, 4, 2, vec![("a", 2), ("b", 1)]));
    assert_eq!(report.shapes.min, ImageSize { width: 3, height: 2 });
    assert_eq!(report.shapes.max, ImageSize { width: 4, height: 5 });
    assert_eq!(report.shapes.most_common, ImageSize { width: 4, height: 2 });
}

#[test]
fn every_field_of_the_report_is_filled() {
    let file = zip(&[("a/1.png", &grey_png(4, 2, &[0; 8]))]);
    let json = serde_json::to_value(OnDisk::one(&file).check().unwrap()).unwrap();
    let size = serde_json::json!({ "width": 4, "height": 2 });
    let expected = serde_json::json!({
        "kind": "zip", "images": 1, "labelled": true, "classes": [{ "index": 0, "name": "a", "count": 1 }],
        "channels": 1, "width": 4, "height": 2,
        "shapes": { "min": size, "max": size, "most_common": size },
    });
    assert_eq!(json, expected);
}

#[test]
fn alpha_is_dropped_and_sixteen_bits_become_eight() {
    let transparent = png(1, 1, &[10, 20, 30, 0], ExtendedColorType::Rgba8);
    let deep = png(1, 1, &0x80ff_u16.to_ne_bytes(), ExtendedColorType::L16);
    let dataset = OnDisk::one(&zip(&[("a/1.png", &transparent), ("a/2.png", &deep)])).open();
    assert_eq!(dataset.decode(0, &as_stored(3, 1, 1)).unwrap(), [10.0, 20.0, 30.0]);
    assert_eq!(dataset.decode(1, &as_stored(1, 1, 1)).unwrap(), [128.0]);
}

#[test]
fn names_that_lead_out_of_the_archive_are_refused() {
    let dot = grey_png(1, 1, &[0]);
    let names = ["../dog/b.png", "cat/../../b.png", "/etc/b.png", "C:/b.png", "dog\\b.png"];
    for name in names {
        let entries: [(&str, &[u8]); 2] = [("cat/a.png", &dot), (name, &dot)];
        for file in [zip(&entries), tar(&entries), gzip(&tar(&entries))] {
            let refusal = OnDisk::one(&file).check().unwrap_err();
            assert!(matches!(&refusal, DataError::UnsafeName { entry } if entry == name), "{name}: {refusal}");
        }
    }
}

#[test]
fn links_and_devices_are_refused() {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_symlink("cat/a.png", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
    let linked = writer.finish().unwrap().into_inner();
    let refusal = OnDisk::one(&linked).check().unwrap_err();
    assert!(matches!(&refusal, DataError::SpecialEntry { entry } if entry == "cat/a.png"), "{refusal}");

    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char, tar::EntryType::Fifo] {
        let mut header = tar_header("cat/a.png", kind, 0);
        header.set_link_name("/etc/passwd").unwrap();
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, &[][..]).unwrap();
        let refusal = OnDisk::one(&builder.into_inner().unwrap()).check().unwrap_err();
        assert!(matches!(&refusal, DataError::SpecialEntry { entry } if entry == "cat/a.png"), "{refusal}");
    }
}

#[test]
fn images_without_folders_have_no_labels() {
    let entries = [
        ("b.jpg", jpeg(2, 1, 200)),
        ("README.md", b"Pets.".to_vec()),
        (".DS_Store", b"litter".to_vec()),
        ("__MACOSX/._a.png", b"litter".to_vec()),
        ("./a.PNG", grey_png(2, 1, &[10, 20])),
    ];
    let entries = borrowed(&entries);
    for (kind, file) in [(DatasetKind::Zip, zip(&entries)), (DatasetKind::TarGz, gzip(&tar(&entries)))] {
        let dataset = OnDisk::one(&file);
        let report = dataset.check().unwrap();
        assert_eq!((report.content.kind, report.content.labelled), (kind, false));
        assert_eq!(outline(&report), (2, 1, 2, 1, vec![]));
        let dataset = dataset.open();
        assert_eq!((dataset.len(), dataset.is_labelled(), dataset.labels()), (2, false, &[][..]));
        assert_eq!(dataset.decode(0, &as_stored(1, 1, 2)).unwrap(), [10.0, 20.0]);
        assert_eq!(dataset.decode(1, &as_stored(1, 1, 2)).unwrap(), [200.0, 200.0]);
    }
}

#[test]
fn a_broken_image_without_labels_is_named() {
    let refusal = OnDisk::one(&zip(&[("a.png", &grey_png(1, 1, &[0])), ("b.png", b"broken")])).check().unwrap_err();
    assert!(matches!(&refusal, DataError::Image { entry, .. } if entry == "b.png"), "{refusal}");
}

#[test]
fn images_outside_class_folders_are_named() {
    let dot = grey_png(1, 1, &[0]);
    for (name, bytes) in [("stray.png", &dot[..]), ("dog/2024/b.png", &dot[..])] {
        let refusal = refusal_beside(name, bytes);
        assert!(matches!(&refusal, DataError::Layout { entry } if entry == name), "{refusal}");
        assert!(refusal.to_string().contains("one folder per class"));
    }
}

#[test]
fn a_class_without_images_is_named() {
    let refusal = refusal_beside("dog/", &[]);
    assert!(matches!(&refusal, DataError::EmptyClass { class } if class == "dog"), "{refusal}");
}

#[test]
fn an_archive_without_images_is_empty() {
    for file in [zip(&[]), zip(&[("README.md", b"none")]), tar(&[("README.md", b"none")])] {
        let refusal = OnDisk::one(&file).check().unwrap_err();
        assert!(matches!(refusal, DataError::Empty), "{refusal}");
    }
}

#[test]
fn files_that_are_no_images_are_named() {
    let mut cut = grey_png(16, 16, &[7; 256]);
    cut.truncate(cut.len() - 20);
    let gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";
    for (bytes, word) in [(&b"labels"[..], "format is unknown"), (&cut, ""), (gif, "Gif")] {
        let refusal = refusal_beside("dog/b.png", bytes);
        assert!(matches!(&refusal, DataError::Image { entry, .. } if entry == "dog/b.png"), "{refusal}");
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
}

#[test]
fn of_several_broken_images_the_first_is_named_whichever_thread_met_it() {
    let dot = grey_png(1, 1, &[0]);
    let names: Vec<String> = (0..200).map(|number| format!("a/{number:03}.png")).collect();
    let entries: Vec<(&str, &[u8])> = names
        .iter()
        .enumerate()
        .map(|(number, name)| (name.as_str(), if number >= 90 { &b"broken"[..] } else { &dot[..] }))
        .collect();
    let broken = OnDisk::one(&zip(&entries));
    for _ in 0..20 {
        let refusal = broken.check().unwrap_err();
        assert!(matches!(&refusal, DataError::Image { entry, .. } if entry == "a/090.png"), "{refusal}");
    }
}

#[test]
fn an_archive_cut_short_is_refused() {
    let entries = pets();
    let entries = borrowed(&entries);
    let (zipped, tarred) = (zip(&entries), tar(&entries));

    let refusal = OnDisk::one(&zipped[..zipped.len() / 2]).check().unwrap_err();
    assert!(matches!(refusal, DataError::Archive { .. }), "{refusal}");

    // Within a header, within an image, within the padding behind it, and between two entries, where all that is
    // missing is the end.
    for length in [512 * 3 + 100, 512 * 4 + 40, 512 * 4 + 400, 512 * 5] {
        let refusal = OnDisk::one(&tarred[..length]).check().unwrap_err();
        assert!(matches!(refusal, DataError::Archive { .. }), "{length}: {refusal}");
    }

    let packed = gzip(&tarred);
    let refusal = OnDisk::one(&packed[..packed.len() - 10]).check().unwrap_err();
    assert!(matches!(refusal, DataError::Gzip { part: "images", .. }), "{refusal}");
}

#[test]
fn an_entry_whose_bytes_were_changed_is_named() {
    let dot = grey_png(1, 1, &[0]);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("cat/a.png", stored).unwrap();
    std::io::Write::write_all(&mut writer, &dot).unwrap();
    let mut file = writer.finish().unwrap().into_inner();
    let place = file.windows(4).position(|bytes| bytes == b"IEND").unwrap();
    file[place] ^= 0x20;
    let refusal = OnDisk::one(&file).check().unwrap_err();
    assert!(matches!(&refusal, DataError::Entry { entry, .. } if entry == "cat/a.png"), "{refusal}");
}

#[test]
fn an_encrypted_entry_is_named() {
    let mut file = zip(&[("cat/a.png", &grey_png(1, 1, &[0]))]);
    let central = file.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    file[central + 8] |= 1;
    let refusal = OnDisk::one(&file).check().unwrap_err();
    let named =
        matches!(&refusal, DataError::Entry { entry, reason } if entry == "cat/a.png" && reason.contains("encrypted"));
    assert!(named, "{refusal}");
}

#[test]
fn labels_beside_an_archive_are_one_file_too_many() {
    let file = zip(&[("cat/a.png", &grey_png(1, 1, &[0]))]);
    let refusal = OnDisk::two(&file, &crate::support::small_idx().1).check().unwrap_err();
    assert!(matches!(refusal, DataError::UnexpectedLabels { kind: "a zip archive" }), "{refusal}");
}
