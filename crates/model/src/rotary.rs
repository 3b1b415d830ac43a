//! Rotary position embedding.

use std::cell::OnceCell;

use burn::tensor::{Device, Tensor, s};
use glassbox_kernels::ops::Turns;

use crate::ModelError;

/// A variant of rotary position embedding (Su et al., 2021).
#[derive(Debug, Clone, PartialEq)]
pub struct RotarySpec {
    /// Base of the wavelengths.
    pub theta: f32,
    /// How many components of a head turn: the first ones.
    pub dims: usize,
    /// Which components turn together.
    pub pairing: Pairing,
    /// How the wavelengths are stretched for longer contexts.
    pub scaling: Scaling,
    /// Cosines and sines are multiplied by this.
    pub attention_factor: f32,
}

/// Which components of a head turn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// `i` with `i + dims / 2` (GPT-NeoX; HF transformers' `rotate_half`).
    Halves,
    /// `2i` with `2i + 1` (GPT-J).
    Neighbours,
}

/// How wavelengths are stretched. Formulas as in HF transformers' `modeling_rope_utils.py`.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All by one factor (Chen et al., 2023).
    Linear {
        /// The factor.
        factor: f32,
    },
    /// The base grows with the sequence once it is longer than `original` ("dynamic NTK").
    Dynamic {
        /// How fast.
        factor: f32,
        /// Context of the training.
        original: usize,
    },
    /// Long wavelengths by a factor, short ones not, those between smoothly (Llama 3.1).
    Llama3 {
        /// The factor of long wavelengths.
        factor: f32,
        /// `original / low` is the shortest wavelength that counts as long.
        low: f32,
        /// `original / high` is the longest wavelength that counts as short.
        high: f32,
        /// Context of the training.
        original: usize,
    },
    /// By how often a component turns within the original context (Peng et al., 2023).
    Yarn {
        /// The factor of components that turn seldom.
        factor: f32,
        /// Turns from which on nothing is stretched.
        beta_fast: f32,
        /// Turns below which all is stretched.
        beta_slow: f32,
        /// Context of the training.
        original: usize,
        /// Whether the bounds between them are rounded to whole components.
        truncate: bool,
    },
    /// A factor for each pair of components, in two sets (LongRoPE, Ding et al., 2024).
    Factors {
        /// For sequences of at most `original` tokens.
        short: Vec<f32>,
        /// For longer ones.
        long: Vec<f32>,
        /// Context of the training.
        original: usize,
    },
}

impl RotarySpec {
    /// Halves paired, nothing stretched.
    pub fn plain(theta: f32, dims: usize) -> Self {
        Self { theta, dims, pairing: Pairing::Halves, scaling: Scaling::None, attention_factor: 1.0 }
    }

    /// What of a sequence's length its angles depend on: equal for lengths with equal angles.
    pub fn stage(&self, length: usize) -> usize {
        match &self.scaling {
            Scaling::Dynamic { original, .. } => length.max(*original),
            Scaling::Factors { original, .. } => usize::from(length > *original),
            _ => 0,
        }
    }

    /// Radians per position of each pair, `dims / 2` of them, in a sequence of `length` tokens.
    pub fn frequencies(&self, length: usize) -> Vec<f32> {
        let (half, dims, theta) = (self.dims / 2, self.dims as f64, f64::from(self.theta));
        let plain = |i: usize| theta.powf(-2.0 * i as f64 / dims);
        let each = |f: &dyn Fn(usize) -> f64| (0..half).map(|i| f(i) as f32).collect();
        match &self.scaling {
            Scaling::None => each(&plain),
            Scaling::Linear { factor } => each(&|i| plain(i) / f64::from(*factor)),
            Scaling::Dynamic { factor, original } => {
                let (factor, original) = (f64::from(*factor), *original as f64);
                let stretch = factor * (length as f64).max(original) / original - (factor - 1.0);
                let base = theta * stretch.powf(dims / (dims - 2.0));
                each(&|i| base.powf(-2.0 * i as f64 / dims))
            }
            Scaling::Llama3 { factor, low, high, original } => {
                let (factor, low, high) = (f64::from(*factor), f64::from(*low), f64::from(*high));
                each(&|i| {
                    let turns = *original as f64 * plain(i) / std::f64::consts::TAU;
                    let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - smooth) * plain(i) / factor + smooth * plain(i)
                })
            }
            Scaling::Yarn { factor, beta_fast, beta_slow, original, truncate } => {
                let component = |turns: f32| {
                    let ratio = *original as f64 / (f64::from(turns) * std::f64::consts::TAU);
                    dims * ratio.ln() / (2.0 * theta.ln())
                };
                let (low, high) = match truncate {
                    true => (component(*beta_fast).floor(), component(*beta_slow).ceil()),
                    false => (component(*beta_fast), component(*beta_slow)),
                };
                let (low, high) = (low.max(0.0), high.min(dims - 1.0));
                let width = if low == high { 0.001 } else { high - low };
                each(&|i| {
                    let stretched = ((i as f64 - low) / width).clamp(0.0, 1.0);
                    plain(i) * (stretched / f64::from(*factor) + 1.0 - stretched)
                })
            }
            Scaling::Factors { short, long, original } => {
                let factors = if length > *original { long } else { short };
                each(&|i| plain(i) / factors.get(i).map_or(1.0, |factor| f64::from(*factor)))
            }
        }
    }

    /// Refuses what cannot be.
    pub(crate) fn validate(&self, head_dim: usize) -> Result<(), ModelError> {
        let wrong = |key: &str, problem: String| Err(ModelError::Config { key: key.to_owned(), problem });
        if !(self.theta.is_finite() && self.theta > 0.0) {
            return wrong("rope_theta", format!("{} is not a positive number", self.theta));
        }
        if self.dims == 0 || !self.dims.is_multiple_of(2) || self.dims > head_dim {
            let problem = format!("{} of a head of {head_dim} is not possible", self.dims);
            return wrong("rotary dimensions", problem);
        }
        if let Scaling::Factors { short, long, .. } = &self.scaling {
            let half = self.dims / 2;
            if let Some(list) = [short, long].into_iter().find(|list| list.len() != half) {
                return wrong("rope factors", format!("{} factors for {half} pairs", list.len()));
            }
        }
        let finite = |length| self.frequencies(length).iter().all(|f| f.is_finite());
        if !(self.attention_factor.is_finite() && finite(1) && finite(1 << 20)) {
            return wrong("rope scaling", "its frequencies are not finite numbers".to_owned());
        }
        Ok(())
    }
}

