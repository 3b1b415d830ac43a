//! Answering each kind of request.

use std::{cell::Cell, future::Future, pin::Pin, rc::Rc};

use glassbox_engine::{
    Distribution, EngineError, HostTensor, Model,
    analysis::{self, Runs},
};
use glassbox_model::Probe;
use glassbox_protocol::{ChatMessage, Edit, Event, Input, LoadStage, Request, Sampler, TensorMeta, Timing};
use glassbox_text::chat::{Message, RenderOptions};
use js_sys::{ArrayBuffer, Float32Array};
use web_sys::AbortSignal;

use crate::{
    convert,
    error::WorkerError,
    host::{Pending, Shared},
    opening::Computing,
    source,
    team::helper_bytes,
};

/// How many next-token candidates a trace reports.
const TRACE_CANDIDATES: usize = 50;

impl Shared {
    /// Answers a request with its events.
    pub async fn answer(self: Rc<Self>, pending: Pending) -> Result<(), WorkerError> {
        let Pending { id, request, message } = pending;
        match request {
            Request::Start { chosen, .. } => self.start(id, chosen).await,
            Request::Calibrate { known } => self.calibrate(id, known).await,
            Request::Open { source, device, precision, threads } => {
                let files = source::files(&source, &message, &Work::new(&self, id)).await?;
                self.open(id, files, Computing { device, precision, threads }).await
            }
            Request::Attach { source, scale } => {
                let files = source::files(&source, &message, &Work::new(&self, id)).await?;
                self.attach(id, files, scale).await
            }
            Request::ScaleAdapter { adapter, scale } => self.scale_adapter(id, adapter, scale).await,
            Request::Detach { adapter } => self.detach(id, adapter).await,
            Request::Close => {
                self.close(id);
                Ok(())
            }
            Request::Tokenize { text, special } => {
                let model = self.model()?;
                let ids = model.tokenize(&text, convert::special(special))?;
                self.post(id, &Event::Tokens { tokens: convert::tokens(&model, &ids) });
                Ok(())
            }
            Request::Trace { input, capture, edits } => self.trace(id, &input, &capture, &edits).await,
            Request::Generate { input, max_new_tokens, sampler, edits, top_n } => {
                self.generate(id, &input, max_new_tokens, &sampler, &edits, top_n).await
            }
            Request::Fingerprint => self.answer_fingerprint(id).await,
            Request::Chat { messages, add_generation_prompt } => {
                self.chat(id, &messages, add_generation_prompt)
            }
            // Handled when it arrived.
            Request::Abort { .. } => Ok(()),
            about_a_run => self.analyse(id, about_a_run).await,
        }
    }

    async fn trace(
        &self,
        id: u32,
        input: &Input,
        capture: &[String],
        edits: &[Edit],
    ) -> Result<(), WorkerError> {
        let model = self.model()?;
        let tokens = convert::input(&model, input)?;
        let probe = Probe::parse(capture, model.spec()).map_err(EngineError::Model)?;
        let work = Work::new(self, id);
        let edits = self.edits(&model, edits, &work).await?;
        let (run, tensors) = self.runs.trace(&model, &tokens, &edits, &probe, &work).await?;
        let raw = Distribution::raw(&run.logits(&model, run.len() - 1).await?);
        let buffers: Vec<ArrayBuffer> =
            tensors.iter().map(|tensor| Float32Array::from(tensor.data.as_slice()).buffer()).collect();
        let event = Event::Traced {
            tokens: convert::tokens(&model, &tokens),
            tensors: tensors.iter().map(meta).collect(),
            next: convert::candidates(&model, &raw, &raw, TRACE_CANDIDATES),
            timing: Timing {
                prefill_ms: run.millis,
                prompt_tokens: tokens.len() as u32,
                ..Timing::default()
            },
        };
        self.post_with(id, &event, &buffers);
        self.post_memory();
        Ok(())
    }

    async fn generate(
        &self,
        id: u32,
        input: &Input,
        limit: u32,
        sampler: &Sampler,
        edits: &[Edit],
        top_n: u32,
    ) -> Result<(), WorkerError> {
        let model = self.model()?;
        let tokens = convert::input(&model, input)?;
        let work = Work::new(self, id);
        let edits = self.edits(&model, edits, &work).await?;
        let (limit, settings) = (limit as usize, convert::sampler(sampler));
        // Branches and repeated runs go on from what is kept, as long as that is small.
        let mut generation = match Runs::holds(&model, tokens.len()) {
            true => {
                let run = self.runs.get(&model, &tokens, &edits, &work).await?;
                model.generate_from(&run, limit, settings).await?
            }
            false => model.generate(&tokens, limit, settings, &edits, &work).await?,
        };
        while let Some(step) = generation.step(&work).await? {
            self.post(id, &convert::step(&model, &step, generation.timing, top_n as usize));
        }
        let event = Event::Finished {
            reason: convert::finish(generation.finish()),
            tokens: generation.new_tokens().to_vec(),
            timing: convert::timing(generation.timing),
        };
        self.post(id, &event);
        self.post_memory();
        Ok(())
    }

