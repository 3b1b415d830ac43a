//! Direct logit attribution: what each part of the model adds to a logit.
//!
//! The residual stream is a sum of what the embedding, every head, every MLP and biases write. With the final
//! norm's scale held at the value it has, the norm and the output head are linear, so that a token's logit is
//! the sum of the parts' contributions (Elhage et al., 2021, "A mathematical framework for transformer
//! circuits"; TransformerLens, `ActivationCache.apply_ln_to_stack` and `logit_attrs`). A norm behind attention
//! or MLP (Gemma 2, OLMo 2) is held in the same way. This is exact for every architecture the decoder runs: all
//! of them add to one stream. A final soft cap is the one thing left out: contributions sum to the logit before it.

use burn::tensor::{Tensor, TensorData};
use glassbox_model::{DecoderSpec, Hook, Probe, Site};

use super::{Run, run::pause, standing::largest};
use crate::{EngineError, Host, HostTensor, Model, collect::read};

/// A part of the model that writes to the residual stream, or adds to logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartName {
    /// The token embedding.
    Embed,
    /// The learned position embedding.
    PosEmbed,
    /// A head: its values through its slice of the output projection.
    Head {
        /// Layer.
        layer: usize,
        /// Head.
        head: usize,
    },
    /// The convolution that a layer has in the place of attention.
    Convolution {
        /// Layer.
        layer: usize,
    },
    /// What a layer's attention adds besides its heads: biases.
    AttnBias {
        /// Layer.
        layer: usize,
    },
    /// A layer's MLP.
    Mlp {
        /// Layer.
        layer: usize,
    },
    /// What edits put into the residual stream (or into the output of attention) themselves.
    Edits,
    /// What the final norm adds: its bias.
    NormBias,
    /// What the output head adds: its bias.
    HeadBias,
}

/// What a part contributes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The part.
    pub name: PartName,
    /// What it adds to the logit, or to the difference of two.
    pub contribution: f32,
    /// Length of what it writes to the residual stream.
    pub norm: f32,
}

/// A direct logit attribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// The position whose next token is explained.
    pub position: usize,
    /// In the order of the forward pass.
    pub parts: Vec<Part>,
    /// The logit (or difference) that the model computes, before a soft cap; the sum of all contributions.
    pub logit: f32,
    /// What the final norm divides by.
    pub scale: f32,
    /// What to know about the numbers; none where nothing.
    pub note: Option<String>,
}

/// A token with what is added to its logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenEffect {
    /// Token id.
    pub id: u32,
    /// What is added to its logit, less the mean over the vocabulary.
    pub logit: f32,
}

/// What a vector in the residual stream pushes up and down the most, strongest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    /// Pushed up.
    pub promoted: Vec<TokenEffect>,
    /// Pushed down.
    pub suppressed: Vec<TokenEffect>,
}

/// The residual stream at one position, in parts.
struct Parts {
    names: Vec<PartName>,
    /// `[hidden]` each.
    vectors: Vec<Vec<f32>>,
    /// What they sum to in the model: the last block's output.
    total: Vec<f32>,
}

impl Run {
    /// What each part adds to the logit of `token`, less that of `against`, after a position.
    pub async fn attribute(
        &self,
        model: &Model,
        position: Option<usize>,
        token: u32,
        against: Option<u32>,
        host: &dyn Host,
    ) -> Result<Attribution, EngineError> {
        let ids: Vec<u32> = [Some(token), against].into_iter().flatten().collect();
        model.check_ids(&ids)?;
        let position = self.position(position)?;
        let parts = self.parts(model, position, host).await?;
        let read_out = ReadOut::new(model, &ids).await?;
        let scale = model.decoder.final_scale(&parts.total);
        let part = |(name, vector): (&PartName, &Vec<f32>)| Part {
            name: *name,
            contribution: (dot(vector, &read_out.direction) / f64::from(scale)) as f32,
            norm: length(vector),
        };
        let mut all: Vec<Part> = parts.names.iter().zip(&parts.vectors).map(part).collect();
        let biases = [(PartName::NormBias, read_out.norm_bias), (PartName::HeadBias, read_out.head_bias)];
        for (name, bias) in biases {
            all.extend(bias.map(|bias| Part { name, contribution: bias, norm: 0.0 }));
        }
        let direct = dot(&parts.total, &read_out.direction) / f64::from(scale);
        let bias =
            f64::from(read_out.norm_bias.unwrap_or(0.0)) + f64::from(read_out.head_bias.unwrap_or(0.0));
        let note = model.spec().logit_soft_cap.map(|cap| {
            format!("This model bounds its logits smoothly to {cap}. The contributions sum to the logit before that.")
        });
        Ok(Attribution { position, parts: all, logit: (direct + bias) as f32, scale, note })
    }

