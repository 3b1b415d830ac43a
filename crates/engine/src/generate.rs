//! Generation, token by token, with the distribution before and after every stage of the sampler.

use glassbox_model::{Edit, KvCache};
use glassbox_text::DecodeStream;
use web_time::Instant;

use crate::{Draw, EngineError, Host, Model, Sampler, SamplerSettings, analysis::Run, decoding::Decoding};

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// As many tokens as asked for.
    Length,
    /// The model ended its text.
    EndOfText,
    /// The context is full.
    Context,
    /// Stopped by the caller.
    Stopped,
}

/// A generated token.
#[derive(Debug, Clone)]
pub struct Step {
    /// 0 for the first new token.
    pub index: usize,
    /// The token with all stages of its distribution.
    pub draw: Draw,
    /// Text that is complete with it; empty while a character is split, or without a tokenizer.
    pub text: String,
}

/// How long a generation took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GenerationTiming {
    /// Milliseconds for the prompt.
    pub prefill_ms: f64,
    /// Milliseconds for all tokens decoded after it.
    pub decode_ms: f64,
    /// Tokens in the prompt.
    pub prompt_tokens: usize,
    /// Tokens run through the model one by one.
    pub decoded_tokens: usize,
    /// How many of them by a recording of a GPU's launches.
    pub replayed_tokens: usize,
}

/// A running generation; [`Generation::step`] gives one token at a time.
pub struct Generation<'m> {
    model: &'m Model,
    edits: Vec<Edit>,
    sampler: Sampler,
    decoding: Decoding,
    /// Prompt and new tokens.
    history: Vec<u32>,
    prompt: usize,
    limit: usize,
    /// Logits `[vocab]` of the next token, if they are there already.
    logits: Option<Vec<f32>>,
    stream: Option<DecodeStream>,
    finish: Option<Finish>,
    /// How long it has taken so far.
    pub timing: GenerationTiming,
}

impl Model {
    /// Runs a prompt and stands ready to give at most `limit` new tokens.
    pub async fn generate(
        &self,
        prompt: &[u32],
        limit: usize,
        settings: SamplerSettings,
        edits: &[Edit],
        host: &dyn Host,
    ) -> Result<Generation<'_>, EngineError> {
        settings.check()?;
        let mut cache = KvCache::new(self.spec(), 1, self.decoder.device());
        let start = Instant::now();
        let logits = self.prefill(prompt, &mut cache, edits, host).await?;
        let prefill_ms = start.elapsed().as_secs_f64() * 1e3;
        self.begin(prompt, edits, cache, logits, limit, settings, prefill_ms)
    }

    /// Goes on from a run that is there, with its edits: the prompt is not run again.
    pub async fn generate_from(
        &self,
        run: &Run,
        limit: usize,
        settings: SamplerSettings,
    ) -> Result<Generation<'_>, EngineError> {
        let start = Instant::now();
        let logits = run.logits(self, run.len() - 1).await?.to_vec();
        let prefill_ms = start.elapsed().as_secs_f64() * 1e3;
        self.begin(&run.tokens, &run.edits, run.cache(), logits, limit, settings, prefill_ms)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what a generation is made of, once for both ways to begin"
    )]
    fn begin(
        &self,
        prompt: &[u32],
        edits: &[Edit],
        cache: KvCache,
        logits: Vec<f32>,
        limit: usize,
        settings: SamplerSettings,
        prefill_ms: f64,
    ) -> Result<Generation<'_>, EngineError> {
        settings.check()?;
        Ok(Generation {
            model: self,
            edits: edits.to_vec(),
            sampler: Sampler::new(settings),
            decoding: Decoding::new(cache),
            history: prompt.to_vec(),
            prompt: prompt.len(),
            limit,
            logits: Some(logits),
            stream: self.tokenizer.as_ref().map(|tokenizer| {
                let mut stream = DecodeStream::new(tokenizer);
                stream.prime(prompt);
                stream
            }),
            finish: None,
            timing: GenerationTiming { prefill_ms, prompt_tokens: prompt.len(), ..Default::default() },
        })
    }
}

impl Generation<'_> {
    /// The next token, or none when the generation has ended ([`Self::finish`] says why).
    pub async fn step(&mut self, host: &dyn Host) -> Result<Option<Step>, EngineError> {
        if self.finish.is_some() {
            return Ok(None);
        }
        let index = self.new_tokens().len();
        if index >= self.limit {
            return Ok(self.end(Finish::Length));
        }
        host.pause().await;
        if host.stopped() {
            return Ok(self.end(Finish::Stopped));
        }
        let Some(logits) = self.next_logits(host).await? else {
            return Ok(self.end(Finish::Context));
        };
        let draw = self.sampler.draw(&logits, &self.history);
        self.history.push(draw.id);
        if self.model.summary.end_tokens.contains(&draw.id) {
            self.finish = Some(Finish::EndOfText);
        }
        let text = match &mut self.stream {
            Some(stream) => stream.push(draw.id).unwrap_or_default(),
            None => String::new(),
        };
        Ok(Some(Step { index, draw, text }))
    }

    /// Logits after the last token; none where it no longer fits the context.
    async fn next_logits(&mut self, host: &dyn Host) -> Result<Option<Vec<f32>>, EngineError> {
        if let Some(logits) = self.logits.take() {
            return Ok(Some(logits));
        }
        let past = self.decoding.cache.len();
        if past >= self.model.spec().context {
            return Ok(None);
        }
        let last = self.history[self.history.len() - 1];
        let start = Instant::now();
        let logits = match self.model.spec().turns_anew(past, past + 1) {
            // All positions turn by other angles from this length on, so that the cache no longer holds.
            true => {
                let mut cache = KvCache::new(self.model.spec(), 1, self.model.decoder.device());
                let logits = self.model.prefill(&self.history, &mut cache, &self.edits, host).await?;
                self.decoding = Decoding::new(cache);
                logits
            }
            false => self.decoding.step(self.model, last, &self.edits).await?,
        };
        self.timing.decode_ms += start.elapsed().as_secs_f64() * 1e3;
        self.timing.decoded_tokens += 1;
        self.timing.replayed_tokens = self.decoding.replayed;
        Ok(Some(logits))
    }

    fn end(&mut self, finish: Finish) -> Option<Step> {
        self.finish = Some(finish);
        None
    }

    /// The tokens generated so far.
    pub fn new_tokens(&self) -> &[u32] {
        &self.history[self.prompt..]
    }

    /// Why the generation ended, once it has.
    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }
}
