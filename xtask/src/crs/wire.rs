//! The bytes of a request, read as a lenient HTTP/1 server reads them before it asks the rules (RFC 9112).
//!
//! Lenient: it takes any method, target and protocol, white space inside a target, and lines that end in LF alone, for
//! the tests want the rules to judge such requests. It refuses what no server can pass on: a request line without
//! three parts, control characters in a header, a missing or impossible `Host` in HTTP/1.1, broken chunks.

/// A request in its parts, as the rules see them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
    pub(crate) protocol: &'a [u8],
    pub(crate) headers: Vec<(&'a [u8], &'a [u8])>,
    pub(crate) body: Vec<u8>,
}

/// The server answers 400 and asks no rule. Says what was wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str);

/// Reads one request; what follows it belongs to the next, and is left out.
pub(crate) fn parse(bytes: &[u8]) -> Result<Request<'_>, Refusal> {
    let (line, mut rest) = line(bytes)?;
    let [method, target, protocol] = request_line(line)?;
    let mut headers = Vec::new();
    loop {
        let (line, after) = self::line(rest)?;
        rest = after;
        if line.is_empty() {
            break;
        }
        headers.push(header(line)?);
    }
    check_host(protocol, &headers)?;
    let body = body(&mut headers, rest)?;
    Ok(Request { method, target, protocol, headers, body })
}

fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Err(Refusal("the request ends before its headers do"));
    };
    let (line, rest) = bytes.split_at(end);
    Ok((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()))
}

fn request_line(line: &[u8]) -> Result<[&[u8]; 3], Refusal> {
    let malformed = Refusal("the request line is not method, target and protocol");
    let is_space = |byte: &u8| *byte == b' ';
    let (Some(first), Some(last)) = (line.iter().position(is_space), line.iter().rposition(is_space)) else {
        return Err(malformed);
    };
    match (line.get(..first), line.get(first + 1..last), line.get(last + 1..)) {
        (Some(method), Some(target), Some(protocol))
            if !target.is_empty() && protocol.starts_with(b"HTTP/") =>
        {
            Ok([method, target, protocol])
        }
        _ => Err(malformed),
    }
}

fn header(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return Err(Refusal("a header has no colon"));
    };
    let (name, value) = line.split_at(colon);
    if name.is_empty() || name.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
        return Err(Refusal("the name of a header is not a token"));
    }
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\0')) {
        return Err(Refusal("a header contains CR or NUL"));
    }
    Ok((name, value))
}

/// The values of a header.
fn values<'a>(headers: &[(&[u8], &'a [u8])], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
}

/// RFC 9112, section 3.2: exactly one valid `Host` in HTTP/1.1. What is valid is what can name a host: a
/// percent-encoded octet can not.
fn check_host(protocol: &[u8], headers: &[(&[u8], &[u8])]) -> Result<(), Refusal> {
    let mut hosts = values(headers, "Host");
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(Refusal("there is more than one `Host`")),
        (host, None) => host.unwrap_or_default(),
    };
    if host.is_empty() {
        return match protocol {
            b"HTTP/1.1" => Err(Refusal("there is no `Host`")),
            _ => Ok(()),
        };
    }
    let can_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte) || !byte.is_ascii();
    if host.iter().all(can_name) { Ok(()) } else { Err(Refusal("the `Host` cannot be one")) }
}

fn body(headers: &mut Vec<(&[u8], &[u8])>, rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    if values(headers, "Transfer-Encoding").any(|value| value.eq_ignore_ascii_case(b"chunked")) {
        // RFC 9112, section 6.3: the chunks say where the body ends, and the length must not be passed on.
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"Content-Length"));
        return chunks(rest);
    }
    let Some(length) = values(headers, "Content-Length").next() else { return Ok(Vec::new()) };
    // A length that is none is for the rules to find.
    let length = str::from_utf8(length).ok().and_then(|length| length.parse().ok()).unwrap_or(0);
    // A client that announces more than it sends is judged by what it sent.
    Ok(rest.get(..length).unwrap_or(rest).to_vec())
}

fn chunks(mut rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    let broken = || Refusal("the chunks of the body are broken");
    let mut body = Vec::new();
    loop {
        let (size, after) = line(rest).map_err(|_| broken())?;
        let size = size.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let size = str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(broken)?;
        if size == 0 {
            return Ok(body);
        }
        let (chunk, after) = after.split_at_checked(size).ok_or_else(broken)?;
        body.extend_from_slice(chunk);
        let (end, after) = line(after).map_err(|_| broken())?;
        if !end.is_empty() {
            return Err(broken());
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart() {
        let bytes =
            b"POST /a?b=c d HTTP/1.1\r\nHost: localhost:80\r\nX:\ta b \nContent-Length: 3\r\n\r\nx=1GET";
        let request = parse(bytes).unwrap();
        assert_eq!(request.method, b"POST");
        assert_eq!(request.target, b"/a?b=c d");
        assert_eq!(request.protocol, b"HTTP/1.1");
        let headers: [(&[u8], &[u8]); 3] =
            [(b"Host", b"localhost:80"), (b"X", b"a b"), (b"Content-Length", b"3")];
        assert_eq!(request.headers, headers);
        assert_eq!(request.body, b"x=1");
    }

    #[test]
    fn a_body_is_as_long_as_the_headers_say() {
        for (headers, sent, body) in [
            ("", "x=1", ""),
            ("Content-Length: 9\r\n", "x=1", "x=1"),
            ("Content-Length: no\r\n", "x=1", ""),
            ("Transfer-Encoding: Chunked\r\n", "3\r\nHi \r\n3;x=y\r\nCRS\r\n0\r\n\r\nrest", "Hi CRS"),
        ] {
            let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n{sent}");
            assert_eq!(parse(bytes.as_bytes()).unwrap().body, body.as_bytes(), "{headers}{sent}");
        }
        let both =
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(parse(both).unwrap().headers.iter().all(|(name, _)| *name != b"Content-Length"));
    }

    #[test]
    fn what_no_server_passes_on_is_refused() {
        for bytes in [
            "",
            "GET / HTTP/1.1\r\n",
            "GET /\r\nHost: a\r\n\r\n",
            "GET / FTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a%1F\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na",
        ] {
            assert!(parse(bytes.as_bytes()).is_err(), "{bytes}");
        }
        for host in ["[::1]:80", "", "1.2.3.4"] {
            let bytes = format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n");
            assert!(parse(bytes.as_bytes()).is_ok(), "{host}");
        }
    }
}
