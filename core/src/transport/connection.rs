//! How connections come about: names are resolved at most once in half a minute, every address is checked, and what fails
//! before a connection stands is marked as such. ureq's parts used here are outside its promise of stability, hence the
//! tilde in the dependency.

use super::address::{AddressPolicy, is_loopback_host};
use super::{proxy, tls};
use crate::fault::Code;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

/// How long an address is believed.
const BELIEVED: Duration = Duration::from_secs(30);
/// How many names are kept; an engine has far fewer targets.
const MOST_NAMES: usize = 1024;

/// A failure before the first byte of the request.
#[derive(Debug)]
pub(super) struct BeforeSending {
    pub(super) code: Code,
    pub(super) message: &'static str,
}

impl fmt::Display for BeforeSending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message)
    }
}

impl std::error::Error for BeforeSending {}

fn before_sending(code: Code, message: &'static str) -> ureq::Error {
    ureq::Error::Other(Box::new(BeforeSending { code, message }))
}

/// Whether the proxy may be asked for a connection to the host of `url`.
pub(super) fn check_for_proxy(policy: AddressPolicy, url: &str) -> Result<(), ureq::Error> {
    let uri: Uri = url.parse().map_err(|_| before_sending(Code::InvalidUrl, "the URL is not valid"))?;
    let host = uri.host().unwrap_or_default();
    if uri.scheme() == Some(&Scheme::HTTPS) && policy.allows_by_proxy(host) {
        return Ok(());
    }
    Err(before_sending(Code::BlockedAddress, "the target's address is not one that may be called through a proxy"))
}

/// Resolves names, remembers the answers, checks every address. ureq asks for the address on every request, also where a
/// kept connection serves it; without the memory each request would be a look-up, and a thread to bound it.
pub(super) struct CachingResolver<R = DefaultResolver> {
    policy: AddressPolicy,
    system: R,
    known: Mutex<HashMap<String, (ResolvedSocketAddrs, Instant)>>,
}

impl<R> CachingResolver<R> {
    pub(super) fn new(policy: AddressPolicy, system: R) -> Self {
        Self { policy, system, known: Mutex::new(HashMap::new()) }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (ResolvedSocketAddrs, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `proxied` says that the addresses are those of the proxy, which ureq asks for in place of the target's. What goes
    /// through it is encrypted all the same.
    fn check(&self, uri: &Uri, addresses: &ResolvedSocketAddrs, proxied: bool) -> Result<(), ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let clear = uri.scheme() != Some(&Scheme::HTTPS) && !proxied;
        for address in addresses.iter() {
            if !self.policy.allows(host, address.ip()) {
                let message = if proxied {
                    "the proxy's address is not one that may be called; `allow_private_addresses` opens private networks"
                } else {
                    "the target's address is not one that may be called"
                };
                return Err(before_sending(Code::BlockedAddress, message));
            }
            if clear && !(is_loopback_host(host) && address.ip().to_canonical().is_loopback()) {
                return Err(before_sending(Code::BlockedAddress, "`http` is for the machine itself, use `https`"));
            }
        }
        Ok(())
    }
}

impl<R> fmt::Debug for CachingResolver<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CachingResolver").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl<R: Resolver> Resolver for CachingResolver<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let key = match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) => DefaultResolver::host_and_port(scheme, authority),
            _ => None,
        };
        let key = key.ok_or_else(|| before_sending(Code::InvalidUrl, "the URL has no host"))?;
        let proxied = config.proxy().is_some();
        if let Some((addresses, since)) = self.known().get(&key)
            && since.elapsed() < BELIEVED
        {
            // The scheme is not part of the key, so that the rule for `http` is checked again.
            self.check(uri, addresses, proxied)?;
            return Ok(addresses.clone());
        }
        let addresses = self.system.resolve(uri, config, timeout).map_err(|error| match error {
            _ if proxied => before_sending(Code::ProxyFailed, "the proxy's name could not be resolved"),
            ureq::Error::Timeout(_) => before_sending(Code::Timeout, "the target's name was not resolved in time"),
            _ => before_sending(Code::Unreachable, "the target's name could not be resolved"),
        })?;
        self.check(uri, &addresses, proxied)?;
        let mut known = self.known();
        if known.len() >= MOST_NAMES {
            known.clear();
        }
        known.insert(key, (addresses.clone(), Instant::now()));
        Ok(addresses)
    }
}

/// ureq's own connector, TLS handshake included, with its failures marked: none of them has sent a byte of the request.
#[derive(Debug, Default)]
pub(super) struct MarkingConnector(DefaultConnector);

