//! Just enough HTTP/1.1 for a loopback server: requests with a length, connections kept alive.

use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::net::TcpStream;

const LARGEST: usize = 4 * 1024 * 1024;

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Of the path and the query as they came.
    pub(crate) length: usize,
    /// The headers as they came.
    head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the client wants the connection to end after the answer.
    pub(crate) close: bool,
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.split("\r\n").filter_map(|line| line.split_once(':'));
        headers.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The decoded value of a field of a form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let body = std::str::from_utf8(&self.body).ok()?;
        body.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name).map(|pair| decode(pair.1))
    }

    /// The decoded value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|pair| pair.0 == name)
            .map(|pair| decode(pair.1))
    }
}

#[derive(Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) content_type: Cow<'static, str>,
    /// What stands in the head besides.
    pub(crate) headers: Vec<(String, String)>,
    /// Half of the body is sent, and then the connection ends.
    pub(crate) is_cut: bool,
}

impl Response {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// An answer whose JSON text is at hand.
    pub(crate) fn text(status: u16, body: String) -> Self {
        let content_type = Cow::Borrowed("application/scim+json");
        Self { status, body, content_type, headers: Vec::new(), is_cut: false }
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes read and not yet used: usually one request, rarely the beginning of the next.
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024), out: Vec::with_capacity(16 * 1024) })
    }

    /// The next request, `None` where the client has closed the connection between two.
    pub(crate) fn read(&mut self) -> io::Result<Option<Request>> {
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if !self.fill()? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let (mut request, length) = parse(self.buffer.get(..head).unwrap_or_default()).ok_or_else(bad)?;
        let whole = head + 4 + length;
        if whole > LARGEST {
            return Err(bad());
        }
        while self.buffer.len() < whole {
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        request.body.extend(self.buffer.drain(..whole).skip(head + 4));
        Ok(Some(request))
    }

    /// Sends an answer with one write.
    pub(crate) fn write(&mut self, response: &Response, close: bool) -> io::Result<()> {
        let connection = if close { "close" } else { "keep-alive" };
        self.out.clear();
        write!(self.out, "HTTP/1.1 {} {}\r\nConnection: {connection}\r\n", response.status, reason(response.status))?;
        if response.status != 204 {
            let (content_type, length) = (&response.content_type, response.body.len());
            write!(self.out, "Content-Type: {content_type}\r\nContent-Length: {length}\r\n")?;
        }
        for (name, value) in &response.headers {
            write!(self.out, "{name}: {value}\r\n")?;
        }
        self.out.extend_from_slice(b"\r\n");
        let body = response.body.as_bytes();
        let sent = if response.is_cut { body.len() / 2 } else { body.len() };
        self.out.extend_from_slice(body.get(..sent).unwrap_or_default());
        self.stream.write_all(&self.out)
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.buffer.len() > LARGEST {
            return Err(bad());
        }
        let mut chunk = [0; 16 * 1024];
        let read = self.stream.read(&mut chunk)?;
        self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        Ok(read > 0)
    }
}

/// A request without its body, and the body's length.
fn parse(head: &[u8]) -> Option<(Request, usize)> {
    let (first, head) = std::str::from_utf8(head).ok()?.split_once("\r\n")?;
    let mut words = first.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let target_length = target.len();
    let (mut length, mut close) = (0, version == "HTTP/1.0");
    for (name, value) in head.split("\r\n").filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        } else if name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return None; // our clients know the length of what they send
        }
    }
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let head = head.to_owned();
    Some((Request { method, path, query, length: target_length, head, body: Vec::new(), close }, length))
}

/// Undoes the encoding of a query parameter.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| {
        byte.and_then(|byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
    };
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                decoded.extend(high.zip(low).map(|(high, low)| high * 16 + low));
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        409 => "Conflict",
        414 => "URI Too Long",
        429 => "Too Many Requests",
        _ => "",
    }
}

fn bad() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Percent-encodes what is not unreserved (RFC 3986 §2.3).
pub(crate) fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}
