//! Ridge least squares by the rows' products with each other, for layers with more unknowns than rows: the same weight as by
//! second moments, whose matrix would be too large.

use tch::{Kind, TchError, Tensor};

use super::ridge::{DEFAULT_STRENGTH, Fit, STRENGTHS};

/// `fitted` and `held` are what is read, `[groups, rows, unknowns]`, and what is to be answered, `[groups, rows, outputs]`.
pub(super) fn fit(
    fitted: &[Tensor; 2],
    held: &[Tensor; 2],
    before: &Tensor,
    has_intercept: bool,
) -> Result<Option<Fit>, TchError> {
    let learnt = Rows::new(fitted, before, has_intercept)?;
    let products = learnt.products()?;
    let mut judged = None;
    if held[0].size()[1] > 0 {
        let asked = learnt.others(held, before)?;
        let crossed = asked.reads.f_matmul(&learnt.reads.f_transpose(1, 2)?)?.f_to_kind(Kind::Double)?;
        let error = |missing: &Tensor| mean_part(missing, &asked.answers);
        for strength in STRENGTHS {
            let Some(shares) = learnt.solve(&products, strength)? else { continue };
            let after = error(&asked.missing.f_sub(&crossed.f_matmul(&shares)?)?)?;
            if after.is_finite() && judged.is_none_or(|(_, _, least)| after < least) {
                judged = Some((strength, error(&asked.missing)?, after));
            }
        }
    }
    let strength = judged.map_or(DEFAULT_STRENGTH, |(strength, ..)| strength);
    let both = |of: usize| Tensor::f_cat(&[&fitted[of], &held[of]], 1);
    let all = Rows::new(&[both(0)?, both(1)?], before, has_intercept)?;
    let Some(shares) = all.solve(&all.products()?, strength)? else { return Ok(None) };
    let change = shares.f_transpose(1, 2)?.f_to_kind(Kind::Float)?.f_matmul(&all.reads)?;
    let weight = before.f_add(&change)?;
    let answered = all.reads.f_matmul(&weight.f_transpose(1, 2)?)?.f_to_kind(Kind::Double)?;
    let (error_before, error_after) = match judged {
        Some((_, before, after)) => (before, after),
        None => (mean_part(&all.missing, &all.answers)?, mean_part(&all.answers.f_sub(&answered)?, &all.answers)?),
    };
    let variance = |of: &Tensor| of.f_square()?.f_mean_dim(1i64, false, Kind::Double);
    let answer_mean = all.answer_mean.f_squeeze_dim(1)?;
    let product = weight.f_matmul(&all.read_mean.f_transpose(1, 2)?)?.f_squeeze_dim(2)?;
    Ok(Some(Fit {
        intercept: answer_mean.f_sub(&product)?,
        before: error_before,
        after: error_after,
        answered: variance(&answered)?,
        wanted: variance(&all.answers)?,
        answer_mean,
        weight,
        strength,
    }))
}

/// Rows about their means; about zero where there is no intercept.
struct Rows {
    reads: Tensor,
    /// `f64`, as what is missing from them with the weight that there was.
    answers: Tensor,
    missing: Tensor,
    /// `[groups, 1, ...]`
    read_mean: Tensor,
    answer_mean: Tensor,
}

impl Rows {
    fn new([reads, answers]: &[Tensor; 2], before: &Tensor, has_intercept: bool) -> Result<Self, TchError> {
        let mean = |of: &Tensor| of.f_mean_dim(1i64, true, Kind::Float)?.f_mul_scalar(f64::from(has_intercept));
        Self::about(reads, answers, before, mean(reads)?, mean(answers)?)
    }

    /// Other rows about the means of these.
    fn others(&self, [reads, answers]: &[Tensor; 2], before: &Tensor) -> Result<Self, TchError> {
        Self::about(reads, answers, before, self.read_mean.shallow_clone(), self.answer_mean.shallow_clone())
    }