    fn chat(
        &self,
        id: u32,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<(), WorkerError> {
        let model = self.model()?;
        let messages: Vec<Message> =
            messages.iter().map(|message| Message::new(&message.role, &message.content)).collect();
        let options = RenderOptions { add_generation_prompt, ..RenderOptions::default() };
        let chat = model.chat(&messages, &options)?;
        let tokens = convert::tokens(&model, &chat.tokens);
        self.post(id, &Event::Chat { text: chat.text, tokens });
        Ok(())
    }

    async fn answer_fingerprint(&self, id: u32) -> Result<(), WorkerError> {
        let known = self.fingerprint.borrow().clone();
        let fingerprint = match known {
            Some(known) => known,
            None => {
                let files = self.files.borrow().clone().ok_or(WorkerError::NoModel)?;
                analysis::fingerprint(&files).await?
            }
        };
        *self.fingerprint.borrow_mut() = Some(fingerprint.clone());
        let method = analysis::FINGERPRINT_METHOD.to_owned();
        self.post(id, &Event::Fingerprint { fingerprint, method });
        Ok(())
    }

    /// The open model.
    pub fn model(&self) -> Result<Rc<Model>, WorkerError> {
        self.model.borrow().clone().ok_or(WorkerError::NoModel)
    }

    /// Tells the page what memory is in use.
    pub fn post_memory(&self) {
        let wasm: js_sys::WebAssembly::Memory = wasm_bindgen::JsCast::unchecked_into(wasm_bindgen::memory());
        let buffer: ArrayBuffer = wasm_bindgen::JsCast::unchecked_into(wasm.buffer());
        let device_bytes = self.device_bytes();
        let weights = self.model.borrow().as_ref().map_or(0, |model| model.decoder.weight_bytes());
        let event = Event::Memory {
            wasm_bytes: f64::from(buffer.byte_length()),
            weight_bytes: weights as f64,
            helper_bytes: helper_bytes() as f64,
            device_bytes: device_bytes.map(|bytes| bytes as f64),
        };
        self.post(0, &event);
    }
}

fn meta(tensor: &HostTensor) -> TensorMeta {
    TensorMeta { name: tensor.name.clone(), shape: tensor.shape.iter().map(|n| *n as u32).collect() }
}

/// A request at work: what the engine sees of the page.
pub(crate) struct Work<'a> {
    pub shared: &'a Shared,
    pub id: u32,
    /// When the page was last told how far loading is, in milliseconds.
    told: Cell<f64>,
}

/// Milliseconds between two messages of how far loading is: more than an eye sees.
const TOLD_MS: f64 = 30.0;

impl<'a> Work<'a> {
    pub fn new(shared: &'a Shared, id: u32) -> Self {
        Self { shared, id, told: Cell::new(0.0) }
    }

    /// What tells that the page wants this request stopped.
    pub fn signal(&self) -> Option<AbortSignal> {
        self.shared.signal()
    }

    /// Tells the page how far a stage is.
    pub fn progress(&self, stage: LoadStage, done: f64, total: f64) {
        self.shared.post(self.id, &Event::Progress { stage, done_bytes: done, total_bytes: total });
    }
}

impl glassbox_engine::Host for Work<'_> {
    fn stopped(&self) -> bool {
        self.signal().is_some_and(|signal| signal.aborted())
    }

    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(self.shared.pause.take())
    }

    fn prefilled(&self, done: usize, total: usize) {
        self.progress(LoadStage::Prefill, done as f64, total as f64);
    }

    fn analysed(&self, done: usize, total: usize) {
        self.progress(LoadStage::Analysis, done as f64, total as f64);
    }

    fn loaded(&self, done: u64, total: u64) {
        // A message takes a quarter of a millisecond, and a model has hundreds of tensors.
        let now = js_sys::Date::now();
        if done == total || now - self.told.get() >= TOLD_MS {
            self.told.set(now);
            self.progress(LoadStage::Weights, done as f64, total as f64);
        }
    }
}
