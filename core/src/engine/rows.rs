//! Records from JSON text, wherever it is: objects one a line, a list of them, or pages as SCIM answers have them. Nothing is
//! read here but where a record begins and ends; so whoever reads the record says what is wrong with it.

use super::scan::{Page, end_of_value, last_line_end, line_end, lines, lines_of_pages, page};
use crate::analysis::{Piece, Records, Scratch, Split, Visit, VisitPiece, whole_piece};
use crate::fault::{Code, Fault};
use crate::scratch::TempScratch;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// How much is read at once.
const CHUNK: usize = 128 * 1024;

/// How much of a single record is read at first.
const RECORD: usize = 4096;

/// How large a record may be, so that text which is no JSON does not fill the memory.
const LARGEST: usize = 64 << 20;

/// Records for [`analyze`](super::analyze): objects as JSON text, in memory or in a file, or as they come.
pub enum Rows {
    /// JSON text: objects one a line, a JSON list of them, or SCIM answers with `Resources`.
    Json(Vec<u8>),
    /// A file of such text.
    Path(PathBuf),
    /// Objects one by one. They are put aside, on disk where they are many.
    Objects(Box<dyn Iterator<Item = Value>>),
}

impl From<Vec<u8>> for Rows {
    fn from(json: Vec<u8>) -> Self {
        Self::Json(json)
    }
}

impl From<&[u8]> for Rows {
    fn from(json: &[u8]) -> Self {
        Self::Json(json.to_vec())
    }
}

impl From<&str> for Rows {
    fn from(json: &str) -> Self {
        Self::Json(json.as_bytes().to_vec())
    }
}

impl From<PathBuf> for Rows {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Vec<Value>> for Rows {
    fn from(objects: Vec<Value>) -> Self {
        Self::Objects(Box::new(objects.into_iter()))
    }
}

/// Where the text is.
enum Source {
    Memory(Vec<u8>),
    File(File),
    Spooled(TempScratch, usize),
}

impl Source {
    fn read(&mut self, from: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        match self {
            Self::Memory(bytes) => {
                let rest = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
                let length = buffer.len().min(rest.len());
                buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                Ok(length)
            }
            Self::File(file) => {
                file.seek(SeekFrom::Start(from)).map_err(|error| unreadable(&error))?;
                let mut done = 0;
                while let Some(left) = buffer.get_mut(done..).filter(|left| !left.is_empty()) {
                    match file.read(left) {
                        Ok(0) => break,
                        Ok(length) => done += length,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(unreadable(&error)),
                    }
                }
                Ok(done)
            }
            Self::Spooled(scratch, file) => scratch.read(*file, from, buffer),
        }
    }
}

fn unreadable(error: &std::io::Error) -> Fault {
    Fault::new(Code::InvalidArgument, format!("the file cannot be read: {}", error.kind()))
}

/// Text with records in it.
pub(super) struct Text {
    source: Source,
    one: Vec<u8>,
    /// Which input it is, for faults.
    side: &'static str,
    /// Whether an object may be a page of records.
    has_pages: bool,
}

impl Text {
    /// Opens the rows of `users`, `accounts` or `links`; accounts may come as pages. Objects are put aside, up to `memory`
    /// bytes of them in memory.
    pub(super) fn open(rows: Rows, memory: usize, side: &'static str) -> Result<Self, Fault> {
        let source = match rows {
            Rows::Json(json) => Source::Memory(json),
            Rows::Path(path) => Source::File(File::open(path).map_err(|error| unreadable(&error).at(side))?),
            Rows::Objects(objects) => {
                let mut scratch = TempScratch::new(memory);
                let file = scratch.open()?;
                for object in objects {
                    scratch.append(file, format!("{object}\n").as_bytes())?;
                }
                Source::Spooled(scratch, file)
            }
        };
        Ok(Self { source, one: Vec::new(), side, has_pages: side == "accounts" })
    }
}

impl Records for Text {
    fn each(&mut self, visit: &mut Visit<'_>) -> Result<(), Fault> {
        let (side, mut is_of_visit) = (self.side, false);
        self.pieces(&mut |piece| {
            let split = (piece.split)(piece.text, piece.place, &mut |place, json| {
                let visited = visit(place, json);
                is_of_visit = visited.is_err();
                visited
            });
            split.map_err(|fault| if is_of_visit { fault } else { fault.at(side) })
        })
    }