    fn about(
        reads: &Tensor,
        answers: &Tensor,
        before: &Tensor,
        read_mean: Tensor,
        answer_mean: Tensor,
    ) -> Result<Self, TchError> {
        let (reads, answers) = (reads.f_sub(&read_mean)?, answers.f_sub(&answer_mean)?.f_to_kind(Kind::Double)?);
        let answered = reads.f_matmul(&before.f_transpose(1, 2)?)?.f_to_kind(Kind::Double)?;
        Ok(Self { missing: answers.f_sub(&answered)?, reads, answers, read_mean, answer_mean })
    }

    /// The products of all rows with each other, `[groups, rows, rows]`, `f64`.
    fn products(&self) -> Result<Tensor, TchError> {
        self.reads.f_matmul(&self.reads.f_transpose(1, 2)?)?.f_to_kind(Kind::Double)
    }

    /// How much of each row is added to the weight, `[groups, rows, outputs]`; `None` where nothing is read but zeros.
    fn solve(&self, products: &Tensor, strength: f64) -> Result<Option<Tensor>, TchError> {
        let (rows, unknowns) = (self.reads.size()[1], self.reads.size()[2]);
        let diagonal = products.f_diagonal(0, 1, 2)?.f_sum_dim_intlist(1i64, false, Kind::Double)?;
        if diagonal.f_max()?.f_double_value(&[])? <= 0.0 {
            return Ok(None);
        }
        let diagonal = diagonal.f_masked_fill(&diagonal.f_le(0.0)?, 1.0)?.f_mul_scalar(strength / unknowns as f64)?;
        let identity = Tensor::f_eye(rows, (Kind::Double, products.device()))?;
        let added = diagonal.f_reshape([-1, 1, 1])?.f_mul(&identity)?;
        let (factor, failed) = products.f_add(&added)?.f_linalg_cholesky_ex(false, false)?;
        if failed.f_any()?.f_int64_value(&[])? != 0 {
            return Ok(None);
        }
        self.missing.f_cholesky_solve(&factor, false).map(Some)
    }
}

/// What is missing from the answers, squared, as a part of their squares; mean over the outputs that vary.
fn mean_part(missing: &Tensor, answers: &Tensor) -> Result<f64, TchError> {
    let sum = |of: &Tensor| of.f_square()?.f_sum_dim_intlist(1i64, false, Kind::Double);
    let squares = sum(answers)?;
    let parts = sum(missing)?.f_div(&squares)?.f_masked_select(&squares.f_gt(0.0)?)?;
    if parts.numel() == 0 { Ok(0.0) } else { parts.f_mean(Kind::Double)?.f_double_value(&[]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repair::moments::Moments;
    use crate::repair::ridge;
    use crate::testing::images;

    #[test]
    fn the_weight_is_the_one_that_second_moments_give() {
        for has_intercept in [true, false] {
            let rows = |seed, rows: usize| [images(seed, &[rows, 2, 30]), images(seed + 1, &[rows, 2, 3])];
            let (fitted, held) = (rows(1, 20), rows(3, 5));
            let before = images(5, &[2, 3, 30]);
            let turned = |of: &[Tensor; 2]| [of[0].transpose(0, 1), of[1].transpose(0, 1)];
            let dual = fit(&turned(&fitted), &turned(&held), &before, has_intercept).unwrap().unwrap();
            let mut moments = Moments::new();
            moments.add(&fitted[0], &fitted[1], has_intercept).unwrap();
            let mut beside = moments.beside();
            beside.add(&held[0], &held[1], has_intercept).unwrap();
            let primal = ridge::fit(&moments, &beside, &before, has_intercept).unwrap().unwrap();
            assert_eq!(dual.strength, primal.strength);
            let close = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) < 1e-3;
            assert!(close(&dual.weight, &primal.weight) && close(&dual.intercept, &primal.intercept));
            assert!(close(&dual.answered, &primal.answered) && close(&dual.wanted, &primal.wanted));
        }
    }
}
