//! What a template may build. The interpreter bounds steps but not what one step makes, so that each value is weighed when
//! it is made ([`super::metered`] sees to that) and paid for from one account. What would be too large is not made.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::limits::MAX_TEXT_BYTES;

/// Bytes of all values that one rendering makes.
const ACCOUNT: usize = 128 << 20;

/// Bytes that a value takes besides its text.
const VALUE: usize = 32;

/// How deep lists and maps may stand in each other.
const MAX_DEPTH: usize = 64;

/// Filters by which [`super::metered`] has values made; no template can write these names.
pub(super) const WEIGH: &str = "(weigh)";
pub(super) const LIST: &str = "(list)";
pub(super) const REPEAT: &str = "(repeat)";
pub(super) const CONCAT: &str = "(concat)";
pub(super) const KEEP: &str = "(keep)";

/// A template wants more than it may have.
#[derive(Debug)]
pub(super) struct Exceeded(pub(super) &'static str);

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Exceeded {}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        Error::new(ErrorKind::InvalidOperation, exceeded.0).with_source(exceeded)
    }
}

/// What is left to one rendering.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<AtomicUsize>);

impl Meter {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(ACCOUNT)))
    }

    /// Takes bytes off the account.
    pub(super) fn pay(&self, bytes: usize) -> Result<(), Error> {
        let left = self.0.load(Relaxed).checked_sub(bytes).ok_or(Exceeded("builds larger values"))?;
        self.0.store(left, Relaxed);
        Ok(())
    }

    /// Pays for a text that is to be made.
    fn pay_text(&self, bytes: usize) -> Result<(), Error> {
        match bytes > MAX_TEXT_BYTES {
            true => Err(Exceeded("builds larger values").into()),
            false => self.pay(bytes),
        }
    }

    /// Pays for a value with all that is in it, each as often as it is in it, for that is what writing or comparing it
    /// takes. Namespaces can change later, even to hold themselves, and may stand in nothing.
    pub(super) fn weigh(&self, value: &Value) -> Result<(), Error> {
        self.weigh_at(0, value)
    }

    fn weigh_at(&self, depth: usize, value: &Value) -> Result<(), Error> {
        let mut open = vec![(value.clone(), depth)];
        while let Some((value, depth)) = open.pop() {
            self.pay(VALUE)?;
            if let Some(text) = value.as_str() {
                self.pay_text(text.len())?;
                continue;
            }
            let has_items = matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map);
            if !has_items {
                continue;
            }
            if depth == MAX_DEPTH {
                return Err(Exceeded("nests values deeper").into());
            }
            if depth > 0 && is_namespace(&value) {
                return Err(namespace_inside());
            }
            for item in value.try_iter()? {
                // Before they are all held.
                self.pay(VALUE)?;
                if value.kind() == ValueKind::Map {
                    open.push((value.get_item(&item)?, depth + 1));
                }
                open.push((item, depth + 1));
            }
        }
        Ok(())
    }

    /// Gives an environment the filters and methods that pay.
    pub(super) fn install(&self, environment: &mut Environment<'_>) {
        let meter = self.clone();
        environment.add_filter(WEIGH, move |value: Value| meter.weigh(&value).map(|()| value));
        let meter = self.clone();
        environment.add_filter(LIST, move |value: Value| meter.listed(value));
        let meter = self.clone();
        environment.add_filter(KEEP, move |value: Value| match is_namespace(&value) {
            true => Err(namespace_inside()),
            false => meter.weigh(&value).map(|()| value),
        });
        let meter = self.clone();
        environment.add_filter(CONCAT, move |left: &Value, right: &Value| meter.concat(left, right));
        let meter = self.clone();
        environment.add_filter(REPEAT, move |left: &Value, right: &Value| meter.times(left, right));
        self.bound(environment, "replace", Value::from_function(filters::replace), replaced);
        self.bound(environment, "join", Value::from_function(filters::join), |args| {
            joined(&args[0], args.get(1).and_then(Value::as_str).unwrap_or_default())
        });
        self.bound(environment, "indent", Value::from_function(filters::indent), indented);
        self.bound(environment, "batch", Value::from_function(filters::batch), filled);
        self.bound(environment, "slice", Value::from_function(filters::slice), filled);
        self.bound(environment, "format", Value::from_function(filters::format), formatted);
        let meter = self.clone();
        environment.set_unknown_method_callback(move |state, value, method, args| {
            let text = value.as_str().unwrap_or_default();
            let all = || [std::slice::from_ref(value), args].concat();
            match (method, args) {
                ("replace", [_, _, ..]) => meter.pay_text(replaced(&all()))?,
                ("join", [items, ..]) => meter.pay_text(joined(items, text))?,
                ("format", _) => meter.pay_text(formatted(&all()))?,
                _ => {}
            }
            unknown_method_callback(state, value, method, args)
        });
        // Shows all there is; transformers has none, nor the next.
        environment.remove_global("debug");
        environment.remove_filter("pprint");
    }

    /// Has a filter pay for the text that `size` says it will make.
    fn bound(
        &self,
        environment: &mut Environment<'_>,
        name: &'static str,
        filter: Value,
        size: fn(&[Value]) -> usize,
    ) {
        let meter = self.clone();
        environment.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            if !args.is_empty() {
                meter.pay_text(size(&args))?;
            }
            filter.call(state, &args)
        });
    }

    /// The value, paid for. What would be made anew each time it is gone through, from others that are, becomes a list:
    /// chains of such values would take stack by their length.
    fn listed(&self, value: Value) -> Result<Value, Error> {
        let is_made = value.is_tuple() || value.downcast_object_ref::<Vec<Value>>().is_some();
        if is_made || !matches!(value.kind(), ValueKind::Iterable | ValueKind::Seq) {
            self.weigh(&value)?;
            return Ok(value);
        }
        let mut items = Vec::new();
        for item in value.try_iter()? {
            self.weigh_at(1, &item)?;
            items.push(item);
        }
        Ok(Value::from(items))
    }

    /// `left ~ right`
    fn concat(&self, left: &Value, right: &Value) -> Result<Value, Error> {
        self.weigh(left)?;
        self.weigh(right)?;
        let text = format!("{left}{right}");
        self.pay_text(text.len())?;
        Ok(Value::from(text))
    }

    /// `left * right`
    fn times(&self, left: &Value, right: &Value) -> Result<Value, Error> {
        let is_many =
            |value: &Value| matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Iterable);
        let (many, count) = if is_many(left) { (left, right) } else { (right, left) };
        if !is_many(many) {
            return product(left, right);
        }
        let count = count_of(count).ok_or_else(|| {
            let message = format!("a {} can only be multiplied by an integer", many.kind());
            Error::new(ErrorKind::InvalidOperation, message)
        })?;
        if let Some(text) = many.as_str() {
            self.pay_text(text.len().saturating_mul(count))?;
            return Ok(Value::from(text.repeat(count)));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            for item in many.try_iter()? {
                self.weigh_at(1, &item)?;
                items.push(item);
            }
            self.pay(VALUE)?;
        }
        Ok(Value::from(items))
    }
}

