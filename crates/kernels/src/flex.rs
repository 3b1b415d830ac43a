//! The steps between products for tensors of the CPU backend: how its memory reaches
//! [`crate::cpu::steps`].

use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};

use crate::cpu::steps::{self, Attend, Heads};
use crate::device::on_cpu;
use crate::ops::{AttendSpec, Cached, NormSpec, Turns};
use crate::simd::dispatch;

/// The tensor as contiguous `f32` of the CPU, if it is there and not recorded by autodiff.
pub(crate) fn plain<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    if tensor.dtype() != DType::F32 {
        return None;
    }
    let tensor = on_cpu(tensor)?;
    Some(if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() })
}

/// A tensor that takes over host memory.
pub(crate) fn tensor<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data, shape), &Device::flex())
}

/// See [`crate::ops::norm`].
pub(crate) fn norm(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: Option<&Tensor<1>>,
    spec: NormSpec,
) -> Option<Tensor<2>> {
    let shape = x.dims();
    let (x, weight) = (plain(x)?, plain(weight)?);
    let bias = match bias {
        Some(bias) => Some(plain(bias)?),
        None => None,
    };
    let (x, weight) = (x.as_slice::<f32>()?, weight.as_slice::<f32>()?);
    if weight.len() != shape[1] || weight.is_empty() {
        return None;
    }
    let bias = match &bias {
        Some(bias) => Some(bias.as_slice::<f32>()?),
        None => None,
    };
    let mut out = vec![0.0; x.len()];
    steps::norm(x, weight, bias, spec, &mut out);
    Some(tensor(out, shape))
}

/// See [`crate::ops::rotate_and_write`].
pub(crate) fn rotate_and_write(
    q: &Tensor<4>,
    k: &Tensor<4>,
    v: &Tensor<4>,
    turns: &Turns,
    cache: &mut Option<Cached>,
) -> Option<Tensor<4>> {
    let ([batch, count, _, head_dim], [_, _, kv_heads, _]) = (q.dims(), k.dims());
    let (half, past) = (turns.half(), turns.past());
    let capacity = cache.as_ref()?.0.dims()[2];
    if batch != 1 || past + count > capacity || 2 * half > head_dim || half == 0 {
        return None;
    }
    let parts = (plain(q)?, plain(k)?, plain(v)?, plain(turns.tensor())?);
    let (q, k, v, angles): (&[f32], &[f32], &[f32], &[f32]) =
        (parts.0.as_slice()?, parts.1.as_slice()?, parts.2.as_slice()?, parts.3.as_slice()?);
    let (cos, sin) = angles[..2 * count * half].split_at(count * half);
    let shape = [batch, count, q.len() / (count * head_dim).max(1), head_dim];
    let (mut turned_q, mut turned_k) = (q.to_vec(), k.to_vec());
    let position = |angles: &'_ [f32], t: usize| angles[t * half..(t + 1) * half].to_vec();
    for t in 0..count {
        let (cos, sin) = (position(cos, t), position(sin, t));
        for turned in [&mut turned_q, &mut turned_k] {
            let width = turned.len() / count;
            steps::rotate(&mut turned[t * width..(t + 1) * width], head_dim, &cos, &sin);
        }
    }
    // Taken out of its place: only memory with one owner is written where it is.
    let (keys, values) = cache.take()?;
    let write = |to: Tensor<4>, from: &[f32]| -> Tensor<4> {
        let mut to = match to.try_into_primitive::<Flex>() {
            Ok(to) => to,
            Err(_) => unreachable!("the queries beside it are on the CPU"),
        };
        if !to.is_contiguous() {
            to = to.to_contiguous();
        }
        let all: &mut [f32] = to.storage_mut();
        for t in 0..count {
            for head in 0..kv_heads {
                let place = (head * capacity + past + t) * head_dim;
                let source = &from[(t * kv_heads + head) * head_dim..][..head_dim];
                all[place..place + head_dim].copy_from_slice(source);
            }
        }
        Tensor::from_primitive::<Flex>(to)
    };
    *cache = Some((write(keys, &turned_k), write(values, v)));
    Some(tensor(turned_q, shape))
}

/// Queries from which on burn's blocked products are the better way.
const MANY_QUERIES: usize = 9;

/// See [`crate::ops::attend`].
pub(crate) fn attend(
    q: &Tensor<4>,
    keys: &Tensor<4>,
    values: &Tensor<4>,
    spec: AttendSpec,
) -> Option<Tensor<4>> {
    let shape = q.dims();
    let [batch, count, heads, head_dim] = shape;
    let [_, kv_heads, capacity, _] = keys.dims();
    if count >= MANY_QUERIES
        || batch != 1
        || kv_heads == 0
        || heads % kv_heads != 0
        || spec.past + count > capacity
    {
        return None;
    }
    let (q, keys, values) = (plain(q)?, plain(keys)?, plain(values)?);
    let (q, keys, values): (&[f32], &[f32], &[f32]) = (q.as_slice()?, keys.as_slice()?, values.as_slice()?);
    let mut out = vec![0.0; q.len()];
    let shape_of_heads = Heads { heads, kv_heads, head_dim, capacity };
    dispatch(Attend { q, keys, values, shape: shape_of_heads, spec, out: &mut out });
    Some(tensor(out, shape))
}
