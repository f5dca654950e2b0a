//! What runs natively and in the browser.
pub mod artefact;
pub mod explain;
pub mod reward;
pub mod scorer;
pub mod weights;
