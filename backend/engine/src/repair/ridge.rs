//! Ridge least squares on second moments, its strength chosen on rows that were held back.

use tch::{Kind, TchError, Tensor};

use super::moments::{Centred, Moments};

/// Strengths that are tried, relative to the mean of the squares' diagonal.
pub(super) const STRENGTHS: [f64; 5] = [1e-6, 1e-4, 1e-3, 1e-2, 1e-1];

/// The strength where no rows are held back.
pub(super) const DEFAULT_STRENGTH: f64 = 1e-3;

/// Outputs by which a strength is chosen: more of them say the same.
const CHOOSING_OUTPUTS: i64 = 64;

/// A fitted layer.
#[derive(Debug)]
pub(super) struct Fit {
    /// `[groups, outputs, unknowns]`
    pub weight: Tensor,
    /// What is to be added to the product: `[groups, outputs]`, zero without an intercept.
    pub intercept: Tensor,
    pub strength: f64,
    /// The squared error of the weight that there was, with the best intercept, and of the new one, as parts of the answers'
    /// variance: means over the outputs, on held-back rows where there are any.
    pub before: f64,
    pub after: f64,
    /// Variances of what the layer answers now and of what it is to answer: `[groups, outputs]`.
    pub answered: Tensor,
    pub wanted: Tensor,
    /// `[groups, outputs]`, zero without an intercept.
    pub answer_mean: Tensor,
}

/// The weight that answers best, at the least distance from `before`, `[groups, outputs, unknowns]`: what the rows do not
/// determine stays as it is. `None` where there are no rows or all of them read nothing but zeros.
pub(super) fn fit(
    fitted: &Moments,
    held: &Moments,
    before: &Tensor,
    has_intercept: bool,
) -> Result<Option<Fit>, TchError> {
    let Some(all) = fitted.with(held)?.centred(has_intercept)? else { return Ok(None) };
    let before = before.f_to_kind(Kind::Double)?;
    let (mut strength, mut errors) = (DEFAULT_STRENGTH, None);
    if let (Some(learnt), Some(asked)) = (fitted.centred(has_intercept)?, held.centred(has_intercept)?)
        && let Some(chosen) = chosen(&learnt, &asked, &before)?
        && let Some(weight) = solve(&learnt, &before, chosen)?
    {
        strength = chosen;
        errors = Some((error(&learnt, &asked, &before)?, error(&learnt, &asked, &weight)?));
    }
    let Some(weight) = solve(&all, &before, strength)? else { return Ok(None) };
    let (error_before, error_after) = match errors {
        Some(errors) => errors,
        None => (error(&all, &all, &before)?, error(&all, &all, &weight)?),
    };
    Ok(Some(Fit {
        intercept: all.answer_mean.f_sub(&times(&weight, &all.read_mean)?)?,
        before: error_before,
        after: error_after,
        answered: quadratic(&weight, &all.squares)?.f_div_scalar(all.rows)?,
        wanted: all.answer_squares.f_div_scalar(all.rows)?,
        answer_mean: all.answer_mean.shallow_clone(),
        weight,
        strength,
    }))
}

/// The strength with the least error on the held-back rows, by some of the outputs; `None` where none gives a finite one.
fn chosen(learnt: &Centred, asked: &Centred, before: &Tensor) -> Result<Option<f64>, TchError> {
    let step = (before.size()[1] / CHOOSING_OUTPUTS).max(1);
    let (learnt, asked) = (learnt.every(step)?, asked.every(step)?);
    let before = before.f_slice(1, None, None, step)?;
    let mut best: Option<(f64, f64)> = None;
    for strength in STRENGTHS {
        let Some(weight) = solve(&learnt, &before, strength)? else { continue };
        let error = error(&learnt, &asked, &weight)?;
        if error.is_finite() && best.is_none_or(|(_, least)| error < least) {
            best = Some((strength, error));
        }
    }
    Ok(best.map(|(strength, _)| strength))
}

