//! A small static file server for the built page, on this machine only.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use crate::headers::{EVERYWHERE, FOR_EVER};
use crate::http::{self, Body, Request, Response};
use crate::layout::{ARTEFACT, CODE};
use crate::negotiate::{Representation, Tags, is_fresh};

/// Takes the port, or says what to do when another program has it.
pub fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {port} is in use: stop the program that has it, or choose another with `--port {}`",
            port.saturating_add(1)
        ),
        ErrorKind::PermissionDenied => {
            anyhow!("port {port} is not open to ordinary users: choose one above 1023 with `--port`")
        }
        _ => anyhow!("cannot listen on 127.0.0.1:{port}: {error}"),
    })
}

/// Serves a folder until the process is stopped.
pub fn serve(folder: &Path, listener: &TcpListener) -> Result<()> {
    let root = folder
        .canonicalize()
        .with_context(|| format!("no page at {}", folder.display()))?;
    let address = listener.local_addr().context("the port has no address")?;
    let tags = Tags::default();
    println!("\nThe page is at http://{address}/ (Ctrl-C stops)");
    http::serve(listener, move |request| {
        let mut response = answer(&root, &tags, request);
        let everywhere = EVERYWHERE.map(|(name, value)| (name, value.to_owned()));
        response.headers.extend(everywhere);
        response
    })
}

fn answer(root: &Path, tags: &Tags, request: &Request) -> Response {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        let mut response = refusal(405, "only GET and HEAD are answered here\n");
        response.headers.push(("Allow", "GET, HEAD".to_owned()));
        return response;
    }
    let found = file_for(root, &request.target).and_then(|path| file(&path, tags, request).ok());
    found.unwrap_or_else(|| refusal(404, "not found\n"))
}

/// A file in the encoding that suits the client, whole and with its length, however large: the page shows how far it is.
fn file(path: &Path, tags: &Tags, request: &Request) -> std::io::Result<Response> {
    let Representation { file, encoding } =
        Representation::choose(path, request.header("Accept-Encoding"));
    let content = File::open(&file)?;
    let length = content.metadata()?.len();
    let tag = tags.of(&file)?;
    let is_known = is_fresh(request.header("If-None-Match"), &tag);
    let mut headers = vec![
        ("ETag", tag),
        ("Vary", "Accept-Encoding".to_owned()),
        ("Cache-Control", caching(&request.target).to_owned()),
    ];
    if is_known {
        return Ok(Response {
            status: 304,
            headers,
            body: Body::Nothing,
        });
    }
    headers.push(("Content-Type", content_type(path).to_owned()));
    headers.extend(encoding.map(|encoding| ("Content-Encoding", encoding.token().to_owned())));
    Ok(Response {
        status: 200,
        headers,
        body: Body::File(content, length),
    })
}

fn refusal(status: u16, text: &'static str) -> Response {
    let mut response = Response::text(status, text);
    let caching = ("Cache-Control", "no-cache".to_owned());
    response.headers.push(caching);
    response
}

/// How long an answer may be kept without asking again.
fn caching(url: &str) -> &'static str {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let is_named = path.starts_with(&format!("/{CODE}/"))
        || (path.starts_with(&format!("/{ARTEFACT}/")) && query.starts_with("v="));
    if is_named { FOR_EVER } else { "no-cache" }
}

/// The file a URL stands for: below `root` after following links, never hidden, never a folder.
fn file_for(root: &Path, url: &str) -> Option<PathBuf> {
    let relative = relative_path(url)?;
    let path = root.join(relative).canonicalize().ok()?;
    (path.starts_with(root) && path.is_file()).then_some(path)
}

/// A URL's path as a relative file path; `None` for anything that tries to leave the folder or names hidden files.
fn relative_path(url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?;
    let decoded = percent_decode(path.strip_prefix('/')?)?;
    if decoded.is_empty() {
        return Some(PathBuf::from("index.html"));
    }
    if decoded.contains(['\0', '\\']) {
        return None;
    }
    let path = PathBuf::from(decoded);
    let fits = path.components().all(|part| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        _ => false,
    });
    fits.then_some(path)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The media type a browser needs; WebAssembly and modules are refused under any other.
