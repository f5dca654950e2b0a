//! An HTTP server of a hundred lines that serves well or badly, as told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How the server serves one path.
#[derive(Clone)]
pub(super) enum Serve {
    /// The bytes, by range where asked.
    Ranges(Vec<u8>),
    /// All bytes whatever is asked.
    NoRanges(Vec<u8>),
    /// Announces all, sends this many bytes of what was asked, and hangs up.
    HangUpAfter(usize, Vec<u8>),
    Status(u16),
}

pub(super) struct Server {
    pub(super) address: String,
    /// `PATH RANGE` of every request.
    pub(super) requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start(paths: Vec<(&str, Serve)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let paths: Vec<(String, Serve)> = paths
            .into_iter()
            .map(|(path, serve)| (path.to_owned(), serve))
            .collect();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &paths, &seen);
            }
        });
        Self { address, requests }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, paths: &[(String, Serve)], seen: &Mutex<Vec<String>>) {
    let mut path = String::new();
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(rest) = line.strip_prefix("GET /") {
            path = rest.split(' ').next().unwrap().to_owned();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: ") {
            range = value.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    seen.lock()
        .unwrap()
        .push(format!("{path} {range}").trim().to_owned());
    let serve = paths
        .iter()
        .find(|(known, _)| *known == path)
        .map(|(_, serve)| serve.clone());
    let start = range
        .strip_prefix("bytes=")
        .and_then(|r| r.strip_suffix('-'))
        .map(|r| r.parse::<usize>().unwrap());
    let (bytes, start, send) = match serve.unwrap_or(Serve::Status(404)) {
        Serve::Ranges(bytes) => (bytes, start, usize::MAX),
        Serve::NoRanges(bytes) => (bytes, None, usize::MAX),
        Serve::HangUpAfter(count, bytes) => (bytes, start, count),
        Serve::Status(status) => {
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return;
        }
    };
    let total = bytes.len();
    let head = match start {
        Some(start) if start >= total => {
            let _ = write!(
                stream,
                "HTTP/1.1 416 X\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return;
        }
        Some(start) => format!(
            "206 X\r\nContent-Range: bytes {start}-{}/{total}",
            total - 1
        ),
        None => "200 OK".to_owned(),
    };
    let body = &bytes[start.unwrap_or(0)..];
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(&body[..send.min(length)]);
}
