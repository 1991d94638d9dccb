//! Batches that are too large for the device's memory, in parts.

use std::ops::Range;

use crate::exec::ExecError;

/// How many images go through a network at once: as many as are asked for, until the device has no memory for them.
#[derive(Debug)]
pub struct Parts {
    most: usize,
}

impl Parts {
    /// For batches of up to `most` images.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1) }
    }

    /// What `run` makes of a batch: of all of it, or of parts that fit into memory one after the other, and so will those of the
    /// batches that follow. Only for passes in which an image does not depend on the others.
    ///
    /// # Errors
    /// Those of `run`; that of one image that does not fit, too.
    pub fn each<T>(
        &mut self,
        batch: Range<usize>,
        run: impl Fn(Range<usize>) -> Result<T, ExecError>,
    ) -> Result<Vec<(Range<usize>, T)>, ExecError> {
        let mut done = Vec::new();
        let mut start = batch.start;
        while start < batch.end {
            let part = start..(start + self.most).min(batch.end);
            match run(part.clone()) {
                Ok(result) => {
                    start = part.end;
                    done.push((part, result));
                }
                Err(error) if error.is_out_of_memory() && part.len() > 1 => self.most = part.len().div_ceil(2),
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// The largest of some halvings of a batch that `run` has memory for; `None` where not even one image fits.
pub fn that_fits(batch: &Range<usize>, run: impl Fn(Range<usize>) -> Result<(), ExecError>) -> Option<usize> {
    let halves = std::iter::successors(Some(batch.len() / 2), |&images| (images > 1).then_some(images / 2));
    let mut halves = halves.filter(|&images| images > 0);
    halves.find(|&images| run(batch.start..batch.start + images).is_ok())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn exceeded() -> ExecError {
        ExecError::Torch("CUDA out of memory. Tried to allocate 2.00 GiB".to_owned())
    }

    #[test]
    fn a_batch_is_halved_until_it_fits_and_the_next_ones_begin_so() {
        let asked = RefCell::new(Vec::new());
        let run = |part: Range<usize>| {
            asked.borrow_mut().push(part.len());
            if part.len() > 30 { Err(exceeded()) } else { Ok(part.len()) }
        };
        let mut parts = Parts::new(100);
        let first = parts.each(0..100, run).unwrap();
        assert_eq!(first.into_iter().map(|(part, _)| part).collect::<Vec<_>>(), [0..25, 25..50, 50..75, 75..100]);
        let second = parts.each(100..130, run).unwrap();
        assert_eq!(second, [(100..125, 25), (125..130, 5)]);
        assert_eq!(*asked.borrow(), [100, 50, 25, 25, 25, 25, 25, 5]);
    }

    #[test]
    fn other_errors_and_a_single_image_that_does_not_fit_end_the_batch() {
        let other = |_: Range<usize>| Err::<(), _>(ExecError::Cancelled);
        assert_eq!(Parts::new(8).each(0..8, other).unwrap_err(), ExecError::Cancelled);
        let never = |_: Range<usize>| Err::<(), _>(exceeded());
        assert!(Parts::new(8).each(0..8, never).unwrap_err().is_out_of_memory());
    }

    #[test]
    fn what_fits_is_a_half_of_a_half() {
        let run = |limit: usize| move |part: Range<usize>| if part.len() > limit { Err(exceeded()) } else { Ok(()) };
        assert_eq!(that_fits(&(0..100), run(30)), Some(25));
        assert_eq!(that_fits(&(0..100), run(0)), None);
        assert_eq!(that_fits(&(0..1), run(1)), None);
    }
}
