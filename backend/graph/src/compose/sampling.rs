//! Interpolation and sampling at computed positions.

use std::ops::Range;

use super::Compose;
use crate::ir::ValueId;
use crate::ops::Op;
use crate::shape::{Dim, MAX_ELEMENTS};

type Made<C, T = ValueId> = Result<T, <C as Compose>::Fault>;

/// Along an axis, entry `to` of `size` becomes the sum of all entries `from`, each times `weight(to, from)`.
pub fn along<C: Compose>(
    c: &mut C,
    x: ValueId,
    axis: usize,
    size: usize,
    weight: &dyn Fn(usize, usize) -> f64,
) -> Made<C> {
    let from = entries_along(c, x, axis, size)?;
    let entries = (0..size).flat_map(|to| (0..from).map(move |from| (to, from))).map(|(to, from)| weight(to, from));
    let matrix = c.constant(&[size, from], entries.collect())?;
    let last = c.shape(x).len() - 1;
    let turned = c.swapped(x, axis, last)?;
    let y = c.push(Op::Linear { transposed: false }, &[turned, matrix])?;
    c.swapped(y, axis, last)
}

/// The entries along an axis from which `size` others can be made.
fn entries_along<C: Compose>(c: &C, x: ValueId, axis: usize, size: usize) -> Made<C, usize> {
    let from = c.fixed(x, axis)?;
    if size.saturating_mul(from) > MAX_ELEMENTS {
        return Err(C::invalid(format!("resizes axis {axis} from {from} to {size} entries")));
    }
    Ok(from)
}

/// Weight of an entry at this distance: linear interpolation.
pub fn linear(distance: f64) -> f64 {
    (1.0 - distance.abs()).max(0.0)
}

/// Weight of an entry at this distance: Keys' cubic convolution with the parameter `a`.
pub fn cubic(distance: f64, a: f64) -> f64 {
    match distance.abs() {
        d if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
        d if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
        _ => 0.0,
    }
}

/// Interpolates along an axis of `from` entries at `position(to)` for each of `size`, by a kernel that reaches `reach`
/// entries to each side. The border is repeated.
pub fn interpolate<C: Compose>(
    c: &mut C,
    x: ValueId,
    axis: usize,
    size: usize,
    position: &dyn Fn(usize) -> f64,
    kernel: (&dyn Fn(f64) -> f64, i64),
) -> Made<C> {
    let from = c.fixed(x, axis)?;
    let (kernel, reach) = kernel;
    let weight = |to: usize, entry: usize| {
        let position = position(to);
        let first = position.floor() as i64;
        let near = first.saturating_sub(reach - 1)..=first.saturating_add(reach);
        let here = near.filter(|&source| source.clamp(0, from as i64 - 1) as usize == entry);
        here.map(|source| kernel(position - source as f64)).sum()
    };
    along(c, x, axis, size, &weight)
}

/// Interpolates with a kernel that is widened by the factor of reduction, so that every entry counts (antialiasing).
/// `scale` is entries of the input for each of the output.
pub fn interpolate_widened<C: Compose>(
    c: &mut C,
    x: ValueId,
    axis: usize,
    size: usize,
    scale: f64,
    kernel: (&dyn Fn(f64) -> f64, f64),
) -> Made<C> {
    let from = entries_along(c, x, axis, size)?;
    let (kernel, reach) = kernel;
    let width = scale.max(1.0);
    let centre = |to: usize| scale * (to as f64 + 0.5);
    let of_kernel = |to: usize, entry: i64| kernel((entry as f64 - centre(to) + 0.5) / width);
    let reached = |to: usize| {
        let first = ((centre(to) - reach * width + 0.5) as i64).max(0);
        let last = ((centre(to) + reach * width + 0.5) as i64).min(from as i64);
        let total: f64 = (first..last).map(|entry| of_kernel(to, entry)).sum();
        (first..last, if total == 0.0 { 1.0 } else { total })
    };
    let rows: Vec<(Range<i64>, f64)> = (0..size).map(reached).collect();
    let weight = |to: usize, entry: usize| {
        let (entries, total) = &rows[to];
        let entry = entry as i64;
        if entries.contains(&entry) { of_kernel(to, entry) / total } else { 0.0 }
    };
    along(c, x, axis, size, &weight)
}

/// The positions (x, y) that an affine map gives: `theta [N, 2, 3]` to `[N, height, width, 2]`.
pub fn affine_grid<C: Compose>(c: &mut C, theta: ValueId, [height, width]: [usize; 2], align_corners: bool) -> Made<C> {
    let [batch, Dim::Fixed(2), Dim::Fixed(3)] = c.shape(theta)[..] else {
        return Err(C::unsupported("an affine map that is not [N, 2, 3]".into()));
    };
    if height.saturating_mul(width) > MAX_ELEMENTS / 3 {
        return Err(C::invalid(format!("a grid of {height} x {width} positions")));
    }
    let step = |index: usize, size: usize| {
        if size <= 1 {
            return 0.0;
        }
        let even = 2.0 * index as f64 / (size - 1) as f64 - 1.0;
        if align_corners { even } else { even * (size - 1) as f64 / size as f64 }
    };
    let positions = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
    let entries = positions.flat_map(|(row, column)| [step(column, width), step(row, height), 1.0]).collect();
    let base = c.constant(&[height * width, 3], entries)?;
    let map = c.permute(theta, vec![0, 2, 1])?;
    let grid = c.push(Op::MatMul, &[base, map])?;
    c.reshape(grid, vec![batch, Dim::Fixed(height), Dim::Fixed(width), Dim::Fixed(2)])
}
