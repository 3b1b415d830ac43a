//! The one tokenizer type, whatever file it came from.

use std::fmt;
use std::sync::Arc;

use glassbox_formats::TokenizerFiles;
use glassbox_formats::gguf::Vocabulary;

use crate::error::TextError;
use crate::gguf::{self, SentencePiece, Unigram, WordPiece};
use crate::hub;
use crate::limits::MAX_TEXT_BYTES;
use crate::pieces::{Piece, PieceTable};
use crate::pipeline::Pipeline;
use crate::stream::{DecodeStream, Trim};

/// Whether special tokens take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Special {
    /// Encoding adds none and reads `<s>` as three characters; decoding leaves them out.
    #[default]
    None,
    /// Encoding adds none, but recognises special tokens in the text: for what a chat template has
    /// written. Decoding writes them by name.
    Parse,
    /// Encoding adds BOS and EOS as the model wants them and recognises special tokens in the
    /// text; decoding writes them by name.
    Add,
}

/// How text becomes ids, before BOS and EOS.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// The `tokenizers` crate's pipeline (tokenizer.json, GGUF kind `gpt2`).
    Pipeline(Box<Pipeline>),
    /// SentencePiece's BPE by scores (GGUF kind `llama`).
    SentencePiece(Box<SentencePiece>),
    /// SentencePiece's unigram model (GGUF kind `t5`).
    Unigram(Box<Unigram>),
    /// BERT's word pieces (GGUF kind `bert`).
    WordPiece(Box<WordPiece>),
}

/// Everything a loaded tokenizer consists of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) encoder: Encoder,
    pub(crate) pieces: PieceTable,
    pub(crate) trim: Trim,
    /// Ids added before and after the text under [`Special::Add`].
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
    /// Whether they are added to what a chat template writes, too.
    pub(crate) edges_in_chat: bool,
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    /// All tokens that end an answer.
    pub(crate) end_tokens: Vec<u32>,
}

impl Parts {
    /// The parts of a GGUF vocabulary: `edges` are added before and after a text, `ends` are BOS
    /// and EOS.
    pub(crate) fn gguf(
        encoder: Encoder,
        pieces: PieceTable,
        trim: Trim,
        edges: (Vec<u32>, Vec<u32>),
        ends: (Option<u32>, Option<u32>),
    ) -> Self {
        let ((before, after), (bos, eos)) = (edges, ends);
        Self { encoder, pieces, trim, before, after, edges_in_chat: true, bos, eos, end_tokens: Vec::new() }
    }

    /// Checks that every id the tokenizer may add by itself is one of its tokens.
    pub(crate) fn check(self) -> Result<Tokenizer, TextError> {
        let added = self.before.iter().chain(&self.after).chain(&self.bos).chain(&self.eos);
        for &id in added {
            if self.pieces.get(id).is_none() {
                return Err(TextError::invalid(format!("the special token {id} is not in the vocabulary")));
            }
        }
        Ok(Tokenizer(Arc::new(self)))
    }
}

