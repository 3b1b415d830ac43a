//! Where each of our weights lies in a file: the names that most architectures share.

use crate::{DecoderSpec, Source};

/// Names of tensors. `{i}` stands for the block's index, `{e}` for an expert's, `{h}` for a head's (where each
/// has a tensor of its own); `.weight` and `.bias` are added. A name that the spec has no use for is not looked up.
#[derive(Debug, Clone)]
pub struct Names {
    /// What some files put before every name and others leave out.
    pub optional_prefix: &'static str,
    /// Added to every norm's weight (Gemma's hub files hold it less 1).
    pub norm_offset: f32,
    /// Token embedding `[vocab, hidden]`.
    pub embed: &'static str,
    /// Learned position embedding `[context, hidden]`.
    pub pos_embed: &'static str,
    /// Norm of token embeddings.
    pub embed_norm: &'static str,
    /// Norm after the last block.
    pub final_norm: &'static str,
    /// Output head `[vocab, hidden]`; also where a tied head may be repeated.
    pub head: &'static str,
    /// Norm before attention.
    pub attn_norm: &'static str,
    /// Norm after attention.
    pub post_attn_norm: &'static str,
    /// Query projection.
    pub q: Source,
    /// Key projection.
    pub k: Source,
    /// Value projection.
    pub v: Source,
    /// Output projection of attention.
    pub o: Source,
    /// Norm of queries.
    pub q_norm: &'static str,
    /// Norm of keys.
    pub k_norm: &'static str,
    /// Gates and values of a convolution `[3 * hidden, hidden]`.
    pub conv_input: &'static str,
    /// Its kernel `[hidden, width]`.
    pub conv_kernel: &'static str,
    /// Its output projection.
    pub conv_output: &'static str,
    /// Norm before the MLP.
    pub mlp_norm: &'static str,
    /// Norm after the MLP.
    pub post_mlp_norm: &'static str,
    /// Gate of a gated MLP.
    pub gate: Source,
    /// Up projection.
    pub up: Source,
    /// Down projection.
    pub down: Source,
    /// Scores of experts `[expert, hidden]`.
    pub router: Source,
    /// Gate of an expert.
    pub expert_gate: Source,
    /// Up projection of an expert.
    pub expert_up: Source,
    /// Down projection of an expert.
    pub expert_down: Source,
    /// Ends of names that carry no weights (buffers such as masks).
    pub ignored: &'static [&'static str],
}

impl Names {
    /// The hub's names for Llama, which most later models keep.
    pub fn hub() -> Self {
        Self {
            optional_prefix: "model.",
            norm_offset: 0.0,
            embed: "model.embed_tokens",
            pos_embed: "model.embed_positions",
            embed_norm: "model.embed_norm",
            final_norm: "model.norm",
            head: "lm_head",
            attn_norm: "model.layers.{i}.input_layernorm",
            post_attn_norm: "model.layers.{i}.post_attention_layernorm",
            q: Source::plain("model.layers.{i}.self_attn.q_proj"),
            k: Source::plain("model.layers.{i}.self_attn.k_proj"),
            v: Source::plain("model.layers.{i}.self_attn.v_proj"),
            o: Source::plain("model.layers.{i}.self_attn.o_proj"),
            q_norm: "model.layers.{i}.self_attn.q_norm",
            k_norm: "model.layers.{i}.self_attn.k_norm",
            conv_input: "model.layers.{i}.conv.in_proj",
            conv_kernel: "model.layers.{i}.conv.conv",
            conv_output: "model.layers.{i}.conv.out_proj",
            mlp_norm: "model.layers.{i}.post_attention_layernorm",
            post_mlp_norm: "model.layers.{i}.post_feedforward_layernorm",
            gate: Source::plain("model.layers.{i}.mlp.gate_proj"),
            up: Source::plain("model.layers.{i}.mlp.up_proj"),
            down: Source::plain("model.layers.{i}.mlp.down_proj"),
            router: Source::plain("model.layers.{i}.mlp.gate"),
            expert_gate: Source::plain("model.layers.{i}.mlp.experts.{e}.gate_proj"),
            expert_up: Source::plain("model.layers.{i}.mlp.experts.{e}.up_proj"),
            expert_down: Source::plain("model.layers.{i}.mlp.experts.{e}.down_proj"),
            ignored: &["rotary_emb.inv_freq"],
        }
    }

    /// llama.cpp's names, the same for all architectures but for what is fused.
    pub fn gguf() -> Self {
        Self {
            optional_prefix: "",
            norm_offset: 0.0,
            embed: "token_embd",
            pos_embed: "position_embd",
            embed_norm: "token_embd_norm",
            final_norm: "output_norm",
            head: "output",
            attn_norm: "blk.{i}.attn_norm",
            post_attn_norm: "blk.{i}.post_attention_norm",
            q: Source::plain("blk.{i}.attn_q"),
            k: Source::plain("blk.{i}.attn_k"),
            v: Source::plain("blk.{i}.attn_v"),
            o: Source::plain("blk.{i}.attn_output"),
            q_norm: "blk.{i}.attn_q_norm",
            k_norm: "blk.{i}.attn_k_norm",
            conv_input: "blk.{i}.shortconv.in_proj",
            conv_kernel: "blk.{i}.shortconv.conv",
            conv_output: "blk.{i}.shortconv.out_proj",
            mlp_norm: "blk.{i}.ffn_norm",
            post_mlp_norm: "blk.{i}.post_ffw_norm",
            gate: Source::plain("blk.{i}.ffn_gate"),
            up: Source::plain("blk.{i}.ffn_up"),
            down: Source::plain("blk.{i}.ffn_down"),
            router: Source::plain("blk.{i}.ffn_gate_inp"),
            expert_gate: Source::plain("blk.{i}.ffn_gate_exps").stacked(),
            expert_up: Source::plain("blk.{i}.ffn_up_exps").stacked(),
            expert_down: Source::plain("blk.{i}.ffn_down_exps").stacked(),
            ignored: &[],
        }
    }

    /// The same with queries and keys in the order of rotary pairs, as llama.cpp's converter writes Llama's.
    pub fn interleaved(self, spec: &DecoderSpec) -> Self {
        let (q, k) = (self.q.interleaved(spec.head_dim), self.k.interleaved(spec.head_dim));
        Self { q, k, ..self }
    }

    /// The same with queries, keys and values one behind the other in one tensor.
    pub fn fused(self, spec: &DecoderSpec, source: Source) -> Self {
        let (query, kv) = (spec.query_width(), spec.kv_width());
        let part = |start, count| source.part(start, count, query + 2 * kv);
        Self { q: part(0, query), k: part(query, kv), v: part(query + kv, kv), ..self }
    }

    /// The same with one tensor that holds, for each key head, its queries, the key and the value
    /// (GPT-NeoX, Falcon).
    pub fn fused_by_head(self, spec: &DecoderSpec, source: Source) -> Self {
        let (run, head) = (spec.group() * spec.head_dim, spec.head_dim);
        let stride = run + 2 * head;
        let part = |start, count| source.strided(start, count, stride, stride * spec.kv_heads);
        Self { q: part(0, run), k: part(run, head), v: part(run + head, head), ..self }
    }

    /// The same with gate and up projection one behind the other in one tensor.
    pub fn fused_gate(self, spec: &DecoderSpec, source: Source) -> Self {
        let inner = spec.intermediate;
        Self { gate: source.part(0, inner, 2 * inner), up: source.part(inner, inner, 2 * inner), ..self }
    }
}
