//! Runs: a prompt and its edits with the residual stream at every block, and the store that shares them.
//!
//! Analyses take what they need from a run by running single blocks again on the stream that is kept: one
//! head's pattern costs one block. A run that differs from a kept one only by edits starts at the first
//! block they touch; one that continues a kept prompt, at its first new token.

use std::{cell::RefCell, collections::BTreeMap, ops::Range, rc::Rc};

use burn::tensor::Tensor;
use glassbox_formats::order;
use glassbox_model::{Captured, Edit, Hook, KvCache, ModelError, Observation, Probe, Site, check_edits};

use web_time::Instant;

use crate::{
    EngineError, Host, HostTensor, Model,
    collect::{CAPTURE_LIMIT, Collector, check_capture, finite, read},
};

/// Bytes that all runs of a store may take together.
const BUDGET: u64 = 256 << 20;
/// Runs that a store keeps at most.
const MOST_RUNS: usize = 12;
/// Positions whose logits a run keeps.
const MOST_LOGITS: usize = 4;

/// A prompt that was run with edits.
#[derive(Debug)]
pub struct Run {
    /// The prompt.
    pub tokens: Vec<u32>,
    /// What was changed.
    pub edits: Vec<Edit>,
    /// Milliseconds it took to run.
    pub millis: f64,
    /// Input of each block, then the output of the last, `[1, position, hidden]` each; edits of a block's
    /// own input are not in it yet.
    stream: Vec<Tensor<3>>,
    cache: KvCache,
    /// Logits of the positions asked for last.
    logits: RefCell<Vec<(usize, Rc<Vec<f32>>)>>,
}

/// Where a run may start on what another one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start {
    layer: usize,
    position: usize,
}

impl Run {
    /// Runs `tokens` with `edits`, starting on what `base` has where that is possible.
    pub async fn new(
        model: &Model,
        tokens: &[u32],
        edits: &[Edit],
        base: Option<&Run>,
        host: &dyn Host,
    ) -> Result<Self, EngineError> {
        Ok(Self::observed(model, tokens, edits, base, &Probe::default(), host).await?.0)
    }

    /// The same, and captures on the way what `probe` names in the blocks that have to run over all positions:
    /// gives those tensors, and the rest of the probe.
    async fn observed(
        model: &Model,
        tokens: &[u32],
        edits: &[Edit],
        base: Option<&Run>,
        probe: &Probe,
        host: &dyn Host,
    ) -> Result<(Self, Vec<HostTensor>, Probe), EngineError> {
        let decoder = &model.decoder;
        decoder.check_tokens(tokens, 0)?;
        check_edits(edits, model.spec(), tokens.len())?;
        let needed = stream_bytes(model, tokens.len());
        if needed > CAPTURE_LIMIT {
            return Err(EngineError::CaptureTooLarge { needed, limit: CAPTURE_LIMIT });
        }
        let start = base.and_then(|base| base.start_for(model, tokens, edits));
        let (base, start) = match (base, start) {
            (Some(base), Some(start)) => (Some(base), start),
            _ => (None, Start { layer: 0, position: 0 }),
        };
        let on_the_way = |site: Site| {
            start.position == 0
                && match site.block {
                    Some(block) => block >= start.layer,
                    None => start.layer == 0 && site.hook != Hook::LnFinal,
                }
        };
        let mut rest = probe.part(|site| !on_the_way(site));
        rest.all_logits = probe.all_logits;
        let probe = probe.part(on_the_way);
        check_capture(model.spec(), &probe, tokens.len())?;
        let mut collector = Collector::new(0..tokens.len());
        let began = Instant::now();
        let (stream, cache) =
            advance(model, tokens, edits, base, start, (&probe, &mut collector), host).await?;
        let run = Self {
            tokens: tokens.to_vec(),
            edits: edits.to_vec(),
            millis: began.elapsed().as_secs_f64() * 1e3,
            stream,
            cache,
            logits: RefCell::default(),
        };
        Ok((run, collector.finish(), rest))
    }

