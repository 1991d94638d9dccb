//! Whole numbers that may depend on the batch: `per_image * N + fixed`.
//!
//! Sizes that the network's code computes (`x.size(0) * windows // heads`) stay exact for every batch this way.

use eagleeye_graph::Dim;

/// `per_image * N + fixed` for a batch of `N` images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub per_image: i64,
    pub fixed: i64,
}

impl Count {
    pub fn fixed(value: i64) -> Self {
        Self { per_image: 0, fixed: value }
    }

    pub fn of(dim: Dim) -> Self {
        match dim {
            Dim::Fixed(size) => Self::fixed(size as i64),
            Dim::Batch(each) => Self { per_image: each as i64, fixed: 0 },
        }
    }

    /// The number, where it is the same for every batch.
    pub fn known(self) -> Option<i64> {
        (self.per_image == 0).then_some(self.fixed)
    }

    /// The size of an axis, where one can have it.
    pub fn dim(self) -> Option<Dim> {
        match (usize::try_from(self.per_image).ok()?, usize::try_from(self.fixed).ok()?) {
            (0, fixed) => Some(Dim::Fixed(fixed)),
            (each, 0) => Some(Dim::Batch(each)),
            _ => None,
        }
    }

    pub fn add(self, other: Self) -> Option<Self> {
        Some(Self {
            per_image: self.per_image.checked_add(other.per_image)?,
            fixed: self.fixed.checked_add(other.fixed)?,
        })
    }

    pub fn negate(self) -> Option<Self> {
        Some(Self { per_image: self.per_image.checked_neg()?, fixed: self.fixed.checked_neg()? })
    }

    pub fn subtract(self, other: Self) -> Option<Self> {
        self.add(other.negate()?)
    }

    /// `None` where the product is not linear in the batch.
    pub fn multiply(self, other: Self) -> Option<Self> {
        let (linear, factor) = match (self.known(), other.known()) {
            (_, Some(factor)) => (self, factor),
            (Some(factor), None) => (other, factor),
            (None, None) => return None,
        };
        Some(Self { per_image: linear.per_image.checked_mul(factor)?, fixed: linear.fixed.checked_mul(factor)? })
    }

    /// Division rounded down; `None` where the result is not linear in the batch.
    pub fn floor_divide(self, other: Self) -> Option<Self> {
        match (self.known(), other.known()) {
            (Some(a), Some(b)) => {
                let quotient = a.checked_div(b)?;
                let rounds_up = a % b != 0 && (a < 0) != (b < 0);
                Some(Self::fixed(if rounds_up { quotient - 1 } else { quotient }))
            }
            (None, Some(b)) => {
                let exact = self.per_image.checked_rem(b)? == 0 && self.fixed.checked_rem(b)? == 0;
                exact.then_some(Self { per_image: self.per_image.checked_div(b)?, fixed: self.fixed.checked_div(b)? })
            }
            (None, None) => {
                let multiple = self.fixed == 0 && other.fixed == 0 && self.per_image.checked_rem(other.per_image)? == 0;
                if multiple { self.per_image.checked_div(other.per_image).map(Self::fixed) } else { None }
            }
            (Some(0), None) => Some(Self::fixed(0)),
            (Some(_), None) => None,
        }
    }

    /// Remainder with the sign of the divisor, as in Python.
    pub fn remainder(self, other: Self) -> Option<Self> {
        self.subtract(self.floor_divide(other)?.multiply(other)?)
    }

    fn at(self, batch: i64) -> Option<i64> {
        self.per_image.checked_mul(batch)?.checked_add(self.fixed)
    }

    /// A comparison, where it has the same outcome for every batch of at least two images.
    ///
    /// Two images and very many stand for all: a difference that is linear in the batch and has the same sign at both ends
    /// has it everywhere between. Code that treats a single image differently takes the branch of several.
    pub fn compare(self, other: Self, holds: impl Fn(std::cmp::Ordering) -> bool) -> Option<bool> {
        let outcome = |batch| Some(holds(self.at(batch)?.cmp(&other.at(batch)?)));
        let few = outcome(2)?;
        let many = [3, 1 << 16].into_iter().map(outcome).collect::<Option<Vec<_>>>()?;
        many.iter().all(|&o| o == few).then_some(few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: Count = Count { per_image: 1, fixed: 0 };

    #[test]
    fn sizes_that_depend_on_the_batch_stay_linear() {
        let windows = BATCH.multiply(Count::fixed(16)).unwrap();
        assert_eq!(windows.dim(), Some(Dim::Batch(16)));
        assert_eq!(windows.floor_divide(Count::fixed(4)), Some(Count { per_image: 4, fixed: 0 }));
        assert_eq!(windows.floor_divide(BATCH), Some(Count::fixed(16)));
        assert_eq!(windows.floor_divide(Count::fixed(3)), None);
        assert_eq!(BATCH.multiply(BATCH), None);
        assert_eq!(windows.add(Count::fixed(1)).unwrap().dim(), None);
    }

    #[test]
    fn division_rounds_down_and_the_remainder_has_the_divisors_sign() {
        let divide = |a, b| Count::fixed(a).floor_divide(Count::fixed(b)).and_then(Count::known);
        assert_eq!((divide(7, 2), divide(-7, 2), divide(7, -2)), (Some(3), Some(-4), Some(-4)));
        assert_eq!((divide(1, 0), divide(i64::MIN, -1)), (None, None));
        let least = Count { per_image: i64::MIN, fixed: 0 };
        assert_eq!((least.floor_divide(Count::fixed(-1)), least.floor_divide(Count::fixed(0))), (None, None));
        assert_eq!(Count::fixed(-7).remainder(Count::fixed(4)), Some(Count::fixed(1)));
    }

    #[test]
    fn a_comparison_is_decided_only_where_every_batch_agrees() {
        assert_eq!(BATCH.compare(Count::fixed(1), |o| o.is_eq()), Some(false));
        assert_eq!(BATCH.compare(Count::fixed(0), |o| o.is_gt()), Some(true));
        assert_eq!(BATCH.compare(Count::fixed(16), |o| o.is_gt()), None);
    }
}
