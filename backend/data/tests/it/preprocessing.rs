//! From stored pixels to network input, against numbers worked out by hand.

use eagleeye_data::{DataError, Preprocess};

use crate::support::{F32, OnDisk, U8, as_stored, colour_png, grey_png, idx, zip};

/// A dataset of one image.
fn grey(height: u32, width: u32, pixels: &[u8]) -> eagleeye_data::Dataset {
    OnDisk::two(&idx(U8, &[1, height, width], pixels), &idx(U8, &[1], &[0])).open()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance, "{found:?} should be {expected:?}");
    }
}

#[test]
fn pixels_are_scaled_then_normalised() {
    let preprocess = Preprocess { mean: vec![0.25], deviation: vec![0.5], scale: 1.0 / 255.0, ..as_stored(1, 1, 3) };
    let decoded = grey(1, 3, &[0, 51, 255]).decode(0, &preprocess).unwrap();
    // (0/255 - 0.25) / 0.5, (51/255 - 0.25) / 0.5, (255/255 - 0.25) / 0.5
    assert_close(&decoded, &[-0.5, -0.1, 1.5], 1e-6);
}

#[test]
fn each_channel_has_its_own_mean_and_deviation() {
    let dataset = OnDisk::one(&zip(&[("a/1.png", &colour_png(2, 1, [10, 20, 30]))])).open();
    let preprocess = Preprocess { mean: vec![0.0, 10.0, 20.0], deviation: vec![1.0, 2.0, -4.0], ..as_stored(3, 1, 2) };
    assert_eq!(dataset.decode(0, &preprocess).unwrap(), [10.0, 10.0, 5.0, 5.0, -2.5, -2.5]);
    let shared = Preprocess { mean: vec![10.0], deviation: vec![2.0], ..as_stored(3, 1, 2) };
    assert_eq!(dataset.decode(0, &shared).unwrap(), [0.0, 0.0, 5.0, 5.0, 10.0, 10.0]);
}

#[test]
fn a_grey_image_is_repeated_for_a_network_of_three_channels() {
    let decoded = grey(1, 2, &[3, 7]).decode(0, &as_stored(3, 1, 2)).unwrap();
    assert_eq!(decoded, [3.0, 7.0, 3.0, 7.0, 3.0, 7.0]);
}

#[test]
fn a_colour_image_is_not_made_grey() {
    let dataset = OnDisk::one(&zip(&[("a/1.png", &colour_png(1, 1, [1, 2, 3]))])).open();
    let refusal = dataset.decode(0, &as_stored(1, 1, 1)).unwrap_err();
    assert!(matches!(refusal, DataError::Channels { images: 3, network: 1 }), "{refusal}");
}

#[test]
fn a_larger_image_is_shrunk_with_antialiasing() {
    // Halving with a triangle filter of radius 2 weighs four neighbours 1:3:3:1 inside; at the border what lies outside
    // is left out: (3*0 + 3*80 + 1*160) / 7 and (1*80 + 3*160 + 3*240) / 7.
    let decoded = grey(1, 4, &[0, 80, 160, 240]).decode(0, &as_stored(1, 1, 2));
    assert!(decoded.is_ok(), "a 4x1 image is cut to 2:1 first");
    let rows: Vec<u8> = [0, 80, 160, 240].repeat(4);
    let decoded = grey(4, 4, &rows).decode(0, &as_stored(1, 2, 2)).unwrap();
    let (left, right) = (400.0 / 7.0, 1280.0 / 7.0);
    assert_close(&decoded, &[left, right, left, right], 1.0);
}

#[test]
fn floats_are_resized_without_rounding() {
    let values: Vec<u8> = [0.0f32, 0.8, 1.6, 2.4].repeat(4).iter().flat_map(|value| value.to_be_bytes()).collect();
    let dataset = OnDisk::two(&idx(F32, &[1, 4, 4], &values), &idx(U8, &[1], &[0])).open();
    let decoded = dataset.decode(0, &as_stored(1, 2, 2)).unwrap();
    assert_close(&decoded, &[4.0 / 7.0, 12.8 / 7.0, 4.0 / 7.0, 12.8 / 7.0], 1e-5);
}

