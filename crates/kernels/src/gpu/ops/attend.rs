//! Causal attention over the cache, with an online softmax: one cube per query and head.

use burn::tensor::Tensor;
use cubecl::prelude::*;

use super::{THREADS, argument, beside, primitive, tensor};
use crate::ops::AttendSpec;

/// Most components of a head: four for each thread.
const MOST: usize = 4 * THREADS;
/// Below any score, and finite: shaders may assume that infinities do not occur.
const LOWEST: f32 = -1e30;

/// See [`crate::ops::attend`].
pub(crate) fn attend(
    q: &Tensor<4>,
    keys: &Tensor<4>,
    values: &Tensor<4>,
    place: &Tensor<1>,
    spec: AttendSpec,
) -> Option<Tensor<4>> {
    let [batch, count, heads, head_dim] = q.dims();
    let [_, kv_heads, capacity, _] = keys.dims();
    let fits = batch == 1 && head_dim <= MOST && heads <= 65_535 && spec.past + count <= capacity;
    if !fits {
        return None;
    }
    let (q, keys, values, place) = (primitive(q)?, primitive(keys)?, primitive(values)?, primitive(place)?);
    let out = beside(&q, [1, count, heads, head_dim]);
    let window = spec.window.unwrap_or(usize::MAX).min(u32::MAX as usize) as u32;
    let sizes = [heads, heads / kv_heads, head_dim, capacity].map(|n| n as u32);
    let [heads32, group, head_dim32, capacity32] = sizes;
    // SAFETY: the lengths are those of contiguous tensors, and keys end at the last query's position, below the
    // capacity: whoever writes another `place` before a replay checks that ([`super::super::replay`]).
    unsafe {
        attention::launch_unchecked(
            &q.client,
            CubeCount::Static(count as u32, heads32, 1),
            CubeDim::new_1d(THREADS as u32),
            argument(&q, count * heads * head_dim),
            argument(&keys, kv_heads * capacity * head_dim),
            argument(&values, kv_heads * capacity * head_dim),
            argument(&place, 1),
            argument(&out, count * heads * head_dim),
            heads32,
            group,
            head_dim32,
            capacity32,
            window,
            spec.scale,
            spec.softcap.unwrap_or(1.0),
            spec.softcap.is_some(),
            head_dim.div_ceil(THREADS),
        )
    }
    Some(tensor(out))
}

/// Each turn scores `THREADS` keys, a thread each, and adds their values, a thread for every
/// `THREADS`-th component: `width` of them.
#[cube(launch_unchecked)]
fn attention(
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    place: &[f32],
    out: &mut [f32],
    heads: u32,
    group: u32,
    head_dim: u32,
    capacity: u32,
    window: u32,
    scale: f32,
    softcap: f32,
    #[comptime] capped: bool,
    #[comptime] width: usize,
) {
    let lane = UNIT_POS_X as usize;
    let head_dim = head_dim as usize;
    let query = (CUBE_POS_X * heads + CUBE_POS_Y) as usize * head_dim;
    let cache = (CUBE_POS_Y / group) as usize * capacity as usize * head_dim;
    let last = u32::cast_from(place[0]) + CUBE_POS_X;
    let first = select(last >= window, last - min(window, last) + 1, 0u32);

    let mut shared_query = Shared::<[f32]>::new_slice(comptime!(MOST));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(THREADS));
    let mut sums = Array::<f32>::new(width);
    #[unroll]
    for part in 0..width {
        sums[part] = 0.0;
        let component = lane + part * comptime!(THREADS);
        if component < head_dim {
            shared_query[component] = q[query + component];
        }
    }
    sync_cube();

    let mut highest = LOWEST.runtime();
    let mut total = 0.0f32.runtime();
    for base in range_stepped(first, last + 1, comptime!(THREADS as u32)) {
        let key = base + UNIT_POS_X;
        let mut score = LOWEST.runtime();
        if key <= last {
            let at = cache + key as usize * head_dim;
            let mut dot = 0.0f32.runtime();
            for i in 0..head_dim {
                dot += shared_query[i] * keys[at + i];
            }
            score = dot * scale;
            if comptime!(capped) {
                score = softcap * (score / softcap).tanh();
            }
        }
        weights[lane] = score;
        sync_cube();
        let mut top = highest;
        for i in 0..comptime!(THREADS) {
            top = max(top, weights[i]);
        }
        sync_cube();
        let here = last + 1 - base;
        let used = min(here, comptime!(THREADS as u32)) as usize;
        weights[lane] = select(lane < used, (score - top).exp(), 0.0f32);
        sync_cube();
        let shrink = (highest - top).exp();
        total *= shrink;
        for i in 0..used {
            total += weights[i];
        }
        #[unroll]
        for part in 0..width {
            let component = lane + part * comptime!(THREADS);
            let mut sum = sums[part] * shrink;
            if component < head_dim {
                for i in 0..used {
                    sum += weights[i] * values[cache + (base as usize + i) * head_dim + component];
                }
            }
            sums[part] = sum;
        }
        highest = top;
        sync_cube();
    }
    #[unroll]
    for part in 0..width {
        let component = lane + part * comptime!(THREADS);
        if component < head_dim {
            out[query + component] = sums[part] / total;
        }
    }
}
