//! The paper's published algorithm.

use eagleeye_spec::templates::TEMPLATES;
use eagleeye_spec::{Adaptation, Budget, Measure, Space, TOLERANCE};
use eagleeye_strategy::{Task, proposer};

use crate::networks;
use crate::support::{kept, lane, prunable, resnet20, uneven};

#[test]
fn keep_ratios_are_uniform_between_the_least_and_all() {
    let prunable = prunable(&networks::mobilenet_v1(32));
    let (budget, space) = (Budget::macs(0.5), Space { round_to: Some(1), min_keep_ratio: 0.3 });
    let task = Task { evaluations: 40, ..Task::new(&prunable, space, &budget, 0) };
    let history = lane("reference", &task, &uneven(&prunable));
    let ratios: Vec<f64> = history
        .iter()
        .flat_map(|e| {
            e.strategy.keep.iter().zip(&prunable.groups).map(|(&kept, group)| kept as f64 / group.size as f64)
        })
        .collect();
    // Draws that meet the budget keep more or less of every group; all of [0.3, 1] comes up.
    let part =
        |from: f64, to: f64| ratios.iter().filter(|r| (from..to).contains(*r)).count() as f64 / ratios.len() as f64;
    assert!(ratios.iter().all(|ratio| *ratio >= 0.3));
    for tenth in 3..10 {
        let found = part(f64::from(tenth) / 10.0, f64::from(tenth + 1) / 10.0);
        assert!(found > 0.05 && found < 0.3, "{tenth}: {found}");
    }
}

#[test]
fn running_statistics_are_those_of_the_papers_code() {
    let reference = proposer("reference").unwrap();
    assert_eq!(reference.adaptation.map(|adaptation| adaptation()), Some(Adaptation::paper()));
}

/// The paper has hundreds of millions or whole billions of MACs, of images of 224x224 pixels.
#[test]
fn each_template_lands_on_the_cost_that_was_published() {
    let spaces = [
        ("MobileNetV1", prunable(&networks::mobilenet_v1(224)), 14),
        ("ResNet-50", prunable(&networks::resnet50(224)), 37),
    ];
    for template in &TEMPLATES {
        let (_, prunable, ratios) = spaces.iter().find(|(name, ..)| *name == template.network).unwrap();
        let space = Space { round_to: Some(1), min_keep_ratio: template.min_keep_ratio };
        let budget = Budget::macs(template.macs);
        let task = Task { evaluations: 3, ..Task::new(prunable, space, &budget, 0) };
        let full = prunable.cost.macs(&prunable.cost.full()) as f64;
        for evaluated in lane("reference", &task, &uneven(prunable)) {
            assert_eq!(evaluated.strategy.keep.len(), *ratios, "{}", template.name);
            let part = kept(prunable, &evaluated.strategy, Measure::Macs);
            assert!((part / template.macs - 1.0).abs() <= TOLERANCE, "{}: {part}", template.name);
            let macs = part * full / template.published.macs;
            assert!((0.95..=1.05).contains(&macs), "{}: {macs} of what was published", template.name);
        }
    }
}

/// At this budget a draw is accepted once in a million times, if ever.
#[test]
fn where_no_draw_is_accepted_one_is_moved_onto_the_budget() {
    let prunable = prunable(&resnet20());
    let budget = Budget::macs(0.02);
    let task =
        Task { evaluations: 2, ..Task::new(&prunable, Space { round_to: Some(1), ..Space::default() }, &budget, 0) };
    let history = lane("reference", &task, &uneven(&prunable));
    assert_eq!(history.len(), 2);
    for evaluated in &history {
        let part = kept(&prunable, &evaluated.strategy, Measure::Macs);
        assert!((part / 0.02 - 1.0).abs() <= TOLERANCE, "{part}");
    }
}
