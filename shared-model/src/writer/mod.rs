//! The artefact's language model at its desk: writes a pattern for a history that nobody has written one for, and reasons for items
//! from its side, token by token, under the same prompts, sampling and rules as the stage `generate` (METHOD §2).
//!
//! A [`Draft`] is a text that is being written: each [`Draft::advance`] adds a token, so that a page can show it as it comes and
//! stop when it likes. A text that breaks a rule ([`Rules`]) is written again, `attempts` times in all; the one with the fewest
//! flaws stays. The same question with the same seed gives the same text, in a browser and natively.

mod draw;
mod network;
mod tokens;

use self::network::{Memory, Network, linear};
use self::tokens::Tokens;
use crate::artefact::writer::HOTTER;
use crate::artefact::{CatalogueItem, WriterPart, WriterSettings};
use crate::text::{Item, Rules, TextVector, Turn, pattern_prompt, reason_prompt, tidy};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use std::rc::Rc;
use thiserror::Error;

/// Why nothing can be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriterError {
    /// The tokenizer cannot be read or used.
    #[error("tokenizer.json cannot be used: {message}")]
    Tokenizer {
        /// What is wrong.
        message: String,
    },
    /// No such item.
    #[error("there is no item {item}: the artefact has {items} items")]
    ItemOutOfRange {
        /// The index asked for.
        item: u32,
        /// Items in the catalogue.
        items: usize,
    },
}

impl WriterError {
    /// The variant's name in kebab case, stable for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tokenizer { .. } => "tokenizer",
            Self::ItemOutOfRange { .. } => "no-such-item",
        }
    }
}

/// A writer, ready to be asked.
#[derive(Debug, Clone)]
pub struct Writer {
    desk: Rc<Desk>,
}

#[derive(Debug)]
struct Desk {
    settings: WriterSettings,
    network: Network,
    tokens: Tokens,
    items: Vec<Item>,
    rules: Rules,
    projection: Projection,
}

/// From a text vector to `e(P)`.
#[derive(Debug)]
struct Projection {
    centre: Vec<f32>,
    scale: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// What is written.
#[derive(Debug, Clone)]
enum Subject {
    /// The pattern of someone who took these, the newest ones of their history, oldest first.
    Pattern { shown: Vec<u32> },
    /// A reason for an item from the side of someone with this pattern.
    Reason {
        item: u32,
        pattern: Option<String>,
        others: Vec<String>,
    },
}

/// A finished text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// One line.
    pub text: String,
    /// Rules that it breaks, and 1 if the length limit cut it off; 0 for a text without fault.
    pub flaws: usize,
    /// Of these, what it says that is not so: values that none of the shown titles has, or claims that neither item nor pattern holds.
    pub unheld: usize,
    /// Attempts that were made.
    pub attempts: usize,
    /// Tokens that were sampled, all attempts together.
    pub tokens: usize,
    /// `e(P)` of a pattern, `[d]`: what the reward model reads of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
}

/// Where a text stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// What the present attempt says so far.
    pub text: String,
    /// Which attempt it is, from 1.
    pub attempt: usize,
    /// The text, once it is finished.
    pub written: Option<Written>,
}

impl Writer {
    /// Sits down with a checked part of an artefact and the items to write about.
    ///
    /// # Errors
    /// A tokenizer that cannot be read.
    pub fn new(part: &WriterPart, catalogue: &[CatalogueItem]) -> Result<Self, WriterError> {
        let values = |name: &str| {
            let found = part.tensors.get(name);
            found.map_or_else(Vec::new, |tensor| tensor.values.clone())
        };
        let items: Vec<Item> = catalogue.iter().map(Item::from).collect();
        let desk = Desk {
            network: Network::new(&part.settings.model, &part.tensors),
            tokens: Tokens::new(&part.tokenizer)?,
            rules: Rules::new(&items, &part.settings.render),
            items,
            projection: Projection {
                centre: values("pattern.centre"),
                scale: values("pattern.scale"),
                weight: values("pattern.weight"),
                bias: values("pattern.bias"),
            },
            settings: part.settings.clone(),
        };
        Ok(Self {
            desk: Rc::new(desk),
        })
    }

