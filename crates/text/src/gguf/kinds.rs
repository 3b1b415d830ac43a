//! What each token of a GGUF vocabulary is, after llama.cpp's corrections.

use glassbox_formats::gguf::{TokenType, Vocabulary};
use glassbox_formats::order;
use tokenizers::AddedToken;

/// Tokens that end an answer, by the names models give them.
const END: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Other names that are control tokens whatever a file says: those of filling in the middle.
const CONTROL: [&str; 24] = [
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|fim_pad|>",
    "<|fim_repo|>",
    "<|file_sep|>",
];

/// Tokens of gpt-oss that are shown, and recognised always.
const SHOWN: [&str; 4] = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// The kind of every token.
#[derive(Debug)]
pub(super) struct Kinds {
    kinds: Vec<TokenType>,
    /// The tokens that end an answer.
    pub(super) end_tokens: Vec<u32>,
    /// White space after a special token belongs to it: Phi-3, which llama.cpp knows by the
    /// model's name.
    rstrip: bool,
}

impl Kinds {
    /// The kinds a file gives, corrected where a token's name says more.
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let mut kinds = vocabulary.types.clone();
        // A vocabulary without kinds has only normal tokens.
        kinds.resize(vocabulary.tokens.len(), TokenType::Normal);
        let mut end_tokens: Vec<u32> = vocabulary.eos.into_iter().collect();
        for ((id, token), kind) in (0u32..).zip(&vocabulary.tokens).zip(&mut kinds) {
            let name = token.as_str();
            if END.contains(&name) {
                end_tokens.push(id);
            }
            if SHOWN.contains(&name) {
                *kind = TokenType::UserDefined;
            } else if (END.contains(&name) || CONTROL.contains(&name)) && *kind != TokenType::Byte {
                *kind = TokenType::Control;
            }
        }
        // In gpt-oss `<|end|>` ends a message of several, not the answer.
        let named = |name: &str| vocabulary.tokens.iter().position(|token| token == name);
        if named("<|return|>").is_some()
            && named("<|call|>").is_some()
            && let Some(end) = named("<|end|>")
        {
            end_tokens.retain(|&id| id as usize != end);
            kinds[end] = TokenType::UserDefined;
        }
        order::sort_by(&mut end_tokens, Ord::cmp);
        end_tokens.dedup();
        let name = vocabulary.model_name.as_deref().unwrap_or_default().to_lowercase();
        Self { kinds, end_tokens, rstrip: name.contains("phi-3") || name.contains("phi3") }
    }

    pub(super) fn get(&self, id: u32) -> TokenType {
        self.kinds.get(id as usize).copied().unwrap_or(TokenType::Normal)
    }

    /// Whether a token that is recognised as a whole string is special; `None` for other tokens.
    pub(super) fn added(&self, id: u32) -> Option<bool> {
        match self.get(id) {
            TokenType::Control | TokenType::Unknown => Some(true),
            TokenType::UserDefined => Some(false),
            _ => None,
        }
    }

    /// The token as the `tokenizers` crate takes it.
    pub(super) fn added_token(&self, token: &str, special: bool) -> AddedToken {
        let rstrip = self.rstrip && !["<unk>", "<s>", "<|endoftext|>"].contains(&token);
        super::added_token(token, special, rstrip)
    }
}
