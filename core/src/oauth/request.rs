//! What is asked of a token endpoint: a form (RFC 6749 §4.4.2, §6) and the client's proof (§2.3.1, RFC 7523 §2.2).

use super::answer::{self, Granted};
use super::assertion;
use crate::fault::Code;
use crate::http::{Http, HttpError, Method, Request};
use crate::model::{ClientAuthentication, ConnectorError, GrantType, OAuth, Outcome};
use crate::secret::Secret;
use crate::time::{Period, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use zeroize::Zeroizing;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// One question for a token.
pub(crate) struct Question<'a> {
    pub(crate) oauth: &'a OAuth,
    /// The client's secret or key; none for a public client.
    pub(crate) proof: Option<&'a Secret>,
    /// For the grant `refresh_token`.
    pub(crate) refresh_token: Option<&'a Secret>,
    /// No other question has it (RFC 7523 §3, `jti`).
    pub(crate) id: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) timeout: Period,
}

/// Asks for a token. The outcome of a failure says whether the server may have given one: after `ambiguous`, the refresh
/// token may be spent.
pub(crate) fn ask(http: &dyn Http, question: &Question<'_>) -> Result<Granted, ConnectorError> {
    let request = request(question)?;
    let response = http.send(&request).map_err(without_answer)?;
    let mut granted = answer::read(&response).map_err(|error| told(error, question.oauth.grant_type));
    if let (Ok(granted), GrantType::ClientCredentials) = (&mut granted, question.oauth.grant_type) {
        // RFC 6749 §4.4.3: there should be none, and none is needed.
        (granted.refresh, granted.refresh_life) = (None, None);
    }
    granted
}

/// A refresh token that is not accepted needs a person; other grants are only refused.
fn told(error: ConnectorError, grant: GrantType) -> ConnectorError {
    let needs_person = error.code == Code::ReauthorizationNeeded.name();
    match grant {
        GrantType::ClientCredentials if needs_person => {
            ConnectorError { code: Code::TokenRefused.name().to_owned(), ..error }
        }
        _ => error,
    }
}

fn without_answer(error: HttpError) -> ConnectorError {
    let outcome = if error.sent { Outcome::Ambiguous } else { Outcome::NotApplied };
    let message = error.message.replace("the target", "the authorization server");
    ConnectorError::new(outcome, error.code.name(), message)
}

fn request(question: &Question<'_>) -> Result<Request, ConnectorError> {
    let oauth = question.oauth;
    let mut form = Form::default();
    match oauth.grant_type {
        GrantType::ClientCredentials => form.add("grant_type", "client_credentials"),
        GrantType::RefreshToken => form.add("grant_type", "refresh_token"),
    }
    if let Some(token) = question.refresh_token {
        form.add("refresh_token", token.reveal());
    }
    if !oauth.scopes.is_empty() {
        form.add("scope", &oauth.scopes.join(" "));
    }
    oauth.audience.iter().for_each(|audience| form.add("audience", audience));
    oauth.resource.iter().for_each(|resource| form.add("resource", resource));
    oauth.parameters.iter().for_each(|(name, value)| form.add(name, value));
    let proof = || {
        let missing = || {
            ConnectorError::new(Outcome::NotApplied, Code::SecretMissing.name(), "the client's secret cannot be had")
        };
        question.proof.ok_or_else(missing)
    };
    let mut authorization = None;
    match oauth.client_authentication {
        ClientAuthentication::Basic => {
            authorization = Some(basic(&encoded(&oauth.client_id), &encoded(proof()?.reveal())))
        }
        ClientAuthentication::Post => {
            form.add("client_id", &oauth.client_id);
            form.add("client_secret", proof()?.reveal());
        }
        ClientAuthentication::PrivateKeyJwt => {
            let assertion = assertion::signed(oauth, proof()?, question.id, question.now)
                .map_err(|fault| ConnectorError::new(Outcome::NotApplied, fault.code.name(), fault.message))?;
            form.add("client_id", &oauth.client_id);
            form.add("client_assertion_type", ASSERTION_TYPE);
            form.add("client_assertion", assertion.reveal());
        }
        ClientAuthentication::None => form.add("client_id", &oauth.client_id),
    }
    Ok(Request {
        method: Method::Post,
        url: oauth.token_endpoint.clone(),
        headers: vec![
            ("accept", "application/json".to_owned()),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ],
        authorization,
        body: Some(form.0.as_bytes().to_vec()),
        timeout: question.timeout,
    })
}

/// The header of a user name and a password (RFC 7617 §2).
pub(crate) fn basic(username: &str, password: &str) -> Secret {
    let pair = Zeroizing::new(format!("{username}:{password}"));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// A form that is wiped on drop.
#[derive(Default)]
struct Form(Zeroizing<String>);

impl Form {
    fn add(&mut self, name: &str, value: &str) {
        let separator = if self.0.is_empty() { "" } else { "&" };
        let pair = Zeroizing::new(format!("{separator}{}={}", *encoded(name), *encoded(value)));
        self.0.push_str(&pair);
    }
}

/// As forms have it (RFC 6749 appendix B).
fn encoded(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len()));
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => encoded.push(char::from(byte)),
            // Writing to a text cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(settings: serde_json::Value, refresh: Option<&str>) -> Request {
        let mut oauth = json!({"token_endpoint": "https://id.example.com/token", "client_id": "a b", "grant_type": "client_credentials"});
        oauth.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let oauth: OAuth = serde_json::from_value(oauth).unwrap();
        let refresh = refresh.map(Secret::new);
        let question = Question {
            oauth: &oauth,
            proof: Some(&Secret::new("s&=c \u{fc}")),
            refresh_token: refresh.as_ref(),
            id: "id-1",
            now: Timestamp::from_micros(0),
            timeout: Period::from_seconds(1),
        };
        request(&question).unwrap()
    }

    fn body(request: &Request) -> &str {
        std::str::from_utf8(request.body.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn the_form_has_everything_that_is_set_and_the_client_in_the_header_is_encoded_twice() {
        let request = asked(
            json!({"scopes": ["scim", "write"], "audience": "https://crm.example.com/", "resource": ["urn:a", "urn:b"],
                "parameters": {"tenant": "x y"}}),
            None,
        );
        assert_eq!(
            body(&request),
            "grant_type=client_credentials&scope=scim+write&audience=https%3A%2F%2Fcrm.example.com%2F\
             &resource=urn%3Aa&resource=urn%3Ab&tenant=x+y"
        );
        let header = request.authorization.as_ref().unwrap().reveal().strip_prefix("Basic ").unwrap().to_owned();
        assert_eq!(STANDARD.decode(header).unwrap(), b"a+b:s%26%3Dc+%C3%BC");
        assert_eq!(request.headers[1].1, "application/x-www-form-urlencoded");
    }

    #[test]
    fn a_client_without_a_secret_shows_its_id_and_the_refresh_token() {
        let settings = json!({"grant_type": "refresh_token", "client_authentication": "none"});
        let request = asked(settings, Some("r+1"));
        assert_eq!(body(&request), "grant_type=refresh_token&refresh_token=r%2B1&client_id=a+b");
        assert_eq!(request.authorization, None);
        assert!(!format!("{request:?}").contains("r%2B1"));
        let post = asked(json!({"client_authentication": "post"}), None);
        assert!(body(&post).ends_with("client_id=a+b&client_secret=s%26%3Dc+%C3%BC"));
    }
}
