//! From stored pixels to network input, against numbers worked out by hand; `torchvision.rs` compares with other programs.

use eagleeye_data::{DataError, Preprocess};
use eagleeye_spec::{ChannelOrder, Filter, Resize};

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

/// A request for this shorter side, with pixels as they are stored.
fn shorter_side(size: u32, height: usize, width: usize) -> Preprocess {
    Preprocess { resize: Resize::ShorterSide { size }, filter: Filter::Nearest, ..as_stored(1, height, width) }
}

#[test]
fn the_middle_of_an_odd_rest_begins_at_an_even_pixel() {
    // As in torchvision, where half a pixel is rounded to the even one: of 3 too many 2 are cut in front, of 5 too many 2.
    let counting = grey(1, 6, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(counting.decode(0, &shorter_side(1, 1, 3)).unwrap(), [2.0, 3.0, 4.0]);
    assert_eq!(counting.decode(0, &shorter_side(1, 1, 1)).unwrap(), [2.0]);
    assert_eq!(counting.decode(0, &shorter_side(1, 1, 5)).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(counting.decode(0, &shorter_side(1, 1, 4)).unwrap(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn what_is_too_small_for_the_input_is_surrounded_by_zeros() {
    let pair = grey(1, 2, &[7, 9]);
    assert_eq!(pair.decode(0, &shorter_side(1, 2, 5)).unwrap(), [0.0, 7.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(pair.decode(0, &shorter_side(1, 3, 1)).unwrap(), [0.0, 7.0, 0.0]);
    let normalised = Preprocess { mean: vec![7.0], deviation: vec![2.0], ..shorter_side(1, 1, 3) };
    assert_eq!(pair.decode(0, &normalised).unwrap(), [0.0, 1.0, -3.5], "zeros are pixels, which are normalised");
}

#[test]
fn the_longer_side_is_rounded_down() {
    // 2x7 becomes 3x10 and not 3x11, so that of a crop of 12 pixels one at each end is empty.
    let decoded = grey(7, 2, &[9; 14]).decode(0, &shorter_side(3, 12, 1)).unwrap();
    assert_eq!(
        decoded.iter().map(|&value| value > 0.0).collect::<Vec<_>>(),
        [&[false][..], &[true; 10], &[false]].concat()
    );
}

#[test]
fn a_size_of_its_own_is_for_the_shorter_side_and_the_rest_is_cut() {
    let floats: Vec<u8> = (0..8u8).map(f32::from).flat_map(f32::to_be_bytes).collect();
    let dataset = OnDisk::two(&idx(F32, &[1, 2, 4], &floats), &idx(U8, &[1], &[0])).open();
    assert_eq!(dataset.decode(0, &shorter_side(2, 2, 2)).unwrap(), [1.0, 2.0, 5.0, 6.0]);
    let decoded = dataset.decode(0, &shorter_side(1, 1, 4)).unwrap();
    assert_eq!(decoded, [0.0, 5.0, 7.0, 0.0], "nearest takes the lower right of four");
}

#[test]
fn stretching_loses_the_proportions_and_nothing_else() {
    let stretched = Preprocess { resize: Resize::Stretch {}, filter: Filter::Nearest, ..as_stored(1, 2, 2) };
    let decoded = grey(2, 6, &[255, 255, 10, 20, 7, 8, 255, 255, 30, 40, 9, 9]).decode(0, &stretched).unwrap();
    assert_eq!(decoded, [255.0, 7.0, 255.0, 9.0]);
}

#[test]
fn the_first_channel_may_be_blue() {
    let dataset = OnDisk::one(&zip(&[("a/1.png", &colour_png(1, 1, [1, 2, 3]))])).open();
    let caffe = Preprocess { mean: vec![0.0, 1.0, 3.0], order: ChannelOrder::Bgr, ..as_stored(3, 1, 1) };
    assert_eq!(dataset.decode(0, &caffe).unwrap(), [3.0, 1.0, -2.0], "mean and deviation are in the network's order");
    let one = Preprocess { order: ChannelOrder::Bgr, ..as_stored(1, 1, 2) };
    assert_eq!(grey(1, 2, &[3, 7]).decode(0, &one).unwrap(), [3.0, 7.0]);
}

#[test]
fn an_image_that_would_become_too_large_is_named() {
    let thread = grey(1, 10_000, &[0; 10_000]);
    let refusal = thread.decode(0, &shorter_side(8192, 1, 1)).unwrap_err();
    assert!(
        matches!(refusal, DataError::ResizedPixels { size: 8192, width: 81_920_000, height: 8192, .. }),
        "{refusal}"
    );
    for size in [u32::MAX, 0] {
        assert!(thread.decode(0, &shorter_side(size, 1, 1)).is_err());
    }
}

#[test]
fn a_flat_image_stays_flat_at_any_size() {
    let flat = grey(3, 5, &[77; 15]);
    for (height, width) in [(1, 1), (2, 9), (28, 28), (3, 5)] {
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Nearest, Filter::Lanczos] {
            for resize in [Resize::Cover {}, Resize::Stretch {}] {
                let preprocess = Preprocess { resize, filter, ..as_stored(1, height, width) };
                assert_eq!(flat.decode(0, &preprocess).unwrap(), vec![77.0; height * width], "{filter:?}");
            }
        }
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
        ("resize.size", Preprocess { resize: Resize::ShorterSide { size: 0 }, ..as_stored(1, 1, 1) }),
    ];
    for (name, preprocess) in cases {
        let refusal = dataset.decode(0, &preprocess).unwrap_err();
        assert!(matches!(&refusal, DataError::Preprocess { field, .. } if *field == name), "{name}: {refusal}");
    }
}

#[test]
fn an_absurd_input_size_is_an_error_and_no_abort() {
    for filter in [Filter::Bilinear, Filter::Nearest] {
        for resize in [Resize::Cover {}, Resize::Stretch {}] {
            let preprocess = Preprocess { resize, filter, ..as_stored(3, usize::MAX, 1) };
            let refusal = grey(1, 1, &[0]).decode(0, &preprocess).unwrap_err();
            assert!(matches!(refusal, DataError::Resize { .. }), "{refusal}");
        }
    }
    let refusal = grey(1, 1, &[0]).decode(0, &shorter_side(1, usize::MAX, 3)).unwrap_err();
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
