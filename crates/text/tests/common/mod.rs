//! Reading test data, natively and as wasm in Node.

/// A file below this crate's folder; `None` if there is none.
pub fn try_read(path: &str) -> Option<Vec<u8>> {
    file::read(&format!("{}/{path}", env!("CARGO_MANIFEST_DIR")))
}

/// A file of `tests/data`.
#[allow(dead_code, reason = "not every test binary reads these")]
pub fn read(name: &str) -> Vec<u8> {
    try_read(&format!("tests/data/{name}")).unwrap_or_else(|| panic!("tests/data/{name} is missing"))
}

#[cfg(not(target_arch = "wasm32"))]
mod file {
    pub fn read(path: &str) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }
}

#[cfg(target_arch = "wasm32")]
mod file {
    use js_sys::Uint8Array;
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen(module = "node:fs")]
    extern "C" {
        #[wasm_bindgen(catch, js_name = readFileSync)]
        fn read_file_sync(path: &str) -> Result<Uint8Array, JsValue>;
    }

    pub fn read(path: &str) -> Option<Vec<u8>> {
        read_file_sync(path).ok().map(|bytes| bytes.to_vec())
    }
}
