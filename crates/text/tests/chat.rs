//! Chat templates of open models against transformers' `apply_chat_template` (see `data/chat/`).
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use std::collections::{BTreeMap, HashMap};

use glassbox_text::chat::{ChatTemplate, Json, LocalTime, Message, RenderOptions};
use serde::Deserialize;

#[derive(Deserialize)]
struct Conversation {
    name: String,
    /// JSON.
    messages: String,
}

#[derive(Deserialize)]
struct Case {
    conversation: String,
    options: Options,
    text: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Options {
    add_generation_prompt: bool,
    tools: Option<String>,
    extra: BTreeMap<String, String>,
}

const SPECIAL: [(&str, &str); 4] =
    [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")];
/// 2026-03-07 15:04:05, as in `data/chat/make.py`.
const NOW: LocalTime = LocalTime { seconds: 1_772_895_845 };

/// A template for each published form of each family; `README.md` beside them says whose they are.
const TEMPLATES: [&str; 19] = [
    "bielik-11b-v3",
    "deepseek-r1-distill",
    "deepseek-v3.1",
    "glm-4.6",
    "gpt-oss",
    "granite-3.3",
    "granite-4.0",
    "mistral-nemo",
    "mistral-small-3.2",
    "olmo-2",
    "phi-3",
    "phi-3.5",
    "qwen2.5",
    "qwen3",
    "qwen3-training",
    "seed-oss",
    "smollm2",
    "smollm3",
    "tinyllama",
];

fn text(file: &str) -> String {
    String::from_utf8(common::try_read(file).unwrap_or_else(|| panic!("{file} is missing"))).unwrap()
}

fn conversations(folder: &str) -> HashMap<String, Vec<Message>> {
    let list: Vec<Conversation> =
        serde_json::from_str(&text(&format!("{folder}/conversations.json"))).unwrap();
    let read = |conversation: &Conversation| Message::list_from_json(&conversation.messages).unwrap();
    list.iter().map(|conversation| (conversation.name.clone(), read(conversation))).collect()
}

impl Options {
    fn read(&self) -> RenderOptions {
        let json = |text: &String| Json::parse(text).unwrap();
        RenderOptions {
            add_generation_prompt: self.add_generation_prompt,
            tools: self.tools.as_ref().map(json),
            extra: self.extra.iter().map(|(name, text)| (name.clone(), json(text))).collect(),
            now: Some(NOW),
            template: None,
        }
    }
}

/// Compares every case of one template; gives how many there are and what differs.
fn compare(folder: &str, name: &str, conversations: &HashMap<String, Vec<Message>>) -> (usize, Vec<String>) {
    let template = ChatTemplate::new(&text(&format!("{folder}/templates/{name}.jinja")), &SPECIAL).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text(&format!("{folder}/cases/{name}.json"))).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let rendered = template.render(&conversations[&case.conversation], &case.options.read());
        let right = match (&rendered, &case.text) {
            (Ok(rendered), Some(expected)) => rendered == expected,
            (Err(_), None) => true,
            _ => false,
        };
        if !right {
            let expected = case.text.as_ref().or(case.error.as_ref());
            wrong.push(format!("{name}, {}:\n  {rendered:?}\n  {expected:?}", case.conversation));
        }
    }
    (cases.len(), wrong)
}

#[test]
fn every_template_writes_what_transformers_writes() {
    let folder = "tests/data/chat";
    let conversations = conversations(folder);
    let mut wrong = Vec::new();
    for name in TEMPLATES {
        let (count, found) = compare(folder, name, &conversations);
        assert!(count > 40, "{name} has only {count} cases");
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
