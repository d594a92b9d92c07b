//! How a server of the zoo takes the question for a part of a resource (RFC 7644 §3.9).

use super::patch::Refusal;
use super::serve::MISSING;
use serde::Deserialize;
use serde_json::Value;

/// What comes of `attributes` and `excludedAttributes`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Selecting {
    /// What is asked for is shown, and the id.
    #[default]
    Heeded,
    /// Everything is shown.
    Ignored,
    /// It is refused.
    Refused,
    /// It is answered with 404.
    Missing,
    /// What is asked for is shown, and not even the id besides.
    Exactly,
    /// Names are known in lower case alone.
    LowerCase,
    /// Extensions are left out, whatever is asked for.
    WithoutExtensions,
}

/// The part of a resource that is asked for, as the server takes it.
pub(super) fn part(
    resource: Value,
    how: Selecting,
    parameter: &dyn Fn(&str) -> Option<String>,
) -> Result<Value, Refusal> {
    let list = |name: &str| parameter(name).map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
    let (only, without) = (list("attributes"), list("excludedAttributes"));
    if only.is_none() && without.is_none() || how == Selecting::Ignored {
        return Ok(resource);
    }
    let Value::Object(mut resource) = resource else { return Ok(resource) };
    let is = |asked: &str, name: &str| match how {
        Selecting::LowerCase => asked == name.to_lowercase(),
        _ => asked.split('.').next().unwrap_or(asked).eq_ignore_ascii_case(name),
    };
    let always = |name: &str| {
        how != Selecting::Exactly && ["id", "schemas"].iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    match how {
        Selecting::Refused => {
            return Err(Refusal { status: 400, kind: Some("invalidSyntax"), detail: "what is that?" });
        }
        Selecting::Missing => return Err(MISSING),
        Selecting::WithoutExtensions => resource.retain(|name, _| !name.starts_with("urn:")),
        Selecting::Exactly => {
            resource.remove("id");
        }
        Selecting::Heeded | Selecting::Ignored | Selecting::LowerCase => {}
    }
    if let Some(only) = only {
        resource.retain(|name, _| always(name) || only.iter().any(|asked| is(asked, name)));
    }
    if let Some(without) = without {
        resource.retain(|name, _| always(name) || !without.iter().any(|asked| is(asked, name)));
    }
    Ok(Value::Object(resource))
}
