//! The byte-level alphabet of GPT-2: every byte as one printable character.
//!
//! Bytes that are printable in Latin-1 stand for themselves; the others are numbered in order and
//! become U+0100 onwards (so a space is `Ġ`, a newline `Ċ`).

use std::sync::LazyLock;

/// The characters that stand for themselves: `!`..`~`, `¡`..`¬`, `®`..`ÿ`.
fn is_literal(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

static TO_CHAR: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut shifted = '\u{100}'..;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if is_literal(byte) { char::from(byte) } else { shifted.next().unwrap_or_default() }
    })
});

/// The byte each character below U+0144 stands for.
static TO_BYTE: LazyLock<[Option<u8>; 0x144]> = LazyLock::new(|| {
    let mut table = [None; 0x144];
    for (byte, &ch) in TO_CHAR.iter().enumerate() {
        if let Some(slot) = table.get_mut(ch as usize) {
            *slot = Some(byte as u8);
        }
    }
    table
});

/// The character that stands for `byte`.
#[cfg(test)]
pub(crate) fn to_char(byte: u8) -> char {
    TO_CHAR[usize::from(byte)]
}

/// The bytes that `token` spells in the alphabet, or `None` if a character is outside it.
pub(crate) fn decode(token: &str) -> Option<Vec<u8>> {
    // A loop, since collecting options of bytes takes several times as long and a vocabulary has many.
    let table = &*TO_BYTE;
    let mut bytes = Vec::with_capacity(token.len());
    for ch in token.chars() {
        bytes.push((*table.get(ch as usize)?)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_byte_survives_the_alphabet() {
        let spelled: String = (0..=255).map(to_char).collect();
        assert_eq!(decode(&spelled), Some((0..=255).collect()));
        assert_eq!((to_char(b' '), to_char(b'\n'), to_char(0xAD)), ('Ġ', 'Ċ', 'Ń'));
        assert_eq!(decode("a b"), None);
        assert_eq!(decode("語"), None);
    }
}
