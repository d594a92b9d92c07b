//! The files that ours and the peers reconcile: users, links and accounts as lines of JSON and as CSV, and the accounts as the
//! pages of a SCIM target.

use crate::Arguments;
use crate::directory::{self, BLOCK, COMPARED, ENTERPRISE, Lot, Person, Row, SOURCES, Target};
use serde_json::json;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// How many accounts a page has.
pub(crate) const PAGE: usize = 500;

/// What was written, so that the next run need not; it changes where the files do.
const VERSION: &str = "2";

type Written = Result<(), Box<dyn Error>>;

/// Writes the files of `--n` people into `--folder`: `--kinds` names which, of `lines`, `csv`, `pages` and `states` (the pages
/// of a target that every person's id is found at, before and after one account in fifty changed).
pub(crate) fn write(arguments: &Arguments) -> Written {
    let n = arguments.number("n", 1_000_000)? / BLOCK * BLOCK;
    let folder = Path::new(arguments.text("folder")?);
    let kinds: Vec<&str> = arguments.text("kinds")?.split(',').collect();
    fs::create_dir_all(folder)?;
    let target = Target { people: n, drifted: 2, state: 1, plain: false };
    for kind in kinds {
        let stamp = folder.join(format!("{kind}.written"));
        if fs::read_to_string(&stamp).is_ok_and(|text| text == VERSION) {
            continue;
        }
        match kind {
            "lines" => lines(folder, target)?,
            "csv" => csv(folder, target)?,
            "pages" => pages(&folder.join("pages.ndjson"), target)?,
            "states" => {
                pages(&folder.join("before.ndjson"), Target { drifted: 0, state: 0, plain: true, ..target })?;
                pages(&folder.join("after.ndjson"), Target { plain: true, ..target })?;
            }
            _ => return Err(format!("there are no files `{kind}`").into()),
        }
        fs::write(folder.join("expected.json"), expected(target).to_string())?;
        fs::write(stamp, VERSION)?;
    }
    Ok(())
}

/// How many there are of each situation, worked out from how the people were made.
pub(crate) fn expected(target: Target) -> serde_json::Value {
    let blocks = target.people / BLOCK;
    let (mut confirmed, mut drifted, mut found) = (0, 0, 0);
    for number in 0..target.people {
        match directory::lot(number) {
            Lot::Linked if directory::drift(number, target.drifted, target.state).is_some() => drifted += 1,
            Lot::Linked => confirmed += 1,
            Lot::Found(_) => found += 1,
            Lot::Absent | Lot::Missing | Lot::Shared | Lot::Twice => {}
        }
    }
    json!({
        "confirmed": confirmed,
        "drifted": drifted,
        "found": found,
        "orphaned": 20 * blocks,
        "ambiguous": 11 * blocks,
        "missing": 10 * blocks,
        "absent": 10 * blocks,
    })
}

fn writer(path: &Path) -> Result<BufWriter<File>, Box<dyn Error>> {
    Ok(BufWriter::with_capacity(1 << 20, File::create(path)?))
}

