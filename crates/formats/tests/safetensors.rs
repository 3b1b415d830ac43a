//! The safetensors header: what is read, and every way in which it can be wrong.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{code, open_safetensors, safetensors};
use futures_lite::future::block_on;
use glassbox_formats::{DType, Format, FormatError};

/// The code of the fault in a file with this header and this much data.
fn fault(header: &str, data: usize) -> String {
    code(open_safetensors(safetensors(header, data)))
}

#[test]
fn reads_tensors_and_their_bytes() {
    let header = r#"{"__metadata__":{"format":"pt"},
        "b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},
        "a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},
        "scalar":{"dtype":"F32","shape":[],"data_offsets":[20,24]}}   "#;
    let checkpoint = open_safetensors(safetensors(header, 24)).unwrap();
    assert_eq!(checkpoint.format, Format::Safetensors);
    let b = checkpoint.tensor("b").unwrap();
    assert_eq!((b.shape.as_slice(), b.dtype, b.bytes, b.file), (&[2, 3][..], DType::BF16, 12, 0));
    assert_eq!(b.offset, 8 + header.len() as u64 + 8);
    assert_eq!(block_on(checkpoint.read(b, 2, 4)).unwrap(), [10, 11, 12, 13]);
    assert_eq!(checkpoint.tensor("scalar").unwrap().elements(), 1);
    assert_eq!(checkpoint.parameters(), 11);
    assert_eq!(checkpoint.weight_bytes(), 24);
    let counts = checkpoint.stored_types();
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["BF16", "F16", "F32"]);
    let bf16 = counts["BF16"];
    assert_eq!((bf16.tensors, bf16.elements, bf16.bytes), (1, 6, 12));
}

#[test]
fn reads_only_inside_the_tensor() {
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let checkpoint = open_safetensors(safetensors(header, 8)).unwrap();
    let a = checkpoint.tensor("a").unwrap();
    assert_eq!(block_on(checkpoint.read(a, 8, 0)).unwrap(), [0u8; 0]);
    for (offset, len) in [(0, 9), (8, 1), (9, 0), (u64::MAX, 1), (u64::MAX, usize::MAX)] {
        let error = block_on(checkpoint.read(a, offset, len)).unwrap_err();
        assert_eq!(error.code(), "out_of_tensor", "{offset}+{len}");
    }
}

#[test]
fn empty_tensors_take_no_room() {
    let header = r#"{"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},
        "b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"c":{"dtype":"F32","shape":[3,0],"data_offsets":[4,4]}}"#;
    let checkpoint = open_safetensors(safetensors(header, 4)).unwrap();
    let a = checkpoint.tensor("a").unwrap();
    assert_eq!((a.elements(), a.bytes), (0, 0));
    assert_eq!(block_on(checkpoint.read(a, 0, 0)).unwrap(), [0u8; 0]);
    assert_eq!(fault("{}", 0), "opened");
}

#[test]
fn other_types_are_an_error_only_when_asked_for() {
    let header = r#"{"ids":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},
        "mask":{"dtype":"BOOL","shape":[4],"data_offsets":[16,20]},"new":{"dtype":"X7","shape":[9],"data_offsets":[20,21]},
        "w":{"dtype":"F32","shape":[1],"data_offsets":[21,25]}}"#;
    let checkpoint = open_safetensors(safetensors(header, 25)).unwrap();
    assert_eq!((checkpoint.tensors.len(), checkpoint.unsupported.len()), (1, 3));
    assert_eq!(checkpoint.unsupported["mask"].bytes, 4);
    let error = checkpoint.tensor("new").unwrap_err();
    assert_eq!(error.code(), "unsupported_dtype");
    assert!(error.to_string().contains("stored as X7"), "{error}");
    assert_eq!(
        checkpoint.tensor("nowhere").unwrap_err(),
        FormatError::TensorMissing { tensor: "nowhere".into(), count: 4 }
    );
}

