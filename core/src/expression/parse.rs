//! From text to a tree: the only user of the `cel` crate, which parses and does nothing else. Its parser is recursive and
//! may panic on hostile text, so it runs, and its tree is dropped, on a thread of its own with a large stack; what comes
//! back is small enough for any stack.

use super::lower::{Lowered, lower};
use super::{Tables, Variable};
use crate::fault::{Code, Fault};
use cel::Env;
use cel::common::ast::{IdedExpr, SourceInfo};
use cel::parser::{ParseError, ParseErrors};

/// The longest expression, in bytes.
const LONGEST_SOURCE: usize = 4096;
/// The most signs that can make the parser go one level deeper. A sign makes a node, of which there may be no more; they
/// are counted wherever they stand, in literals too, because a count that had to know where literals end could be misled.
const MOST_SIGNS: usize = 400;
/// The stack of the thread that parses.
const STACK: usize = 16 * 1024 * 1024;

/// Reads an expression.
///
/// # Errors
/// `too_large` beyond 4096 bytes, `expression_invalid` for what cannot be read, `unknown_variable` and `unknown_function`
/// for names that do not exist; each with its position where there is one.
pub(super) fn parse(text: &str, variables: &[Variable], tables: &Tables) -> Result<Lowered, Vec<Fault>> {
    if text.len() > LONGEST_SOURCE {
        return Err(vec![Fault::new(Code::ExpressionInvalid, "the expression is longer than 4096 bytes")]);
    }
    if text.trim().is_empty() {
        return Err(vec![Fault::new(Code::ExpressionInvalid, "the expression is empty").position(0)]);
    }
    if signs(text) > MOST_SIGNS {
        let message = format!("the expression has more than {MOST_SIGNS} parts");
        return Err(vec![Fault::new(Code::ExpressionInvalid, message)]);
    }
    let unreadable = || vec![Fault::new(Code::ExpressionInvalid, "the expression cannot be read")];
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("rollkeeper-expression".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, || {
                let (tree, source) = read(text).map_err(|errors| vec![syntax_fault(text, errors)])?;
                lower(&tree, &source, text, variables, tables)
            })
            .map_err(|_| vec![Fault::new(Code::Internal, "no thread could be started to read the expression")])?
            .join()
            .unwrap_or_else(|_| Err(unreadable()))
    })
}

/// How many operators, dots and brackets a text has; a sign of two characters counts once.
fn signs(text: &str) -> usize {
    let mut bytes = text.bytes().peekable();
    let mut count = 0;
    while let Some(byte) = bytes.next() {
        count += usize::from(b".?+-*/%!([{&|<>=".contains(&byte));
        let second: &[u8] = match byte {
            b'&' => b"&",
            b'|' => b"|",
            b'=' | b'!' | b'<' | b'>' => b"=",
            b'.' | b'[' => b"?",
            _ => b"",
        };
        bytes.next_if(|byte| second.contains(byte));
    }
    count
}

/// Parses without macros: `has`, `map` and their like stay calls, which [`lower`] understands itself.
fn read(text: &str) -> Result<(IdedExpr, SourceInfo), ParseErrors> {
    Env::default().parser().enable_ident_escape_syntax(true).parse_with_source_info(text)
}

/// The first error, in our words: the parser's own list every token that could have stood there.
fn syntax_fault(text: &str, errors: ParseErrors) -> Fault {
    // What the parser says about missing parts of its own tree follows from a syntax error, which says more.
    let is_syntax = |error: &&ParseError| error.msg.starts_with("Syntax error: ");
    let error = errors.errors.iter().find(is_syntax).or_else(|| errors.errors.first());
    let Some(error) = error else {
        return Fault::new(Code::ExpressionInvalid, "the expression cannot be read");
    };
    let message = error.msg.trim_start_matches("Syntax error: ");
    let message = if message == "UNKNOWN" || message.contains("Recursion limit") {
        "the expression is nested too deep".to_owned()
    } else if message.contains("'<EOF>'") {
        "the expression ends too early".to_owned()
    } else if let Some(name) = message.strip_prefix("reserved identifier: ") {
        format!("`{name}` is a reserved word")
    } else if let Some(token) = message.split('\'').nth(1).filter(|token| !token.trim().is_empty()) {
        format!("unexpected `{}`", token.chars().take(20).collect::<String>())
    } else {
        "the expression cannot be read".to_owned()
    };
    let fault = Fault::new(Code::ExpressionInvalid, message);
    match character_of(text, error.pos) {
        Some(position) => fault.position(position),
        None => fault,
    }
}

/// The position, in characters from 0, of a line and column counted from 1.
fn character_of(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let before: usize = text.split_inclusive('\n').take(line).map(|line| line.chars().count()).sum();
    Some((before + column).min(text.chars().count()))
}