#[test]
fn proportions_are_kept_by_cutting_both_sides() {
    // Of 6x2 pixels the middle 2x2 stay for a square input; nothing of the 255 at the sides is left.
    let decoded = grey(2, 6, &[255, 255, 10, 20, 255, 255, 255, 255, 30, 40, 255, 255]);
    assert_close(&decoded.decode(0, &as_stored(1, 2, 2)).unwrap(), &[10.0, 20.0, 30.0, 40.0], 0.5);
    let decoded = grey(6, 1, &[255, 255, 10, 20, 255, 255]);
    assert_close(&decoded.decode(0, &as_stored(1, 2, 1)).unwrap(), &[10.0, 20.0], 0.5);
}

#[test]
fn a_flat_image_stays_flat_at_any_size() {
    let flat = grey(3, 5, &[77; 15]);
    for (height, width) in [(1, 1), (2, 9), (28, 28), (3, 5)] {
        let decoded = flat.decode(0, &as_stored(1, height, width)).unwrap();
        assert_eq!(decoded, vec![77.0; height * width]);
    }
}

#[test]
fn fields_that_make_no_sense_are_named() {
    let dataset = grey(1, 1, &[0]);
    let cases = [
        ("mean", Preprocess { mean: vec![], ..as_stored(1, 1, 1) }),
        ("mean", Preprocess { mean: vec![0.0, 0.0], ..as_stored(3, 1, 1) }),
        ("mean", Preprocess { mean: vec![f32::NAN], ..as_stored(1, 1, 1) }),
        ("deviation", Preprocess { deviation: vec![0.0], ..as_stored(1, 1, 1) }),
        ("deviation", Preprocess { deviation: vec![f32::INFINITY], ..as_stored(1, 1, 1) }),
        ("scale", Preprocess { scale: 0.0, ..as_stored(1, 1, 1) }),
        ("size", Preprocess { height: 0, ..as_stored(1, 1, 1) }),
    ];
    for (name, preprocess) in cases {
        let refusal = dataset.decode(0, &preprocess).unwrap_err();
        assert!(matches!(&refusal, DataError::Preprocess { field, .. } if *field == name), "{name}: {refusal}");
    }
}

#[test]
fn an_absurd_input_size_is_an_error_and_no_abort() {
    let refusal = grey(1, 1, &[0]).decode(0, &as_stored(1, usize::MAX, 1)).unwrap_err();
    assert!(matches!(refusal, DataError::Resize { .. }), "{refusal}");
}

#[test]
fn an_image_that_is_not_there_is_an_error() {
    let file = zip(&[("a/1.png", &grey_png(1, 1, &[0]))]);
    for dataset in [grey(1, 1, &[0]), OnDisk::one(&file).open()] {
        let refusal = dataset.decode(1, &as_stored(1, 1, 1)).unwrap_err();
        assert!(matches!(refusal, DataError::NoSuchImage { index: 1, images: 1 }), "{refusal}");
    }
}

#[test]
fn several_threads_decode_from_one_dataset() {
    let dots: Vec<(String, Vec<u8>)> =
        (0..40).map(|value| (format!("a/{value:02}.png"), grey_png(1, 1, &[value]))).collect();
    let entries: Vec<(&str, &[u8])> = dots.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let dataset = OnDisk::one(&zip(&entries)).open();
    std::thread::scope(|scope| {
        for start in 0..4 {
            let dataset = &dataset;
            scope.spawn(move || {
                for index in (start..40).step_by(4) {
                    assert_eq!(dataset.decode(index, &as_stored(1, 1, 1)).unwrap(), [index as f32]);
                }
            });
        }
    });
}
