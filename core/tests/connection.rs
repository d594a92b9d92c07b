//! How connections are made: TLS with authorities of one's own and client certificates against a server of TLS, and a proxy
//! against a server of CONNECT. The certificates are those of `tests/data/tls`.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::http::{Http, HttpError, Method, Request, Response};
use rollkeeper::model::TlsVersion;
use rollkeeper::transport::{ProxyOptions, TlsOptions, Transport, TransportOptions};
use rollkeeper::{Code, Engine, Fault, Period, Secret};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

fn file(name: &str) -> String {
    format!("{}/../tests/data/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn pem(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// A server with that certificate, which speaks those versions and asks for a client's certificate or not.
fn config(certificate: &str, versions: &[&'static SupportedProtocolVersion], asks: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
    let builder = if asks {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem("authority.pem").as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_slice(pem(&format!("{certificate}.pem")).as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pem(&format!("{certificate}.key")).as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

fn usual() -> Arc<ServerConfig> {
    config("server", rustls::ALL_VERSIONS, false)
}

/// Serves TLS; tells each request line that it read.
fn serve(config: Arc<ServerConfig>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || {
                while connection.is_handshaking() {
                    if connection.complete_io(&mut stream).is_err() {
                        // The alert goes out, and what the client sent meanwhile is taken, so that it arrives.
                        let _ = connection.write_tls(&mut stream);
                        let _ = stream.shutdown(std::net::Shutdown::Write);
                        let _ = stream.read_to_end(&mut Vec::new());
                        return;
                    }
                }
                let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if stream.read_line(&mut head).unwrap_or(0) == 0 {
                        return;
                    }
                }
                sender.send(head.lines().next().unwrap().to_owned()).unwrap_or_default();
                let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                let _ = stream.get_mut().flush();
                let _ = stream.read(&mut [0]);
            });
        }
    });
    (port, seen)
}

fn request(method: Method, url: String) -> Request {
    Request { method, url, headers: Vec::new(), authorization: None, body: None, timeout: Period::from_seconds(20) }
}

fn ask(options: TransportOptions, port: u16) -> Result<Response, HttpError> {
    Transport::new(options).unwrap().send(&request(Method::Delete, format!("https://127.0.0.1:{port}/Users/1")))
}

/// Trusts the authority of the tests.
fn trusting() -> TlsOptions {
    TlsOptions { ca_certificates: Some(pem("authority.pem")), ..TlsOptions::default() }
}

fn by(tls: TlsOptions) -> TransportOptions {
    TransportOptions { tls, ..TransportOptions::default() }
}

fn known_as(name: &str) -> TlsOptions {
    TlsOptions {
        client_certificate: Some(pem(&format!("{name}.pem"))),
        private_key: Some(Secret::new(pem(&format!("{name}.key")))),
        ..trusting()
    }
}

/// The failure, which must be known not to have been sent.
fn unsent(answer: Result<Response, HttpError>) -> (Code, String) {
    let error = answer.unwrap_err();
    assert!(!error.sent, "{error:?}");
    (error.code, error.message)
}

fn tls_failed(answer: Result<Response, HttpError>, why: &str) {
    let (code, message) = unsent(answer);
    assert_eq!(code, Code::TlsFailed, "{message}");
    assert!(message.contains(why), "{message}");
}

#[test]
fn an_authority_of_ones_own_is_trusted_and_no_other_is() {
    let (port, seen) = serve(usual());
    assert_eq!(ask(by(trusting()), port).unwrap().status, 200);
    assert_eq!(seen.recv().unwrap(), "DELETE /Users/1 HTTP/1.1");
    let other = TlsOptions { ca_certificates: Some(pem("stranger.pem")), ..TlsOptions::default() };
    tls_failed(ask(by(other.clone()), port), "no trusted authority");
    let both = TlsOptions { ca_certificates: Some(pem("stranger.pem") + &pem("authority.pem")), ..other };
    assert_eq!(ask(by(both), port).unwrap().status, 200);
    assert_eq!(seen.try_iter().count(), 1);
}

#[test]
fn the_systems_authorities_do_not_vouch_for_an_authority_of_ones_own() {
    let (port, seen) = serve(usual());
    let (code, _) = unsent(ask(by(TlsOptions::default()), port));
    assert_eq!(code, Code::TlsFailed);
    assert_eq!(seen.try_iter().count(), 0);
}

#[test]
fn an_expired_certificate_and_one_for_another_name_are_refused() {
    let (expired, _seen) = serve(config("expired", rustls::ALL_VERSIONS, false));
    tls_failed(ask(by(trusting()), expired), "has expired");
    let (other_name, _seen) = serve(config("other_name", rustls::ALL_VERSIONS, false));
    tls_failed(ask(by(trusting()), other_name), "for another name");
}

#[test]
fn a_client_is_known_by_its_certificate() {
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let (port, seen) = serve(config("server", versions, true));
        assert_eq!(ask(by(known_as("client")), port).unwrap().status, 200);
        assert_eq!(seen.recv().unwrap(), "DELETE /Users/1 HTTP/1.1");
        tls_failed(ask(by(trusting()), port), "client certificate");
        tls_failed(ask(by(known_as("unknown_client")), port), "client certificate");
        assert_eq!(seen.try_iter().count(), 0);
    }
}

