//! Networks, and tasks on them.

use eagleeye_graph::{Graph, Strategy, channel_groups};
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Measure, Score, Space};
use eagleeye_strategy::{Evaluated, Proposal, StrategyError, Task, draw, proposer};

use crate::net::Net;

/// ResNet-20 of the CIFAR kind: few channels, so that rounding bites.
pub fn resnet20() -> Graph {
    let (mut net, x) = Net::image(1, 28);
    let mut x = net.block(["conv1", "bn1"], x, 16, 3, 1, 1);
    for (stage, width) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let of = |layer: &str| format!("layer{}.{block}.{layer}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let y = net.block([&of("conv1"), &of("bn1")], x, width, 3, stride, 1);
            let y = net.conv(&of("conv2"), y, width, 3, 1);
            let y = net.norm(&of("bn2"), y);
            let shortcut = if stride == 2 { net.conv(&of("down"), x, width, 1, 2) } else { x };
            let sum = net.add(y, shortcut);
            x = net.relu(sum);
        }
    }
    net.classifier(x, 10)
}

/// What can be pruned of a network.
pub fn prunable(graph: &Graph) -> PrunableSpace {
    let groups = channel_groups(graph).unwrap();
    PrunableSpace::of(graph, &groups)
}

/// Strategy `index` of a seed, under a budget of MACs.
pub fn drawn(
    prunable: &PrunableSpace,
    space: Space,
    macs: f64,
    seed: u64,
    index: u64,
) -> Result<Strategy, StrategyError> {
    draw(&Task::new(prunable, space, &Budget::macs(macs), seed), index)
}

/// A proposer's search: all that it has proposed within the task's evaluations, scored by what pruning each group is worth.
pub fn lane(name: &str, task: &Task, worth: &[f64]) -> Vec<Evaluated> {
    let proposer = proposer(name).unwrap();
    let mut history: Vec<Evaluated> = Vec::new();
    while history.len() < task.evaluations as usize {
        let proposals = (proposer.propose)(task, &history).unwrap();
        if proposals.is_empty() {
            break;
        }
        history.extend(proposals.into_iter().map(|proposal| evaluated(proposal, task, worth)));
    }
    history.truncate(task.evaluations as usize);
    history
}

pub fn evaluated(proposal: Proposal, task: &Task, worth: &[f64]) -> Evaluated {
    let Proposal { strategy, is_probe } = proposal;
    Evaluated { score: made_up_score(task, &strategy, worth), strategy, is_probe }
}

/// A loss that grows faster and faster with what is missing of each group, times its worth.
pub fn made_up_score(task: &Task, strategy: &Strategy, worth: &[f64]) -> Score {
    let rise = |ratio: f64| (4.0 * (1.0 - ratio)).exp() - 1.0 - 4.0 * (1.0 - ratio);
    let groups = strategy.keep.iter().zip(&task.prunable.groups).zip(worth);
    let loss: f64 = groups.map(|((&kept, group), worth)| worth * rise(kept as f64 / group.size as f64)).sum();
    Score::new((-loss).exp(), 1.0, loss)
}

/// A worth for each group, between 0.001 and 0.1, without order.
pub fn uneven(prunable: &PrunableSpace) -> Vec<f64> {
    let groups = 0..prunable.groups.len();
    groups.map(|group| 10f64.powf((group as f64 * 0.618_034).fract() * 2.0 - 3.3)).collect()
}

/// The part of a cost that a strategy keeps.
pub fn kept(prunable: &PrunableSpace, strategy: &Strategy, measure: Measure) -> f64 {
    let full = prunable.cost.full();
    measure.at(&prunable.cost, &strategy.keep) as f64 / measure.at(&prunable.cost, &full.keep) as f64
}

/// The best strategy of a lane that is no probe.
pub fn best(history: &[Evaluated]) -> &Evaluated {
    let candidates = history.iter().filter(|evaluated| !evaluated.is_probe);
    candidates.min_by(|a, b| a.score.cross_entropy.partial_cmp(&b.score.cross_entropy).unwrap()).unwrap()
}
