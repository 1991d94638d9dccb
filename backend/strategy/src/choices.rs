//! Which keep counts a channel group may have: the rounding to multiples of channels.

use eagleeye_graph::gcd;
use eagleeye_spec::Space;
use eagleeye_spec::report::PrunableGroup;

/// The multiples of channels that groups are held to where none was asked for, largest first.
pub(crate) const MULTIPLES: [usize; 4] = [8, 4, 2, 1];

/// So many multiples a group needs for its strategies to differ enough from each other.
const LEAST_CHOICES: usize = 4;

/// The keep counts that a group may have: multiples of `step` from `floor`, and `size`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    step: usize,
    pub(crate) floor: usize,
    pub(crate) size: usize,
}

/// The choices of every prunable group. `largest` bounds the multiple where the space asks for none.
pub(crate) fn choices(groups: &[PrunableGroup], space: &Space, largest: usize) -> Vec<Choice> {
    groups.iter().map(|group| Choice::new(group, space, largest)).collect()
}

impl Choice {
    fn new(group: &PrunableGroup, space: &Space, largest: usize) -> Self {
        let size = group.size;
        let channels = group.channels_per_unit;
        let step = match space.round_to {
            Some(multiple) => units(multiple, channels),
            None => {
                let mut steps = MULTIPLES.iter().filter(|&&m| m <= largest).map(|&m| units(m, channels));
                steps.find(|step| size / step >= LEAST_CHOICES).unwrap_or(1)
            }
        };
        let smallest = (space.min_keep_ratio * size as f64 - 1e-9).ceil().max(1.0) as usize;
        let smallest = smallest.max(group.least);
        Self { step, floor: smallest.next_multiple_of(step).min(size), size }
    }

    /// The nearest allowed count to a part of the units.
    pub(crate) fn nearest(&self, ratio: f64) -> usize {
        let wanted = ratio * self.size as f64;
        let rounded = (wanted / self.step as f64).round() as usize * self.step;
        let rounded = rounded.clamp(self.floor, self.size);
        // Above the last multiple there is only the whole group.
        let last = self.size - self.size % self.step;
        if rounded > last || (rounded == last && wanted > (last + self.size) as f64 / 2.0) {
            self.size
        } else {
            rounded
        }
    }

    pub(crate) fn below(&self, count: usize) -> Option<usize> {
        let next = if count == self.size && !count.is_multiple_of(self.step) {
            count - count % self.step
        } else {
            count.checked_sub(self.step)?
        };
        (next >= self.floor && next < count).then_some(next)
    }

    pub(crate) fn above(&self, count: usize) -> Option<usize> {
        (count < self.size).then(|| (count + self.step).min(self.size))
    }
}

/// The units that make a multiple of channels.
fn units(multiple: usize, channels_per_unit: usize) -> usize {
    (multiple / gcd(multiple, channels_per_unit).max(1)).max(1)
}
