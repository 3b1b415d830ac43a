//! The special tokens that a post-processor puts around a text.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{TextError, shorten};

/// Ids added before and after a single text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Template {
    pub(super) before: Vec<u32>,
    pub(super) after: Vec<u32>,
}

/// A post-processor as tokenizer.json writes it.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Spec {
    TemplateProcessing { single: Vec<Part>, special_tokens: HashMap<String, Ids> },
    BertProcessing { sep: (String, u32), cls: (String, u32) },
    RobertaProcessing { sep: (String, u32), cls: (String, u32) },
    ByteLevel {},
    Sequence { processors: Vec<Spec> },
}

#[derive(Deserialize)]
enum Part {
    SpecialToken { id: String },
    Sequence { id: String },
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<u32>,
}

/// Reads the `post_processor` of a file.
pub(super) fn read(value: Value) -> Result<Template, TextError> {
    let spec: Spec = serde_json::from_value(value).map_err(|error| TextError::Unsupported {
        what: format!("a post-processor ({})", shorten(&error.to_string())),
    })?;
    let mut template = Template::default();
    wrap(spec, &mut template)?;
    Ok(template)
}

/// Adds what `spec` puts around a text to what is around it already.
fn wrap(spec: Spec, template: &mut Template) -> Result<(), TextError> {
    match spec {
        Spec::ByteLevel {} => {}
        Spec::Sequence { processors } => {
            processors.into_iter().try_for_each(|processor| wrap(processor, template))?;
        }
        Spec::BertProcessing { sep, cls } | Spec::RobertaProcessing { sep, cls } => {
            template.before.insert(0, cls.1);
            template.after.push(sep.1);
        }
        Spec::TemplateProcessing { single, special_tokens } => {
            let is_text = |part: &Part| matches!(part, Part::Sequence { id } if id == "A");
            let texts = single.iter().filter(|part| matches!(part, Part::Sequence { .. })).count();
            let at = single
                .iter()
                .position(is_text)
                .filter(|_| texts == 1)
                .ok_or_else(|| TextError::invalid("its template does not take one text exactly once"))?;
            let mut before = ids(&single[..at], &special_tokens)?;
            before.append(&mut template.before);
            template.before = before;
            template.after.extend(ids(&single[at + 1..], &special_tokens)?);
        }
    }
    Ok(())
}

/// The ids of the special tokens among `parts`.
fn ids(parts: &[Part], special_tokens: &HashMap<String, Ids>) -> Result<Vec<u32>, TextError> {
    let mut ids = Vec::new();
    for part in parts {
        if let Part::SpecialToken { id } = part {
            let token = special_tokens.get(id).ok_or_else(|| {
                TextError::invalid(format!("its template names {id:?}, which it does not define"))
            })?;
            ids.extend_from_slice(&token.ids);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::json;

    use super::*;

    #[test]
    fn templates_give_what_is_around_a_text() {
        let part = |kind: &str, id: &str| json!({kind: {"id": id, "type_id": 0}});
        let single =
            json!([part("SpecialToken", "<s>"), part("Sequence", "A"), part("SpecialToken", "</s>")]);
        let tokens = json!({"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                            "</s>": {"id": "</s>", "ids": [2, 3], "tokens": ["</s>", "x"]}});
        let template =
            json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": tokens});
        assert_eq!(read(template.clone()), Ok(Template { before: vec![1], after: vec![2, 3] }));
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true});
        let bert = json!({"type": "BertProcessing", "sep": ["[SEP]", 9], "cls": ["[CLS]", 8]});
        let sequence = json!({"type": "Sequence", "processors": [byte_level, template, bert]});
        assert_eq!(read(sequence), Ok(Template { before: vec![8, 1], after: vec![2, 3, 9] }));
    }

    #[test]
    fn contradictory_templates_are_refused() {
        let read = |single: Value| {
            read(json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": {}}))
        };
        for single in [
            json!([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]),
            json!([{"Sequence": {"id": "B", "type_id": 0}}]),
            json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]),
            json!([]),
        ] {
            assert_eq!(read(single).unwrap_err().code(), "tokenizer_invalid");
        }
        assert_eq!(super::read(json!({"type": "New"})).unwrap_err().code(), "tokenizer_unsupported");
    }
}
