//! One layer: its rows are gathered over all batches, and it gets the weights that answer them best.

use eagleeye_graph::{Node, NodeId, Op};
use tch::{TchError, Tensor};

use super::evidence::Evidence;
use super::full_outputs::FullOutputs;
use super::options::RepairOptions;
use super::outcome::Outcome;
use super::patches::{from_matrices, patches, to_matrices};
use super::ridge::Fit;
use super::rows::channel_axis;
use super::sites::{Site, groups_of, unknowns};
use super::walk::{Live, Walk};
use crate::exec::ExecError;
use crate::network::Network;
use eagleeye_torchscript::tensors::{is_finite, sizes};

/// The squared error, as a part of the variance, that is rounding.
const ALREADY_RIGHT: f64 = 1e-7;

/// A batch norm's scale, as a part of its largest, below which what it answers says nothing about what it reads.
const SMALLEST_SCALE: f64 = 1e-3;

/// How far a layer's answers are stretched at most to the deviation that they are to have.
const MOST_STRETCH: f64 = 3.0;

/// A layer of a pruned network that is fitted.
pub(super) struct Layer<'a> {
    site: &'a Site,
    full: &'a FullOutputs,
    /// The full network's channels that the layer still makes; `None`: all.
    kept: Option<Vec<usize>>,
    has_intercept: bool,
    makes_up_sum: bool,
}

impl<'a> Layer<'a> {
    /// `kept` are the axis and the positions of the full layer's output that stay.
    ///
    /// # Errors
    /// Why it cannot be fitted.
    pub fn new(
        pruned: &Network,
        full: &'a FullOutputs,
        site: &'a Site,
        kept: Option<(usize, Vec<usize>)>,
        options: RepairOptions,
    ) -> Result<Self, String> {
        let node = pruned.graph.node(site.node);
        let channels = channel_axis(node, pruned.graph.shape(node.outputs[0]).len());
        if kept.as_ref().is_some_and(|(axis, _)| *axis != channels) {
            return Err("another axis of its output than the channels' was pruned".to_owned());
        }
        if groups_of(node) > 1 && !options.fits_grouped {
            return Err("it is grouped, and grouped convolutions are left as they are".to_owned());
        }
        Ok(Self {
            site,
            full,
            kept: kept.map(|(_, kept)| kept),
            has_intercept: site.bias.is_some() || site.norm.is_some(),
            makes_up_sum: site.sum.is_some() && options.makes_up_sums,
        })
    }

