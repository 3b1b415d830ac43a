//! ALiBi: attention with linear biases (Press et al., 2022).

/// The slopes of ALiBi.
#[derive(Debug, Clone, PartialEq)]
pub struct AlibiSpec {
    /// Taken from a score for each position of distance; one per head.
    pub slopes: Vec<f32>,
    /// What penalties are multiplied by.
    pub factor: f32,
    /// Whether slopes, and slopes times positions, are rounded to BF16 (as HF transformers does for Falcon).
    pub rounded: bool,
}

impl AlibiSpec {
    /// Slopes of a geometric series from `2^(-max_bias / heads)` on. Where `heads` is no power of two, every
    /// second slope of the series for twice as many heads fills up, as in the paper's own code.
    pub fn new(heads: usize, max_bias: f32) -> Self {
        let whole = 1usize << heads.max(1).ilog2();
        let slope = |step: f32, of: usize| (-max_bias * step / of as f32).exp2();
        let first = (0..whole).map(|head| slope((head + 1) as f32, whole));
        let rest = (0..heads.saturating_sub(whole)).map(|head| slope((2 * head + 1) as f32, 2 * whole));
        Self { slopes: first.chain(rest).collect(), factor: 1.0, rounded: false }
    }
}

impl AlibiSpec {
    /// What is added to a head's score of a key at or before the query.
    pub(crate) fn penalty(&self, head: usize, query: usize, key: usize) -> f32 {
        let slope = self.slopes.get(head).copied().unwrap_or(0.0);
        let distance = match self.rounded {
            true => {
                let at = |position: usize| bf16(bf16(slope) * bf16(position as f32));
                at(query) - at(key)
            }
            false => slope * (query - key) as f32,
        };
        -self.factor * distance
    }
}

/// The nearest BF16, ties to even.
fn bf16(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits.wrapping_add(0x7fff + (bits >> 16 & 1))) & 0xffff_0000)
}
