//! In which order an epoch goes through the images, and how each of them is varied: all of it from the seed and the epoch's number,
//! so that an epoch that is taken up in the middle goes on as it began.

use eagleeye_spec::TuneOptions;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What an epoch draws at random.
pub(super) struct Order {
    /// Every image once.
    pub images: Vec<i64>,
    /// For each place in the order, whether the image is mirrored.
    pub flips: Vec<bool>,
    /// For each place in the order, rows and columns by which the image is shifted.
    pub shifts: Vec<(i64, i64)>,
    /// For each place in the order, the part of the image that is seen.
    pub crops: Vec<Crop>,
    /// For each step, the share of the images themselves where pairs are blended.
    pub shares: Vec<f64>,
}

/// A rectangle, in parts of an image's height and width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crop {
    pub top: f64,
    pub left: f64,
    pub height: f64,
    pub width: f64,
}

/// Width to height of the narrowest and of the widest rectangle, in proportion to the image's own.
const NARROWEST: f64 = 3.0 / 4.0;
const WIDEST: f64 = 4.0 / 3.0;

/// How often a rectangle is drawn before the whole image is taken, as torchvision does it.
const CROP_TRIES: u32 = 10;

/// Streams of an epoch's generator.
const SHUFFLE: u64 = 0;
const VARY: u64 = 1;
const BLEND: u64 = 2;
const CROP: u64 = 3;

impl Order {
    /// `epoch` counts from 0.
    pub fn new(images: usize, steps: u64, options: &TuneOptions, epoch: u64) -> Self {
        let generator = |stream: u64| {
            let mut generator = ChaCha8Rng::seed_from_u64(options.seed);
            generator.set_stream(epoch * 4 + stream);
            generator
        };
        let mut order: Vec<i64> = (0..images as i64).collect();
        order.shuffle(&mut generator(SHUFFLE));
        let mut vary = generator(VARY);
        let reach = i64::from(options.crop_padding);
        let mut flips = Vec::new();
        let mut shifts = Vec::new();
        for _ in 0..images {
            let (flip, rows, columns) =
                (vary.random(), vary.random_range(-reach..=reach), vary.random_range(-reach..=reach));
            if options.flip {
                flips.push(flip);
            }
            if reach > 0 {
                shifts.push((rows, columns));
            }
        }
        let mut blend = generator(BLEND);
        let count = if options.mixup > 0.0 { steps } else { 0 };
        let shares = (0..count).map(|_| beta(options.mixup, &mut blend)).collect();
        let mut crop = generator(CROP);
        let crops = options.crop_area.iter().flat_map(|&least| std::iter::repeat_n(least, images));
        let crops = crops.map(|least| Crop::draw(least, &mut crop)).collect();
        Self { images: order, flips, shifts, crops, shares }
    }
}

impl Crop {
    /// Of at least a part of the area: the area is uniform, and so is the logarithm of the proportions. What does not fit into the
    /// image is drawn again, some times; then it is the whole image.
    fn draw(least: f64, generator: &mut ChaCha8Rng) -> Self {
        for _ in 0..CROP_TRIES {
            let area = least + (1.0 - least) * generator.random::<f64>();
            let ratio = NARROWEST * (WIDEST / NARROWEST).powf(generator.random::<f64>());
            let (height, width) = ((area / ratio).sqrt(), (area * ratio).sqrt());
            if height <= 1.0 && width <= 1.0 {
                let (top, left) =
                    (generator.random::<f64>() * (1.0 - height), generator.random::<f64>() * (1.0 - width));
                return Self { top, left, height, width };
            }
        }
        Self { top: 0.0, left: 0.0, height: 1.0, width: 1.0 }
    }
}

/// A number from Beta(a, a), by the ratio of powers (Jöhnk, 1964).
fn beta(a: f64, generator: &mut ChaCha8Rng) -> f64 {
    // For the largest a that is allowed, one pair of six is accepted.
    loop {
        let (x, y) = (generator.random::<f64>().powf(1.0 / a), generator.random::<f64>().powf(1.0 / a));
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TuneOptions {
        TuneOptions { crop_padding: 2, mixup: 0.4, seed: 5, ..TuneOptions::default() }
    }

    #[test]
    fn an_epoch_is_the_same_each_time_and_another_one_is_not() {
        let [first, again, next] = [0, 0, 1].map(|epoch| Order::new(100, 9, &options(), epoch));
        assert_eq!((&first.images, &first.flips, &first.shifts), (&again.images, &again.flips, &again.shifts));
        assert_eq!(first.shares, again.shares);
        assert!(first.images != next.images && first.flips != next.flips && first.shifts != next.shifts);
        let mut sorted = first.images.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>(), "every image once");
    }

    #[test]
    fn what_is_not_asked_for_changes_nothing_else() {
        let all = Order::new(50, 4, &options(), 3);
        let plain = Order::new(50, 4, &TuneOptions { flip: false, mixup: 0.0, ..options() }, 3);
        assert_eq!((all.images, all.shifts), (plain.images, plain.shifts));
        assert!(plain.flips.is_empty() && plain.shares.is_empty());
    }

    #[test]
    fn shifts_reach_as_far_as_they_may_and_flips_are_half() {
        let order = Order::new(2000, 1, &options(), 0);
        let columns: Vec<i64> = order.shifts.iter().map(|&(_, columns)| columns).collect();
        assert_eq!((columns.iter().min(), columns.iter().max()), (Some(&-2), Some(&2)));
        let flipped = order.flips.iter().filter(|&&flip| flip).count();
        assert!((900..1100).contains(&flipped), "{flipped}");
    }

    #[test]
    fn crops_lie_in_the_image_and_have_the_area_and_the_proportions_that_they_may() {
        let options = TuneOptions { crop_padding: 0, crop_area: Some(0.35), ..options() };
        let order = Order::new(2000, 1, &options, 0);
        let mut areas = Vec::new();
        for crop in &order.crops {
            let Crop { top, left, height, width } = *crop;
            assert!(
                top >= 0.0 && left >= 0.0 && top + height <= 1.0 + 1e-12 && left + width <= 1.0 + 1e-12,
                "{crop:?}"
            );
            assert!((NARROWEST - 1e-9..=WIDEST + 1e-9).contains(&(width / height)), "{crop:?}");
            areas.push(height * width);
        }
        let (least, most) = areas.iter().fold((1.0f64, 0.0f64), |(low, high), &area| (low.min(area), high.max(area)));
        assert!((0.35 - 1e-9..0.37).contains(&least) && most > 0.95, "{least} {most}");
        assert_eq!(order.crops, Order::new(2000, 1, &options, 0).crops);
        assert_ne!(order.crops, Order::new(2000, 1, &options, 1).crops);
        let without = Order::new(2000, 1, &TuneOptions { crop_area: None, ..options.clone() }, 0);
        assert_eq!((without.images, without.flips, without.crops.len()), (order.images, order.flips, 0));
        let whole = Order::new(2, 1, &TuneOptions { crop_area: Some(1.0), ..options }, 0).crops;
        assert_eq!(whole, [Crop { top: 0.0, left: 0.0, height: 1.0, width: 1.0 }; 2]);
    }

    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        for a in [0.2, 1.0, 2.0] {
            let draws: Vec<f64> = (0..4000).map(|_| beta(a, &mut generator)).collect();
            let mean = draws.iter().sum::<f64>() / 4000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4000.0;
            let expected = 1.0 / (4.0 * (2.0 * a + 1.0));
            assert!((mean - 0.5).abs() < 0.03 && (variance / expected - 1.0).abs() < 0.1, "{a}: {mean} {variance}");
        }
    }
}