    pub fn fit(
        &self,
        network: &mut Network,
        walk: &mut Walk,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Outcome, ExecError> {
        let node = network.graph.node(self.site.node).clone();
        let unknowns = unknowns(&node, &sizes(network.weight(self.site.weight)));
        let mut evidence = Evidence::new(unknowns, self.full.rows_in_all(self.site.node));
        walk.advance(network, self.site.node, cancelled, &mut |batch, live| {
            let Some((first_held, reads, answers)) = self.rows(network, batch, live)? else { return Ok(()) };
            evidence.add(&reads, &answers, first_held, self.has_intercept)
        })?;
        let before = to_matrices(&node, network.weight(self.site.weight))?;
        let left = |reason: &str| Ok(Outcome::Left { reason: reason.to_owned() });
        match evidence.fit(&before, self.has_intercept)? {
            None => left("all that it reads is zero"),
            Some(found) if found.before < ALREADY_RIGHT => left("it answers as the full network does"),
            // An error that is no number is below none.
            Some(found) if found.after < found.before => {
                let Fit { strength, before, after, .. } = found;
                if self.set(network, &node, &found)? {
                    Ok(Outcome::Fitted { to_sum: self.makes_up_sum, strength, before, after })
                } else {
                    left("the weights that answer best are not finite")
                }
            }
            Some(_) => left("no other weights answer better on images that were held back"),
        }
    }

    /// What the layer reads and is to answer at the rows of a batch, `[rows, groups, ...]`; and how many of these are not held
    /// back.
    fn rows(&self, network: &Network, batch: usize, live: &Live) -> Result<Option<(usize, Tensor, Tensor)>, TchError> {
        let Self { site, full, .. } = self;
        let node = network.graph.node(site.node);
        let (Some(rows), Some(input), Some(own)) =
            (full.rows(site.node, batch), live.value(network, node.inputs[0]), full.answers(site.node, batch))
        else {
            return Ok(None);
        };
        let reads = patches(node, network.weight(site.weight), input, rows)?;
        let mut answers = self.select(own)?;
        if let Some(sum) = site.sum.filter(|_| self.makes_up_sum)
            && let (Some(whole), Some(other)) = (full.answers(sum.add, batch), live.value(network, sum.other))
        {
            let missing = self.select(whole)?.f_sub(&rows.of_output(node, other)?)?;
            answers = match site.norm {
                None => missing,
                Some(norm) => before_norm(network, norm, &missing, &answers)?,
            };
        }
        let answers = answers.f_reshape([rows.len() as i64, groups_of(node) as i64, -1])?;
        Ok(Some((rows.fitted, reads, answers)))
    }

    /// The channels that the layer still makes.
    fn select(&self, answers: &Tensor) -> Result<Tensor, TchError> {
        match &self.kept {
            None => Ok(answers.shallow_clone()),
            Some(kept) => crate::prune::select(answers, 1, kept),
        }
    }

    /// Gives the layer its new weights; `false` where these are not finite, which leaves it as it is.
    fn set(&self, network: &mut Network, node: &Node, found: &Fit) -> Result<bool, TchError> {
        let (weight, intercept) = if self.site.has_virtual_norm {
            stretched(found)?
        } else {
            (found.weight.shallow_clone(), found.intercept.shallow_clone())
        };
        let weight = from_matrices(node, &weight, network.weight(self.site.weight))?;
        let bias = match self.site.bias {
            None => None,
            Some(bias) => {
                let kind = network.weight(bias).f_kind()?;
                Some((bias, intercept.f_reshape([-1])?.f_to_kind(kind)?))
            }
        };
        for tensor in std::iter::once(&weight).chain(bias.as_ref().map(|(_, tensor)| tensor)) {
            if !is_finite(tensor)? {
                return Ok(false);
            }
        }
        network.weights[self.site.weight.index()] = weight;
        if let Some((bias, tensor)) = bias {
            network.weights[bias.index()] = tensor;
        }
        Ok(true)
    }
}

/// Weight and intercept whose answers have the deviation of what is to be answered, as a batch norm gives them: least squares
/// alone answer with less.
fn stretched(found: &Fit) -> Result<(Tensor, Tensor), TchError> {
    let stretch = found.wanted.f_div(&found.answered)?.f_sqrt()?.f_nan_to_num(1.0, MOST_STRETCH, 1.0)?;
    let stretch = stretch.f_clamp_max(MOST_STRETCH)?;
    let moved = found.answer_mean.f_sub(&found.intercept)?.f_mul(&stretch)?;
    Ok((found.weight.f_mul(&stretch.f_unsqueeze(2)?)?, found.answer_mean.f_sub(&moved)?))
}

/// What a batch norm has to read to answer `after`, `[rows, channels]`; `otherwise` for channels that it all but removes.
fn before_norm(network: &Network, norm: NodeId, after: &Tensor, otherwise: &Tensor) -> Result<Tensor, TchError> {
    let node = network.graph.node(norm);
    let stored = |at: usize| network.graph.parameter_of(node.inputs[at]).map(|p| network.weight(p));
    let count = node.inputs.len();
    let (Op::BatchNorm { epsilon }, Some(mean), Some(variance)) = (&node.op, stored(count - 2), stored(count - 1))
    else {
        return Ok(otherwise.shallow_clone());
    };
    let deviation = variance.f_add_scalar(*epsilon)?.f_sqrt()?;
    let (gamma, beta) = match (count, stored(1), stored(2)) {
        (5, Some(gamma), Some(beta)) => (gamma.shallow_clone(), beta.shallow_clone()),
        _ => (variance.f_ones_like()?, variance.f_zeros_like()?),
    };
    let smallest = gamma.f_abs()?.f_max()?.f_mul_scalar(SMALLEST_SCALE)?;
    let is_there = gamma.f_abs()?.f_gt_tensor(&smallest)?;
    let divisor = gamma.f_where_self(&is_there, &gamma.f_ones_like()?)?;
    let before = after.f_sub(&beta)?.f_div(&divisor)?.f_mul(&deviation)?.f_add(mean)?;
    before.f_where_self(&is_there, otherwise)
}
