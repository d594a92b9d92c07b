//! Reconciliation: the pure analysis over files, and the reading of a SCIM target's pages.

use crate::directory::{COMPARED, ENTERPRISE, SOURCES};
use crate::{Arguments, timed};
use rollkeeper::connector::{AttributeSelection, Connector};
use rollkeeper::http::{Http, HttpError, Request, Response};
use rollkeeper::model::ScimDefinition;
use rollkeeper::path::Path as AttributePath;
use rollkeeper::scim::ScimConnector;
use rollkeeper::{Code, Period, Rows};
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many accounts a page of the files has.
const PAGE: u32 = 500;

/// Analyses the files in `--folder`: accounts as flat rows, or where `--form` says `pages` as a SCIM target gives them. Gives the
/// time and the counts.
pub(crate) fn analyze(arguments: &Arguments) -> Result<(Duration, Value), Box<dyn Error>> {
    let folder = Path::new(arguments.text("folder")?);
    let in_pages = arguments.text("form")? == "pages";
    let accounts = folder.join(if in_pages { "pages.ndjson" } else { "accounts.ndjson" });
    let options = options(in_pages).to_string();
    let mut counts = Value::Null;
    let took = timed(|| {
        let (users, links) = (Rows::Path(folder.join("users.ndjson")), Rows::Path(folder.join("links.ndjson")));
        let analysis = rollkeeper::analyze(users, Rows::Path(accounts), Some(links), options.as_bytes());
        let analysis = analysis.map_err(|faults| faults.first().map_or_else(String::new, ToString::to_string))?;
        counts = serde_json::to_value(analysis.counts())?;
        Ok(())
    })?;
    if let Value::Object(counts) = &mut counts {
        counts.retain(|_, count| *count != 0);
    }
    Ok((took, counts))
}

/// The attributes of a SCIM account that stand for the columns of a flat row.
pub(crate) fn scim_path(name: &str) -> String {
    match name {
        "givenName" | "familyName" => format!("name.{name}"),
        "phone" => r#"phoneNumbers[type eq "work"].value"#.to_owned(),
        "email" => "emails.value".to_owned(),
        "department" | "costCenter" => format!("{ENTERPRISE}:{name}"),
        _ => name.to_owned(),
    }
}

/// Three matching rules and ten mapped attributes.
fn options(in_pages: bool) -> Value {
    let path = |name: &str| if in_pages { scim_path(name) } else { name.to_owned() };
    let mapping: Vec<Value> = COMPARED
        .iter()
        .zip(SOURCES)
        .map(|(target, source)| json!({"target": path(target), "source": source}))
        .collect();
    json!({"matching": matching(&path), "mapping": mapping})
}

