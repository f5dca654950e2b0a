//! probe
use wasm_bindgen::prelude::*;
/// probe
#[wasm_bindgen]
pub fn ids(json: &str, text: &str) -> Vec<u32> {
    let Ok(tokenizer) = tokenizers::Tokenizer::from_bytes(json) else { return Vec::new() };
    tokenizer.encode(text, false).map(|found| found.get_ids().to_vec()).unwrap_or_default()
}
