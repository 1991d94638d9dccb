//! What can be pruned of a model and what is left of its cost then: all that a choice of channels needs to know.

use eagleeye_graph::{ChannelGroups, CostModel, Graph, Group};
use serde::{Deserialize, Serialize};

/// The prunable groups of a model and the cost of keeping any number of their units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct PrunableSpace {
    pub cost: CostModel,
    /// In the order of a strategy's keep counts.
    pub groups: Vec<PrunableGroup>,
}

/// A channel group that a search may prune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunableGroup {
    pub name: String,
    /// Number of units: what goes together counts as one.
    pub size: usize,
    /// Output channels of one unit in every layer that makes them; 0 where no layer does.
    pub channels_per_unit: usize,
    /// Units that stay whatever is asked for; a search that leaves the group alone keeps all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub least: usize,
    /// The layers that make or read its channels, by which it can be named too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Why a stored space is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrunableSpaceFault {
    #[error("the cost model counts {costed} prunable groups and the report lists {listed}; they must be the same")]
    Groups { costed: usize, listed: usize },
    #[error("group `{group}` has {listed} units and the cost model counts {costed}; they must be the same")]
    Units { group: String, costed: usize, listed: usize },
}

impl PrunableSpace {
    /// The space of a network whose groups and costs are known.
    pub fn of(graph: &Graph, groups: &ChannelGroups) -> Self {
        let cost = CostModel::new(graph, groups);
        let groups = groups.prunable().map(|group| PrunableGroup {
            name: group.name.clone(),
            size: group.size,
            channels_per_unit: group.channels_per_unit(),
            least: 0,
            layers: layers(graph, group),
        });
        Self { cost, groups: groups.collect() }
    }
}

/// The layers of a group's parameters, in order of execution: their names without the last part.
fn layers(graph: &Graph, group: &Group) -> Vec<String> {
    let mut layers: Vec<String> = Vec::new();
    for member in &group.members {
        let parameter = graph.parameters[member.parameter.index()].name.as_str();
        let layer = parameter.rsplit_once('.').map_or(parameter, |(layer, _)| layer);
        if !layers.iter().any(|known| known == layer) {
            layers.push(layer.to_owned());
        }
    }
    layers
}

#[derive(Deserialize)]
struct Unchecked {
    cost: CostModel,
    groups: Vec<PrunableGroup>,
}

impl TryFrom<Unchecked> for PrunableSpace {
    type Error = PrunableSpaceFault;

    fn try_from(Unchecked { cost, groups }: Unchecked) -> Result<Self, PrunableSpaceFault> {
        let costed = cost.full().keep;
        if costed.len() != groups.len() {
            return Err(PrunableSpaceFault::Groups { costed: costed.len(), listed: groups.len() });
        }
        for (group, costed) in groups.iter().zip(costed) {
            if group.size != costed {
                let (group, listed) = (group.name.clone(), group.size);
                return Err(PrunableSpaceFault::Units { group, costed, listed });
            }
        }
        Ok(Self { cost, groups })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "cost": { "units": [8], "sizes": [[0, 0, 8]], "macs": [[9, 0]], "parameters": [[3, 0]] },
            "groups": [{ "name": "stem", "size": 8, "channels_per_unit": 1 }],
        })
    }

    #[test]
    fn a_space_comes_back_as_it_was_stored() {
        let space: PrunableSpace = serde_json::from_value(document()).unwrap();
        assert_eq!(space.cost.macs(&space.cost.full()), 72);
        assert_eq!(serde_json::to_value(&space).unwrap(), document());
    }

    #[test]
    fn groups_and_costs_must_agree() {
        let refused = |place: &str, value: Value| {
            let mut damaged = document();
            *damaged.pointer_mut(place).unwrap() = value;
            serde_json::from_value::<PrunableSpace>(damaged).unwrap_err().to_string()
        };
        assert!(refused("/groups", json!([])).contains("counts 1 prunable groups and the report lists 0"));
        assert!(refused("/groups/0/size", json!(7)).contains("group `stem` has 7 units and the cost model counts 8"));
        assert!(refused("/cost/sizes/0/1", json!(1)).contains("names group 1"));
    }
}
