//! What a server says with the page's files: `cargo xtask serve` by itself, other hosts by `_headers` (Netlify, Cloudflare Pages and those
//! that read the same file).

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::layout::CODE;

/// The file's own name in the page's folder.
const NAME: &str = "_headers";

/// Sent with every answer. The policy is the one that the page carries in its HTML, for every file (a worker takes its own from its
/// answer), with what only a server can say: no frames around the page.
pub const EVERYWHERE: [(&str, &str); 7] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Permissions-Policy",
        "camera=(), microphone=(), geolocation=()",
    ),
];

/// What an address that names its content, a build's or a hash, may be kept by: there is never anything else at it.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Writes [`EVERYWHERE`] where hosts look for it.
pub fn write(page: &Path) -> Result<()> {
    let file = page.join(NAME);
    std::fs::write(&file, text()).with_context(|| format!("cannot write {}", file.display()))
}

fn text() -> String {
    let mut text = "/*\n".to_owned();
    for (name, value) in EVERYWHERE {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name}: {value}");
    }
    let _ = writeln!(text, "/{CODE}/*\n  Cache-Control: {FOR_EVER}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_what_the_server_here_says() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path()).expect("it can be written");
        let text = std::fs::read_to_string(folder.path().join(NAME)).expect("it is there");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "/*");
        for (line, (name, value)) in lines[1..].iter().zip(EVERYWHERE) {
            assert_eq!(*line, format!("  {name}: {value}"));
        }
        assert_eq!(lines[8], "/code/*");
        assert!(lines[9].contains("immutable"), "{text}");
        assert!(
            lines.iter().all(|line| line.len() < 2000),
            "Cloudflare ends a line there"
        );
    }
}
