//! LoRA adapters: low-rank changes of a model's projections, in files of their own
//! (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models").

mod gguf;
mod peft;

use crate::select::{list, sniff};
use crate::source::{base_name, folder};
use crate::{ByteSource, Content, FileSet, FormatError, TensorInfo, dequant};

/// PEFT's file names.
pub(crate) const CONFIG: &str = "adapter_config.json";
pub(crate) const WEIGHTS: &str = "adapter_model.safetensors";

/// Largest matrix of an adapter, in bytes: rank 1024 for an output of 262,144 in F32.
const MAX_MATRIX_BYTES: u64 = 1 << 30;

/// Whose tensor names the targets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdapterNames {
    /// The hub's, of the transformers implementation (PEFT).
    Hub,
    /// GGUF's, with the rows of Llama's Q and K in GGUF's order (llama.cpp's `convert_lora_to_gguf.py`).
    Gguf,
}

/// An adapter: its headers; the matrices are read on demand.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Name of its folder, or of its file.
    pub name: String,
    /// The model it was made for, as its maker calls it.
    pub base: Option<String>,
    /// Whose names the targets are.
    pub names: AdapterNames,
    /// One term for every projection that is changed, sorted by target.
    pub terms: Vec<AdapterTerm>,
    files: FileSet,
}

/// What an adapter adds to one projection: `y += scale * (x A^T) B^T`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterTerm {
    /// The base model's tensor, without `.weight`: `model.layers.0.self_attn.q_proj`.
    pub target: String,
    /// A, `[rank, in]`.
    pub a: TensorInfo,
    /// B, `[out, rank]`.
    pub b: TensorInfo,
    /// Alpha over the rank (over its square root with rsLoRA).
    pub scale: f32,
}

impl AdapterTerm {
    /// Rows of A and columns of B.
    pub fn rank(&self) -> u64 {
        self.a.shape[0]
    }
}

impl Adapter {
    /// Opens PEFT's `adapter_config.json` with `adapter_model.safetensors`, or a GGUF adapter.
    ///
    /// # Errors
    /// [`FormatError::NoAdapter`] where there is none, [`FormatError::AdapterFeature`] where it does
    /// more than add low-rank terms to projections, [`FormatError::Adapter`] where its parts do not
    /// agree, and the errors of the readers.
    pub async fn open(files: FileSet) -> Result<Self, FormatError> {
        if let Some(config) = files.find(CONFIG) {
            return peft::open(files, config).await;
        }
        for (index, file) in files.iter() {
            if file.name().to_ascii_lowercase().ends_with(".gguf")
                || (files.len() == 1 && sniff(file).await? == Content::Gguf)
            {
                return gguf::open(files.clone(), index).await;
            }
        }
        Err(FormatError::NoAdapter {
            count: files.len(),
            names: list(files.iter().map(|(_, file)| file.name())),
        })
    }

    /// Whether these files are an adapter and no model, by PEFT's names.
    pub fn is_among(files: &FileSet) -> bool {
        let weights = |name: &str| name.ends_with(".safetensors") || name.ends_with(".gguf");
        files.find(CONFIG).is_some()
            && !files.iter().any(|(_, file)| weights(file.name()) && base_name(file.name()) != WEIGHTS)
    }

    /// The values of one of the matrices, row by row.
    ///
    /// # Errors
    /// [`FormatError::Source`] where they cannot be read.
    pub async fn values(&self, matrix: &TensorInfo) -> Result<Vec<f32>, FormatError> {
        let bytes = matrix.read(&self.files, 0, matrix.bytes as usize).await?;
        let mut values = vec![0.0; matrix.elements() as usize];
        dequant::to_f32(matrix.dtype, &bytes, &mut values)?;
        Ok(values)
    }

    /// Number of elements of all matrices.
    pub fn parameters(&self) -> u64 {
        self.terms
            .iter()
            .map(|term| term.a.elements().saturating_add(term.b.elements()))
            .fold(0, u64::saturating_add)
    }
}

/// Pairs the matrices of each target. `split` takes a tensor's name apart: target, and whether it is
/// B; `scale` gives a target's factor from its rank.
fn pair(
    file: &str,
    tensors: Vec<TensorInfo>,
    split: impl Fn(&str) -> Result<(String, bool), FormatError>,
    scale: impl Fn(&str, u64) -> Result<f32, FormatError>,
) -> Result<Vec<AdapterTerm>, FormatError> {
    let fault = |message: String| FormatError::Adapter { file: file.to_owned(), message };
    let mut halves: [std::collections::BTreeMap<String, TensorInfo>; 2] = Default::default();
    for tensor in tensors {
        let (target, is_b) = split(&tensor.name)?;
        if tensor.shape.len() != 2 || tensor.shape.contains(&0) || tensor.bytes > MAX_MATRIX_BYTES {
            return Err(fault(format!("{} has the shape {:?}", tensor.name, tensor.shape)));
        }
        if let Some(other) = halves[usize::from(is_b)].insert(target, tensor) {
            return Err(fault(format!("{} is there twice", other.name)));
        }
    }
    let [lefts, mut rights] = halves;
    let mut terms = Vec::new();
    for (target, a) in lefts {
        let Some(b) = rights.remove(&target) else {
            return Err(fault(format!("{} has no second matrix", a.name)));
        };
        if a.shape[0] != b.shape[1] {
            return Err(fault(format!(
                "the ranks of {} and {} differ: {:?} and {:?}",
                a.name, b.name, a.shape, b.shape
            )));
        }
        let scale = scale(&target, a.shape[0])?;
        if !scale.is_finite() {
            return Err(fault(format!("the scale of {target} is no finite number")));
        }
        terms.push(AdapterTerm { target, a, b, scale });
    }
    match rights.into_values().next() {
        Some(b) => Err(fault(format!("{} has no first matrix", b.name))),
        None if terms.is_empty() => Err(fault("it holds no matrices".to_owned())),
        None => Ok(terms),
    }
}

/// The folder an adapter's file is in, or the file's own name without its ending.
fn display_name(files: &FileSet, file: usize) -> String {
    let path = files.get(file).map_or("", ByteSource::name);
    let inside = folder(path).trim_end_matches(['/', '\\']);
    let name = if inside.is_empty() { base_name(path) } else { base_name(inside) };
    name.trim_end_matches(".gguf").trim_end_matches(".safetensors").to_owned()
}
