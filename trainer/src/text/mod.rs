//! Prompts, the output contract and rationales.
