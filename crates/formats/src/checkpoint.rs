//! Opening a model: its headers, configuration and tokenizer, and ranges of its tensors.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::card::{self, Card};
use crate::content::Content;
use crate::dtype::UnsupportedTensor;
use crate::order::gather;
use crate::safetensors::ShardIndex;
use crate::select::{self, Weights};
use crate::shards::{check_index, find_shards, read_index, read_shards, refuse_accident, weights_content};
use crate::source::{base_name, folder};
use crate::{ByteSource, FileSet, FormatError, TensorInfo, f8, gguf, quantisation};

/// Caps on the files that are read whole, in bytes.
const MAX_JSON_BYTES: u64 = 8 << 20;
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;
const MAX_CARD_BYTES: u64 = 1 << 20;

/// How the weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One or more safetensors files.
    Safetensors,
    /// One GGUF file, or the parts of a split one.
    Gguf {
        /// Version of the format: 2 or 3.
        version: u32,
    },
}

/// What says how to run the weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Config {
    /// The hub's `config.json`: always a JSON object.
    Hub(Value),
    /// GGUF metadata, without the lists of the vocabulary (see [`TokenizerFiles::vocabulary`]).
    Gguf(gguf::Metadata),
}

/// What there is of a tokenizer, unparsed. A model without one still opens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenizerFiles {
    /// `tokenizer.json`, whole.
    pub json: Option<Vec<u8>>,
    /// `tokenizer_config.json`: always a JSON object.
    pub config: Option<Value>,
    /// `chat_template.jinja`, which newer repositories keep outside `tokenizer_config.json`.
    pub chat_template: Option<String>,
    /// `additional_chat_templates/NAME.jinja` by name.
    pub additional_chat_templates: Vec<(String, String)>,
    /// The vocabulary of a GGUF file.
    pub vocabulary: Option<gguf::Vocabulary>,
}

/// Name and size of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Base name.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// What is stored in one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Storage {
    /// Number of tensors.
    pub tensors: u64,
    /// Number of elements.
    pub elements: u64,
    /// Size in bytes.
    pub bytes: u64,
}

/// An opened model: everything but the tensors' data, which is read on demand.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// How the weights are stored.
    pub format: Format,
    /// The tensors that can be read, by name. Empty for a GGUF file with only a vocabulary.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// Tensors of other types, by name: buffers such as masks and position ids.
    pub unsupported: BTreeMap<String, UnsupportedTensor>,
    /// What says how to run the weights.
    pub config: Config,
    /// `generation_config.json`: always a JSON object.
    pub generation_config: Option<Value>,
    /// What there is of a tokenizer.
    pub tokenizer: TokenizerFiles,
    /// What the model card says.
    pub card: Card,
    files: FileSet,
    used: BTreeSet<usize>,
}

impl Checkpoint {
    /// Finds the model among `files` and reads its headers and small files.
    ///
    /// Understands one safetensors file, shards with or without their index, one GGUF file, and the
    /// parts of a split one; for safetensors `config.json` must be beside them. `tokenizer.json`,
    /// `tokenizer_config.json`, `chat_template.jinja`, `additional_chat_templates/`,
    /// `generation_config.json` and `README.md` are read where they are there.
    ///
    /// # Errors
    /// A [`FormatError`] that names the first fault found.
    pub async fn open(files: FileSet) -> Result<Self, FormatError> {
        match select::weights(&files).await? {
            Weights::Single(file) => match weights_content(&files, file).await? {
                Content::Gguf => Self::open_gguf(files, &[file]).await,
                _ => Self::open_hub(files, &[file], None).await,
            },
            Weights::Parts(parts) => Self::open_gguf(files, &parts).await,
            Weights::Shards(shards) => Self::open_hub(files, &shards, None).await,
            Weights::Indexed(file) => {
                let index = read_index(&files, file).await?;
                let shards = find_shards(&files, file, &index)?;
                Self::open_hub(files, &shards, Some((file, index))).await
            }
        }
    }

