//! Attention (Vaswani et al., 2017), with grouped heads, windows, ALiBi, soft-caps and norms of queries and keys.

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use glassbox_kernels::{
    device::{Kind, kind},
    ops::{self, AttendSpec},
};

use crate::{
    DecoderSpec, Hook, KvCache, Observation, Positions, QkNorm, Site,
    layers::{Linear, Norm, soft_cap},
    rotary::Rotary,
};

/// Added to masked scores: finite, since shaders may assume that infinities do not occur, and far
/// below any score, so that its softmax weight is exactly 0.
pub(crate) const MASKED: f32 = -1e30;

/// A block's attention weights.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    pub q: Linear,
    pub k: Linear,
    pub v: Linear,
    pub o: Linear,
    pub q_norm: Option<Norm>,
    pub k_norm: Option<Norm>,
}

/// What all blocks of one pass share.
pub struct Pass {
    /// One for each of the spec's variants.
    rotaries: Vec<Rotary>,
    /// `[1, 1 or head, query, key]`, added to the scores, for each window that some block has; none where
    /// nothing is masked.
    masks: Vec<(Option<usize>, Option<Tensor<4>>)>,
    /// Keys that exist; the rest of the key axis is padding.
    keys: usize,
}

impl Pass {
    /// A pass of `count` tokens behind `past` others, in a sequence that will have `length` tokens, over a
    /// key axis of `capacity`.
    pub(crate) fn new(
        spec: &DecoderSpec,
        past: usize,
        count: usize,
        length: usize,
        capacity: usize,
        device: &Device,
    ) -> Self {
        let rotary = |variant| Rotary::new(variant, past, count, length, device);
        let mut windows: Vec<_> = spec.blocks.iter().map(|block| block.window).collect();
        windows.sort_unstable();
        windows.dedup();
        let mask = |window| (window, mask(spec, window, past, count, capacity, device));
        Self {
            rotaries: spec.rotaries().iter().map(rotary).collect(),
            masks: windows.into_iter().map(mask).collect(),
            keys: past + count,
        }
    }

    fn mask(&self, window: Option<usize>) -> Option<&Tensor<4>> {
        self.masks.iter().find(|(of, _)| *of == window).and_then(|(_, mask)| mask.as_ref())
    }
}

/// What is added to scores: nothing where a query may look, ALiBi's penalty, and far less than nothing elsewhere.
fn mask(
    spec: &DecoderSpec,
    window: Option<usize>,
    past: usize,
    count: usize,
    capacity: usize,
    device: &Device,
) -> Option<Tensor<4>> {
    let alibi = match &spec.positions {
        Positions::Alibi(alibi) => Some(alibi),
        _ => None,
    };
    let hides = count > 1 || past + count < capacity || window.is_some_and(|window| past + count > window);
    if !hides && alibi.is_none() {
        return None;
    }
    let heads = alibi.map_or(1, |alibi| alibi.slopes.len());
    let mut values = Vec::with_capacity(heads * count * capacity);
    for head in 0..heads {
        for query in past..past + count {
            let seen = |key: usize| key <= query && window.is_none_or(|window| query - key < window);
            let penalty = |key: usize| alibi.map_or(0.0, |alibi| alibi.penalty(head, query, key));
            values.extend((0..capacity).map(|key| if seen(key) { penalty(key) } else { MASKED }));
        }
    }
    Some(Tensor::from_data(TensorData::new(values, [1, heads, count, capacity]), device))
}