    /// Begins the pattern of someone with this history, oldest first.
    ///
    /// # Errors
    /// An item that is not in the catalogue.
    pub fn pattern(&self, history: &[u32], seed: u64) -> Result<Draft, WriterError> {
        let desk = &self.desk;
        let shown = history[history.len().saturating_sub(desk.settings.history)..].to_vec();
        let items = shown
            .iter()
            .map(|item| desk.item(*item))
            .collect::<Result<Vec<_>, _>>()?;
        let turns = pattern_prompt(&items, &desk.settings.render);
        self.begin(Subject::Pattern { shown }, &turns, seed)
    }

    /// Begins a reason for an item from the side of someone with this pattern, unlike the `others` that stand there already.
    ///
    /// # Errors
    /// An item that is not in the catalogue.
    pub fn reason(
        &self,
        pattern: Option<&str>,
        item: u32,
        others: Vec<String>,
        seed: u64,
    ) -> Result<Draft, WriterError> {
        let desk = &self.desk;
        let turns = reason_prompt(pattern, desk.item(item)?, &desk.settings.render);
        let subject = Subject::Reason {
            item,
            pattern: pattern.map(str::to_owned),
            others,
        };
        // One seed writes different texts for different items.
        self.begin(subject, &turns, seed ^ (u64::from(item) + 1) << 16)
    }

    fn begin(&self, subject: Subject, turns: &[Turn], seed: u64) -> Result<Draft, WriterError> {
        let desk = self.desk.clone();
        let prompt = desk.tokens.prompt(turns)?;
        Ok(Draft {
            desk,
            subject,
            seed,
            prompt: Prompt::Unread(prompt),
            attempt: Attempt::default(),
            number: 0,
            tokens: 0,
            best: None,
        })
    }

    /// `e(P)` of a pattern's text, `[d]`.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn pattern_vector(&self, text: &str) -> Result<Vec<f32>, WriterError> {
        self.desk.pattern_vector(text)
    }

    /// Logits of the token after a prompt, `[vocabulary]`: for parity tests.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn next_logits(&self, turns: &[Turn]) -> Result<Vec<f32>, WriterError> {
        let desk = &self.desk;
        let ids = desk.tokens.prompt(turns)?;
        let states = desk.network.read(&ids, &mut desk.network.nothing());
        Ok(desk.network.logits(desk.last(&states)))
    }
}

impl Desk {
    fn item(&self, item: u32) -> Result<&Item, WriterError> {
        let items = self.items.len();
        let found = self.items.get(item as usize);
        found.ok_or(WriterError::ItemOutOfRange { item, items })
    }

    fn last<'s>(&self, states: &'s [f32]) -> &'s [f32] {
        &states[states.len() - self.settings.model.hidden_size..]
    }

    fn shown(&self, items: &[u32]) -> Vec<&Item> {
        let items = items.iter().filter_map(|item| self.item(*item).ok());
        items.collect()
    }

    fn unheld(&self, subject: &Subject, text: &str) -> usize {
        match subject {
            Subject::Pattern { shown } => self.rules.pattern_unheld(text, &self.shown(shown)),
            Subject::Reason { item, pattern, .. } => {
                let item = &self.items[*item as usize];
                self.rules.reason_unheld(text, item, pattern.as_deref())
            }
        }
    }

    fn flaws(&self, subject: &Subject, text: &str) -> usize {
        match subject {
            Subject::Pattern { shown } => self.rules.pattern_flaws(text, &self.shown(shown)),
            Subject::Reason {
                item,
                pattern,
                others,
            } => {
                let others = others.iter().map(String::as_str);
                let item = &self.items[*item as usize];
                self.rules
                    .reason_flaws(text, item, pattern.as_deref(), others)
            }
        }
    }

    fn pattern_vector(&self, text: &str) -> Result<Vec<f32>, WriterError> {
        let ids = self.tokens.encode(text)?;
        let d = self.settings.model.hidden_size;
        let states = self.network.read(&ids, &mut self.network.nothing());
        let mean = |rows: &[f32]| {
            let mut sums = vec![0.0f32; d];
            for row in rows.chunks_exact(d) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            let share = 1.0 / ids.len().max(1) as f32;
            sums.into_iter().map(move |sum| sum * share)
        };
        let mut vector = Vec::new();
        if self.settings.text_vector == TextVector::FirstLast {
            vector.extend(mean(&self.network.embeddings(&ids)));
        }
        vector.extend(mean(&states));
        let Projection {
            centre,
            scale,
            weight,
            bias,
        } = &self.projection;
        let centred: Vec<f32> = (vector.iter().zip(centre).zip(scale))
            .map(|((value, centre), scale)| (value - centre) * scale)
            .collect();
        Ok(linear(
            &centred,
            weight,
            centred.len(),
            bias.len(),
            Some(bias),
        ))
    }
}

