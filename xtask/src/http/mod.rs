//! HTTP/1.1 as far as files need it (RFC 9110, RFC 9112), with a thread per connection: a browser opens several at once and keeps
//! them, and one that waits must not hold up another. Requests with a body are answered, their body is not read.

mod request;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

pub use request::Request;

/// Connections at a time; a browser opens six to a host.
const MOST_CONNECTIONS: usize = 256;
/// Bytes of a request line with its headers.
const MOST_HEAD: usize = 16 << 10;
/// From the first byte of a request to the end of its headers, and for each step of sending an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two requests.
const IDLE: Duration = Duration::from_secs(120);

/// What is answered.
pub struct Response {
    /// One of those that `reason` names.
    pub status: u16,
    /// Without date, length and connection, which are added.
    pub headers: Vec<(&'static str, String)>,
    /// What follows.
    pub body: Body,
}

/// What follows an answer's head.
pub enum Body {
    /// Not even a length.
    Nothing,
    /// A sentence.
    Text(&'static str),
    /// A file, and how many bytes of it there are.
    File(File, u64),
}

impl Response {
    /// A status and a sentence on it.
    pub fn text(status: u16, text: &'static str) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "text/plain; charset=utf-8".to_owned())],
            body: Body::Text(text),
        }
    }
}

/// Answers whoever connects, until the process ends.
pub fn serve<A>(listener: &TcpListener, answer: A) -> !
where
    A: Fn(&Request) -> Response + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // No file descriptor is left, say: some come back when connections end.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let place = Place::take(&open);
        if place.number > MOST_CONNECTIONS {
            let busy = Response::text(503, "too many connections\n");
            let _ = send(&stream, busy, true, true);
            continue;
        }
        let answer = Arc::clone(&answer);
        // A connection for which there is no thread is closed, as is one that breaks off: a visitor who closes the tab in the middle
        // of a file is no error of ours.
        let _ = thread::Builder::new().spawn(move || {
            let _place = place;
            let _ = converse(&stream, &*answer);
        });
    }
}

/// One of the connections that are open; gives its place back in any case.
struct Place {
    open: Arc<AtomicUsize>,
    number: usize,
}

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        Self {
            number: open.fetch_add(1, Ordering::SeqCst) + 1,
            open: Arc::clone(open),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// All requests of a connection, one after another.
fn converse(stream: &TcpStream, answer: &impl Fn(&Request) -> Response) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut received = Vec::new();
    loop {
        match next_request(stream, &mut received)? {
            Heard::Request(request) => {
                let last = !request.stays_open;
                send(stream, answer(&request), request.method != "HEAD", last)?;
                if last {
                    return hang_up(stream);
                }
            }
            Heard::Unfit(status) => {
                send(stream, Response::text(status, reason(status)), true, true)?;
                return hang_up(stream);
            }
            Heard::End => return Ok(()),
        }
    }
}

enum Heard {
    Request(Request),
    /// No request that can be answered, and the status that says so.
    Unfit(u16),
    End,
}

/// Waits for the end of the next request's headers. What came after them stays in `received`.
fn next_request(mut stream: &TcpStream, received: &mut Vec<u8>) -> std::io::Result<Heard> {
    let mut deadline = None;
    loop {
        if !received.is_empty() {
            match Request::parse(received) {
                Ok(Some((request, length))) => {
                    received.drain(..length);
                    return Ok(Heard::Request(request));
                }
                Ok(None) if received.len() >= MOST_HEAD => return Ok(Heard::Unfit(431)),
                Ok(None) => {}
                Err(status) => return Ok(Heard::Unfit(status)),
            }
            deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
        }
        let wait = deadline.map_or(IDLE, |end| end.saturating_duration_since(Instant::now()));
        if wait.is_zero() {
            return Ok(Heard::Unfit(408));
        }
        stream.set_read_timeout(Some(wait))?;
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(0) => return Ok(Heard::End),
            Ok(length) => received.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if received.is_empty() {
                    return Ok(Heard::End);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn send(
    mut stream: &TcpStream,
    response: Response,
    with_body: bool,
    last: bool,
) -> std::io::Result<()> {
    let Response {
        status,
        headers,
        body,
    } = response;
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut head = format!("HTTP/1.1 {status} {}\r\nDate: {date}\r\n", reason(status));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = match &body {
        Body::Nothing => None,
        Body::Text(text) => Some(text.len() as u64),
        Body::File(_, length) => Some(*length),
    };
    if let Some(length) = length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    if last {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    if let (Body::Text(text), true) = (&body, with_body) {
        head.push_str(text);
    }
    stream.write_all(head.as_bytes())?;
    if let (Body::File(file, length), true) = (body, with_body) {
        let sent = std::io::copy(&mut file.take(length), &mut stream)?;
        if sent < length {
            // It has become shorter: only the end of the connection can say so.
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Ends a connection so that the last answer arrives: with bytes left unread, the client would hear of a reset instead.
fn hang_up(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut part = [0; 4096];
    for _ in 0..64 {
        if !matches!(stream.read(&mut part), Ok(1..)) {
            break;
        }
    }
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "",
    }
}
