//! Weights in 8-bit floats against torch and transformers. `data/f8.py` made the golden values.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{code, open, safetensors};
use futures_lite::future::block_on;
use glassbox_formats::{Checkpoint, DType, Encoding, F8, FormatError, dequant};

const FILE: &[u8] = include_bytes!("data/f8.safetensors");

/// The golden file, with blocks of 4 x 4 told by the configuration.
fn golden() -> Checkpoint {
    let config = br#"{"quantization_config": {"quant_method": "fp8", "weight_block_size": [4, 4]}}"#;
    // Two of its weights have no scale, which that configuration does not allow.
    let unscaled =
        open([("model.safetensors", FILE.to_vec()), ("config.json", config.to_vec())]).unwrap_err();
    assert!(unscaled.to_string().contains("e4m3.weight"), "{unscaled}");
    let named = |name: &str| FILE.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    let mut file = FILE.to_vec();
    for name in ["e4m3.weight", "e5m2.weight"] {
        // Their dtype becomes one that is set aside.
        let at = named(&format!("\"{name}\""));
        let dtype = at + file[at..].windows(3).position(|window| window == b"F8_").unwrap();
        file[dtype..dtype + 2].copy_from_slice(b"X8");
    }
    open([("model.safetensors", file), ("config.json", config.to_vec())]).unwrap()
}

fn values(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    let tensor = checkpoint.tensor(name).unwrap();
    let bytes = block_on(checkpoint.read(tensor, 0, tensor.bytes as usize)).unwrap();
    let mut values = vec![0.0; tensor.elements() as usize];
    dequant::to_f32(tensor.dtype, &bytes, &mut values).unwrap();
    values
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn every_byte_equals_torch() {
    let checkpoint =
        open([("model.safetensors", without_scales()), ("config.json", b"{}".to_vec())]).unwrap();
    for (name, format) in [("e4m3", F8::E4M3), ("e5m2", F8::E5M2)] {
        let tensor = checkpoint.tensor(&format!("{name}.weight")).unwrap();
        assert_eq!((tensor.dtype, &tensor.encoding), (DType::F16, &Encoding::F8(format)));
        assert_eq!((tensor.stored_bytes(), tensor.bytes, tensor.stored_type()), (256, 512, format.name()));
        let expected = bits(&values(&checkpoint, &format!("{name}.expected")));
        assert_eq!(bits(&values(&checkpoint, &format!("{name}.weight"))), expected, "{name}");
        let one: Vec<f32> = (0..=255).map(|byte| format.to_f32(byte)).collect();
        assert_eq!(bits(&one), expected);
    }
    let all = checkpoint.stored_types()["F8_E4M3"].bytes;
    assert_eq!(all, 256 + 8 * 12 + 10 * 7 + 6 * 5 + 2 * 3 * 5);
}

/// The golden file with its scales set aside, so that its weights stand alone.
fn without_scales() -> Vec<u8> {
    let mut file = FILE.to_vec();
    let header = 8 + u64::from_le_bytes(FILE[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(file[8..header].to_vec()).unwrap().replace("weight_scale", "other_scales");
    file[8..header].copy_from_slice(text.as_bytes());
    file
}

#[test]
fn scaled_weights_equal_transformers() {
    let checkpoint = golden();
    for name in ["grid", "cut", "rows", "list", "one", "scalar"] {
        let weight = format!("{name}.weight");
        let tensor = checkpoint.tensor(&weight).unwrap();
        assert!(matches!(tensor.encoding, Encoding::ScaledF8(..)), "{name}");
        assert_eq!((tensor.dtype, tensor.bytes), (DType::F32, tensor.stored_bytes() * 4));
        let expected = bits(&values(&checkpoint, &format!("{name}.expected")));
        assert_eq!(bits(&values(&checkpoint, &weight)), expected, "{name}");
    }
    // The scales are no weights of the model.
    assert!(checkpoint.tensors.keys().all(|name| !name.contains("scale")), "{:?}", checkpoint.tensors.keys());
}

#[test]
fn any_range_is_the_same_range_of_all() {
    let checkpoint = golden();
    for name in ["grid.weight", "cut.weight", "list.weight", "scalar.weight"] {
        let tensor = checkpoint.tensor(name).unwrap();
        let all = block_on(checkpoint.read(tensor, 0, tensor.bytes as usize)).unwrap();
        for start in 0..all.len() {
            for end in [start, start + 1, start + 7, start + 29, all.len()] {
                let end = end.min(all.len());
                let part = block_on(checkpoint.read(tensor, start as u64, end - start)).unwrap();
                assert_eq!(part, all[start..end], "{name} {start}..{end}");
            }
        }
        assert_eq!(block_on(checkpoint.read(tensor, 1, all.len())).unwrap_err().code(), "out_of_tensor");
    }
}

/// A file with a weight of `[6, 4]` and a scale of this type, shape and size, and its configuration.
fn with_scale(dtype: &str, shape: &str, bytes: usize, config: &str) -> Result<Checkpoint, FormatError> {
    let header = format!(
        r#"{{"w.weight":{{"dtype":"F8_E4M3","shape":[6,4],"data_offsets":[0,24]}},"w.weight_scale":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[24,{}]}}}}"#,
        24 + bytes
    );
    open([("model.safetensors", safetensors(&header, 24 + bytes)), ("config.json", config.into())])
}

#[test]
fn scales_must_fit() {
    for (shape, count) in [("[]", 1), ("[1]", 1), ("[6]", 6), ("[6,1]", 6), ("[3,2]", 6), ("[1,4]", 4)] {
        assert_eq!(code(with_scale("F32", shape, count * 4, "{}")), "opened", "{shape}");
    }
    for (shape, count) in
        [("[4,1]", 4), ("[6,3]", 18), ("[1,1,1]", 1), ("[0]", 0), ("[7,1]", 7), ("[0,1]", 0), ("[2]", 2)]
    {
        let error = with_scale("F32", shape, count * 4, "{}").unwrap_err();
        assert_eq!(error.code(), "quantisation_scale", "{shape}");
    }
    let blocks = r#"{"quantization_config": {"quant_method": "fp8", "weight_block_size": [4, 3]}}"#;
    assert_eq!(code(with_scale("F32", "[2,2]", 16, blocks)), "opened");
    let zero = r#"{"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 0]}}"#;
    assert_eq!(code(with_scale("F32", "[2,2]", 16, zero)), "opened");
    for dtype in ["F8_E4M3", "F8_E8M0", "U8"] {
        let error = with_scale(dtype, "[6]", 6, "{}").unwrap_err();
        assert!(error.to_string().contains(&format!("stored as {dtype}")), "{error}");
    }
}

#[test]
fn a_promised_scale_must_be_there() {
    let header = r#"{"w.weight":{"dtype":"F8_E5M2","shape":[2,2],"data_offsets":[0,4]}}"#;
    let with =
        |config: &str| open([("model.safetensors", safetensors(header, 4)), ("config.json", config.into())]);
    assert_eq!(code(with("{}")), "opened");
    for method in [
        r#"{"quant_method": "fp8"}"#,
        r#"{"quant_method": "fbgemm_fp8"}"#,
        r#"{"quant_method": "compressed-tensors", "format": "float-quantized"}"#,
    ] {
        assert_eq!(code(with(&format!(r#"{{"quantization_config": {method}}}"#))), "quantisation_scale");
    }
}
