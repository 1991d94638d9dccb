//! How times that are to be compared are measured, whatever runs: in turn, with medians.

use std::time::{Duration, Instant};

/// Timed turns that there are whatever time they take; the median of fewer says little.
const LEAST_RUNS: u32 = 5;
/// Largest part of the time limit that warming up takes, unless a single turn takes longer.
const WARM_UP_SHARE: f64 = 0.2;

/// How long a measurement goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turns {
    /// Turns before those that are timed.
    pub warm_up: u32,
    /// Timed turns, where the time suffices.
    pub runs: u32,
    /// No turn begins later than this many seconds after the first, but for the least number that is needed.
    pub seconds: f64,
}

impl Default for Turns {
    fn default() -> Self {
        Self { warm_up: 10, runs: 100, seconds: 20.0 }
    }
}

/// The median times of networks that took turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Medians {
    /// Timed turns.
    pub runs: u32,
    /// Median time of each network, in milliseconds.
    pub milliseconds: Vec<f64>,
}

/// Has `count` networks run in turn, so that a busy minute of the machine hits all alike, and takes the median of each.
///
/// `run` computes one batch with the network of the given index. In its turn a network runs twice and is timed once: the
/// first run brings its weights back into the caches that the others have used since. Returns `None` where `cancelled` said
/// so, which is asked before every run.
///
/// # Errors
/// The first error of `run`.
pub fn in_turn<E>(
    count: usize,
    turns: &Turns,
    cancelled: &dyn Fn() -> bool,
    mut run: impl FnMut(usize) -> Result<(), E>,
) -> Result<Option<Medians>, E> {
    let limit = |share: f64| Duration::try_from_secs_f64(share * turns.seconds).unwrap_or(Duration::MAX);
    let begin = Instant::now();
    let mut turn = |times: &mut [Vec<f64>]| {
        for (index, times) in times.iter_mut().enumerate() {
            for timed in [false, true] {
                if cancelled() {
                    return Ok(false);
                }
                let start = Instant::now();
                run(index)?;
                if timed {
                    times.push(1000.0 * start.elapsed().as_secs_f64());
                }
            }
        }
        Ok(true)
    };
    for _ in 0..turns.warm_up {
        if !turn(&mut vec![Vec::new(); count])? {
            return Ok(None);
        }
        if begin.elapsed() > limit(WARM_UP_SHARE) {
            break;
        }
    }
    let mut times = vec![Vec::new(); count];
    let mut runs = 0;
    while runs < turns.runs.max(1) && (runs < LEAST_RUNS || begin.elapsed() <= limit(1.0)) {
        if !turn(&mut times)? {
            return Ok(None);
        }
        runs += 1;
    }
    Ok(Some(Medians { runs, milliseconds: times.into_iter().map(median).collect() }))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let (low, high) = (times.len().saturating_sub(1) / 2, times.len() / 2);
    match (times.get(low), times.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::convert::Infallible;
    use std::thread::sleep;

    use super::*;

    fn turns(warm_up: u32, runs: u32, seconds: f64) -> Turns {
        Turns { warm_up, runs, seconds }
    }

    #[test]
    fn networks_take_turns_after_warming_up_and_run_twice_in_each() {
        let order = RefCell::new(Vec::new());
        let run = |index| {
            order.borrow_mut().push(index);
            Ok::<_, Infallible>(())
        };
        let medians = in_turn(2, &turns(1, 3, 60.0), &|| false, run).unwrap().unwrap();
        assert_eq!((medians.runs, medians.milliseconds.len()), (3, 2));
        assert_eq!(order.into_inner(), [[0, 0, 1, 1]; 4].concat());
    }

    #[test]
    fn the_slower_one_has_the_larger_median() {
        let run = |index| {
            sleep(Duration::from_millis(1 + 9 * index as u64));
            Ok::<_, Infallible>(())
        };
        let Medians { milliseconds, .. } = in_turn(2, &turns(1, 7, 60.0), &|| false, run).unwrap().unwrap();
        assert!(milliseconds[0] >= 1.0 && milliseconds[1] >= 10.0, "{milliseconds:?}");
        assert!(milliseconds[1] > 2.0 * milliseconds[0], "{milliseconds:?}");
    }

    #[test]
    fn time_that_is_up_leaves_the_least_number_of_runs() {
        let calls = Cell::new(0);
        let run = |_| {
            calls.set(calls.get() + 1);
            Ok::<_, Infallible>(())
        };
        let medians = in_turn(1, &turns(50, 1000, 0.0), &|| false, run).unwrap().unwrap();
        assert_eq!((medians.runs, calls.get()), (LEAST_RUNS, 2 * (1 + LEAST_RUNS)));
        let fewer = in_turn(1, &turns(0, 2, 0.0), &|| false, run).unwrap().unwrap();
        assert_eq!(fewer.runs, 2, "what was asked for is not exceeded");
    }

    #[test]
    fn a_cancel_and_an_error_end_it_before_the_next_run() {
        let calls = Cell::new(0);
        let run = |_| {
            calls.set(calls.get() + 1);
            Ok::<_, Infallible>(())
        };
        assert_eq!(in_turn(3, &Turns::default(), &|| calls.get() == 4, run), Ok(None));
        assert_eq!(calls.get(), 4);
        assert_eq!(
            in_turn(3, &Turns::default(), &|| false, |index| if index == 1 { Err(index) } else { Ok(()) }),
            Err(1)
        );
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), 3.0);
    }
}
