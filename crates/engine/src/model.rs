//! An open model: decoder, tokenizer and what is known about them.

use std::collections::BTreeMap;

use glassbox_formats::{Checkpoint, Config, FileInfo, FileSet, Format, order};
use glassbox_model::{Decoder, DecoderSpec, ModelError};
use glassbox_text::chat::ChatTemplate;
use glassbox_text::{Special, Tokenizer};

use crate::{Attached, EngineError, Host, OpenDevice, device::Precision};

/// What a model is, without its weights.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Architecture and sizes.
    pub spec: DecoderSpec,
    /// Its name, from its card, metadata or files.
    pub name: String,
    /// `safetensors` or `GGUF v3`.
    pub format: String,
    /// Number of parameters.
    pub parameters: u64,
    /// Bytes in the files by element type.
    pub dtypes: BTreeMap<String, u64>,
    /// What kind of tokenizer, if the model came with one.
    pub tokenizer: Option<String>,
    /// Licence as the model states it.
    pub licence: Option<String>,
    /// Names and sizes of the files.
    pub files: Vec<FileInfo>,
    /// Tokens that end a text.
    pub end_tokens: Vec<u32>,
}

/// A model that can be run.
#[derive(Debug)]
pub struct Model {
    /// What it is.
    pub summary: Summary,
    /// The decoder with its weights.
    pub decoder: Decoder,
    /// The tokenizer, if it came with one.
    pub tokenizer: Option<Tokenizer>,
    /// How messages become a prompt, if it came with a chat template.
    pub chat_template: Option<ChatTemplate>,
    pub(crate) gpu: bool,
    pub(crate) adapters: Vec<Attached>,
    pub(crate) next_adapter: usize,
}

/// A model's files with all that was read of them but the weights.
pub type Inspected = (Checkpoint, Summary, Option<Tokenizer>);

/// Reads headers, configuration and tokenizer, and checks that they fit, without reading weights.
pub async fn inspect(files: FileSet) -> Result<Inspected, EngineError> {
    let checkpoint = Checkpoint::open(files).await?;
    if checkpoint.tensors.is_empty() {
        return Err(ModelError::NoTensors.into());
    }
    let (spec, names) = glassbox_model::identify(&checkpoint)?;
    let parameters = glassbox_model::check(&checkpoint, &spec, &names)?;
    let tokenizer = read_tokenizer(&checkpoint)?;
    let summary = summarise(&checkpoint, spec, parameters, tokenizer.as_ref());
    Ok((checkpoint, summary, tokenizer))
}

/// A checkpoint's tokenizer: `tokenizer.json`, or the vocabulary in a GGUF.
pub fn read_tokenizer(checkpoint: &Checkpoint) -> Result<Option<Tokenizer>, EngineError> {
    Ok(Tokenizer::from_files(&checkpoint.tokenizer)?)
}

fn summarise(
    checkpoint: &Checkpoint,
    spec: DecoderSpec,
    parameters: u64,
    tokenizer: Option<&Tokenizer>,
) -> Summary {
    let parts = &checkpoint.tokenizer;
    let kind = match &parts.vocabulary {
        Some(vocabulary) => format!("GGUF vocabulary ({})", vocabulary.model),
        None => "tokenizer.json".to_owned(),
    };
    Summary {
        name: checkpoint.card.name.clone().unwrap_or_else(|| default_name(checkpoint)),
        format: match checkpoint.format {
            Format::Safetensors => "safetensors".to_owned(),
            Format::Gguf { version } => format!("GGUF v{version}"),
        },
        parameters,
        dtypes: order::gather(
            checkpoint.stored_types().into_iter().map(|(name, storage)| (name.to_owned(), storage.bytes)),
        ),
        tokenizer: tokenizer.map(|_| kind),
        licence: checkpoint.card.licence.clone(),
        files: checkpoint.files(),
        end_tokens: end_tokens(checkpoint, tokenizer),
        spec,
    }
}

