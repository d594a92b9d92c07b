//! A page of accounts as text, one account a line: what is stored of a long listing. A connector that can write the lines
//! straight from what the target sent spares the making of every value.

use super::{ConnectorError, Outcome, Page, TargetAccount};
use crate::fault::Code;
use crate::path::Path;
use crate::time::Timestamp;
use crate::value::fold_case;

/// The attributes of an account that somebody reads, by the names at the top of the account: `name` stands for
/// `name.familyName`, an extension's schema for everything in it. Letter case does not matter.
///
/// ```
/// use rollkeeper::connector::AttributeSelection;
/// use rollkeeper::path::Path;
/// let paths = [Path::parse("userName")?, Path::parse(r#"emails[type eq "work"].value"#)?];
/// let read = AttributeSelection::of(&paths);
/// assert!(read.holds("Emails") && !read.holds("title"));
/// # Ok::<(), rollkeeper::Fault>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeSelection {
    /// In folded letter case.
    names: Vec<String>,
}

impl AttributeSelection {
    /// What these paths read.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut names: Vec<String> = paths.into_iter().filter_map(top).map(fold_case).collect();
        names.sort_unstable();
        names.dedup();
        Self { names }
    }

    /// The names, in folded letter case.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether the attribute of that name at the top of an account is read.
    pub fn holds(&self, name: &str) -> bool {
        let folded = fold_case(name);
        self.names.contains(&folded)
    }
}

fn top(path: &Path) -> Option<&str> {
    path.schema().or_else(|| path.steps().next().map(|(name, _)| name))
}

/// One page of accounts as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageLines {
    /// The accounts, each as the JSON of a [`TargetAccount`] in one line that ends with a line feed.
    pub accounts: Vec<u8>,
    /// How many there are.
    pub count: u64,
    /// As in [`Page`].
    pub next: Option<String>,
    /// As in [`Page`].
    pub complete: bool,
    /// As in [`Page`].
    pub total: Option<u64>,
    /// When the account that was changed last was changed, by the target's own clock: of all accounts of the listing up to
    /// here. `None` where one of them does not say it, or where it is not known to move with every change.
    pub newest: Option<Timestamp>,
}

impl PageLines {
    /// The page with the attributes that are read, or with all where that is not said.
    ///
    /// # Errors
    /// `invalid_answer` where an account cannot be written as JSON.
    pub fn of(page: Page, read: Option<&AttributeSelection>) -> Result<Self, ConnectorError> {
        let mut accounts = Vec::new();
        let mut count = 0;
        for mut account in page.accounts {
            if let Some(read) = read {
                account.attributes.retain(|name, _| read.holds(name));
            }
            write(&account, &mut accounts)?;
            count += 1;
        }
        Ok(Self { accounts, count, next: page.next, complete: page.complete, total: page.total, newest: None })
    }
}

fn write(account: &TargetAccount, lines: &mut Vec<u8>) -> Result<(), ConnectorError> {
    let unwritable = |_| {
        let message = "an account of the listing cannot be written";
        ConnectorError::new(Outcome::Rejected, Code::InvalidAnswer.name(), message)
    };
    serde_json::to_writer(&mut *lines, account).map_err(unwritable)?;
    lines.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_line_has_what_is_read_alone() {
        let account = json!({"external_id": "7", "username": "ada", "attributes": {"userName": "ada", "title": "Dr"}});
        let page = Page { accounts: vec![serde_json::from_value(account).unwrap()], total: Some(1), ..Page::default() };
        let paths = [Path::parse("USERNAME").unwrap(), Path::parse("name.familyName").unwrap()];
        let lines = PageLines::of(page.clone(), Some(&AttributeSelection::of(&paths))).unwrap();
        let line: Value = serde_json::from_slice(&lines.accounts).unwrap();
        assert_eq!(line.get("attributes"), Some(&json!({"userName": "ada"})));
        assert_eq!((lines.count, lines.total, lines.accounts.last()), (1, Some(1), Some(&b'\n')));
        let whole = PageLines::of(page.clone(), None).unwrap();
        assert_eq!(serde_json::from_slice::<TargetAccount>(&whole.accounts).unwrap(), *page.accounts.first().unwrap());
    }
}
