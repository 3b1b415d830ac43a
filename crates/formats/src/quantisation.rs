//! What `config.json` says about quantised weights: which methods are read, and what the others are.

use serde_json::Value;

use crate::FormatError;

/// The configuration says that weights are 8-bit floats with scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    /// Rows and columns that share a scale, where it says so (`weight_block_size`).
    pub(crate) block: Option<[u64; 2]>,
}

/// Reads `quantization_config`; `None` where the weights are not quantised.
///
/// Weights packed by GPTQ, AWQ, bitsandbytes… have other tensor names and layouts: refused by name.
/// 8-bit floats keep theirs, and have scales beside them.
pub(crate) fn of(config: &Value) -> Result<Option<Scaled>, FormatError> {
    let keys = ["quantization_config", "compression_config", "quantization"];
    let Some((key, value)) = keys.iter().find_map(|key| {
        let value = config.get(key).filter(|value| !value.is_null())?;
        Some((*key, value))
    }) else {
        return Ok(None);
    };
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let refused = |method: &str| Err(FormatError::UnsupportedQuantisation { method: method.to_owned() });
    match (text("quant_method"), text("format").unwrap_or_default()) {
        (Some("fp8" | "fbgemm_fp8"), _) | (Some("compressed-tensors"), "float-quantized") => {
            let block = value.get("weight_block_size").and_then(|block| {
                let [rows, columns] = block.as_array()?.as_slice() else { return None };
                Some([rows.as_u64()?, columns.as_u64()?])
            });
            Ok(Some(Scaled { block }))
        }
        (Some("compressed-tensors"), format) => refused(&format!("compressed-tensors ({format})")),
        (Some(method), _) => refused(display(method)),
        // mlx_lm writes `quantization` (and newer versions the other key too) without a method.
        (None, _) if key == "quantization" || value.get("group_size").is_some() => refused(MLX),
        (None, _) => refused("an unnamed method"),
    }
}

const MLX: &str = "MLX";
const BITSANDBYTES: &str = "bitsandbytes";

/// The method as its authors write it.
fn display(method: &str) -> &str {
    let names = [
        ("gptq", "GPTQ"),
        ("awq", "AWQ"),
        ("bitsandbytes", BITSANDBYTES),
        ("aqlm", "AQLM"),
        ("vptq", "VPTQ"),
        ("hqq", "HQQ"),
        ("eetq", "EETQ"),
        ("exl2", "EXL2"),
        ("exl3", "EXL3"),
        ("auto-round", "AutoRound"),
        ("mxfp4", "MXFP4"),
        ("nvfp4", "NVFP4"),
        ("bitnet", "BitNet"),
        ("mlx", MLX),
    ];
    names.iter().find(|(key, _)| *key == method).map_or(method, |(_, name)| *name)
}

/// What to do about a model packed by `method`.
pub(crate) fn hint(method: &str) -> &'static str {
    match method {
        MLX => {
            "Convert it back with `mlx_lm.convert --dequantize`, or use the original model, or a GGUF of it (Q8_0, Q6_K, Q4_K…)."
        }
        BITSANDBYTES => {
            "Load it with transformers, call dequantize() and save_pretrained; or use the original model, or a GGUF of it (Q8_0, Q6_K, Q4_K…)."
        }
        _ => {
            "Its weights are packed for one library's own kernels. Use the original model, or a GGUF of it (Q8_0, Q6_K, Q4_K…)."
        }
    }
}
