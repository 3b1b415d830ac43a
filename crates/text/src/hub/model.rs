//! The model of a tokenizer.json: vocabulary, merges, scores.

use std::fmt;

use ahash::AHashMap;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokenizers::ModelWrapper;
use tokenizers::models::bpe::BpeBuilder;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevelBuilder;
use tokenizers::models::wordpiece::WordPieceBuilder;

use crate::error::{TextError, shorten};

/// The fields of every kind of model. `dropout` is left out on purpose: encoding is repeatable.
#[derive(Deserialize)]
pub(super) struct ModelFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: Vocab,
    merges: Option<Vec<Merge>>,
    unk_token: Option<String>,
    unk_id: Option<usize>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    max_input_chars_per_word: Option<usize>,
    #[serde(default)]
    fuse_unk: Option<bool>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    ignore_merges: Option<bool>,
}

/// A vocabulary is a map to ids, or for Unigram a list with scores.
enum Vocab {
    Ids(Vec<(String, u32)>),
    Scores(Vec<(String, f64)>),
}

/// A merge is written `"a b"`, or since 2024 `["a", "b"]`.
enum Merge {
    Pair(String, String),
    Joined(String),
}

impl ModelFile {
    /// All tokens with their ids.
    pub(super) fn tokens(&self) -> Box<dyn Iterator<Item = (&str, u32)> + '_> {
        match &self.vocab {
            Vocab::Ids(tokens) => Box::new(tokens.iter().map(|(token, id)| (token.as_str(), *id))),
            Vocab::Scores(scores) => Box::new(scores.iter().map(|(token, _)| token.as_str()).zip(0..)),
        }
    }

    /// Builds the model.
    pub(super) fn build(mut self) -> Result<ModelWrapper, TextError> {
        let kind = match self.kind.take() {
            Some(kind) => kind,
            None => self.guess_kind().to_owned(),
        };
        match (kind.as_str(), std::mem::replace(&mut self.vocab, Vocab::Scores(Vec::new()))) {
            ("BPE", Vocab::Ids(vocab)) => self.bpe(vocab.into_iter().collect()),
            ("WordPiece", Vocab::Ids(vocab)) => self.word_piece(vocab.into_iter().collect()),
            ("WordLevel", Vocab::Ids(vocab)) => self.word_level(vocab.into_iter().collect()),
            ("Unigram", Vocab::Scores(scores)) => self.unigram(scores),
            ("BPE" | "WordPiece" | "WordLevel" | "Unigram", _) => {
                Err(TextError::invalid(format!("the vocabulary is not of the shape that {kind} needs")))
            }
            _ => Err(TextError::Unsupported { what: format!("the model {:?}", shorten(&kind)) }),
        }
    }

    /// Files from before 2020 do not name the kind of model.
    fn guess_kind(&self) -> &'static str {
        match &self.vocab {
            Vocab::Scores(_) => "Unigram",
            Vocab::Ids(_) if self.merges.is_some() => "BPE",
            Vocab::Ids(_) if self.max_input_chars_per_word.is_some() => "WordPiece",
            Vocab::Ids(_) => "WordLevel",
        }
    }

    fn bpe(self, vocab: AHashMap<String, u32>) -> Result<ModelWrapper, TextError> {
        let prefix = self.continuing_subword_prefix.unwrap_or_default();
        let mut merges = Vec::new();
        for (index, merge) in self.merges.unwrap_or_default().into_iter().enumerate() {
            let Some((left, right)) = merge.split(index)? else { continue };
            let joined = right.strip_prefix(prefix.as_str()).map(|rest| format!("{left}{rest}"));
            let known = |token: &String| vocab.contains_key(token);
            if !(known(&left) && known(&right) && joined.as_ref().is_some_and(known)) {
                let pair = shorten(&format!("{left} {right}"));
                return Err(TextError::invalid(format!(
                    "merge {index} ({pair:?}) names a token the vocabulary lacks"
                )));
            }
            merges.push((left, right));
        }
        let mut builder = BpeBuilder::new()
            .vocab_and_merges(vocab, merges)
            .fuse_unk(self.fuse_unk.unwrap_or(false))
            .byte_fallback(self.byte_fallback.unwrap_or(false))
            .ignore_merges(self.ignore_merges.unwrap_or(false));
        if !prefix.is_empty() {
            builder = builder.continuing_subword_prefix(prefix);
        }
        if let Some(suffix) = self.end_of_word_suffix.filter(|suffix| !suffix.is_empty()) {
            builder = builder.end_of_word_suffix(suffix);
        }
        if let Some(unknown) = self.unk_token {
            builder = builder.unk_token(unknown);
        }
        Ok(builder.build().map_err(invalid)?.into())
    }

    fn word_piece(self, vocab: AHashMap<String, u32>) -> Result<ModelWrapper, TextError> {
        let mut builder = WordPieceBuilder::new().vocab(vocab);
        if let Some(unknown) = self.unk_token {
            builder = builder.unk_token(unknown);
        }
        if let Some(prefix) = self.continuing_subword_prefix {
            builder = builder.continuing_subword_prefix(prefix);
        }
        if let Some(limit) = self.max_input_chars_per_word {
            builder = builder.max_input_chars_per_word(limit);
        }
        Ok(builder.build().map_err(invalid)?.into())
    }

    fn word_level(self, vocab: AHashMap<String, u32>) -> Result<ModelWrapper, TextError> {
        let mut builder = WordLevelBuilder::new().vocab(vocab);
        if let Some(unknown) = self.unk_token {
            builder = builder.unk_token(unknown);
        }
        Ok(builder.build().map_err(invalid)?.into())
    }

    fn unigram(self, scores: Vec<(String, f64)>) -> Result<ModelWrapper, TextError> {
        if let Some((token, _)) = scores.iter().find(|(token, score)| token.is_empty() || score.is_nan()) {
            return Err(TextError::invalid(format!(
                "the token {:?} is empty or has no score",
                shorten(token)
            )));
        }
        let model = Unigram::from(scores, self.unk_id, self.byte_fallback.unwrap_or(false));
        Ok(model.map_err(invalid)?.into())
    }
}

