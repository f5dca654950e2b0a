//! The head of a request.

/// Header lines of a request.
const MOST_HEADERS: usize = 64;

/// The head of a request; its body, should it have one, stays unread.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// As it was sent: methods know upper and lower case.
    pub method: String,
    /// What was asked for: path and query.
    pub target: String,
    /// Whether another request may follow on the same connection.
    pub stays_open: bool,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The request that these bytes begin with and the length of its head; nothing as long as its end is missing. An error is the
    /// status that says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, u16> {
        let mut lines = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut head = httparse::Request::new(&mut lines);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(431),
            Err(_) => return Err(400),
        };
        let headers = head.headers.iter().map(|line| {
            let value = String::from_utf8_lossy(line.value).into_owned();
            (line.name.to_owned(), value)
        });
        let mut request = Self {
            method: head.method.unwrap_or_default().to_owned(),
            target: head.path.unwrap_or_default().to_owned(),
            stays_open: false,
            headers: headers.collect(),
        };
        let is_current = head.version == Some(1);
        // RFC 9112, section 3.2.
        if is_current && request.values("Host").count() != 1 {
            return Err(400);
        }
        // Where the next request begins behind a body that nobody reads, nobody knows.
        let has_body = request.values("Transfer-Encoding").next().is_some()
            || request.values("Content-Length").any(|length| length != "0");
        let is_last = request
            .values("Connection")
            .flat_map(|value| value.split(','))
            .any(|option| option.trim().eq_ignore_ascii_case("close"));
        request.stays_open = is_current && !has_body && !is_last;
        Ok(Some((request, length)))
    }

    /// A header's first value; empty where the request has none.
    pub fn header(&self, name: &str) -> &str {
        self.values(name).next().unwrap_or_default()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<(Request, usize)>, u16> {
        Request::parse(text.as_bytes())
    }

    fn parsed(text: &str) -> Request {
        parse(text).expect("sound").expect("whole").0
    }

    #[test]
    fn a_head_is_read_up_to_its_end() {
        let text = "GET /a?b HTTP/1.1\r\nhost: x\r\nAccept-Encoding:  br \r\n\r\n";
        let (request, length) = parse(&format!("{text}GET /next"))
            .expect("sound")
            .expect("whole");
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("GET", "/a?b")
        );
        assert_eq!(request.header("accept-encoding"), "br");
        assert_eq!(request.header("If-None-Match"), "");
        assert_eq!(length, text.len());
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Ok(None), "the first {end} bytes");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for text in [
            "hello\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        ] {
            assert_eq!(parse(text), Err(400), "{text:?}");
        }
        let many = "A: b\r\n".repeat(MOST_HEADERS);
        assert_eq!(
            parse(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")),
            Err(431)
        );
    }

    #[test]
    fn a_connection_stays_open_unless_somebody_says_otherwise() {
        assert!(parsed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").stays_open);
        assert!(parsed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").stays_open);
        for text in [
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(!parsed(text).stays_open, "{text:?}");
        }
    }
}
