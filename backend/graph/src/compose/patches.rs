//! Sliding windows as an axis of their own, and back.

use super::Compose;
use crate::ir::ValueId;
use crate::ops::{Conv, Op, PadMode};
use crate::shape::{Dim, MAX_ELEMENTS};

type Made<C> = Result<ValueId, <C as Compose>::Fault>;

/// A window along a spatial axis.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Zeros before and after.
    pub padding: (usize, usize),
}

impl Window {
    /// Positions along an axis of `size` entries; 0 where the window does not fit.
    fn positions(&self, size: usize) -> usize {
        let reach = self.dilation.saturating_mul(self.kernel.saturating_sub(1)).saturating_add(1);
        let room = size.saturating_add(self.padding.0).saturating_add(self.padding.1).checked_sub(reach);
        room.map_or(0, |room| room / self.stride.max(1) + 1)
    }

    /// Windows that lie side by side.
    fn tiles(&self) -> bool {
        self.stride == self.kernel && self.dilation == 1
    }
}

/// Cuts an axis into windows: in its place come the positions and, behind them, the entries of each window.
pub fn windows<C: Compose>(c: &mut C, x: ValueId, axis: usize, window: Window) -> Made<C> {
    let size = c.fixed(x, axis)?;
    let Window { kernel, stride, dilation, .. } = window;
    let positions = Window { padding: (0, 0), ..window }.positions(size);
    if kernel == 0 || stride == 0 || dilation == 0 || positions == 0 {
        return Err(C::invalid(format!("a window of {kernel} does not fit into an axis of {size}")));
    }
    if positions.saturating_mul(kernel) > MAX_ELEMENTS {
        return Err(C::invalid(format!("makes {positions} windows of {kernel}")));
    }
    let indices = (0..positions).flat_map(|p| (0..kernel).map(move |k| p * stride + k * dilation)).collect();
    let taken = c.take(x, axis, indices)?;
    let mut shape = c.shape(taken).clone();
    shape.splice(axis..=axis, [Dim::Fixed(positions), Dim::Fixed(kernel)]);
    c.reshape(taken, shape)
}

/// All windows of an image as columns: `[N, C, H, W]` to `[N, C * kernel area, positions]`.
pub fn to_columns<C: Compose>(c: &mut C, x: ValueId, windows_of: [Window; 2]) -> Made<C> {
    let [batch, Dim::Fixed(channels), Dim::Fixed(_), Dim::Fixed(_)] = c.shape(x)[..] else {
        return Err(C::unsupported("a tensor that is not [batch, channels, height, width]".into()));
    };
    let pads: Vec<(i64, i64)> =
        [(0, 0); 2].into_iter().chain(windows_of.iter().map(|w| (w.padding.0 as i64, w.padding.1 as i64))).collect();
    let padded = if pads.iter().all(|&p| p == (0, 0)) {
        x
    } else {
        c.push(Op::Pad { pads, mode: PadMode::Constant(0.0) }, &[x])?
    };
    let rows = windows(c, padded, 2, windows_of[0])?;
    let both = windows(c, rows, 4, windows_of[1])?;
    let turned = c.permute(both, vec![0, 1, 3, 5, 2, 4])?;
    let area = windows_of[0].kernel.saturating_mul(windows_of[1].kernel);
    let positions: usize = c.shape(turned)[4..].iter().map(|d| d.sample()).product();
    c.reshape(turned, vec![batch, Dim::Fixed(channels * area), Dim::Fixed(positions)])
}

/// The sum of columns where their windows lie: `[N, C * kernel area, positions]` to `[N, C, height, width]`.
pub fn from_columns<C: Compose>(c: &mut C, x: ValueId, output: [usize; 2], windows_of: [Window; 2]) -> Made<C> {
    let [batch, Dim::Fixed(rows), Dim::Fixed(columns)] = c.shape(x)[..] else {
        return Err(C::unsupported("a tensor that is not [batch, columns, positions]".into()));
    };
    let area = windows_of[0].kernel.saturating_mul(windows_of[1].kernel);
    let places = [windows_of[0].positions(output[0]), windows_of[1].positions(output[1])];
    let fits =
        area > 0 && columns > 0 && rows.is_multiple_of(area) && places[0].checked_mul(places[1]) == Some(columns);
    if !fits || windows_of.iter().any(|w| w.stride == 0 || w.dilation == 0) {
        let reason =
            format!("{rows} x {columns} entries are not the windows of an image of {} x {}", output[0], output[1]);
        return Err(C::invalid(reason));
    }
    let channels = rows / area;
    if windows_of.iter().all(Window::tiles) {
        return side_by_side(c, x, batch, channels, output, windows_of, places);
    }
    if area.saturating_mul(area) > MAX_ELEMENTS {
        return Err(C::invalid(format!("sums windows of {area} entries")));
    }
    // One filter for each entry of a window, which puts it in its place: every channel is an image of its own.
    let images = match batch {
        Dim::Batch(each) => Dim::Batch(each * channels),
        Dim::Fixed(size) => Dim::Fixed(size * channels),
    };
    let stacked = c.reshape(x, vec![images, Dim::Fixed(area), Dim::Fixed(places[0]), Dim::Fixed(places[1])])?;
    let kernel = windows_of.map(|w| w.kernel);
    let filters = (0..area).flat_map(|entry| (0..area).map(move |place| f64::from(u8::from(entry == place))));
    let filters = c.constant(&[area, 1, kernel[0], kernel[1]], filters.collect())?;
    let extra = |i: usize| {
        let Window { kernel, stride, dilation, padding } = windows_of[i];
        (output[i] + padding.0 + padding.1).saturating_sub((places[i] - 1) * stride + dilation * (kernel - 1) + 1)
    };
    let conv = Conv {
        stride: windows_of.iter().map(|w| w.stride).collect(),
        padding: windows_of.iter().map(|w| w.padding).collect(),
        dilation: windows_of.iter().map(|w| w.dilation).collect(),
        groups: 1,
        transposed: Some(vec![extra(0), extra(1)]),
    };
    let summed = c.push(Op::Conv(conv), &[stacked, filters])?;
    c.reshape(summed, vec![batch, Dim::Fixed(channels), Dim::Fixed(output[0]), Dim::Fixed(output[1])])
}

/// Windows that do not overlap only move.
fn side_by_side<C: Compose>(
    c: &mut C,
    x: ValueId,
    batch: Dim,
    channels: usize,
    output: [usize; 2],
    windows_of: [Window; 2],
    places: [usize; 2],
) -> Made<C> {
    let fixed = |sizes: &[usize]| [batch].into_iter().chain(sizes.iter().map(|&s| Dim::Fixed(s))).collect::<Vec<_>>();
    let kernel = windows_of.map(|w| w.kernel);
    let split = c.reshape(x, fixed(&[channels, kernel[0], kernel[1], places[0], places[1]]))?;
    let turned = c.permute(split, vec![0, 1, 4, 2, 5, 3])?;
    let sizes = [places[0] * kernel[0], places[1] * kernel[1]];
    let image = c.reshape(turned, fixed(&[channels, sizes[0], sizes[1]]))?;
    let pad = |i: usize| {
        let before = windows_of[i].padding.0 as i64;
        (-before, output[i] as i64 + before - sizes[i] as i64)
    };
    let pads = vec![(0, 0), (0, 0), pad(0), pad(1)];
    if pads.iter().all(|&p| p == (0, 0)) {
        return Ok(image);
    }
    c.push(Op::Pad { pads, mode: PadMode::Constant(0.0) }, &[image])
}
