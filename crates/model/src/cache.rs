//! The KV cache.

use burn::tensor::{Device, Tensor};
use glassbox_kernels::ops;

use crate::DecoderSpec;

/// Positions are added in steps, so that shapes (and with them compiled shaders) repeat.
const STEP: usize = 64;

/// Keys (rotated) and values of all positions so far, per block.
#[derive(Debug, Clone)]
pub struct KvCache {
    /// `[batch, kv_head, capacity, head_dim]` each
    blocks: Vec<Option<(Tensor<4>, Tensor<4>)>>,
    len: usize,
    capacity: usize,
    expected: usize,
}

impl KvCache {
    /// An empty cache for `batch` sequences.
    pub fn new(spec: &DecoderSpec, batch: usize, device: &Device) -> Self {
        let zeros = || Tensor::zeros([batch, spec.kv_heads, STEP, spec.head_dim], device);
        let blocks = (0..spec.layers).map(|_| Some((zeros(), zeros()))).collect();
        Self { blocks, len: 0, capacity: STEP, expected: 0 }
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
        let grown = |old: Tensor<4>| {
            let [batch, heads, _, head_dim] = old.dims();
            let new = Tensor::zeros([batch, heads, capacity, head_dim], &old.device());
            let used = [0..batch, 0..heads, 0..len, 0..head_dim];
            if len == 0 { new } else { new.slice_assign(used.clone(), old.slice(used)) }
        };
        for block in &mut self.blocks {
            *block = block.take().map(|(keys, values)| (grown(keys), grown(values)));
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

    /// Turns queries `[batch, position, head, head_dim]` and keys `[batch, position, kv_head, head_dim]` by their
    /// positions (`angles` as in [`ops::rotate_and_write`]), and writes keys and values behind a block's others: in one
    /// step, where there is a kernel for it. Returns queries, and all keys and values as [`Self::write`] does.
    pub(crate) fn turn_and_write(
        &mut self,
        block: usize,
        [q, k, v]: [&Tensor<4>; 3],
        angles: &Tensor<3>,
    ) -> Option<(Tensor<4>, Tensor<4>, Tensor<4>)> {
        let cached = &mut self.blocks[block];
        let turned = ops::rotate_and_write(q, k, v, angles, cached, self.len)?;
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

    /// Bytes of the keys and values.
    pub fn bytes(&self) -> u64 {
        let size = |tensor: &Tensor<4>| 4 * tensor.dims().iter().map(|size| *size as u64).product::<u64>();
        self.blocks.iter().flatten().map(|(keys, values)| size(keys) + size(values)).sum()
    }
}
