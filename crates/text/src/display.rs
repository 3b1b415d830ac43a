//! How bytes are shown to a reader.

use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;

/// Characters that would not be seen, or would change how their neighbours are seen: controls,
/// spaces, format characters (bidi, zero-width), unassigned, private, and what is ignorable by default.
static UNSEEN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u{FFFC}\u{FFFD}]$").ok());

/// A mark that combines with the character before it.
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{M}$").ok());

/// Shows `bytes` so that nothing is invisible or ambiguous.
///
/// Space is `␣`, newline `↵`, tab `⇥`; other ASCII controls are their control pictures (`␀`, `␛`).
/// Other unseen characters (no-break space, zero-width joiner, direction marks, …) are `<U+200D>`;
/// a mark with nothing to combine with stands on a dotted circle. Bytes that are not UTF-8 are
/// `<0xE2>`. The replacement character never appears.
///
/// ```
/// assert_eq!(glassbox_text::display(b" two\n"), "␣two↵");
/// assert_eq!(glassbox_text::display(b"\xE2\x82"), "<0xE2><0x82>");
/// ```
pub fn display(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    let mut has_base = false;
    for chunk in bytes.utf8_chunks() {
        for ch in chunk.valid().chars() {
            has_base = show(ch, has_base, &mut shown);
        }
        if !chunk.invalid().is_empty() {
            push_bytes(chunk.invalid(), &mut shown);
            has_base = false;
        }
    }
    shown
}

/// Writes `bytes` as `<0xHH>` each.
pub(crate) fn push_bytes(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "<0x{byte:02X}>");
    }
}

/// Shows one character; true if a combining mark may follow it.
fn show(ch: char, has_base: bool, shown: &mut String) -> bool {
    let glyph = match ch {
        ' ' => '␣',
        '\n' => '↵',
        '\t' => '⇥',
        '\0'..='\u{1F}' => char::from_u32(0x2400 + ch as u32).unwrap_or('␦'),
        '\u{7F}' => '␡',
        '!'..='~' => {
            shown.push(ch);
            return true;
        }
        _ if matches(&UNSEEN, ch) => {
            let _ = write!(shown, "<U+{:04X}>", ch as u32);
            return false;
        }
        _ => {
            if !has_base && matches(&MARK, ch) {
                shown.push('◌');
            }
            shown.push(ch);
            return true;
        }
    };
    shown.push(glyph);
    false
}

fn matches(class: &LazyLock<Option<Regex>>, ch: char) -> bool {
    class.as_ref().is_some_and(|regex| regex.is_match(ch.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn nothing_stays_invisible() {
        for (bytes, shown) in [
            (&b"a b\tc\r\n"[..], "a␣b⇥c␍↵"),
            (b"\x00\x1b\x7f", "␀␛␡"),
            ("\u{a0}\u{200b}\u{202e}\u{2066}\u{feff}".as_bytes(), "<U+00A0><U+200B><U+202E><U+2066><U+FEFF>"),
            ("\u{85}\u{ad}\u{e000}".as_bytes(), "<U+0085><U+00AD><U+E000>"),
            ("é中🚀".as_bytes(), "é中🚀"),
            ("e\u{301} \u{301}\u{301}".as_bytes(), "e\u{301}␣◌\u{301}\u{301}"),
            ("\u{fffd}".as_bytes(), "<U+FFFD>"),
            (b"\xf0\x9f\x9a", "<0xF0><0x9F><0x9A>"),
            (b"ok\xff\xe2\x82\xac", "ok<0xFF>€"),
        ] {
            assert_eq!(display(bytes), shown);
        }
    }

    #[test]
    fn no_scalar_value_is_shown_as_a_replacement_or_nothing() {
        for ch in '\0'..=char::MAX {
            let shown = display(ch.to_string().as_bytes());
            assert!(!shown.is_empty() && !shown.contains(char::REPLACEMENT_CHARACTER), "{:04X}", ch as u32);
        }
    }
}
