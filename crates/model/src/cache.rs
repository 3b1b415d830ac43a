//! The KV cache: what blocks have of the positions so far.

use burn::tensor::{Device, Tensor};
use glassbox_kernels::ops::{self, Turns};

use crate::{DecoderSpec, Mixer};

/// Positions are added in steps, so that shapes (and with them compiled shaders) repeat.
const STEP: usize = 64;

/// Keys (rotated) and values of all positions so far, per block; of a block with a convolution, what went into it.
///
/// A convolution would need its last few inputs only. All are kept, so that a run can start again anywhere
/// ([`Self::truncate`]), as it can with keys and values.
#[derive(Debug, Clone)]
pub struct KvCache {
    /// `[batch, kv_head, capacity, head_dim]` each
    blocks: Vec<Option<(Tensor<4>, Tensor<4>)>>,
    /// `[batch, 1, reach + capacity, hidden]`: behind `reach` rows of zeros, which stand for what is before the first
    /// position
    inputs: Vec<Option<Tensor<4>>>,
    /// How many positions back a convolution looks.
    reach: usize,
    len: usize,
    capacity: usize,
    expected: usize,
}

impl KvCache {
    /// An empty cache for `batch` sequences.
    pub fn new(spec: &DecoderSpec, batch: usize, device: &Device) -> Self {
        let reach = spec.convolution.map_or(0, |table| table.width - 1);
        let zeros = || Tensor::zeros([batch, spec.kv_heads, STEP, spec.head_dim], device);
        let rows = || Tensor::zeros([batch, 1, reach + STEP, spec.hidden], device);
        let attends = |mixer| mixer == Mixer::Attention;
        Self {
            blocks: spec.blocks.iter().map(|b| attends(b.mixer).then(|| (zeros(), zeros()))).collect(),
            inputs: spec.blocks.iter().map(|b| (!attends(b.mixer)).then(rows)).collect(),
            reach,
            len: 0,
            capacity: STEP,
            expected: 0,
        }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Says how long the sequence will be that comes in chunks: some rotary variants turn all of its
    /// positions by that ([`DecoderSpec::turns_anew`]).
    pub fn expect(&mut self, length: usize) {
        self.expected = length;
    }

    /// How long the sequence will be at least, as far as was said.
    pub fn expected(&self) -> usize {
        self.expected
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions that fit: the length of the key axis during attention.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes room for `count` more positions, doubling so that copying stays linear overall.
    pub(crate) fn reserve(&mut self, count: usize, context: usize) {
        let needed = self.len + count;
        if needed <= self.capacity {
            return;
        }
        let doubled = (self.capacity * 2).min(context.next_multiple_of(STEP));
        let capacity = needed.next_multiple_of(STEP).max(doubled);
        let len = self.len;
        let grown = |old: Tensor<4>, before: usize| {
            let [batch, heads, _, head_dim] = old.dims();
            let new = Tensor::zeros([batch, heads, before + capacity, head_dim], &old.device());
            let used = [0..batch, 0..heads, 0..before + len, 0..head_dim];
            if len == 0 { new } else { new.slice_assign(used.clone(), old.slice(used)) }
        };
        for block in &mut self.blocks {
            *block = block.take().map(|(keys, values)| (grown(keys, 0), grown(values, 0)));
        }
        for block in &mut self.inputs {
            *block = block.take().map(|rows| grown(rows, self.reach));
        }
        self.capacity = capacity;
    }

    /// Writes a block's new keys and values `[batch, kv_head, position, head_dim]` behind the others and
    /// returns all of them `[batch, kv_head, capacity, head_dim]`; what lies beyond is to be masked.
    pub(crate) fn write(
        &mut self,
        block: usize,
        keys: Tensor<4>,
        values: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [batch, heads, count, head_dim] = keys.dims();
        let target = [0..batch, 0..heads, self.len..self.len + count, 0..head_dim];
        // Taken out of the list first: only a tensor with one owner is written in place.
        let written = match self.blocks[block].take() {
            Some((all_keys, all_values)) => {
                (all_keys.slice_assign(target.clone(), keys), all_values.slice_assign(target, values))
            }
            None => (keys, values),
        };
        self.blocks[block] = Some(written.clone());
        written
    }

    /// Writes what goes into a block's convolution `[batch, position, hidden]` behind the others and returns it with the
    /// positions before it that the convolution reaches, `[batch, reach + position, hidden]`.
    pub(crate) fn write_inputs(&mut self, block: usize, inputs: Tensor<3>) -> Tensor<3> {
        let [batch, count, hidden] = inputs.dims();
        let first = self.reach + self.len;
        let inputs = inputs.unsqueeze_dim::<4>(1);
        let written = match self.inputs[block].take() {
            Some(rows) => rows.slice_assign([0..batch, 0..1, first..first + count, 0..hidden], inputs),
            None => inputs,
        };
        self.inputs[block] = Some(written.clone());
        written.slice_dim(2, self.len..first + count).squeeze_dim(1)
    }

    /// Turns queries `[batch, position, head, head_dim]` and keys `[batch, position, kv_head, head_dim]` by their
    /// positions, and writes keys and values behind a block's others: in one step, where there is a kernel for it.
    /// Returns queries, and all keys and values as [`Self::write`] does.
    pub(crate) fn turn_and_write(
        &mut self,
        block: usize,
        [q, k, v]: [&Tensor<4>; 3],
        turns: &Turns,
    ) -> Option<(Tensor<4>, Tensor<4>, Tensor<4>)> {
        debug_assert_eq!(turns.past(), self.len, "turned and written at one place");
        let cached = &mut self.blocks[block];
        let turned = ops::rotate_and_write(q, k, v, turns, cached)?;
        let (keys, values) = cached.clone()?;
        Some((turned, keys, values))
    }

    /// Counts positions that every block has written, now or before [`Self::truncate`].
    pub fn advance(&mut self, count: usize) {
        self.len = (self.len + count).min(self.capacity);
    }

    /// Goes back to the first `len` positions. What blocks hold beyond stays until it is written over,
    /// so that blocks which nothing has changed need not run again.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Bytes of all of it.
    pub fn bytes(&self) -> u64 {
        let size = |tensor: &Tensor<4>| 4 * tensor.dims().iter().map(|size| *size as u64).product::<u64>();
        let keys_and_values = self.blocks.iter().flatten().flat_map(|(keys, values)| [keys, values]);
        keys_and_values.chain(self.inputs.iter().flatten()).map(size).sum()
    }
}