#[test]
fn the_header_length_is_bounded() {
    let file = |length: u64, rest: &[u8]| [&length.to_le_bytes()[..], rest].concat();
    let json = br#"{"a":1}"#;
    for length in [u64::MAX, 1 << 63, (4 << 30) + 7, 100_000_001] {
        assert_eq!(code(open_safetensors(file(length, json))), "header_too_large", "{length}");
    }
    assert_eq!(code(open_safetensors(file(8, json))), "truncated_file");
    assert_eq!(code(open_safetensors(file(0, json))), "safetensors_header");
    assert_eq!(code(open_safetensors(vec![7, 0, 0, 0, 0])), "truncated_file");
}

#[test]
fn a_header_longer_than_the_first_read_is_read_whole() {
    let entry = |i: usize| {
        format!(
            r#""layer.{i}.weight":{{"dtype":"F32","shape":[1],"data_offsets":[{},{}]}}"#,
            i * 4,
            i * 4 + 4
        )
    };
    let header = format!("{{{}}}", (0..5000).map(entry).collect::<Vec<_>>().join(","));
    assert!(header.len() > 300_000);
    let checkpoint = open_safetensors(safetensors(&header, 20_000)).unwrap();
    assert_eq!(checkpoint.tensors.len(), 5000);
    assert_eq!(checkpoint.tensor("layer.4999.weight").unwrap().offset, 8 + header.len() as u64 + 19_996);
}

#[test]
fn the_header_is_strict_json() {
    for header in [
        "{",
        "[]",
        "nonsense",
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} x"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}{}"#,
        r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"__metadata__":{"a":1}}"#,
        r#"{"__metadata__":{},"__metadata__":{}}"#,
        " {}",
    ] {
        let found = fault(header, 4);
        assert_eq!(found, "safetensors_header", "{header}");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(fault(&deep, 4), "safetensors_header");
    let mut invalid_utf8 = safetensors(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4);
    invalid_utf8[10] = 0xff;
    assert_eq!(code(open_safetensors(invalid_utf8)), "safetensors_header");
}

