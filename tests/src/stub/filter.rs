//! SCIM filters of the form `attribute eq value`, read without the help of any library, so that a client that escapes
//! wrongly is found out (RFC 7644 §3.4.2.2; strings as RFC 7159 §7 writes them).

use serde_json::Value;

/// `attribute eq value`.
#[derive(Debug, PartialEq)]
pub(super) struct Equality {
    pub(super) attribute: String,
    pub(super) value: Value,
}

/// Reads a filter; `None` where it is none of that form.
pub(super) fn parse(filter: &str) -> Option<Equality> {
    let (attribute, rest) = filter.trim_matches(' ').split_once(' ')?;
    let (operator, value) = rest.trim_start_matches(' ').split_once(' ')?;
    let is_name = |one: char| one.is_ascii_alphanumeric() || "$-_.:".contains(one);
    let sound = attribute.starts_with(|one: char| one.is_ascii_alphabetic()) && attribute.chars().all(is_name);
    (sound && operator.eq_ignore_ascii_case("eq"))
        .then(|| Some(Equality { attribute: attribute.to_owned(), value: literal(value.trim_matches(' '))? }))?
}

fn literal(text: &str) -> Option<Value> {
    match text {
        "true" => return Some(Value::Bool(true)),
        "false" => return Some(Value::Bool(false)),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::from(number));
    }
    string(text.strip_prefix('"')?).map(Value::String)
}

/// The rest of a string after its first quote, which must end with the last.
fn string(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => break,
            '\\' => units.push(match rest.next()? {
                '"' => 0x22,
                '\\' => 0x5C,
                '/' => 0x2F,
                'b' => 0x08,
                'f' => 0x0C,
                'n' => 0x0A,
                'r' => 0x0D,
                't' => 0x09,
                'u' => {
                    let digits: String = rest.by_ref().take(4).collect();
                    let sound = digits.len() == 4 && digits.chars().all(|one| one.is_ascii_hexdigit());
                    u16::from_str_radix(&digits, 16).ok().filter(|_| sound)?
                }
                _ => return None,
            }),
            // A control character must be escaped.
            one if one < ' ' => return None,
            one => units.extend(one.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    // A lone half of a surrogate pair is no text.
    rest.as_str().is_empty().then(|| String::from_utf16(&units).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(filter: &str) -> Option<Value> {
        parse(filter).map(|equality| equality.value)
    }

    #[test]
    fn strings_are_read_as_the_standard_writes_them() {
        for (written, meant) in [
            (r#"a eq "x""#, "x"),
            (r#"a EQ "a\"b""#, "a\"b"),
            (r#"a eq "a\\b""#, "a\\b"),
            (r#"a eq "\u0000\n\t\/""#, "\0\n\t/"),
            (r#"a eq "\ud83d\ude00""#, "😀"),
            (r#"a eq "x eq \"y\" ) or (""#, "x eq \"y\" ) or ("),
        ] {
            assert_eq!(value(written), Some(Value::from(meant)), "{written}");
        }
        assert_eq!(value("a eq true"), Some(Value::Bool(true)));
        assert_eq!(value("a eq 7"), Some(Value::from(7)));
    }

    #[test]
    fn what_is_no_equality_is_refused() {
        for filter in [
            "",
            "a",
            "a eq",
            "a eq x",
            "a co \"x\"",
            "a eq \"x",
            "a eq \"x\" or b eq \"y\"",
            "a eq \"\\x\"",
            "a eq \"\\ud800\"",
            "a eq \"\n\"",
            "a\" eq \"x\"",
            "a eq \"\\u12\"",
            "1 eq \"x\"",
        ] {
            assert_eq!(parse(filter), None, "{filter}");
        }
    }
}
