//! The family tree: what each architecture is made of, in words, read off its table.

use glassbox_formats::Config;
use serde_json::json;

use crate::{
    Activation, BlockSpec, ConfigReader, DecoderSpec, Mixer, ModelError, NormKind, Pairing, Placement,
    Positions, QkNorm, Wiring, architectures::ARCHITECTURES,
};

/// An architecture in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `model_type` in config.json.
    pub name: &'static str,
    /// `general.architecture` in a GGUF of its own; none where llama.cpp has none.
    pub gguf: Option<&'static str>,
    /// Models that have it.
    pub models: &'static str,
    /// Kind and place of its norms.
    pub norm: String,
    /// How positions enter.
    pub positions: String,
    /// Attention.
    pub attention: String,
    /// The MLP and how it is wired.
    pub mlp: String,
}

/// All known architectures, as they are where config.json says nothing but sizes.
pub fn describe() -> Result<Vec<Description>, ModelError> {
    let layers = 12;
    // Every spelling of the sizes, so that every table finds its own.
    let config = Config::Hub(json!({
        "vocab_size": 256, "word_embed_proj_dim": 64,
        "hidden_size": 64, "n_embd": 64, "d_model": 64,
        "num_hidden_layers": layers, "num_layers": layers, "n_layer": layers, "n_layers": layers,
        "num_attention_heads": 8, "num_heads": 8, "n_head": 8, "n_heads": 8,
        // A hybrid without it would be none.
        "full_attn_idxs": [2, 5, 8, 10],
    }));
    let reader = ConfigReader::new(&config);
    let describe = |architecture: &'static crate::architectures::Architecture| {
        let spec = (architecture.hub)(&reader)?;
        Ok(Description {
            name: architecture.name,
            gguf: architecture.gguf.as_ref().map(|form| form.name),
            models: architecture.models,
            norm: norm(&spec),
            positions: positions(&spec),
            attention: attention(&spec),
            mlp: mlp(&spec),
        })
    };
    ARCHITECTURES.iter().map(describe).collect()
}

/// The page `docs/architectures.md`.
pub fn markdown() -> Result<String, ModelError> {
    let mut page = String::from(
        "# Architectures\n\n\
         Made from the tables by `glassbox architectures --markdown`; a test fails where it is out of date.\n\n\
         Each row is what an architecture is where its config.json says nothing but sizes: grouped heads, biases, \
         windows and rotary scaling (linear, dynamic, Llama 3, YaRN, LongRoPE) follow the file.\n\n\
         | `model_type` | GGUF | models | norm | positions | attention | MLP |\n|---|---|---|---|---|---|---|\n",
    );
    for row in describe()? {
        let Description { name, gguf, models, norm, positions, attention, mlp } = row;
        let gguf = gguf.map_or("-".to_owned(), |name| format!("`{name}`"));
        page.push_str(&format!(
            "| `{name}` | {gguf} | {models} | {norm} | {positions} | {attention} | {mlp} |\n"
        ));
    }
    Ok(page)
}

fn norm(spec: &DecoderSpec) -> String {
    let mut words = vec![match spec.norm.kind {
        NormKind::Rms => "RMS",
        NormKind::Layer if spec.norm.bias => "layer",
        NormKind::Layer if spec.norm.weight => "layer without bias",
        NormKind::Layer => "layer without weights",
    }];
    words.push(match spec.placement {
        Placement::Pre => "before",
        Placement::Post => "after",
        Placement::Both => "before and after",
    });
    if spec.embed_norm {
        words.push("and on embeddings");
    }
    words.join(" ")
}

fn positions(spec: &DecoderSpec) -> String {
    let variants = match &spec.positions {
        Positions::Learned { .. } => return "learned".to_owned(),
        Positions::Alibi(_) => return "ALiBi".to_owned(),
        Positions::Rotary(variants) => variants,
    };
    let mut words = vec!["rotary".to_owned()];
    if let Some(first) = variants.first() {
        if first.dims < spec.head_dim {
            words.push(format!("on {} % of a head", 100 * first.dims / spec.head_dim));
        }
        if first.pairing == Pairing::Neighbours {
            words.push("between neighbours".to_owned());
        }
    }
    if variants.len() > 1 {
        words.push("with two bases".to_owned());
    }
    let attends = |block: &&BlockSpec| block.mixer == Mixer::Attention;
    if spec.blocks.iter().filter(attends).any(|block| block.rotary.is_none()) {
        words.push("in some blocks".to_owned());
    }
    words.join(" ")
}

fn attention(spec: &DecoderSpec) -> String {
    let attention = &spec.attention;
    let convolution;
    let mut words = Vec::new();
    match spec.kv_heads {
        1 => words.push("one key and value head"),
        _ => words.push("full"),
    }
    let windows = spec.blocks.iter().filter(|block| block.window.is_some()).count();
    match windows {
        0 => {}
        all if all == spec.layers => words.push("sliding window"),
        _ => words.push("sliding window in some blocks"),
    }
    if let Some(table) = spec.convolution {
        words[0] = "in some blocks";
        convolution = format!("gated convolution over {} positions in the others", table.width);
        words.push(&convolution);
    }
    match attention.qk_norm {
        Some(QkNorm::Head | QkNorm::OwnHead) => words.push("norm of queries and keys by head"),
        Some(QkNorm::Width) => words.push("norm of all queries and keys"),
        None => {}
    }
    match (attention.qkv_bias, attention.output_bias) {
        (true, true) => words.push("biases"),
        (true, false) => words.push("biases on queries, keys and values"),
        (false, true) => words.push("bias on the output"),
        (false, false) => {}
    }
    if attention.soft_cap.is_some() {
        words.push("soft-cap");
    }
    if (attention.scale - crate::inverse_root(spec.head_dim)).abs() > 1e-6 {
        words.push("scale of its own");
    }
    words.join(", ")
}

fn mlp(spec: &DecoderSpec) -> String {
    let activation = match spec.mlp.activation {
        Activation::Silu => "SiLU",
        Activation::GeluTanh => "GELU (tanh)",
        Activation::Gelu => "GELU",
        Activation::Relu => "ReLU",
    };
    let mut words = vec![if spec.mlp.gated { format!("gated {activation}") } else { activation.to_owned() }];
    if let Some(experts) = &spec.mlp.experts {
        words.push(format!("{} of {} experts", experts.active, experts.count));
    }
    if spec.mlp.bias {
        words.push("biases".to_owned());
    }
    if spec.wiring != Wiring::Sequential {
        words.push("parallel to attention".to_owned());
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_current() {
        let page = include_str!("../../../docs/architectures.md");
        assert_eq!(
            page,
            markdown().unwrap(),
            "run `glassbox architectures --markdown > docs/architectures.md`"
        );
    }

    #[test]
    fn names_are_unique() {
        let all = describe().unwrap();
        for (index, one) in all.iter().enumerate() {
            for other in &all[..index] {
                assert_ne!(one.name, other.name);
                assert!(one.gguf.is_none() || one.gguf != other.gguf, "{} and {}", one.name, other.name);
            }
        }
    }
}
