//! Builds small files byte by byte, right and wrong ones.
#![allow(dead_code, reason = "each test file uses a part")]

use futures_lite::future::block_on;
use glassbox_formats::{Checkpoint, FileSet, FormatError, MemorySource};

/// A configuration that `Checkpoint::open` accepts.
pub const CONFIG: &[u8] = br#"{"model_type": "llama"}"#;

/// The files as one set.
pub fn files<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> FileSet {
    let mut set = FileSet::new();
    for (name, bytes) in files {
        set.push(MemorySource::new(name, bytes));
    }
    set
}

/// Opens files that are in memory.
pub fn open<'a>(list: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Result<Checkpoint, FormatError> {
    block_on(Checkpoint::open(files(list)))
}

/// Opens one safetensors file with a configuration beside it.
pub fn open_safetensors(bytes: Vec<u8>) -> Result<Checkpoint, FormatError> {
    open([("model.safetensors", bytes), ("config.json", CONFIG.to_vec())])
}

/// Opens one GGUF file.
pub fn open_gguf(bytes: Vec<u8>) -> Result<Checkpoint, FormatError> {
    open([("model.gguf", bytes)])
}

/// The error's code; a success is told as `opened`.
pub fn code(result: Result<Checkpoint, FormatError>) -> String {
    match result {
        Ok(_) => "opened".to_owned(),
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.hint().is_empty());
            error.code().to_owned()
        }
    }
}

/// A safetensors file with this header and this many bytes of data.
pub fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend((0..data).map(|i| i as u8));
    bytes
}

/// A GGUF file that is put together value by value.
#[derive(Clone)]
pub struct Gguf {
    pub version: u32,
    pub alignment: u64,
    pub keys: u64,
    pub metadata: Vec<u8>,
    pub tensors: u64,
    pub infos: Vec<u8>,
    /// Where the next tensor goes.
    pub next: u64,
}

impl Default for Gguf {
    fn default() -> Self {
        let empty = Self {
            version: 3,
            alignment: 32,
            keys: 0,
            metadata: Vec::new(),
            tensors: 0,
            infos: Vec::new(),
            next: 0,
        };
        empty.text("general.architecture", "llama")
    }
}

pub fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u64).to_le_bytes()[..], text].concat()
}

impl Gguf {
    /// A metadata value of type number `kind` with these bytes.
    pub fn raw(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.keys += 1;
        self.metadata.extend(string(key));
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(value);
        self
    }

    pub fn text(self, key: &str, text: &str) -> Self {
        self.raw(key, 8, &string(text))
    }

    pub fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    /// An array of element type `kind` that claims `count` elements.
    pub fn array(self, key: &str, kind: u32, count: u64, elements: &[u8]) -> Self {
        self.raw(key, 9, &[&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat())
    }

    pub fn strings(self, key: &str, texts: &[&str]) -> Self {
        let elements: Vec<u8> = texts.iter().flat_map(string).collect();
        self.array(key, 8, texts.len() as u64, &elements)
    }

    /// A tensor entry as given; `dims` innermost first, as in the file.
    pub fn tensor_at(mut self, name: &str, dims: &[u64], kind: u32, offset: u64) -> Self {
        self.tensors += 1;
        self.infos.extend(string(name));
        self.infos.extend((dims.len() as u32).to_le_bytes());
        self.infos.extend(dims.iter().flat_map(|n| n.to_le_bytes()));
        self.infos.extend(kind.to_le_bytes());
        self.infos.extend(offset.to_le_bytes());
        self
    }

    /// A tensor of `bytes` bytes after the ones before it.
    pub fn tensor(self, name: &str, dims: &[u64], kind: u32, bytes: u64) -> Self {
        let offset = self.next;
        let mut next = self.tensor_at(name, dims, kind, offset);
        next.next = (offset + bytes).next_multiple_of(next.alignment);
        next
    }

    /// The header with these counts.
    pub fn header(&self, tensors: u64, keys: u64) -> Vec<u8> {
        let counts = [tensors.to_le_bytes(), keys.to_le_bytes()].concat();
        [b"GGUF", &self.version.to_le_bytes()[..], &counts, &self.metadata, &self.infos].concat()
    }

    /// The whole file, data included.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = self.header(self.tensors, self.keys);
        if self.tensors > 0 {
            let start = (bytes.len() as u64).next_multiple_of(self.alignment);
            bytes.resize((start + self.next) as usize, 0x3c);
        }
        bytes
    }
}

/// A small deterministic generator (splitmix64): the tests need variety, not quality.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
