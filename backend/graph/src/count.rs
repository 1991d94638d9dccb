//! Whole numbers that may depend on the batch, for the sizes that a network's own code computes.

use std::cmp::Ordering;
use std::fmt;

use crate::shape::Dim;

/// The smallest and the largest batch that a comparison is decided for.
const FEW: i64 = 2;
const MANY: i64 = 1 << 16;

/// The whole number `per_image * N + fixed` for a batch of `N` images.
///
/// Importers calculate with it what a file calculates with sizes (`x.size(0) * windows // heads`), so that the result stays
/// exact for every batch. A result that is not linear in the batch, or in which a number leaves 64 bits, is `None`: it is
/// refused and not guessed at.
///
/// A [`Dim`] is the size of an axis: never negative, and either free of the batch or a multiple of it. Every `Dim` is a
/// `Count` ([`Count::of`]), but on the way from size to size there are also counts like -1 or `N + 1` that no axis can have
/// ([`Count::dim`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many for each image of the batch.
    pub per_image: i64,
    /// How many besides, in a batch of any size.
    pub fixed: i64,
}

/// `4 * N + 1`, where `N` is the batch.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.per_image, self.fixed) {
            (0, fixed) => write!(f, "{fixed}"),
            (1, 0) => write!(f, "N"),
            (each, 0) => write!(f, "{each} * N"),
            (each, fixed) => {
                let sign = if fixed < 0 { '-' } else { '+' };
                write!(f, "{} {sign} {}", Self { per_image: each, fixed: 0 }, fixed.unsigned_abs())
            }
        }
    }
}

impl From<Dim> for Count {
    fn from(dim: Dim) -> Self {
        Self::of(dim)
    }
}

/// The sizes of a tensor for an error message, `[N, 3, 4 * N]`.
pub fn in_words<Size: Copy + Into<Count>>(sizes: &[Size]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|&size| size.into().to_string()).collect();
    format!("[{}]", sizes.join(", "))
}

impl Count {
    /// The number of images itself.
    pub const BATCH: Self = Self { per_image: 1, fixed: 0 };

    /// A number that is the same for every batch.
    pub const fn fixed(value: i64) -> Self {
        Self { per_image: 0, fixed: value }
    }

    /// The size of an axis. One beyond 64 bits, which no tensor has, becomes the largest number.
    pub fn of(dim: Dim) -> Self {
        let number = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        match dim {
            Dim::Fixed(size) => Self::fixed(number(size)),
            Dim::Batch(each) => Self { per_image: number(each), fixed: 0 },
        }
    }

    /// The number, where it is the same for every batch.
    pub fn known(self) -> Option<i64> {
        (self.per_image == 0).then_some(self.fixed)
    }

    /// The size of an axis, where one can have it: not negative, and not a part for the batch and a part besides.
    pub fn dim(self) -> Option<Dim> {
        match (usize::try_from(self.per_image).ok()?, usize::try_from(self.fixed).ok()?) {
            (0, fixed) => Some(Dim::Fixed(fixed)),
            (each, 0) => Some(Dim::Batch(each)),
            _ => None,
        }
    }

    /// The number for a batch of this size.
    pub fn at(self, batch: i64) -> Option<i64> {
        self.per_image.checked_mul(batch)?.checked_add(self.fixed)
    }