    /// Which tokens parts push up and down the most after a position.
    pub async fn promoted(
        &self,
        model: &Model,
        position: Option<usize>,
        names: &[PartName],
        top: usize,
        host: &dyn Host,
    ) -> Result<Vec<Promotion>, EngineError> {
        let position = self.position(position)?;
        let parts = self.parts(model, position, host).await?;
        let scale = model.decoder.final_scale(&parts.total);
        let vectors: Vec<&[f32]> = names
            .iter()
            .map(|name| {
                let index = parts.names.iter().position(|part| part == name);
                index.map(|index| parts.vectors[index].as_slice()).ok_or(EngineError::NoSuchPart)
            })
            .collect::<Result<_, _>>()?;
        promotions(model, &vectors, scale, top, host).await
    }

    /// Takes the residual stream at a position apart.
    async fn parts(&self, model: &Model, position: usize, host: &dyn Host) -> Result<Parts, EngineError> {
        let spec = model.spec();
        let mut probe = Probe::default();
        for hook in [Hook::Embed, Hook::PosEmbed, Hook::Z, Hook::AttnOut, Hook::MlpOut] {
            if !hook.is_global() || Site::global(hook).exists(spec) {
                probe.add(hook, spec);
            }
        }
        let captured = self.capture(model, &probe, position..position + 1, host).await?;
        let of = |site: Site| {
            let name = site.to_string();
            captured.iter().find(|tensor: &&HostTensor| tensor.name == name).map(|tensor| tensor.data.clone())
        };
        let block = |layer, hook| of(Site::block(layer, hook)).unwrap_or_default();
        // None where a layer has a convolution.
        let heads = |layer| model.decoder.attention_parts(layer, &block(layer, Hook::Z));
        let heads: Vec<Option<Tensor<2>>> = (0..spec.layers).map(heads).collect();
        let attends: Vec<bool> = heads.iter().map(Option::is_some).collect();
        let last = self.stream(spec.layers, position..position + 1).squeeze_dim(0);
        let mut written = read(heads.into_iter().flatten().chain([last]).collect()).await?;
        let total = written.pop().unwrap_or_default();
        let mut written = written.into_iter();

        let mut parts = Parts { names: Vec::new(), vectors: Vec::new(), total };
        for (name, hook) in [(PartName::Embed, Hook::Embed), (PartName::PosEmbed, Hook::PosEmbed)] {
            if let Some(vector) = of(Site::global(hook)) {
                parts.push(name, vector);
            }
        }
        for (layer, attends) in attends.into_iter().enumerate() {
            match attends {
                true => parts.push_heads(layer, spec, &written.next().unwrap_or_default()),
                false => parts.push(PartName::Convolution { layer }, block(layer, Hook::AttnOut)),
            }
            parts.push(PartName::Mlp { layer }, block(layer, Hook::MlpOut));
            pause(host).await?;
        }
        parts.push_edits(self, spec);
        Ok(parts)
    }
}

impl Parts {
    fn push(&mut self, name: PartName, vector: Vec<f32>) {
        self.names.push(name);
        self.vectors.push(vector);
    }

    /// What heads write, `[heads + 1, hidden]`; the last row is biases, where there are any.
    fn push_heads(&mut self, layer: usize, spec: &DecoderSpec, rows: &[f32]) {
        for (head, vector) in rows.chunks_exact(spec.hidden).enumerate() {
            let name = match head < spec.heads {
                true => PartName::Head { layer, head },
                false => PartName::AttnBias { layer },
            };
            if head < spec.heads || vector.iter().any(|value| *value != 0.0) {
                self.push(name, vector.to_vec());
            }
        }
    }

    /// What is left where edits changed the stream itself, or the output of attention, whose parts are taken before it.
    fn push_edits(&mut self, run: &Run, spec: &DecoderSpec) {
        let direct = |site: Site| match site.hook {
            Hook::ResidPre | Hook::ResidMid | Hook::ResidPost => true,
            Hook::AttnOut => Site { hook: Hook::Z, ..site }.exists(spec),
            _ => false,
        };
        if run.edits.iter().any(|edit| direct(edit.site)) {
            let mut rest = self.total.clone();
            for vector in &self.vectors {
                rest.iter_mut().zip(vector).for_each(|(rest, value)| *rest -= value);
            }
            self.push(PartName::Edits, rest);
        }
    }
}