    /// Where a run of these tokens and edits may start on this one, if anywhere but at the beginning.
    fn start_for(&self, model: &Model, tokens: &[u32], edits: &[Edit]) -> Option<Start> {
        let spec = model.spec();
        let common = self.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count();
        let same_tokens = common == tokens.len() && common == self.tokens.len();
        if common == 0 || (!same_tokens && spec.turns_anew(self.tokens.len(), tokens.len())) {
            return None;
        }
        let (mut layer, mut position) = (spec.layers, tokens.len());
        for edit in self.edits.iter().chain(edits) {
            let of = |list: &[Edit]| list.iter().filter(|e| e.site == edit.site).cloned().collect::<Vec<_>>();
            if of(&self.edits) != of(edits) {
                layer = layer.min(first_block(edit.site, spec.layers));
                position = position.min(edit.positions.as_ref().map_or(0, |range| range.start));
            }
        }
        if !same_tokens {
            return (common.min(position) > 0).then_some(Start { layer: 0, position: common.min(position) });
        }
        // Whole chunks, so that the same products are computed and the numbers are the same.
        let position = if layer == spec.layers { tokens.len() } else { position - position % model.chunk() };
        (layer > 0 || position > 0).then_some(Start { layer, position })
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens; there always are.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// A position, the last one if none is named.
    pub fn position(&self, position: Option<usize>) -> Result<usize, EngineError> {
        let last = self.len() - 1;
        match position.unwrap_or(last) {
            position if position <= last => Ok(position),
            position => Err(EngineError::Position { position, count: self.len() }),
        }
    }

    /// Keys and values of all positions, to go on from.
    pub fn cache(&self) -> KvCache {
        self.cache.clone()
    }

    /// Input of a block (after the last one, its output) over a range of positions, `[1, position, hidden]`.
    pub(crate) fn stream(&self, layer: usize, positions: Range<usize>) -> Tensor<3> {
        self.stream[layer].clone().slice_dim(1, positions)
    }

    /// Captures what `probe` names over a range of positions. Shapes are those of a trace, with as many
    /// positions as the range has and keys up to its end.
    pub async fn capture(
        &self,
        model: &Model,
        probe: &Probe,
        positions: Range<usize>,
        host: &dyn Host,
    ) -> Result<Vec<HostTensor>, EngineError> {
        check_capture(model.spec(), probe, positions.len())?;
        let mut collector = Collector::new(positions.clone());
        let mut blocks: BTreeMap<Option<usize>, Vec<Site>> = BTreeMap::new();
        for site in probe.sites() {
            blocks.entry(site.block).or_default().push(site);
        }
        for block in blocks.keys() {
            for chunk in chunks(positions.clone(), model.chunk()) {
                let captured = self.capture_chunk(model, probe, *block, chunk.clone())?;
                collector.collect(captured, chunk, Vec::new()).await?;
                pause(host).await?;
            }
        }
        let mut tensors = collector.finish();
        if probe.all_logits {
            tensors.push(self.all_logits(model, positions, host).await?);
        }
        Ok(tensors)
    }

    /// What one block, or the rest of the model, captures over a chunk of positions.
    pub(crate) fn capture_chunk(
        &self,
        model: &Model,
        probe: &Probe,
        block: Option<usize>,
        chunk: Range<usize>,
    ) -> Result<BTreeMap<Site, Captured>, EngineError> {
        let decoder = &model.decoder;
        let mut observation = Observation::new(probe, &self.edits, chunk.start);
        match block {
            Some(block) => {
                let mut cache = self.cache.clone();
                cache.truncate(chunk.start);
                let pass = decoder.pass_behind(&mut cache, chunk.len());
                let x = self.stream(block, chunk);
                decoder.run_block(block, x, &pass, Some(&mut cache), &mut observation);
            }
            None => {
                if [Hook::Embed, Hook::PosEmbed].iter().any(|hook| probe.wants(Site::global(*hook))) {
                    decoder.start(&self.tokens[chunk.clone()], chunk.start, &mut observation)?;
                }
                if probe.wants(Site::global(Hook::LnFinal)) {
                    decoder.read_out(self.stream(model.spec().layers, chunk), &mut observation);
                }
            }
        }
        Ok(observation.captured)
    }

    async fn all_logits(
        &self,
        model: &Model,
        positions: Range<usize>,
        host: &dyn Host,
    ) -> Result<HostTensor, EngineError> {
        let vocab = model.spec().vocab;
        let mut data = Vec::with_capacity(positions.len() * vocab);
        for chunk in chunks(positions.clone(), logit_rows(vocab)) {
            data.extend(self.logit_rows(model, chunk).await?);
            pause(host).await?;
        }
        Ok(HostTensor { name: "logits".to_owned(), shape: vec![positions.len(), vocab], data })
    }

    /// Logits `[position, vocab]` of a range of positions, row-major. For a few at a time.
    pub(crate) async fn logit_rows(
        &self,
        model: &Model,
        positions: Range<usize>,
    ) -> Result<Vec<f32>, EngineError> {
        let probe = Probe::default();
        let mut observation = Observation::new(&probe, &self.edits, positions.start);
        let x = self.stream(model.spec().layers, positions);
        let logits = model.decoder.read_out(x, &mut observation).squeeze_dim(0);
        let values = read(vec![logits]).await?.pop().unwrap_or_default();
        finite(&values)?;
        Ok(values)
    }

    /// Logits `[vocab]` after a position. Those asked for last are kept.
    pub async fn logits(&self, model: &Model, position: usize) -> Result<Rc<Vec<f32>>, EngineError> {
        if let Some((_, logits)) = self.logits.borrow().iter().find(|(of, _)| *of == position) {
            return Ok(logits.clone());
        }
        let logits = Rc::new(self.logit_rows(model, position..position + 1).await?);
        let mut kept = self.logits.borrow_mut();
        kept.truncate(MOST_LOGITS - 1);
        kept.insert(0, (position, logits.clone()));
        Ok(logits)
    }

    fn bytes(&self) -> u64 {
        let stream: u64 = self.stream.iter().map(|x| 4 * x.dims().iter().product::<usize>() as u64).sum();
        stream + self.cache.bytes()
    }
}

/// Runs what `base` does not have already; gives the stream and the cache of the whole prompt.
async fn advance(
    model: &Model,
    tokens: &[u32],
    edits: &[Edit],
    base: Option<&Run>,
    start: Start,
    (probe, collector): (&Probe, &mut Collector),
    host: &dyn Host,
) -> Result<(Vec<Tensor<3>>, KvCache), EngineError> {
    let (decoder, layers) = (&model.decoder, model.spec().layers);
    let mut cache = match base {
        Some(base) => base.cache.clone(),
        None => KvCache::new(model.spec(), 1, decoder.device()),
    };
    cache.truncate(start.position);
    cache.expect(tokens.len());
    let mut stream: Vec<Vec<Tensor<3>>> = (0..=layers)
        .map(|layer| match base {
            Some(base) if layer <= start.layer && start.layer > 0 => {
                vec![base.stream(layer, 0..tokens.len())]
            }
            Some(base) if start.position > 0 => vec![base.stream(layer, 0..start.position)],
            _ => Vec::new(),
        })
        .collect();
    for chunk in chunks(start.position..tokens.len(), model.chunk()) {
        let mut observation = Observation::new(probe, edits, chunk.start);
        let mut x = match base {
            Some(base) if start.layer > 0 => base.stream(start.layer, chunk.clone()),
            _ => decoder.start(&tokens[chunk.clone()], chunk.start, &mut observation)?,
        };
        let pass = decoder.pass_behind(&mut cache, chunk.len());
        for (block, kept) in stream.iter_mut().enumerate().take(layers).skip(start.layer) {
            if block > start.layer || start.layer == 0 {
                kept.push(x.clone());
            }
            x = decoder.run_block(block, x, &pass, Some(&mut cache), &mut observation);
            pause(host).await?;
        }
        if start.layer < layers {
            stream[layers].push(x);
        }
        cache.advance(chunk.len());
        if !probe.is_empty() {
            collector.collect(observation.captured, chunk.clone(), Vec::new()).await?;
        }
        host.prefilled(chunk.end, tokens.len());
    }
    // Where only what follows the last block was edited, nothing was run, and the cache is whole.
    cache.advance(tokens.len() - cache.len());
    let stream = stream.into_iter().map(|mut parts| match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, 1),
    });
    Ok((stream.collect(), cache))
}

