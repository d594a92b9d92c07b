//! How the members of a group are changed, tried with a group of our own and the two accounts.

use super::super::exchange::is_missing;
use super::super::selection::Part;
use super::super::{answer, groups, members, strict, url};
use super::{Made, Probe};
use crate::http::{Method, Response};
use crate::model::MemberRemoval;
use crate::path::member;
use serde_json::{Value, json};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

impl Probe<'_> {
    pub(super) fn groups(&mut self, first: &str, second: Option<&str>) {
        let url = self.connector.exchange.base.endpoint("Groups", &[("startIndex", "1"), ("count", "1")]);
        let list = |list: &Response| groups::is_list(&list.body);
        let conclusion = match self.connector.exchange.get_part(&url, Part::Without("members"), list) {
            Err(_) => "unknown",
            Ok(response) => match response.status {
                200..=299 if groups::is_list(&response.body) => "shown",
                404 | 405 | 501 => "none",
                _ => "refused",
            },
        };
        self.note("groups", "a list with one group is asked for", conclusion);
        // That there are none follows from what is used as well; a right that is missing today may be there tomorrow.
        if conclusion != "shown" {
            return;
        }
        let Some(group) = self.make_group(first) else {
            return self.note("group", "a group is made with an account in it", "refused");
        };
        let members = self.members(&group);
        let conclusion = match &members {
            None => "members_not_shown",
            Some(members) if members.iter().any(|id| id == first) => "made",
            Some(_) => "made_without_members",
        };
        self.note("group", "a group is made with an account in it", conclusion);
        let Some(second) = second else { return };
        self.add(&group, first, second);
        self.take_out(&group, first, second);
    }

    fn make_group(&mut self, first: &str) -> Option<String> {
        let exchange = &self.connector.exchange;
        let url = exchange.base.endpoint("Groups", &[]);
        let body = json!({"schemas": [GROUP], "displayName": self.name, "members": [{"value": first}]});
        let response = exchange.send(Method::Post, &url, Some(&body)).ok()?;
        if !(200..300).contains(&response.status) {
            return None;
        }
        let id = answer::resource(&response.body).and_then(answer::account).map(|group| group.external_id);
        let id = id.or_else(|| response.header("location").and_then(url::group_of_location))?;
        self.group = Some(Made { id: id.clone(), name: self.name.to_owned(), gone: false, hidden: false });
        Some(id)
    }

    /// The ids in the group; none where it does not show any.
    fn members(&self, group: &str) -> Option<Vec<String>> {
        let url = self.connector.exchange.base.group(group)?;
        let response = self.connector.exchange.get(&url).ok()?;
        let body = strict::read(&response.body).filter(|_| (200..300).contains(&response.status))?;
        groups::members(Some(member(body.as_object()?, "members")?))
    }

    fn change_members(&self, group: &str, operations: &Value) -> Option<u16> {
        let url = self.connector.exchange.base.group(group)?;
        let answer = self.connector.exchange.send(Method::Patch, &url, Some(&members::message(operations)));
        answer.ok().map(|response| response.status)
    }

    /// Adds both accounts at once, and where that is not taken the second alone.
    fn add(&mut self, group: &str, first: &str, second: &str) {
        let mut conclusion = self.added(group, &[first, second]);
        if conclusion == "refused" && self.added(group, &[second]) == "works" {
            conclusion = "one_by_one";
        }
        self.note("member_add", "both accounts are added by PATCH, and one alone where that is refused", conclusion);
    }

    fn added(&self, group: &str, ids: &[&str]) -> &'static str {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let status = self.change_members(group, &members::addition(&ids));
        let shown = self.members(group).unwrap_or_default();
        match status {
            _ if ids.iter().all(|id| shown.contains(id)) => "works",
            Some(200..=299) if shown.is_empty() => "accepted",
            Some(200..=299) => "ignored",
            None => "unknown",
            Some(_) => "refused",
        }
    }

    /// Takes one account out in the standard's form, and where that is refused by a list of values. Whether the other account is
    /// left in the group tells whether the list is taken for everybody.
    fn take_out(&mut self, group: &str, first: &str, second: &str) {
        let forms = [
            (MemberRemoval::Filter, "member_remove", "one account is taken out by a path with a filter"),
            (MemberRemoval::Values, "member_remove_values", "one account is taken out by a list of values"),
        ];
        for (form, step, tried) in forms {
            let before = self.members(group).unwrap_or_default();
            let status = self.change_members(group, &members::removals(form, &[first.to_owned()]));
            let after = self.members(group).unwrap_or_default();
            let (has, had) =
                (|id: &str| after.iter().any(|known| known == id), |id: &str| before.iter().any(|known| known == id));
            let conclusion = match status {
                _ if had(first) && !has(first) && has(second) => "works",
                _ if had(first) && !has(first) && !had(second) && form == MemberRemoval::Filter => "works",
                _ if had(first) && had(second) && after.is_empty() => "takes_everybody_out",
                Some(200..=299) if before.is_empty() => "accepted",
                Some(200..=299) => "ignored",
                None => "unknown",
                Some(_) => "refused",
            };
            self.note(step, tried, conclusion);
            if conclusion == "works" {
                self.found.learn("member_removal", json!(form));
            }
            if !matches!(conclusion, "refused" | "ignored") {
                return;
            }
        }
    }

    /// Takes the group away; whether it is gone.
    pub(super) fn remove_group(&self, group: &str) -> bool {
        let exchange = &self.connector.exchange;
        let Some(url) = exchange.base.group(group) else { return false };
        let _ = exchange.send(Method::Delete, &url, None);
        exchange.get(&url).is_ok_and(|response| is_missing(&response))
    }
}
