//! Small pictures of a dataset.

use eagleeye_data::{THUMBNAIL_SIDE, thumbnails};
use image::GenericImageView;

use crate::support::{F32, OnDisk, U8, colour_png, grey_png, idx, zip};

fn decode(png: &[u8]) -> image::DynamicImage {
    image::load_from_memory_with_format(png, image::ImageFormat::Png).unwrap()
}

fn first_pixels(pngs: &[Vec<u8>]) -> Vec<u8> {
    pngs.iter().map(|png| decode(png).to_luma8().into_raw()[0]).collect()
}

#[test]
fn every_class_in_turn_gives_one() {
    // Image i has value i; classes 0, 0, 0, 1, 2.
    let dataset = OnDisk::two(&idx(U8, &[5, 1, 1], &[0, 1, 2, 3, 4]), &idx(U8, &[5], &[0, 0, 0, 1, 2])).open();
    assert_eq!(first_pixels(&thumbnails(&dataset, 4).unwrap()), [0, 3, 4, 1]);
    assert_eq!(first_pixels(&thumbnails(&dataset, 100).unwrap()), [0, 3, 4, 1, 2]);
    assert!(thumbnails(&dataset, 0).unwrap().is_empty());
}

#[test]
fn of_images_without_labels_the_first_are_shown() {
    let dataset = OnDisk::one(&idx(U8, &[5, 1, 1], &[0, 1, 2, 3, 4])).open();
    assert_eq!(first_pixels(&thumbnails(&dataset, 3).unwrap()), [0, 1, 2]);
    assert_eq!(thumbnails(&dataset, 100).unwrap().len(), 5);
}

#[test]
fn a_small_image_stays_as_it_is_and_a_large_one_keeps_its_proportions() {
    let side = THUMBNAIL_SIDE as u32;
    let file = zip(&[
        ("a/1.png", &grey_png(2, 2, &[1, 2, 3, 4])),
        ("b/1.png", &colour_png(4 * side, 2 * side, [200, 100, 50])),
        ("c/1.png", &grey_png(1000, 1, &[9; 1000])),
    ]);
    let pngs = thumbnails(&OnDisk::one(&file).open(), 3).unwrap();
    assert_eq!(decode(&pngs[0]).to_luma8().into_raw(), [1, 2, 3, 4]);
    let colour = decode(&pngs[1]);
    assert_eq!(colour.dimensions(), (side, side / 2));
    assert_eq!(colour.to_rgb8().get_pixel(5, 5).0, [200, 100, 50]);
    assert_eq!(decode(&pngs[2]).dimensions(), (side, 1));
}

#[test]
fn floats_are_shown_by_their_own_range() {
    let values: Vec<u8> = [-3.0f32, 1.0, -1.0, 1.0].iter().flat_map(|value| value.to_be_bytes()).collect();
    let dataset = OnDisk::two(&idx(F32, &[1, 2, 2], &values), &idx(U8, &[1], &[0])).open();
    let pngs = thumbnails(&dataset, 1).unwrap();
    assert_eq!(decode(&pngs[0]).to_luma8().into_raw(), [0, 255, 127, 255]);

    let flat = OnDisk::two(&idx(F32, &[1, 1, 1], &5.0f32.to_be_bytes()), &idx(U8, &[1], &[0])).open();
    assert_eq!(first_pixels(&thumbnails(&flat, 1).unwrap()), [0]);
}
