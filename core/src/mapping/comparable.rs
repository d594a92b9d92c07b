//! What a mapping wants of an account and what the account shows, as texts to be compared: where they are equal, nothing
//! differs, and where they are not, [`Mapping::drift`] decides. So most accounts are dealt with by two short texts.

use super::Mapping;
use super::direct::Direct;
use super::render::RenderInputs;
use crate::expression::Inputs;
use crate::model::Apply;
use crate::path::Path;
use crate::value::{Attributes, Keys, Raw, Record, canonical, is_empty, write, write_plain, write_text};
use serde_json::Value;
use std::borrow::Cow;

/// The way to both texts.
#[derive(Debug)]
pub(crate) struct Comparable {
    direct: Direct,
    rules: Vec<Compared>,
}

/// A rule whose values are compared.
#[derive(Debug)]
struct Compared {
    /// Its number in the mapping.
    rule: usize,
    /// The member of the account in which its value stands, where that is known by its number.
    attribute: Option<usize>,
    /// Whether the value is that member by itself.
    is_plain: bool,
    /// Whether the letter case of texts does not count.
    folds_case: bool,
    /// Whether it takes a text.
    takes_text: bool,
    /// Whether nothing that the target shows tells of it.
    is_hidden: bool,
}

/// The name of the account's own member that a path leads through.
pub(crate) fn root(path: &Path) -> &str {
    path.schema().or_else(|| path.steps().next().map(|(name, _)| name)).unwrap_or_default()
}

/// Whether a path is one name and nothing more.
fn is_plain(path: &Path) -> bool {
    path.schema().is_none() && path.steps().count() == 1 && path.steps().all(|(_, filter)| filter.is_empty())
}

impl Mapping {
    /// The way to both texts, for user records with these keys and accounts with these members; none where what is wanted
    /// hangs on more than the user's record.
    pub(crate) fn comparable(&self, user: &Keys, account: &Keys) -> Option<Comparable> {
        let direct = Direct::of_values(&self.rules, user)?;
        let schema = self.schema.as_ref();
        let compared = self.rules.iter().enumerate().filter(|(_, rule)| rule.apply != Apply::Create);
        let rules = compared.map(|(number, rule)| {
            let known = schema.and_then(|schema| schema.find(&rule.target.attribute()));
            Compared {
                rule: number,
                attribute: account.number(root(&rule.target).as_bytes()),
                is_plain: is_plain(&rule.target),
                folds_case: known.is_some_and(|known| known.kind == "string" && !known.case_exact),
                takes_text: rule.check_value(&Value::from("text"), schema).is_none(),
                is_hidden: rule.target.is("password"),
            }
        });
        Some(Comparable { direct, rules: rules.collect() })
    }

    /// The members of accounts that the mapping's targets lead through.
    pub(crate) fn account_members(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| root(&rule.target))
    }

    /// Whether a user's record must be known whole, or the names of its members that the rules read.
    pub(crate) fn user_members(&self) -> Option<impl Iterator<Item = &str>> {
        self.reads.roots().map(|roots| roots.into_iter())
    }
}

impl Comparable {
    /// Appends what is wanted. Gives whether that can be told here.
    pub(crate) fn wanted(
        &self,
        mapping: &Mapping,
        record: &Record<'_>,
        inputs: &RenderInputs<'_>,
        text: &mut String,
    ) -> bool {
        let nobody = Attributes::new();
        let inputs = Inputs { user: &nobody, ..inputs.expression_inputs() };
        self.rules.iter().all(|compared| self.append(compared, mapping, record, &inputs, text).is_some())
    }

    fn append(
        &self,
        compared: &Compared,
        mapping: &Mapping,
        record: &Record<'_>,
        inputs: &Inputs<'_>,
        text: &mut String,
    ) -> Option<()> {
        let start = text.len();
        let rule = mapping.rules.get(compared.rule)?;
        if self.direct.value(&mapping.rules, compared.rule, record, inputs, text)? {
            let written = text.get(start..)?;
            let fits = match written.starts_with('"') {
                true => compared.takes_text,
                false => {
                    let value: Value = serde_json::from_str(written).ok()?;
                    rule.check_value(&value, mapping.schema.as_ref()).is_none()
                }
            };
            if !fits {
                return None;
            }
        }
        compared.finish(start, text);
        Some(())
    }

    /// Appends what an account shows: `member` gives its members by number, `tree` has those that are not read by
    /// themselves. Gives nothing where only the account, read whole, can tell.
    pub(crate) fn actual<'m, 't: 'm>(
        &self,
        mapping: &Mapping,
        member: impl Fn(usize) -> Option<&'m Raw<'t>>,
        tree: &Attributes,
        text: &mut String,
    ) -> Option<()> {
        for compared in &self.rules {
            let start = text.len();
            match (compared.attribute, mapping.rules.get(compared.rule)) {
                (Some(number), _) if compared.is_plain => {
                    member(number).inspect(|value| append_raw(value, text));
                }
                (Some(number), Some(rule)) => {
                    if let Some(root) = member(number) {
                        let mut is_found = false;
                        rule.target.each_raw(root, &mut |value| {
                            if !is_found && value != Raw::Other("null") {
                                is_found = true;
                                append_raw(&value, text);
                            }
                            Some(())
                        })?;
                    }
                }
                (None, Some(rule)) => {
                    if let Some(value) = rule.target.get(tree).filter(|value| !is_empty(value)) {
                        write(value, text);
                    }
                }
                (_, None) => {}
            }
            compared.finish(start, text);
        }
        Some(())
    }
}

/// Appends a value in its canonical form; nothing for one that says nothing.
fn append_raw(value: &Raw<'_>, text: &mut String) {
    match value {
        Raw::Other("null") => {}
        // What stands in the account as it is needed no escape there.
        Raw::Text(Cow::Borrowed(plain)) => write_plain(plain, text),
        Raw::Text(plain) => write_text(plain, text),
        Raw::Other(json @ ("true" | "false")) => text.push_str(json),
        other => {
            let value = other.value().filter(|value| !is_empty(value));
            text.push_str(&value.map(|value| canonical(&value)).unwrap_or_default());
        }
    }
}

impl Compared {
    /// Ends the part of the text that begins at `start`, in the form in which equal ones are the same.
    fn finish(&self, start: usize, text: &mut String) {
        if self.is_hidden {
            text.truncate(start);
        } else if self.folds_case
            && let Some(written) = text.get_mut(start..)
            && written.starts_with('"')
        {
            // Letters outside of ASCII stay as they are; where they differ, the two are compared closely.
            written.make_ascii_lowercase();
        }
        // No JSON has a line break of its own in this form, so the parts cannot run into each other.
        text.push('\n');
    }
}
