//! What each token of a tokenizer.json adds to the text, from its decoder.
//!
//! The `tokenizers` crate decodes whole lists of strings, and replaces what is not UTF-8. Here the
//! same steps give every token its bytes once, so that a token can be shown by itself.

use glassbox_formats::gguf::byte_token;
use serde_json::Value;

use crate::alphabet;
use crate::checked::CheckedRegex;
use crate::error::TextError;
use crate::fields::Fields;
use crate::stream::Trim;

/// One step from a token's spelling to its bytes.
#[derive(Debug)]
enum Step {
    /// Spelled in the byte-level alphabet.
    ByteLevel,
    /// `<0xHH>` is one byte.
    ByteFallback,
    Replace {
        pattern: CheckedRegex,
        content: String,
    },
    /// Words begin with a space unless they carry the prefix.
    WordPiece {
        prefix: String,
        cleanup: bool,
    },
    /// Words are separated by spaces, always.
    Word,
    Ctc {
        pad: String,
        delimiter: String,
        cleanup: bool,
    },
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
}

/// How the tokens of one tokenizer.json become text.
#[derive(Debug)]
pub(crate) struct Decoder {
    steps: Vec<Step>,
    pub(crate) trim: Trim,
}

impl Decoder {
    /// Reads the `decoder` of a file. Where there is none, `byte_level` says whether the
    /// tokenizer spells bytes; if not, tokens are words.
    pub(crate) fn new(decoder: Option<&Value>, byte_level: bool) -> Result<Self, TextError> {
        let mut built = Self { steps: Vec::new(), trim: Trim::NONE };
        match decoder {
            Some(value) => built.add(value, &mut false)?,
            None if byte_level => built.steps.push(Step::ByteLevel),
            None => {
                built.steps.push(Step::Word);
                built.trim.start = 1;
            }
        }
        Ok(built)
    }

    /// Adds the steps of a decoder; `fused` is true once tokens have been joined to one text.
    fn add(&mut self, decoder: &Value, fused: &mut bool) -> Result<(), TextError> {
        let fields = Fields::of(decoder)?;
        match fields.kind {
            "Sequence" => {
                return fields.list("decoders")?.iter().try_for_each(|decoder| self.add(decoder, fused));
            }
            "Fuse" => *fused = true,
            "ByteLevel" => {
                self.steps.push(Step::ByteLevel);
                *fused = true;
            }
            "ByteFallback" => self.steps.push(Step::ByteFallback),
            "Replace" => {
                let (pattern, content) = (fields.pattern()?, fields.text("content")?.to_owned());
                self.steps.push(Step::Replace { pattern, content });
            }
            "Strip" => {
                let content = fields.character("content")?;
                let (start, stop) = (fields.count("start")?, fields.count("stop")?);
                if *fused {
                    self.trim = Trim { content, start, end: stop };
                } else {
                    self.steps.push(Step::Strip { content, start, stop });
                }
            }
            "BPEDecoder" => {
                let pattern = CheckedRegex::literal(fields.text("suffix")?)?;
                self.steps.push(Step::Replace { pattern, content: " ".into() });
                self.trim.end = 1;
            }
            "WordPiece" => {
                let (prefix, cleanup) = (fields.text("prefix")?.to_owned(), fields.flag("cleanup")?);
                self.steps.push(Step::WordPiece { prefix, cleanup });
                self.trim.start = 1;
            }
            "CTC" => {
                let pad = fields.text("pad_token")?.to_owned();
                let delimiter = fields.text("word_delimiter_token")?.to_owned();
                self.steps.push(Step::Ctc { pad, delimiter, cleanup: fields.flag("cleanup")? });
            }
            "Metaspace" => {
                let replacement = fields.character("replacement")?;
                let pattern = CheckedRegex::literal(replacement.encode_utf8(&mut [0; 4]))?;
                self.steps.push(Step::Replace { pattern, content: " ".into() });
                let (add, scheme) =
                    (fields.maybe_flag("add_prefix_space")?, fields.maybe_text("prepend_scheme")?);
                self.trim.start = usize::from(add != Some(false) && scheme != Some("never"));
            }
            _ => return fields.unknown(),
        }
        Ok(())
    }

