//! The larger and the smaller of two numbers, as libtorch computes them at run time: not-a-number where one of them is.
//! `f64::max` and `f64::min` would return the other.

pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

pub(super) fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_a_number_stays_what_it_is() {
        for pair in [[f64::NAN, 1.0], [1.0, f64::NAN], [f64::NEG_INFINITY, f64::NAN], [f64::NAN, f64::INFINITY]] {
            assert!(larger(pair[0], pair[1]).is_nan() && smaller(pair[0], pair[1]).is_nan(), "{pair:?}");
        }
        assert_eq!((larger(1.0, 2.0), larger(2.0, 1.0), smaller(1.0, 2.0), smaller(2.0, 1.0)), (2.0, 2.0, 1.0, 1.0));
    }
}
