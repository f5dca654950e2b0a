//! Reads a crate's version from Cargo.lock: wasm-bindgen's command must be of exactly the version the code links.

use anyhow::{Context, Result, bail};

/// The one version of `name` in the text of a Cargo.lock.
pub fn locked_version(lock: &str, name: &str) -> Result<String> {
    let wanted = format!("name = \"{name}\"");
    let mut versions = Vec::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        if line.trim() == wanted {
            let version = lines
                .next()
                .and_then(|line| line.trim().strip_prefix("version = \""))
                .and_then(|rest| rest.strip_suffix('"'))
                .with_context(|| format!("Cargo.lock: no version after {wanted}"))?;
            versions.push(version.to_owned());
        }
    }
    match versions.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("Cargo.lock has no package {name}: run `cargo metadata` once to complete it"),
        several => bail!(
            "Cargo.lock has {name} in {} versions ({}): exactly one is needed",
            several.len(),
            several.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "wasm-bindgen"
version = "0.2.130"
source = "registry+https://example.org"
dependencies = [
 "wasm-bindgen-macro",
]

[[package]]
name = "wasm-bindgen-macro"
version = "0.2.129"

[[package]]
name = "toml"
version = "0.9.12+spec-1.1.0"

[[package]]
name = "toml"
version = "1.2.1"
"#;

    #[test]
    fn the_exact_name_is_found() {
        assert_eq!(
            locked_version(LOCK, "wasm-bindgen").expect("one"),
            "0.2.130"
        );
    }

    #[test]
    fn a_missing_package_is_an_error() {
        let error = locked_version(LOCK, "trunk").expect_err("missing");
        assert!(error.to_string().contains("no package trunk"), "{error}");
    }

    #[test]
    fn two_versions_are_an_error() {
        let error = locked_version(LOCK, "toml").expect_err("two");
        assert!(
            error.to_string().contains("0.9.12+spec-1.1.0, 1.2.1"),
            "{error}"
        );
    }
}
