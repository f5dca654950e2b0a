use std::net::{Ipv4Addr, SocketAddr};

use super::*;

/// Answers with the target's length in bytes of `x`, from a file.
fn server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        serve(&listener, |request| {
            let mut file = tempfile::tempfile().expect("made");
            let text = "x".repeat(request.target.len());
            file.write_all(text.as_bytes()).expect("written");
            std::io::Seek::rewind(&mut file).expect("at the start");
            let length = text.len() as u64;
            Response {
                status: 200,
                headers: vec![("X-Method", request.method.clone())],
                body: Body::File(file, length),
            }
        })
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("set");
    stream
}

/// Everything up to the end of the connection.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("sent");
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("answered, then closed");
    text
}

/// The next answer on a connection that stays open: its head, and its body by the length that the head tells.
fn next_answer(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(head + &String::from_utf8_lossy(&body))
}

#[test]
fn connections_that_stay_open_hold_up_no_other() {
    let address = server();
    let mut open = Vec::new();
    // As a browser does it: several at once, which are kept, and then more.
    for burst in 0..8 {
        open.extend((0..8).map(|_| connect(address)));
        for stream in &mut open {
            stream
                .write_all(b"GET /12 HTTP/1.1\r\nHost: a\r\n\r\n")
                .expect("sent");
        }
        for (at, stream) in open.iter_mut().enumerate() {
            let answer = next_answer(stream);
            let answer = answer.unwrap_or_else(|error| panic!("{burst}, {at}: {error}"));
            assert!(answer.ends_with("\r\n\r\nxxx"), "{burst}, {at}: {answer}");
        }
    }
}

#[test]
fn a_connection_that_says_nothing_holds_up_no_other() {
    let address = server();
    let silent: Vec<_> = (0..32).map(|_| connect(address)).collect();
    let mut slow = connect(address);
    slow.write_all(b"GET / HT").expect("sent");
    let answer = ask(
        address,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    slow.write_all(b"TP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    let answer = next_answer(&mut slow).expect("answered");
    assert!(answer.ends_with("\r\n\r\nx"), "{answer}");
    drop(silent);
}

#[test]
fn requests_that_come_together_are_answered_in_turn() {
    let mut stream = connect(server());
    stream
        .write_all(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /22 HTTP/1.1\r\nHost: a\r\n\r\nGET /333 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answered");
    let heads: Vec<_> = text.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
    assert_eq!(heads.len(), 3, "{text}");
    for (head, method, length, body) in [
        (heads[0], "GET", 2, "xx"),
        (heads[1], "HEAD", 3, ""),
        (heads[2], "GET", 4, "xxxx"),
    ] {
        assert!(head.contains(&format!("X-Method: {method}\r\n")), "{head}");
        assert!(
            head.contains(&format!("Content-Length: {length}\r\n")),
            "{head}"
        );
        assert!(head.ends_with(&format!("\r\n\r\n{body}")), "{head}");
        assert!(head.starts_with("Date: "), "{head}");
    }
    assert!(heads[2].contains("Connection: close\r\n") && !heads[0].contains("Connection"));
}

#[test]
fn what_is_no_request_is_told_so_and_hung_up_on() {
    let address = server();
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(MOST_HEAD)), 431),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nB: {}\r\n",
                "b".repeat(100_000)
            ),
            431,
        ),
    ] {
        let answer = ask(address, &request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
    }
}

#[test]
fn a_body_is_not_taken_for_the_next_request() {
    let answer = ask(
        server(),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 34\r\n\r\nGET /secret HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[test]
fn more_connections_than_there_may_be_are_turned_away_until_some_end() {
    let address = server();
    let mut open: Vec<_> = (0..MOST_CONNECTIONS).map(|_| connect(address)).collect();
    // The last one has been accepted once it is answered.
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = open.last_mut().expect("some");
    last.write_all(request).expect("sent");
    next_answer(last).expect("answered");
    let mut text = String::new();
    let read = connect(address).read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 503 "), "{read:?} {text}");
    drop(open);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let mut stream = connect(address);
        stream.write_all(request).expect("sent");
        if next_answer(&mut stream).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return;
        }
    }
    panic!("the places were not given back");
}
