//! Tokenizer and chat format: `tokenizer.json` through Hugging Face's library, the model's own template around the turns.

use std::path::Path;

use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer, TokenizerImpl};

use super::template::{ChatTemplate, TemplateError};
use crate::text::Turn;

/// Why a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file is not a tokenizer.
    #[error("{file}: {problem}")]
    Read {
        /// The file.
        file: String,
        /// The library's words.
        problem: String,
    },
    /// The chat template is wrong, or refuses a chat.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A token that the chat format needs is not in the vocabulary.
    #[error("the tokenizer has no token {0}; a Qwen2 chat tokenizer has it")]
    MissingToken(&'static str),
    /// Training or encoding failed.
    #[error("tokenizer: {0}")]
    Library(String),
}

const END_OF_TEXT: &str = "<|endoftext|>";
const TURN_START: &str = "<|im_start|>";
const TURN_END: &str = "<|im_end|>";
/// Words with the space before them; letters, digits, hyphens and apostrophes stay together (`1980s`, `Sci-Fi`), so that
/// an attribute can become one token.
const WORDS: &str =
    r"\n| ?[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*| ?[^\s\p{L}\p{N}]+|[^\S\n]+(?!\S)|\s+";
/// Tags of the output contract: one token each for a nano model, ordinary text for Qwen2.5.
const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];

/// A tokenizer that knows its model's chat format.
#[derive(Debug, Clone)]
pub struct ChatTokenizer {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    turn_start: u32,
    turn_end: u32,
    end_of_text: u32,
}

impl ChatTokenizer {
    /// Reads `tokenizer.json` and the chat template of a model folder.
    ///
    /// # Errors
    /// [`TokenizerError`] names the file or the missing token.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer.json");
        let tokenizer = Tokenizer::from_file(&path).map_err(|error| TokenizerError::Read {
            file: path.display().to_string(),
            problem: error.to_string(),
        })?;
        Self::new(tokenizer, ChatTemplate::of_folder(folder)?)
    }

    fn new(tokenizer: Tokenizer, template: ChatTemplate) -> Result<Self, TokenizerError> {
        let id = |token: &'static str| {
            tokenizer
                .token_to_id(token)
                .ok_or(TokenizerError::MissingToken(token))
        };
        Ok(Self {
            turn_start: id(TURN_START)?,
            turn_end: id(TURN_END)?,
            end_of_text: id(END_OF_TEXT)?,
            tokenizer,
            template,
        })
    }

    /// Ids of a plain text, special tokens recognised where they are spelled out.
    ///
    /// # Errors
    /// [`TokenizerError::Library`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.tokenizer.encode(text, false);
        let encoding = encoding.map_err(|error| TokenizerError::Library(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Ids of a chat by the model's template, up to and including the header of the assistant's answer.
    ///
    /// Spelled-out control tokens inside a turn are broken up: a title can never open a turn of its own.
    ///
    /// # Errors
    /// [`TokenizerError`].
    pub fn prompt(&self, turns: &[Turn]) -> Result<Vec<u32>, TokenizerError> {
        let safe = |turn: &Turn| Turn {
            role: turn.role,
            content: turn.content.replace("<|", "< |"),
        };
        let turns: Vec<Turn> = turns.iter().map(safe).collect();
        self.encode(&self.template.render(&turns, true)?)
    }

    /// Ids of an assistant's answer with the token that ends its turn.
    ///
    /// # Errors
    /// [`TokenizerError::Library`].
    pub fn answer(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = self.encode(&text.replace("<|", "< |"))?;
        ids.push(self.turn_end);
        Ok(ids)
    }

    /// Text of an answer without the token that ended it. Other special tokens stay to be seen: they do not belong there, and
    /// no rule is to overlook them.
    pub fn answer_text(&self, ids: &[u32]) -> String {
        let ended = ids
            .last()
            .is_some_and(|last| self.stop_ids().contains(last));
        self.raw_text(&ids[..ids.len() - usize::from(ended)])
    }

    /// Text with all special tokens.
    pub fn raw_text(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, false).unwrap_or_default()
    }

    /// Text of new tokens, without special tokens.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }

    /// Tokens that end an answer.
    pub fn stop_ids(&self) -> Vec<u32> {
        vec![self.turn_end, self.end_of_text]
    }

    /// The token that opens a turn.
    pub fn turn_start(&self) -> u32 {
        self.turn_start
    }

    /// The token that ends a turn.
    pub fn turn_end(&self) -> u32 {
        self.turn_end
    }

    /// Number of tokens, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// `tokenizer.json`.
    ///
    /// # Errors
    /// [`TokenizerError::Library`].
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        let json = self.tokenizer.to_string(false);
        json.map_err(|error| TokenizerError::Library(error.to_string()))
    }

    /// `tokenizer_config.json` as transformers reads it: special tokens and the chat template.
    pub fn config_json(&self) -> serde_json::Value {
        self.template.config_json()
    }
}

/// Trains a byte-level BPE of at most `vocab_size` tokens on the run's own texts: any string can be encoded, and the
/// words of the catalogue become single tokens.
///
/// # Errors
/// [`TokenizerError::Library`].
pub fn train_tokenizer(
    corpus: impl Iterator<Item = String> + Send,
    vocab_size: usize,
) -> Result<ChatTokenizer, TokenizerError> {
    let library = |error: tokenizers::Error| TokenizerError::Library(error.to_string());
    let special = |token: &str| AddedToken::from(token, true);
    let byte_level = ByteLevel::new(false, true, false);
    let words = SplitPattern::Regex(WORDS.to_owned());
    let words = Split::new(words, SplitDelimiterBehavior::Isolated, false).map_err(library)?;
    let pieces = Sequence::new(vec![
        PreTokenizerWrapper::Split(words),
        PreTokenizerWrapper::ByteLevel(byte_level),
    ]);
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(vocab_size - TAGS.len())
        .min_frequency(1)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![
            special(END_OF_TEXT),
            special(TURN_START),
            special(TURN_END),
        ])
        .build();
    let mut tokenizer: TokenizerImpl<_, _, _, _, _> = tokenizers::TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(Some(tokenizers::normalizers::NFC))
        .with_pre_tokenizer(Some(pieces))
        .with_post_processor(Some(byte_level))
        .with_decoder(Some(byte_level))
        .build()
        .map_err(library)?;
    // The tags are cut out before merges are counted, since they will be tokens of their own.
    let corpus = corpus.flat_map(|text| {
        let mut pieces = vec![text];
        for tag in TAGS {
            pieces = pieces
                .iter()
                .flat_map(|piece| piece.split(tag).map(str::to_owned).collect::<Vec<_>>())
                .collect();
        }
        pieces
    });
    tokenizer.train(&mut trainer, corpus).map_err(library)?;
    let tags: Vec<AddedToken> = TAGS
        .iter()
        .map(|tag| AddedToken::from(*tag, false))
        .collect();
    tokenizer.add_tokens(&tags);
    let json = tokenizer.to_string(false).map_err(library)?;
    let tokenizer = Tokenizer::from_bytes(json).map_err(library)?;
    ChatTokenizer::new(tokenizer, ChatTemplate::chatml())
}