    async fn open_gguf(files: FileSet, candidates: &[usize]) -> Result<Self, FormatError> {
        let (mut header, parts) = gguf::read_model(&files, candidates).await?;
        let card = Card::from_gguf(&header.metadata);
        let vocabulary = gguf::Vocabulary::take(&mut header.metadata)?;
        let first = parts.first().copied().unwrap_or(0);
        if header.metadata.get::<&str>("general.type")? == Some("adapter") {
            let file = files.get(first).map_or_else(String::new, |file| file.name().to_owned());
            return Err(FormatError::AdapterAlone { file });
        }
        let mut used: BTreeSet<usize> = gather(parts);
        let tokenizer = if vocabulary.is_some() {
            TokenizerFiles { vocabulary, ..TokenizerFiles::default() }
        } else {
            TokenizerFiles::read(&files, first, &mut used).await?
        };
        Ok(Self {
            format: Format::Gguf { version: header.version },
            tensors: gather(header.tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor))),
            unsupported: gather(header.unsupported.into_iter().map(|tensor| (tensor.name.clone(), tensor))),
            config: Config::Gguf(header.metadata),
            generation_config: None,
            tokenizer,
            card,
            files,
            used,
        })
    }

    async fn open_hub(
        files: FileSet,
        shards: &[usize],
        index: Option<(usize, ShardIndex)>,
    ) -> Result<Self, FormatError> {
        let (mut tensors, unsupported) = read_shards(&files, shards).await?;
        if let Some((file, index)) = &index {
            check_index(&files, *file, index, &tensors, &unsupported)?;
        }
        let first = shards.first().copied().unwrap_or(0);
        let mut used: BTreeSet<usize> = gather(shards.iter().copied().chain(index.map(|(file, _)| file)));
        let Some(config) = read_object(&files, first, "config.json", &mut used).await? else {
            let file = files.get(first).map_or_else(String::new, |file| file.name().to_owned());
            return Err(FormatError::MissingConfig { file });
        };
        let scaled = quantisation::of(&config)?;
        f8::pair_scales(&mut tensors, &unsupported, scaled)?;
        let generation_config = read_object(&files, first, "generation_config.json", &mut used).await?;
        let tokenizer = TokenizerFiles::read(&files, first, &mut used).await?;
        let card = card::read(&files, first, MAX_CARD_BYTES, &mut used).await;
        Ok(Self {
            format: Format::Safetensors,
            tensors,
            unsupported,
            config: Config::Hub(config),
            generation_config,
            tokenizer,
            card,
            files,
            used,
        })
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`FormatError::TensorMissing`], or [`FormatError::UnsupportedDType`] where it is there in a
    /// type that cannot be computed with.
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo, FormatError> {
        if let Some(tensor) = self.tensors.get(name) {
            return Ok(tensor);
        }
        Err(match self.unsupported.get(name) {
            Some(tensor) => FormatError::UnsupportedDType {
                file: self.files.get(tensor.file).map_or_else(String::new, |file| file.name().to_owned()),
                tensor: name.to_owned(),
                dtype: tensor.dtype.clone(),
                tensors: self.unsupported.values().filter(|other| other.dtype == tensor.dtype).count(),
            },
            None => FormatError::TensorMissing {
                tensor: name.to_owned(),
                count: self.tensors.len() + self.unsupported.len(),
            },
        })
    }

    /// Bytes `[offset, offset + len)` of a tensor's data in its type ([`TensorInfo::dtype`]).
    ///
    /// That is as stored, but for 8-bit floats, which are widened here.
    ///
    /// # Errors
    /// [`FormatError::OutOfTensor`] where the range is not in the tensor, [`FormatError::Source`]
    /// where it cannot be read.
    pub async fn read(&self, tensor: &TensorInfo, offset: u64, len: usize) -> Result<Vec<u8>, FormatError> {
        tensor.read(&self.files, offset, len).await
    }

    /// Number of elements in all tensors that can be read (the hub's "parameters").
    pub fn parameters(&self) -> u64 {
        self.stored_types().values().fold(0, |sum, storage| sum.saturating_add(storage.elements))
    }

    /// Size of all tensors that can be read, as stored, in bytes.
    pub fn weight_bytes(&self) -> u64 {
        self.stored_types().values().fold(0, |sum, storage| sum.saturating_add(storage.bytes))
    }

    /// How much is stored in each type, by the type's name in the file.
    pub fn stored_types(&self) -> BTreeMap<&'static str, Storage> {
        let mut types: BTreeMap<&str, Storage> = BTreeMap::new();
        for tensor in self.tensors.values() {
            let storage = types.entry(tensor.stored_type()).or_default();
            storage.tensors += 1;
            storage.elements = storage.elements.saturating_add(tensor.elements());
            storage.bytes = storage.bytes.saturating_add(tensor.stored_bytes());
        }
        types
    }

    /// The files that belong to the model, weights and companions, in the order they were opened.
    pub fn files(&self) -> Vec<FileInfo> {
        let info =
            |file: &dyn ByteSource| FileInfo { name: base_name(file.name()).to_owned(), bytes: file.len() };
        self.used.iter().filter_map(|&i| self.files.get(i)).map(info).collect()
    }

    /// All files that were opened, those that the model does not use among them.
    pub fn file_set(&self) -> &FileSet {
        &self.files
    }
}

