//! What a layer is fitted by: second moments, or the rows themselves where there are fewer of them than unknowns.

use tch::{TchError, Tensor};

use super::dual;
use super::moments::Moments;
use super::ridge::{self, Fit};

/// Numbers that an output is computed from, above which second moments would take more than 170 MB.
pub(super) const MAX_UNKNOWNS: usize = 4608;

/// Rows that a layer of more unknowns is fitted on.
pub(super) const ROWS_OF_MANY_UNKNOWNS: usize = 2048;

/// The rows of a layer so far, those that are held back apart.
pub(super) enum Evidence {
    Moments { fitted: Moments, held: Option<Moments> },
    Rows { fitted: Vec<[Tensor; 2]>, held: Vec<[Tensor; 2]> },
}

impl Evidence {
    /// For a layer whose outputs are computed from `unknowns` numbers each, and which is fitted on so many rows.
    pub fn new(unknowns: usize, rows: usize) -> Self {
        if unknowns <= MAX_UNKNOWNS.min(rows) {
            Self::Moments { fitted: Moments::new(), held: None }
        } else {
            Self::Rows { fitted: Vec::new(), held: Vec::new() }
        }
    }

    /// Adds a batch's rows, `reads` `[rows, groups, unknowns]` and `answers` `[rows, groups, outputs]`, of which those from
    /// `first_held` on are held back.
    pub fn add(
        &mut self,
        reads: &Tensor,
        answers: &Tensor,
        first_held: usize,
        has_intercept: bool,
    ) -> Result<(), TchError> {
        let (first, all) = (first_held as i64, reads.size()[0]);
        let part = |start: i64, end: i64| -> Result<[Tensor; 2], TchError> {
            Ok([reads.f_narrow(0, start, end - start)?, answers.f_narrow(0, start, end - start)?])
        };
        let ([fit_reads, fit_answers], [held_reads, held_answers]) = (part(0, first)?, part(first, all)?);
        match self {
            Self::Moments { fitted, held } => {
                fitted.add(&fit_reads, &fit_answers, has_intercept)?;
                held.get_or_insert_with(|| fitted.beside()).add(&held_reads, &held_answers, has_intercept)
            }
            Self::Rows { fitted, held } => {
                fitted.push([fit_reads, fit_answers]);
                held.push([held_reads, held_answers]);
                Ok(())
            }
        }
    }

    /// The weight that answers best, at the least distance from `before`, `[groups, outputs, unknowns]`. `None` where nothing
    /// is read but zeros.
    pub fn fit(self, before: &Tensor, has_intercept: bool) -> Result<Option<Fit>, TchError> {
        match self {
            Self::Moments { fitted, held } => {
                let held = held.unwrap_or_else(|| fitted.beside());
                ridge::fit(&fitted, &held, before, has_intercept)
            }
            Self::Rows { fitted, held } => dual::fit(&joined(fitted)?, &joined(held)?, before, has_intercept),
        }
    }
}

/// Reads and answers of several batches, `[groups, rows, ...]`.
fn joined(batches: Vec<[Tensor; 2]>) -> Result<[Tensor; 2], TchError> {
    let join = |of: usize| {
        let parts: Vec<&Tensor> = batches.iter().map(|batch| &batch[of]).collect();
        Tensor::f_cat(&parts, 0)?.f_transpose(0, 1)
    };
    Ok([join(0)?, join(1)?])
}
