//! LoRA adapters: what is read, and everything that would make the numbers wrong is refused by name.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{CONFIG, Gguf, Random, files, safetensors};
use futures_lite::future::block_on;
use glassbox_formats::{Adapter, AdapterNames, Checkpoint, FormatError};

/// Tensors of F32 with these names and shapes.
fn weights(tensors: &[(&str, [u64; 2])]) -> Vec<u8> {
    let mut offset = 0;
    let entry = |(name, shape): &(&str, [u64; 2])| {
        let start = offset;
        offset += shape[0] * shape[1] * 4;
        format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{offset}]}}"#)
    };
    let entries: Vec<String> = tensors.iter().map(entry).collect();
    safetensors(&format!("{{{}}}", entries.join(",")), offset as usize)
}

const Q: &str = "base_model.model.model.layers.0.self_attn.q_proj";
const UP: &str = "base_model.model.model.layers.1.mlp.up_proj";

fn two() -> Vec<u8> {
    weights(&[
        (&format!("{Q}.lora_A.weight"), [2, 3]),
        (&format!("{Q}.lora_B.weight"), [4, 2]),
        (&format!("{UP}.lora_A.weight"), [2, 3]),
        (&format!("{UP}.lora_B.weight"), [5, 2]),
    ])
}

fn open(config: &str, weights: Vec<u8>) -> Result<Adapter, FormatError> {
    block_on(Adapter::open(files([
        ("a/adapter_config.json", config.into()),
        ("a/adapter_model.safetensors", weights),
    ])))
}

fn code(result: Result<Adapter, FormatError>) -> &'static str {
    match result {
        Ok(_) => "opened",
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.hint().is_empty());
            error.code()
        }
    }
}

/// The scales of Q and UP under a configuration.
fn scales(settings: &str) -> [f32; 2] {
    let config = format!(r#"{{"peft_type": "LORA", "r": 2{settings}}}"#);
    let adapter = open(&config, two()).unwrap_or_else(|error| panic!("{settings}: {error}"));
    [adapter.terms[0].scale, adapter.terms[1].scale]
}

#[test]
fn peft_adapters_are_read() {
    let config = r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 3, "bias": "none", "use_dora": false,
        "modules_to_save": null, "init_lora_weights": true, "base_model_name_or_path": "some/model",
        "target_modules": ["q_proj", "up_proj"], "rank_pattern": {}, "loftq_config": {}}"#;
    let adapter = open(config, two()).unwrap();
    assert_eq!((adapter.name.as_str(), adapter.base.as_deref()), ("a", Some("some/model")));
    assert_eq!((adapter.names, adapter.parameters()), (AdapterNames::Hub, 6 + 8 + 6 + 10));
    let [q, up] = adapter.terms.as_slice() else { panic!("{} terms", adapter.terms.len()) };
    assert_eq!(
        (q.target.as_str(), up.target.as_str()),
        ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj")
    );
    assert_eq!((q.rank(), q.a.shape.as_slice(), q.b.shape.as_slice()), (2, &[2, 3][..], &[4, 2][..]));
    assert_eq!(block_on(adapter.values(&up.b)).unwrap().len(), 10);
}

