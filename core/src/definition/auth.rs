//! What is wrong with how an app proves who it is.

use crate::fault::{Code, Fault};
use crate::model::{Auth, ClientAuthentication, GrantType, OAuth};

/// What a request for a token says by its own settings, and never by `parameters`.
const RESERVED: [&str; 14] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "refresh_token",
    "scope",
    "audience",
    "resource",
    "assertion",
    "username",
    "password",
    "code",
    "code_verifier",
];

pub(super) fn faults(auth: &Auth) -> Vec<Fault> {
    match auth {
        Auth::Bearer { .. } => Vec::new(),
        // RFC 7617 §2: what stands before the first colon is the user name.
        Auth::Basic { username, .. } => {
            let sound = !username.is_empty() && !username.contains(':') && !username.chars().any(char::is_control);
            let message = "must not be empty, and hold neither a colon nor a control character";
            if sound { Vec::new() } else { vec![wrong("username", message)] }
        }
        Auth::OAuth(oauth) => oauth_faults(oauth),
    }
}

fn wrong(field: &str, message: &str) -> Fault {
    let place = format!("connector.auth.{field}");
    Fault::new(Code::InvalidArgument, format!("`{place}` {message}")).at(place)
}

fn oauth_faults(oauth: &OAuth) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |sound: bool, field: &str, message: &str| {
        if !sound {
            faults.push(wrong(field, message));
        }
    };
    let shown = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    check(shown(&oauth.client_id), "client_id", "must not be empty or hold a control character");
    let by_secret = matches!(oauth.client_authentication, ClientAuthentication::Basic | ClientAuthentication::Post);
    let by_key = oauth.client_authentication == ClientAuthentication::PrivateKeyJwt;
    let refreshes = oauth.grant_type == GrantType::RefreshToken;
    check(
        oauth.client_secret.is_some() == by_secret,
        "client_secret",
        "is for the client authentications `basic` and `post`, which need it, and for no other",
    );
    check(
        oauth.private_key.is_some() == by_key,
        "private_key",
        "is for the client authentication `private_key_jwt`, which needs it, and for no other",
    );
    check(
        oauth.refresh_token.is_some() == refreshes,
        "refresh_token",
        "is for the grant type `refresh_token`, which needs it, and for no other",
    );
    check(
        refreshes || oauth.client_authentication != ClientAuthentication::None,
        "client_authentication",
        "must not be `none` for the grant type `client_credentials`",
    );
    for (field, value) in [("key_id", &oauth.key_id), ("assertion_audience", &oauth.assertion_audience)] {
        check(by_key || value.is_none(), field, "is for the client authentication `private_key_jwt`");
    }
    // RFC 6749 §3.3.
    let is_scope =
        |text: &String| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'));
    check(oauth.scopes.iter().all(is_scope), "scopes", "must be names without spaces, quotes and backslashes");
    check(oauth.audience.as_deref().is_none_or(shown), "audience", "must not be empty or hold a control character");
    check(
        oauth.resource.iter().all(|one| one.contains(':') && !one.contains('#') && shown(one)),
        "resource",
        "must be absolute URIs without a fragment",
    );
    for name in oauth.parameters.keys().filter(|name| !shown(name) || RESERVED.contains(&name.as_str())) {
        let message = "must not be a parameter that has a setting of its own, or a secret";
        faults.push(wrong(&format!("parameters.{name}"), message));
    }
    faults
}
