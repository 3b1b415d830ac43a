//! Down to the numbers: one head at one query, the neurons of one MLP, lengths along the residual stream.

use glassbox_model::{Edit, Hook, Probe, Site};

use super::{
    Promotion, Run,
    attribution::{length, promotions},
    run::{chunks, pause},
    standing::largest,
};
use crate::{EngineError, Host, HostTensor, Model, collect::read};

/// One head at one query, over T keys (Dh head size, D hidden size).
#[derive(Debug, Clone, PartialEq)]
pub struct HeadDetail {
    /// The key and value head it shares.
    pub kv_head: usize,
    /// Position of the query.
    pub query: usize,
    /// What dots are multiplied with.
    pub scale: f32,
    /// How many keys back the head may look, the query included; none for all.
    pub window: Option<usize>,
    /// Named arrays: `q` `[Dh]`, `k` `[T, Dh]`, `rot_q`, `rot_k` where they are turned, `v` `[T, Dh]`, `dots` `[T]`,
    /// `scores` `[T]`, `pattern` `[T]`, `z` `[Dh]`, `out` `[D]`, `rotary_angles` `[dims / 2]`.
    pub arrays: Vec<HostTensor>,
}

/// A neuron at a position.
#[derive(Debug, Clone, PartialEq)]
pub struct Neuron {
    /// Its index.
    pub index: usize,
    /// What goes into the activation function.
    pub pre: f32,
    /// The linear branch it is multiplied with, in a gated MLP.
    pub linear: Option<f32>,
    /// What comes out.
    pub activation: f32,
    /// Length of what it writes.
    pub norm: f32,
    /// Tokens its output pushes up and down (Geva et al., 2022).
    pub effect: Promotion,
}

