//! Networks, and tasks on them.

use eagleeye_graph::{Graph, Strategy, channel_groups};
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Space};
use eagleeye_strategy::{StrategyError, Task, draw};

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
