//! Chat templates of open models against transformers' `apply_chat_template` (see `data/chat/`).
#![allow(missing_docs)]
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod common;

use std::collections::{BTreeMap, HashMap};

use glassbox_formats::TokenizerFiles;
use glassbox_formats::gguf::Vocabulary;
use glassbox_text::Tokenizer;
use glassbox_text::chat::{ChatTemplate, Json, LocalTime, Message, RenderOptions};
use serde::Deserialize;
use serde_json::json;

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

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, &SPECIAL).unwrap()
}

fn hi() -> Vec<Message> {
    vec![Message::new("user", "Hi")]
}

/// The error's code, and its words.
fn error(source: &str) -> (&'static str, String) {
    let error = template(source).render(&hi(), &RenderOptions::default()).unwrap_err();
    assert!(!error.hint().is_empty());
    (error.code(), error.to_string())
}

#[test]
fn faults_have_names_and_lines() {
    let (code, words) = error("a\n{% if %}");
    assert_eq!(code, "chat_template");
    assert!(words.contains("line 2"), "{words}");
    let (code, words) = error("{{ messages[0].content.nothing.at_all }}");
    assert_eq!(code, "chat_template");
    assert!(words.contains("undefined"), "{words}");
    let (code, words) = error("{{ raise_exception('Roles must alternate!') }}");
    assert_eq!((code, words.ends_with("Roles must alternate!")), ("chat_refused", true), "{words}");
    assert_eq!(error("{{ strftime_now('%Y') }}").0, "chat_template");
    assert_eq!(error("{% include 'other' %}").0, "chat_template");
    assert_eq!(error("{{ messages.__class__.__mro__[1].__subclasses__() }}").0, "chat_template");
    let none = template("x").render(&[], &RenderOptions::default()).unwrap_err();
    assert_eq!(none.code(), "chat_messages");
    for json in ["", "{}", "[1]", "[{}]", "[{\"role\": 1}]", "[{\"role\": \"user\""] {
        assert_eq!(Message::list_from_json(json).unwrap_err().code(), "chat_messages", "{json}");
    }
}

#[test]
fn no_template_takes_more_than_its_share() {
    for source in [
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{% for a in range(90000) %}{{ 'x' * 90000 }}{% endfor %}",
        "{% for a in range(90000) %}{% for b in range(90000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
    ] {
        assert_eq!(error(source).0, "chat_template_limit", "{source}");
    }
    assert_eq!(error("{{ 'x' * 1000000000000 }}").0, "chat_template_limit");
    assert_eq!(error("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").0, "chat_template");
    assert_eq!(ChatTemplate::new(&" ".repeat(2 << 20), &[]).unwrap_err().code(), "text_too_large");
    let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(error(&format!("{{{{ {nested} }}}}")).0, "chat_template_limit");
}

#[test]
fn a_models_templates_are_found_where_they_are() {
    let files =
        |config: serde_json::Value| TokenizerFiles { config: Some(config), ..TokenizerFiles::default() };
    let render = |files: &TokenizerFiles, options: &RenderOptions| {
        ChatTemplate::from_files(files).unwrap().unwrap().render(&hi(), options)
    };
    let plain = RenderOptions::default();
    let tools = RenderOptions { tools: Some(Json::parse("[]").unwrap()), ..RenderOptions::default() };
    assert_eq!(ChatTemplate::from_files(&files(json!({"bos_token": "<s>"}))), Ok(None));

    let one = files(json!({"chat_template": "{{ bos_token }}A", "bos_token": {"content": "<b>"}}));
    assert_eq!(render(&one, &plain).unwrap(), "<b>A");
    let named = json!([{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}]);
    let several = files(json!({"chat_template": named}));
    assert_eq!(render(&several, &plain).unwrap(), "A");
    assert_eq!(render(&several, &tools).unwrap(), "B");
    let other = RenderOptions { template: Some("rag".into()), ..RenderOptions::default() };
    let missing = render(&several, &other).unwrap_err();
    assert_eq!(missing.code(), "no_chat_template");
    assert!(missing.to_string().contains("default, tool_use"));

    let file = TokenizerFiles {
        chat_template: Some("C".into()),
        additional_chat_templates: vec![("rag".into(), "D".into())],
        ..several
    };
    assert_eq!(render(&file, &tools).unwrap(), "C", "files take the place of the configuration's templates");
    assert_eq!(render(&file, &other).unwrap(), "D");

    let vocabulary = Vocabulary {
        tokens: vec!["<s>".into(), "</s>".into()],
        bos: Some(0),
        eos: Some(1),
        chat_template: Some("{{ bos_token }}E{{ eos_token }}".into()),
        named_chat_templates: vec![("tool_use".into(), "F".into())],
        ..Vocabulary::default()
    };
    let gguf = TokenizerFiles { vocabulary: Some(vocabulary), ..TokenizerFiles::default() };
    assert_eq!(render(&gguf, &plain).unwrap(), "<s>E</s>");
    assert_eq!(render(&gguf, &tools).unwrap(), "F");
}

#[test]
fn contents_are_found_where_a_template_writes_them_once() {
    let conversations = conversations("tests/data/chat");
    let options = RenderOptions { add_generation_prompt: true, now: Some(NOW), ..RenderOptions::default() };
    let mut found = 0;
    for name in TEMPLATES {
        let template = template(&text(&format!("tests/data/chat/templates/{name}.jinja")));
        for messages in conversations.values() {
            let Ok(rendered) = template.render_with_contents(messages, &options) else { continue };
            assert_eq!(rendered.contents.len(), messages.len());
            for (place, message) in rendered.contents.iter().zip(messages) {
                let Some(place) = place else { continue };
                // Some templates write what a tool has said as JSON.
                let written = rendered.text[place.clone()].replace("\\\"", "\"");
                assert_eq!(written, message.content().unwrap().trim(), "{name}");
                found += 1;
            }
        }
    }
    assert!(found > 500, "only {found} contents were found");
    let twice = template("{% for m in messages %}{{ m.content }} {{ m.content }}{% endfor %}");
    assert_eq!(twice.render_with_contents(&hi(), &options).unwrap().contents, [None]);
    let changed = template("{{ messages[0].content | length }}");
    assert_eq!(changed.render_with_contents(&hi(), &options).unwrap().contents, [None]);
}

#[test]
fn a_conversation_becomes_tokens_with_their_places() {
    let tokenizer = Tokenizer::from_json(&common::read("llama3.json")).unwrap();
    let source =
        "{{ '<|endoftext|>' }}{% for m in messages %}[{{ m.role }}] {{ m.content | trim }}\n{% endfor %}";
    let messages = [Message::new("system", "the theory of"), Message::new("user", " Mädchen 🙂 ")];
    let rendered = template(source).render_with_contents(&messages, &RenderOptions::default()).unwrap();
    let ids = tokenizer.encode_chat(&rendered.text).unwrap();
    assert_eq!(ids[0], 0, "the template's BOS is one token");
    assert_ne!(ids[1], 0, "and none is added");
    let offsets = tokenizer.offsets(&rendered.text, &ids).unwrap();
    assert_eq!(offsets.last().unwrap().end, rendered.text.len());
    let spoken: Vec<String> = rendered
        .content_tokens(&offsets)
        .into_iter()
        .map(|tokens| tokenizer.decode(&ids[tokens.unwrap()]).unwrap())
        .collect();
    assert_eq!(spoken, [" the theory of", "Mädchen 🙂"]);
    assert_eq!(tokenizer.offsets("something else", &ids), None);
}
