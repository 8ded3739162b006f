//! A request as it stands, over a new connection, and the answer to it.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};

/// Longer than a gateway waits for the end of a head, so that it can say so.
const PATIENCE: Duration = Duration::from_secs(20);
/// No answer is longer.
const LONGEST: u64 = 64 << 20;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names are in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Sends `request`; nothing comes back where the other side closes the connection or says nothing in time.
pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> Result<Option<Answer>> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("nobody listens on {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // Whoever refuses a request by its head need not take the rest of it.
    let sent = stream.write_all(request);
    let is_head_request = request.starts_with(b"HEAD ");
    match read(&mut BufReader::new(stream.take(LONGEST)), is_head_request) {
        Ok(answer) => Ok(Some(answer)),
        Err(_) if sent.is_err() => Ok(None),
        Err(error) if is_silence(&error) => Ok(None),
        Err(error) => Err(error).context("the answer is not understood"),
    }
}

fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof | WouldBlock)
}

fn read(stream: &mut impl BufRead, is_head_request: bool) -> io::Result<Answer> {
    let (status, headers) = loop {
        let (status, headers) = head(stream)?;
        // What is only on the way to an answer is none.
        if !matches!(status, 100 | 102..=199) {
            break (status, headers);
        }
    };
    let value =
        |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut body = Vec::new();
    if is_head_request || matches!(status, 101 | 204 | 304) {
    } else if value("transfer-encoding").is_some() {
        chunks(stream, &mut body)?;
    } else if let Some(length) = value("content-length") {
        body = exactly(stream, length.parse().map_err(io::Error::other)?)?;
    } else {
        stream.read_to_end(&mut body)?;
    }
    Ok(Answer { status, headers, body })
}

fn head(stream: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let first = line(stream)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("`{first}` is no status line")))?;
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = line(stream)?;
        let size = u64::from_str_radix(&size, 16).map_err(io::Error::other)?;
        body.extend(exactly(stream, size)?);
        line(stream)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn exactly(stream: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = stream.take(length).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read == length) {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end() {
        for (bytes, is_head_request, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhixx", false, 200, "hi"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, 200, ""),
            ("HTTP/1.1 404 Not Found\r\n\r\nto the end", false, 404, "to the end"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n",
                false,
                200,
                "hi!",
            ),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false, 204, ""),
        ] {
            let answer = read(&mut bytes.as_bytes(), is_head_request).unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (status, body.as_bytes()), "{bytes}");
        }
    }

    #[test]
    fn what_ends_too_early_is_silence_and_what_is_not_http_is_not() {
        for (bytes, is_silent) in [
            ("", true),
            ("HTTP/1.1 200 OK\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", true),
            ("hello\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nh", false),
        ] {
            assert_eq!(is_silence(&read(&mut bytes.as_bytes(), false).unwrap_err()), is_silent, "{bytes}");
        }
    }
}
