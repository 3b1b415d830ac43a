//! Attention (Vaswani et al., 2017), with grouped heads, windows, ALiBi, soft-caps and norms of queries and keys.

use std::cell::{Cell, OnceCell};

use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use glassbox_kernels::ops::{self, AttendSpec, Turns};

use crate::{
    AttentionSpec, DecoderSpec, Hook, KvCache, Observation, Positions, QkNorm, Site,
    layers::{Linear, Norm, soft_cap},
    replay::StepInputs,
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
    /// nothing is masked. Made when they are asked for: kernels know what is masked without them.
    masks: Vec<(Option<usize>, OnceCell<Option<Tensor<4>>>)>,
    /// Turns of no component: the place alone, on the device.
    place: OnceCell<Turns>,
    /// Whether something was done by a way that takes the place from the host, so that it holds for no other.
    tied: Cell<bool>,
    past: usize,
    count: usize,
    /// Length of the key axis, of which `past + count` keys exist; the rest is padding.
    capacity: usize,
    device: Device,
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
        let rotaries = spec.rotaries().iter().map(rotary).collect();
        Self::with(spec, rotaries, [past, count, capacity], device)
    }

    /// The pass of one token whose place is in tensors, over a key axis of `capacity`.
    pub(crate) fn of_step(spec: &DecoderSpec, inputs: &StepInputs, capacity: usize, device: &Device) -> Self {
        let pass = Self::with(spec, inputs.rotaries.clone(), [inputs.place.past(), 1, capacity], device);
        let _ = pass.place.set(inputs.place.clone());
        pass
    }

    fn with(
        spec: &DecoderSpec,
        rotaries: Vec<Rotary>,
        [past, count, capacity]: [usize; 3],
        device: &Device,
    ) -> Self {
        let mut windows = Vec::new();
        for block in &spec.blocks {
            if !windows.contains(&block.window) {
                windows.push(block.window);
            }
        }
        Self {
            rotaries,
            masks: windows.into_iter().map(|window| (window, OnceCell::new())).collect(),
            place: OnceCell::new(),
            tied: Cell::new(false),
            past,
            count,
            capacity,
            device: device.clone(),
        }
    }

    /// Keys that exist.
    fn keys(&self) -> usize {
        self.past + self.count
    }

    /// Whether what was done in this pass holds for its place only, whatever its tensors say.
    pub(crate) fn is_tied(&self) -> bool {
        self.tied.get()
    }

    fn place(&self) -> &Turns {
        self.place.get_or_init(|| Turns::new(Vec::new(), 0, self.past, &self.device))
    }

    fn mask(&self, spec: &DecoderSpec, window: Option<usize>) -> Option<&Tensor<4>> {
        let (_, mask) = self.masks.iter().find(|(of, _)| *of == window)?;
        mask.get_or_init(|| self.new_mask(spec, window)).as_ref()
    }

    /// What is added to scores: nothing where a query may look, ALiBi's penalty, and far less than nothing elsewhere.
    fn new_mask(&self, spec: &DecoderSpec, window: Option<usize>) -> Option<Tensor<4>> {
        let Self { past, count, capacity, .. } = *self;
        let alibi = match &spec.positions {
            Positions::Alibi(alibi) => Some(alibi),
            _ => None,
        };
        let hides =
            count > 1 || past + count < capacity || window.is_some_and(|window| past + count > window);
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
        Some(Tensor::from_data(TensorData::new(values, [1, heads, count, capacity]), &self.device))
    }
}

impl Attention {
    /// From a block's normalised input `[batch, position, hidden]` to the heads' weighted sums of values, which the output
    /// projection takes, `[batch, position, head * head_dim]`.
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
        let q = qk_norm(attention.qk_norm, self.q_norm.as_ref(), q);
        let k = qk_norm(attention.qk_norm, self.k_norm.as_ref(), k);

        // 2. Turn by position, and add to keys and values of the positions so far.
        let rotary = block.rotary.and_then(|variant| pass.rotaries.get(variant));
        let cached = cache.is_some();
        let (q, keys, values) = turn_and_write(index, rotary, [q, k, v], pass, cache, observation);