impl TokenizerFiles {
    /// Reads the tokenizer files beside file `index` of `files`, adding those found to `used`.
    ///
    /// # Errors
    /// [`FormatError`] where one is there but is something else, too large, or not JSON.
    pub async fn read(
        files: &FileSet,
        index: usize,
        used: &mut BTreeSet<usize>,
    ) -> Result<Self, FormatError> {
        let json = read_beside(files, index, "tokenizer.json", MAX_TOKENIZER_BYTES, used).await?;
        let config = read_object(files, index, "tokenizer_config.json", used).await?;
        let template = read_beside(files, index, "chat_template.jinja", MAX_CARD_BYTES, used).await?;
        let chat_template = template.map(|bytes| text("chat_template.jinja", bytes)).transpose()?;
        let additional_chat_templates = additional_chat_templates(files, index, used).await?;
        Ok(Self { json, config, chat_template, additional_chat_templates, vocabulary: None })
    }
}

/// The templates in the folder beside file `index` that the hub keeps them in.
async fn additional_chat_templates(
    files: &FileSet,
    index: usize,
    used: &mut BTreeSet<usize>,
) -> Result<Vec<(String, String)>, FormatError> {
    let here =
        files.get(index).map_or("", |file| folder(file.name())).to_owned() + "additional_chat_templates/";
    let named = files.iter().filter_map(|(file, source)| {
        let name = source.name().strip_prefix(&here)?.strip_suffix(".jinja")?;
        Some((file, name.to_owned())).filter(|(_, name)| !name.contains('/'))
    });
    let named: Vec<(usize, String)> = named.collect();
    let mut templates = Vec::with_capacity(named.len());
    for (file, name) in named {
        let bytes = files.read_small(file, MAX_CARD_BYTES).await?;
        refuse_accident(&name, &bytes)?;
        used.insert(file);
        let source = text(&format!("{name}.jinja"), bytes)?;
        templates.push((name, source));
    }
    Ok(templates)
}

/// The bytes of the file called `name` beside file `index`, where there is one.
async fn read_beside(
    files: &FileSet,
    index: usize,
    name: &str,
    cap: u64,
    used: &mut BTreeSet<usize>,
) -> Result<Option<Vec<u8>>, FormatError> {
    let Some(file) = files.find_beside(index, name) else {
        return Ok(None);
    };
    let bytes = files.read_small(file, cap).await?;
    refuse_accident(files.get(file).map_or(name, ByteSource::name), &bytes)?;
    used.insert(file);
    Ok(Some(bytes))
}

async fn read_object(
    files: &FileSet,
    index: usize,
    name: &str,
    used: &mut BTreeSet<usize>,
) -> Result<Option<Value>, FormatError> {
    let Some(bytes) = read_beside(files, index, name, MAX_JSON_BYTES, used).await? else {
        return Ok(None);
    };
    let invalid = |message: String| FormatError::InvalidJson { file: name.to_owned(), message };
    // Editors on Windows put a byte order mark before JSON.
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match serde_json::from_slice(json) {
        Ok(object @ Value::Object(_)) => Ok(Some(object)),
        Ok(_) => Err(invalid("it is not a JSON object".to_owned())),
        Err(error) => Err(invalid(error.to_string())),
    }
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, FormatError> {
    String::from_utf8(bytes)
        .map_err(|error| FormatError::InvalidJson { file: name.to_owned(), message: error.to_string() })
}
