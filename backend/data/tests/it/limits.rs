//! Bombs, and everything else that is too much.

use eagleeye_data::{DataError, Limits};

use crate::support::{OnDisk, U8, grey_png, gzip, idx, npy, npz, small_idx, tar, zip};

fn within(change: impl Fn(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// 4 MB of zeros, which pack to a few kilobytes.
fn zeros() -> Vec<u8> {
    vec![0; 4_000_000]
}

#[test]
fn what_unpacks_to_more_than_the_limit_is_refused_whatever_it_is_packed_in() {
    let limits = within(|limits| limits.unpacked_bytes = 1_000_000);
    let labels = gzip(&idx(U8, &[4], &[0; 4]));
    let bombs = [
        OnDisk::two(&gzip(&idx(U8, &[4, 1000, 1000], &zeros())), &labels),
        OnDisk::one(&npz(&npy("|u1", "(4, 1000, 1000)", &zeros()), &npy("|u1", "(4,)", &[0; 4]))),
        OnDisk::one(&gzip(&tar(&[("cat/a.png", &zeros())]))),
        OnDisk::one(&zip(&[("cat/a.png", &zeros())])),
    ];
    for bomb in bombs {
        let packed = std::fs::metadata(&bomb.files.images).unwrap().len();
        assert!(packed < 20_000, "the file itself is small: {packed}");
        let refusal = bomb.check_within(&limits).unwrap_err();
        assert!(matches!(refusal, DataError::UnpackedBytes { limit: 1_000_000 }), "{refusal}");
    }
}

#[test]
fn the_limit_counts_all_files_of_a_dataset_together() {
    let dot = grey_png(1, 1, &[0]);
    let file = zip(&[("a/1.png", &dot), ("a/2.png", &dot), ("a/3.png", &dot)]);
    let bytes = 3 * dot.len() as u64;
    OnDisk::one(&file).check_within(&within(|limits| limits.unpacked_bytes = bytes)).unwrap();
    let refusal = OnDisk::one(&file).check_within(&within(|limits| limits.unpacked_bytes = bytes - 1)).unwrap_err();
    assert!(matches!(refusal, DataError::UnpackedBytes { .. }), "{refusal}");

    let (images, labels) = small_idx();
    let bytes = (images.len() + labels.len()) as u64;
    let packed = OnDisk::two(&gzip(&images), &gzip(&labels));
    packed.check_within(&within(|limits| limits.unpacked_bytes = bytes)).unwrap();
    let refusal = packed.check_within(&within(|limits| limits.unpacked_bytes = bytes - 1)).unwrap_err();
    assert!(matches!(refusal, DataError::UnpackedBytes { .. }), "{refusal}");
}

#[test]
fn too_many_images_are_refused() {
    let (images, labels) = small_idx();
    let limits = within(|limits| limits.images = 3);
    let refusal = OnDisk::two(&images, &labels).check_within(&limits).unwrap_err();
    assert!(matches!(refusal, DataError::TooManyImages { limit: 3 }), "{refusal}");

    let dot = grey_png(1, 1, &[0]);
    let names: Vec<String> = (0..4).map(|number| format!("a/{number}.png")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &dot[..])).collect();
    for file in [zip(&entries), tar(&entries)] {
        let refusal = OnDisk::one(&file).check_within(&limits).unwrap_err();
        assert!(matches!(refusal, DataError::TooManyImages { limit: 3 }), "{refusal}");
    }
}

#[test]
fn an_archive_of_nothing_but_names_is_refused_by_their_number() {
    let names: Vec<String> = (0..20).map(|number| format!(".{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    for file in [zip(&entries), tar(&entries)] {
        let refusal = OnDisk::one(&file).check_within(&within(|limits| limits.images = 3)).unwrap_err();
        assert!(matches!(refusal, DataError::TooManyImages { limit: 3 }), "{refusal}");
    }
}

#[test]
fn too_many_classes_are_refused() {
    let (images, labels) = small_idx();
    let limits = within(|limits| limits.classes = 2);
    let refusal = OnDisk::two(&images, &labels).check_within(&limits).unwrap_err();
    assert!(matches!(refusal, DataError::LabelOutOfRange { index: 1, label: 2, largest: 1 }), "{refusal}");

    let dot = grey_png(1, 1, &[0]);
    let file = zip(&[("a/1.png", &dot), ("b/1.png", &dot), ("c/1.png", &dot)]);
    let refusal = OnDisk::one(&file).check_within(&limits).unwrap_err();
    assert!(matches!(refusal, DataError::TooManyClasses { found: 3, limit: 2 }), "{refusal}");
}

#[test]
fn an_image_file_that_is_too_large_is_named() {
    let dot = grey_png(1, 1, &[0]);
    let limits = within(|limits| limits.image_bytes = dot.len() as u64 - 1);
    for file in [zip(&[("a/1.png", &dot)]), tar(&[("a/1.png", &dot)])] {
        let refusal = OnDisk::one(&file).check_within(&limits).unwrap_err();
        assert!(matches!(&refusal, DataError::ImageBytes { entry, .. } if entry == "a/1.png"), "{refusal}");
    }
}

#[test]
fn an_image_of_too_many_pixels_is_named_before_it_is_decoded() {
    let limits = within(|limits| limits.pixels = 15);
    let file = zip(&[("a/1.png", &grey_png(4, 4, &[0; 16]))]);
    let refusal = OnDisk::one(&file).check_within(&limits).unwrap_err();
    let named = matches!(&refusal, DataError::Pixels { entry, width: 4, height: 4, limit: 15 } if entry == "a/1.png");
    assert!(named, "{refusal}");

    let refusal = OnDisk::two(&idx(U8, &[1, 4, 4], &[0; 16]), &idx(U8, &[1], &[0])).check_within(&limits).unwrap_err();
    assert!(matches!(refusal, DataError::Pixels { width: 4, height: 4, limit: 15, .. }), "{refusal}");

    // The header of a PNG that claims 65,535 x 65,535 pixels and has none of them.
    let mut claim = grey_png(1, 1, &[0]);
    claim[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let sum = crc32(&claim[12..29]).to_be_bytes();
    claim[29..33].copy_from_slice(&sum);
    let refusal = OnDisk::one(&zip(&[("a/1.png", &claim)])).check().unwrap_err();
    assert!(matches!(refusal, DataError::Pixels { width: 65535, height: 65535, .. }), "{refusal}");
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
