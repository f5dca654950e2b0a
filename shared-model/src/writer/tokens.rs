//! The writer's tokenizer and its chat format: ChatML without a default system turn, as every nano model of this project speaks it.

use super::WriterError;
use crate::text::Turn;
use tokenizers::Tokenizer;

const END_OF_TEXT: &str = "<|endoftext|>";
const TURN_START: &str = "<|im_start|>";
const TURN_END: &str = "<|im_end|>";

/// Text to ids and back.
#[derive(Debug)]
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    stop: [u32; 2],
}

impl Tokens {
    pub(super) fn new(json: &str) -> Result<Self, WriterError> {
        let bad = |message: String| WriterError::Tokenizer { message };
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(|error| bad(error.to_string()))?;
        // A prompt is read as it is.
        tokenizer.with_padding(None);
        let untruncated = tokenizer.with_truncation(None);
        untruncated.map_err(|error| bad(error.to_string()))?;
        let id = |token: &str| {
            let found = tokenizer.token_to_id(token);
            found.ok_or_else(|| bad(format!("it has no token {token}")))
        };
        Ok(Self {
            stop: [id(TURN_END)?, id(END_OF_TEXT)?],
            tokenizer,
        })
    }

    /// Ids of a plain text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, WriterError> {
        let encoding = self.tokenizer.encode(text, false);
        let encoding = encoding.map_err(|error| WriterError::Tokenizer {
            message: error.to_string(),
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Ids of a chat up to and including the header of the assistant's answer. Spelled-out control tokens inside a turn are broken
    /// up: a title can never open a turn of its own.
    pub(super) fn prompt(&self, turns: &[Turn]) -> Result<Vec<u32>, WriterError> {
        let turn = |turn: &Turn| {
            let content = turn.content.replace("<|", "< |");
            format!("{TURN_START}{}\n{content}{TURN_END}\n", turn.role.name())
        };
        let chat: String = turns.iter().map(turn).collect();
        let ids = self.encode(&(chat + TURN_START + "assistant\n"))?;
        if ids.is_empty() {
            return Err(WriterError::Tokenizer {
                message: "it makes no tokens of a prompt".to_owned(),
            });
        }
        Ok(ids)
    }

    /// Text of new tokens, without special tokens.
    pub(super) fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }

    /// Whether a token ends an answer.
    pub(super) fn ends(&self, id: u32) -> bool {
        self.stop.contains(&id)
    }
}
