//! Layers with weights: convolutions, linears and norms.

use std::sync::Arc;

use super::tensor::Labels;
use super::{FIXED, GroupError, Propagation, Role, reason};
use crate::ir::{Node, ParameterId};
use crate::ops::Conv;

impl Propagation<'_> {
    pub(super) fn convolution(&mut self, conv: &Conv, node: &Node) -> Result<(), GroupError> {
        let Some(weight) = self.graph.parameter_of(node.inputs[1]) else {
            return self.give_up_layer(node, 1, "is a convolution with a computed weight");
        };
        let x = self.labels(node, 0);
        let shape = self.output_shape(node);
        let varying = x.varying();
        let out = if varying.is_empty() || varying.contains(&1) {
            let why = reason(node, "convolves these channels together with fixed ones");
            let channels = self.merge_onto(&x, &[1], &why).vector(1);
            let out = self.filters(conv, node, weight, channels, shape[1])?;
            Labels::along(shape, 1, out)
        } else {
            self.across(conv, node, weight, &x, shape)?
        };
        self.set(node, Arc::new(out))
    }

    /// A convolution whose input's labels vary, but not along its channels.
    fn across(
        &mut self,
        conv: &Conv,
        node: &Node,
        weight: ParameterId,
        x: &Labels,
        shape: Vec<usize>,
    ) -> Result<Labels, GroupError> {
        let slides = x.varying() != [0];
        if slides {
            self.lock_all(x, &reason(node, "slides a convolution along these channels"));
        }
        if slides && shape[1] > 1 {
            let out = self.filters(conv, node, weight, vec![FIXED; x.shape()[1]], shape[1])?;
            return Ok(Labels::along(shape, 1, out));
        }
        // One filter for all of them, as over positions: it has no channels of its own that could go.
        let (axis, repeats) = if conv.transposed.is_some() { (1, conv.groups) } else { (0, 1) };
        let out = self.produce_locked(node, weight, axis, shape[1] / repeats)?;
        if node.inputs.len() > 2 {
            self.attach(node, 2, Labels::along(vec![shape[1]], 0, out.repeat(repeats)))?;
        }
        Ok(if slides { Labels::uniform(shape, FIXED) } else { x.resized(shape) })
    }

    /// Notes both sides of a convolution's weight and its bias; returns the labels of its output channels.
    fn filters(
        &mut self,
        conv: &Conv,
        node: &Node,
        weight: ParameterId,
        channels: Vec<u32>,
        makes: usize,
    ) -> Result<Vec<u32>, GroupError> {
        let (each_in, each_out) = (channels.len() / conv.groups, makes / conv.groups);
        let out = if conv.groups > 1 && (each_in == 1 || each_out == 1) {
            self.whole_groups(conv, node, weight, &channels, each_out)?
        } else {
            let channels = self.equal_groups(node, channels, conv.groups);
            match conv.transposed {
                None => {
                    self.note(node, weight, 1, Role::Consumes, &channels[..each_in]);
                    let rows = self.produce(node, weight, 0, makes)?;
                    self.equal_groups(node, rows, conv.groups)
                }
                Some(_) => {
                    self.note(node, weight, 0, Role::Consumes, &channels);
                    let columns = self.produce(node, weight, 1, each_out)?;
                    columns.repeat(conv.groups)
                }
            }
        };
        if node.inputs.len() > 2 {
            self.attach(node, 2, Labels::along(vec![makes], 0, out.clone()))?;
        }
        Ok(out)
    }

    /// A grouped convolution with one channel in or out of each group (depthwise, with any multiplier): a group of the
    /// convolution is kept or removed as a whole.
    fn whole_groups(
        &mut self,
        conv: &Conv,
        node: &Node,
        weight: ParameterId,
        channels: &[u32],
        each_out: usize,
    ) -> Result<Vec<u32>, GroupError> {
        let why = reason(node, "convolves a fixed channel with the others of its group");
        let each_in = channels.len() / conv.groups;
        let mut groups = Vec::with_capacity(conv.groups);
        let mut makes_channels = each_in > 1;
        for channels in channels.chunks(each_in) {
            let group = channels[1..].iter().fold(channels[0], |all, &c| self.atoms.join(all, c, &why));
            if group == FIXED {
                // Labels of its own, so that the layer is listed with the reason why it is locked.
                groups.extend(self.atoms.fresh(1));
                self.atoms.lock(groups[groups.len() - 1], &reason(node, "filters a fixed channel"));
                makes_channels = true;
            } else {
                groups.push(group);
            }
        }
        let repeat = |labels: &[u32], times| labels.iter().flat_map(|&l| vec![l; times]).collect::<Vec<_>>();
        let out = repeat(&groups, each_out);
        // A depthwise filter makes no channel: it follows the one that it filters.
        let role = if makes_channels { Role::Produces } else { Role::Follows };
        match conv.transposed {
            None => self.note(node, weight, 0, role, &out),
            Some(_) => self.note(node, weight, 0, role, &repeat(&groups, each_in)),
        }
        Ok(out)
    }

    /// Makes the j-th channel of every group one, so that the groups stay equally large.
    fn equal_groups(&mut self, node: &Node, mut channels: Vec<u32>, groups: usize) -> Vec<u32> {
        if groups > 1 {
            let why = reason(node, "needs groups of equal size, and one of them is fixed");
            let each = channels.len() / groups;
            for i in each..channels.len() {
                channels[i % each] = self.atoms.join(channels[i % each], channels[i], &why);
            }
            for i in 0..channels.len() {
                channels[i] = self.atoms.find(channels[i % each]);
            }
        }
        channels
    }

    /// `x [..., in]`: channels are usually the last axis. A linear along another axis (the token mixing of an MLP-Mixer)
    /// lets the channels pass.
    pub(super) fn linear(&mut self, transposed: bool, node: &Node) -> Result<(), GroupError> {
        let shape = self.output_shape(node);
        let last = shape.len() - 1;
        let Some(weight) = self.graph.parameter_of(node.inputs[1]) else {
            return self.give_up_layer(node, last, "is a linear layer with a computed weight");
        };
        let x = self.labels(node, 0);
        let varying = x.varying();
        let (rows, columns) = if transposed { (1, 0) } else { (0, 1) };
        let makes = shape[last];
        let passes = !varying.is_empty() && !varying.contains(&last);
        let out = if passes {
            self.produce_locked(node, weight, rows, makes)?
        } else {
            let why = reason(node, "is a linear layer over fixed channels");
            let channels = self.merge_onto(&x, &[last], &why).vector(last);
            self.note(node, weight, columns, Role::Consumes, &channels);
            self.produce(node, weight, rows, makes)?
        };
        if node.inputs.len() > 2 {
            self.attach(node, 2, Labels::along(vec![makes], 0, out.clone()))?;
        }
        let out = if passes { x.resized(shape) } else { Labels::along(shape, last, out) };
        self.set(node, Arc::new(out))
    }

    /// Output channels of a layer that mixes positions instead of channels: they are no axis of their own in the labels.
    fn produce_locked(
        &mut self,
        node: &Node,
        weight: ParameterId,
        axis: usize,
        count: usize,
    ) -> Result<Vec<u32>, GroupError> {
        let labels = self.produce(node, weight, axis, count)?;
        let why = reason(node, "mixes positions, not channels");
        labels.iter().for_each(|&l| self.atoms.lock(l, &why));
        Ok(labels)
    }

    /// Batch norm, group norm and PReLU: parameters along axis 1. `groups` channels groups are normalised each by itself.
    pub(super) fn per_channel(&mut self, node: &Node, groups: usize) -> Result<(), GroupError> {
        let x = self.labels(node, 0);
        let varying = x.varying();
        if !varying.is_empty() && !varying.contains(&1) {
            return self.set(node, Arc::new(x));
        }
        let why = reason(node, "has parameters per channel, and some are fixed");
        let x = self.merge_onto(&x, &[1], &why);
        let mut channels = x.vector(1);
        if groups < channels.len() {
            channels = self.equal_groups(node, channels, groups);
            let by = reason(node, "normalises these channels together with others");
            channels.iter().for_each(|&c| self.atoms.normalise(c, &by));
        }
        for input in 1..node.inputs.len() {
            if self.graph.shape(node.inputs[input])[0].sample() == channels.len() {
                self.attach(node, input, Labels::along(vec![channels.len()], 0, channels.clone()))?;
            }
        }
        self.set(node, Arc::new(Labels::along(x.shape().to_vec(), 1, channels)))
    }

    pub(super) fn layer_norm(&mut self, axes: usize, node: &Node) -> Result<(), GroupError> {
        let x = self.labels(node, 0);
        let first = x.shape().len() - axes;
        let normalised: Vec<usize> = x.varying().into_iter().filter(|&axis| axis >= first).collect();
        if normalised.is_empty() && !x.varying().is_empty() {
            return self.set(node, Arc::new(x));
        }
        let why = reason(node, "normalises these channels together with fixed ones");
        let x = self.merge_onto(&x, &normalised, &why);
        let by = reason(node, "normalises these channels together with others");
        x.iter().for_each(|label| self.atoms.normalise(label, &by));
        let parameter = x.without_axes(&(0..first).collect::<Vec<_>>());
        for input in 1..node.inputs.len() {
            self.attach(node, input, parameter.clone())?;
        }
        self.set(node, Arc::new(x))
    }
}