impl Merge {
    /// The two parts; `None` for the version line that old files begin with.
    fn split(self, index: usize) -> Result<Option<(String, String)>, TextError> {
        match self {
            Self::Pair(left, right) => Ok(Some((left, right))),
            Self::Joined(line) if line.starts_with("#version") => Ok(None),
            Self::Joined(line) => match line.split(' ').collect::<Vec<_>>()[..] {
                [left, right] => Ok(Some((left.to_owned(), right.to_owned()))),
                _ => {
                    Err(TextError::invalid(format!("merge {index} ({:?}) has not two parts", shorten(&line))))
                }
            },
        }
    }
}

fn invalid(error: tokenizers::Error) -> TextError {
    TextError::invalid(error.to_string())
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VocabVisitor)
    }
}

/// Reads either shape without an intermediate tree: vocabularies are large.
struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = Vocab;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from tokens to ids, or a list of tokens with scores")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
        let mut tokens = Vec::new();
        while let Some(entry) = map.next_entry()? {
            tokens.push(entry);
        }
        Ok(Vocab::Ids(tokens))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocab, A::Error> {
        let mut tokens = Vec::new();
        while let Some(entry) = list.next_element()? {
            tokens.push(entry);
        }
        Ok(Vocab::Scores(tokens))
    }
}

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MergeVisitor)
    }
}

/// Reads either form without keeping it in between: there are as many merges as tokens.
struct MergeVisitor;

impl<'de> Visitor<'de> for MergeVisitor {
    type Value = Merge;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two tokens, in a list or in a text with a space between them")
    }

    fn visit_str<E: de::Error>(self, line: &str) -> Result<Merge, E> {
        Ok(Merge::Joined(line.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Merge, A::Error> {
        let pair = (list.next_element()?, list.next_element()?, list.next_element::<IgnoredAny>()?);
        match pair {
            (Some(left), Some(right), None) => Ok(Merge::Pair(left, right)),
            _ => Err(de::Error::custom("a merge has two tokens")),
        }
    }
}
