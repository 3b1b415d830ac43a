//! The list of tensors that a decoder is made of: one list, by which files are checked and loaded.

use crate::{
    BlockSpec, ConvolutionSpec, DecoderSpec, Mixer, Placement, QkNorm, Wiring, architectures::Names,
};

use super::Source;

/// What a weight is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Embed,
    PosEmbed,
    EmbedNorm,
    FinalNorm,
    Head,
    AttnNorm,
    PostAttnNorm,
    MlpNorm,
    PostMlpNorm,
    Q,
    K,
    V,
    O,
    QNorm,
    KNorm,
    ConvInput,
    ConvKernel,
    ConvOutput,
    Router,
    Gate(Option<usize>),
    Up(Option<usize>),
    Down(Option<usize>),
}

/// One weight: a matrix `[out, in]` or a vector `[size]`.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub role: Role,
    /// Name of the tensor, `.weight` or `.bias` included. `{h}` stands for a head's index: one tensor for each.
    pub name: String,
    pub source: Source,
    pub shape: Shape,
    /// Expert in a stacked tensor, and how many there are.
    pub expert: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Matrix {
        out: usize,
        input: usize,
    },
    Weight {
        size: usize,
    },
    /// A convolution's `[channels, width]`; PyTorch's has an axis of 1 between.
    Kernel {
        channels: usize,
        width: usize,
    },
    Bias {
        size: usize,
    },
}

impl Part {
    /// Names of the tensors it lies in: one, or one for each head.
    pub fn tensors(&self, heads: usize) -> Vec<String> {
        match self.name.contains("{h}") {
            true => (0..heads).map(|head| self.name.replace("{h}", &head.to_string())).collect(),
            false => vec![self.name.clone()],
        }
    }

    /// The shapes that each of those tensors may have in a file.
    pub fn file_shapes(&self, heads: usize) -> Vec<Vec<u64>> {
        let shape: Vec<usize> = match self.shape {
            Shape::Matrix { out, input } => {
                let rows = self.source.file_rows(out);
                let plain = if self.source.transposed { [input, rows] } else { [rows, input] };
                self.expert
                    .filter(|_| self.source.stacked)
                    .map(|(_, count)| count)
                    .into_iter()
                    .chain(plain)
                    .collect()
            }
            Shape::Kernel { channels, width } => vec![channels, width],
            Shape::Weight { size } | Shape::Bias { size } if self.name.contains("{h}") => vec![size / heads],
            Shape::Weight { size } | Shape::Bias { size } => vec![self.source.file_rows(size)],
        };
        let wide = |shape: Vec<usize>| shape.into_iter().map(|size| size as u64).collect::<Vec<u64>>();
        let mut all = vec![wide(shape)];
        if let Shape::Kernel { channels, width } = self.shape {
            all.push(wide(vec![channels, 1, width]));
        }
        // Norms of single heads come as a table too.
        if let (Role::QNorm | Role::KNorm, Shape::Weight { size } | Shape::Bias { size }) =
            (self.role, self.shape)
            && size % heads == 0
        {
            all.push(wide(vec![heads, size / heads]));
        }
        all
    }
}

/// The weights of the whole model, or of one block.
pub(super) fn parts(spec: &DecoderSpec, names: &Names, block: Option<usize>) -> Vec<Part> {
    let mut list = List { spec, block, parts: Vec::new() };
    match block {
        None => list.outer(names),
        Some(index) => list.block(names, spec.blocks.get(index).copied().unwrap_or_default()),
    }
    list.parts
}

struct List<'a> {
    spec: &'a DecoderSpec,
    block: Option<usize>,
    parts: Vec<Part>,
}

