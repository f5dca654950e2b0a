//! Drops the names of functions from the WebAssembly module at link time: they would be a third of the download, and nothing
//! on the way to the page (wasm-bindgen, trunk) removes them.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo:rustc-link-arg-cdylib=--strip-all");
        // wasm-bindgen reads there which WebAssembly features it may use.
        println!("cargo:rustc-link-arg-cdylib=--keep-section=target_features");
    }
}
