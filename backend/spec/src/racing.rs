//! Racing: successive halving on growing sets of images (Jamieson and Talwalkar, 2016).
//!
//! All strategies are evaluated on the first rung, the best of them again on the next one, and so on; the last rung has all
//! images. Each rung's images are the first ones of the next rung's, so that two candidates can be compared on those that both
//! have seen, and every set has the classes in proportion (the split's order sees to that).

/// How many images candidates are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// From which adaptive batch norm computes the running statistics.
    pub calibration: u32,
    /// On which they are scored.
    pub scoring: u32,
}

/// A smaller rung would tell networks no better apart than by luck: with 500 images an accuracy is known to within 4 points.
const FEWEST: u32 = 500;

/// The rungs up to all images: a fifth, then half, then all; fewer where there are few images.
pub fn rungs(all: Rung) -> Vec<Rung> {
    let part = |images: u32, parts: u32| (images / parts).max(FEWEST).min(images);
    let mut rungs = Vec::new();
    for parts in [5, 2] {
        let rung = Rung { calibration: part(all.calibration, parts), scoring: part(all.scoring, parts) };
        if grows(rung, all) && rungs.last().is_none_or(|&before| grows(before, rung)) {
            rungs.push(rung);
        }
    }
    rungs.push(all);
    rungs
}

/// Better candidates that are evaluated again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// The rung by whose scores they are chosen.
    pub from: usize,
    /// The rung that they are evaluated on.
    pub to: usize,
    pub candidates: usize,
}

/// The rounds that so many contenders go through, who have all been on the first rung: a fifth goes on each time, three at least. A rung
/// that would cost more than it spares is left out.
pub fn rounds(contenders: usize, rungs: &[Rung]) -> Vec<Round> {
    let left = |rounds: usize| contenders.div_ceil(5usize.pow(rounds as u32)).max(3).min(contenders);
    let mut rounds: Vec<Round> = Vec::new();
    for to in 1..rungs.len() {
        let from = rounds.last().map_or(0, |before| before.to);
        let (candidates, next) = (left(rounds.len() + 1), left(rounds.len() + 2));
        let pays = rungs.get(to + 1).is_none_or(|&further| {
            let spared = (candidates - next) as u64 * cost(further);
            candidates as u64 * cost(rungs[to]) < spared
        });
        if pays {
            rounds.push(Round { from, to, candidates });
        }
    }
    rounds
}

/// A rung that is hardly cheaper than the next one only adds to it. Rungs are told apart by their scoring images.
fn grows(rung: Rung, next: Rung) -> bool {
    cost(rung) * 3 <= cost(next) * 2 && rung.scoring < next.scoring
}

fn cost(rung: Rung) -> u64 {
    u64::from(rung.calibration) + u64::from(rung.scoring)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_grow_up_to_all_images() {
        let all = Rung { calibration: 3200, scoring: 5000 };
        let found = rungs(all);
        assert_eq!(found, [Rung { calibration: 640, scoring: 1000 }, Rung { calibration: 1600, scoring: 2500 }, all]);
        let small = Rung { calibration: 256, scoring: 600 };
        assert_eq!(rungs(small), [small]);
        let middle = Rung { calibration: 1000, scoring: 1000 };
        assert_eq!(rungs(middle), [Rung { calibration: 500, scoring: 500 }, middle]);
    }

    #[test]
    fn racing_48_candidates_costs_less_than_two_fifths_of_evaluating_all() {
        let rungs = rungs(Rung { calibration: 3200, scoring: 5000 });
        let further = rounds(49, &rungs).into_iter().map(|round| round.candidates as u64 * cost(rungs[round.to]));
        let spent = 49 * cost(rungs[0]) + further.sum::<u64>();
        assert!(spent as f64 <= 0.4 * (49 * cost(rungs[rungs.len() - 1])) as f64, "{spent}");
    }

    #[test]
    fn a_fifth_goes_on_and_three_at_least_decide_on_rungs_that_pay() {
        let rungs = rungs(Rung { calibration: 3200, scoring: 5000 });
        let found = |contenders| rounds(contenders, &rungs);
        let round = |from, to, candidates| Round { from, to, candidates };
        assert_eq!(found(49), [round(0, 1, 10), round(1, 2, 3)]);
        assert_eq!(found(1000), [round(0, 1, 200), round(1, 2, 40)]);
        assert_eq!(found(25), [round(0, 2, 5)], "to look at five costs less than to choose three of them first");
        assert_eq!(found(7), [round(0, 2, 3)]);
        assert_eq!(found(1), [round(0, 2, 1)]);
        assert_eq!(rounds(49, &rungs[2..]), [], "where there is one rung all have been on it");
    }
}
