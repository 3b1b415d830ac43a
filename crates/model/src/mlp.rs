//! The MLP: plain, gated, or a mixture of experts.

use burn::tensor::{Int, Tensor, TensorData, activation::softmax};

use crate::{Activation, ExpertsSpec, Hook, Observation, Site, layers::Linear};

/// A block's MLP.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one for each block, and mostly the larger one")]
pub(crate) enum Mlp {
    /// One for all tokens.
    Dense(FeedForward),
    /// A few of many for each token.
    Experts(Experts),
}

/// Two projections with a non-linearity between them, or three where one gates.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward {
    pub gate: Option<Linear>,
    pub up: Linear,
    pub down: Linear,
}

/// A mixture of experts.
#[derive(Debug, Clone)]
pub(crate) struct Experts {
    /// Scores for each expert `[count, hidden]`.
    pub router: Linear,
    pub experts: Vec<FeedForward>,
}

impl FeedForward {
    /// From `[batch, position, hidden]` to what the down projection takes, `[batch, position, intermediate]`.
    pub fn hidden(
        &self,
        activation: Activation,
        index: usize,
        x: Tensor<3>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let site = |hook| Site::block(index, hook);
        let Some(gate) = &self.gate else {
            let pre = observation.at3(site(Hook::MlpPre), self.up.forward(x));
            return observation.at3(site(Hook::MlpPost), activation.forward(pre));
        };
        let pre = observation.at3(site(Hook::MlpPre), gate.forward(x.clone()));
        let unseen = !observation.touches(site(Hook::MlpPreLinear));
        let in_one_step = activation.gate().filter(|_| unseen).and_then(|gate| self.up.gated(&x, &pre, gate));
        let hidden = in_one_step.unwrap_or_else(|| {
            let linear = observation.at3(site(Hook::MlpPreLinear), self.up.forward(x));
            activation.forward(pre) * linear
        });
        observation.at3(site(Hook::MlpPost), hidden)
    }

    /// The whole MLP for rows `[row, hidden]`, without sites.
    fn forward_rows(&self, activation: Activation, x: Tensor<2>) -> Tensor<2> {
        let up = self.up.forward_rows(x.clone());
        let hidden = match &self.gate {
            Some(gate) => activation.forward(gate.forward_rows(x)) * up,
            None => activation.forward(up),
        };
        self.down.forward_rows(hidden)
    }
}

impl Experts {
    /// `[batch, position, hidden]` to the same.
    pub fn forward(
        &self,
        table: &ExpertsSpec,
        activation: Activation,
        index: usize,
        x: Tensor<3>,
        observation: &mut Observation<'_>,
    ) -> Tensor<3> {
        let [batch, count, hidden] = x.dims();
        // 1. Who takes which token, and with what weight: [batch, position, expert].
        let scores = observation.at3(Site::block(index, Hook::RouterScores), self.router.forward(x.clone()));
        let weights = expert_weights(table, scores);
        let weights = observation.at3(Site::block(index, Hook::ExpertWeights), weights);

        // 2. Each expert over its tokens.
        let rows = x.reshape([batch * count, hidden]);
        let weights = weights.reshape([batch * count, table.count]);
        let chosen = glassbox_kernels::device::host_values(&weights);
        let mut out = rows.zeros_like();
        for (number, expert) in self.experts.iter().enumerate() {
            let weight = weights.clone().slice([0..batch * count, number..number + 1]);
            let Some(chosen) = &chosen else {
                // Where reading back would wait (a GPU) or break the record (autodiff), all experts run.
                out = out + expert.forward_rows(activation, rows.clone()) * weight;
                continue;
            };
            let takes = |row: &usize| chosen[row * table.count + number] != 0.0;
            let tokens: Vec<i32> = (0..batch * count).filter(takes).map(|row| row as i32).collect();
            if tokens.is_empty() {
                continue;
            }
            let data = TensorData::new(tokens.clone(), [tokens.len()]);
            let tokens = Tensor::<1, Int>::from_data(data, &rows.device());
            let y = expert.forward_rows(activation, rows.clone().select(0, tokens.clone()));
            let y = y * weight.select(0, tokens.clone());
            out = out.select_assign(0, tokens, y, burn::tensor::IndexingUpdateOp::Add);
        }
        out.reshape([batch, count, hidden])
    }
}

/// The share of each expert `[batch, position, expert]`; 0 for those that a token does not go to.
fn expert_weights(table: &ExpertsSpec, scores: Tensor<3>) -> Tensor<3> {
    let shares = softmax(scores, 2);
    // The largest ones, taken away one after the other: a sort would have to be read back on a GPU.
    let (mut rest, mut kept) = (shares.clone(), shares.zeros_like());
    for _ in 0..table.active {
        let most = rest.clone().max_dim(2);
        let here = rest.clone().equal(most.expand(rest.dims()));
        kept = kept.mask_where(here.clone(), shares.clone());
        rest = rest.mask_fill(here, -1.0);
    }
    if table.normalised {
        let sum = kept.clone().sum_dim(2);
        kept = kept / sum;
    }
    kept
}
