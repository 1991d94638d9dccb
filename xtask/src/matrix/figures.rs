//! How many channel groups and units networks have.
//!
//! The figures are those of a prototype of the same label propagation; they hold for traced networks of torchvision.

use anyhow::{Result, ensure};

/// Network, prunable groups, their units.
const FIGURES: [(&str, usize, u64); 16] = [
    ("alexnet", 7, 9_344),
    ("convnext_tiny", 22, 27_936),
    ("densenet121", 120, 10_240),
    ("efficientnet_b0", 40, 11_404),
    ("googlenet", 57, 7_280),
    ("mnasnet1_0", 25, 10_024),
    ("mobilenet_v2", 25, 9_128),
    ("mobilenet_v3_small", 27, 4_872),
    ("regnet_x_400mf", 49, 1_392),
    ("resnet18", 12, 2_880),
    ("resnet50", 37, 11_456),
    ("resnext50_32x4d", 37, 4_376),
    // The prototype counted three single channels as groups that can be pruned: one always stays.
    ("shufflenet_v2_x0_5", 33 - 3, 2_080 - 3),
    ("squeezenet1_1", 25, 2_944),
    ("vgg11_bn", 10, 10_944),
    // The prototype counted 26 groups of the same units. Units are of one group where they are slices of the same tensors along
    // the same axes. Three kinds are: in each of 12 layers 3,072 hidden units and 64 channels of the heads, and 768 channels of
    // the stream that all layers add to. That is 25 groups, and all of the units.
    ("vit_b_16", 12 + 12 + 1, 12 * (3_072 + 64) + 768),
];

/// Compares a traced network with the figures, where there are some.
pub fn compare(model: &str, groups: usize, units: u64) -> Result<()> {
    if let Some((_, wanted_groups, wanted_units)) = FIGURES.iter().find(|(name, ..)| *name == model) {
        ensure!(
            (groups, units) == (*wanted_groups, *wanted_units),
            "has {groups} groups of {units} units; known are {wanted_groups} of {wanted_units}"
        );
    }
    Ok(())
}
