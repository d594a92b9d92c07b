//! How a server of the zoo lists and searches its accounts.

use super::directory::{Kept, Record, ago};
use super::patch::{Place, Refusal};
use super::personality::{Empty, Filtering, Pages, Total};
use super::selection::part;
use super::serve::MISSING;
use super::{Shared, State};
use crate::http::Response;
use rollkeeper::Timestamp;
use serde_json::{Value, json};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Which rows a page has, and what comes after them.
struct Page {
    from: usize,
    rows: usize,
    next: Option<String>,
}

impl Shared {
    pub(super) fn list(
        &self,
        state: &mut State,
        parameter: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Response, Refusal> {
        let seen = ago((self.now)(), self.bends.store.index_lag);
        let hidden = |one: &&Kept| self.bends.store.inactive_is_gone && !one.is_active();
        let known = state.directory.accounts.iter().filter(|one| !hidden(one));
        let mut found: Vec<(Kept, Record)> =
            known.filter_map(|one| Some((one.clone(), one.at(seen)?.clone()))).collect();
        if let Some(filter) = parameter("filter") {
            self.filter(&filter, &mut found)?;
        }
        let paging = &self.bends.paging;
        if paging.drifts && !found.is_empty() {
            let by = state.lists % found.len();
            found.rotate_left(by);
        }
        state.lists += 1;
        let page = self.page(state, &found, parameter)?;
        let on_page = found.iter().skip(page.from).take(page.rows);
        let row = |one: &(Kept, Record)| part(self.row(one), self.bends.parts, parameter);
        let rows: Vec<Value> = on_page.map(row).collect::<Result<_, _>>()?;
        if found.is_empty() && paging.empty == Empty::Missing {
            return Err(MISSING);
        }
        let mut body = json!({"schemas": [LIST], "startIndex": page.from + 1, "itemsPerPage": rows.len()});
        let Some(object) = body.as_object_mut() else { return Err(MISSING) };
        if let (true, Some(count)) = (paging.says_asked, parameter("count")) {
            object.insert("itemsPerPage".to_owned(), count.parse::<u64>().unwrap_or(0).into());
            object.insert("startIndex".to_owned(), 0.into());
        }
        let total = match paging.total {
            Total::Right => Some(json!(found.len())),
            Total::Missing => None,
            Total::Zero => Some(json!(0)),
            Total::Page => Some(json!(rows.len())),
            Total::Small => Some(json!(found.len().saturating_sub(1))),
            Total::Large => Some(json!(found.len() + 3)),
            Total::Text => Some(json!(found.len().to_string())),
        };
        object.extend(total.map(|total| ("totalResults".to_owned(), total)));
        object.extend(page.next.map(|next| ("nextCursor".to_owned(), next.into())));
        match paging.empty {
            Empty::Absent if rows.is_empty() => {}
            Empty::Null if rows.is_empty() => drop(object.insert("Resources".to_owned(), Value::Null)),
            _ => drop(object.insert("Resources".to_owned(), rows.into())),
        }
        Ok(Response::new(200, body))
    }

    fn row(&self, (kept, record): &(Kept, Record)) -> Value {
        let mut shown = record.clone();
        self.bends.paging.hides.iter().for_each(|name| drop(shown.remove(name)));
        self.written(kept, &shown)
    }

    fn page(
        &self,
        state: &mut State,
        found: &[(Kept, Record)],
        parameter: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Page, Refusal> {
        let paging = &self.bends.paging;
        let number = |name: &str| parameter(name).and_then(|text| text.parse::<usize>().ok());
        let asked = number("count").unwrap_or(100);
        let size = asked.min(paging.cap.unwrap_or(1000));
        let size = if paging.short { size.saturating_sub(1).max(1) } else { size };
        let start = number("startIndex").unwrap_or(1);
        let cursor = parameter("cursor");
        let by_index = |from| Page { from, rows: size, next: None };
        let invalid = Refusal { status: 400, kind: Some("invalidCursor"), detail: "the cursor is not known" };
        Ok(match paging.mode {
            Pages::Index => by_index(start.max(1) - 1),
            Pages::ZeroBased => by_index(start),
            Pages::FirstAlways => by_index(0),
            Pages::Unpaged => Page { from: 0, rows: usize::MAX, next: None },
            Pages::LastAgain => {
                let last = found.len().saturating_sub(1) / size.max(1) * size;
                by_index((start.max(1) - 1).min(last))
            }
            Pages::CursorWhereAsked if cursor.is_none() => by_index(0),
            Pages::Cursor
            | Pages::CursorWhereAsked
            | Pages::CursorRound
            | Pages::CursorGap
            | Pages::CursorExpires
            | Pages::CursorNeverHolds => {
                let text = cursor.filter(|text| !text.is_empty());
                let from = text.map_or(Some(0), |text| text.strip_prefix('c')?.parse::<usize>().ok());
                let from = from.ok_or(invalid.clone())?;
                let never = paging.mode == Pages::CursorNeverHolds;
                if (never || paging.mode == Pages::CursorExpires && !state.expired) && from > 0 {
                    state.expired = true;
                    return Err(Refusal { kind: Some("expiredCursor"), ..invalid });
                }
                let gap = paging.mode == Pages::CursorGap && from == size;
                // The page in the middle has a cursor of its own, so that it comes once.
                let (rows, behind) = if gap { (0, from + 1) } else { (size, from + size) };
                let from = if paging.mode == Pages::CursorGap && from > size { from - 1 } else { from };
                let is_last = from + rows >= found.len() && !gap;
                let next = match paging.mode {
                    Pages::CursorRound if is_last => Some("c0".to_owned()),
                    _ => (!is_last).then(|| format!("c{behind}")),
                };
                Page { from, rows, next }
            }
        })
    }

    fn filter(&self, filter: &str, found: &mut Vec<(Kept, Record)>) -> Result<(), Refusal> {
        let bends = &self.bends.filter;
        let refused = Refusal {
            status: bends.status.unwrap_or(400),
            kind: Some("invalidFilter"),
            detail: "the filter is not understood",
        };
        if let Some(since) = since(filter) {
            match bends.dates {
                Filtering::Works => {
                    found.retain(|(kept, _)| kept.date(self.bends.dates).is_some_and(|date| date >= since))
                }
                Filtering::Ignored => {}
                Filtering::Empty => found.clear(),
                Filtering::Refused => return Err(refused),
            }
            return Ok(());
        }
        let parsed = filter
            .split_once(" eq ")
            .and_then(|(path, value)| Some((Place::parse(path)?, serde_json::from_str::<Value>(value).ok()?)));
        let Some((place, value)) = parsed else { return Err(refused) };
        if bends.refuses_escapes && filter.contains('\\') {
            return Err(refused);
        }
        let known = bends.only.is_empty() || bends.only.iter().any(|name| name.eq_ignore_ascii_case(&place.attribute));
        match if known { bends.mode } else { bends.unknown } {
            Filtering::Works => found.retain(|(kept, record)| self.holds(kept, record, &place, &value)),
            Filtering::Ignored => {}
            Filtering::Empty => found.clear(),
            Filtering::Refused => return Err(refused),
        }
        Ok(())
    }

    fn holds(&self, kept: &Kept, record: &Record, place: &Place, value: &Value) -> bool {
        if place.attribute.eq_ignore_ascii_case("id") {
            return value.as_str() == Some(&kept.id);
        }
        let inside = match &place.extension {
            None => record,
            Some(urn) => match record.get(urn).and_then(Value::as_object) {
                Some(inside) => inside,
                None => return false,
            },
        };
        let named = inside.iter().find(|(name, _)| name.eq_ignore_ascii_case(&place.attribute)).map(|(_, held)| held);
        let Some(held) = named else { return false };
        let elements = held.as_array().map_or(std::slice::from_ref(held), Vec::as_slice);
        let part = place.part.as_deref().unwrap_or("value");
        elements.iter().any(|element| is_equal(element.get(part).unwrap_or(element), value, self.bends.filter.exact))
    }
}

/// The moment of a filter by `meta.lastModified`.
pub(super) fn since(filter: &str) -> Option<Timestamp> {
    let moment = filter.strip_prefix("meta.lastModified ge \"")?.strip_suffix('"')?;
    Timestamp::parse(moment).ok()
}

fn is_equal(held: &Value, value: &Value, exact: bool) -> bool {
    match (held, value) {
        (Value::String(held), Value::String(value)) if !exact => held.to_lowercase() == value.to_lowercase(),
        (held, value) => held == value,
    }
}
