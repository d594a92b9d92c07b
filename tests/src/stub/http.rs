//! Just enough HTTP/1.1 for a loopback server: requests with a length, connections kept alive.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;

const LARGEST: usize = 4 * 1024 * 1024;

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    query: String,
    /// The `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// Of the path and the query as they came.
    pub(crate) length: usize,
    pub(crate) body: Vec<u8>,
    /// Whether the client wants the connection to end after the answer.
    pub(crate) close: bool,
}

impl Request {
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

pub(crate) struct Response {
    status: u16,
    body: String,
    /// In seconds.
    retry_after: Option<i64>,
}

impl Response {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// An answer whose JSON text is at hand.
    pub(crate) fn text(status: u16, body: String) -> Self {
        Self { status, body, retry_after: None }
    }

    pub(crate) fn with_retry_after(self, seconds: i64) -> Self {
        Self { retry_after: Some(seconds), ..self }
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
            let length = response.body.len();
            write!(self.out, "Content-Type: application/scim+json\r\nContent-Length: {length}\r\n")?;
        }
        if let Some(seconds) = response.retry_after {
            write!(self.out, "Retry-After: {seconds}\r\n")?;
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(response.body.as_bytes());
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
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let target_length = target.len();
    let (mut length, mut close) = (0, version == "HTTP/1.0");
    let mut authorization = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        } else if name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("authorization") {
            authorization = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return None; // our clients know the length of what they send
        }
    }
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let request = Request { method, path, query, authorization, length: target_length, body: Vec::new(), close };
    Some((request, length))
}

/// Undoes the encoding of a query parameter.
fn decode(text: &str) -> String {
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
