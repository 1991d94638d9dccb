//! Whatever a file holds, reading it ends in a dataset or in an error, never in a panic.

use eagleeye_data::{Dataset, Limits, thumbnails};
use proptest::prelude::*;

use crate::parquet_files::{named, packings, pets};
use crate::support::{OnDisk, as_stored, colour_png, grey_png, gzip, jpeg, npy, npz, small_idx, tar, zip};

/// Small enough that a lie about sizes cannot make a case slow.
fn limits() -> Limits {
    Limits { unpacked_bytes: 1 << 20, images: 1000, image_bytes: 1 << 16, pixels: 1 << 16, classes: 1000 }
}

/// Reads everything that can be read.
fn exhaust(dataset: &OnDisk) {
    let checked = dataset.check_within(&limits());
    let Ok(opened) = Dataset::open(&dataset.files, &limits()) else {
        assert!(checked.is_err(), "what passes the check can be opened");
        return;
    };
    let decoded = (0..opened.len()).try_for_each(|index| opened.decode(index, &as_stored(3, 3, 2)).map(drop));
    if checked.is_ok() {
        assert_eq!(opened.labels().len(), if opened.is_labelled() { opened.len() } else { 0 });
        decoded.unwrap();
        thumbnails(&opened, 3).unwrap();
    }
}

/// One sound file of every kind.
fn sound() -> Vec<Vec<u8>> {
    let entries: [(&str, &[u8]); 3] = [
        ("a/1.png", &grey_png(3, 2, &[1; 6])),
        ("a/2.jpg", &jpeg(4, 4, 99)),
        ("b/1.png", &colour_png(2, 2, [1, 2, 3])),
    ];
    let samples: [(&str, &[u8]); 4] =
        [("1.png", &grey_png(3, 2, &[1; 6])), ("1.cls", b"1"), ("2.jpg", &jpeg(4, 4, 99)), ("2.cls", b"0")];
    let floats: Vec<u8> = (0..12u8).flat_map(|value| f32::from(value).to_le_bytes()).collect();
    let mut files = vec![
        small_idx().0,
        gzip(&small_idx().0),
        npz(&npy("<f4", "(2, 2, 3)", &floats), &npy("|u1", "(2,)", &[0, 1])),
        zip(&entries),
        tar(&entries),
        gzip(&tar(&entries)),
        zip(&samples),
        tar(&samples),
    ];
    files.extend(packings().map(|packing| pets(named(&["cat", "dog"]).set_compression(packing))));
    files
}

/// The first bytes that decide which parser sees the rest.
const BEGINNINGS: [&[u8]; 7] =
    [b"", b"PK\x03\x04", b"PK\x05\x06", b"PAR1", &[0x1f, 0x8b, 8, 0], &[0, 0, 8, 3], &[0, 0, 0x0d, 4]];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_are_refused_or_read(
        beginning in prop::sample::select(&BEGINNINGS[..]),
        rest in prop::collection::vec(any::<u8>(), 0..1200),
        labels in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
    ) {
        let images = [beginning, &rest].concat();
        match labels {
            Some(labels) => exhaust(&OnDisk::two(&images, &[&[0, 0, 8, 1][..], &labels].concat())),
            None => exhaust(&OnDisk::one(&images)),
        }
    }

    #[test]
    fn sound_files_with_bytes_changed_or_cut_off_are_refused_or_read(
        kind in 0usize..12,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = sound().swap_remove(kind);
        for (place, value) in changes {
            let place = place.index(file.len());
            file[place] = value;
        }
        if let Some(keep) = keep {
            file.truncate(keep.index(file.len()));
        }
        let with_labels = kind < 2;
        exhaust(&if with_labels { OnDisk::two(&file, &small_idx().1) } else { OnDisk::one(&file) });
    }
}
