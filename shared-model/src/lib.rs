//! What runs natively and in the browser: no file, clock, thread, network or command line, and nothing of training.
//!
//! [`reward`] is the recommender (METHOD §2), [`weights`] its parameters as bytes, [`artefact`] the exported folder (METHOD §4),
//! [`scorer`] runs the recommender from an artefact, and [`explain`] turns its numbers into recommendations with their causes.

pub mod artefact;
pub mod explain;
pub mod reward;
pub mod scorer;
pub mod weights;
