//! How a channel group's units are judged, to decide which of them stay.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How important each unit of a channel group is. However many units a group keeps, it keeps the most important ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Importance {
    #[serde(default)]
    #[schema(default = "l1")]
    pub criterion: Criterion,
    #[serde(default)]
    #[schema(default = "sum")]
    pub aggregate: Aggregate,
}

/// What makes a unit important to one layer. Where one layer has several channels of a unit, their values are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The sum of the absolute weights of the filter, as in the paper. Where batch norms were folded into the convolutions, the
    /// weights that read the channel are taken instead.
    #[default]
    L1,
    /// The square root of the sum of the squared weights, of the same weights as for `l1`.
    L2,
    /// The absolute scale of the batch norms on the channel (Network Slimming). Groups without such a batch norm are judged by
    /// `l1`.
    BnScale,
    /// The sum of the filter's distances to the other filters of its layer: filters near the geometric median can be replaced by
    /// the others (FPGM). Of the same weights as for `l1`.
    Fpgm,
    /// By how much the cross-entropy on the calibration images changes when the filter is removed, to first order (Taylor). Taken
    /// over at most 256 images.
    Taylor,
    /// The mean of the squared activations on the calibration images, as the next layers read them. Groups whose channels no
    /// convolution or linear layer reads are judged by `l1`.
    Activation,
    /// Random numbers, as a reference for the other criteria.
    Random,
}

/// How the values that several layers give to the units of one group become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Their sum, in which layers with large values count more.
    #[default]
    Sum,
    /// Their mean, each layer's values divided by the layer's mean first, so that all layers count alike.
    Mean,
    /// Those of the first layer alone, in the order in which the network executes them.
    Leading,
}

impl Criterion {
    /// All criteria, the default first.
    pub const ALL: [Self; 7] =
        [Self::L1, Self::L2, Self::BnScale, Self::Fpgm, Self::Taylor, Self::Activation, Self::Random];

    /// The name in requests and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::BnScale => "bn_scale",
            Self::Fpgm => "fpgm",
            Self::Taylor => "taylor",
            Self::Activation => "activation",
            Self::Random => "random",
        }
    }

    /// The criterion of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|criterion| criterion.name() == name)
    }

    /// Whether the network has to be run on images.
    pub fn needs_images(self) -> bool {
        match self {
            Self::Taylor | Self::Activation => true,
            Self::L1 | Self::L2 | Self::BnScale | Self::Fpgm | Self::Random => false,
        }
    }
}

impl Aggregate {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::Sum, Self::Mean, Self::Leading];

    /// The name in requests and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Leading => "leading",
        }
    }

    /// The aggregate of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|aggregate| aggregate.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_those_of_requests_and_read_back() {
        for criterion in Criterion::ALL {
            assert_eq!(serde_json::to_value(criterion).unwrap(), criterion.name());
            assert_eq!(Criterion::named(criterion.name()), Some(criterion));
        }
        for aggregate in Aggregate::ALL {
            assert_eq!(serde_json::to_value(aggregate).unwrap(), aggregate.name());
            assert_eq!(Aggregate::named(aggregate.name()), Some(aggregate));
        }
        assert_eq!((Criterion::named("L1"), Aggregate::named("")), (None, None));
    }

    #[test]
    fn what_is_left_out_is_the_papers() {
        let paper = Importance { criterion: Criterion::L1, aggregate: Aggregate::Sum };
        assert_eq!(serde_json::from_value::<Importance>(json!({})).unwrap(), paper);
        assert_eq!(Importance::default(), paper);
        let fpgm = Importance { criterion: Criterion::Fpgm, aggregate: Aggregate::Leading };
        assert_eq!(serde_json::from_value::<Importance>(json!(fpgm)).unwrap(), fpgm);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for wrong in [json!({ "criterion": "l3" }), json!({ "aggregate": "max" }), json!({ "criteria": "l1" })] {
            assert!(serde_json::from_value::<Importance>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
