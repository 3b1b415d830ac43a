//! What a file holds, told from its first bytes: names lie, and the usual accidents (a git-LFS
//! pointer, a web page, a pickle) deserve to be named.

use std::fmt;

/// Bytes of a file's beginning that [`Content::of`] wants; fewer are fine.
pub const SNIFF_BYTES: usize = 512;

/// The kind of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A safetensors header.
    Safetensors,
    /// A GGUF header, of any version and byte order.
    Gguf,
    /// No byte at all.
    Empty,
    /// The text stub that git leaves where git-LFS has not fetched the file.
    LfsPointer {
        /// Size of the real file in bytes, where the stub says so.
        bytes: Option<u64>,
    },
    /// A web page: an error, a login form, or the hub's page about the file.
    Html,
    /// A Python pickle, bare or in PyTorch's zip: it can run code when it is loaded.
    Pickle,
    /// A zip archive that is not PyTorch's.
    Zip,
    /// gzip, xz, zstd, bzip2 or 7z.
    Compressed,
    /// A tar archive.
    Tar,
    /// The formats that came before GGUF (`ggml`, `ggmf`, `ggjt`, `ggla`).
    LegacyGgml,
    /// HDF5, as TensorFlow's `tf_model.h5`.
    Hdf5,
    /// An ONNX graph.
    Onnx,
    /// JSON: a configuration, or a server's error message.
    Json,
    /// Other text, as a server's one-line error message.
    Text,
    /// Only zero bytes, as a download that was reserved and not written.
    Zeros,
    /// None of these.
    Unknown,
}

impl Content {
    /// The kind of the file that starts with `head`.
    pub fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(SNIFF_BYTES)];
        if head.is_empty() {
            return Self::Empty;
        }
        binary(head).or_else(|| text(head)).unwrap_or(Self::Unknown)
    }

    /// A stable identifier, used as the error code where weights were expected.
    pub fn code(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
            Self::Empty => "empty_file",
            Self::LfsPointer { .. } => "lfs_pointer",
            Self::Html => "html_page",
            Self::Pickle => "pickle",
            Self::Zip => "zip_archive",
            Self::Compressed => "compressed_file",
            Self::Tar => "tar_archive",
            Self::LegacyGgml => "legacy_ggml",
            Self::Hdf5 => "hdf5_file",
            Self::Onnx => "onnx_model",
            Self::Json => "json_file",
            Self::Text => "text_file",
            Self::Zeros => "zero_bytes",
            Self::Unknown => "unknown_format",
        }
    }

    /// What the user can do about a file of this kind.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Safetensors | Self::Gguf => "Open it together with the other files of its folder.",
            Self::Empty | Self::Zeros => "The download did not finish. Download the file again.",
            Self::LfsPointer { .. } => {
                "Run `git lfs pull` in the folder, or download the file itself from the model's page."
            }
            Self::Html => {
                "What was downloaded is a page, not the file. Use the file's download link (…/resolve/main/…); \
                 a gated model needs its licence accepted first."
            }
            Self::Pickle => {
                "Pickles can run code, so they are never opened. Use the model's .safetensors or .gguf file, \
                 or convert it with transformers' save_pretrained."
            }
            Self::Zip | Self::Compressed | Self::Tar => "Unpack it and open the files inside.",
            Self::LegacyGgml => {
                "Convert the original model again with a current llama.cpp to get a GGUF file."
            }
            Self::Hdf5 => "Use the model's .safetensors or .gguf file.",
            Self::Onnx => {
                "An ONNX file is a compiled graph, in which layers and heads can no longer be told apart. \
                 Use the model's .safetensors or .gguf file."
            }
            Self::Json | Self::Text => {
                "Look into it with an editor: it may be a server's error message saved under the model's name. \
                 Then download the model again."
            }
            Self::Unknown => "Glassbox opens .safetensors (with config.json) and .gguf files.",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "a safetensors file",
            Self::Gguf => "a GGUF file",
            Self::Empty => "an empty file",
            Self::LfsPointer { bytes: Some(bytes) } => {
                return write!(f, "a git-LFS pointer to a file of {bytes} bytes, not the file itself");
            }
            Self::LfsPointer { bytes: None } => "a git-LFS pointer, not the file itself",
            Self::Html => "a web page",
            Self::Pickle => "a Python pickle",
            Self::Zip => "a zip archive",
            Self::Compressed => "a compressed file",
            Self::Tar => "a tar archive",
            Self::LegacyGgml => "a GGML file from before GGUF",
            Self::Hdf5 => "an HDF5 file",
            Self::Onnx => "an ONNX graph",
            Self::Json => "a JSON file",
            Self::Text => "a text file",
            Self::Zeros => "a file of zero bytes",
            Self::Unknown => "neither safetensors nor GGUF",
        })
    }
}

