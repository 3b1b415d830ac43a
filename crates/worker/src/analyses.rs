//! Answering questions about runs.

use std::{collections::BTreeMap, rc::Rc};

use glassbox_engine::{
    EngineError, Model,
    analysis::{self, Intervention, Run, SweepPlan},
};
use glassbox_model::{Hook, ModelError, Probe};
use glassbox_protocol::{self as protocol, Event, Request};

use crate::{
    convert,
    error::WorkerError,
    host::Shared,
    requests::Work,
    show::{self, Arrays},
};

impl Shared {
    /// Answers a request about a run; others are none of this file's.
    pub async fn analyse(&self, id: u32, request: Request) -> Result<(), WorkerError> {
        let model = self.model()?;
        let work = Work::new(self, id);
        match request {
            Request::Lens(query) => self.lens(&model, &query, &work).await,
            Request::Attribute(query) => self.attribute(&model, &query, &work).await,
            Request::Promoted(query) => self.promoted(&model, &query, &work).await,
            Request::Norms { run } => {
                let run = self.run(&model, &run, &work).await?;
                let mut arrays = Arrays::default();
                arrays.tensors(&run.norms(&model, &work).await?);
                self.post_arrays(id, Event::Arrays { arrays: arrays.metas.clone() }, &arrays);
                Ok(())
            }
            Request::Head(query) => self.head(&model, &query, &work).await,
            Request::Neurons(query) => self.neurons(&model, &query, &work).await,
            Request::Heads(query) => {
                let run = self.run(&model, &query.run, &work).await?;
                let report = run.heads(&model, query.thumbnails as usize, query.rollout, &work).await?;
                let (event, arrays) = show::heads(&model, &report, run.len());
                self.post_arrays(id, event, &arrays);
                Ok(())
            }
            Request::Bench(query) => self.bench(&model, &query, &work).await,
            Request::Compare(query) => self.compare(&model, &query, &work).await,
            Request::Surprisal(query) => {
                let run = self.run(&model, &query.run, &work).await?;
                let expectations = run.expectations(&model, query.top as usize, &work).await?;
                let event = Event::Surprisals {
                    tokens: convert::tokens(&model, &run.tokens),
                    expectations: expectations.iter().map(|one| show::expectation(&model, one)).collect(),
                };
                self.post(id, &event);
                Ok(())
            }
            Request::Score(query) => {
                let run = self.run(&model, &query.run, &work).await?;
                let scored = run.score(&model, &query.continuations, &work).await?;
                let continuations = scored.iter().map(|one| show::continuation(&model, one)).collect();
                self.post(id, &Event::Scored { continuations });
                Ok(())
            }
            Request::Sweep(query) => self.sweep(&model, &query, &work).await,
            Request::Export(query) => self.export(&model, &query, &work).await,
            // `answer` has taken all others.
            _ => Err(WorkerError::Message("it asks nothing about a run".to_owned())),
        }
    }

    /// The run that a query names, kept or computed.
    pub async fn run(
        &self,
        model: &Model,
        run: &protocol::Run,
        work: &Work<'_>,
    ) -> Result<Rc<Run>, WorkerError> {
        let tokens = convert::input(model, &run.input)?;
        let edits = self.edits(model, &run.edits, work).await?;
        Ok(self.runs.get(model, &tokens, &edits, work).await?)
    }

    /// Edits with their values; those that come from other prompts are taken from runs of them.
    pub async fn edits(
        &self,
        model: &Model,
        edits: &[protocol::Edit],
        work: &Work<'_>,
    ) -> Result<Vec<glassbox_model::Edit>, WorkerError> {
        let edits = edits.iter().map(|edit| convert::intervention(model, edit));
        let interventions: Vec<Intervention> = edits.collect::<Result<_, _>>()?;
        Ok(self.runs.resolve(model, &interventions, work).await?)
    }

    fn post_arrays(&self, id: u32, event: Event, arrays: &Arrays) {
        self.post_with(id, &event, &arrays.buffers);
    }

    async fn lens(
        &self,
        model: &Model,
        query: &protocol::LensQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let sites = analysis::lens_sites(model, &query.sites)?;
        let run = self.run(model, &query.run, work).await?;
        let positions = query.positions.map_or(0..run.len(), convert::range);
        for (index, site) in sites.iter().enumerate() {
            let row =
                run.lens(model, *site, positions.clone(), query.top as usize, &query.pinned, work).await?;
            let (event, arrays) = show::lens_row(model, &row, query.pinned.len());
            self.post_arrays(work.id, event, &arrays);
            glassbox_engine::Host::analysed(work, index + 1, sites.len());
        }
        let tokens = convert::tokens(model, &run.tokens);
        self.post(work.id, &Event::LensDone { tokens, pinned: convert::tokens(model, &query.pinned) });
        Ok(())
    }

    async fn attribute(
        &self,
        model: &Model,
        query: &protocol::AttributionQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let run = self.run(model, &query.run, work).await?;
        let position = query.position.map(|position| position as usize);
        let attribution = run.attribute(model, position, query.token, query.against, work).await?;
        self.post(work.id, &show::attribution(model, &attribution, query.token, query.against));
        Ok(())
    }

