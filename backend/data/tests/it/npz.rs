//! NPZ files, as NumPy writes them.

use eagleeye_data::DataError;
use eagleeye_spec::report::DatasetKind;

use crate::support::{OnDisk, as_stored, npy, npy_with, npz, outline, small_idx, zip};

fn images() -> Vec<u8> {
    npy("|u1", "(4, 2, 3)", &(0..24).collect::<Vec<u8>>())
}

fn labels() -> Vec<u8> {
    let labels: Vec<u8> = [0i64, 2, 2, 0].iter().flat_map(|label| label.to_le_bytes()).collect();
    npy("<i8", "(4,)", &labels)
}

#[test]
fn arrays_are_found_by_their_usual_names() {
    for (image_key, label_key) in [("images", "labels"), ("x", "y"), ("x_train", "y_train")] {
        let (image_key, label_key) = (format!("{image_key}.npy"), format!("{label_key}.npy"));
        let file = zip(&[("other.npy", &labels()), (&label_key, &labels()), (&image_key, &images())]);
        let dataset = OnDisk::one(&file);
        let report = dataset.check().unwrap();
        assert_eq!(report.content.kind, DatasetKind::Npz);
        assert_eq!(outline(&report), (4, 1, 3, 2, vec![("0", 2), ("1", 0), ("2", 2)]));
        let last = dataset.open().decode(3, &as_stored(1, 2, 3)).unwrap();
        assert_eq!(last, [18.0, 19.0, 20.0, 21.0, 22.0, 23.0]);
    }
}

#[test]
fn numbers_are_read_in_the_byte_order_of_their_header() {
    let values = [0.5f32, -1.5, 2.25, 1e-3];
    let little: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let big: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    let labels = npy(">u2", "(1,)", &[1, 2]);
    for (descr, data) in [("<f4", little), (">f4", big)] {
        let dataset = OnDisk::one(&npz(&npy(descr, "(1, 2, 2)", &data), &labels)).open();
        assert_eq!(dataset.decode(0, &as_stored(1, 2, 2)).unwrap(), values);
        assert_eq!(dataset.labels(), [258]);
    }
}

#[test]
fn the_names_that_are_there_are_listed_when_none_fits() {
    let refusal = OnDisk::one(&zip(&[("train.npy", &images()), ("test.npy", &labels())])).check().unwrap_err();
    let listed = matches!(&refusal, DataError::NpzKeys { found } if found == &["test", "train"]);
    assert!(listed, "{refusal}");
}

#[test]
fn an_array_of_images_alone_has_no_labels() {
    for key in ["images", "x", "x_train"] {
        let dataset = OnDisk::one(&zip(&[(&format!("{key}.npy"), &images())]));
        let report = dataset.check().unwrap();
        assert_eq!((report.content.kind, report.content.labelled), (DatasetKind::Npz, false));
        assert_eq!(outline(&report), (4, 1, 3, 2, vec![]));
        let dataset = dataset.open();
        assert_eq!((dataset.len(), dataset.labels()), (4, &[][..]));
        assert_eq!(dataset.decode(1, &as_stored(1, 2, 3)).unwrap()[0], 6.0);
    }
}

#[test]
fn an_array_beside_the_images_may_be_labels_under_another_name() {
    for other in ["y.npy", "classes.npy", "images_2.npy", "notes.txt"] {
        let refusal = OnDisk::one(&zip(&[("images.npy", &images()), (other, &labels())])).check().unwrap_err();
        assert!(matches!(refusal, DataError::NpzKeys { .. }), "{other}: {refusal}");
    }
    let refusal = OnDisk::one(&zip(&[("labels.npy", &labels())])).check().unwrap_err();
    assert!(matches!(refusal, DataError::NpzKeys { .. }), "labels alone: {refusal}");
}

#[test]
fn labels_beside_it_are_one_file_too_many() {
    let (_, second) = small_idx();
    let refusal = OnDisk::two(&npz(&images(), &labels()), &second).check().unwrap_err();
    assert!(matches!(refusal, DataError::UnexpectedLabels { kind: "an NPZ" }), "{refusal}");
}

#[test]
fn fortran_order_is_refused_with_what_helps() {
    let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (4, 2, 3), }";
    let refusal = OnDisk::one(&npz(&npy_with(header, &[0; 24]), &labels())).check().unwrap_err();
    assert!(matches!(refusal, DataError::FortranOrder { part: "images" }), "{refusal}");
    assert!(refusal.to_string().contains("ascontiguousarray"));
}

#[test]
fn a_broken_array_is_named() {
    let deep = npy_with(&"[".repeat(5000), &[]);
    let cases = [
        (b"not an array at all".to_vec(), "does not start"),
        (npy_with("{'descr': '|u1'", &[0; 24]), ""),
        (deep, "limit is 4096"),
        (npy_with("{'descr': [('r', '|u1')], 'fortran_order': False, 'shape': (4,), }", &[0; 4]), "records"),
    ];
    for (array, word) in cases {
        let refusal = OnDisk::one(&npz(&array, &labels())).check().unwrap_err();
        assert!(matches!(&refusal, DataError::Npy { name, .. } if name == "images"), "{refusal}");
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
}

#[test]
fn types_and_shapes_that_mean_nothing_are_named() {
    let complex = npy("<c8", "(4, 1, 1)", &[0; 32]);
    let refusal = OnDisk::one(&npz(&complex, &labels())).check().unwrap_err();
    assert!(matches!(refusal, DataError::ElementType { part: "images", .. }), "{refusal}");

    let half_labels = npy("<f8", "(4,)", &[0; 32]);
    let refusal = OnDisk::one(&npz(&images(), &half_labels)).check().unwrap_err();
    assert!(matches!(refusal, DataError::ElementType { part: "labels", .. }), "{refusal}");

    let five = npy("|u1", "(4, 1, 2, 3, 1)", &[0; 24]);
    let refusal = OnDisk::one(&npz(&five, &labels())).check().unwrap_err();
    assert!(matches!(refusal, DataError::Shape { part: "images", .. }), "{refusal}");

    let short = npy("|u1", "(4, 2, 3)", &[0; 20]);
    let refusal = OnDisk::one(&npz(&short, &labels())).check().unwrap_err();
    assert!(matches!(refusal, DataError::Truncated { part: "images", expected: 24, found: 20 }), "{refusal}");

    let huge = npy("<u8", "(1,)", &u64::MAX.to_le_bytes());
    let one = npy("|u1", "(1, 1, 1)", &[0]);
    let refusal = OnDisk::one(&npz(&one, &huge)).check().unwrap_err();
    assert!(matches!(refusal, DataError::LabelOutOfRange { index: 0, .. }), "{refusal}");
}
