//! Files larger than 32 bits can count, without their bytes: natively and, above all, in WebAssembly.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{CONFIG, Gguf};
use futures_lite::future::block_on;
use glassbox_formats::{ByteSource, Checkpoint, DType, FileSet, MemorySource, ReadFuture, dequant};

const GIB: u64 = 1 << 30;

/// A file of any size: its head is in memory, the rest is made up when it is read. Byte `n` of it is
/// `n mod 251`, so that no two ranges nearby look the same.
struct Sparse {
    name: &'static str,
    head: Vec<u8>,
    size: u64,
    /// Bytes read so far.
    read: Rc<Cell<u64>>,
}

impl ByteSource for Sparse {
    fn name(&self) -> &str {
        self.name
    }

    fn len(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, len: usize) -> ReadFuture<'_> {
        self.read.set(self.read.get() + len as u64);
        let byte = |at: u64| match usize::try_from(at).ok().and_then(|at| self.head.get(at)) {
            Some(byte) => *byte,
            None => (at % 251) as u8,
        };
        Box::pin(std::future::ready(Ok((offset..offset + len as u64).map(byte).collect())))
    }
}

/// Opens a file of `size` bytes that starts with `head`; also gives the count of bytes read.
fn open(name: &'static str, head: Vec<u8>, size: u64) -> (Checkpoint, Rc<Cell<u64>>) {
    let read = Rc::new(Cell::new(0));
    let mut files = FileSet::new();
    files.push(Sparse { name, head, size, read: read.clone() });
    files.push(MemorySource::new("config.json", CONFIG));
    (block_on(Checkpoint::open(files)).unwrap(), read)
}

/// Reads a few bytes at both ends of a tensor and in its middle, and compares them with the file's.
fn check_ends(checkpoint: &Checkpoint, name: &str) {
    let tensor = checkpoint.tensor(name).unwrap();
    for offset in [0, 3, tensor.bytes / 2 + 1, tensor.bytes - 16] {
        let at = tensor.offset + offset;
        let expected: Vec<u8> = (at..at + 16).map(|at| (at % 251) as u8).collect();
        assert_eq!(block_on(checkpoint.read(tensor, offset, 16)).unwrap(), expected, "{name} at {offset}");
    }
    let end = block_on(checkpoint.read(tensor, tensor.bytes - 15, 16)).unwrap_err();
    assert_eq!(end.code(), "out_of_tensor");
}

#[test]
fn safetensors_beyond_4_gib() {
    // 512 MiB is where counting bits in 32 bits ends, 4 GiB where counting bytes does.
    let (a, b) = (GIB / 2, 5 * GIB);
    let header = format!(
        r#"{{"a":{{"dtype":"F32","shape":[{},1024],"data_offsets":[0,{a}]}},"b":{{"dtype":"BF16","shape":[{},65536],"data_offsets":[{a},{}]}},"c":{{"dtype":"F8_E5M2","shape":[64,64],"data_offsets":[{},{}]}}}}"#,
        a / 4096,
        b / 131_072,
        a + b,
        a + b,
        a + b + 4096,
    );
    let head = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let size = head.len() as u64 + a + b + 4096;
    let (checkpoint, read) = open("model.safetensors", head, size);
    assert_eq!(checkpoint.weight_bytes(), a + b + 4096);
    assert_eq!(checkpoint.parameters(), a / 4 + b / 2 + 4096);
    check_ends(&checkpoint, "a");
    check_ends(&checkpoint, "b");
    // 8-bit floats are read through the same offsets.
    let c = checkpoint.tensor("c").unwrap();
    assert!(c.offset > 5 * GIB && c.dtype == DType::F16);
    let halves = block_on(checkpoint.read(c, 10, 4)).unwrap();
    let at = c.offset + 5;
    assert_eq!(halves, [0, (at % 251) as u8, 0, ((at + 1) % 251) as u8].map(quiet_none));
    assert!(read.get() < GIB / 1024, "{} bytes were read", read.get());
}

/// The bytes tested are no NaNs, which would be made quiet.
fn quiet_none(byte: u8) -> u8 {
    assert!(byte & 0x7f <= 0x7c);
    byte
}

#[test]
fn gguf_beyond_4_gib() {
    let (a, b) = (GIB / 2, 5 * GIB);
    let gguf = Gguf::default()
        .tensor("a", &[1024, a / 4096], 0, a)
        .tensor("b", &[34_000 / 34 * 32, b / 34_000], 8, b / 34_000 * 34_000)
        .tensor("c", &[256], 14, 210);
    let head = gguf.header(3, gguf.keys);
    let start = (head.len() as u64).next_multiple_of(32);
    let padded = [head, vec![0; 32]].concat()[..start as usize].to_vec();
    let (checkpoint, read) = open("model.gguf", padded, start + gguf.next);
    check_ends(&checkpoint, "a");
    check_ends(&checkpoint, "b");
    check_ends(&checkpoint, "c");
    let c = checkpoint.tensor("c").unwrap();
    assert!(c.offset > 5 * GIB);
    let bytes = block_on(checkpoint.read(c, 0, 210)).unwrap();
    dequant::to_f32(c.dtype, &bytes, &mut [0.0; 256]).unwrap();
    assert!(read.get() < GIB / 1024, "{} bytes were read", read.get());
}

#[test]
fn a_file_that_ends_too_soon_is_told_in_64_bits() {
    let header = format!(r#"{{"a":{{"dtype":"F32","shape":[{GIB},2],"data_offsets":[0,{}]}}}}"#, 8 * GIB);
    let head = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    // Exactly 4 GiB short: nothing that counts in 32 bits would see it.
    let size = head.len() as u64 + 4 * GIB;
    let mut files = FileSet::new();
    files.push(Sparse { name: "model.safetensors", head, size, read: Rc::default() });
    files.push(MemorySource::new("config.json", CONFIG));
    let error = block_on(Checkpoint::open(files)).unwrap_err();
    assert_eq!(error.code(), "truncated_file");
    assert!(error.to_string().contains(&(size + 4 * GIB).to_string()), "{error}");
}
