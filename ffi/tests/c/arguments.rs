//! Writes a call for every handle and every text that a function of the header takes: the handle NULL, the text no UTF-8,
//! everything else as it should be. `arguments.c` includes them, so that a new function is tried without a new test.

use std::fmt::Write;

/// What an argument is, which says what may be given for it.
enum Kind {
    /// An object of the library, by the name of its type.
    Handle(String),
    /// Text that ends with NUL.
    Text,
    /// Text with a length, which is the next argument.
    Document,
    /// The place for the error.
    Error,
    /// Anything else, with what is given for it.
    Plain(String),
}

struct Argument {
    name: String,
    kind: Kind,
}

impl Argument {
    fn read(declared: &str, next: Option<&str>, handles: &[String]) -> Self {
        let (kind, name) = declared.rsplit_once(['*', ' ']).unwrap();
        let pointed = kind.trim_end_matches('*').replace("const ", "").replace("struct ", "");
        let pointed = pointed.trim().trim_start_matches("rollkeeper_").to_owned();
        let stars = declared.matches('*').count();
        let length = format!("size_t {name}_length");
        let kind = match (pointed.as_str(), stars) {
            ("char", 1) if next == Some(&length) => Kind::Document,
            ("char", 1) if declared.starts_with("const") => Kind::Text,
            ("error", 2) => Kind::Error,
            ("char", 1) => Kind::Plain("made.buffer".to_owned()),
            ("char" | "bool", 1 | 2) => Kind::Plain(format!("&made.{pointed}_value")),
            (_, 2) => Kind::Plain(format!("&made.{pointed}")),
            ("connector", 1) => Kind::Plain("&valid.connector".to_owned()),
            ("input", 1) if name == "links" => Kind::Plain("NULL".to_owned()),
            ("input", 1) => Kind::Handle(pointed),
            ("open_options" | "run_options" | "watch", 1) => Kind::Plain("NULL".to_owned()),
            ("uint8_t", 1) => Kind::Plain("(const uint8_t *)\"0123456789abcdef0123456789abcdef\"".to_owned()),
            ("size_t", 1) => Kind::Plain("&made.length".to_owned()),
            ("size_t" | "uint64_t", 0) => Kind::Plain("2".to_owned()),
            ("bool", 0) => Kind::Plain("true".to_owned()),
            ("int32_t", 0) => Kind::Plain("ROLLKEEPER_OUTCOME_REJECTED".to_owned()),
            ("int64_t", 0) => Kind::Plain("-1".to_owned()),
            _ if handles.contains(&pointed) => Kind::Handle(pointed),
            _ => panic!("no value is known for `{declared}`"),
        };
        Self { name: name.to_owned(), kind }
    }

    /// What is given for it, and with which status it is refused where it is the wrong one.
    fn given(&self, wrong: bool) -> (String, &'static str) {
        match &self.kind {
            Kind::Handle(_) if wrong => ("NULL".to_owned(), "ROLLKEEPER_NULL_ARGUMENT"),
            Kind::Handle(handle) => (format!("valid.{handle}"), ""),
            Kind::Text if wrong => ("\"\\xFF\"".to_owned(), "ROLLKEEPER_INVALID_UTF8"),
            Kind::Text => ("\"x\"".to_owned(), ""),
            // Of two bytes, because that is the length given for every document.
            Kind::Document if wrong => ("\"x\\xFF\"".to_owned(), "ROLLKEEPER_INVALID_UTF8"),
            Kind::Document => ("\"{}\"".to_owned(), ""),
            Kind::Error => ("&error".to_owned(), ""),
            Kind::Plain(value) => (value.clone(), ""),
        }
    }
}

/// The declarations of functions, each as what it gives, its name and its arguments.
fn functions(header: &str) -> Vec<(String, String, Vec<Argument>)> {
    let code: String = header.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    let is_handle = |line: &str| Some(line.strip_prefix("typedef struct rollkeeper_")?.split_once(' ')?.0.to_owned());
    let handles: Vec<String> = code.lines().filter(|line| line.ends_with(';')).filter_map(is_handle).collect();
    let (_, code) = code.split_once("extern \"C\" {").unwrap();
    let mut functions = Vec::new();
    for declaration in code.split(';').filter_map(|text| text.split_once("ROLLKEEPER_API")).map(|(_, text)| text) {
        let words: Vec<&str> = declaration.split_whitespace().filter(|word| *word != "ROLLKEEPER_MUST_USE").collect();
        let line = words.join(" ");
        let (head, arguments) = line.trim_end_matches(')').split_once('(').unwrap();
        let name_at = head.rfind("rollkeeper_").unwrap();
        let (gives, name) = head.split_at(name_at);
        let declared: Vec<&str> = arguments.split(", ").filter(|argument| *argument != "void").collect();
        let nexts = declared.iter().skip(1).map(|next| Some(*next)).chain([None]);
        let arguments = declared.iter().zip(nexts).map(|(one, next)| Argument::read(one, next, &handles)).collect();
        functions.push((gives.trim().to_owned(), name.to_owned(), arguments));
    }
    functions
}

/// The text of `calls.h`, and how many calls are in it.
pub(crate) fn calls(header: &str) -> (String, usize) {
    let (mut text, mut count) = (String::new(), 0);
    for (gives, function, arguments) in functions(header) {
        for (wrong, argument) in arguments.iter().enumerate() {
            let (_, status) = argument.given(true);
            if status.is_empty() {
                continue;
            }
            count += 1;
            let given = arguments.iter().enumerate().map(|(place, other)| other.given(place == wrong).0);
            let call = format!("{function}({})", given.collect::<Vec<_>>().join(", "));
            let tells = arguments.iter().any(|other| matches!(other.kind, Kind::Error));
            let asks_an_error = matches!(&argument.kind, Kind::Handle(handle) if handle == "error");
            match gives.as_str() {
                "void" => writeln!(text, "{call};"),
                "const char *" => writeln!(text, "CHECK({call} == NULL);"),
                _ if tells => writeln!(text, "FAILS({status}, \"`{}`\", {call});", argument.name),
                _ if asks_an_error => writeln!(text, "CHECK({call} == ROLLKEEPER_OK);"),
                _ => writeln!(text, "CHECK({call} == {status});"),
            }
            .unwrap();
        }
    }
    (text, count)
}
