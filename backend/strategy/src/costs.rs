//! How far keep counts are from a budget.

use eagleeye_spec::{Budget, Constraint};

use crate::proposer::Task;

/// How far keep counts are from the task's budget.
pub(crate) struct Costs<'a> {
    task: &'a Task<'a>,
    /// The cost that each constraint allows.
    targets: Vec<f64>,
}

impl<'a> Costs<'a> {
    pub(crate) fn new(task: &'a Task<'a>) -> Self {
        let all = task.prunable.cost.full().keep;
        let Budget(constraints) = task.budget;
        let target = |c: &Constraint| c.fraction * c.measure.at(&task.prunable.cost, &all) as f64;
        Self { task, targets: constraints.iter().map(target).collect() }
    }

    /// By how much keep counts exceed the constraint that binds, relative to it; below 0 where they stay under all of them.
    pub(crate) fn excess(&self, keep: &[usize]) -> f64 {
        self.each(keep).fold(f64::NEG_INFINITY, f64::max)
    }

    pub(crate) fn distance(&self, keep: &[usize]) -> f64 {
        self.excess(keep).abs()
    }

    /// By how much keep counts exceed all the constraints that they do not meet, relative to each, together.
    pub(crate) fn beyond(&self, keep: &[usize]) -> f64 {
        self.each(keep).map(|excess| excess.max(0.0)).sum()
    }

    fn each(&self, keep: &[usize]) -> impl Iterator<Item = f64> {
        let costs = self.task.budget.constraints().iter().zip(&self.targets);
        costs.map(move |(c, target)| (c.measure.at(&self.task.prunable.cost, keep) as f64 - target) / target)
    }
}
