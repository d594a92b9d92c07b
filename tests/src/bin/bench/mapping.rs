//! Mapping alone: a user's record as JSON in, the account's attributes as JSON out, on one core.

use crate::{timed, workload};
use rollkeeper::Timestamp;
use rollkeeper::mapping::{Mapping, RenderInputs};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

/// How many different records there are; each is mapped again and again.
const RECORDS: usize = 1000;

/// One way to map a record; what it gives is taken from where it wrote it, which may be the same memory every time.
type Map<'a> = dyn FnMut(&[u8], &mut dyn FnMut(&[u8])) -> Result<(), Box<dyn Error>> + 'a;

/// Maps `n` records through a compiled mapping.
pub(crate) fn compiled(n: usize) -> Result<Duration, Box<dyn Error>> {
    let mapping = Mapping::from_json(workload::ten_rules().to_string().as_bytes()).map_err(first)?;
    let mut payload = String::new();
    repeat(n, &mut |json, take| {
        mapping.payload(json, Timestamp::default(), &mut payload).map_err(first)?;
        take(payload.as_bytes());
        Ok(())
    })
}

/// Maps `n` records through a compiled mapping, [`RECORDS`] in a call.
pub(crate) fn lines(n: usize) -> Result<Duration, Box<dyn Error>> {
    let mapping = Mapping::from_json(workload::ten_rules().to_string().as_bytes()).map_err(first)?;
    let users: String = (0..RECORDS).map(|number| format!("{}\n", workload::full_record(number))).collect();
    let mut payloads = String::new();
    mapping.payload_lines(users.as_bytes(), Timestamp::default(), &mut payloads);
    for (number, line) in payloads.lines().enumerate() {
        if serde_json::from_str::<Value>(line)?.get("attributes") != Some(&workload::account(number)) {
            return Err(format!("record {number} is mapped wrongly").into());
        }
    }
    timed(|| {
        for _ in 0..n / RECORDS {
            mapping.payload_lines(black_box(users.as_bytes()), Timestamp::default(), &mut payloads);
        }
        Ok(())
    })
}

/// Maps `n` records the ordinary way, by way of the whole record and the whole account.
pub(crate) fn rendered(n: usize) -> Result<Duration, Box<dyn Error>> {
    let mapping = Mapping::from_json(workload::ten_rules().to_string().as_bytes()).map_err(first)?;
    repeat(n, &mut |json, take| {
        let user = serde_json::from_str(std::str::from_utf8(json)?)?;
        let rendered = mapping.render(&RenderInputs::create(&user, Timestamp::default())).map_err(first)?;
        take(&serde_json::to_vec(&rendered.attributes)?);
        Ok(())
    })
}

/// Maps `n` records with a function written for these ten rules by hand, which is as fast as it can be.
pub(crate) fn by_hand(n: usize) -> Result<Duration, Box<dyn Error>> {
    let mut payload = Vec::new();
    repeat(n, &mut |json, take| {
        payload.clear();
        serde_json::to_writer(&mut payload, &Account::of(&serde_json::from_str(std::str::from_utf8(json)?)?))?;
        take(&payload);
        Ok(())
    })
}

/// Writes what the parties that are other programs work on: `users.ndjson`, `mapping.json` and, to check their results by,
/// `accounts.ndjson`.
pub(crate) fn write_workload(folder: &Path) -> Result<(), Box<dyn Error>> {
    let lines = |line: fn(usize) -> Value| (0..RECORDS).map(|number| format!("{}\n", line(number))).collect::<String>();
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("users.ndjson"), lines(workload::full_record))?;
    std::fs::write(folder.join("accounts.ndjson"), lines(workload::account))?;
    std::fs::write(folder.join("mapping.json"), workload::ten_rules().to_string())?;
    Ok(())
}

/// Does so `n` times, after it was made sure that the result is right.
fn repeat(n: usize, map: &mut Map<'_>) -> Result<Duration, Box<dyn Error>> {
    let records: Vec<Vec<u8>> =
        (0..RECORDS).map(|number| workload::full_record(number).to_string().into_bytes()).collect();
    for (number, record) in records.iter().enumerate() {
        let mut account = Vec::new();
        map(record, &mut |payload| account.extend_from_slice(payload))?;
        if serde_json::from_slice::<Value>(&account)? != workload::account(number) {
            return Err(format!("record {number} is mapped wrongly").into());
        }
    }
    timed(|| {
        for record in records.iter().cycle().take(n) {
            map(black_box(record), &mut |payload| {
                black_box(payload);
            })?;
        }
        Ok(())
    })
}

fn first(faults: Vec<rollkeeper::Fault>) -> Box<dyn Error> {
    faults.into_iter().next().map_or_else(|| "failed without a fault".into(), Into::into)
}

/// What the ten rules read of a record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person<'a> {
    id: &'a str,
    username: &'a str,
    profile: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    title: &'a str,
    department: &'a str,
    language: Option<&'a str>,
}

/// What they write, in the order of the canonical form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account<'a> {
    department: &'a str,
    email: String,
    external_id: &'a str,
    name: Name<'a>,
    preferred_language: &'a str,
    timezone: &'a str,
    title: &'a str,
    user_name: &'a str,
    user_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Name<'a> {
    family_name: &'a str,
    given_name: &'a str,
}

impl<'a> Account<'a> {
    fn of(person: &Person<'a>) -> Self {
        let mut email = String::with_capacity(64);
        for (name, end) in [(person.first_name, "."), (person.last_name, "@example.com")] {
            email.extend(name.chars().flat_map(char::to_lowercase));
            email.push_str(end);
        }
        Self {
            department: person.department,
            email,
            external_id: person.id,
            name: Name { family_name: person.last_name, given_name: person.first_name },
            preferred_language: person.language.unwrap_or("en"),
            timezone: "Europe/Zurich",
            title: person.title,
            user_name: person.username,
            user_type: match person.profile {
                "Nurses" => "nurse",
                "Doctors" => "physician",
                "Administration" => "staff",
                _ => "external",
            },
        }
    }
}
