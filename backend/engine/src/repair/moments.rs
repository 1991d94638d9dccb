//! Second moments of what a layer reads and of what it is to answer, accumulated row by row: memory does not grow with the rows.

use tch::{Kind, TchError, Tensor};

/// Sums over rows, in `f64`. Products of a block of rows are taken in `f32`, around the means of the first block, so that large
/// means cost no digits.
#[derive(Debug)]
pub(super) struct Moments {
    shift: Option<Shift>,
    sums: Option<Sums>,
}

/// What is subtracted from every row.
#[derive(Debug)]
struct Shift {
    /// `[groups, 1, unknowns]`
    reads: Tensor,
    /// `[groups, 1, outputs]`
    answers: Tensor,
}

#[derive(Debug)]
struct Sums {
    rows: f64,
    /// `[groups, unknowns]`
    reads: Tensor,
    /// `[groups, outputs]`
    answers: Tensor,
    /// `[groups, unknowns, unknowns]`
    squares: Tensor,
    /// `[groups, outputs, unknowns]`
    products: Tensor,
    /// `[groups, outputs]`
    answer_squares: Tensor,
}

/// Moments about the means; about zero where the layer has no intercept.
#[derive(Debug)]
pub(super) struct Centred {
    pub rows: f64,
    /// `[groups, unknowns]`, zero without an intercept.
    pub read_mean: Tensor,
    /// `[groups, outputs]`, zero without an intercept.
    pub answer_mean: Tensor,
    /// `[groups, unknowns, unknowns]`
    pub squares: Tensor,
    /// `[groups, outputs, unknowns]`
    pub products: Tensor,
    /// `[groups, outputs]`
    pub answer_squares: Tensor,
}

impl Moments {
    pub fn new() -> Self {
        Self { shift: None, sums: None }
    }

    /// Moments of other rows, which can be added to these.
    pub fn beside(&self) -> Self {
        let shift = self.shift.as_ref();
        let shift = shift.map(|s| Shift { reads: s.reads.shallow_clone(), answers: s.answers.shallow_clone() });
        Self { shift, sums: None }
    }

    /// Adds rows: `reads` `[rows, groups, unknowns]`, `answers` `[rows, groups, outputs]`.
    pub fn add(&mut self, reads: &Tensor, answers: &Tensor, has_intercept: bool) -> Result<(), TchError> {
        let rows = reads.size()[0];
        if rows == 0 {
            return Ok(());
        }
        let (reads, answers) = (reads.f_transpose(0, 1)?, answers.f_transpose(0, 1)?);
        let shift = match &mut self.shift {
            Some(shift) => shift,
            none => none.insert(Shift {
                reads: reads.f_mean_dim(1i64, true, Kind::Float)?.f_mul_scalar(f64::from(has_intercept))?,
                answers: answers.f_mean_dim(1i64, true, Kind::Float)?.f_mul_scalar(f64::from(has_intercept))?,
            }),
        };
        let (reads, answers) = (reads.f_sub(&shift.reads)?, answers.f_sub(&shift.answers)?);
        let turned = answers.f_transpose(1, 2)?;
        let sums = Sums {
            rows: rows as f64,
            reads: reads.f_sum_dim_intlist(1i64, false, Kind::Double)?,
            answers: answers.f_sum_dim_intlist(1i64, false, Kind::Double)?,
            squares: reads.f_transpose(1, 2)?.f_matmul(&reads)?.f_to_kind(Kind::Double)?,
            products: turned.f_matmul(&reads)?.f_to_kind(Kind::Double)?,
            answer_squares: answers.f_square()?.f_sum_dim_intlist(1i64, false, Kind::Double)?,
        };
        self.sums = Some(match &self.sums {
            None => sums,
            Some(before) => before.plus(&sums)?,
        });
        Ok(())
    }

    /// Both together, of moments where one was made [beside](Self::beside) the other.
    pub fn with(&self, other: &Self) -> Result<Self, TchError> {
        let sums = match (&self.sums, &other.sums) {
            (Some(a), Some(b)) => Some(a.plus(b)?),
            (Some(only), None) | (None, Some(only)) => Some(only.plus_nothing()),
            (None, None) => None,
        };
        Ok(Self { sums, ..self.beside() })
    }