/// The first block whose output an edit at a site can change.
fn first_block(site: Site, layers: usize) -> usize {
    match (site.block, site.hook) {
        (Some(block), _) => block,
        (None, Hook::LnFinal) => layers,
        (None, _) => 0,
    }
}

/// Ranges of at most `size` positions that end at multiples of it.
pub(crate) fn chunks(positions: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = positions.start;
    std::iter::from_fn(move || {
        let start = at;
        at = ((start / size + 1) * size).min(positions.end);
        (start < positions.end).then_some(start..at)
    })
}

/// How many rows of logits are worked on at once: 8 MiB of them.
pub(crate) fn logit_rows(vocab: usize) -> usize {
    ((8 << 20) / (4 * vocab.max(1))).max(1)
}

/// Lets messages in, and stops where the caller wants it.
pub(crate) async fn pause(host: &dyn Host) -> Result<(), EngineError> {
    host.pause().await;
    match host.stopped() {
        true => Err(ModelError::Aborted.into()),
        false => Ok(()),
    }
}

fn stream_bytes(model: &Model, count: usize) -> u64 {
    let spec = model.spec();
    4 * (spec.layers as u64 + 1) * count as u64 * spec.hidden as u64
}

/// The runs of one model that were asked for last, most recent first.
#[derive(Debug, Default)]
pub struct Runs {
    list: RefCell<Vec<Rc<Run>>>,
}