/// Text to token ids and back, for one vocabulary. Cloning shares it.
#[derive(Clone)]
pub struct Tokenizer(Arc<Parts>);

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("bos", &self.bos())
            .field("eos", &self.eos())
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads a hub `tokenizer.json`.
    ///
    /// # Errors
    /// Anything wrong with the file, see [`TextError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, TextError> {
        Self::from_hub(bytes, None)
    }

    /// Reads a hub `tokenizer.json` and, for the names of BOS and EOS, the `tokenizer_config.json`
    /// beside it.
    ///
    /// # Errors
    /// Anything wrong with either file, see [`TextError`].
    pub fn from_hub(tokenizer: &[u8], config: Option<&[u8]>) -> Result<Self, TextError> {
        let config = config.map(serde_json::from_slice).transpose().map_err(TextError::json)?;
        hub::load(tokenizer, config.as_ref())?.check()
    }

    /// Takes what a checkpoint has: a tokenizer.json first, else a vocabulary, else nothing.
    ///
    /// # Errors
    /// Those of [`from_hub`](Self::from_hub) and [`from_gguf`](Self::from_gguf).
    pub fn from_files(files: &TokenizerFiles) -> Result<Option<Self>, TextError> {
        match files {
            TokenizerFiles { json: Some(json), config, .. } => {
                hub::load(json, config.as_ref())?.check().map(Some)
            }
            TokenizerFiles { vocabulary: Some(vocabulary), .. } if !gguf::is_none(vocabulary) => {
                Self::from_gguf(vocabulary).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Takes the vocabulary of a GGUF file: kinds `gpt2` (byte-level BPE), `llama` (SentencePiece's
    /// BPE), `t5` (SentencePiece's unigram model) and `bert` (word pieces). The ids are llama.cpp's.
    ///
    /// # Errors
    /// [`TextError::UnknownKind`], [`TextError::UnknownPreTokenizer`] or an inconsistent vocabulary.
    pub fn from_gguf(vocabulary: &Vocabulary) -> Result<Self, TextError> {
        gguf::load(vocabulary)?.check()
    }

    /// The token ids of `text`.
    ///
    /// # Errors
    /// A text above [`MAX_TEXT_BYTES`], a character that the vocabulary cannot express, or a
    /// pattern that gives up on this text.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>, TextError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextError::TooLarge { what: "the text", size: text.len(), limit: MAX_TEXT_BYTES });
        }
        let parts = &*self.0;
        let mut ids = Vec::new();
        if special == Special::Add {
            ids.extend_from_slice(&parts.before);
        }
        if !text.is_empty() {
            match &parts.encoder {
                Encoder::Pipeline(pipeline) => pipeline.encode(text, special, &mut ids)?,
                Encoder::SentencePiece(model) => model.encode(text, special, &mut ids)?,
                Encoder::Unigram(model) => model.encode(text, special, &mut ids)?,
                Encoder::WordPiece(model) => model.encode(text, special, &mut ids)?,
            }
        }
        if special == Special::Add {
            ids.extend_from_slice(&parts.after);
        }
        Ok(ids)
    }

    /// The text of `ids`, special tokens left out. Bytes that are not UTF-8 are written `<0xE2>`.
    ///
    /// # Errors
    /// [`TextError::NoSuchToken`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        self.decode_with(ids, Special::None)
    }

    /// The text of `ids`; with [`Special::Add`] special tokens are written by name.
    ///
    /// # Errors
    /// [`TextError::NoSuchToken`] for an id outside the vocabulary.
    pub fn decode_with(&self, ids: &[u32], special: Special) -> Result<String, TextError> {
        let mut stream = DecodeStream::with_special(self, special);
        let mut text = String::new();
        for &id in ids {
            if self.bytes(id).is_none() {
                let last = u32::try_from(self.vocab_size().saturating_sub(1)).unwrap_or(u32::MAX);
                return Err(TextError::NoSuchToken { id, last });
            }
            text.push_str(&stream.push(id).unwrap_or_default());
        }
        text.push_str(&stream.finish());
        Ok(text)
    }

    /// The token with this id, if there is one.
    pub fn token(&self, id: u32) -> Option<Piece> {
        let (bytes, special) = self.bytes(id)?;
        Some(Piece { id, bytes: bytes.to_vec(), special })
    }

    /// One more than the largest token id. A model may have more rows in its embedding.
    pub fn vocab_size(&self) -> usize {
        self.0.pieces.len()
    }

    /// The token that begins a text, where the model has one.
    pub fn bos(&self) -> Option<u32> {
        self.0.bos
    }

    /// The token that ends a text, where the model has one.
    pub fn eos(&self) -> Option<u32> {
        self.0.eos
    }

    /// All tokens that end an answer: EOS, and for a GGUF vocabulary those that llama.cpp knows by
    /// name (`<|im_end|>`, `<end_of_turn>`, …).
    pub fn end_tokens(&self) -> &[u32] {
        &self.0.end_tokens
    }

    /// The ids that stand before and after a rendered conversation.
    pub(crate) fn chat_edges(&self) -> (&[u32], &[u32]) {
        if self.0.edges_in_chat { (&self.0.before, &self.0.after) } else { (&[], &[]) }
    }

    pub(crate) fn bytes(&self, id: u32) -> Option<(&[u8], bool)> {
        self.0.pieces.get(id)
    }

    pub(crate) fn trim(&self) -> Trim {
        self.0.trim
    }
}
