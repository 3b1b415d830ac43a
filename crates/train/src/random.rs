//! Random numbers that depend on the seed, a purpose and a number alone.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// A stream of its own for each purpose and number.
pub fn stream(seed: u64, purpose: &str, number: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&number.to_le_bytes());
    for (place, byte) in key[16..].iter_mut().zip(purpose.bytes()) {
        *place = byte;
    }
    ChaCha8Rng::from_seed(key)
}

/// A number below `bound` (which is above 0), without bias: by rejection.
pub fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let word = rng.next_u64();
        if word < limit {
            return word % bound;
        }
    }
}

/// The numbers below `count` in random order (Fisher and Yates).
pub fn permutation(count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, below(rng, last as u64 + 1) as usize);
    }
    order
}

/// A number from the normal distribution of mean 0 and deviation 1 (Box and Muller).
pub fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let uniform = |rng: &mut ChaCha8Rng| (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (radius, angle) = (1.0 - uniform(rng), uniform(rng));
    ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}