/// `users.ndjson`, `links.ndjson`, and `accounts.ndjson` as flat rows.
fn lines(folder: &Path, target: Target) -> Written {
    let (mut users, mut links) = (writer(&folder.join("users.ndjson"))?, writer(&folder.join("links.ndjson"))?);
    for number in 0..target.people {
        let Person { id, username, email, values } = Person::new(number);
        write!(users, r#"{{"id":"{id}","username":"{username}","email":"{email}","active":true,"profile":"Staff""#)?;
        for (name, value) in SOURCES.iter().zip(&values) {
            write!(users, r#","{name}":"{value}""#)?;
        }
        users.write_all(b"}\n")?;
        if matches!(directory::lot(number), Lot::Linked | Lot::Missing) {
            writeln!(links, r#"{{"user":"{id}","account":"{}"}}"#, directory::linked_account(number))?;
        }
    }
    users.flush()?;
    links.flush()?;
    let mut accounts = writer(&folder.join("accounts.ndjson"))?;
    for row in target.rows() {
        write!(accounts, r#"{{"id":"{}","#, row.id)?;
        if let Some(external_id) = &row.external_id {
            write!(accounts, r#""externalId":"{external_id}","#)?;
        }
        write!(accounts, r#""userName":"{}","email":"{}","active":true"#, row.username, row.email)?;
        for (name, value) in COMPARED.iter().zip(&row.values) {
            write!(accounts, r#","{name}":"{value}""#)?;
        }
        accounts.write_all(b"}\n")?;
    }
    Ok(accounts.flush()?)
}

/// `users.csv`, `links.csv` and `accounts.csv`. No value has a comma or a quote in it.
fn csv(folder: &Path, target: Target) -> Written {
    let (mut users, mut links) = (writer(&folder.join("users.csv"))?, writer(&folder.join("links.csv"))?);
    writeln!(users, "id,username,email,{}", SOURCES.join(","))?;
    writeln!(links, "user,account")?;
    for number in 0..target.people {
        let Person { id, username, email, values } = Person::new(number);
        writeln!(users, "{id},{username},{email},{}", values.join(","))?;
        if matches!(directory::lot(number), Lot::Linked | Lot::Missing) {
            writeln!(links, "{id},{}", directory::linked_account(number))?;
        }
    }
    users.flush()?;
    links.flush()?;
    let mut accounts = writer(&folder.join("accounts.csv"))?;
    writeln!(accounts, "id,externalId,userName,email,{}", COMPARED.join(","))?;
    for Row { id, external_id, username, email, values } in target.rows() {
        let external_id = external_id.unwrap_or_default();
        writeln!(accounts, "{id},{external_id},{username},{email},{}", values.join(","))?;
    }
    Ok(accounts.flush()?)
}

/// Pages as a SCIM target gives them, one a line.
fn pages(path: &Path, target: Target) -> Written {
    let mut file = writer(path)?;
    let (total, mut start, mut text) = (target.len(), 1, String::new());
    let mut rows = target.rows().peekable();
    while rows.peek().is_some() {
        text.clear();
        let mut count = 0;
        for row in rows.by_ref().take(PAGE) {
            text.push_str(if count == 0 { "" } else { "," });
            resource(&row, &mut text)?;
            count += 1;
        }
        let head = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"]"#;
        writeln!(
            file,
            r#"{head},"totalResults":{total},"startIndex":{start},"itemsPerPage":{count},"Resources":[{text}]}}"#
        )?;
        start += count;
    }
    Ok(file.flush()?)
}

/// An account as a SCIM target shows it, with much that nobody compares.
fn resource(row: &Row, text: &mut String) -> Written {
    let Row { id, external_id, username, email, values } = row;
    let [given, family, display, title, kind, language, zone, phone, department, cost_center] = values;
    write!(
        text,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","{ENTERPRISE}"],"id":"{id}","userName":"{username}","#
    )?;
    if let Some(external_id) = external_id {
        write!(text, r#""externalId":"{external_id}","#)?;
    }
    write!(
        text,
        r#""name":{{"formatted":"{display}","familyName":"{family}","givenName":"{given}"}},"displayName":"{display}","title":"{title}","userType":"{kind}","preferredLanguage":"{language}","locale":"{language}","timezone":"{zone}","active":true,"#
    )?;
    write!(
        text,
        r#""emails":[{{"value":"{email}","type":"work","primary":true}}],"phoneNumbers":[{{"value":"{phone}","type":"work"}}],"groups":[{{"value":"6c5bb468-14b2-4183-baf2-06d523e03bd3","display":"All employees"}},{{"value":"9f1c4c3e-3f0b-4a53-8a54-1d2a0d8ed35f","display":"{department}"}}],"#
    )?;
    write!(
        text,
        r#""{ENTERPRISE}":{{"employeeNumber":"{id}","costCenter":"{cost_center}","department":"{department}","organization":"Hospital"}},"meta":{{"resourceType":"User","created":"2021-03-01T08:00:00Z","lastModified":"2026-11-19T07:41:22Z","version":"W/\"a330bc54f0671c9\"","location":"https://target.example.com/scim/v2/Users/{id}"}}}}"#
    )?;
    Ok(())
}
