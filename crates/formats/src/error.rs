//! Everything that can be wrong with a checkpoint.

use crate::content::Content;
use crate::{DType, SourceError, quantisation};

/// Why a checkpoint could not be opened or read.
///
/// The message tells the cause with its numbers; [`code`](Self::code) is stable for programs;
/// [`hint`](Self::hint) says what the user can do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum FormatError {
    /// The bytes could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No file was given.
    #[error("no file was opened")]
    NoFiles,
    /// None of the files holds weights.
    #[error("no model weights among the {count} files opened ({names})")]
    NoWeights { count: usize, names: String },
    /// Several models, and nothing says which one is meant.
    #[error("more than one model was opened: {names}")]
    SeveralModels { names: String },
    /// A file that should hold weights or a configuration holds something else.
    #[error("{file} is {content}")]
    WrongContent { file: String, content: Content },
    /// The file ends before the data its header describes.
    #[error("{file} is cut off: it has {actual} bytes, and its header describes at least {needed}")]
    Truncated { file: String, needed: u64, actual: u64 },
    /// The file goes on after the data its header describes.
    #[error("{file} has {actual} bytes, but its header describes only {expected}")]
    TrailingBytes { file: String, expected: u64, actual: u64 },
    /// A file that is read whole is larger than such a file can sensibly be.
    #[error("{file} has {bytes} bytes; at most {cap} are read of such a file")]
    FileTooLarge { file: String, bytes: u64, cap: u64 },
    /// The header claims or takes more bytes than any real model's.
    #[error("the header of {file} takes {bytes} bytes; at most {cap} are read")]
    HeaderTooLarge { file: String, bytes: u64, cap: u64 },
    /// A JSON file does not parse, or is not the object it should be.
    #[error("{file} is not valid: {message}")]
    InvalidJson { file: String, message: String },
    /// The safetensors header is not what the format says.
    #[error("the safetensors header of {file} is not valid: {message}")]
    SafetensorsHeader { file: String, message: String },
    /// A header names a tensor or a metadata key twice.
    #[error("{file} names {name:?} twice")]
    DuplicateName { file: String, name: String },
    /// Two shards hold a tensor of the same name.
    #[error("tensor {tensor} is in {first} and again in {second}")]
    DuplicateTensor { tensor: String, first: String, second: String },
    /// Two tensors share bytes.
    #[error(
        "{file}: tensor {tensor} starts at byte {start} of the data, inside the tensor before it, which ends at {end}"
    )]
    TensorOverlap { file: String, tensor: String, start: u64, end: u64 },
    /// Bytes that belong to no tensor.
    #[error(
        "{file}: tensor {tensor} starts at byte {start} of the data, but the tensor before it ends at {end}"
    )]
    TensorHole { file: String, tensor: String, start: u64, end: u64 },
    /// A shape whose number of elements or bytes does not fit in 64 bits.
    #[error("{file}: the shape {shape:?} of tensor {tensor} is too large to exist")]
    ShapeOverflow { file: String, tensor: String, shape: Vec<u64> },
    /// Shape and type say another size than the offsets.
    #[error(
        "{file}: tensor {tensor} of shape {shape:?} and type {dtype} takes {expected} bytes, but the header gives it {found}"
    )]
    SizeMismatch { file: String, tensor: String, shape: Vec<u64>, dtype: String, expected: u64, found: u64 },
    /// Weights are stored in a type that is not supported.
    #[error(
        "tensor {tensor} is stored as {dtype} (tensors of this type in {file}: {tensors}), which is not supported"
    )]
    UnsupportedDType { file: String, tensor: String, dtype: String, tensors: usize },
    /// `config.json` announces weights packed by a quantisation method.
    #[error("config.json says that the weights are quantised with {method}, which is not supported")]
    UnsupportedQuantisation { method: String },
    /// The scales of weights in 8-bit floats cannot be used.
    #[error("tensor {tensor} is stored in 8-bit floats, and its scale cannot be used: {message}")]
    Scale { tensor: String, message: String },
    /// An adapter was opened as if it were a model.
    #[error("{file} is a LoRA adapter: it changes a model, and is none")]
    AdapterAlone { file: String },
    /// No adapter among the files.
    #[error("there is no LoRA adapter among the {count} files opened ({names})")]
    NoAdapter { count: usize, names: String },
    /// The adapter's parts do not agree.
    #[error("the adapter's {file} is not valid: {message}")]
    Adapter { file: String, message: String },
    /// The adapter does more than add low-rank terms to projections.
    #[error("the adapter uses {feature}, which is not supported")]
    AdapterFeature { feature: String },
    /// A tensor that the model needs is not there.
    #[error("tensor {tensor} is not in the checkpoint ({count} tensors)")]
    TensorMissing { tensor: String, count: usize },
    /// Weights without the configuration that says how to run them.
    #[error("config.json is missing beside {file}")]
    MissingConfig { file: String },
    /// Files that the index or a shard's name promises are not there.
    #[error("{missing} of {total} shards are missing: {names}")]
    MissingShard { names: String, missing: usize, total: usize },
    /// The index promises a tensor that its shard does not hold.
    #[error("{index} says that tensor {tensor} is in {file}, but it is not")]
    IndexTensorMissing { index: String, tensor: String, file: String },
    /// The index names a file outside the model's folder.
    #[error("{index} names the shard {shard:?}; only files in the same folder are allowed")]
    IndexPath { index: String, shard: String },
    /// The GGUF file was written for big-endian machines.
    #[error("{file} is a big-endian GGUF file")]
    GgufBigEndian { file: String },
    /// A GGUF version that is not read.
    #[error("{file} is GGUF version {version}; versions 2 and 3 are supported")]
    GgufVersion { file: String, version: u32 },
    /// Parts of a split GGUF model that do not belong together.
    #[error("{file} does not belong to the other parts of the split model: {message}")]
    GgufSplit { file: String, message: String },
    /// A count or length in the header that no real file has.
    #[error("{file}: {what} is {value}; at most {cap} is accepted")]
    GgufLimit { file: String, what: String, value: u64, cap: u64 },
    /// A value that the format does not allow.
    #[error("{file}: {what}: {message}")]
    GgufInvalid { file: String, what: String, message: String },
    /// `general.alignment` is not a power of two of at least 8, or not a u32.
    #[error("{file}: general.alignment is {value}; it must be a u32 and a power of two, 8 or more")]
    GgufAlignment { file: String, value: String },
    /// A tensor does not start where the one before it ends.
    #[error(
        "{file}: tensor {tensor} is at offset {found} of the data, but the tensors before it end at {expected}"
    )]
    GgufOffset { file: String, tensor: String, expected: u64, found: u64 },
    /// Metadata that the model needs is not there.
    #[error("the GGUF metadata has no {key}")]
    MetadataMissing { key: String },
    /// Metadata of another type than its key says.
    #[error("the GGUF metadata {key} is {found}, not {wanted}")]
    MetadataType { key: String, wanted: &'static str, found: String },
    /// The vocabulary contradicts itself.
    #[error("the vocabulary in the GGUF file is not valid: {message}")]
    Vocabulary { message: String },
    /// A read outside a tensor's data.
    #[error("bytes {offset}..+{len} do not lie in the {bytes} bytes of tensor {tensor}")]
    OutOfTensor { tensor: String, offset: u64, len: u64, bytes: u64 },
    /// A buffer that does not hold whole blocks, or not as many as asked for.
    #[error("{count} {what} of {dtype} where {expected} (or whole blocks of it) were expected")]
    BlockLength { dtype: DType, what: &'static str, count: u64, expected: u64 },
}

impl FormatError {
    /// A stable identifier of the kind of fault, in snake_case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code(),
            Self::NoFiles => "no_files",
            Self::NoWeights { .. } => "no_weights",
            Self::SeveralModels { .. } => "several_models",
            Self::WrongContent { content, .. } => content.code(),
            Self::Truncated { .. } => "truncated_file",
            Self::TrailingBytes { .. } => "trailing_bytes",
            Self::FileTooLarge { .. } => "file_too_large",
            Self::HeaderTooLarge { .. } => "header_too_large",
            Self::InvalidJson { .. } => "invalid_json",
            Self::SafetensorsHeader { .. } => "safetensors_header",
            Self::DuplicateName { .. } => "duplicate_name",
            Self::DuplicateTensor { .. } => "duplicate_tensor",
            Self::TensorOverlap { .. } => "tensor_overlap",
            Self::TensorHole { .. } => "tensor_hole",
            Self::ShapeOverflow { .. } => "shape_overflow",
            Self::SizeMismatch { .. } => "size_mismatch",
            Self::UnsupportedDType { .. } => "unsupported_dtype",
            Self::UnsupportedQuantisation { .. } => "unsupported_quantisation",
            Self::Scale { .. } => "quantisation_scale",
            Self::AdapterAlone { .. } => "adapter_alone",
            Self::NoAdapter { .. } => "no_adapter",
            Self::Adapter { .. } => "adapter_invalid",
            Self::AdapterFeature { .. } => "adapter_feature",
            Self::TensorMissing { .. } => "tensor_missing",
            Self::MissingConfig { .. } => "missing_config",
            Self::MissingShard { .. } => "missing_shard",
            Self::IndexTensorMissing { .. } => "index_tensor_missing",
            Self::IndexPath { .. } => "index_path",
            Self::GgufBigEndian { .. } => "gguf_big_endian",
            Self::GgufVersion { .. } => "gguf_version",
            Self::GgufSplit { .. } => "gguf_split",
            Self::GgufLimit { .. } => "gguf_limit",
            Self::GgufInvalid { .. } => "gguf_invalid",
            Self::GgufAlignment { .. } => "gguf_alignment",
            Self::GgufOffset { .. } => "gguf_offset",
            Self::MetadataMissing { .. } => "metadata_missing",
            Self::MetadataType { .. } => "metadata_type",
            Self::Vocabulary { .. } => "vocabulary_invalid",
            Self::OutOfTensor { .. } => "out_of_tensor",
            Self::BlockLength { .. } => "block_length",
        }
    }

    /// What the user can do about it, in one or two plain sentences.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Source(error) => error.hint(),
            Self::NoFiles | Self::NoWeights { .. } => {
                "Open a .gguf file, or a model's folder with config.json and its .safetensors files."
            }
            Self::SeveralModels { .. } => "Open one model at a time.",
            Self::WrongContent { content, .. } => content.hint(),
            Self::Truncated { .. } => "The download or copy did not finish. Download the file again.",
            Self::TrailingBytes { .. }
            | Self::SafetensorsHeader { .. }
            | Self::DuplicateName { .. }
            | Self::TensorOverlap { .. }
            | Self::TensorHole { .. }
            | Self::ShapeOverflow { .. }
            | Self::SizeMismatch { .. }
            | Self::GgufInvalid { .. }
            | Self::GgufAlignment { .. }
            | Self::GgufOffset { .. } => {
                "The file is damaged or was written by a faulty tool. Download it again from its source."
            }
            Self::FileTooLarge { .. }
            | Self::HeaderTooLarge { .. }
            | Self::GgufLimit { .. }
            | Self::IndexPath { .. } => {
                "The file is damaged, or made to do harm. Download it again from a source you trust."
            }
            Self::InvalidJson { .. } => {
                "The file is damaged or was edited. Download it again from the model's page."
            }
            Self::DuplicateTensor { .. } | Self::IndexTensorMissing { .. } | Self::GgufSplit { .. } => {
                "The parts do not belong together. Download all of them again, from the same revision."
            }
            Self::UnsupportedDType { .. } => {
                "Use another variant of the model: F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K or Q4_0 are sure to work."
            }
            Self::Scale { .. } => "Use the original model in F16 or BF16, or a GGUF of it.",
            Self::UnsupportedQuantisation { method } => quantisation::hint(method),
            Self::AdapterAlone { .. } => "Open the model it was made for, then attach the adapter to it.",
            Self::NoAdapter { .. } => {
                "Choose a folder with adapter_config.json and adapter_model.safetensors, or a GGUF adapter."
            }
            Self::Adapter { .. } => {
                "Its files are damaged or of different adapters. Download all of them again."
            }
            Self::AdapterFeature { .. } => {
                "Merge it into its model with PEFT's merge_and_unload and save_pretrained, and open the result."
            }
            Self::TensorMissing { .. } => {
                "The file is not a complete model (perhaps an adapter), or its architecture is not supported."
            }
            Self::MissingConfig { .. } => {
                "Open config.json together with the weights: open the whole folder."
            }
            Self::MissingShard { .. } => "Open all shards together: open the whole folder.",
            Self::GgufBigEndian { .. } => "Use the little-endian variant of the file.",
            Self::GgufVersion { version: 0 | 1, .. } => {
                "Convert the original model again with a current llama.cpp to get a GGUF file of version 3."
            }
            Self::GgufVersion { .. } => "Use a file of version 3, or a newer Glassbox.",
            Self::MetadataMissing { .. } | Self::MetadataType { .. } | Self::Vocabulary { .. } => {
                "The file was written by a faulty or outdated tool. Convert the original model again with a current llama.cpp."
            }
            Self::OutOfTensor { .. } | Self::BlockLength { .. } => {
                "This is a fault in Glassbox. Please report it with the model's name."
            }
        }
    }
}