#[test]
fn names_are_unique() {
    let a = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let again = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#;
    assert_eq!(fault(&format!("{{{a},{again}}}"), 8), "duplicate_name");
    assert_eq!(fault(&format!(r#"{{"__metadata__":{{"k":"1","k":"2"}},{a}}}"#), 4), "duplicate_name");
    // The same name, spelled with an escape.
    let escaped = again.replace(r#""a""#, r#""\u0061""#);
    assert_eq!(fault(&format!("{{{a},{escaped}}}"), 8), "duplicate_name");
}

#[test]
fn data_is_contiguous_and_ends_with_the_file() {
    let two = |first: [u64; 2], second: [u64; 2], data: usize| {
        let entry = |name: &str, [start, end]: [u64; 2]| {
            let n = end.wrapping_sub(start) / 4;
            format!(r#""{name}":{{"dtype":"F32","shape":[{n}],"data_offsets":[{start},{end}]}}"#)
        };
        fault(&format!("{{{},{}}}", entry("a", first), entry("b", second)), data)
    };
    assert_eq!(two([0, 8], [8, 16], 16), "opened");
    assert_eq!(two([8, 16], [0, 8], 16), "opened");
    assert_eq!(two([0, 8], [4, 12], 12), "tensor_overlap");
    assert_eq!(two([0, 8], [0, 8], 8), "tensor_overlap");
    assert_eq!(two([0, 8], [12, 16], 16), "tensor_hole");
    assert_eq!(two([4, 8], [8, 16], 16), "tensor_hole");
    assert_eq!(two([0, 8], [8, 16], 15), "truncated_file");
    assert_eq!(two([0, 8], [8, 16], 17), "trailing_bytes");
    assert_eq!(two([0, 8], [8, 4], 16), "safetensors_header");
    assert_eq!(fault("{}", 1), "trailing_bytes");
}

#[test]
fn shape_and_type_give_the_size() {
    let one = |dtype: &str, shape: &str, bytes: u64| {
        fault(&format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{bytes}]}}}}"#), 16)
    };
    assert_eq!(one("F32", "[4]", 16), "opened");
    assert_eq!(one("F16", "[2,4]", 16), "opened");
    assert_eq!(one("F4", "[32]", 16), "opened");
    assert_eq!(one("F64", "[4]", 16), "size_mismatch");
    assert_eq!(one("F32", "[5]", 16), "size_mismatch");
    assert_eq!(one("F32", "[]", 16), "size_mismatch");
    assert_eq!(one("F32", "[0]", 16), "size_mismatch");
    // 2^64 elements, which is 0 in 64 bits; and a product that only overflows beside a zero.
    assert_eq!(one("F32", "[4294967296,4294967296]", 0), "shape_overflow");
    assert_eq!(one("F32", "[0,4294967296,4294967296]", 0), "shape_overflow");
    // 2^62 elements exist, but their bytes do not fit.
    assert_eq!(one("F32", "[4611686018427387904]", 0), "shape_overflow");
    assert_eq!(one("F32", "[1152921504606846976]", 1 << 62), "truncated_file");
    assert_eq!(one("F32", "[4611686018427387903]", u64::MAX - 3), "truncated_file");
}

#[test]
fn a_tensor_of_gigabytes_needs_only_its_header() {
    /// A file that claims 3 TB, of which only the header can be read.
    struct Huge(Vec<u8>);
    impl glassbox_formats::ByteSource for Huge {
        fn name(&self) -> &str {
            "model.safetensors"
        }
        fn len(&self) -> u64 {
            self.0.len() as u64 + (3 << 40)
        }
        fn read(&self, offset: u64, len: usize) -> glassbox_formats::ReadFuture<'_> {
            let header =
                usize::try_from(offset).ok().and_then(|start| self.0.get(start..)).unwrap_or_default();
            let mut bytes = header[..header.len().min(len)].to_vec();
            bytes.resize(len, 0);
            Box::pin(std::future::ready(Ok(bytes)))
        }
    }
    let header = format!(
        r#"{{"w":{{"dtype":"F32","shape":[{},4],"data_offsets":[0,{}]}}}}"#,
        (3u64 << 40) / 16,
        3u64 << 40
    );
    let mut set = common::files([("config.json", common::CONFIG.to_vec())]);
    set.push(Huge(safetensors(&header, 0)));
    let checkpoint = block_on(glassbox_formats::Checkpoint::open(set)).unwrap();
    let w = checkpoint.tensor("w").unwrap();
    assert_eq!(w.bytes, 3 << 40);
    assert_eq!(block_on(checkpoint.read(w, (3 << 40) - 8, 8)).unwrap(), [0; 8]);
}

/// What the reference crate writes, we read alike.
#[test]
fn agrees_with_the_safetensors_crate() {
    use ::safetensors::tensor::{Dtype, TensorView, serialize};
    let data: Vec<u8> = (0..96).collect();
    let views = [
        ("x", Dtype::F32, vec![2, 3], 24),
        ("y.weight", Dtype::F16, vec![5], 10),
        ("z", Dtype::BF16, vec![], 2),
        ("empty", Dtype::F32, vec![0, 7], 0),
        ("ids", Dtype::I64, vec![3], 24),
    ];
    let views =
        views.map(|(name, dtype, shape, n)| (name, TensorView::new(dtype, shape, &data[n..n + n]).unwrap()));
    let bytes = serialize(views.clone(), None).unwrap();
    let checkpoint = open_safetensors(bytes).unwrap();
    assert_eq!(checkpoint.unsupported.keys().collect::<Vec<_>>(), ["ids"]);
    for (name, view) in views.iter().filter(|(name, _)| *name != "ids") {
        let tensor = checkpoint.tensor(name).unwrap();
        let shape: Vec<u64> = view.shape().iter().map(|&n| n as u64).collect();
        assert_eq!((&tensor.shape, tensor.dtype.name()), (&shape, format!("{:?}", view.dtype()).as_str()));
        assert_eq!(
            block_on(checkpoint.read(tensor, 0, tensor.bytes as usize)).unwrap(),
            view.data(),
            "{name}"
        );
    }
}
