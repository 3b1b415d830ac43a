//! How well a model predicts a text.

use burn::tensor::Tensor;
use glassbox_model::{Decoder, KvCache, ModelError, Observation, Probe};
use glassbox_text::Special;

use crate::{EngineError, Host, Model, analysis::Row};

/// `-ln p` of every token but the first, given what stands before it, `[tokens.len() - 1]`, in nats.
///
/// A text longer than the model's context is read in windows that overlap by half, and a token counts in
/// the window where more stands before it: so each has at least half a context before it.
///
/// # Errors
/// With fewer than two tokens, or one that the model does not have.
pub async fn surprisals(decoder: &Decoder, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
    if tokens.len() < 2 {
        return Err(ModelError::NoTokens.into());
    }
    let context = decoder.spec.context;
    let mut all = Vec::with_capacity(tokens.len() - 1);
    while all.len() + 1 < tokens.len() {
        // The window's inputs end before the last token that it predicts.
        let end = match all.len() {
            0 => context.min(tokens.len() - 1),
            done => (done + context / 2).min(tokens.len() - 1).max(done + 1),
        };
        let start = end.saturating_sub(context);
        let window = window_surprisals(decoder, &tokens[start..=end]).await?;
        all.extend_from_slice(&window[all.len() - start..]);
    }
    Ok(all)
}

/// The same of one window, each token given all of the window before it.
async fn window_surprisals(decoder: &Decoder, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
    let (inputs, targets) = (&tokens[..tokens.len() - 1], &tokens[1..]);
    if let Some(id) = targets.iter().find(|id| **id as usize >= decoder.spec.vocab) {
        return Err(ModelError::TokenRange { id: *id, vocab: decoder.spec.vocab }.into());
    }
    let probe = Probe::all_logits();
    let mut cache = KvCache::new(&decoder.spec, 1, decoder.device());
    let logits: Tensor<2> = decoder.forward(inputs, &mut cache, &mut Observation::new(&probe, &[], 0))?;
    let rows = crate::collect::read(vec![logits]).await?.pop().unwrap_or_default();
    let surprisal = |(row, id): (&[f32], &u32)| -Row::new(row).logprob(*id) as f32;
    let surprisals: Vec<f32> = rows.chunks_exact(decoder.spec.vocab).zip(targets).map(surprisal).collect();
    match surprisals.iter().all(|value| value.is_finite()) {
        true => Ok(surprisals),
        false => Err(EngineError::NotFinite),
    }
}

/// How well a model predicts documents.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evaluation {
    /// Documents measured.
    pub documents: usize,
    /// Tokens predicted.
    pub tokens: usize,
    /// Bytes of text that those tokens are.
    pub bytes: u64,
    /// Sum of `-ln p` of the tokens.
    pub nats: f64,
}

impl Evaluation {
    /// `-log2 p` per byte of text: comparable between tokenizers.
    pub fn bits_per_byte(&self) -> f64 {
        self.nats / std::f64::consts::LN_2 / self.bytes as f64
    }

    /// `exp` of the mean `-ln p` per token.
    pub fn perplexity(&self) -> f64 {
        (self.nats / self.tokens as f64).exp()
    }
}

impl Model {
    /// Measures documents one by one, each behind the token that begins a text (or, where the model has
    /// none, the one that ends it); all tokens of the document count and no others. That is the rolling
    /// log-likelihood of EleutherAI's evaluation harness, with windows as in [`surprisals`].
    ///
    /// # Errors
    /// Without a tokenizer, without any text, or when `host` stops the work.
    pub async fn evaluate(&self, documents: &[&str], host: &dyn Host) -> Result<Evaluation, EngineError> {
        let tokenizer = self.tokenizer.as_ref().ok_or(EngineError::NoTokenizer)?;
        let first = tokenizer.bos().or(tokenizer.eos());
        let mut sum = Evaluation::default();
        for (done, document) in documents.iter().enumerate() {
            let text = tokenizer.encode(document, Special::None)?;
            // Without a token to begin with, a document's first token is given and not predicted.
            let given = match first {
                Some(_) => 0,
                None => text.first().and_then(|id| tokenizer.token(*id)).map_or(0, |piece| piece.bytes.len()),
            };
            let tokens: Vec<u32> = first.into_iter().chain(text).collect();
            if tokens.len() < 2 {
                continue;
            }
            let nats = surprisals(&self.decoder, &tokens).await?;
            sum.documents += 1;
            sum.tokens += nats.len();
            sum.bytes += document.len().saturating_sub(given) as u64;
            sum.nats += nats.into_iter().map(f64::from).sum::<f64>();
            host.analysed(done + 1, documents.len());
            host.pause().await;
            if host.stopped() {
                return Err(ModelError::Aborted.into());
            }
        }
        match sum.tokens {
            0 => Err(ModelError::NoTokens.into()),
            _ => Ok(sum),
        }
    }
}