/// The name of the folder or file the model came in.
fn default_name(checkpoint: &Checkpoint) -> String {
    let files = checkpoint.file_set();
    let weights =
        files.iter().map(|(_, file)| file).max_by_key(|file| file.len()).map_or("", |file| file.name());
    let mut parts = weights.rsplit(['/', '\\']);
    let file = parts.next().unwrap_or_default();
    match (checkpoint.format, parts.next()) {
        (Format::Safetensors, Some(folder)) if !folder.is_empty() => folder.to_owned(),
        _ => file.trim_end_matches(".gguf").trim_end_matches(".safetensors").to_owned(),
    }
}

/// Tokens that end a text: `eos_token_id` (a number or a list) of generation_config.json, else of
/// config.json, and the tokenizer's own.
fn end_tokens(checkpoint: &Checkpoint, tokenizer: Option<&Tokenizer>) -> Vec<u32> {
    let config = match &checkpoint.config {
        Config::Hub(config) => Some(config),
        Config::Gguf(_) => None,
    };
    let stated = [checkpoint.generation_config.as_ref(), config]
        .into_iter()
        .flatten()
        .map(|json| &json["eos_token_id"])
        .find(|value| !value.is_null());
    let as_id = |value: &serde_json::Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let mut ids: Vec<u32> = match stated {
        Some(serde_json::Value::Array(list)) => list.iter().filter_map(as_id).collect(),
        Some(value) => as_id(value).into_iter().collect(),
        None => Vec::new(),
    };
    ids.extend(tokenizer.map(Tokenizer::end_tokens).unwrap_or_default());
    order::sort_by(&mut ids, Ord::cmp);
    ids.dedup();
    ids
}

impl Model {
    /// Opens a model: checks everything that can be checked first, then streams its weights to the device.
    pub async fn open(files: FileSet, device: &OpenDevice, host: &dyn Host) -> Result<Self, EngineError> {
        Self::load(inspect(files).await?, device, host).await
    }

    /// Streams the weights of a model that was inspected to a device.
    pub async fn load(
        (checkpoint, summary, tokenizer): Inspected,
        device: &OpenDevice,
        host: &dyn Host,
    ) -> Result<Self, EngineError> {
        let chat_template = ChatTemplate::from_files(&checkpoint.tokenizer)?;
        let mut progress = |done, total| {
            host.loaded(done, total);
            !host.stopped()
        };
        let decoder = glassbox_model::load(&checkpoint, &device.device, &mut progress).await?;
        let precision = device.precision_for(summary.parameters);
        Ok(Self {
            summary,
            decoder: decoder.with_precision(precision),
            tokenizer,
            chat_template,
            gpu: device.gpu,
            adapters: Vec::new(),
            next_adapter: 0,
        })
    }

    /// Architecture and sizes.
    pub fn spec(&self) -> &DecoderSpec {
        &self.decoder.spec
    }

    /// Whether products round their activations to 16 bits: what the device was opened with, where the
    /// weights are quantised.
    pub fn precision(&self) -> Precision {
        self.decoder.precision()
    }

    /// Runs a token through and throws the result away, so that a GPU's shaders are compiled before
    /// someone waits for them.
    pub async fn warm_up(&self, host: &dyn Host) -> Result<(), EngineError> {
        let settings = crate::SamplerSettings::greedy();
        let mut generation = self.generate(&[0, 0], 2, settings, &[], host).await?;
        while generation.step(host).await?.is_some() {}
        Ok(())
    }

    /// Refuses ids that the model does not have.
    pub fn check_ids(&self, ids: &[u32]) -> Result<(), EngineError> {
        let vocab = self.spec().vocab;
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => Err(ModelError::TokenRange { id: *id, vocab }.into()),
            None => Ok(()),
        }
    }

    /// A token as people see it; its id where there is no tokenizer.
    pub fn shown(&self, id: u32) -> String {
        match self.tokenizer.as_ref().and_then(|tokenizer| tokenizer.token(id)) {
            Some(piece) => glassbox_text::display(&piece.bytes),
            None => id.to_string(),
        }
    }

    /// Splits a text into tokens.
    pub fn tokenize(&self, text: &str, special: Special) -> Result<Vec<u32>, EngineError> {
        let tokenizer = self.tokenizer.as_ref().ok_or(EngineError::NoTokenizer)?;
        Ok(tokenizer.encode(text, special)?)
    }
}
