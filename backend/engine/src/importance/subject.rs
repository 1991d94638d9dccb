//! What importance is computed from, and what all criteria share.

use eagleeye_graph::{ChannelGroups, Group, Member, Role};
use eagleeye_spec::Criterion;
use tch::{TchError, Tensor};

use super::error::ImportanceError;
use crate::exec::Hook;
use crate::network::Network;
use crate::norms::filters_are_scaled;
use crate::pictures::Batches;

/// What criteria need beside the network.
pub struct ImportanceData<'a> {
    /// Calibration images `[n, C, H, W]`, prepared as for scoring; none where only criteria without images are asked for.
    pub images: Option<&'a dyn Batches>,
    /// Their classes `[n]` (`i64`). Without them the full network's own answers take their place.
    pub labels: Option<&'a Tensor>,
    /// Images of one forward pass.
    pub batch_size: usize,
    /// Of the random criterion.
    pub seed: u64,
    /// Asked before every operation of every forward pass.
    pub cancelled: &'a dyn Fn() -> bool,
}

impl ImportanceData<'_> {
    /// For criteria without images.
    pub fn without_images(seed: u64) -> Self {
        Self { images: None, labels: None, batch_size: 1, seed, cancelled: &|| false }
    }
}

/// What a criterion says of one group: for each layer that it judges, in order of execution, a value for each unit.
pub(super) type LayerScores = Vec<Vec<f64>>;

/// A network whose units are judged.
pub(super) struct Subject<'a> {
    pub network: &'a Network,
    pub groups: &'a ChannelGroups,
    pub data: &'a ImportanceData<'a>,
    judged: Role,
}

impl<'a> Subject<'a> {
    pub fn new(network: &'a Network, groups: &'a ChannelGroups, data: &'a ImportanceData<'a>) -> Self {
        let judged = if filters_are_scaled(&network.graph) { Role::Consumes } else { Role::Produces };
        Self { network, groups, data, judged }
    }

    /// The axes of weights that criteria of weights judge a group's units by: filters, but behind folded batch norms the weights
    /// that read the channels.
    ///
    /// A batch norm that was folded into a convolution has scaled its filters, each by another number, and their size then says
    /// little about what it was in training. In the sum over the many filters that read a channel the scales of the folded batch
    /// norms even out.
    pub fn judged<'g>(&self, group: &'g Group) -> impl Iterator<Item = &'g Member> {
        // Channels that nothing reads with a weight of its own are judged by the filters that make them.
        let has_judged = group.members.iter().any(|member| member.role == self.judged);
        let role = if has_judged { self.judged } else { Role::Produces };
        group.members.iter().filter(move |member| member.role == role)
    }

    /// The calibration images, at least one.
    pub fn images(&self, criterion: Criterion) -> Result<&'a dyn Batches, ImportanceError> {
        let images = self.data.images.filter(|images| images.count() > 0);
        images.ok_or(ImportanceError::NeedsImages(criterion))
    }
}

/// A unit's value is the sum of the values of its indices along the member's axis.
pub(super) fn unit_sums(member: &Member, slices: &[f64]) -> Vec<f64> {
    let sum = |indices: &Vec<u32>| indices.iter().map(|&index| slices[index as usize]).sum();
    member.units.iter().map(sum).collect()
}

/// The values of a group by a criterion that runs the network, where a group that can be pruned has finite ones.
pub(super) fn finite(criterion: Criterion, group: &Group, layers: LayerScores) -> Result<LayerScores, ImportanceError> {
    let is_finite = layers.iter().flatten().all(|value| value.is_finite());
    if is_finite || !group.prunable {
        return Ok(layers);
    }
    Err(ImportanceError::NotFinite { criterion, group: group.name.clone() })
}

/// The sum over all axes but one, in `f64`.
pub(super) fn sum_along(tensor: &Tensor, axis: usize) -> Result<Tensor, TchError> {
    let others: Vec<i64> = (0..tensor.dim() as i64).filter(|&other| other != axis as i64).collect();
    match &others[..] {
        // A sum over no axes is the sum over all of them to libtorch.
        [] => tensor.f_to_kind(tch::Kind::Double),
        others => tensor.f_sum_dim_intlist(others, false, tch::Kind::Double),
    }
}

/// A forward pass that can be cancelled and computes nothing else.
pub(super) struct Cancellable<'a>(pub &'a dyn Fn() -> bool);

impl Hook for Cancellable<'_> {
    fn cancelled(&self) -> bool {
        (self.0)()
    }
}
