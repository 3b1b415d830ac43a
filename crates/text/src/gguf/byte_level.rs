//! Byte-level BPE from a GGUF vocabulary of the kind `gpt2`.

use ahash::{AHashMap, AHashSet};
use glassbox_formats::gguf::Vocabulary;
use tokenizers::models::bpe::BpeBuilder;
use tokenizers::{ModelWrapper, SplitDelimiterBehavior};

use super::edges;
use super::kinds::Kinds;
use super::patterns::{self, PreTokenizerSpec, known_pre_tokenizers};
use crate::alphabet;
use crate::checked::{CheckedPreTokenizer, CheckedRegex};
use crate::error::{TextError, shorten};
use crate::pieces::PieceTable;
use crate::pipeline::{AddedTokens, Pipeline};
use crate::stream::Trim;
use crate::tokenizer::{Encoder, Parts};

/// Builds the tokenizer of a `gpt2` vocabulary.
pub(super) fn load(vocabulary: &Vocabulary, kinds: &Kinds) -> Result<Parts, TextError> {
    // Files from before the key existed are cut by llama.cpp's default pattern, so by ours too.
    let name = vocabulary.pre.as_deref().unwrap_or("default");
    let spec = patterns::find(name).ok_or_else(|| TextError::UnknownPreTokenizer {
        name: shorten(name),
        known: known_pre_tokenizers().collect::<Vec<_>>().join(", "),
    })?;

    let mut tokens = AHashMap::with_capacity(vocabulary.tokens.len());
    let mut pieces = PieceTable::default();
    let mut added = Vec::new();
    for (id, token) in (0u32..).zip(&vocabulary.tokens) {
        if let Some(special) = kinds.added(id) {
            pieces.set(id, token.as_bytes(), special)?;
            added.push(kinds.added_token(token, special));
        } else {
            let bytes = alphabet::decode(token).unwrap_or_else(|| token.as_bytes().to_vec());
            pieces.set(id, &bytes, false)?;
        }
        tokens.entry(token.clone()).or_insert(id);
    }

    let merges = merges(&vocabulary.merges, &tokens)?;
    let model = BpeBuilder::new().vocab_and_merges(tokens, merges).ignore_merges(spec.ignore_merges).build();
    let model = ModelWrapper::from(model.map_err(|error| TextError::invalid(error.to_string()))?);
    let pipeline = Pipeline {
        added: AddedTokens::new(added, &model, None)?,
        normalizer: None,
        pre_tokenizer: Some(pre_tokenizer(spec)?),
        model,
        byte_exact: true,
    };
    let edges = edges(vocabulary, vocabulary.bos, vocabulary.eos, spec.add_bos);
    let ends = (vocabulary.bos, vocabulary.eos);
    Ok(Parts::gguf(Encoder::Pipeline(Box::new(pipeline)), pieces, Trim::NONE, edges, ends))
}

/// Splits merge rules in two and checks that both parts and their union are tokens.
fn merges(rules: &[String], tokens: &AHashMap<String, u32>) -> Result<Vec<(String, String)>, TextError> {
    let mut seen = AHashSet::with_capacity(rules.len());
    let mut pairs = Vec::with_capacity(rules.len());
    let mut joined = String::new();
    for (index, rule) in rules.iter().enumerate() {
        let bad = |what| TextError::invalid(format!("merge {index} ({:?}) {what}", shorten(rule)));
        // A space may be the first character of the left part.
        let at = rule.char_indices().skip(1).find(|&(_, ch)| ch == ' ').map(|(at, _)| at);
        let (left, right) = at.map(|at| (&rule[..at], &rule[at + 1..])).ok_or_else(|| bad("has one part"))?;
        joined.clear();
        joined.push_str(left);
        joined.push_str(right);
        if ![left, right, &joined].iter().all(|&token| tokens.contains_key(token)) {
            return Err(bad("names a token that the vocabulary lacks"));
        }
        // Where a rule is given twice, the first and better rank counts.
        if seen.insert((left, right)) {
            pairs.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(pairs)
}

/// The cuts of `spec`, then the byte-level spelling.
fn pre_tokenizer(spec: &PreTokenizerSpec) -> Result<CheckedPreTokenizer, TextError> {
    let mut steps = Vec::with_capacity(spec.patterns.len() + 1);
    for pattern in spec.patterns {
        let pattern = CheckedRegex::new(pattern)?;
        let behavior = SplitDelimiterBehavior::Isolated;
        steps.push(CheckedPreTokenizer::Split { pattern, behavior, invert: false });
    }
    steps.push(CheckedPreTokenizer::ByteLevel { add_prefix_space: false, pattern: None });
    Ok(CheckedPreTokenizer::Sequence(steps))
}
