//! Where tokens stand in a row of logits.

use std::cmp::Ordering;

use glassbox_formats::order;

/// Where a token stands in a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Token id.
    pub id: u32,
    /// Logit.
    pub logit: f32,
    /// Probability.
    pub probability: f32,
    /// Rank; 1 is the most probable, ties by id.
    pub rank: u32,
}

/// A row of logits with what its softmax needs.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// `[vocab]`
    pub logits: &'a [f32],
    /// Natural logarithm of the sum of exponentials.
    pub log_sum: f64,
}

impl<'a> Row<'a> {
    /// Sums the row, in f64.
    pub fn new(logits: &'a [f32]) -> Self {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from((logit - most).exp())).sum();
        Self { logits, log_sum: f64::from(most) + sum.ln() }
    }

    /// Natural logarithm of a token's probability.
    pub fn logprob(&self, id: u32) -> f64 {
        f64::from(self.logits[id as usize]) - self.log_sum
    }

    /// A token's probability.
    pub fn probability(&self, id: u32) -> f32 {
        self.logprob(id).exp() as f32
    }

    /// A token's rank: 1 is the most probable; of equals the smaller id comes first.
    pub fn rank(&self, id: u32) -> u32 {
        let own = self.logits[id as usize];
        let (before, behind) = self.logits.split_at(id as usize);
        let above = before.iter().filter(|logit| **logit >= own).count();
        1 + (above + behind.iter().filter(|logit| **logit > own).count()) as u32
    }

    /// Where a token stands.
    pub fn standing(&self, id: u32) -> Standing {
        Standing {
            id,
            logit: self.logits[id as usize],
            probability: self.probability(id),
            rank: self.rank(id),
        }
    }

    /// Entropy in bits.
    pub fn entropy(&self) -> f32 {
        let mean: f64 = self
            .logits
            .iter()
            .map(|logit| {
                let logprob = f64::from(*logit) - self.log_sum;
                f64::from((logprob as f32).exp()) * logprob
            })
            .sum();
        (-mean / std::f64::consts::LN_2) as f32
    }

    /// The `n` most probable tokens, best first; ties by id.
    pub fn top(&self, n: usize) -> Vec<Standing> {
        let standing = |(index, id): (usize, u32)| Standing {
            id,
            logit: self.logits[id as usize],
            probability: self.probability(id),
            rank: index as u32 + 1,
        };
        largest(self.logits, n).into_iter().enumerate().map(standing).collect()
    }

    /// `KL(self || other)` in bits (Kullback & Leibler, 1951).
    pub fn divergence(&self, other: &Row<'_>) -> f32 {
        let nats: f64 = self
            .logits
            .iter()
            .zip(other.logits)
            .map(|(a, b)| {
                let (p, q) = (f64::from(*a) - self.log_sum, f64::from(*b) - other.log_sum);
                f64::from((p as f32).exp()) * (p - q)
            })
            .sum();
        // Rounding may leave it a little below zero.
        (nats / std::f64::consts::LN_2).max(0.0) as f32
    }
}

/// Of so many the largest are found in one pass, and more than that by putting all in order.
pub const FEW: usize = 128;

/// Indices of the `n` largest values, largest first; ties by index.
pub fn largest(values: &[f32], n: usize) -> Vec<u32> {
    if n <= FEW {
        return few(values, n);
    }
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    descending(values, &mut order);
    order.truncate(n);
    order
}

fn few(values: &[f32], n: usize) -> Vec<u32> {
    let mut best: Vec<u32> = Vec::with_capacity(n + 1);
    for (index, value) in (0..).zip(values) {
        if best.len() == n {
            // Nearly all of a vocabulary ends here.
            if best.last().is_none_or(|last| *value < values[*last as usize]) {
                continue;
            }
        }
        let place = best.partition_point(|other| before(values, *other, index).is_lt());
        best.insert(place, index);
        best.truncate(n);
    }
    best
}

/// Puts indices of values in order, largest first; ties by index.
pub fn descending(values: &[f32], indices: &mut [u32]) {
    order::sort_by(indices, |a, b| before(values, *a, *b));
}

fn before(values: &[f32], a: u32, b: u32) -> Ordering {
    values[b as usize].total_cmp(&values[a as usize]).then(a.cmp(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_ties_by_id() {
        let logits = [1.0, 3.0, 3.0, -2.0];
        let row = Row::new(&logits);
        assert_eq!([0, 1, 2, 3].map(|id| row.rank(id)), [3, 1, 2, 4]);
        assert_eq!(row.top(3).iter().map(|s| s.id).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn a_few_are_the_first_of_all_in_order() {
        let values: Vec<f32> =
            (0..500u32).map(|i| [f32::NEG_INFINITY, 0.0, (i * 7919 % 97) as f32][i as usize % 3]).collect();
        let all = largest(&values, values.len());
        assert!(all.windows(2).all(|pair| before(&values, pair[0], pair[1]).is_lt()));
        for n in [0, 1, 2, 40, FEW, FEW + 1, 499, 600] {
            assert_eq!(largest(&values, n), all[..n.min(500)], "{n}");
        }
    }

    #[test]
    fn entropy_and_divergence_of_known_distributions() {
        let (even, other) = ([0.0f32; 8], [2.0f32.ln(), 0.0]);
        assert!((Row::new(&even).entropy() - 3.0).abs() < 1e-6);
        let (p, q) = (Row::new(&even[..2]), Row::new(&other));
        // KL((1/2, 1/2) || (2/3, 1/3)) = log2(1/2) - (log2(2/3) + log2(1/3)) / 2
        let expected = -1.0 - ((2.0f32 / 3.0).log2() + (1.0f32 / 3.0).log2()) / 2.0;
        assert!((p.divergence(&q) - expected).abs() < 1e-6);
        assert_eq!(p.divergence(&p), 0.0);
    }
}
