//! From logs on disk (or the built-in world) to a filtered, split [`Dataset`].

mod types;
pub mod world;

pub use types::{Attribute, Cause, Dataset, Event, Interaction, Item, Log, User, UserSplit};
