//! Rotary embedding of queries and keys, and the cache's write, in one launch.

use burn::tensor::Tensor;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{argument, beside, primitive, tensor};
use crate::ops::{Cached, Turns};

/// See [`crate::ops::rotate_and_write`].
pub(crate) fn rotate_and_write(
    q: &Tensor<4>,
    k: &Tensor<4>,
    v: &Tensor<4>,
    turns: &Turns,
    cache: &mut Option<Cached>,
) -> Option<Tensor<4>> {
    let [batch, count, heads, head_dim] = q.dims();
    let (half, past) = (turns.half(), turns.past());
    if batch != 1 {
        return None;
    }
    let (q, k, v, turns) = (primitive(q)?, primitive(k)?, primitive(v)?, primitive(turns.tensor())?);
    let [_, kv_heads, capacity, _] = cache.as_ref()?.0.dims();
    assert!(past + count <= capacity, "the cache was not made large enough");
    let (keys, values) = owned(cache)?;
    let turned = beside(&q, [1, count, heads, head_dim]);
    let lanes = (heads + 2 * kv_heads) * head_dim;
    let dim = CubeDim::new_1d(64);
    let cubes = CubeCount::Static(lanes.div_ceil(64) as u32, count as u32, 1);
    let sizes = [count, heads, kv_heads, head_dim, half, capacity].map(|n| n as u32);
    let [count32, heads32, kv_heads32, head_dim32, half32, capacity32] = sizes;
    // SAFETY: the lengths are those of contiguous tensors, and positions end below the capacity: whoever
    // writes another place into `turns` before a replay checks that ([`super::super::replay`]).
    unsafe {
        rotate::launch_unchecked(
            &q.client,
            cubes,
            dim,
            argument(&q, count * heads * head_dim),
            argument(&k, count * kv_heads * head_dim),
            argument(&v, count * kv_heads * head_dim),
            argument(&turns, 2 * count * half + 1),
            argument(&turned, count * heads * head_dim),
            argument(&keys, kv_heads * capacity * head_dim),
            argument(&values, kv_heads * capacity * head_dim),
            count32,
            heads32,
            kv_heads32,
            head_dim32,
            half32,
            capacity32,
        )
    }
    *cache = Some((tensor(keys), tensor(values)));
    Some(tensor(turned))
}

/// Takes keys and values out of a cache, if they are contiguous and nothing else refers to them, so that they
/// may be written in place; else the cache stays.
fn owned(cache: &mut Option<Cached>) -> Option<(CubeTensor, CubeTensor)> {
    let (keys, values) = cache.take()?;
    let keys = keys.try_into_primitive::<Cube>().ok()?;
    let values = values.try_into_primitive::<Cube>().ok()?;
    let free = |tensor: &CubeTensor| tensor.handle.can_mut() && tensor.is_contiguous();
    if free(&keys) && free(&values) {
        return Some((keys, values));
    }
    *cache = Some((tensor(keys), tensor(values)));
    None
}

/// One thread for each component of a position's queries, keys and values.
#[cube(launch_unchecked)]
fn rotate(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    turns: &[f32],
    turned: &mut [f32],
    keys: &mut [f32],
    values: &mut [f32],
    count: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    half: u32,
    capacity: u32,
) {
    let heads = heads as usize;
    let kv_heads = kv_heads as usize;
    let head_dim = head_dim as usize;
    let half = half as usize;
    let capacity = capacity as usize;
    let past = usize::cast_from(turns[2 * count as usize * half]);
    let position = CUBE_POS_Y as usize;
    let lane = ABSOLUTE_POS_X as usize;
    let all = heads + 2 * kv_heads;
    if lane >= all * head_dim {
        terminate!();
    }
    let row = lane / head_dim;
    let component = lane % head_dim;

    if row < heads {
        let start = (position * heads + row) * head_dim;
        turned[start + component] = component_of(q, turns, start, component, position, half, count as usize);
    } else {
        let kv = (row - heads) % kv_heads;
        let start = (position * kv_heads + kv) * head_dim;
        let to = (kv * capacity + past + position) * head_dim + component;
        if row < heads + kv_heads {
            keys[to] = component_of(k, turns, start, component, position, half, count as usize);
        } else {
            values[to] = v[start + component];
        }
    }
}

/// A component of the vector at `start` after it was turned.
#[cube]
fn component_of(
    x: &[f32],
    angles: &[f32],
    start: usize,
    component: usize,
    position: usize,
    half: usize,
    count: usize,
) -> f32 {
    let mut value = x[start + component];
    if component < half {
        let angle = position * half + component;
        value = value * angles[angle] - x[start + component + half] * angles[count * half + angle];
    } else if component < 2 * half {
        let angle = position * half + component - half;
        value = value * angles[angle] + x[start + component - half] * angles[count * half + angle];
    }
    value
}