#[test]
fn scales_are_peft_s() {
    assert_eq!(scales(""), [4.0, 4.0]);
    assert_eq!(scales(r#", "lora_alpha": 3"#), [1.5, 1.5]);
    let root = (3.0 / 2f64.sqrt()) as f32;
    assert_eq!(scales(r#", "lora_alpha": 3, "use_rslora": true"#), [root, root]);
    for key in [
        "q_proj",
        "self_attn.q_proj",
        "model.layers.0.self_attn.q_proj",
        "^model.layers.0.self_attn.q_proj",
        "q_proj$",
        r"layers\\.0\\.self_attn\\.q_proj",
    ] {
        assert_eq!(scales(&format!(r#", "alpha_pattern": {{"{key}": 10}}"#)), [5.0, 4.0], "{key}");
    }
    for key in ["proj", "^q_proj", "layers.1.self_attn.q_proj", "xmodel.layers.0.self_attn.q_proj"] {
        assert_eq!(scales(&format!(r#", "alpha_pattern": {{"{key}": 10}}"#)), [4.0, 4.0], "{key}");
    }
    // The first of two that match; dots match any character, as in PEFT.
    assert_eq!(scales(r#", "alpha_pattern": {"mlp.up_proj": 2, "up_proj": 6}"#), [4.0, 1.0]);
    assert_eq!(scales(r#", "alpha_pattern": {"up_proj": 6, "mlp.up_proj": 2}"#), [4.0, 3.0]);
    assert_eq!(scales(r#", "alpha_pattern": {"mlp.up.proj": 2}"#), [4.0, 1.0]);
    assert_eq!(scales(r#", "rank_pattern": {"q_proj": 2}, "alpha_pattern": null"#), [4.0, 4.0]);
}

#[test]
fn what_would_compute_otherwise_is_refused() {
    for settings in [
        r#""use_dora": true"#,
        r#""modules_to_save": ["lm_head"]"#,
        r#""bias": "all""#,
        r#""bias": "lora_only""#,
        r#""lora_bias": true"#,
        r#""use_qalora": true"#,
        r#""layer_replication": [[0, 2]]"#,
        r#""trainable_token_indices": [5]"#,
        r#""target_parameters": ["mlp.experts.gate_up_proj"]"#,
        r#""alora_invocation_tokens": [1, 2]"#,
        r#""init_lora_weights": "pissa""#,
        r#""init_lora_weights": "loftq""#,
        r#""alpha_pattern": {"layers.(0|1).*": 4}"#,
        r#""peft_type": "IA3""#,
        r#""peft_type": "PREFIX_TUNING""#,
        r#""peft_type": null"#,
    ] {
        let kind = if settings.contains("peft_type") { "" } else { r#""peft_type": "LORA", "# };
        let error = open(&format!("{{{kind}\"r\": 2, {settings}}}"), two()).unwrap_err();
        assert_eq!(error.code(), "adapter_feature", "{settings}: {error}");
    }
    for settings in
        [r#""init_lora_weights": "gaussian""#, r#""init_lora_weights": false"#, r#""modules_to_save": []"#]
    {
        assert_eq!(
            code(open(&format!("{{\"peft_type\": \"LORA\", \"r\": 2, {settings}}}"), two())),
            "opened"
        );
    }
    for name in [
        "model.embed_tokens.lora_embedding_A",
        "model.layers.0.self_attn.q_proj.lora_magnitude_vector",
        "lm_head.weight",
        "model.layers.0.self_attn.q_proj.bias",
    ] {
        let name = format!("base_model.model.{name}");
        let error = open(r#"{"peft_type": "LORA"}"#, weights(&[(&name, [8, 2])])).unwrap_err();
        assert_eq!(error.code(), "adapter_feature", "{name}: {error}");
    }
}

#[test]
fn parts_must_agree() {
    let lora = r#"{"peft_type": "LORA", "r": 2}"#;
    let (a, b) = (format!("{Q}.lora_A.weight"), format!("{Q}.lora_B.weight"));
    assert_eq!(code(open(lora, weights(&[(&a, [2, 3]), (&b, [4, 2])]))), "opened");
    for tensors in [
        vec![(a.as_str(), [2, 3])],
        vec![(b.as_str(), [4, 2])],
        vec![(a.as_str(), [2, 3]), (b.as_str(), [4, 3])],
        vec![(a.as_str(), [3, 3]), (b.as_str(), [4, 3])],
        vec![(a.as_str(), [0, 3]), (b.as_str(), [4, 0])],
        vec![],
    ] {
        assert_eq!(code(open(lora, weights(&tensors))), "adapter_invalid", "{tensors:?}");
    }
    let ranks = r#"{"peft_type": "LORA", "r": 2, "rank_pattern": {"up_proj": 3}}"#;
    assert_eq!(code(open(ranks, two())), "adapter_invalid");
    let huge = r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 1e300}"#;
    assert_eq!(code(open(huge, two())), "adapter_invalid");
    for wrong in
        ["{", "[]", r#"{"peft_type": "LORA", "r": -1}"#, r#"{"peft_type": "LORA", "lora_alpha": "x"}"#]
    {
        assert_eq!(code(open(wrong, two())), "invalid_json", "{wrong}");
    }
    assert_eq!(code(open("<html>", two())), "html_page");
    let integers = safetensors(r#"{"x":{"dtype":"I8","shape":[1,1],"data_offsets":[0,1]}}"#, 1);
    assert_eq!(code(open(lora, integers)), "unsupported_dtype");
}

#[test]
fn missing_and_foreign_files_are_told() {
    let of = |list: Vec<(&'static str, Vec<u8>)>| code(block_on(Adapter::open(files(list))));
    let config = || ("adapter_config.json", br#"{"peft_type": "LORA", "r": 2}"#.to_vec());
    assert_eq!(of(vec![config()]), "adapter_invalid");
    assert_eq!(of(vec![config(), ("adapter_model.bin", b"\x80\x02}q\0.".to_vec())]), "pickle");
    assert_eq!(of(vec![config(), ("adapter_model.safetensors", b"GGUF\x03\0\0\0\0".to_vec())]), "gguf");
    assert_eq!(of(vec![("config.json", CONFIG.to_vec())]), "no_adapter");
    assert_eq!(of(vec![]), "no_adapter");
    let model = Gguf::default().tensor("a", &[8], 0, 32).build();
    assert_eq!(of(vec![("model.gguf", model)]), "no_adapter");
}

#[test]
fn an_adapter_is_no_model() {
    let set = || {
        files([
            ("adapter_config.json", br#"{"peft_type": "LORA"}"#.to_vec()),
            ("adapter_model.safetensors", two()),
            ("config.json", CONFIG.to_vec()),
        ])
    };
    assert_eq!(block_on(Checkpoint::open(set())).unwrap_err().code(), "adapter_alone");
    assert!(Adapter::is_among(&set()));
    let mut both = set();
    both.push(glassbox_formats::MemorySource::new("weights.safetensors", weights(&[("w", [1, 1])])));
    assert!(!Adapter::is_among(&both));
    assert_eq!(block_on(Checkpoint::open(both)).unwrap().tensors.len(), 1);
    let gguf = files([("lora.gguf", lora("q", 8.0).build())]);
    assert_eq!(block_on(Checkpoint::open(gguf)).unwrap_err().code(), "adapter_alone");
}

/// A GGUF adapter of rank 2 from 3 to 4.
fn lora(target: &str, alpha: f32) -> Gguf {
    Gguf::default()
        .text("general.type", "adapter")
        .text("adapter.type", "lora")
        .raw("adapter.lora.alpha", 6, &alpha.to_le_bytes())
        .tensor(&format!("{target}.weight.lora_a"), &[3, 2], 0, 24)
        .tensor(&format!("{target}.weight.lora_b"), &[2, 4], 0, 32)
}

#[test]
fn gguf_adapters_are_read() {
    let of = |gguf: Gguf| block_on(Adapter::open(files([("my-lora.gguf", gguf.build())])));
    let adapter = of(lora("blk.0.attn_q", 8.0)).unwrap();
    assert_eq!((adapter.name.as_str(), adapter.names), ("my-lora", AdapterNames::Gguf));
    let [term] = adapter.terms.as_slice() else { panic!("{} terms", adapter.terms.len()) };
    assert_eq!((term.target.as_str(), term.scale, term.rank()), ("blk.0.attn_q", 4.0, 2));
    assert_eq!((term.a.shape.as_slice(), term.b.shape.as_slice()), (&[2, 3][..], &[4, 2][..]));
    // Without alpha llama.cpp adds the terms as they are.
    assert_eq!(of(lora("blk.0.attn_q", 0.0)).unwrap().terms[0].scale, 1.0);
    assert_eq!(code(of(lora("blk.0.attn_q", f32::NAN))), "adapter_invalid");
    assert_eq!(code(of(lora("q", 8.0).tensor("other", &[3, 2], 0, 24))), "adapter_feature");
    let control = Gguf::default().text("general.type", "adapter").text("adapter.type", "control_vector");
    assert_eq!(code(of(control)), "adapter_feature");
}

#[test]
fn any_damage_is_survived() {
    let config =
        br#"{"peft_type": "LORA", "r": 2, "lora_alpha": 3, "rank_pattern": {"q_proj": 2}, "bias": "none"}"#;
    let mut random = Random(7);
    for round in 0..6000 {
        let mut parts = [config.to_vec(), two(), lora("q", 8.0).build()];
        let damaged = &mut parts[round % 3];
        let at = random.below(damaged.len());
        match random.below(3) {
            0 => damaged[at] = random.next() as u8,
            1 => damaged.truncate(at),
            _ => damaged[at] ^= 1 << random.below(8),
        }
        let [config, weights, gguf] = parts;
        let peft = files([("adapter_config.json", config), ("adapter_model.safetensors", weights)]);
        for set in [peft, files([("x.gguf", gguf)])] {
            if let Ok(adapter) = block_on(Adapter::open(set)) {
                for term in &adapter.terms {
                    assert_eq!(term.b.shape[1], term.rank());
                    assert_eq!(block_on(adapter.values(&term.a)).unwrap().len() as u64, term.a.elements());
                }
            }
        }
    }
}
