//! The server of the tests ([`albedo`]) behind a socket: one request for each connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use bartizan_ftw::albedo;

use crate::wire;

/// Who does not finish a request is no gateway.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers in threads of its own as long as the process lives.
pub(crate) fn serve(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The gateway says what it thinks of a server that breaks off.
            thread::spawn(move || answer(&stream));
        }
    });
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let bytes = request(&mut BufReader::new(stream))?;
    let response = match wire::parse(&bytes) {
        Ok(request) => albedo::respond(request.method, request.target, &request.body),
        Err(wire::Refusal(reason)) => {
            let body = reason.as_bytes().to_vec();
            albedo::Response { status: 400, headers: Vec::new(), body }
        }
    };
    let mut head = format!("HTTP/1.1 {} Told\r\nConnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&response.body)
}

/// The bytes of one request, up to its end.
fn request(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let start = bytes.len();
        let line_length = stream.read_until(b'\n', &mut bytes)?;
        let line = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        is_chunked |= line.starts_with("transfer-encoding:");
        if line_length == 0 || line.trim().is_empty() {
            break;
        }
    }
    if is_chunked {
        while !bytes.ends_with(b"\r\n0\r\n\r\n") && stream.read_until(b'\n', &mut bytes)? > 0 {}
    } else {
        stream.take(length).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::ask;

    #[test]
    fn it_answers_over_a_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        serve(listener);
        let told = r#"{"status": 418, "body": "short and stout"}"#;
        let length = told.len();
        for framing in [
            format!("Content-Length: {length}\r\n\r\n{told}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{told}\r\n0\r\n\r\n"),
        ] {
            let request = format!("POST /reflect HTTP/1.1\r\nHost: a\r\n{framing}");
            let answer = ask(address, request.as_bytes()).unwrap().unwrap();
            assert_eq!(
                (answer.status, answer.body.as_slice()),
                (418, b"short and stout".as_slice()),
                "{framing}"
            );
        }
        let answer = ask(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
}
