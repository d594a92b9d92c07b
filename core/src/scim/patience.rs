//! How long a target asks to be left alone: `Retry-After` (RFC 9110 §10.2.3) and what vendors send in its place. Times are read
//! against the target's own clock, its `Date`; what makes no sense is no wish, and no wish is longer than a day.

use crate::http::Response;
use crate::time::Period;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

const MOST: Period = Period::from_seconds(86_400);
/// What is waited for where a target names a time and does not say what time it is.
const UNKNOWN: Period = Period::from_seconds(60);
/// Numbers from here on are seconds since 1970, and a thousand times that milliseconds; waits are shorter.
const EPOCH: f64 = 1e9;

/// When a limit ends, in seconds from now or since 1970: GitHub, Okta, Zendesk, ConfigCat and Discord have one of these.
const RESETS: [&str; 4] = ["x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"];
/// How much of a limit is left.
const LEFT: [&str; 3] = ["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"];

/// How long the target asks to wait.
pub(super) fn asked(response: &Response) -> Option<Period> {
    let header = |name: &str| response.header(name).map(str::trim);
    let wait = header("retry-after-ms").and_then(number).map(|millis| seconds(millis / 1e3));
    wait.or_else(|| header("retry-after").and_then(|text| wait_or_date(text, response)))
        .or_else(|| if is_limited(response) { reset(response) } else { None })
}

/// Whether the answer says that the target is asked too often. Some send their limits with every answer.
fn is_limited(response: &Response) -> bool {
    let used_up = || LEFT.iter().any(|name| response.header(name).is_some_and(|left| left.trim() == "0"));
    response.status == 429 || (matches!(response.status, 403 | 503) && used_up())
}

/// When the limit that is used up ends.
fn reset(response: &Response) -> Option<Period> {
    let named = RESETS.iter().find_map(|name| response.header(name));
    // The draft of the IETF has them as `"default";r=0;t=30`.
    let draft = || response.header("ratelimit")?.split([';', ',']).find_map(|part| part.trim().strip_prefix("t="));
    wait_or_date(named.or_else(draft)?.trim(), response)
}

fn wait_or_date(text: &str, response: &Response) -> Option<Period> {
    let now = || response.header("date").and_then(|date| moment(date.trim()));
    let until = match number(text) {
        Some(wait) if wait < EPOCH => return Some(seconds(wait)),
        Some(until) if until < EPOCH * 1e3 => until * 1e6,
        Some(until) => until * 1e3,
        None => moment(text)?,
    };
    Some(now().map_or(UNKNOWN, |now| seconds((until - now) / 1e6)))
}

/// A number as it stands in headers, with a sign and a fraction where it has them.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

/// So many seconds; nothing where they are below zero, and no more than a day.
fn seconds(seconds: f64) -> Period {
    #[expect(clippy::cast_possible_truncation, reason = "it is between zero and a day")]
    let micros = (seconds.clamp(0.0, 86_400.0) * 1e6) as i64;
    Period::from_micros(micros).min(MOST)
}

/// A date in one of the three forms of RFC 9110 §5.6.7, in microseconds since 1970.
fn moment(text: &str) -> Option<f64> {
    let obsolete = |form: &str| DateTime::strptime(form, text).ok()?.to_zoned(TimeZone::UTC).ok();
    let zoned = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok().or_else(|| {
        let zoned = obsolete("%A, %d-%b-%y %H:%M:%S GMT").or_else(|| obsolete("%a %b %e %H:%M:%S %Y"));
        zoned.map(|zoned| zoned.timestamp())
    });
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are whole numbers of a float")]
    zoned.map(|zoned| zoned.as_microsecond() as f64)
}

#[cfg(test)]
mod tests {
    use super::asked;
    use crate::http::Response;

    fn wait(status: u16, headers: &[(&str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        asked(&Response { status, headers, body: Vec::new() }).map(|wait| wait.to_string())
    }

    #[test]
    fn a_wish_is_read_in_every_form_and_nonsense_is_none() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:07 GMT");
        let table: [(&str, &str, Option<&str>); 22] = [
            ("retry-after", "120", Some("PT2M")),
            ("retry-after", " 0 ", Some("PT0S")),
            ("retry-after", "1.5", Some("PT1.5S")),
            ("retry-after", "-7", Some("PT0S")),
            ("retry-after", "99999999", Some("P1D")),
            ("retry-after", "1e4", None),
            ("retry-after", "inf", None),
            ("retry-after", "", None),
            ("retry-after", "soon", None),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", Some("PT30S")),
            ("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT", Some("PT30S")),
            ("retry-after", "Sun Nov  6 08:49:37 1994", Some("PT30S")),
            ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", Some("PT0S")),
            ("retry-after", "Fri, 31 Dec 2999 23:59:59 GMT", Some("P1D")),
            ("retry-after-ms", "250", Some("PT0.25S")),
            ("x-ratelimit-reset", "17", Some("PT17S")),
            ("x-rate-limit-reset", "2000000000", Some("P1D")),
            ("ratelimit-reset", "5", Some("PT5S")),
            ("x-ratelimit-reset-after", "0.75", Some("PT0.75S")),
            ("ratelimit", "\"default\";r=0;t=30", Some("PT30S")),
            ("x-ratelimit-reset", "tomorrow", None),
            ("x-other", "9", None),
        ];
        for (name, value, expected) in table {
            assert_eq!(wait(429, &[(name, value), date]).as_deref(), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_moment_since_1970_is_read_against_the_clock_of_the_target() {
        let date = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(wait(429, &[("x-ratelimit-reset", "1795255230"), date]).as_deref(), Some("PT30S"));
        assert_eq!(wait(429, &[("x-ratelimit-reset", "1795255230000"), date]).as_deref(), Some("PT30S"));
        assert_eq!(wait(429, &[("x-ratelimit-reset", "1795255230")]).as_deref(), Some("PT1M"), "it has no clock");
        assert_eq!(wait(429, &[("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT")]).as_deref(), Some("PT1M"));
    }

    #[test]
    fn limits_that_stand_in_every_answer_say_nothing_by_themselves() {
        let reset = ("x-ratelimit-reset", "17");
        for (status, left, expected) in [
            (400, "0", None),
            (403, "12", None),
            (403, "0", Some("PT17S")),
            (503, "0", Some("PT17S")),
            (429, "12", Some("PT17S")),
        ] {
            let found = wait(status, &[reset, ("x-ratelimit-remaining", left)]);
            assert_eq!(found.as_deref(), expected, "{status}, {left} left");
        }
        assert_eq!(wait(429, &[("retry-after", "3"), reset]).as_deref(), Some("PT3S"), "what is asked for goes first");
    }
}