fn binary(head: &[u8]) -> Option<Content> {
    let magics: [(&[u8], Content); 16] = [
        (b"GGUF", Content::Gguf),
        (b"lmgg", Content::LegacyGgml),
        (b"fmgg", Content::LegacyGgml),
        (b"tjgg", Content::LegacyGgml),
        (b"algg", Content::LegacyGgml),
        (b"\x89HDF\r\n\x1a\n", Content::Hdf5),
        (b"PK\x05\x06", Content::Zip),
        (b"\x1f\x8b", Content::Compressed),
        (b"\xfd7zXZ\0", Content::Compressed),
        (b"\x28\xb5\x2f\xfd", Content::Compressed),
        (b"BZh", Content::Compressed),
        (b"7z\xbc\xaf\x27\x1c", Content::Compressed),
        (b"\x80\x02", Content::Pickle),
        (b"\x80\x03", Content::Pickle),
        (b"\x80\x04", Content::Pickle),
        (b"\x80\x05", Content::Pickle),
    ];
    // A safetensors header starts with its length, which may look like any short magic number.
    if head.get(8) == Some(&b'{') && head.get(6..8) == Some(&[0, 0]) {
        return Some(Content::Safetensors);
    }
    if let Some((_, content)) = magics.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*content);
    }
    if head.starts_with(b"PK\x03\x04") {
        let torch =
            contains(head, b"/data.pkl") || contains(head, b"/version") || contains(head, b".format_version");
        return Some(if torch { Content::Pickle } else { Content::Zip });
    }
    if onnx(head) {
        return Some(Content::Onnx);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(Content::Tar);
    }
    (head.len() >= 8 && head.iter().all(|&b| b == 0)).then_some(Content::Zeros)
}

/// ONNX has no magic number. Its protobuf starts with `ir_version` (field 1, a small number), and then
/// comes the producer's name (field 2, a short text) or the graph (field 7).
fn onnx(head: &[u8]) -> bool {
    match head {
        [0x08, 1..=31, 0x12, len, rest @ ..] => {
            let name = rest.get(..usize::from(*len));
            *len < 0x80 && name.is_some_and(|name| name.iter().all(|b| b.is_ascii_graphic() || *b == b' '))
        }
        [0x08, 1..=31, 0x3a, ..] => true,
        _ => false,
    }
}

fn text(head: &[u8]) -> Option<Content> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if head.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some(Content::LfsPointer { bytes: lfs_size(head) });
    }
    let lower = head[..head.len().min(256)].to_ascii_lowercase();
    let page: [&[u8]; 5] = [b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--"];
    if page.iter().any(|start| lower.starts_with(start)) {
        return Some(Content::Html);
    }
    if matches!(head.first(), Some(b'{' | b'[')) {
        return Some(Content::Json);
    }
    let printable = |b: &u8| !b.is_ascii_control() || b.is_ascii_whitespace();
    // A character may be cut at the end of what was read.
    let utf8 = std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    (head.len() >= 8 && utf8 && head.iter().all(printable)).then_some(Content::Text)
}

fn lfs_size(pointer: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(pointer).ok()?;
    text.lines().find_map(|line| line.strip_prefix("size "))?.trim().parse().ok()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