    /// The bytes that a token of the model's vocabulary adds to the text.
    pub(crate) fn bytes(&self, token: &str) -> Result<Vec<u8>, TextError> {
        let mut text = token.to_owned();
        for step in &self.steps {
            match step {
                Step::ByteLevel => return Ok(alphabet::decode(&text).unwrap_or_else(|| text.into_bytes())),
                Step::ByteFallback => {
                    if let Some(byte) = byte_token(&text) {
                        return Ok(vec![byte]);
                    }
                }
                Step::Replace { pattern, content } => text = replace(pattern, &text, content)?,
                Step::Word => text.insert(0, ' '),
                Step::WordPiece { prefix, cleanup } => {
                    text = match text.strip_prefix(prefix.as_str()) {
                        Some(rest) => rest.to_owned(),
                        None => format!(" {text}"),
                    };
                    if *cleanup {
                        text = clean_up(text);
                    }
                }
                Step::Ctc { pad, delimiter, cleanup } => {
                    text = text.replace(pad.as_str(), "");
                    if *cleanup {
                        text = clean_up(text).replace(delimiter.as_str(), " ");
                    }
                }
                Step::Strip { content, start, stop } => text = strip(&text, *content, *start, *stop),
            }
        }
        Ok(text.into_bytes())
    }

    /// The bytes that an added token, which is written as it is matched, adds to the text.
    pub(crate) fn added_bytes(&self, content: &str) -> Result<Vec<u8>, TextError> {
        match self.steps.first() {
            Some(Step::ByteLevel) => Ok(content.as_bytes().to_vec()),
            _ => self.bytes(content),
        }
    }
}

/// `text` with every match of `pattern` replaced by `content`.
fn replace(pattern: &CheckedRegex, text: &str, content: &str) -> Result<String, TextError> {
    let parts = pattern.parts(text)?;
    Ok(parts
        .into_iter()
        .map(|((start, end), is_match)| if is_match { content } else { &text[start..end] })
        .collect())
}

/// `text` without up to `start` and `stop` times `content` at its ends.
fn strip(text: &str, content: char, start: usize, stop: usize) -> String {
    let leading = text.chars().take(start).take_while(|&ch| ch == content).count();
    let rest = &text[leading * content.len_utf8()..];
    let trailing = rest.chars().rev().take(stop).take_while(|&ch| ch == content).count();
    rest[..rest.len() - trailing * content.len_utf8()].to_owned()
}

/// The English clean-up of BERT's decoder: no space before punctuation and contractions.
fn clean_up(text: String) -> String {
    const RULES: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    RULES.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::json;

    use super::*;

    fn bytes(decoder: Value, token: &str) -> Vec<u8> {
        Decoder::new(Some(&decoder), false).unwrap().bytes(token).unwrap()
    }

    #[test]
    fn each_decoder_gives_the_bytes_a_token_adds() {
        let llama = json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]});
        assert_eq!(bytes(llama.clone(), "▁a▁b"), b" a b");
        assert_eq!(bytes(llama.clone(), "<0xE2>"), [0xE2]);
        assert_eq!(bytes(llama.clone(), "<0x-1>"), b"<0x-1>");
        assert_eq!(Decoder::new(Some(&llama), false).unwrap().trim, Trim { content: ' ', start: 1, end: 0 });
        let byte_level =
            json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
        assert_eq!(bytes(byte_level, "Ġâ"), [b' ', 0xE2]);
        let word_piece = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
        assert_eq!(bytes(word_piece.clone(), "##ing"), b"ing");
        assert_eq!(bytes(word_piece.clone(), "cat"), b" cat");
        assert_eq!(bytes(word_piece, "."), b".");
        assert_eq!(bytes(json!({"type": "BPEDecoder", "suffix": "</w>"}), "cat</w>"), b"cat ");
        assert_eq!(bytes(json!({"type": "Strip", "content": "x", "start": 2, "stop": 1}), "xxxaxx"), b"xax");
        assert_eq!(
            Decoder::new(Some(&json!({"type": "New"})), false).unwrap_err().code(),
            "tokenizer_unsupported"
        );
    }
}