        // 3. Weigh the values: [batch, position, head, head_dim].
        let unseen =
            !observation.touches(site(Hook::AttnScores)) && !observation.touches(site(Hook::Pattern));
        let in_one_step = match &spec.positions {
            Positions::Alibi(_) => None,
            _ if unseen && cached && ops::available(&pass.device) => {
                let AttentionSpec { scale, soft_cap: softcap, .. } = *attention;
                let spec = AttendSpec { past: pass.past, scale, window: block.window, softcap };
                ops::attend(&q, &keys, &values, pass.place().tensor(), spec)
            }
            _ => None,
        };
        let z = in_one_step.unwrap_or_else(|| mix(spec, index, [q, keys, values], pass, observation));
        let z = observation.at4(site(Hook::Z), z);
        z.reshape([batch, count, heads * head_dim])
    }
}

/// Turns queries and keys `[batch, position, head, head_dim]` by their positions and returns the queries, and keys and
/// values `[batch, kv_head, key, head_dim]` of all positions so far.
fn turn_and_write(
    index: usize,
    rotary: Option<&Rotary>,
    [mut q, mut k, v]: [Tensor<4>; 3],
    pass: &Pass,
    mut cache: Option<&mut KvCache>,
    observation: &mut Observation<'_>,
) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
    let site = |hook| Site::block(index, hook);
    let unseen = !observation.touches(site(Hook::RotQ)) && !observation.touches(site(Hook::RotK));
    if let (true, Some(cache), Some(turns)) = (unseen, &mut cache, rotary.and_then(Rotary::halves))
        && let Some(done) = cache.turn_and_write(index, [&q, &k, &v], turns)
    {
        return done;
    }
    if let Some(rotary) = rotary {
        q = observation.at4(site(Hook::RotQ), rotary.apply(q));
        k = observation.at4(site(Hook::RotK), rotary.apply(k));
    }
    if let Some(cache) = &mut cache
        && let Some(done) = cache.turn_and_write(index, [&q, &k, &v], pass.place())
    {
        return done;
    }
    pass.tied.set(true);
    let (k, v) = (k.swap_dims(1, 2), v.swap_dims(1, 2));
    let (keys, values) = match cache {
        Some(cache) => cache.write(index, k, v),
        None => (k, v),
    };
    (q, keys, values)
}

/// Values `[batch, kv_head, key, head_dim]`, summed for each query of `q` `[batch, position, head, head_dim]` by its weights:
/// `[batch, position, head, head_dim]`.
fn mix(
    spec: &DecoderSpec,
    index: usize,
    [q, keys, values]: [Tensor<4>; 3],
    pass: &Pass,
    observation: &mut Observation<'_>,
) -> Tensor<4> {
    let [batch, count, heads, head_dim] = q.dims();
    let [_, kv_heads, capacity, _] = keys.dims();
    let site = |hook| Site::block(index, hook);
    pass.tied.set(true);

    // 1. Scores [batch, head, query, key]. Query heads that share a key head are rows of one product.
    let grouped = [batch, kv_heads, spec.group() * count, head_dim];
    let scores = q.swap_dims(1, 2).reshape(grouped).matmul(keys.swap_dims(2, 3));
    let scores = scores.reshape([batch, heads, count, capacity]).mul_scalar(spec.attention.scale);
    let scores = match spec.attention.soft_cap {
        Some(cap) => soft_cap(scores, cap),
        None => scores,
    };
    let scores = match pass.mask(spec, spec.blocks[index].window) {
        Some(mask) => scores + mask.clone(),
        None => scores,
    };
    let scores = at_keys(site(Hook::AttnScores), scores, pass, observation);

    // 2. Each row sums to 1.
    let pattern = at_keys(site(Hook::Pattern), softmax(scores, 3), pass, observation);

    // 3. Weighted sum of values.
    let rows = pattern.reshape([batch, kv_heads, spec.group() * count, capacity]);
    rows.matmul(values).reshape([batch, heads, count, head_dim]).swap_dims(1, 2)
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
    let used = [0..batch, 0..heads, 0..count, 0..pass.keys()];
    let seen = observation.at4(site, tensor.clone().slice(used.clone()));
    if pass.keys() == capacity { seen } else { tensor.slice_assign(used, seen) }
}
