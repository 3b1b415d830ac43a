//! The special tokens that a post-processor puts around a text.

use serde_json::Value;

use crate::error::TextError;
use crate::fields::Fields;

/// Ids added before and after a single text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Template {
    pub(super) before: Vec<u32>,
    pub(super) after: Vec<u32>,
}

/// Reads the `post_processor` of a file.
pub(super) fn read(value: &Value) -> Result<Template, TextError> {
    let mut template = Template::default();
    wrap(value, &mut template)?;
    Ok(template)
}

/// Adds what a post-processor puts around a text to what is around it already.
fn wrap(value: &Value, template: &mut Template) -> Result<(), TextError> {
    let fields = Fields::of(value)?;
    match fields.kind {
        "ByteLevel" => {}
        "Sequence" => {
            fields.list("processors")?.iter().try_for_each(|processor| wrap(processor, template))?;
        }
        "BertProcessing" | "RobertaProcessing" => {
            let edge = |key| {
                let id = fields.get(key).and_then(|pair| id(pair.get(1)?));
                id.ok_or_else(|| fields.wrong(key, "a token with its id"))
            };
            template.before.insert(0, edge("cls")?);
            template.after.push(edge("sep")?);
        }
        "TemplateProcessing" => {
            let parts = fields.list("single")?;
            let texts = parts.iter().filter(|part| part.get("Sequence").is_some()).count();
            let at = parts
                .iter()
                .position(|part| part.pointer("/Sequence/id").and_then(Value::as_str) == Some("A"))
                .filter(|_| texts == 1)
                .ok_or_else(|| TextError::invalid("its template does not take one text exactly once"))?;
            let mut before = ids(fields, &parts[..at])?;
            before.append(&mut template.before);
            template.before = before;
            template.after.extend(ids(fields, &parts[at + 1..])?);
        }
        _ => return fields.unknown(),
    }
    Ok(())
}

fn id(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// The ids of the special tokens among `parts`.
fn ids(fields: Fields, parts: &[Value]) -> Result<Vec<u32>, TextError> {
    let mut ids = Vec::new();
    for part in parts {
        let name = part.pointer("/SpecialToken/id").and_then(Value::as_str);
        let name = name.ok_or_else(|| fields.wrong("single", "a list of texts and special tokens"))?;
        let token = fields.get("special_tokens").and_then(|tokens| tokens.get(name)).ok_or_else(|| {
            TextError::invalid(format!("its template names {name:?}, which it does not define"))
        })?;
        let list = token.get("ids").and_then(Value::as_array);
        let list = list.and_then(|list| list.iter().map(id).collect::<Option<Vec<u32>>>());
        ids.extend(list.ok_or_else(|| fields.wrong("special_tokens", "a list of ids for each"))?);
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
        assert_eq!(read(&template), Ok(Template { before: vec![1], after: vec![2, 3] }));
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true});
        let bert = json!({"type": "BertProcessing", "sep": ["[SEP]", 9], "cls": ["[CLS]", 8]});
        let sequence = json!({"type": "Sequence", "processors": [byte_level, template, bert]});
        assert_eq!(read(&sequence), Ok(Template { before: vec![8, 1], after: vec![2, 3, 9] }));
    }

    #[test]
    fn contradictory_templates_are_refused() {
        let read = |single: Value| {
            read(&json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": {}}))
        };
        for single in [
            json!([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]),
            json!([{"Sequence": {"id": "B", "type_id": 0}}]),
            json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]),
            json!([]),
        ] {
            assert_eq!(read(single).unwrap_err().code(), "tokenizer_invalid");
        }
        assert_eq!(super::read(&json!({"type": "New"})).unwrap_err().code(), "tokenizer_unsupported");
    }
}