fn content_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn ordinary_addresses() {
        let path = |url| relative_path(url).map(|path| path.display().to_string());
        assert_eq!(path("/").as_deref(), Some("index.html"));
        assert_eq!(path("/?user=3").as_deref(), Some("index.html"));
        assert_eq!(
            path("/artefact/manifest.json").as_deref(),
            Some("artefact/manifest.json")
        );
        assert_eq!(path("/a%20b.js").as_deref(), Some("a b.js"));
    }

    #[test]
    fn nothing_leaves_the_folder() {
        for url in [
            "/../secret",
            "/a/../../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/..%5csecret",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/.git/config",
            "/a/.hidden",
            "/a%00.html",
            "/%zz",
            "/%+1",
            "/%2",
            "/%ff",
            "etc/passwd",
            "http://example.org/",
        ] {
            assert_eq!(relative_path(url), None, "{url}");
        }
    }

    #[test]
    fn media_types() {
        assert_eq!(content_type(Path::new("a/b_bg.wasm")), "application/wasm");
        assert_eq!(
            content_type(Path::new("worker.mjs")),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(
            content_type(Path::new("INDEX.HTML")),
            "text/html; charset=utf-8"
        );
        assert_eq!(
            content_type(Path::new("model.bin")),
            "application/octet-stream"
        );
        assert_eq!(
            content_type(Path::new("LICENSE")),
            "application/octet-stream"
        );
    }

    #[test]
    fn only_what_is_named_by_its_content_is_kept_without_asking() {
        for url in [
            "/code/0123456789abcdef/js/main.js",
            "/artefact/users.json?v=ab",
        ] {
            assert_eq!(caching(url), FOR_EVER, "{url}");
        }
        for url in [
            "/",
            "/build.json",
            "/sw.js",
            "/artefact/manifest.json?code=1",
            "/artefact/preview.json",
            "/?v=1",
        ] {
            assert_eq!(caching(url), "no-cache", "{url}");
        }
    }

    #[test]
    fn the_policy_is_the_pages_own_and_no_frame_around_it() {
        let page = include_str!("../../www/index.html");
        let start = page.find("content=\"default-src").expect("a policy") + "content=\"".len();
        let own = page[start..].split('"').next().expect("its end");
        assert_eq!(EVERYWHERE[0].1, format!("{own}; frame-ancestors 'none'"));
    }

    #[test]
    fn a_taken_port_is_explained() {
        let taken = bind(0).expect("a free port");
        let port = taken.local_addr().expect("bound").port();
        let error = bind(port).expect_err("it is taken");
        assert!(error.to_string().contains("--port"), "{error}");
    }

    /// One raw request to a server of its own; returns the whole answer as text.
    fn ask(root: &Path, request: &str) -> String {
        let listener = bind(0).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let root = root.to_owned();
        std::thread::spawn(move || serve(&root, &listener));
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answered");
        text
    }

    fn get(root: &Path, path: &str) -> String {
        ask(
            root,
            &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        )
    }

    #[test]
    fn the_server_answers_with_type_and_policy_and_hides_the_rest() {
        let folder = std::env::temp_dir().join(format!("curec-serve-{}", std::process::id()));
        let root = folder.join("page");
        std::fs::create_dir_all(root.join("sub")).expect("made");
        std::fs::write(root.join("index.html"), "<p>hello").expect("written");
        std::fs::write(root.join("x.wasm"), "code").expect("written");
        std::fs::write(folder.join("secret"), "secret").expect("written");
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.join("secret"), root.join("link")).expect("linked");

        let page = get(&root, "/");
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.ends_with("\r\n\r\n<p>hello"), "{page}");
        let head = ask(
            &root,
            "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        assert!(head.contains("Content-Length: 8\r\n"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        assert!(page.contains("X-Content-Type-Options: nosniff"), "{page}");
        assert!(page.contains("frame-ancestors 'none'"), "{page}");
        assert!(get(&root, "/x.wasm").contains("Content-Type: application/wasm"));
        let large = "scores ".repeat(20_000);
        std::fs::write(root.join("large.js"), &large).expect("written");
        assert!(get(&root, "/large.js").contains(&format!("Content-Length: {}", large.len())));
        std::fs::write(root.join("large.js.br"), "short").expect("written");
        let encoded = ask(
            &root,
            "GET /large.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: gzip, br\r\n\r\n",
        );
        for header in [
            "Content-Encoding: br",
            "Vary: Accept-Encoding",
            "Content-Length: 5",
            "text/javascript",
        ] {
            assert!(encoded.contains(header), "{header}: {encoded}");
        }
        assert!(encoded.ends_with("short"), "{encoded}");
        let plain = get(&root, "/large.js");
        assert!(!plain.contains("Content-Encoding") && plain.ends_with(&large));
        let tag = |answer: &str| {
            let line = answer.lines().find(|line| line.starts_with("ETag: "));
            line.map(|line| line.trim_start_matches("ETag: ").to_owned())
                .expect("a tag")
        };
        assert_ne!(tag(&encoded), tag(&plain), "two encodings are two answers");
        let again = ask(
            &root,
            &format!(
                "GET /large.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIf-None-Match: {}\r\n\r\n",
                tag(&plain)
            ),
        );
        assert!(again.starts_with("HTTP/1.1 304"), "{again}");
        assert!(again.ends_with("\r\n\r\n"), "{again}");
        for path in ["/sub", "/sub/", "/link", "/../secret", "/missing.js"] {
            let answer = get(&root, path);
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
        let posted = ask(
            &root,
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        );
        assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
        assert!(posted.contains("Allow: GET, HEAD"), "{posted}");
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