impl Connector<()> for MarkingConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        self.0.connect(details, chained).map_err(|error| marked(error, details.config.proxy().is_some()))
    }
}

/// What kept a connection from coming about; `proxied` says whether it was to go through a proxy.
fn marked(error: ureq::Error, proxied: bool) -> ureq::Error {
    if let Some(error) = tls::behind(&error) {
        return before_sending(Code::TlsFailed, tls::message(error));
    }
    match error {
        // The connection to the proxy itself is made by the same connector, without a proxy.
        ureq::Error::Other(inner) => match inner.downcast::<BeforeSending>() {
            Ok(before) if before.code == Code::Unreachable => {
                before_sending(Code::ProxyFailed, "the proxy could not be reached")
            }
            Ok(before) => ureq::Error::Other(before),
            Err(_) => before_sending(Code::Unreachable, "the target could not be reached"),
        },
        ureq::Error::Timeout(_) => before_sending(Code::Timeout, "no connection to the target came about in time"),
        ureq::Error::ConnectProxyFailed(reason) => before_sending(Code::ProxyFailed, proxy::refusal(&reason)),
        ureq::Error::Tls(_) | ureq::Error::TlsRequired => before_sending(Code::TlsFailed, tls::FAILED),
        ureq::Error::Io(error) if error.get_ref().is_some_and(|inner| !inner.is::<ureq::Error>()) => {
            before_sending(Code::TlsFailed, tls::FAILED)
        }
        _ if proxied => before_sending(Code::ProxyFailed, "the connection through the proxy broke off"),
        _ => before_sending(Code::Unreachable, "the target could not be reached"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Answers these addresses, and counts how often it was asked. Look-ups and their threads happen behind it.
    #[derive(Debug)]
    struct Counting(Arc<AtomicUsize>, Vec<SocketAddr>);

    impl Resolver for Counting {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let mut addresses = self.empty();
            self.1.iter().for_each(|address| addresses.push(*address));
            Ok(addresses)
        }
    }

    fn resolver(addresses: &str) -> (CachingResolver<Counting>, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let addresses = addresses.split(' ').map(|address| address.parse().unwrap()).collect();
        let system = Counting(count.clone(), addresses);
        (CachingResolver::new(AddressPolicy { allow_private: false }, system), count)
    }

    fn resolve(resolver: &CachingResolver<Counting>, url: &str) -> Result<ResolvedSocketAddrs, ureq::Error> {
        resolver.resolve(&url.parse().unwrap(), &Config::default(), NextTimeout::default())
    }

    #[test]
    fn a_name_is_looked_up_once_for_many_requests() {
        let (resolver, count) = resolver("93.184.216.34:443");
        for _ in 0..100 {
            assert_eq!(resolve(&resolver, "https://target.example/Users").unwrap().len(), 1);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        resolve(&resolver, "https://other.example/Users").unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn an_address_is_believed_for_half_a_minute_and_then_checked_anew() {
        let (resolver, count) = resolver("10.0.0.1:443");
        let (public, _) = self::resolver("93.184.216.34:443");
        let answered = resolve(&public, "https://target.example/").unwrap();
        let age = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        resolver.known().insert("target.example:443".to_owned(), (answered.clone(), age(29)));
        assert!(resolve(&resolver, "https://target.example/").is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 0);
        // The name leads inside now.
        resolver.known().insert("target.example:443".to_owned(), (answered, age(31)));
        assert!(resolve(&resolver, "https://target.example/").is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_address_that_is_known_is_no_leave_for_clear_text() {
        let (resolver, count) = resolver("93.184.216.34:443");
        assert!(resolve(&resolver, "https://target.example:443/").is_ok());
        assert!(resolve(&resolver, "http://target.example:443/").is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_public_name_that_leads_inside_is_refused_and_not_remembered() {
        for address in [
            "127.0.0.1:443",
            "169.254.169.254:443",
            "10.0.0.1:443",
            "[::ffff:10.0.0.1]:443",
            "93.184.216.34:443 10.0.0.1:443",
        ] {
            let (resolver, count) = resolver(address);
            assert!(resolve(&resolver, "https://target.example/").is_err(), "{address}");
            assert!(resolve(&resolver, "https://target.example/").is_err(), "{address}");
            assert_eq!(count.load(Ordering::SeqCst), 2);
        }
    }

    #[test]
    fn clear_text_goes_to_the_machine_itself_alone() {
        let (public, _) = resolver("93.184.216.34:80");
        assert!(resolve(&public, "http://target.example/").is_err());
        assert!(resolve(&public, "http://localhost/").is_err());
        let (own, _) = resolver("127.0.0.1:80");
        assert!(resolve(&own, "http://localhost/").is_ok());
    }
}
