//! A Vulkan driver without a GPU: SwiftShader, which comes with Chromium and Chrome.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::setup::Browser;

/// The driver's description, beside the browser's program.
const DRIVER: &str = "vk_swiftshader_icd.json";
/// Where browsers live whose program on PATH is a script.
const FOLDERS: [&str; 3] = [
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/opt/google/chrome",
];

/// The environment in which a program finds this driver and no other. `scratch` is a folder that may be written to.
///
/// # Errors
/// The browser has no such driver; the folder cannot be made.
pub fn software(browser: &Browser, scratch: &Path) -> Result<Vec<(&'static str, OsString)>> {
    let own = browser.chromium.canonicalize().ok();
    let own = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let folders = own.into_iter().chain(FOLDERS.map(PathBuf::from));
    let folder = driver_folder(folders).with_context(|| {
        format!(
            "no {DRIVER} beside {}: name a GPU of this machine instead, CUREC_TEST_GPU=wgpu (or vulkan, metal, cuda)",
            browser.chromium.display()
        )
    })?;
    // The loader refuses to start without one.
    let runtime = scratch.join("runtime");
    std::fs::create_dir_all(&runtime)
        .with_context(|| format!("cannot create {}", runtime.display()))?;
    let driver = folder.join(DRIVER).into_os_string();
    Ok(vec![
        ("VK_DRIVER_FILES", driver.clone()),
        ("VK_ICD_FILENAMES", driver),
        // The loader itself, where the system has none.
        ("LD_LIBRARY_PATH", folder.into_os_string()),
        ("XDG_RUNTIME_DIR", runtime.into_os_string()),
        ("CUREC_TEST_GPU", "wgpu".into()),
    ])
}

fn driver_folder(mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.find(|folder| folder.join(DRIVER).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_found_beside_the_browser() {
        let folder = std::env::temp_dir().join(format!("curec-vulkan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder in the temporary one");
        let folders = || [PathBuf::from("/nowhere"), folder.clone()].into_iter();
        assert_eq!(driver_folder(folders()), None);
        std::fs::write(folder.join(DRIVER), "{}").expect("a file in it");
        assert_eq!(driver_folder(folders()), Some(folder.clone()));
        std::fs::remove_dir_all(&folder).expect("it can be removed");
    }
}