#[test]
fn a_certificate_that_nobody_asks_for_does_no_harm() {
    let (port, _seen) = serve(usual());
    assert_eq!(ask(by(known_as("client")), port).unwrap().status, 200);
}

#[test]
fn an_older_version_of_tls_than_asked_for_is_not_spoken() {
    let newest = TlsOptions { minimum_version: TlsVersion::V1_3, ..trusting() };
    let (old, seen) = serve(config("server", &[&rustls::version::TLS12], false));
    tls_failed(ask(by(newest.clone()), old), "no version of TLS");
    assert_eq!(seen.try_iter().count(), 0);
    assert_eq!(ask(by(trusting()), old).unwrap().status, 200);
    let (new, _seen) = serve(config("server", &[&rustls::version::TLS13], false));
    assert_eq!(ask(by(newest), new).unwrap().status, 200);
}

/// What a client says first names the versions that it speaks (RFC 8446 §4.2.1).
#[test]
fn tls_1_1_is_never_offered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut hello).unwrap();
        // A hello of TLS 1.1, to which a client that speaks it would answer: version, random, session, cipher, compression.
        let body: Vec<u8> = [&[3, 2][..], &[7; 32], &[0], &[0xc0, 0x13], &[0]].concat();
        let length = u8::try_from(body.len()).unwrap();
        let message: Vec<u8> = [&[0x16, 3, 2, 0, length + 4, 2, 0, 0, length][..], &body].concat();
        stream.write_all(&message).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        hello
    });
    tls_failed(ask(by(trusting()), port), "");
    let hello = server.join().unwrap();
    let versions = hello.windows(4).find(|bytes| bytes[..3] == [0, 43, 0]).map(|_| ());
    assert!(versions.is_some());
    let offered = |version: u8| {
        hello.windows(9).any(|bytes| bytes[..2] == [0, 43] && bytes[5..9].chunks(2).any(|one| one == [3, version]))
    };
    assert!(offered(4) && offered(3) && !offered(2) && !offered(1));
}

#[test]
fn certificates_and_keys_that_cannot_be_used_are_told_before_anything_is_sent() {
    let fault = |tls: TlsOptions| Transport::new(by(tls)).map(drop).unwrap_err();
    let check = |fault: Fault, place: &str, why: &str| {
        assert_eq!((fault.code, fault.attribute.as_deref()), (Code::InvalidArgument, Some(place)));
        assert!(fault.message.contains(why), "{}", fault.message);
        assert!(!fault.message.contains("BEGIN"));
    };
    let of = |ca: &str| TlsOptions { ca_certificates: Some(ca.to_owned()), ..TlsOptions::default() };
    let junk = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    check(fault(of("")), "connector.tls.ca_certificates", "as PEM");
    check(fault(of(junk)), "connector.tls.ca_certificates", "cannot be read");
    let key = "connector.tls.private_key";
    let with_key = |text: String| TlsOptions { private_key: Some(Secret::new(text)), ..known_as("client") };
    check(fault(with_key(pem("server.key"))), key, "is not the key of");
    check(fault(with_key("canary".to_owned())), key, "not encrypted");
    let certificate = TlsOptions { client_certificate: Some(junk.to_owned()), ..known_as("client") };
    check(fault(certificate), "connector.tls.client_certificate", "cannot be read");
}

/// A proxy that opens connections, or answers with a status.
fn proxy(answer: Option<&'static str>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap_or(0) > 0 {}
            sender.send(head.clone()).unwrap_or_default();
            let mut client = stream.into_inner();
            if let Some(answer) = answer {
                let _ = client.write_all(answer.as_bytes());
                continue;
            }
            let target = head.split(' ').nth(1).unwrap_or_default().rsplit(':').next().unwrap().parse::<u16>().unwrap();
            let mut target = TcpStream::connect(("127.0.0.1", target)).unwrap();
            let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
            let (mut from, mut to) = (client.try_clone().unwrap(), target.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut target, &mut client));
        }
    });
    (port, seen)
}

fn through(port: u16, credentials: Option<(&str, &str)>) -> TransportOptions {
    let credentials = credentials.map(|(name, password)| (name.to_owned(), Secret::new(password)));
    let proxy = Some(ProxyOptions { url: format!("http://127.0.0.1:{port}"), credentials });
    TransportOptions { proxy, ..by(trusting()) }
}

