//! The template language as transformers sets it up.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use regex::Regex;

use super::json;
use super::meter::Meter;
use super::time::LocalTime;

/// How many instructions one rendering may take. The longest published templates take some
/// hundred for each message.
const FUEL: u64 = 10_000_000;

/// How deep macros may call each other.
const RECURSION_LIMIT: usize = 100;

/// What a template said to `raise_exception`.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// transformers' environment: Python's methods and printing, blocks that leave no blank lines, no
/// HTML escapes, and its four functions. Nothing else can be reached from a template.
/// `meter` pays for what a template makes and writes.
pub(super) fn new(now: Option<LocalTime>, meter: &Meter) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION_LIMIT);
    meter.install(&mut environment);
    environment.add_filter("tojson", json::filter);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("string", text);
    let meter = meter.clone();
    environment.set_formatter(move |out, _, value| {
        // Writing what is undefined writes nothing.
        if value.is_undefined() {
            return Ok(());
        }
        meter.weigh(value)?;
        out.write_str(&text(value)).map_err(Error::from)
    });
    // In Python a string and a dict are sequences too, and None is not iterable.
    let has_items =
        |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map);
    environment.add_test("sequence", has_items);
    environment.add_test("iterable", move |value: &Value| {
        has_items(value) || matches!(value.kind(), ValueKind::Iterable | ValueKind::Undefined)
    });
    environment.add_function("range", range);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        let refusal = Error::new(ErrorKind::InvalidOperation, "raise_exception");
        Err(refusal.with_source(Refusal(message)))
    });
    environment.add_function("strftime_now", move |format: &str| -> Result<String, Error> {
        let now = now.ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, "the template wants today's date, and none was given")
        })?;
        now.format(format).map_err(|directive| {
            let message = format!("the date format %{directive} is not known");
            Error::new(ErrorKind::InvalidOperation, message)
        })
    });
    environment
}

/// minijinja's `range`, which computes with its arguments before it looks at them.
fn range(lower: isize, upper: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    const MOST: usize = 1 << 29;
    match [Some(lower), upper, step].into_iter().flatten().all(|number| number.unsigned_abs() <= MOST) {
        true => minijinja::functions::range(lower, upper, step),
        false => Err(Error::new(ErrorKind::InvalidOperation, "range has too many elements")),
    }
}

/// Blocks leave no blank lines.
pub(super) fn syntax() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(false);
    syntax.build().unwrap_or_default()
}

/// `value | length`: what is undefined has none of anything.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    value.len().ok_or_else(|| {
        let message = format!("a value of the kind {} has no length", value.kind());
        Error::new(ErrorKind::InvalidOperation, message)
    })
}

/// `value | string`: as Python's `str`.
fn text(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(number) if value.kind() == ValueKind::Number && !value.is_integer() => json::float(number),
        _ => value.to_string(),
    }
}

/// The tags around what a model has written, which training uses.
static GENERATION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}").ok());

/// `source` in the language of [`new`]: lines end with `\n`, as Jinja reads them, and
/// `{% generation %}` blocks are `{% with %}` blocks, which have the same scope.
pub(super) fn translate(source: &str) -> Cow<'_, str> {
    let lines = match source.contains('\r') {
        true => Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(source),
    };
    match &*GENERATION {
        Some(regex) if regex.is_match(&lines) => {
            Cow::Owned(regex.replace_all(&lines, "{%$1 ${2}with $3%}").into_owned())
        }
        _ => lines,
    }
}
