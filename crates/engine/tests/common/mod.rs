//! Cases of `tests/fixtures` and the backends they run on.

#![allow(dead_code, missing_docs, reason = "each suite uses its part")]

pub mod report;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::OnceLock,
};

use futures_lite::future::block_on;
use glassbox_engine::{Model, OpenDevice, Undisturbed, device};
use glassbox_formats::{FileSet, MemorySource};
use safetensors::SafeTensors;
use serde::Deserialize;

/// A `case.toml` of kind `model`.
#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    pub parameters: u64,
    pub golden: String,
    pub tolerance: Tolerance,
    pub prompt: Prompt,
    pub greedy: Greedy,
    #[serde(default)]
    pub ablate: Vec<Ablation>,
    #[serde(default)]
    pub gguf: Vec<Gguf>,
}

#[derive(Debug, Deserialize)]
pub struct Tolerance {
    pub logits: f32,
    pub pattern: f32,
}

#[derive(Debug, Deserialize)]
pub struct Prompt {
    pub text: String,
    pub ids: Vec<u32>,
    pub ids_with_special: Vec<u32>,
}

#[derive(Debug, Deserialize)]
pub struct Greedy {
    pub ids: Vec<u32>,
}

#[derive(Debug, Deserialize)]
pub struct Ablation {
    pub layer: usize,
    /// None for all that attention, or the convolution in its place, adds to the residual stream.
    pub head: Option<usize>,
    pub logits: String,
}

#[derive(Debug, Deserialize)]
pub struct Gguf {
    pub file: String,
    pub dtype: String,
    pub golden: String,
    pub greedy_ids: Vec<u32>,
}

/// The folder of all fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// All model cases, with their folders.
pub fn cases() -> Vec<(PathBuf, Case)> {
    let mut cases: Vec<(PathBuf, Case)> = std::fs::read_dir(fixtures())
        .unwrap()
        .filter_map(|entry| {
            let folder = entry.unwrap().path();
            let text = std::fs::read_to_string(folder.join("case.toml")).ok()?;
            let kind: toml::Value = toml::from_str(&text).unwrap();
            (kind["kind"].as_str() == Some("model")).then(|| (folder, toml::from_str(&text).unwrap()))
        })
        .collect();
    cases.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    assert!(cases.len() >= 8, "only {} model cases in tests/fixtures", cases.len());
    cases
}

/// The two backends, multiplying with activations in f32. A GPU (Mesa's lavapipe will do) must be there:
/// a suite that skips proves nothing.
pub fn backends() -> [OpenDevice; 2] {
    static GPU: OnceLock<OpenDevice> = OnceLock::new();
    let gpu = GPU.get_or_init(|| {
        block_on(device::gpu()).expect("a wgpu adapter; on Debian install mesa-vulkan-drivers and libvulkan1")
    });
    [device::cpu().exact(), gpu.clone()]
}

/// The files of a hub folder, without the GGUF forms beside them, or a single file.
pub fn files(path: &Path) -> FileSet {
    if path.is_file() {
        return [path.to_owned()].iter().map(|path| source(path)).collect();
    }
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_hub = paths.iter().any(|path| path.extension().is_some_and(|end| end == "safetensors"));
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let elsewhere = name.starts_with("golden") || (is_hub && name.ends_with(".gguf"));
        !elsewhere && name != "case.toml"
    };
    paths.iter().filter(|path| wanted(path)).map(|path| source(path)).collect()
}

fn source(path: &Path) -> Rc<dyn glassbox_formats::ByteSource> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    Rc::new(MemorySource::new(name, std::fs::read(path).unwrap()))
}

/// Opens a model that must open.
pub fn open(path: &Path, device: &OpenDevice) -> Model {
    block_on(Model::open(files(path), device, &Undisturbed))
        .unwrap_or_else(|error| panic!("{}: {error}. {}", path.display(), error.hint()))
}

/// Golden values of a safetensors file.
pub struct Golden(Vec<u8>);

impl Golden {
    pub fn read(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap())
    }

    /// Shape and f32 values of a tensor.
    pub fn tensor(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        let (words, rest) = view.data().as_chunks::<4>();
        assert!(rest.is_empty());
        (view.shape().to_vec(), words.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// Names of all f32 tensors that are no edits.
    pub fn names(&self) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let names = file.names().into_iter().map(|name| name.to_string());
        let mut names: Vec<String> = names.filter(|n| *n != "tokens" && !n.starts_with("edits.")).collect();
        names.sort();
        names
    }
}

/// The largest absolute difference; infinite where a value is no number.
pub fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |most, d| if d <= most { most } else { d.max(most) })
}