impl Runs {
    /// An empty store; it belongs to one model.
    pub fn new() -> Self {
        Self::default()
    }

    /// The run of a prompt with edits: kept, or made from the kept one that saves the most.
    pub async fn get(
        &self,
        model: &Model,
        tokens: &[u32],
        edits: &[Edit],
        host: &dyn Host,
    ) -> Result<Rc<Run>, EngineError> {
        Ok(self.trace(model, tokens, edits, &Probe::default(), host).await?.0)
    }

    /// The same with what `probe` captures over all positions, in the order of the forward pass.
    pub async fn trace(
        &self,
        model: &Model,
        tokens: &[u32],
        edits: &[Edit],
        probe: &Probe,
        host: &dyn Host,
    ) -> Result<(Rc<Run>, Vec<HostTensor>), EngineError> {
        check_capture(model.spec(), probe, tokens.len())?;
        let kept = self.kept(tokens, edits);
        let (run, mut tensors, rest) = match kept {
            Some(run) => (run, Vec::new(), probe.clone()),
            None => {
                let base = self.base(model, tokens, edits);
                let (run, tensors, rest) =
                    Run::observed(model, tokens, edits, base.as_deref(), probe, host).await?;
                let run = Rc::new(run);
                self.keep(run.clone());
                (run, tensors, rest)
            }
        };
        if !rest.is_empty() {
            tensors.extend(run.capture(model, &rest, 0..run.len(), host).await?);
            let order: Vec<String> = probe.sites().map(|site| site.to_string()).collect();
            // Logits are no site, and last.
            order::sort_by_key(&mut tensors, |tensor| {
                order.iter().position(|name| *name == tensor.name).unwrap_or(order.len())
            });
        }
        Ok((run, tensors))
    }

    fn kept(&self, tokens: &[u32], edits: &[Edit]) -> Option<Rc<Run>> {
        let mut list = self.list.borrow_mut();
        let index = list.iter().position(|run| run.tokens == tokens && run.edits == edits)?;
        let run = list.remove(index);
        list.insert(0, run.clone());
        Some(run)
    }

    /// The kept run on which a new one has the least left to do.
    fn base(&self, model: &Model, tokens: &[u32], edits: &[Edit]) -> Option<Rc<Run>> {
        let layers = model.spec().layers;
        let saved = |run: &Rc<Run>| {
            run.start_for(model, tokens, edits).map_or(0, |start| {
                layers * tokens.len() - (layers - start.layer) * (tokens.len() - start.position)
            })
        };
        self.list.borrow().iter().max_by_key(|run| saved(run)).cloned()
    }

    fn keep(&self, run: Rc<Run>) {
        let mut list = self.list.borrow_mut();
        list.insert(0, run);
        let mut sum = 0;
        let mut index = 0;
        // The newest one stays even where it alone is more.
        list.retain(|run| {
            sum += run.bytes();
            index += 1;
            index == 1 || (sum <= BUDGET && index <= MOST_RUNS)
        });
    }

    /// Whether a run of `count` tokens is small enough to be kept beside others. Longer ones are better
    /// generated from without.
    pub fn holds(model: &Model, count: usize) -> bool {
        stream_bytes(model, count) <= BUDGET
    }

    /// Forgets all runs.
    pub fn clear(&self) {
        self.list.borrow_mut().clear();
    }
}
