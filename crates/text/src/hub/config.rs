//! The names of BOS and EOS in tokenizer_config.json.

use serde_json::Value;

use crate::pipeline::AddedTokens;

/// The name of the token at `key`, which is written as its name or as an object with its name.
pub(crate) fn token_name<'a>(config: &'a Value, key: &str) -> Option<&'a str> {
    let token = config.get(key)?;
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// The EOS token by its usual names, for a tokenizer.json without a tokenizer_config.json.
pub(super) fn usual_eos(added: &AddedTokens) -> Option<u32> {
    ["</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|im_end|>"].iter().find_map(|name| added.id(name))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_strings_or_objects() {
        let config =
            json!({"bos_token": {"content": "<s>", "special": true}, "eos_token": "</s>", "pad_token": null});
        assert_eq!(token_name(&config, "bos_token"), Some("<s>"));
        assert_eq!(token_name(&config, "eos_token"), Some("</s>"));
        assert_eq!(token_name(&config, "pad_token"), None);
        assert_eq!(token_name(&config, "unk_token"), None);
    }
}
