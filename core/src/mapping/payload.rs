//! From JSON to JSON: the attributes of an account that is to be created, for one user or for many.

use super::document::rules;
use super::{Mapping, RenderInputs};
use crate::fault::{Code, Fault};
use crate::model::read_json;
use crate::time::Timestamp;
use crate::value::{canonical_object, write};
use serde_json::Value;

impl Mapping {
    /// Compiles a mapping given as JSON: a list of rules as an app has it. It is not checked against a schema.
    ///
    /// ```
    /// use rollkeeper::mapping::Mapping;
    /// let mapping = Mapping::from_json(br#"[{"target": "name.givenName", "source": "firstName"}]"#)?;
    /// let mut payload = String::new();
    /// mapping.payload(br#"{"id": "u1", "firstName": "Ada"}"#, rollkeeper::Timestamp::default(), &mut payload)?;
    /// assert_eq!(payload, r#"{"name":{"givenName":"Ada"}}"#);
    /// # Ok::<(), Vec<rollkeeper::Fault>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_utf8` and `invalid_json`; `invalid_document` and `unknown_key` where the rules have not the shape they
    /// must have; and as for [`Mapping::compile`].
    pub fn from_json(mapping: &[u8]) -> Result<Self, Vec<Fault>> {
        let rules = read_json(mapping).and_then(|mapping| rules(&mapping)).map_err(|fault| vec![fault])?;
        Self::compile(&rules, None)
    }

    /// Writes the wanted attributes for a user without an account as canonical JSON into `payload`, whose old content is
    /// dropped and whose memory is used again. They are those that [`Mapping::render`] gives for
    /// [`RenderInputs::create`], and much faster: of the user's record only what the rules read is taken. The time is what
    /// expressions see as `now`.
    ///
    /// # Errors
    /// `invalid_utf8`, `invalid_json` and `invalid_document` for the user; and every fault of [`Mapping::render`].
    /// `payload` is empty then.
    pub fn payload(&self, user: &[u8], now: Timestamp, payload: &mut String) -> Result<(), Vec<Fault>> {
        payload.clear();
        match std::str::from_utf8(user) {
            Ok(user) => self.append(user, now, payload),
            Err(_) => Err(read_json(user).err().into_iter().collect()),
        }
    }

    /// Does so for many users, one a line, and writes one line for each, in their order: `{"attributes":…}`, or
    /// `{"faults":[…]}` with the faults of that user alone. A line break at the very end begins no further line; a line
    /// without a user is one with a fault. `payloads` is emptied first.
    ///
    /// ```
    /// # use rollkeeper::mapping::Mapping;
    /// let mapping = Mapping::from_json(br#"[{"target": "userName", "source": "login", "required": true}]"#)?;
    /// let mut payloads = String::new();
    /// mapping.payload_lines(b"{\"login\": \"ada\"}\n{}\n", rollkeeper::Timestamp::default(), &mut payloads);
    /// let lines: Vec<&str> = payloads.lines().collect();
    /// assert_eq!(lines[0], r#"{"attributes":{"userName":"ada"}}"#);
    /// assert!(lines[1].starts_with(r#"{"faults":[{"attribute":"userName","code":"missing_required""#));
    /// # Ok::<(), Vec<rollkeeper::Fault>>(())
    /// ```
    pub fn payload_lines(&self, users: &[u8], now: Timestamp, payloads: &mut String) {
        payloads.clear();
        match std::str::from_utf8(users) {
            Ok(users) => {
                for user in users.split_terminator('\n') {
                    line(payloads, |payloads| self.append(user, now, payloads));
                }
            }
            // The lines without the bad one are sound.
            Err(_) => {
                let mut payload = String::new();
                for user in users.strip_suffix(b"\n").unwrap_or(users).split(|byte| *byte == b'\n') {
                    line(payloads, |payloads| {
                        self.payload(user, now, &mut payload).map(|()| payloads.push_str(&payload))
                    });
                }
            }
        }
    }

    /// Writes at the end of `payload`; where there are faults, nothing.
    fn append(&self, user: &str, now: Timestamp, payload: &mut String) -> Result<(), Vec<Fault>> {
        if let Some(direct) = &self.direct
            && direct.write(&self.rules, user, now, payload)
        {
            return Ok(());
        }
        let user = match read_json(user.as_bytes()) {
            Ok(Value::Object(user)) => user,
            Ok(_) => {
                return Err(vec![Fault::new(Code::InvalidDocument, "`user` must be a JSON object").at("user")]);
            }
            Err(fault) => return Err(vec![fault]),
        };
        let rendered = self.render(&RenderInputs::create(&user, now))?;
        payload.push_str(&canonical_object(&rendered.attributes));
        Ok(())
    }
}

/// Writes a line around what `append` writes, or with the faults that it gives.
fn line(payloads: &mut String, append: impl FnOnce(&mut String) -> Result<(), Vec<Fault>>) {
    let start = payloads.len();
    payloads.push_str("{\"attributes\":");
    if let Err(faults) = append(payloads) {
        payloads.truncate(start);
        payloads.push_str("{\"faults\":");
        write(&serde_json::to_value(faults).unwrap_or(Value::Null), payloads);
    }
    payloads.push_str("}\n");
}
