//! Writes `model.gguf`: the format's third version, as llama.cpp's converter lays a Llama out.
//!
//! Source: the format's description in ggml's `docs/gguf.md`.

use serde_json::Value as Json;

use crate::{Recipe, TrainError, layout::Entry};

/// Bytes that tensors' data is aligned to.
const ALIGNMENT: usize = 32;
/// Weights in a block of Q8_0.
const BLOCK: usize = 32;
/// `general.file_type` of files whose matrices are Q8_0.
const MOSTLY_Q8_0: u32 = 7;
/// Numbers of the tensor types.
const F32: u32 = 0;
const Q8_0: u32 = 8;
/// `tokenizer.ggml.token_type`.
const NORMAL: u32 = 1;
const CONTROL: u32 = 3;

/// A metadata value.
enum Value<'a> {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(&'a str),
    Texts(Vec<&'a str>),
    I32s(Vec<u32>),
}

/// The file's bytes. `entries` and `values` as in [`crate::layout::table`]; `tokenizer` is the parsed
/// `tokenizer.json`, a byte-level BPE.
///
/// # Errors
/// [`TrainError::Tokenizer`] where the tokenizer is of another kind.
pub fn write(
    recipe: &Recipe,
    licence: &str,
    entries: &[Entry],
    values: &[Vec<f32>],
    tokenizer: &Json,
) -> Result<Vec<u8>, TrainError> {
    let vocabulary = Vocabulary::read(tokenizer)?;
    let metadata = metadata(recipe, licence, &vocabulary);
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend((entries.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in &metadata {
        text(&mut out, key);
        value.write(&mut out);
    }
    let mut data = Vec::new();
    for (entry, values) in entries.iter().zip(values) {
        text(&mut out, &entry.gguf);
        out.extend((entry.shape.len() as u32).to_le_bytes());
        // The innermost dimension first.
        entry.shape.iter().rev().for_each(|size| out.extend((*size as u64).to_le_bytes()));
        let (kind, bytes) = if entry.shape.len() == 2 {
            (Q8_0, q8_0(&in_file_order(recipe, entry, values)))
        } else {
            (F32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        };
        out.extend(kind.to_le_bytes());
        out.extend((data.len() as u64).to_le_bytes());
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out.extend(data);
    Ok(out)
}

fn metadata<'a>(
    recipe: &'a Recipe,
    licence: &'a str,
    vocabulary: &'a Vocabulary,
) -> Vec<(&'a str, Value<'a>)> {
    let shape = &recipe.shape;
    let size = |size: usize| Value::U32(size as u32);
    vec![
        ("general.architecture", Value::Text("llama")),
        ("general.type", Value::Text("model")),
        ("general.name", Value::Text(&recipe.name)),
        ("general.license", Value::Text(licence)),
        ("general.alignment", size(ALIGNMENT)),
        ("general.file_type", Value::U32(MOSTLY_Q8_0)),
        ("general.quantization_version", Value::U32(2)),
        ("llama.vocab_size", size(shape.vocab_size)),
        ("llama.context_length", size(shape.max_position_embeddings)),
        ("llama.embedding_length", size(shape.hidden_size)),
        ("llama.block_count", size(shape.num_hidden_layers)),
        ("llama.feed_forward_length", size(shape.intermediate_size)),
        ("llama.attention.head_count", size(shape.num_attention_heads)),
        ("llama.attention.head_count_kv", size(shape.num_key_value_heads)),
        ("llama.attention.key_length", size(shape.head_dim)),
        ("llama.attention.value_length", size(shape.head_dim)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(crate::layout::RMS_NORM_EPS as f32)),
        ("llama.rope.dimension_count", size(shape.head_dim)),
        ("llama.rope.freq_base", Value::F32(shape.rope_theta as f32)),
        ("tokenizer.ggml.model", Value::Text("gpt2")),
        ("tokenizer.ggml.pre", Value::Text("gpt-2")),
        ("tokenizer.ggml.tokens", Value::Texts(vocabulary.tokens.iter().map(String::as_str).collect())),
        ("tokenizer.ggml.token_type", Value::I32s(vocabulary.types.clone())),
        ("tokenizer.ggml.merges", Value::Texts(vocabulary.merges.iter().map(String::as_str).collect())),
        ("tokenizer.ggml.bos_token_id", Value::U32(vocabulary.separator)),
        ("tokenizer.ggml.eos_token_id", Value::U32(vocabulary.separator)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(true)),
    ]
}

impl Value<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let mut number = |number: u32| out.extend(number.to_le_bytes());
        match self {
            Self::U32(value) => {
                number(4);
                number(*value);
            }
            Self::F32(value) => {
                number(6);
                number(value.to_bits());
            }
            Self::Bool(value) => {
                number(7);
                out.push(u8::from(*value));
            }
            Self::Text(value) => {
                number(8);
                text(out, value);
            }
            Self::Texts(values) => {
                number(9);
                number(8);
                out.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| text(out, value));
            }
            Self::I32s(values) => {
                number(9);
                number(5);
                out.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| out.extend(value.to_le_bytes()));
            }
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The rows in llama.cpp's order: in Q and K the two rows of a rotary pair stand side by side, where the
/// hub has the first halves of all pairs before the second.
fn in_file_order(recipe: &Recipe, entry: &Entry, values: &[f32]) -> Vec<f32> {
    if !entry.name.ends_with(".q.weight") && !entry.name.ends_with(".k.weight") {
        return values.to_vec();
    }
    let (width, head_dim) = (entry.shape[1], recipe.shape.head_dim);
    let mut out = Vec::with_capacity(values.len());
    for row in 0..entry.shape[0] {
        let (head, inside) = (row / head_dim, row % head_dim);
        let source = head * head_dim + inside / 2 + inside % 2 * (head_dim / 2);
        out.extend_from_slice(&values[source * width..(source + 1) * width]);
    }
    out
}

/// Blocks of 32 weights: a scale in f16 and 32 integers, as ggml's reference quantises them.
pub fn q8_0(values: &[f32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() / BLOCK * (BLOCK + 2));
    for block in values.chunks_exact(BLOCK) {
        let largest = block.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / 127.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        out.extend(half::f16::from_f32(scale).to_le_bytes());
        out.extend(block.iter().map(|value| (value * inverse).round() as i8 as u8));
    }
    out
}

/// What a GGUF file says of a byte-level BPE.
struct Vocabulary {
    tokens: Vec<String>,
    types: Vec<u32>,
    merges: Vec<String>,
    separator: u32,
}

impl Vocabulary {
    fn read(tokenizer: &Json) -> Result<Self, TrainError> {
        let wrong = |what: &str| TrainError::Tokenizer(format!("tokenizer.json: {what}"));
        let model = &tokenizer["model"];
        let vocab = model["vocab"].as_object().ok_or_else(|| wrong("no vocabulary"))?;
        let mut tokens = vec![String::new(); vocab.len()];
        for (token, id) in vocab {
            let place = id.as_u64().and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
            *place.ok_or_else(|| wrong("its ids have gaps"))? = token.clone();
        }
        let merges = model["merges"].as_array().ok_or_else(|| wrong("no merges"))?;
        let merges = merges
            .iter()
            .map(|merge| Some(format!("{} {}", merge[0].as_str()?, merge[1].as_str()?)))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| wrong("merges are not pairs"))?;
        let separator = vocab.get(crate::SEPARATOR).and_then(Json::as_u64);
        let separator = separator.ok_or_else(|| wrong("no separator"))? as u32;
        let types =
            (0..tokens.len() as u32).map(|id| if id == separator { CONTROL } else { NORMAL }).collect();
        Ok(Self { tokens, types, merges, separator })
    }
}