    /// `None` where there are no rows.
    pub fn centred(&self, has_intercept: bool) -> Result<Option<Centred>, TchError> {
        let (Some(shift), Some(sums)) = (&self.shift, &self.sums) else { return Ok(None) };
        let rows = sums.rows;
        if !has_intercept {
            return Ok(Some(Centred {
                rows,
                read_mean: sums.reads.f_zeros_like()?,
                answer_mean: sums.answers.f_zeros_like()?,
                squares: sums.squares.shallow_clone(),
                products: sums.products.shallow_clone(),
                answer_squares: sums.answer_squares.shallow_clone(),
            }));
        }
        let (read, answer) = (sums.reads.f_div_scalar(rows)?, sums.answers.f_div_scalar(rows)?);
        let outer = |a: &Tensor, b: &Tensor| a.f_unsqueeze(2)?.f_mul(&b.f_unsqueeze(1)?);
        Ok(Some(Centred {
            rows,
            squares: sums.squares.f_sub(&outer(&sums.reads, &read)?)?,
            products: sums.products.f_sub(&outer(&sums.answers, &read)?)?,
            answer_squares: sums.answer_squares.f_sub(&sums.answers.f_mul(&answer)?)?,
            read_mean: read.f_add(&shift.reads.f_squeeze_dim(1)?)?,
            answer_mean: answer.f_add(&shift.answers.f_squeeze_dim(1)?)?,
        }))
    }
}

impl Centred {
    /// Those of every `step`-th output.
    pub fn every(&self, step: i64) -> Result<Self, TchError> {
        let some = |of: &Tensor| of.f_slice(1, None, None, step);
        Ok(Self {
            rows: self.rows,
            read_mean: self.read_mean.shallow_clone(),
            answer_mean: some(&self.answer_mean)?,
            squares: self.squares.shallow_clone(),
            products: some(&self.products)?,
            answer_squares: some(&self.answer_squares)?,
        })
    }
}

impl Sums {
    fn plus(&self, other: &Self) -> Result<Self, TchError> {
        Ok(Self {
            rows: self.rows + other.rows,
            reads: self.reads.f_add(&other.reads)?,
            answers: self.answers.f_add(&other.answers)?,
            squares: self.squares.f_add(&other.squares)?,
            products: self.products.f_add(&other.products)?,
            answer_squares: self.answer_squares.f_add(&other.answer_squares)?,
        })
    }

    fn plus_nothing(&self) -> Self {
        Self {
            rows: self.rows,
            reads: self.reads.shallow_clone(),
            answers: self.answers.shallow_clone(),
            squares: self.squares.shallow_clone(),
            products: self.products.shallow_clone(),
            answer_squares: self.answer_squares.shallow_clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::images;

    #[test]
    fn moments_of_blocks_are_those_of_all_rows_and_large_means_cost_no_digits() {
        let reads = images(1, &[640, 2, 5]) + 1000.0;
        let answers = images(2, &[640, 2, 3]) - 300.0;
        let mut blocks = Moments::new();
        for start in [0, 200, 600] {
            let length = [200, 400, 40][usize::from(start > 0) + usize::from(start > 200)];
            blocks.add(&reads.narrow(0, start, length), &answers.narrow(0, start, length), true).unwrap();
        }
        let found = blocks.centred(true).unwrap().unwrap();
        let exact = |t: &Tensor| {
            let t = t.to_kind(Kind::Double).transpose(0, 1);
            &t - t.mean_dim(1i64, true, Kind::Double)
        };
        let (reads, answers) = (exact(&reads), exact(&answers));
        let close = |a: &Tensor, b: &Tensor| assert!((a - b).abs().max().double_value(&[]) < 1e-3, "{a} {b}");
        close(&found.squares, &reads.transpose(1, 2).matmul(&reads));
        close(&found.products, &answers.transpose(1, 2).matmul(&reads));
        close(&found.answer_squares, &answers.square().sum_dim_intlist(1i64, false, Kind::Double));
    }

    #[test]
    fn their_size_does_not_depend_on_the_rows() {
        let size = |rows: usize| {
            let mut moments = Moments::new();
            moments.add(&images(3, &[rows, 1, 4]), &images(4, &[rows, 1, 2]), true).unwrap();
            let centred = moments.centred(true).unwrap().unwrap();
            (centred.squares.numel(), centred.products.numel(), centred.answer_squares.numel())
        };
        assert_eq!(size(10), size(1000));
    }
}
