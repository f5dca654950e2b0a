//! Debian and Ubuntu packages, for the few things that cargo cannot install.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step;
use crate::workspace::{command, on_path};

/// Installs packages with apt-get, as root or through sudo; elsewhere the error says what to install by hand.
pub fn install(packages: &[&str], why: &str) -> Result<()> {
    let list = packages.join(" ");
    if on_path("apt-get").is_none() {
        bail!(
            "{list} is missing: {why}. This system has no apt-get: please install it with your own package manager, \
             then run the command again"
        );
    }
    let as_root = is_root()?;
    if !as_root && on_path("sudo").is_none() {
        bail!(
            "{list} is missing: {why}. Please ask an administrator for `apt-get install {list}`, then run the command again"
        );
    }
    println!("   installing {list}: {why}");
    step::run(
        "apt-get update",
        apt_get(as_root).args(["update", "--quiet"]),
    )?;
    step::run(
        &format!("apt-get install {list}"),
        apt_get(as_root)
            .args([
                "install",
                "--yes",
                "--quiet=2",
                "--no-install-recommends",
                "--",
            ])
            .args(packages),
    )?;
    Ok(())
}

fn apt_get(as_root: bool) -> Command {
    let mut words = if as_root { vec![] } else { vec!["sudo"] };
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = command(words[0]);
    command.args(&words[1..]);
    command
}

fn is_root() -> Result<bool> {
    let path = Path::new("/proc/self/status");
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(effective_user(&text) == Some(0))
}

/// The effective user id in the text of /proc/self/status (`Uid:` real, effective, saved, file system).
fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::effective_user;

    #[test]
    fn the_second_number_is_the_effective_user() {
        let status = "Name:\tx\nUid:\t1000\t0\t1000\t1000\nGid:\t5\t5\t5\t5\n";
        assert_eq!(effective_user(status), Some(0));
        assert_eq!(effective_user("Name:\tx\n"), None);
    }
}
