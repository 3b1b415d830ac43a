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

/// A picture, or a skin colour: what a variation selector or a joiner changes.
static EMOJI: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[\p{Extended_Pictographic}\p{Emoji_Modifier}]$").ok());

/// The joiner of pictures.
const JOINER: char = '\u{200D}';

/// Shows `bytes` so that nothing is invisible or ambiguous.
///
/// Space is `␣`, newline `⏎`, tab `⇥`. Other unseen characters (controls, no-break space, zero-width
/// characters, direction marks, …) are `⟨200B⟩`, by their code points; inside an emoji, joiners and
/// variation selectors stay. A mark with nothing to combine with stands on a dotted circle. Bytes
/// that are not UTF-8 are `<0xE2>`. The replacement character never appears.
///
/// ```
/// assert_eq!(glassbox_text::display(b" two\n"), "␣two⏎");
/// assert_eq!(glassbox_text::display(b"\x1b[0m"), "⟨001B⟩[0m");
/// assert_eq!(glassbox_text::display(b"\xE2\x82"), "<0xE2><0x82>");
/// ```
pub fn display(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut before = Before::Nothing;
        let mut chars = chunk.valid().chars().peekable();
        while let Some(ch) = chars.next() {
            before = show(ch, before, chars.peek().copied(), &mut shown);
        }
        push_bytes(chunk.invalid(), &mut shown);
    }
    shown
}

/// What stands before a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing that a mark could combine with.
    Nothing,
    /// A character.
    Base,
    /// A picture, and what belongs to it.
    Emoji,
}

/// Writes `bytes` as `<0xHH>` each.
pub(crate) fn push_bytes(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "<0x{byte:02X}>");
    }
}

/// Shows one character; says what stands before the next one.
fn show(ch: char, before: Before, next: Option<char>, shown: &mut String) -> Before {
    let is_emoji = |ch: char| !ch.is_ascii() && matches(&EMOJI, ch);
    match ch {
        ' ' => shown.push('␣'),
        '\n' => shown.push('⏎'),
        '\t' => shown.push('⇥'),
        '!'..='~' => {
            shown.push(ch);
            return Before::Base;
        }
        '\u{FE00}'..='\u{FE0F}' if before == Before::Emoji => {
            shown.push(ch);
            return Before::Emoji;
        }
        JOINER if before == Before::Emoji && next.is_some_and(is_emoji) => {
            shown.push(ch);
            return Before::Emoji;
        }
        _ if ch.is_ascii() || matches(&UNSEEN, ch) => {
            // Writing to a String cannot fail.
            let _ = write!(shown, "⟨{:04X}⟩", ch as u32);
        }
        _ => {
            if before == Before::Nothing && matches(&MARK, ch) {
                shown.push('◌');
            }
            shown.push(ch);
            return if is_emoji(ch) { Before::Emoji } else { Before::Base };
        }
    }
    Before::Nothing
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
            (&b"a b\tc\r\n"[..], "a␣b⇥c⟨000D⟩⏎"),
            (b"\x00\x1b\x7f", "⟨0000⟩⟨001B⟩⟨007F⟩"),
            ("␛ \u{2421}".as_bytes(), "␛␣␡"),
            ("👩🏽\u{200d}🚀❤\u{fe0f}".as_bytes(), "👩🏽\u{200d}🚀❤\u{fe0f}"),
            ("👩\u{200d} a\u{200d}b\u{fe0f}".as_bytes(), "👩⟨200D⟩␣a⟨200D⟩b⟨FE0F⟩"),
            ("\u{a0}\u{200b}\u{202e}\u{2066}\u{feff}".as_bytes(), "⟨00A0⟩⟨200B⟩⟨202E⟩⟨2066⟩⟨FEFF⟩"),
            ("\u{85}\u{ad}\u{e000}".as_bytes(), "⟨0085⟩⟨00AD⟩⟨E000⟩"),
            ("é中🚀".as_bytes(), "é中🚀"),
            ("e\u{301} \u{301}\u{301}".as_bytes(), "e\u{301}␣◌\u{301}\u{301}"),
            ("\u{fffd}".as_bytes(), "⟨FFFD⟩"),
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
