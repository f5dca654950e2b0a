//! Removes from a WebAssembly file what only debuggers read: the names of its functions (half of the file), the producers'
//! note and DWARF. wasm-bindgen and trunk keep them, and Debian and rustup need no further package for this.
//!
//! Format: <https://webassembly.github.io/spec/core/binary/modules.html>: an 8-byte header, then sections, each an id byte, its length
//! as LEB128, and its content; id 0 is a custom section, whose content begins with its name (LEB128 length, UTF-8).

use std::path::Path;

use anyhow::{Context, Result, bail};

const HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Strips a file in place.
pub fn strip_file(file: &Path) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let stripped = strip(&bytes).with_context(|| format!("cannot strip {}", file.display()))?;
    if stripped.len() < bytes.len() {
        std::fs::write(file, stripped)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The module without its debugging sections.
fn strip(module: &[u8]) -> Result<Vec<u8>> {
    let Some(mut rest) = module.strip_prefix(&HEADER) else {
        bail!("this is no WebAssembly module of version 1");
    };
    let mut kept = HEADER.to_vec();
    while let Some((&id, after_id)) = rest.split_first() {
        let (length, content) = leb128(after_id)?;
        if content.len() < length {
            bail!("a section is cut off");
        }
        let (content, next) = content.split_at(length);
        let whole = &rest[..rest.len() - next.len()];
        if id != 0 || !is_for_debuggers(content)? {
            kept.extend_from_slice(whole);
        }
        rest = next;
    }
    Ok(kept)
}

fn is_for_debuggers(custom: &[u8]) -> Result<bool> {
    let (length, rest) = leb128(custom)?;
    let name = rest.get(..length).context("a section's name is cut off")?;
    Ok(name == b"name" || name == b"producers" || name.starts_with(b".debug_"))
}

/// An unsigned LEB128 number of at most 32 bits, and what follows it.
fn leb128(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).context("a length is too large")?;
            return Ok((value as usize, &bytes[index + 1..]));
        }
    }
    bail!("a length is cut off or too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module written out by hand: type, custom `name`, custom `keep`, custom `.debug_x`, custom `producers`.
    fn module() -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        bytes.extend([1, 4, 1, 0x60, 0, 0]);
        bytes.extend(b"\x00\x07\x04nameab");
        bytes.extend(b"\x00\x06\x04keepz");
        bytes.extend(b"\x00\x0a\x08.debug_x!");
        bytes.extend(b"\x00\x0b\x09producers\x00");
        bytes
    }

    #[test]
    fn only_debugging_sections_go() {
        let mut expected = HEADER.to_vec();
        expected.extend([1, 4, 1, 0x60, 0, 0]);
        expected.extend(b"\x00\x06\x04keepz");
        assert_eq!(strip(&module()).expect("valid"), expected);
        assert_eq!(strip(&expected).expect("valid"), expected);
    }

    #[test]
    fn lengths_of_several_bytes() {
        // 624485 is the example of the LEB128 article: E5 8E 26.
        let (value, rest) = leb128(&[0xe5, 0x8e, 0x26, 7]).expect("valid");
        assert_eq!((value, rest), (624_485, &[7_u8][..]));
        assert!(leb128(&[0x80; 8]).is_err());
        assert!(leb128(&[0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
    }

    #[test]
    fn every_cut_of_a_section_is_an_error_and_never_a_panic() {
        let whole = module();
        let ends = [8, 14, 23, 31, 43, 56];
        for cut in 0..whole.len() {
            assert_eq!(strip(&whole[..cut]).is_ok(), ends.contains(&cut), "{cut}");
        }
        assert!(strip(b"<html>").is_err());
    }
}