pub(crate) fn matching(path: &dyn Fn(&str) -> String) -> Value {
    json!([
        {"all": [{"user": "id", "account": "externalId"}]},
        {"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]},
        {"all": [{"user": "email", "account": path("email"), "normalize": ["casefold"]}]},
    ])
}

/// Hands out pages from memory.
struct Pages {
    pages: Vec<Mutex<Vec<u8>>>,
    next: AtomicUsize,
}

impl Pages {
    fn read(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let file = Path::new(arguments.text("folder")?).join(arguments.text("file").unwrap_or("pages.ndjson"));
        let text = std::fs::read(file)?;
        let pages = text.split(|byte| *byte == b'\n').filter(|page| !page.is_empty());
        let pages: Vec<&[u8]> = pages.collect();
        let times = arguments.number("times", 1)?;
        let pages = (0..times).flat_map(|_| &pages).map(|page| Mutex::new(page.to_vec())).collect();
        Ok(Self { pages, next: AtomicUsize::new(0) })
    }
}

impl Http for Pages {
    fn send(&self, _: &Request) -> Result<Response, HttpError> {
        let page = self.pages.get(self.next.fetch_add(1, Ordering::Relaxed)).and_then(|page| page.lock().ok());
        let Some(mut page) = page else {
            return Err(HttpError::not_sent(Code::Unreachable, "there are no more pages"));
        };
        Ok(Response { status: 200, headers: Vec::new(), body: std::mem::take(&mut *page) })
    }
}

/// Reads the pages in `--folder` as the engine reads a SCIM target, without the network; the pages are in memory before. Gives
/// the time and how many accounts there were.
pub(crate) fn read_pages(arguments: &Arguments) -> Result<(Duration, usize), Box<dyn Error>> {
    let pages = Arc::new(Pages::read(arguments)?);
    let definition: ScimDefinition = serde_json::from_value(json!({
        "base_url": "https://target.example.com",
        // What the pages answer does not hang on the question.
        "features": {"page_size": PAGE, "attribute_selection": false},
    }))?;
    let connector = ScimConnector::new(&definition, None, pages.clone(), Period::from_seconds(1))?;
    let names = COMPARED.iter().copied().chain(["externalId", "userName", "email", "active"]);
    let paths = names.map(|name| AttributePath::parse(&scim_path(name))).collect::<Result<Vec<_>, _>>()?;
    let read = AttributeSelection::of(&paths);
    let mut accounts = 0;
    let took = timed(|| {
        let mut cursor = None;
        loop {
            let page = connector.list_lines(cursor.as_deref(), None, Some(&read))?;
            accounts += page.count;
            black_box(&page.accounts);
            cursor = page.next;
            if cursor.is_none() && pages.next.load(Ordering::Relaxed) >= pages.pages.len() {
                return Ok(());
            }
        }
    })?;
    Ok((took, usize::try_from(accounts)?))
}

/// Reads the same pages into a structure that was written for these fourteen fields, and keeps nothing.
pub(crate) fn read_pages_by_hand(arguments: &Arguments) -> Result<(Duration, usize), Box<dyn Error>> {
    let pages = Pages::read(arguments)?;
    let mut accounts = 0;
    let took = timed(|| {
        for page in &pages.pages {
            let page = page.lock().map_err(|_| "poisoned")?;
            if !page.is_empty() {
                accounts += by_hand(&page)?;
            }
        }
        Ok(())
    })?;
    Ok((took, accounts))
}

/// How many accounts a page has, each of them read.
pub(crate) fn by_hand(page: &[u8]) -> Result<usize, Box<dyn Error>> {
    let page: ByHand<'_> = serde_json::from_str(std::str::from_utf8(page)?)?;
    Ok(black_box(page).resources.len())
}

#[derive(Deserialize)]
struct ByHand<'p> {
    #[serde(borrow, rename = "Resources")]
    resources: Vec<Account<'p>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Account<'p> {
    #[serde(borrow)]
    id: Cow<'p, str>,
    #[serde(borrow)]
    external_id: Option<Cow<'p, str>>,
    #[serde(borrow)]
    user_name: Cow<'p, str>,
    active: bool,
    #[serde(borrow)]
    name: Name<'p>,
    #[serde(borrow)]
    display_name: Cow<'p, str>,
    #[serde(borrow)]
    title: Cow<'p, str>,
    #[serde(borrow)]
    user_type: Cow<'p, str>,
    #[serde(borrow)]
    preferred_language: Cow<'p, str>,
    #[serde(borrow)]
    timezone: Cow<'p, str>,
    #[serde(borrow)]
    emails: Vec<Element<'p>>,
    #[serde(borrow)]
    phone_numbers: Vec<Element<'p>>,
    #[serde(borrow, rename = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")]
    enterprise: Enterprise<'p>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Name<'p> {
    #[serde(borrow)]
    given_name: Cow<'p, str>,
    #[serde(borrow)]
    family_name: Cow<'p, str>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Element<'p> {
    #[serde(borrow)]
    value: Cow<'p, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Enterprise<'p> {
    #[serde(borrow)]
    department: Cow<'p, str>,
    #[serde(borrow)]
    cost_center: Cow<'p, str>,
}
