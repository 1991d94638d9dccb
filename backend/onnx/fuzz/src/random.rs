//! Random choices from libFuzzer's seed.

/// A stream of random numbers (SplitMix64, Steele et al., 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end.max(1) as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    pub fn pick_mut<'a, T>(&mut self, items: &'a mut [T]) -> Option<&'a mut T> {
        let index = self.below(items.len());
        items.get_mut(index)
    }

    /// A whole number: mostly as networks have them, else where it hurts.
    pub fn number(&mut self) -> i64 {
        const HURTS: [i64; 16] = [
            i64::MIN,
            i64::MIN + 1,
            i64::MAX,
            i64::MAX - 1,
            -(1 << 31),
            (1 << 31) - 1,
            1 << 31,
            1 << 32,
            1 << 62,
            1 << 28,
            1 << 23,
            1 << 16,
            1000,
            255,
            -100,
            -7,
        ];
        match self.below(8) {
            0 => HURTS[self.below(HURTS.len())],
            1 => self.bits() as i64 >> self.below(64),
            _ => self.below(12) as i64 - 3,
        }
    }

    /// A real number, some of them no number at all.
    pub fn real(&mut self) -> f32 {
        const HURTS: [f32; 8] =
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, -0.0, 1e30, -1e30];
        match self.below(6) {
            0 => HURTS[self.below(HURTS.len())],
            _ => self.below(64) as f32 / 8.0 - 2.0,
        }
    }
}
