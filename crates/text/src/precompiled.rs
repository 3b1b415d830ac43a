//! Checks a SentencePiece character map before the `tokenizers` crate reads it.
//!
//! The map is a double-array trie over UTF-8 bytes with offsets into a list of replacements
//! (the format of darts-clone). The crate follows both without looking at bounds, so a damaged
//! map would stop the program; here every position that can be reached is visited once.

use crate::error::TextError;

/// A character map: what the longest known beginning of a text becomes.
#[derive(Debug)]
pub(crate) struct CharacterMap {
    trie: Vec<u32>,
    /// Replacements, each ended by a zero byte.
    replacements: String,
}

impl CharacterMap {
    /// Reads a map, and visits every position that it leads to.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, TextError> {
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| damaged("it is empty"))?;
        let size = u32::from_le_bytes(*size) as usize / 4 * 4;
        if size > rest.len() {
            return Err(damaged("its trie is longer than the map"));
        }
        let (trie, replacements) = rest.split_at(size);
        let trie = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect::<Vec<_>>();
        let replacements = std::str::from_utf8(replacements).map_err(|_| damaged("its text is not UTF-8"))?;
        visit(&trie, replacements)?;
        Ok(Self { trie, replacements: replacements.to_owned() })
    }

    /// The length of the longest known beginning of `text`, and what replaces it.
    pub(crate) fn longest(&self, text: &[u8]) -> Option<(usize, &[u8])> {
        let mut base = offset(*self.trie.first()?);
        let mut found = None;
        for (at, &byte) in text.iter().enumerate().take_while(|&(_, &byte)| byte != 0) {
            let child = base ^ usize::from(byte);
            let unit = *self.trie.get(child)?;
            if unit & (1 << 31 | 0xFF) != u32::from(byte) {
                break;
            }
            base = child ^ offset(unit);
            if unit >> 8 & 1 == 1 {
                found = Some((at + 1, *self.trie.get(base)? & !(1 << 31)));
            }
        }
        let (len, value) = found?;
        let replacement = self.replacements.as_bytes().get(value as usize..)?;
        let end = replacement.iter().position(|&byte| byte == 0).unwrap_or(replacement.len());
        Some((len, &replacement[..end]))
    }
}

/// Follows the trie to every position it leads to.
fn visit(trie: &[u32], replacements: &str) -> Result<(), TextError> {
    let unit = |position: usize| trie.get(position).copied().ok_or_else(|| damaged("its trie leads outside"));
    let mut seen = vec![false; trie.len()];
    let mut open = vec![offset(unit(0)?)];
    while let Some(base) = open.pop() {
        // Any byte of a text may follow, and is looked up before it is compared.
        unit(base | 0xFF)?;
        if std::mem::replace(&mut seen[base], true) {
            continue;
        }
        for label in 1..=0xFF {
            let child = unit(base ^ label as usize)?;
            if child & (1 << 31 | 0xFF) != label {
                continue;
            }
            let next = base ^ label as usize ^ offset(child);
            if child >> 8 & 1 == 1 {
                let value = (unit(next)? & !(1 << 31)) as usize;
                if !replacements.is_char_boundary(value) {
                    return Err(damaged("its trie leads outside the replacements"));
                }
            }
            open.push(next);
        }
    }
    Ok(())
}

/// The distance from a unit to its children.
fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & 1 << 9) >> 6)) as usize
}

fn damaged(reason: &str) -> TextError {
    TextError::invalid(format!("its precompiled character map is damaged: {reason}"))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// A map with a trie of 512 units that replaces `a` by what starts at `value`.
    fn map(value: u32, replacements: &[u8]) -> Vec<u8> {
        let mut trie = [0u32; 512];
        trie[0] = 256 << 10; // the root's children lie in the second block
        trie[256 ^ 0x61] = u32::from(b'a') | 1 << 8 | (0x61 ^ 0x02) << 10;
        trie[256 ^ 0x02] = 1 << 31 | value;
        let mut bytes = 2048u32.to_le_bytes().to_vec();
        bytes.extend(trie.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(replacements);
        bytes
    }

    #[test]
    fn a_sound_map_passes_and_does_what_it_says() {
        let map = map(2, b"x\0bc\0");
        CharacterMap::new(&map).unwrap();
        let normalizer = tokenizers::normalizers::Precompiled::from(&map).unwrap();
        assert_eq!(normalizer.normalize_string("cab"), "cbcb");
    }

    #[test]
    fn a_damaged_map_is_refused() {
        let outside = map(6, b"x\0bc\0");
        let inside_a_character = map(1, "é\0".as_bytes());
        let mut short = 4096u32.to_le_bytes().to_vec();
        short.extend([0; 64]);
        let mut leading_out = 4u32.to_le_bytes().to_vec();
        leading_out.extend((300u32 << 10).to_le_bytes());
        for map in [outside, inside_a_character, short, leading_out, Vec::new()] {
            assert_eq!(CharacterMap::new(&map).unwrap_err().code(), "tokenizer_invalid", "{map:?}");
        }
    }
}