    async fn promoted(
        &self,
        model: &Model,
        query: &protocol::PromotedQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let run = self.run(model, &query.run, work).await?;
        let names = query.parts.iter().map(show::to_part).collect::<Result<Vec<_>, _>>()?;
        let position = query.position.map(|position| position as usize);
        let found = run.promoted(model, position, &names, query.top as usize, work).await?;
        let parts =
            query.parts.iter().zip(&found).map(|(part, one)| show::promotion(model, part, one)).collect();
        self.post(work.id, &Event::Promoted { parts });
        Ok(())
    }

    async fn head(
        &self,
        model: &Model,
        query: &protocol::HeadQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let run = self.run(model, &query.run, work).await?;
        let (layer, head) = (query.layer as usize, query.head as usize);
        let detail = run.head_detail(model, layer, head, query.query.map(|q| q as usize), work).await?;
        let mut arrays = Arrays::default();
        arrays.tensors(&detail.arrays);
        let event = Event::Head {
            layer: query.layer,
            head: query.head,
            kv_head: detail.kv_head as u32,
            query: detail.query as u32,
            scale: detail.scale,
            window: detail.window.map(|window| window as u32),
            arrays: arrays.metas.clone(),
        };
        self.post_arrays(work.id, event, &arrays);
        Ok(())
    }

    async fn neurons(
        &self,
        model: &Model,
        query: &protocol::NeuronsQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let run = self.run(model, &query.run, work).await?;
        let position = run.position(query.position.map(|position| position as usize))?;
        let (layer, top, tokens) = (query.layer as usize, query.top as usize, query.tokens as usize);
        let neurons = run.neurons(model, layer, Some(position), top, tokens, work).await?;
        let event = Event::Neurons {
            layer: query.layer,
            position: position as u32,
            width: model.spec().intermediate as u32,
            neurons: neurons.iter().map(|neuron| show::neuron(model, neuron)).collect(),
        };
        self.post(work.id, &event);
        Ok(())
    }

    async fn bench(
        &self,
        model: &Model,
        query: &protocol::BenchQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let run = self.run(model, &query.run, work).await?;
        let position = run.position(query.position.map(|position| position as usize))?;
        let logits = run.logits(model, position).await?;
        let rows = analysis::BenchRows {
            from: query.rows.from as usize,
            count: query.rows.count as usize,
            search: query.rows.search.clone(),
            by_final: query.rows.by_final,
        };
        let settings = convert::sampler(&query.sampler);
        let (history, draws) = (&run.tokens[..=position], query.draws as usize);
        let bench = analysis::bench(model, &logits, history, &settings, &rows, &query.pinned, draws)?;
        self.post(work.id, &show::bench(model, &bench, position));
        Ok(())
    }

    async fn compare(
        &self,
        model: &Model,
        query: &protocol::CompareQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let run =
            |edits: &[protocol::Edit]| protocol::Run { input: query.input.clone(), edits: edits.to_vec() };
        let before = self.run(model, &run(&query.before), work).await?;
        let after = self.run(model, &run(&query.after), work).await?;
        let position = query.position.map(|position| position as usize);
        let (every, top) = (query.every_position, query.top as usize);
        let comparison = before.compare(model, &after, position, every, top, work).await?;
        let (event, arrays) = show::comparison(model, &comparison);
        self.post_arrays(work.id, event, &arrays);
        Ok(())
    }

    async fn sweep(
        &self,
        model: &Model,
        query: &protocol::SweepQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let source = self.run(model, &query.source, work).await?;
        let target = self.run(model, &query.target, work).await?;
        let unknown = || EngineError::Model(ModelError::UnknownSite { site: query.kind.clone() });
        let plan = SweepPlan {
            hook: Hook::from_kind(&query.kind).filter(|hook| !hook.is_global()).ok_or_else(unknown)?,
            head: query.head.map(|head| head as usize),
            layers: query.layers.map(convert::range),
            positions: query.positions.map(convert::range),
            token: query.token,
            against: query.against,
            measured_at: query.measured_at.map(|position| position as usize),
        };
        let mut each = |layer: usize, metric: &[f32]| {
            let mut arrays = Arrays::default();
            arrays.floats("metric", &[metric.len()], metric);
            let event = Event::SweepRow { layer: layer as u32, arrays: arrays.metas.clone() };
            self.post_arrays(work.id, event, &arrays);
        };
        let sweep = target.sweep(model, &source, &plan, work, &mut each).await?;
        let (event, arrays) = show::sweep(&sweep);
        self.post_arrays(work.id, event, &arrays);
        Ok(())
    }

    async fn export(
        &self,
        model: &Model,
        query: &protocol::ExportQuery,
        work: &Work<'_>,
    ) -> Result<(), WorkerError> {
        let probe = Probe::parse(&query.capture, model.spec()).map_err(EngineError::Model)?;
        let tokens = convert::input(model, &query.run.input)?;
        let edits = self.edits(model, &query.run.edits, work).await?;
        let (run, tensors) = self.runs.trace(model, &tokens, &edits, &probe, work).await?;
        let mut metadata: BTreeMap<String, String> = query.metadata.clone();
        let own = analysis::metadata(model, &run, self.fingerprint.borrow().as_deref());
        metadata.extend(own);
        let file = analysis::safetensors(&run.tokens, &tensors, &metadata)?;
        let mut arrays = Arrays::default();
        arrays.bytes("file", &file);
        self.post_arrays(work.id, Event::Arrays { arrays: arrays.metas.clone() }, &arrays);
        Ok(())
    }
}