fn ask_by_proxy(options: TransportOptions, host: &str, port: u16) -> Result<Response, HttpError> {
    Transport::new(options).unwrap().send(&request(Method::Delete, format!("https://{host}:{port}/Users/1")))
}

#[test]
fn a_proxy_is_asked_for_the_target_by_its_name_and_reads_nothing_else() {
    let (target, _seen) = serve(config("other_name", rustls::ALL_VERSIONS, false));
    let (port, seen) = proxy(None);
    let answer = ask_by_proxy(through(port, Some(("an:n", "pass word"))), "other.example", target).unwrap();
    assert_eq!(answer.status, 200);
    let head = seen.recv().unwrap();
    assert!(head.starts_with(&format!("CONNECT other.example:{target} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic YW46bjpwYXNzIHdvcmQ=\r\n"), "{head}");
    let shown = format!("{:?}", Transport::new(through(port, Some(("ann", "canary")))).unwrap());
    assert!(!shown.contains("canary") && shown.contains("ann"), "{shown}");
    let silent = ask_by_proxy(through(port, None), "other.example", target).unwrap();
    assert_eq!(silent.status, 200);
    assert!(!seen.recv().unwrap().contains("Authorization"));
}

#[test]
fn a_proxy_does_not_loosen_what_is_trusted() {
    let (target, seen) = serve(usual());
    let (port, _heads) = proxy(None);
    tls_failed(ask_by_proxy(through(port, None), "other.example", target), "for another name");
    assert_eq!(seen.try_iter().count(), 0);
}

#[test]
fn a_proxy_that_refuses_or_is_not_there_is_told_as_such() {
    for (answer, why) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "credentials"),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "does not allow"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "could not reach the target"),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "refused"),
        ("gibberish\r\n\r\n", ""),
        ("", ""),
    ] {
        let (port, _seen) = proxy(Some(answer));
        let (code, message) = unsent(ask_by_proxy(through(port, Some(("ann", "canary"))), "crm.example.com", 443));
        assert_eq!(code, Code::ProxyFailed, "{answer:?}");
        assert!(message.contains(why) && !message.contains("canary"), "{message}");
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (code, message) = unsent(ask_by_proxy(through(gone, None), "crm.example.com", 443));
    assert_eq!((code, message.as_str()), (Code::ProxyFailed, "the proxy could not be reached"));
    let mut nameless = through(gone, None);
    nameless.proxy = Some(ProxyOptions { url: "http://no-such-host.invalid:3128".to_owned(), credentials: None });
    let (code, message) = unsent(ask_by_proxy(nameless, "crm.example.com", 443));
    assert_eq!((code, message.as_str()), (Code::ProxyFailed, "the proxy's name could not be resolved"));
}

#[test]
fn what_a_proxy_would_take_for_an_address_inside_is_not_asked_of_it() {
    let (port, seen) = proxy(None);
    for url in [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://crm.localhost/",
        "https://localhost./",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "http://crm.example.com/",
    ] {
        let transport = Transport::new(through(port, None)).unwrap();
        let (code, _) = unsent(transport.send(&request(Method::Get, url.to_owned())));
        assert_eq!(code, Code::BlockedAddress, "{url}");
    }
    let mut open = through(port, None);
    open.allow_private = true;
    let (code, _) = unsent(ask_by_proxy(open, "127.0.0.1", 443));
    assert_eq!(code, Code::BlockedAddress, "the proxy's own machine");
    assert_eq!(seen.try_iter().count(), 0);
}

#[test]
fn the_address_of_a_proxy_passes_the_guard() {
    for host in ["10.0.0.1", "169.254.169.254", "[fd00::1]"] {
        let proxy = Some(ProxyOptions { url: format!("http://{host}:3128"), credentials: None });
        let options = TransportOptions { proxy, ..TransportOptions::default() };
        let (code, message) = unsent(ask_by_proxy(options, "crm.example.com", 443));
        assert_eq!(code, Code::BlockedAddress, "{host}");
        assert!(message.contains("proxy"), "{message}");
    }
}

