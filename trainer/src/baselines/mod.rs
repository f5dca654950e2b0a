//! What the method is held against.

pub mod sequential;