/// The minimum of `|answers - W reads|^2 + strength |W - before|^2`; `None` where that has none.
fn solve(moments: &Centred, before: &Tensor, strength: f64) -> Result<Option<Tensor>, TchError> {
    let diagonal = moments.squares.f_diagonal(0, 1, 2)?.f_mean_dim(1i64, false, Kind::Double)?;
    if diagonal.f_max()?.f_double_value(&[])? <= 0.0 {
        return Ok(None);
    }
    // A group that reads nothing but zeros keeps its weight.
    let diagonal = diagonal.f_masked_fill(&diagonal.f_le(0.0)?, 1.0)?;
    let unknowns = moments.squares.size()[2];
    let identity = Tensor::f_eye(unknowns, (Kind::Double, moments.squares.device()))?;
    let added = diagonal.f_mul_scalar(strength)?.f_reshape([-1, 1, 1])?.f_mul(&identity)?;
    let (factor, failed) = moments.squares.f_add(&added)?.f_linalg_cholesky_ex(false, false)?;
    if failed.f_any()?.f_int64_value(&[])? != 0 {
        return Ok(None);
    }
    let missing = moments.products.f_sub(&before.f_matmul(&moments.squares)?)?;
    let change = missing.f_transpose(1, 2)?.f_contiguous()?.f_cholesky_solve(&factor, false)?;
    before.f_add(&change.f_transpose(1, 2)?).map(Some)
}

/// The squared error on `asked` with the intercept that `learnt` gives, as a part of the variance; mean over the outputs that
/// vary.
fn error(learnt: &Centred, asked: &Centred, weight: &Tensor) -> Result<f64, TchError> {
    let offset = |m: &Centred| m.answer_mean.f_sub(&times(weight, &m.read_mean)?);
    let moved = offset(asked)?.f_sub(&offset(learnt)?)?.f_square()?.f_mul_scalar(asked.rows)?;
    let crossed = weight.f_mul(&asked.products)?.f_sum_dim_intlist(2i64, false, Kind::Double)?;
    let squares =
        asked.answer_squares.f_sub(&crossed.f_mul_scalar(2.0)?)?.f_add(&quadratic(weight, &asked.squares)?)?;
    let varies = asked.answer_squares.f_gt(0.0)?;
    let parts = squares.f_add(&moved)?.f_div(&asked.answer_squares)?.f_masked_select(&varies)?;
    if parts.numel() == 0 { Ok(0.0) } else { parts.f_mean(Kind::Double)?.f_double_value(&[]) }
}

/// `W v` for each group: `[groups, outputs]`.
fn times(weight: &Tensor, vector: &Tensor) -> Result<Tensor, TchError> {
    weight.f_matmul(&vector.f_unsqueeze(2)?)?.f_squeeze_dim(2)
}

/// The diagonal of `W S W^T` for each group: `[groups, outputs]`.
fn quadratic(weight: &Tensor, squares: &Tensor) -> Result<Tensor, TchError> {
    weight.f_matmul(squares)?.f_mul(weight)?.f_sum_dim_intlist(2i64, false, Kind::Double)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::images;

    /// What is read and what is to be answered, `[rows, 1, ...]`.
    fn rows(seed: u64, count: usize, weight: &Tensor) -> [Tensor; 2] {
        let reads = images(seed, &[count, 1, 12]);
        let answers = reads.matmul(&weight.squeeze_dim(0).transpose(0, 1));
        [reads, answers]
    }

    fn moments(seed: u64, weight: &Tensor) -> (Moments, Moments) {
        let mut fitted = Moments::new();
        let [reads, answers] = rows(seed, 60, weight);
        fitted.add(&reads, &answers, true).unwrap();
        let mut held = fitted.beside();
        let [reads, answers] = rows(seed + 1, 20, weight);
        held.add(&reads, &answers, true).unwrap();
        (fitted, held)
    }

    #[test]
    fn errors_before_and_after_are_of_the_same_outputs() {
        let weight = images(1, &[1, 256, 12]);
        let (fitted, held) = moments(2, &weight);
        // The outputs by which the strength is chosen are right already, the others are not.
        let before = weight.copy();
        for output in (0..256).filter(|output| output % 4 != 0) {
            let _ = before.get(0).get(output).fill_(0.0);
        }
        let found = fit(&fitted, &held, &before, true).unwrap().unwrap();
        assert!(found.before > 0.5 && (1e-3..0.05).contains(&found.after), "{} {}", found.before, found.after);
        let right = fit(&fitted, &held, &weight, true).unwrap().unwrap();
        assert!(right.before < 1e-6, "{}", right.before);
    }
}
