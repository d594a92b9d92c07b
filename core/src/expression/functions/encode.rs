//! Texts and numbers in other notations, and names made of names.

use super::super::failure::Failure;
use super::super::term::Term;
use super::Arguments;

/// Base64 (RFC 4648 §4) of the text's UTF-8 form, or of its UTF-16 form, low byte first.
pub(super) fn base64<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    let bytes: Vec<u8> = match call.optional_text()?.as_deref() {
        None | Some("utf-8") => text.bytes().collect(),
        Some("utf-16") => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Some(_) => return Err(call.fail("knows `utf-8` and `utf-16`")),
    };
    call.made(in_base64(&bytes))
}

fn in_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS.get(number >> (18 - 6 * place) & 63).filter(|_| place <= chunk.len());
            text.push(digit.map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

/// The bytes of the text's UTF-8 form as hexadecimal digits.
pub(super) fn hex<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(crate::value::hex(text.as_bytes()))
}

/// SHA-256 of the text's UTF-8 form, as hexadecimal text.
pub(super) fn sha256<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(crate::value::sha256_hex(text.as_bytes()))
}

/// The UUID that a name has in a namespace: the same name, the same UUID.
pub(super) fn uuid5<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (namespace, name) = (call.text()?, call.text()?);
    match crate::id::name_based(&namespace, &name) {
        Some(id) => call.made(id),
        None => Err(call.fail("takes a namespace that is a UUID, or `dns`, `url`, `oid` or `x500`")),
    }
}

/// The bits that both numbers have.
pub(super) fn bit_and<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    Ok(Term::Int(call.int()? & call.int()?))
}