/// The linear map from the residual stream to a logit, or to the difference of two.
struct ReadOut {
    /// `[hidden]`; to be divided by the final norm's scale.
    direction: Vec<f32>,
    norm_bias: Option<f32>,
    head_bias: Option<f32>,
}

impl ReadOut {
    /// Of the first token's logit, less the second's where there is one.
    async fn new(model: &Model, ids: &[u32]) -> Result<Self, EngineError> {
        let decoder = &model.decoder;
        let hidden = model.spec().hidden;
        let row = |tensor: Tensor<1>| -> Tensor<2> { tensor.unsqueeze() };
        let (norm_bias, head_bias) = (decoder.final_bias(), decoder.head_bias());
        let wanted = [Some(decoder.output_head().gather(ids)), Some(row(decoder.final_gain()))];
        let biases = [norm_bias.clone().map(row), head_bias.clone().map(row)];
        let mut values = read(wanted.into_iter().chain(biases).flatten().collect()).await?.into_iter();
        let rows = values.next().unwrap_or_default();
        let gain = values.next().unwrap_or_default();
        let norm_bias = norm_bias.and_then(|_| values.next());
        let head_bias = head_bias.and_then(|_| values.next());

        let scale = model.spec().logit_scale;
        let mut unembed: Vec<f32> = rows[..hidden].to_vec();
        if let Some(other) = rows.get(hidden..2 * hidden) {
            unembed.iter_mut().zip(other).for_each(|(a, b)| *a -= b);
        }
        unembed.iter_mut().for_each(|value| *value *= scale);
        let mut direction: Vec<f32> = unembed.iter().zip(&gain).map(|(u, g)| u * g).collect();
        if decoder.final_norm_centres() {
            // (x - mean x) . d = x . (d - mean d)
            centre(&mut direction);
        }
        Ok(Self {
            direction,
            norm_bias: norm_bias.map(|bias| dot(&bias, &unembed) as f32),
            head_bias: head_bias.map(|bias| {
                scale * (bias[ids[0] as usize] - ids.get(1).map_or(0.0, |id| bias[*id as usize]))
            }),
        })
    }
}

/// What vectors `[hidden]` in the residual stream push up and down through the final norm, its scale held.
pub(super) async fn promotions(
    model: &Model,
    vectors: &[&[f32]],
    scale: f32,
    top: usize,
    host: &dyn Host,
) -> Result<Vec<Promotion>, EngineError> {
    let (decoder, spec) = (&model.decoder, model.spec());
    let gain = read(vec![decoder.final_gain().unsqueeze()]).await?.pop().unwrap_or_default();
    let mut all = Vec::with_capacity(vectors.len());
    for group in vectors.chunks(super::run::logit_rows(spec.vocab)) {
        let rows: Vec<f32> = group
            .iter()
            .flat_map(|vector| {
                let mut row = vector.to_vec();
                if decoder.final_norm_centres() {
                    centre(&mut row);
                }
                row.iter_mut().zip(&gain).for_each(|(value, gain)| *value *= gain * spec.logit_scale / scale);
                row
            })
            .collect();
        let data = TensorData::new(rows, [group.len(), spec.hidden]);
        let effects = decoder.output_head().linear(Tensor::from_data(data, decoder.device()));
        let effects = read(vec![effects]).await?.pop().unwrap_or_default();
        all.extend(effects.chunks_exact(spec.vocab).map(|row| promotion(row, top)));
        pause(host).await?;
    }
    Ok(all)
}

fn promotion(effects: &[f32], top: usize) -> Promotion {
    let mean = effects.iter().map(|value| f64::from(*value)).sum::<f64>() / effects.len().max(1) as f64;
    let list = |values: &[f32]| {
        let effect = |id: u32| TokenEffect { id, logit: (f64::from(effects[id as usize]) - mean) as f32 };
        largest(values, top).into_iter().map(effect).collect()
    };
    let negated: Vec<f32> = effects.iter().map(|value| -value).collect();
    Promotion { promoted: list(effects), suppressed: list(&negated) }
}

fn centre(vector: &mut [f32]) {
    let mean = vector.iter().map(|value| f64::from(*value)).sum::<f64>() / vector.len().max(1) as f64;
    vector.iter_mut().for_each(|value| *value = (f64::from(*value) - mean) as f32);
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// L2 norm.
pub(super) fn length(vector: &[f32]) -> f32 {
    dot(vector, vector).sqrt() as f32
}