impl Run {
    /// One head at one query: every number between its input and what it writes.
    ///
    /// # Errors
    /// For a layer or a head that the model does not have, and for a layer with a convolution in the place of attention.
    pub async fn head_detail(
        &self,
        model: &Model,
        layer: usize,
        head: usize,
        query: Option<usize>,
        host: &dyn Host,
    ) -> Result<HeadDetail, EngineError> {
        let spec = model.spec();
        self.check_layer(model, layer)?;
        Edit::ablate_head(layer, head).check(spec)?;
        let query = self.position(query)?;
        let (kv_head, size, count) = (head / spec.group(), spec.head_dim, self.len());
        let keys = self.layer(model, layer, &[Hook::K, Hook::RotK, Hook::V], 0..count, host).await?;
        let own = [Hook::Q, Hook::RotQ, Hook::AttnScores, Hook::Pattern, Hook::Z];
        let own = self.layer(model, layer, &own, query..query + 1, host).await?;
        let find = |list: &[HostTensor], hook| {
            let name = Site::block(layer, hook).to_string();
            list.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.data.clone())
        };
        let of_head = |data: Vec<f32>, head: usize| data[head * size..(head + 1) * size].to_vec();
        let of_kv = |data: Vec<f32>| -> Vec<f32> {
            let rows = data.chunks_exact(spec.kv_width());
            rows.flat_map(|row| row[kv_head * size..(kv_head + 1) * size].to_vec()).collect()
        };
        // Keys after the query are not in its row: their scores are masked and their weights 0.
        let of_row = |data: Vec<f32>, rest: f32| -> Vec<f32> {
            let mut row = data[head * (query + 1)..(head + 1) * (query + 1)].to_vec();
            row.resize(count, rest);
            row
        };
        let own = |hook| find(&own, hook);
        let keys = |hook| find(&keys, hook);
        let z = own(Hook::Z).unwrap_or_default();
        let out = model.decoder.attention_parts(layer, &z).ok_or(EngineError::NoSuchPart)?;
        let out = read(vec![out]).await?.pop().unwrap_or_default();
        let (q, k) = (own(Hook::Q).map(|q| of_head(q, head)), keys(Hook::K).map(of_kv));
        let (rot_q, rot_k) = (own(Hook::RotQ).map(|q| of_head(q, head)), keys(Hook::RotK).map(of_kv));
        let dots = match (rot_q.as_ref().or(q.as_ref()), rot_k.as_ref().or(k.as_ref())) {
            (Some(q), Some(k)) => {
                k.chunks_exact(size).map(|k| k.iter().zip(q).map(|(k, q)| k * q).sum()).collect()
            }
            _ => Vec::new(),
        };
        let angles = spec.blocks[layer].rotary.and_then(|variant| spec.rotaries().get(variant));
        let arrays = [
            ("q", vec![size], q),
            ("k", vec![count, size], k),
            ("rot_q", vec![size], rot_q),
            ("rot_k", vec![count, size], rot_k),
            ("v", vec![count, size], keys(Hook::V).map(of_kv)),
            ("dots", vec![count], Some(dots)),
            ("scores", vec![count], own(Hook::AttnScores).map(|row| of_row(row, MASKED))),
            ("pattern", vec![count], own(Hook::Pattern).map(|row| of_row(row, 0.0))),
            ("z", vec![size], Some(of_head(z, head))),
            ("out", vec![spec.hidden], Some(out[head * spec.hidden..(head + 1) * spec.hidden].to_vec())),
            ("rotary_angles", vec![angles.map_or(0, |a| a.dims / 2)], angles.map(|a| a.frequencies(count))),
        ];
        Ok(HeadDetail {
            kv_head,
            query,
            scale: spec.attention.scale,
            window: spec.blocks[layer].window,
            arrays: arrays
                .into_iter()
                .filter_map(|(name, shape, data)| {
                    Some(HostTensor { name: name.to_owned(), shape, data: data? })
                })
                .collect(),
        })
    }

    /// The neurons of an MLP with the largest activations at a position, and what each one writes.
    pub async fn neurons(
        &self,
        model: &Model,
        layer: usize,
        position: Option<usize>,
        top: usize,
        tokens: usize,
        host: &dyn Host,
    ) -> Result<Vec<Neuron>, EngineError> {
        self.check_layer(model, layer)?;
        let (spec, position) = (model.spec(), self.position(position)?);
        let here = position..position + 1;
        let hooks = [Hook::MlpPre, Hook::MlpPreLinear, Hook::MlpPost];
        let captured = self.layer(model, layer, &hooks, here.clone(), host).await?;
        let find = |hook| {
            let name = Site::block(layer, hook).to_string();
            captured.iter().find(|tensor| tensor.name == name).map(|tensor| &tensor.data)
        };
        let (Some(pre), Some(post)) = (find(Hook::MlpPre), find(Hook::MlpPost)) else {
            return Err(EngineError::NoNeurons { layer });
        };
        let sizes: Vec<f32> = post.iter().map(|value| value.abs()).collect();
        let chosen: Vec<usize> = largest(&sizes, top).into_iter().map(|index| index as usize).collect();
        let outputs = model.decoder.neuron_outputs(layer, post, &chosen);
        let outputs = outputs.ok_or(EngineError::NoNeurons { layer })?;
        let last = self.stream(spec.layers, here).squeeze_dim(0);
        let mut values = read(vec![outputs, last]).await?.into_iter();
        let (outputs, last) = (values.next().unwrap_or_default(), values.next().unwrap_or_default());
        let vectors: Vec<&[f32]> = outputs.chunks_exact(spec.hidden).collect();
        let scale = model.decoder.final_scale(&last);
        let effects = promotions(model, &vectors, scale, tokens, host).await?;
        let neuron = |((index, vector), effect): ((&usize, &&[f32]), Promotion)| Neuron {
            index: *index,
            pre: pre[*index],
            linear: find(Hook::MlpPreLinear).map(|linear| linear[*index]),
            activation: post[*index],
            norm: length(vector),
            effect,
        };
        Ok(chosen.iter().zip(&vectors).zip(effects).map(neuron).collect())
    }

    /// Lengths (L2) of the residual stream and of what is added to it, `[layers, positions]` each: `resid_pre`,
    /// `attn_out`, `resid_mid` where there is one, `mlp_out`, `resid_post`.
    pub async fn norms(&self, model: &Model, host: &dyn Host) -> Result<Vec<HostTensor>, EngineError> {
        let spec = model.spec();
        let hooks = [Hook::ResidPre, Hook::AttnOut, Hook::ResidMid, Hook::MlpOut, Hook::ResidPost];
        let hooks = hooks.into_iter().filter(|hook| Site::block(0, *hook).exists(spec));
        let shape = vec![spec.layers, self.len()];
        let mut norms: Vec<HostTensor> = hooks
            .map(|hook| HostTensor { name: hook.kind().to_owned(), shape: shape.clone(), data: Vec::new() })
            .collect();
        for layer in 0..spec.layers {
            for tensor in &mut norms {
                let Some(hook) = Hook::from_kind(&tensor.name) else { continue };
                let vectors = self.layer(model, layer, &[hook], 0..self.len(), host).await?;
                let vectors = vectors.iter().flat_map(|tensor| tensor.data.chunks_exact(spec.hidden));
                tensor.data.extend(vectors.map(length));
            }
            host.analysed(layer + 1, spec.layers);
        }
        Ok(norms)
    }

    /// Captures some sites of one block, those that it has.
    pub(super) async fn layer(
        &self,
        model: &Model,
        layer: usize,
        hooks: &[Hook],
        positions: std::ops::Range<usize>,
        host: &dyn Host,
    ) -> Result<Vec<HostTensor>, EngineError> {
        let sites =
            hooks.iter().map(|hook| Site::block(layer, *hook)).filter(|site| site.exists(model.spec()));
        let names: Vec<String> = sites.map(|site| site.to_string()).collect();
        self.capture(model, &Probe::parse(&names, model.spec())?, positions, host).await
    }

    fn check_layer(&self, model: &Model, layer: usize) -> Result<(), EngineError> {
        match layer < model.spec().layers {
            true => Ok(()),
            false => Err(EngineError::NoSuchPart),
        }
    }

    /// Every row of logits, a few at a time: calls `each` with the position and its logits.
    pub(super) async fn each_row(
        &self,
        model: &Model,
        positions: std::ops::Range<usize>,
        host: &dyn Host,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        let (vocab, end) = (model.spec().vocab, positions.end);
        for chunk in chunks(positions, super::run::logit_rows(vocab)) {
            let values = self.logit_rows(model, chunk.clone()).await?;
            for (position, row) in chunk.clone().zip(values.chunks_exact(vocab)) {
                each(position, row);
            }
            host.analysed(chunk.end, end);
            pause(host).await?;
        }
        Ok(())
    }
}

/// Stands for a score that the mask hides.
const MASKED: f32 = -1e30;