    fn pieces(&mut self, visit: &mut VisitPiece<'_>) -> Result<(), Fault> {
        let mut window = Window {
            source: &mut self.source,
            start: 0,
            bytes: Vec::new(),
            at: 0,
            is_whole: false,
            has_pages: self.has_pages,
        };
        let mut is_of_visit = false;
        let outcome = window.records(&mut |piece| {
            let visited = visit(piece);
            is_of_visit = visited.is_err();
            visited
        });
        // What whoever reads the records is at fault for has its own place.
        outcome.map_err(|fault| if is_of_visit { fault } else { fault.at(self.side) })
    }

    fn again(&mut self, place: u64, visit: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        if let Source::Memory(bytes) = &self.source {
            let rest = usize::try_from(place).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
            return visit(rest.get(..end_of_value(rest, 0).unwrap_or(rest.len())).unwrap_or_default());
        }
        let mut length = RECORD;
        loop {
            self.one.resize(length, 0);
            let read = self.source.read(place, &mut self.one).map_err(|fault| fault.at(self.side))?;
            self.one.truncate(read);
            match end_of_value(&self.one, 0) {
                Some(end) => return visit(self.one.get(..end).unwrap_or_default()),
                None if read < length || length > LARGEST => return visit(&self.one),
                None => length *= 4,
            }
        }
    }
}

/// How the text goes on.
enum Shape {
    /// Every value is on a line of its own.
    Line,
    /// A value goes over several lines.
    Document,
}

/// A part of the text, moved along.
struct Window<'s> {
    source: &'s mut Source,
    /// Where in the text `bytes` begins.
    start: u64,
    bytes: Vec<u8>,
    /// What was dealt with.
    at: usize,
    /// Whether the text ends where `bytes` does.
    is_whole: bool,
    has_pages: bool,
}