#[test]
fn an_app_is_connected_with_the_certificates_that_it_names_once_they_are_there() {
    let (port, seen) = serve(config("server", rustls::ALL_VERSIONS, true));
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    let (name, key) = (pem("client.pem"), Secret::new(pem("client.key")));
    let engine = Engine::builder().key([7; 32]).path(folder.path().join("state.db")).open().unwrap();
    let app = serde_json::json!({
        "id": "crm", "enabled": false, "create_without_match": true,
        "mapping": [{"target": "userName", "source": "username"}],
        "connector": {"kind": "scim", "base_url": format!("https://127.0.0.1:{port}"), "tls": {
            "ca_certificates": {"file": authority}, "client_certificate": {"pem": name},
            "private_key": {"sealed": "key"}, "minimum_version": "1.3",
        }},
    });
    engine.put_app(rollkeeper::model::App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    let known = engine.credentials("crm").unwrap();
    let states: Vec<_> = known.secrets.iter().map(|one| (one.field.as_str(), one.available)).collect();
    assert_eq!(states, [("tls.private_key", false), ("tls.ca_certificates", false)]);
    assert!(!known.ready);
    std::fs::copy(file("authority.pem"), &authority).unwrap();
    engine.set_secret("crm", "key", Some(&key), None).unwrap();
    assert!(engine.credentials("crm").unwrap().ready);
    // The answer is no listing, but it came.
    let test = engine.test_app("crm").unwrap();
    assert_eq!(test.fault.map(|fault| fault.code), Some(Code::InvalidAnswer));
    assert!(seen.try_iter().count() > 0);
    drop(engine);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let secret = pem("client.key").lines().nth(1).unwrap().as_bytes().to_vec();
        assert!(!bytes.windows(secret.len()).any(|found| found == secret));
    }
}

/// An engine with an app of that connector; its secrets are those that are named here, and none before.
fn engine_of(connector: &serde_json::Value) -> Engine {
    let engine = Engine::builder().key([7; 32]).open().unwrap();
    let app = serde_json::json!({
        "id": "crm", "enabled": false, "create_without_match": true,
        "mapping": [{"target": "userName", "source": "username"}], "connector": connector,
    });
    engine.put_app(rollkeeper::model::App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    engine
}

/// Why the target of [`engine_of`] cannot be used; what the servers here answer is no listing.
fn tested(engine: &Engine) -> Option<Code> {
    engine.test_app("crm").unwrap().fault.map(|fault| fault.code)
}

#[test]
fn an_app_speaks_no_older_version_of_tls_than_it_says() {
    let (port, seen) = serve(config("server", &[&rustls::version::TLS12], false));
    let mut connector = serde_json::json!({"kind": "scim", "base_url": format!("https://127.0.0.1:{port}"),
        "tls": {"ca_certificates": {"pem": pem("authority.pem")}, "minimum_version": "1.3"}});
    assert_eq!(tested(&engine_of(&connector)), Some(Code::TlsFailed));
    assert_eq!(seen.try_iter().count(), 0);
    connector["tls"]["minimum_version"] = "1.2".into();
    assert_eq!(tested(&engine_of(&connector)), Some(Code::InvalidAnswer));
}

#[test]
fn an_app_whose_key_is_not_there_sends_nothing_without_it() {
    let (port, seen) = serve(usual());
    let engine = engine_of(&serde_json::json!({"kind": "scim", "base_url": format!("https://127.0.0.1:{port}"),
        "tls": {"ca_certificates": {"pem": pem("authority.pem")}, "client_certificate": {"pem": pem("client.pem")},
            "private_key": {"sealed": "key"}}}));
    assert_eq!(tested(&engine), Some(Code::SecretMissing));
    assert_eq!(seen.try_iter().count(), 0);
    engine.set_secret("crm", "key", Some(&Secret::new(pem("client.key"))), None).unwrap();
    assert_eq!(tested(&engine), Some(Code::InvalidAnswer));
}

#[test]
fn an_app_goes_through_its_proxy_with_the_credentials_that_it_names() {
    let (target, seen) = serve(config("other_name", rustls::ALL_VERSIONS, false));
    let (port, heads) = proxy(None);
    let engine = engine_of(&serde_json::json!({"kind": "scim", "base_url": format!("https://other.example:{target}"),
        "tls": {"ca_certificates": {"pem": pem("authority.pem")}},
        "proxy": {"url": format!("http://127.0.0.1:{port}"), "username": "ann", "password": {"sealed": "password"}}}));
    assert_eq!(tested(&engine), Some(Code::SecretMissing));
    assert_eq!((heads.try_iter().count(), seen.try_iter().count()), (0, 0));
    engine.set_secret("crm", "password", Some(&Secret::new("pass word")), None).unwrap();
    assert_eq!(tested(&engine), Some(Code::InvalidAnswer));
    let head = heads.recv().unwrap();
    assert!(head.starts_with(&format!("CONNECT other.example:{target} ")), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic YW5uOnBhc3Mgd29yZA==\r\n"), "{head}");
    assert!(seen.try_iter().count() > 0);
}

#[test]
fn an_app_calls_private_addresses_only_where_it_says_so() {
    // Nobody listens there; whether it is tried is what differs.
    let mut connector = serde_json::json!({"kind": "scim", "base_url": "https://0x7f000001:1"});
    assert_eq!(tested(&engine_of(&connector)), Some(Code::BlockedAddress));
    connector["allow_private_addresses"] = true.into();
    assert_eq!(tested(&engine_of(&connector)), Some(Code::Unreachable));
}
