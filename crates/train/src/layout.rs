//! What the house model's tensors are called: in the decoder, on the hub and in a GGUF file.

use glassbox_engine::EngineError;
use glassbox_formats::{Checkpoint, FileSet, MemorySource};
use glassbox_model::{Decoder, ModelError};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

use crate::{Recipe, SEPARATOR, Shape, TrainError};

/// Added to the variance in every norm.
pub const RMS_NORM_EPS: f64 = 1e-5;

/// A tensor's names and shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In the decoder ([`glassbox_model::WeightMap`]).
    pub name: String,
    /// In `model.safetensors`.
    pub hub: String,
    /// In `model.gguf`.
    pub gguf: String,
    /// `[size]` or `[out_features, in_features]`.
    pub shape: Vec<usize>,
}

/// All tensors, in the decoder's order.
pub fn table(shape: &Shape) -> Vec<Entry> {
    let Shape { hidden_size: hidden, intermediate_size: inner, head_dim, .. } = *shape;
    let (query, kv) = (shape.num_attention_heads * head_dim, shape.num_key_value_heads * head_dim);
    let entry = |name: &str, hub: &str, gguf: &str, shape: &[usize]| Entry {
        name: format!("{name}.weight"),
        hub: format!("model.{hub}.weight"),
        gguf: format!("{gguf}.weight"),
        shape: shape.to_vec(),
    };
    let mut all = vec![entry("embed", "embed_tokens", "token_embd", &[shape.vocab_size, hidden])];
    for i in 0..shape.num_hidden_layers {
        let mut part = |name: &str, hub: &str, gguf: &str, shape: &[usize]| {
            let (name, hub) = (format!("blocks.{i}.{name}"), format!("layers.{i}.{hub}"));
            all.push(entry(&name, &hub, &format!("blk.{i}.{gguf}"), shape));
        };
        part("attn_norm", "input_layernorm", "attn_norm", &[hidden]);
        part("q", "self_attn.q_proj", "attn_q", &[query, hidden]);
        part("k", "self_attn.k_proj", "attn_k", &[kv, hidden]);
        part("v", "self_attn.v_proj", "attn_v", &[kv, hidden]);
        part("o", "self_attn.o_proj", "attn_output", &[hidden, query]);
        part("mlp_norm", "post_attention_layernorm", "ffn_norm", &[hidden]);
        part("gate", "mlp.gate_proj", "ffn_gate", &[inner, hidden]);
        part("up", "mlp.up_proj", "ffn_up", &[inner, hidden]);
        part("down", "mlp.down_proj", "ffn_down", &[hidden, inner]);
    }
    all.push(entry("final_norm", "norm", "output_norm", &[hidden]));
    all
}

/// `config.json`, as HF transformers' `LlamaConfig` reads it.
pub fn config(recipe: &Recipe, separator: u32) -> Value {
    let shape = &recipe.shape;
    json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": separator,
        "dtype": "float16",
        "eos_token_id": separator,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.max_position_embeddings,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": shape.num_attention_heads,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_key_value_heads": shape.num_key_value_heads,
        "pretraining_tp": 1,
        "rms_norm_eps": RMS_NORM_EPS,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": true,
        "use_cache": true,
        "vocab_size": shape.vocab_size,
    })
}

/// `generation_config.json`.
pub fn generation_config(separator: u32) -> Value {
    json!({ "_from_model_config": true, "bos_token_id": separator, "eos_token_id": separator })
}

/// `tokenizer_config.json`.
pub fn tokenizer_config(recipe: &Recipe) -> Value {
    json!({
        "add_prefix_space": false,
        "bos_token": SEPARATOR,
        "clean_up_tokenization_spaces": false,
        "eos_token": SEPARATOR,
        "model_max_length": recipe.shape.max_position_embeddings,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": null,
    })
}

/// A `model.safetensors` with hub names; `values` in the table's order.
///
/// # Errors
/// [`TrainError::Recipe`] where values and shapes do not fit.
pub fn safetensors(entries: &[Entry], dtype: Dtype, values: &[Vec<f32>]) -> Result<Vec<u8>, TrainError> {
    let bytes: Vec<Vec<u8>> = values
        .iter()
        .map(|values| match dtype {
            Dtype::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        })
        .collect();
    let wrong = |error: safetensors::SafeTensorError| TrainError::Recipe { problem: error.to_string() };
    let views = entries
        .iter()
        .zip(&bytes)
        .map(|(entry, bytes)| Ok((&entry.hub, TensorView::new(dtype, entry.shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(wrong)?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    safetensors::serialize(views, Some(metadata)).map_err(wrong)
}

/// The decoder of a recipe, with zeros for weights: opened as any model is, from its own files.
///
/// # Errors
/// Where the engine refuses what the recipe describes.
pub async fn blank(recipe: &Recipe) -> Result<Decoder, TrainError> {
    let entries = table(&recipe.shape);
    let zeros: Vec<Vec<f32>> = entries.iter().map(|e| vec![0.0; e.shape.iter().product()]).collect();
    let mut files = FileSet::new();
    files.push(MemorySource::new("model/model.safetensors", safetensors(&entries, Dtype::F32, &zeros)?));
    files.push(MemorySource::new("model/config.json", config(recipe, 0).to_string().into_bytes()));
    let open = async {
        let checkpoint = Checkpoint::open(files).await.map_err(ModelError::from)?;
        glassbox_model::load(&checkpoint, &glassbox_engine::device::cpu().device, &mut |_, _| true).await
    };
    open.await.map_err(|error| EngineError::from(error).into())
}