impl List<'_> {
    fn outer(&mut self, names: &Names) {
        let spec = self.spec;
        let hidden = spec.hidden;
        self.linear(Role::Embed, Source::plain(names.embed), spec.vocab, hidden, false);
        if let crate::Positions::Learned { offset } = spec.positions {
            self.linear(Role::PosEmbed, Source::plain(names.pos_embed), spec.context + offset, hidden, false);
        }
        if spec.embed_norm {
            self.norm(Role::EmbedNorm, names.embed_norm, hidden, spec.norm.bias);
        }
        self.norm(Role::FinalNorm, names.final_norm, hidden, spec.norm.bias);
        let head = Source::plain(names.head);
        if !spec.tied_head {
            self.linear(Role::Head, head, spec.vocab, hidden, spec.head_bias);
        } else if spec.head_bias {
            self.push(Role::Head, head, Shape::Bias { size: spec.vocab }, None);
        }
    }

    fn block(&mut self, names: &Names, block: BlockSpec) {
        let spec = self.spec;
        let (hidden, bias) = (spec.hidden, spec.norm.bias);
        if spec.placement != Placement::Post {
            self.norm(Role::AttnNorm, names.attn_norm, hidden, bias);
            if spec.wiring != Wiring::ParallelSharedNorm {
                self.norm(Role::MlpNorm, names.mlp_norm, hidden, bias);
            }
        }
        if spec.placement != Placement::Pre {
            self.norm(Role::PostAttnNorm, names.post_attn_norm, hidden, bias);
            self.norm(Role::PostMlpNorm, names.post_mlp_norm, hidden, bias);
        }
        match (block.mixer, spec.convolution) {
            (Mixer::Convolution, Some(table)) => self.convolution(names, table),
            _ => self.attention(names),
        }
        match (&spec.mlp.experts, block.experts) {
            (Some(table), true) => {
                self.linear(Role::Router, names.router, table.count, hidden, false);
                let sources = [names.expert_gate, names.expert_up, names.expert_down];
                for expert in 0..table.count {
                    self.mlp(sources, table.intermediate, Some((expert, table.count)));
                }
            }
            _ => self.mlp([names.gate, names.up, names.down], spec.intermediate, None),
        }
    }

    fn attention(&mut self, names: &Names) {
        let spec = self.spec;
        let (hidden, query, kv) = (spec.hidden, spec.query_width(), spec.kv_width());
        let attention = &spec.attention;
        self.linear(Role::Q, names.q, query, hidden, attention.qkv_bias);
        self.linear(Role::K, names.k, kv, hidden, attention.qkv_bias);
        self.linear(Role::V, names.v, kv, hidden, attention.qkv_bias);
        self.linear(Role::O, names.o, hidden, query, attention.output_bias);
        if let Some(kind) = attention.qk_norm {
            let sizes = match kind {
                QkNorm::Head => [spec.head_dim; 2],
                QkNorm::OwnHead | QkNorm::Width => [query, kv],
            };
            self.norm(Role::QNorm, names.q_norm, sizes[0], attention.qk_norm_bias);
            self.norm(Role::KNorm, names.k_norm, sizes[1], attention.qk_norm_bias);
        }
    }

    fn convolution(&mut self, names: &Names, table: ConvolutionSpec) {
        let hidden = self.spec.hidden;
        self.linear(Role::ConvInput, Source::plain(names.conv_input), 3 * hidden, hidden, table.bias);
        let kernel = Source::plain(names.conv_kernel);
        self.push(Role::ConvKernel, kernel, Shape::Kernel { channels: hidden, width: table.width }, None);
        if table.bias {
            self.push(Role::ConvKernel, kernel, Shape::Bias { size: hidden }, None);
        }
        self.linear(Role::ConvOutput, Source::plain(names.conv_output), hidden, hidden, table.bias);
    }

    fn mlp(&mut self, [gate, up, down]: [Source; 3], inner: usize, expert: Option<(usize, usize)>) {
        let (hidden, number) = (self.spec.hidden, expert.map(|(number, _)| number));
        let mut all = vec![(Role::Up(number), up, inner, hidden), (Role::Down(number), down, hidden, inner)];
        if self.spec.mlp.gated {
            all.insert(0, (Role::Gate(number), gate, inner, hidden));
        }
        for (role, source, out, input) in all {
            self.push(role, source, Shape::Matrix { out, input }, expert);
            if self.spec.mlp.bias {
                self.push(role, source, Shape::Bias { size: out }, expert);
            }
        }
    }

    fn norm(&mut self, role: Role, name: &'static str, size: usize, bias: bool) {
        if self.spec.norm.weight {
            self.push(role, Source::plain(name), Shape::Weight { size }, None);
        }
        if bias {
            self.push(role, Source::plain(name), Shape::Bias { size }, None);
        }
    }

    fn linear(&mut self, role: Role, source: Source, out: usize, input: usize, bias: bool) {
        self.push(role, source, Shape::Matrix { out, input }, None);
        if bias {
            self.push(role, source, Shape::Bias { size: out }, None);
        }
    }

    fn push(&mut self, role: Role, source: Source, shape: Shape, expert: Option<(usize, usize)>) {
        let suffix = if matches!(shape, Shape::Bias { .. }) { ".bias" } else { ".weight" };
        let mut name = format!("{}{suffix}", source.name);
        if let Some(index) = self.block {
            name = name.replace("{i}", &index.to_string());
        }
        if let Some((expert, _)) = expert {
            name = name.replace("{e}", &expert.to_string());
        }
        self.parts.push(Part { role, name, source, shape, expert });
    }
}
