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

    let merges = merges(vocabulary)?;
    let model = BpeBuilder::new().vocab_and_merges(tokens, merges).ignore_merges(spec.ignore_merges).build();
    let model = ModelWrapper::from(model.map_err(|error| fault(vocabulary, &error.to_string()))?);
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

/// Splits merge rules in two. That both parts and their union are tokens is checked by the model's builder, which
/// relies on no union being longer than the longest token.
fn merges(vocabulary: &Vocabulary) -> Result<Vec<(String, String)>, TextError> {
    let longest = vocabulary.tokens.iter().map(String::len).max().unwrap_or(0);
    let rules = &vocabulary.merges;
    let mut seen = AHashSet::with_capacity(rules.len());
    let mut pairs = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let (left, right) = halves(rule).ok_or_else(|| bad(index, rule, "has one part"))?;
        if left.len() + right.len() > longest {
            return Err(bad(index, rule, LACKING));
        }
        // Where a rule is given twice, the first and better rank counts.
        if seen.insert((left, right)) {
            pairs.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(pairs)
}

const LACKING: &str = "names a token that the vocabulary lacks";

fn bad(index: usize, rule: &str, what: &str) -> TextError {
    TextError::invalid(format!("merge {index} ({:?}) {what}", shorten(rule)))
}

/// The parts of a merge rule. A space may be the first character of the left one.
fn halves(rule: &str) -> Option<(&str, &str)> {
    let at = 1 + rule.as_bytes().get(1..)?.iter().position(|byte| *byte == b' ')?;
    Some((&rule[..at], &rule[at + 1..]))
}

/// Says which merge rule it is that no model can be built with.
fn fault(vocabulary: &Vocabulary, error: &str) -> TextError {
    let tokens: AHashSet<&str> = vocabulary.tokens.iter().map(String::as_str).collect();
    let lacking = |rule: &str| {
        halves(rule).is_none_or(|(left, right)| {
            let union = [left, right].concat();
            ![left, right, &union].iter().all(|token| tokens.contains(*token))
        })
    };
    match vocabulary.merges.iter().enumerate().find(|(_, rule)| lacking(rule)) {
        Some((index, rule)) => bad(index, rule, LACKING),
        None => TextError::invalid(error.to_owned()),
    }
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