/// A product of numbers.
fn product(left: &Value, right: &Value) -> Result<Value, Error> {
    let wrong = || {
        let message = format!("{} and {} cannot be multiplied", left.kind(), right.kind());
        Error::new(ErrorKind::InvalidOperation, message)
    };
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64())
        && let Some(product) = left.checked_mul(right)
    {
        return Ok(Value::from(product));
    }
    let number = |value: &Value| f64::try_from(value.clone()).map_err(|_| wrong());
    Ok(Value::from(number(left)? * number(right)?))
}

fn namespace_inside() -> Error {
    Error::new(ErrorKind::InvalidOperation, "a namespace cannot stand in another value")
}

fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}

/// A number of things: none below 0, and as many as can be where there are more.
fn count_of(value: &Value) -> Option<usize> {
    value.as_i64().map(|count| usize::try_from(count.max(0)).unwrap_or(usize::MAX))
}

fn text_of(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

/// Size of `args[0]` with every `args[1]` replaced by `args[2]`.
fn replaced(args: &[Value]) -> usize {
    let [text, from, to] = [0, 1, 2].map(|at| text_of(args.get(at)));
    text.len().saturating_add(text.matches(from.as_str()).count().saturating_mul(to.len()))
}

/// Size of what stands between the items of a list; they themselves have been paid for.
fn joined(items: &Value, between: &str) -> usize {
    items.len().unwrap_or_default().saturating_mul(between.len())
}

/// Size of `args[0]` with each line indented by `args[1]`, or the named `width`.
fn indented(args: &[Value]) -> usize {
    let named = || count_of(&Kwargs::try_from(args.last()?.clone()).ok()?.get("width").ok()?);
    let width = args.get(1).and_then(count_of).or_else(named).unwrap_or(4);
    let text = text_of(args.first());
    text.len().saturating_add(width.saturating_mul(1 + text.matches('\n').count()))
}

/// Size of lists of `args[1]` items.
fn filled(args: &[Value]) -> usize {
    args.get(1).and_then(count_of).unwrap_or_default().saturating_mul(VALUE)
}

/// Size of a formatted text, whose widths are numbers of at most four digits.
fn formatted(args: &[Value]) -> usize {
    let text = text_of(args.first());
    let longest = text.split(|ch: char| !ch.is_ascii_digit()).map(str::len).max().unwrap_or_default();
    match longest > 4 || text.contains('*') || text.matches('{').count() > 1000 {
        true => usize::MAX,
        false => text.len() + text.matches(['%', '{']).count() * 10_000,
    }
}