#[derive(Debug)]
enum Prompt {
    Unread(Vec<u32>),
    /// What it left in memory, and the state of its last token.
    Read(Memory, Vec<f32>),
}

/// One attempt under way.
#[derive(Debug, Default)]
struct Attempt {
    ids: Vec<u32>,
    /// Nothing before the first token.
    under_way: Option<(Memory, Vec<f32>, ChaCha8Rng)>,
}

/// A text that is being written.
#[derive(Debug)]
pub struct Draft {
    desk: Rc<Desk>,
    subject: Subject,
    seed: u64,
    prompt: Prompt,
    attempt: Attempt,
    /// Attempts that are finished.
    number: usize,
    tokens: usize,
    /// The best of them, with its flaws.
    best: Option<(usize, String)>,
}

impl Draft {
    /// One token more; the first call reads the prompt as well.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn advance(&mut self) -> Result<Standing, WriterError> {
        let desk = self.desk.clone();
        let settings = &desk.settings;
        if let Prompt::Unread(ids) = &self.prompt {
            let mut memory = desk.network.nothing();
            let states = desk.network.read(ids, &mut memory);
            self.prompt = Prompt::Read(memory, desk.last(&states).to_vec());
        }
        let (memory, state, mut rng) = match (self.attempt.under_way.take(), &self.prompt) {
            (Some(under_way), _) => under_way,
            (None, Prompt::Read(memory, state)) => {
                let seed = self.seed ^ ((self.number as u64) << 48);
                let rng = ChaCha8Rng::seed_from_u64(seed);
                (memory.clone(), state.clone(), rng)
            }
            (None, Prompt::Unread(_)) => unreachable!("it was read above"),
        };
        let temperature = settings.temperature * libm::pow(HOTTER, self.number as f64);
        let mut logits = desk.network.logits(&state);
        draw::penalise(&mut logits, &self.attempt.ids, settings.presence_penalty);
        let id = draw::draw(logits, temperature, settings.top_p, &mut rng);
        self.tokens += 1;
        let ended = desk.tokens.ends(id);
        if !ended {
            self.attempt.ids.push(id);
        }
        let cut = !ended && self.attempt.ids.len() >= settings.max_new_tokens;
        let text = tidy(&desk.tokens.decode(&self.attempt.ids));
        let attempt = self.number + 1;
        if !ended && !cut {
            let mut memory = memory;
            let state = desk.network.read(&[id], &mut memory);
            self.attempt.under_way = Some((memory, state, rng));
            return Ok(Standing {
                text,
                attempt,
                written: None,
            });
        }
        let flaws = desk.flaws(&self.subject, &text) + usize::from(cut);
        if self.best.as_ref().is_none_or(|(fewest, _)| flaws < *fewest) {
            self.best = Some((flaws, text.clone()));
        }
        self.number += 1;
        self.attempt = Attempt::default();
        let written = match &self.best {
            Some((flaws, text)) if *flaws == 0 || self.number >= settings.attempts => {
                let vector = match self.subject {
                    Subject::Pattern { .. } => Some(desk.pattern_vector(text)?),
                    Subject::Reason { .. } => None,
                };
                Some(Written {
                    text: text.clone(),
                    flaws: *flaws,
                    unheld: desk.unheld(&self.subject, text),
                    attempts: self.number,
                    tokens: self.tokens,
                    vector,
                })
            }
            _ => None,
        };
        Ok(Standing {
            text,
            attempt,
            written,
        })
    }

    /// All of it at once.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn finish(&mut self) -> Result<Written, WriterError> {
        loop {
            if let Some(written) = self.advance()?.written {
                return Ok(written);
            }
        }
    }
}