/// Cosines and sines for the positions of one pass, shared by all blocks of a variant.
#[derive(Debug, Clone)]
pub struct Rotary {
    turns: Turns,
    /// Cosines and sines again, `[1, position, 1, dims / 2]` each, where no kernel takes them together.
    separate: OnceCell<(Tensor<4>, Tensor<4>)>,
    dims: usize,
    pairing: Pairing,
}

impl Rotary {
    /// Angles for `count` positions from `offset` on, in a sequence of `length` tokens.
    pub fn new(spec: &RotarySpec, offset: usize, count: usize, length: usize, device: &Device) -> Self {
        let turns = Turns::new(Self::angles(spec, offset, count, length), spec.dims / 2, offset, device);
        Self { turns, separate: OnceCell::new(), dims: spec.dims, pairing: spec.pairing }
    }

    /// Cosines `[position, dims / 2]` before sines for `count` positions from `offset` on, in a sequence of `length`
    /// tokens.
    pub fn angles(spec: &RotarySpec, offset: usize, count: usize, length: usize) -> Vec<f32> {
        let frequencies = spec.frequencies(length);
        let angles = |position: usize| frequencies.iter().map(move |frequency| position as f32 * frequency);
        let angles: Vec<f32> = (offset..offset + count).flat_map(angles).collect();
        let both = [f32::cos as fn(f32) -> f32, f32::sin];
        both.iter().flat_map(|f| angles.iter().map(|angle| f(*angle) * spec.attention_factor)).collect()
    }

    /// What kernels turn by.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// What kernels turn by, for components that turn with those half their number behind; none where neighbours
    /// turn together.
    pub fn halves(&self) -> Option<&Turns> {
        (self.pairing == Pairing::Halves).then_some(&self.turns)
    }

    fn separate(&self) -> &(Tensor<4>, Tensor<4>) {
        self.separate.get_or_init(|| {
            let angles = self.turns.angles();
            let [_, count, half] = angles.dims();
            let part = |i: usize| angles.clone().slice(s![i..i + 1, .., ..]).reshape([1, count, 1, half]);
            (part(0), part(1))
        })
    }

    /// Turns queries or keys `[batch, position, head, head_dim]`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let head_dim = x.dims()[3];
        let half = self.dims / 2;
        let (cos, sin) = self.separate();
        let part = |from: usize, to: usize| x.clone().slice(s![.., .., .., from..to]);
        let (first, second) = match self.pairing {
            Pairing::Halves => (part(0, half), part(half, self.dims)),
            Pairing::Neighbours => {
                let dims = self.dims as isize;
                let every_second = |from: isize| x.clone().slice(s![.., .., .., from..dims;2]);
                (every_second(0), every_second(1))
            }
        };
        let turned_first = first.clone() * cos.clone() - second.clone() * sin.clone();
        let turned_second = second * cos.clone() + first * sin.clone();
        let mut parts = match self.pairing {
            Pairing::Halves => vec![turned_first, turned_second],
            Pairing::Neighbours => {
                let [batch, positions, heads, _] = turned_first.dims();
                let pairs: Tensor<5> = Tensor::stack(vec![turned_first, turned_second], 4);
                vec![pairs.reshape([batch, positions, heads, self.dims])]
            }
        };
        if self.dims < head_dim {
            parts.push(part(self.dims, head_dim));
        }
        if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(parts, 3) }
    }
}
