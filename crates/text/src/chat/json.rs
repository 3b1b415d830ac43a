//! The filter `tojson` as transformers defines it: Python's `json.dumps` without HTML escapes.

use std::fmt::Write;

use glassbox_formats::order;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, Value};

/// The options of `json.dumps` that the filter takes, in the order transformers takes them.
const OPTIONS: [&str; 4] = ["ensure_ascii", "indent", "separators", "sort_keys"];

/// Deepest nesting written.
const MAX_DEPTH: usize = 128;

/// `value | tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub(super) fn filter(value: &Value, positional: Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let mut options = [const { Value::UNDEFINED }; 4];
    if positional.len() > OPTIONS.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    for (slot, value) in options.iter_mut().zip(positional.iter()) {
        *slot = value.clone();
    }
    for (slot, name) in options.iter_mut().zip(OPTIONS) {
        if named.has(name) {
            *slot = named.get(name)?;
        }
    }
    named.assert_all_used()?;
    let [ensure_ascii, indent, separators, sort_keys] = options;
    let indent = indentation(&indent)?;
    let separators = if separators.is_undefined() || separators.is_none() {
        // Python's defaults: no space at the end of a line.
        [if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()]
    } else {
        [text(&separators.get_item_by_index(0)?)?, text(&separators.get_item_by_index(1)?)?]
    };
    let mut writer = Writer {
        out: String::new(),
        ensure_ascii: ensure_ascii.is_true(),
        indent,
        separators,
        sort_keys: sort_keys.is_true(),
        depth: 0,
    };
    writer.value(value)?;
    Ok(writer.out)
}

/// What one level is indented by; Python takes a number of spaces or a string.
fn indentation(indent: &Value) -> Result<Option<String>, Error> {
    if indent.is_undefined() || indent.is_none() {
        return Ok(None);
    }
    if let Some(text) = indent.as_str() {
        return Ok(Some(text.to_owned()));
    }
    match indent.as_i64() {
        Some(spaces) if spaces <= 64 => Ok(Some(" ".repeat(usize::try_from(spaces).unwrap_or(0)))),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "tojson cannot indent by this")),
    }
}

fn text(value: &Value) -> Result<String, Error> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the separators of tojson are strings"))
}

struct Writer {
    out: String,
    ensure_ascii: bool,
    indent: Option<String>,
    /// Between items, and between a key and its value.
    separators: [String; 2],
    sort_keys: bool,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value)?,
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.items('[', ']', items, |writer, item| writer.value(&item))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    order::sort_by(&mut keys, Ord::cmp);
                }
                self.items('{', '}', keys, |writer, key| {
                    let name = if key.kind() == ValueKind::String { key.to_string() } else { scalar(&key)? };
                    writer.string(&name);
                    writer.out.push_str(&writer.separators[1].clone());
                    writer.value(&value.get_item(&key)?)
                })?;
            }
            kind => {
                let message = format!("a value of the kind {kind} is not JSON serializable");
                return Err(Error::new(ErrorKind::BadSerialization, message));
            }
        }
        Ok(())
    }

    fn items(
        &mut self,
        open: char,
        close: char,
        items: Vec<Value>,
        write: impl Fn(&mut Self, Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::new(ErrorKind::BadSerialization, "the value is nested too deeply for JSON"));
        }
        self.out.push(open);
        let is_empty = items.is_empty();
        self.depth += 1;
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.out.push_str(&self.separators[0].clone());
            }
            self.new_line();
            write(self, item)?;
        }
        self.depth -= 1;
        if !is_empty {
            self.new_line();
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            for _ in 0..self.depth {
                self.out.push_str(indent);
            }
        }
    }

    fn number(&mut self, value: &Value) -> Result<(), Error> {
        self.out.push_str(&scalar(value)?);
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for ch in text.chars() {
            match ch {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '\0'..='\u{1F}' => self.escape(ch as u16),
                '\u{7F}'.. if self.ensure_ascii && ch != '\u{7F}' => {
                    ch.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| self.escape(unit));
                }
                _ => self.out.push(ch),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, unit: u16) {
        // Writing to a String cannot fail.
        let _ = write!(self.out, "\\u{unit:04x}");
    }
}

/// A number, a truth value or none, as Python writes it as a value or as a key.
fn scalar(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::None => Ok("null".into()),
        ValueKind::Bool => Ok(if value.is_true() { "true" } else { "false" }.into()),
        ValueKind::Number if value.is_integer() => Ok(value.to_string()),
        ValueKind::Number => Ok(match f64::try_from(value.clone())? {
            number if number.is_finite() => float(number),
            number if number.is_nan() => "NaN".into(),
            number => if number > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        }),
        kind => Err(Error::new(
            ErrorKind::BadSerialization,
            format!("a value of the kind {kind} cannot be a key of a JSON object"),
        )),
    }
}

/// A float as Python's `repr` writes it: an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .into();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        format!("{value:?}")
    } else {
        format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::float;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (9007199254740993.0, "9007199254740992.0"),
            (1e16, "1e+16"),
            (1.5e22, "1.5e+22"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-2.5e-7, "-2.5e-07"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
