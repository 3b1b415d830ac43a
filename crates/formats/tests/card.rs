//! Model cards: front matter of a README, and GGUF's general keys.
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use common::{Gguf, open_gguf};
use glassbox_formats::Card;

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn reads_the_usual_front_matter() {
    let card = Card::from_readme(
        "---
# a comment
library_name: transformers
license: other  # see below
license_name: 'llama3.2'
license_link: \"https://example.org/licence\"
language:
- en
  - \"no\"
datasets: [HuggingFaceTB/smollm-corpus, 'a/b']
base_model:
  - HuggingFaceTB/SmolLM2-135M
tags:
- text-generation
- llama: nested
widget:
  - text: \"license: not this\"
    example_title: x
model-index:
- name: evil
  results:
  - task:
      name: Text Generation
license_details: |
  license: nor this
model_name: Tiny
---
license: mit
",
    );
    assert_eq!(
        card,
        Card {
            name: Some("Tiny".into()),
            licence: Some("other".into()),
            licence_name: Some("llama3.2".into()),
            licence_link: Some("https://example.org/licence".into()),
            languages: strings(&["en", "no"]),
            datasets: strings(&["HuggingFaceTB/smollm-corpus", "a/b"]),
            base_models: strings(&["HuggingFaceTB/SmolLM2-135M"]),
            tags: strings(&["text-generation"]),
        }
    );
}

#[test]
fn reads_single_texts_and_windows_lines() {
    let card = Card::from_readme(
        "\u{feff}---\r\nlicense: apache-2.0\r\nlanguage: en\r\ndatasets:\r\n- c4\r\n---\r\n",
    );
    assert_eq!(card.licence.as_deref(), Some("apache-2.0"));
    assert_eq!((card.languages, card.datasets), (strings(&["en"]), strings(&["c4"])));
}

#[test]
fn whatever_is_no_front_matter_gives_an_empty_card() {
    for readme in [
        "",
        "# Title\nlicense: mit\n",
        "---",
        "---\nlicense: mit\n",
        "---\n---\nlicense: mit",
        "---\nlicense:\n---\n",
        "---\nlicense: null\ntags: []\ndatasets: [ , ]\n---\n",
        "---\n  license: mit\n---\n",
        "---\n- license\n- \n:\n: :\n[\n---\n",
        "---\nlicense: &a *a\n---\n",
        "---\nlicense: \"unclosed\n---\n",
    ] {
        assert_eq!(Card::from_readme(readme), Card::default(), "{readme:?}");
    }
}

#[test]
fn texts_and_lists_are_bounded() {
    let long = "ü".repeat(10_000);
    let card = Card::from_readme(&format!("---\nlicense: {long}\ntags:\n{}---\n", "- t\n".repeat(10_000)));
    assert_eq!(card.licence.unwrap().len(), 1000);
    assert_eq!(card.tags.len(), 200);
}

#[test]
fn reads_gguf_keys() {
    let gguf = Gguf::default()
        .text("general.name", "SmolLM2 135M")
        .text("general.license", "apache-2.0")
        .text("general.license.link", "")
        .strings("general.languages", &["en"])
        .strings("general.tags", &["a", "b"])
        .u32("general.license.name", 7)
        .text("general.base_model.0.name", "Base")
        .text("general.base_model.1.repo_url", "https://example.org/base")
        .text("general.dataset.0.name", "Corpus");
    let card = open_gguf(gguf.build()).unwrap().card;
    assert_eq!(
        card,
        Card {
            name: Some("SmolLM2 135M".into()),
            licence: Some("apache-2.0".into()),
            licence_name: None,
            licence_link: None,
            languages: strings(&["en"]),
            datasets: strings(&["Corpus"]),
            base_models: strings(&["Base", "https://example.org/base"]),
            tags: strings(&["a", "b"]),
        }
    );
}
