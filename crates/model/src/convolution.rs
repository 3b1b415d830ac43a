//! Gated short convolution, which some blocks have in the place of attention (LFM2, Liquid AI, 2025).
//!
//! Reference: HF transformers, `Lfm2ShortConv`.

use burn::tensor::Tensor;

use crate::{BlockSpec, DecoderSpec, Hook, KvCache, Mixer, ModelError, Observation, Site, layers::Linear};

/// The convolutions of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionSpec {
    /// How many positions an output depends on, its own included (`conv_L_cache`).
    pub width: usize,
    /// Whether projections and convolution add biases.
    pub bias: bool,
}

impl ConvolutionSpec {
    pub(crate) fn validate(self) -> Result<(), ModelError> {
        match self.width {
            1..=MAX_WIDTH => Ok(()),
            width => Err(ModelError::Config {
                key: "conv_L_cache".to_owned(),
                problem: format!("{width} is not between 1 and {MAX_WIDTH}"),
            }),
        }
    }
}

impl DecoderSpec {
    /// The same with convolutions in the place of attention in the blocks that `convolves` picks.
    pub fn with_convolutions(mut self, table: ConvolutionSpec, convolves: impl Fn(usize) -> bool) -> Self {
        self.convolution = Some(table);
        for (_, block) in self.blocks.iter_mut().enumerate().filter(|(index, _)| convolves(*index)) {
            *block = BlockSpec { mixer: Mixer::Convolution, window: None, rotary: None, ..*block };
        }
        self
    }
}

/// Each position of the width is an operation of its own: those that exist have 3.
const MAX_WIDTH: usize = 64;

/// A block's convolution.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    /// To the gate before, the gate behind and the values, one below the other `[3 * hidden, hidden]`.
    pub input: Linear,
    /// What the inputs of each position in reach are multiplied with, the oldest first `[hidden]`.
    pub taps: Vec<Tensor<1>>,
    /// `[hidden]`
    pub bias: Option<Tensor<1>>,
    pub output: Linear,
}

impl Convolution {
    /// From a block's normalised input `[batch, position, hidden]` to what the output projection takes, of the same shape.
    pub fn forward(
        &self,
        index: usize,
        x: Tensor<3>,
        cache: Option<&mut KvCache>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let [_, count, hidden] = x.dims();
        let site = |hook| Site::block(index, hook);

        // 1. Project, and let the first gate choose what goes in.
        let projected = self.input.forward(x);
        let part = |number: usize| projected.clone().slice_dim(2, number * hidden..(number + 1) * hidden);
        let (before, behind, values) = (part(0), part(1), part(2));
        let inputs = observation.at3(site(Hook::ConvIn), before * values);

        // 2. Each component is a weighted sum of its own last values: [batch, width - 1 + position, hidden] in reach.
        let in_reach = match cache {
            Some(cache) => cache.write_inputs(index, inputs),
            None => padded(inputs, self.taps.len() - 1),
        };
        let tap = |(offset, tap): (usize, &Tensor<1>)| {
            in_reach.clone().slice_dim(1, offset..offset + count) * tap.clone().unsqueeze()
        };
        let sum =
            self.taps.iter().enumerate().map(tap).reduce(|sum, term| sum + term).unwrap_or(in_reach.clone());
        let sum = match &self.bias {
            Some(bias) => sum + bias.clone().unsqueeze(),
            None => sum,
        };

        // 3. The second gate chooses what comes out.
        observation.at3(site(Hook::ConvOut), behind * sum)
    }
}

/// The same with `count` positions of zeros in front.
fn padded(inputs: Tensor<3>, count: usize) -> Tensor<3> {
    let [batch, _, hidden] = inputs.dims();
    match count {
        0 => inputs,
        count => Tensor::cat(vec![Tensor::zeros([batch, count, hidden], &inputs.device()), inputs], 1),
    }
}