/// What programs of some systems put before any text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Window<'_> {
    /// Every record, to the end of the text.
    fn records(&mut self, visit: &mut VisitPiece<'_>) -> Result<(), Fault> {
        self.more()?;
        if self.bytes.starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
        loop {
            self.space()?;
            match self.byte() {
                None => return Ok(()),
                Some(b'[') => {
                    self.at += 1;
                    self.elements(visit)?;
                }
                Some(_) => match self.shape()? {
                    Shape::Line => return self.lines(visit),
                    Shape::Document => self.document(visit)?,
                },
            }
        }
    }

    /// Reads on; what was dealt with is dropped. Gives whether there was more.
    fn more(&mut self) -> Result<bool, Fault> {
        if self.is_whole {
            return Ok(false);
        }
        if self.bytes.len() - self.at > LARGEST {
            let message = format!("a record is larger than {} MiB, or the text is no JSON", LARGEST >> 20);
            return Err(Fault::new(Code::TooLarge, message));
        }
        self.bytes.drain(..self.at);
        self.start += self.at as u64;
        self.at = 0;
        let known = self.bytes.len();
        let wanted = CHUNK.max(known);
        self.bytes.resize(known + wanted, 0);
        let read = match self.bytes.get_mut(known..) {
            Some(free) => self.source.read(self.start + known as u64, free)?,
            None => 0,
        };
        self.bytes.truncate(known + read);
        self.is_whole = read < wanted;
        Ok(read > 0)
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next bytes, so many of them.
    fn piece(&self, length: usize, split: Split) -> Piece<'_> {
        let text = self.rest().get(..length).unwrap_or_default();
        Piece { place: self.start + self.at as u64, text, split }
    }

    /// Goes to the next byte that is no space.
    fn space(&mut self) -> Result<(), Fault> {
        loop {
            self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if self.byte().is_some() || !self.more()? {
                return Ok(());
            }
        }
    }

    /// What `find` finds in the rest of the text; it is asked again with more text until it finds something.
    fn find(&mut self, find: impl Fn(&[u8]) -> Option<usize>) -> Result<Option<usize>, Fault> {
        loop {
            if let Some(found) = find(self.rest()) {
                return Ok(Some(found));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    fn shape(&mut self) -> Result<Shape, Fault> {
        let line = self.find(line_end)?;
        let rest = self.rest();
        let line = rest.get(..line.unwrap_or(rest.len())).unwrap_or_default();
        // What is not even begun like an object is told line by line.
        let is_begun = line.first() == Some(&b'{') && end_of_value(line, 0).is_none();
        Ok(if is_begun { Shape::Document } else { Shape::Line })
    }

    /// Values one a line; each is a record, or, where the first is one, a page of records.
    fn lines(&mut self, visit: &mut VisitPiece<'_>) -> Result<(), Fault> {
        let first = self.find(line_end)?.unwrap_or(self.rest().len());
        let are_pages = self.page(self.rest().get(..first).unwrap_or_default()).is_some();
        let split = if are_pages { lines_of_pages } else { lines };
        loop {
            let whole = self.find(last_line_end)?.unwrap_or(self.rest().len());
            if whole == 0 {
                return Ok(());
            }
            visit(self.piece(whole, split))?;
            self.at += whole;
        }
    }

    /// An object over several lines: a page, or a record itself.
    fn document(&mut self, visit: &mut VisitPiece<'_>) -> Result<(), Fault> {
        // As soon as the list of a page begins, its elements are read one by one.
        loop {
            if let Some(Page::List(start)) = self.page(self.rest()) {
                self.at += start;
                self.elements(visit)?;
                return self.rest_of_page();
            }
            if let Some(end) = end_of_value(self.rest(), 0) {
                let record = self.rest().get(..end).unwrap_or_default();
                if self.page(record).is_none() {
                    visit(self.piece(end, whole_piece))?;
                }
                self.at += end;
                return Ok(());
            }
            if !self.more()? {
                visit(self.piece(self.rest().len(), whole_piece))?;
                self.at = self.bytes.len();
                return Ok(());
            }
        }
    }

    fn page(&self, object: &[u8]) -> Option<Page> {
        if self.has_pages { page(object) } else { None }
    }

    /// What stands in a page after its list.
    fn rest_of_page(&mut self) -> Result<(), Fault> {
        // The end is found as that of an object which begins here.
        let end = self.find(|rest| {
            let mut object = Vec::with_capacity(rest.len() + 1);
            object.push(b'{');
            object.extend_from_slice(rest);
            end_of_value(&object, 0).map(|end| end - 1)
        })?;
        self.at += end.unwrap_or(self.rest().len());
        Ok(())
    }

    /// The elements of a list, to its end.
    fn elements(&mut self, visit: &mut VisitPiece<'_>) -> Result<(), Fault> {
        loop {
            self.space()?;
            match self.byte() {
                None => return Err(Fault::new(Code::InvalidJson, "the list of records does not end")),
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                Some(_) => {
                    let end = self.find(|rest| end_of_value(rest, 0))?;
                    let cut_off = || Fault::new(Code::InvalidJson, "the list of records does not end");
                    let end = end.filter(|end| *end > 0).ok_or_else(cut_off)?;
                    visit(self.piece(end, whole_piece))?;
                    self.at += end;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The records of a text, each read a second time by its place.
    fn records(rows: Rows, has_pages: bool) -> Result<Vec<String>, Fault> {
        let mut text = Text::open(rows, 0, if has_pages { "accounts" } else { "users" })?;
        let mut found = Vec::new();
        text.each(&mut |place, json| {
            found.push((place, String::from_utf8_lossy(json).into_owned()));
            Ok(())
        })?;
        for (place, record) in found.iter().filter(|(_, record)| record.starts_with('{') && record.ends_with('}')) {
            text.again(*place, &mut |json| {
                assert_eq!(std::str::from_utf8(json).unwrap(), record);
                Ok(())
            })?;
        }
        Ok(found.into_iter().map(|(_, record)| record).collect())
    }

    /// The same from memory and from a file.
    fn both(json: &str, has_pages: bool) -> Result<Vec<String>, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, json).unwrap();
        let from_memory = records(json.into(), has_pages);
        assert_eq!(from_memory, records(path.into(), has_pages));
        from_memory
    }

    const ONE: &str = r#"{"id":"1","t":"a]}\"\\","l":[{},[1]]}"#;
    const TWO: &str = r#"{"id":"2","n":{"x":"{["}}"#;

    #[test]
    fn every_form_has_the_same_records() {
        let pretty = |text: &str| text.replace(",\"", ",\n  \"");
        for text in [
            format!("{ONE}\n{TWO}"),
            format!("{ONE}\n{TWO}\n"),
            format!(" {ONE} \r\n\n{TWO}\r\n"),
            format!("[{ONE},{TWO}]"),
            format!("\n[\n {ONE} ,\n {TWO}\n]\n"),
        ] {
            assert_eq!(both(&text, true).unwrap(), [ONE, TWO], "{text}");
            assert_eq!(both(&text, false).unwrap(), [ONE, TWO], "{text}");
        }
        let documents = format!("{}\n{}", pretty(ONE), pretty(TWO));
        assert_eq!(both(&documents, true).unwrap(), [pretty(ONE), pretty(TWO)]);
    }

    #[test]
    fn pages_are_taken_apart() {
        let first = format!(r#"{{"schemas":["x"],"totalResults":2,"Resources":[{ONE}, {TWO}],"startIndex":1}}"#);
        let empty = r#"{"totalResults":0,"schemas":[]}"#;
        let spread = first.replace(',', ",\n");
        let spread_records = [ONE.replace(',', ",\n"), TWO.replace(',', ",\n")];
        assert_eq!(both(&first, true).unwrap(), [ONE, TWO]);
        assert_eq!(both(&format!("{first}\n{empty}\n{first}"), true).unwrap(), [ONE, TWO, ONE, TWO]);
        assert_eq!(
            both(&format!("{spread}\n{spread}"), true).unwrap(),
            [&spread_records[..], &spread_records].concat()
        );
        assert_eq!(both(&empty.replace(',', ",\n"), true).unwrap(), [""; 0]);
        // Users have no pages, and a record may have such a member.
        assert_eq!(both(&first, false).unwrap(), [first.as_str()]);
        let record = r#"{"id":"1","totalResults":1,"resources":[1]}"#;
        assert_eq!(both(record, true).unwrap(), [record]);
    }

    #[test]
    fn what_is_no_record_is_one_line() {
        assert_eq!(both("", true).unwrap(), [""; 0]);
        assert_eq!(both(" \n ", true).unwrap(), [""; 0]);
        assert_eq!(both(&format!("{ONE}\nnonsense {{\n{TWO}\n7"), true).unwrap(), [ONE, "nonsense {", TWO, "7"]);
        assert_eq!(both(&format!("[7,\"x\",{ONE}]"), true).unwrap(), ["7", "\"x\"", ONE]);
        for cut in [format!("[{ONE}"), format!("[{ONE},{{\"id\":"), "[}".to_owned()] {
            assert_eq!(both(&cut, true).unwrap_err().code, Code::InvalidJson, "{cut}");
        }
    }

    #[test]
    fn records_stand_across_what_is_read_at_once() {
        let long: Vec<String> = (0..40)
            .map(|id| json!({"id": id.to_string(), "x": "y\"".repeat(CHUNK / 25 + id * 97)}).to_string())
            .collect();
        let page = format!(r#"{{"totalResults":40,"Resources":[{}]}}"#, long.join(","));
        for text in [long.join("\n"), format!("[{}]", long.join(" ,\n ")), page.clone(), page.replace("{\"t", "{\n\"t")]
        {
            assert_eq!(both(&text, true).unwrap(), long);
        }
        let objects: Vec<Value> = long.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(records(objects.into(), true).unwrap(), long);
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let fault = records(PathBuf::from("/nowhere/at/all").into(), true).unwrap_err();
        assert_eq!(
            (fault.code, fault.message.as_str()),
            (Code::InvalidArgument, "the file cannot be read: entity not found")
        );
    }
}