impl Attention {
    /// From a block's normalised input `[batch, position, hidden]` to the output projection's result.
    pub fn forward(
        &self,
        spec: &DecoderSpec,
        index: usize,
        x: Tensor<3>,
        pass: &Pass,
        cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let DecoderSpec { heads, kv_heads, head_dim, .. } = *spec;
        let [batch, count, _] = x.dims();
        let site = |hook| Site::block(index, hook);
        let (block, attention) = (&spec.blocks[index], &spec.attention);

        // 1. Project: [batch, position, head, head_dim].
        let project = |linear: &Linear, x: Tensor<3>, heads: usize| {
            let y = linear.forward(x).reshape([batch, count, heads, head_dim]);
            match attention.clip {
                Some(most) => y.clamp(-most, most),
                None => y,
            }
        };
        let q = observation.at4(site(Hook::Q), project(&self.q, x.clone(), heads));
        let k = observation.at4(site(Hook::K), project(&self.k, x.clone(), kv_heads));
        let v = observation.at4(site(Hook::V), project(&self.v, x, kv_heads));
        let mut q = qk_norm(attention.qk_norm, self.q_norm.as_ref(), q);
        let mut k = qk_norm(attention.qk_norm, self.k_norm.as_ref(), k);

        // 2. Turn by position.
        if let Some(rotary) = block.rotary.and_then(|variant| pass.rotaries.get(variant)) {
            q = observation.at4(site(Hook::RotQ), rotary.apply(q));
            k = observation.at4(site(Hook::RotK), rotary.apply(k));
        }

        // 3. Heads outermost; keys and values of all positions so far.
        let (k, v) = (k.swap_dims(1, 2), v.swap_dims(1, 2));
        let cached = cache.is_some();
        let (k, v) = match cache {
            Some(cache) => cache.write(index, k, v),
            None => (k, v),
        };
        let seen = [Hook::AttnScores, Hook::Pattern].map(site).iter().any(|site| observation.touches(*site));
        if let Some(z) = (cached && !seen).then(|| unseen(spec, index, &q, &k, &v, pass)).flatten() {
            let z = observation.at4(site(Hook::Z), z);
            return self.o.forward(z.reshape([batch, count, heads * head_dim]));
        }
        let (q, keys) = (q.swap_dims(1, 2), k.dims()[2]);

        // 4. Scores [batch, head, query, key]. Query heads that share a key head are rows of one product.
        let grouped = [batch, kv_heads, spec.group() * count, head_dim];
        let scores = q.reshape(grouped).matmul(k.swap_dims(2, 3)).reshape([batch, heads, count, keys]);
        let scores = scores.mul_scalar(attention.scale);
        let scores = match attention.soft_cap {
            Some(cap) => soft_cap(scores, cap),
            None => scores,
        };
        let scores = match pass.mask(block.window) {
            Some(mask) => scores + mask.clone(),
            None => scores,
        };
        let scores = at_keys(site(Hook::AttnScores), scores, pass, observation);

        // 5. Each row sums to 1.
        let pattern = at_keys(site(Hook::Pattern), softmax(scores, 3), pass, observation);

        // 6. Weighted sum of values, back to [batch, position, head, head_dim].
        let rows = pattern.reshape([batch, kv_heads, spec.group() * count, keys]);
        let z = rows.matmul(v).reshape([batch, heads, count, head_dim]).swap_dims(1, 2);
        let z = observation.at4(site(Hook::Z), z);
        self.o.forward(z.reshape([batch, count, heads * head_dim]))
    }
}

/// Attention whose scores nobody asked for, by one kernel of the CPU where there is one for it: few
/// queries over a cache. Queries and result are `[1, position, head, head_dim]`.
fn unseen(
    spec: &DecoderSpec,
    index: usize,
    q: &Tensor<4>,
    keys: &Tensor<4>,
    values: &Tensor<4>,
    pass: &Pass,
) -> Option<Tensor<4>> {
    if kind(&q.device()) != Kind::Cpu || matches!(spec.positions, Positions::Alibi(_)) {
        return None;
    }
    let attention = &spec.attention;
    let spec = AttendSpec {
        past: pass.keys - q.dims()[1],
        scale: attention.scale,
        window: spec.blocks[index].window,
        softcap: attention.soft_cap,
    };
    ops::attend(q, keys, values, spec)
}

/// Normalises queries or keys `[batch, position, head, head_dim]`.
fn qk_norm(kind: Option<QkNorm>, norm: Option<&Norm>, x: Tensor<4>) -> Tensor<4> {
    let (Some(kind), Some(norm)) = (kind, norm) else { return x };
    let [batch, count, heads, head_dim] = x.dims();
    let shape = [batch, count, heads * head_dim];
    match kind {
        QkNorm::Head => norm.forward(x),
        QkNorm::OwnHead => {
            norm.scale(norm.normalise(x).reshape(shape)).reshape([batch, count, heads, head_dim])
        }
        QkNorm::Width => norm.forward(x.reshape(shape)).reshape([batch, count, heads, head_dim]),
    }
}

/// Observes a `[batch, head, query, key]` tensor without the padding of its key axis.
fn at_keys(site: Site, tensor: Tensor<4>, pass: &Pass, observation: &mut Observation<'_>) -> Tensor<4> {
    let [batch, heads, count, capacity] = tensor.dims();
    if !observation.touches(site) {
        return tensor;
    }
    let used = [0..batch, 0..heads, 0..count, 0..pass.keys];
    let seen = observation.at4(site, tensor.clone().slice(used.clone()));
    if pass.keys == capacity { seen } else { tensor.slice_assign(used, seen) }
}
