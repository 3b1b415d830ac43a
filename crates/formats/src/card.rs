//! What a model says about itself: licence, languages, data sets.
//!
//! From the YAML front matter of the hub's `README.md`, or from a GGUF file's `general.*` keys. All
//! of it is text from a stranger: show it as text.

use std::collections::BTreeSet;

use crate::FileSet;
use crate::gguf::Metadata;

/// What the model card says; whatever is absent is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// The model's name.
    pub name: Option<String>,
    /// The licence's identifier (`apache-2.0`, `other`…).
    pub licence: Option<String>,
    /// The licence's name where the identifier is `other`.
    pub licence_name: Option<String>,
    /// Where the licence's text is.
    pub licence_link: Option<String>,
    /// Languages, as codes.
    pub languages: Vec<String>,
    /// Data sets it was trained on, as hub names.
    pub datasets: Vec<String>,
    /// Models it was made from, as hub names.
    pub base_models: Vec<String>,
    /// Free tags.
    pub tags: Vec<String>,
}

/// Longest text kept of one entry, and most entries of one list.
const MAX_TEXT_BYTES: usize = 1000;
const MAX_LIST: usize = 200;

/// The card in the `README.md` beside file `index`. A card that is missing or cannot be read is an
/// empty one: it says nothing the model needs.
pub(crate) async fn read(files: &FileSet, index: usize, cap: u64, used: &mut BTreeSet<usize>) -> Card {
    let Some(file) = files.find_beside(index, "README.md") else {
        return Card::default();
    };
    let Ok(bytes) = files.read_small(file, cap).await else {
        return Card::default();
    };
    used.insert(file);
    Card::from_readme(&String::from_utf8_lossy(&bytes))
}

impl Card {
    /// Parses the front matter of a hub `README.md`; an empty card where there is none.
    pub fn from_readme(readme: &str) -> Self {
        let mut card = Self::default();
        for (key, mut values) in front_matter(readme) {
            values.truncate(MAX_LIST);
            let first = || values.first().cloned();
            match key {
                "model_name" => card.name = first(),
                "license" => card.licence = first(),
                "license_name" => card.licence_name = first(),
                "license_link" => card.licence_link = first(),
                "language" => card.languages = values,
                "datasets" => card.datasets = values,
                "base_model" => card.base_models = values,
                "tags" => card.tags = values,
                _ => {}
            }
        }
        card
    }

    /// Reads the `general.*` keys; those of an unexpected type count as absent.
    pub fn from_gguf(metadata: &Metadata) -> Self {
        let text = |key: &str| {
            let text: Option<&str> = metadata.get(key).ok().flatten();
            text.filter(|text| !text.is_empty()).map(clip)
        };
        let list = |key: &str| {
            let list: Option<&[String]> = metadata.get(key).ok().flatten();
            list.unwrap_or_default().iter().take(MAX_LIST).map(|text| clip(text)).collect()
        };
        // Newer files describe each base model and data set in keys of its own.
        let numbered = |what: &str| -> Vec<String> {
            let entry = |i| {
                text(&format!("general.{what}.{i}.repo_url"))
                    .or_else(|| text(&format!("general.{what}.{i}.name")))
            };
            (0..MAX_LIST).map_while(entry).collect()
        };
        let datasets: Vec<String> = list("general.datasets");
        Self {
            name: text("general.name"),
            licence: text("general.license"),
            licence_name: text("general.license.name"),
            licence_link: text("general.license.link"),
            languages: list("general.languages"),
            datasets: if datasets.is_empty() { numbered("dataset") } else { datasets },
            base_models: numbered("base_model"),
            tags: list("general.tags"),
        }
    }
}

fn clip(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Top-level keys of the front matter with their text or list of texts.
///
/// This is the part of YAML that cards use for these keys: `key: text`, `key: [a, b]`, and a list of
/// `- text` lines. A whole YAML parser would bring aliases that expand and nesting to bound, for
/// input from strangers; everything else (nested maps, block texts) is passed over.
fn front_matter(readme: &str) -> Vec<(&str, Vec<String>)> {
    let mut lines = readme.trim_start_matches('\u{feff}').lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Vec::new();
    }
    let mut entries: Vec<(&str, Vec<String>)> = Vec::new();
    for line in lines {
        let body = line.trim();
        if line.trim_end() == "---" || line.trim_end() == "..." {
            return entries;
        }
        if let Some(item) = body.strip_prefix("- ") {
            let nested_map = unquoted_colon(item);
            if let Some((_, values)) = entries.last_mut().filter(|_| !nested_map) {
                values.extend(scalar(item));
            }
        } else if !line.starts_with([' ', '\t', '#', '-'])
            && let Some((key, value)) = body.split_once(':')
        {
            entries.push((key.trim_end(), inline(value.trim())));
        }
    }
    // The closing line is missing: this is a Markdown rule, not front matter.
    Vec::new()
}

/// The value after a key: a text, a list in brackets, or nothing.
fn inline(value: &str) -> Vec<String> {
    match value.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')) {
        Some((items, _)) => items.split(',').filter_map(scalar).collect(),
        None => scalar(value).into_iter().collect(),
    }
}

/// One text without its quotes or comment; `None` where it is empty or the start of something else.
fn scalar(text: &str) -> Option<String> {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote) {
            return rest.split_once(quote).map(|(inside, _)| clip(inside)).filter(|text| !text.is_empty());
        }
    }
    let text = text.split(" #").next().unwrap_or(text).trim_end();
    let other = text.is_empty()
        || text.starts_with(['#', '|', '>', '{', '&', '*', '!'])
        || text == "null"
        || text == "~";
    if other { None } else { Some(clip(text)) }
}

/// Whether a list item is a map (`- name: x`) and not a text.
fn unquoted_colon(item: &str) -> bool {
    !item.starts_with(['"', '\'']) && (item.contains(": ") || item.ends_with(':'))
}