    #[expect(clippy::should_implement_trait, reason = "the trait's sum is always given, this one can be refused")]
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
        Some(Self {
            per_image: self.per_image.checked_sub(other.per_image)?,
            fixed: self.fixed.checked_sub(other.fixed)?,
        })
    }

    /// `None` also where both depend on the batch.
    pub fn multiply(self, other: Self) -> Option<Self> {
        let (linear, factor) = match (self.known(), other.known()) {
            (_, Some(factor)) => (self, factor),
            (Some(factor), None) => (other, factor),
            (None, None) => return None,
        };
        Some(Self { per_image: linear.per_image.checked_mul(factor)?, fixed: linear.fixed.checked_mul(factor)? })
    }

    /// Division rounded down, as Python's `//`. `None` also where the divisor is zero, and where a number that depends on the
    /// batch cannot be divided without a rest.
    ///
    /// A divisor that depends on the batch is taken as not zero.
    pub fn floor_divide(self, other: Self) -> Option<Self> {
        self.divide(other, |a, b| {
            let rounded_up = a.checked_rem(b)? != 0 && (a < 0) != (b < 0);
            a.checked_div(b)?.checked_sub(i64::from(rounded_up))
        })
    }

    /// Division rounded towards zero, as ONNX's `Div`; `None` as in [`Count::floor_divide`].
    pub fn truncated_divide(self, other: Self) -> Option<Self> {
        self.divide(other, i64::checked_div)
    }

    /// Remainder with the sign of the divisor, as Python's `%` and ONNX's `Mod` on whole numbers; `None` as in
    /// [`Count::floor_divide`].
    pub fn remainder(self, other: Self) -> Option<Self> {
        match (self.known(), other.known()) {
            (Some(a), Some(b)) => {
                let rest = a.checked_rem(b)?;
                let other_sign = rest != 0 && (rest < 0) != (b < 0);
                Some(Self::fixed(if other_sign { rest.checked_add(b)? } else { rest }))
            }
            // Only divisions without a rest are linear in the batch.
            _ => self.truncated_divide(other).map(|_| Self::fixed(0)),
        }
    }

    /// Division where numbers that do not depend on the batch are divided by `rounded`.
    fn divide(self, other: Self, rounded: impl Fn(i64, i64) -> Option<i64>) -> Option<Self> {
        match (self.known(), other.known()) {
            (Some(a), Some(b)) => rounded(a, b).map(Self::fixed),
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

    /// How two numbers compare, where that is the same for every batch of 2 to 65536 images. Code that treats a single image
    /// differently takes the branch of several.
    pub fn order(self, other: Self) -> Option<Ordering> {
        same(self.orders(other)?)
    }

    /// Whether a comparison `holds`, where that is the same for every batch of 2 to 65536 images. It can be so where the order
    /// is not: `N >= 2` holds for all of them, but two are equal to it and three are more.
    pub fn compare(self, other: Self, holds: impl Fn(Ordering) -> bool) -> Option<bool> {
        same(self.orders(other)?.map(holds))
    }

    /// The orders that occur.
    ///
    /// A difference that is linear in the batch has its extremes at the smallest and at the largest. Between opposite signs it
    /// may be zero for one batch: a comparison for equality then has another outcome there than at both ends.
    fn orders(self, other: Self) -> Option<impl Iterator<Item = Ordering>> {
        let order = |batch| Some(self.at(batch)?.cmp(&other.at(batch)?));
        let (few, many) = (order(FEW)?, order(MANY)?);
        let opposite = few != many && few == many.reverse();
        let meet = opposite && {
            let difference = self.subtract(other)?;
            difference.fixed.checked_rem(difference.per_image)? == 0
        };
        Some([few, many].into_iter().chain(meet.then_some(Ordering::Equal)))
    }
}

/// The one value of all.
fn same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_that_depend_on_the_batch_stay_linear() {
        let windows = Count::BATCH.multiply(Count::fixed(16)).unwrap();
        assert_eq!(windows.dim(), Some(Dim::Batch(16)));
        for divide in [Count::floor_divide, Count::truncated_divide] {
            assert_eq!(divide(windows, Count::fixed(4)), Some(Count { per_image: 4, fixed: 0 }));
            assert_eq!(divide(windows, Count::BATCH), Some(Count::fixed(16)));
            assert_eq!(divide(windows, Count::fixed(3)), None);
            assert_eq!(divide(Count::fixed(16), Count::BATCH), None);
            assert_eq!(divide(Count::fixed(0), Count::BATCH), Some(Count::fixed(0)));
        }
        assert_eq!(windows.remainder(Count::fixed(8)), Some(Count::fixed(0)));
        assert_eq!(windows.remainder(Count::fixed(3)), None);
        assert_eq!(Count::BATCH.multiply(Count::BATCH), None);
    }

    #[test]
    fn an_axis_has_no_negative_size_and_none_that_depends_on_the_batch_in_part() {
        assert_eq!(Count::fixed(-1).dim(), None);
        assert_eq!(Count::BATCH.negate().unwrap().dim(), None);
        assert_eq!(Count::BATCH.add(Count::fixed(1)).unwrap().dim(), None);
        assert_eq!(Count::fixed(0).dim(), Some(Dim::Fixed(0)));
    }

    #[test]
    fn divisions_round_each_in_its_way_and_the_remainder_has_the_divisors_sign() {
        let known = |f: fn(Count, Count) -> Option<Count>, a, b| f(Count::fixed(a), Count::fixed(b))?.known();
        let all = |f| [known(f, 7, 2), known(f, -7, 2), known(f, 7, -2), known(f, -7, -2)];
        assert_eq!(all(Count::floor_divide), [Some(3), Some(-4), Some(-4), Some(3)]);
        assert_eq!(all(Count::truncated_divide), [Some(3), Some(-3), Some(-3), Some(3)]);
        assert_eq!(all(Count::remainder), [Some(1), Some(1), Some(-1), Some(-1)]);
    }

    #[test]
    fn division_by_zero_and_numbers_beyond_64_bits_give_no_result() {
        let least = Count { per_image: i64::MIN, fixed: 0 };
        for divide in [Count::floor_divide, Count::truncated_divide, Count::remainder] {
            for number in [Count::fixed(1), Count::fixed(i64::MIN), Count::BATCH, least] {
                assert_eq!(divide(number, Count::fixed(0)), None);
            }
            assert_eq!(divide(Count::fixed(i64::MIN), Count::fixed(-1)), None);
            assert_eq!(divide(least, Count::fixed(-1)), None);
            assert_eq!(divide(least, Count { per_image: -1, fixed: 0 }), None);
        }
        assert_eq!(least.negate(), None);
        assert_eq!(least.at(2), None);
        // What is left fits, though the next lower multiple of the divisor does not.
        assert_eq!(Count::fixed(i64::MIN).remainder(Count::fixed(3)), Some(Count::fixed(1)));
    }

    #[test]
    fn sizes_are_said_in_words() {
        let sizes = [(0, -1), (1, 0), (4, 0), (1, 1), (-2, -3)].map(|(per_image, fixed)| Count { per_image, fixed });
        assert_eq!(in_words(&sizes), "[-1, N, 4 * N, N + 1, -2 * N - 3]");
        assert_eq!(in_words(&[Dim::Batch(1), Dim::Fixed(3)]), "[N, 3]");
    }

    #[test]
    fn an_order_is_known_only_where_every_batch_agrees() {
        assert_eq!(Count::BATCH.order(Count::fixed(1)), Some(Ordering::Greater));
        assert_eq!(Count::BATCH.order(Count::fixed(-1)), Some(Ordering::Greater));
        assert_eq!(Count::BATCH.order(Count::BATCH), Some(Ordering::Equal));
        assert_eq!(Count::BATCH.order(Count::fixed(2)), None);
        assert_eq!(Count::BATCH.order(Count::fixed(16)), None);
    }

    #[test]
    fn a_comparison_is_decided_only_where_every_batch_agrees() {
        assert_eq!(Count::BATCH.compare(Count::fixed(1), Ordering::is_eq), Some(false));
        assert_eq!(Count::BATCH.compare(Count::fixed(2), Ordering::is_ge), Some(true));
        assert_eq!(Count::BATCH.compare(Count::fixed(2), Ordering::is_gt), None);
        assert_eq!(Count::BATCH.compare(Count::fixed(16), Ordering::is_gt), None);
    }

    #[test]
    fn equality_with_a_number_that_one_batch_has_is_not_decided() {
        for equality in [Ordering::is_eq, Ordering::is_ne] {
            assert_eq!(Count::BATCH.compare(Count::fixed(16), equality), None);
            assert_eq!(Count::BATCH.compare(Count::fixed(MANY), equality), None);
        }
        let even = Count { per_image: 2, fixed: 0 };
        assert_eq!(even.compare(Count::fixed(15), Ordering::is_eq), Some(false), "no batch has it");
        assert_eq!(Count::BATCH.compare(Count::fixed(MANY + 1), Ordering::is_eq), Some(false));
    }

    /// Small numbers, among which results are often given, and now and then the largest.
    fn number() -> impl Strategy<Value = i64> {
        let extreme = prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]);
        prop_oneof![12 => -12i64..=12, 1 => any::<i64>(), 1 => extreme]
    }

    fn count() -> impl Strategy<Value = Count> {
        prop_oneof![
            number().prop_map(Count::fixed),
            number().prop_map(|per_image| Count { per_image, fixed: 0 }),
            (number(), number()).prop_map(|(per_image, fixed)| Count { per_image, fixed }),
        ]
    }

    fn batch() -> impl Strategy<Value = i64> {
        prop_oneof![FEW..=32, FEW..=MANY]
    }

    /// The number for a batch; with numbers of 64 bits and such batches it cannot overflow.
    fn value(count: Count, batch: i64) -> i128 {
        i128::from(count.per_image) * i128::from(batch) + i128::from(count.fixed)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn results_are_those_of_every_batch(a in count(), b in count(), n in batch()) {
            let (x, y) = (value(a, n), value(b, n));
            let result = |count: Option<Count>| count.map(|count| value(count, n));
            if let Some(sum) = result(a.add(b)) {
                prop_assert_eq!(sum, x + y);
            }
            if let Some(difference) = result(a.subtract(b)) {
                prop_assert_eq!(difference, x - y);
            }
            if let Some(negative) = result(a.negate()) {
                prop_assert_eq!(negative, -x);
            }
            if let Some(product) = result(a.multiply(b)) {
                prop_assert_eq!(Some(product), x.checked_mul(y));
            }
            if let Some(at) = a.at(n) {
                prop_assert_eq!(i128::from(at), x);
            }
            if let Some(order) = a.order(b) {
                prop_assert_eq!(order, x.cmp(&y));
            }
        }

        #[test]
        fn quotients_and_remainders_are_those_of_every_batch(a in count(), b in count(), n in batch()) {
            let (x, y) = (value(a, n), value(b, n));
            // A divisor that depends on the batch is taken as not zero.
            prop_assume!(y != 0 || b.known().is_some());
            let result = |count: Option<Count>| count.map(|count| value(count, n));
            if let Some(quotient) = result(a.truncated_divide(b)) {
                prop_assert_eq!(Some(quotient), x.checked_div(y));
            }
            if let Some(quotient) = result(a.floor_divide(b)) {
                let rest = x - quotient * y;
                prop_assert!(rest.abs() < y.abs() && rest * y.signum() >= 0, "{quotient}");
            }
            if let Some(rest) = result(a.remainder(b)) {
                prop_assert!(rest.abs() < y.abs() && rest * y.signum() >= 0 && (x - rest) % y == 0, "{rest}");
            }
        }

        #[test]
        fn numbers_without_the_batch_calculate_like_integers(a in number(), b in number()) {
            let (x, y) = (Count::fixed(a), Count::fixed(b));
            let known = |count: Option<Count>| count.map(|count| count.known().unwrap());
            prop_assert_eq!(known(x.add(y)), a.checked_add(b));
            prop_assert_eq!(known(x.subtract(y)), a.checked_sub(b));
            prop_assert_eq!(known(x.multiply(y)), a.checked_mul(b));
            prop_assert_eq!(known(x.negate()), a.checked_neg());
            prop_assert_eq!(known(x.truncated_divide(y)), a.checked_div(b));
            prop_assert_eq!(x.floor_divide(y).is_some(), a.checked_div(b).is_some());
            prop_assert_eq!(x.remainder(y).is_some(), a.checked_rem(b).is_some());
            prop_assert_eq!(x.order(y), Some(a.cmp(&b)));
        }

        #[test]
        fn comparisons_are_decided_exactly_where_all_batches_agree(
            a in (-12i64..=12, -200i64..=200),
            b in (-12i64..=12, -200i64..=200),
        ) {
            let [a, b] = [a, b].map(|(per_image, fixed)| Count { per_image, fixed });
            // Beyond the difference of the fixed parts nothing changes.
            let orders: Vec<_> = (FEW..=400).chain([MANY]).map(|n| value(a, n).cmp(&value(b, n))).collect();
            prop_assert_eq!(a.order(b), same(orders.iter().copied()));
            use Ordering as O;
            for holds in [O::is_eq, O::is_ne, O::is_lt, O::is_le, O::is_gt, O::is_ge] {
                prop_assert_eq!(a.compare(b, holds), same(orders.iter().copied().map(holds)));
            }
        }

        #[test]
        fn division_undoes_multiplication(a in count(), factor in count(), n in batch()) {
            let Some(product) = a.multiply(factor) else { return Ok(()) };
            prop_assume!(factor.at(n).is_some_and(|f| f != 0));
            // Only a multiple of the batch divides another one.
            prop_assume!(factor.known().is_some() || factor.fixed == 0);
            prop_assert_eq!(product.floor_divide(factor), Some(a));
            prop_assert_eq!(product.truncated_divide(factor), Some(a));
            prop_assert_eq!(product.remainder(factor), Some(Count::fixed(0)));
        }

        #[test]
        fn sizes_of_axes_come_back(size in 1..=1usize << 40, n in 1..=1usize << 16) {
            for dim in [Dim::Fixed(size), Dim::Batch(size)] {
                prop_assert_eq!(Count::of(dim).dim(), Some(dim));
                prop_assert_eq!(Count::of(dim).at(n as i64), Some(dim.at(n) as i64));
            }
        }
    }
}
