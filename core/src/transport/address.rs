//! Which addresses may be called. A definition is written by one person and run with the rights of another machine: without
//! this check it could be pointed at the cloud's metadata service or at a neighbour in the private network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The rule for addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Whether addresses in private networks may be called.
    pub allow_private: bool,
}

impl AddressPolicy {
    /// Whether `address`, to which `host` was resolved, may be called. Link-local, metadata, multicast and reserved
    /// addresses never are; a loopback address is where the host itself says so (`localhost`, `127.0.0.1`, `[::1]`), so
    /// that no other name can lead there.
    pub fn allows(self, host: &str, address: IpAddr) -> bool {
        match reach(address) {
            Reach::Public => true,
            Reach::Private => self.allow_private,
            Reach::Loopback => self.allow_private || is_loopback_host(host),
            Reach::Never => false,
        }
    }

    /// Whether a proxy may be asked for a connection to `host`. It resolves names itself, so that only what is an address by
    /// its own words can be told; what means the machine itself would be the proxy's.
    pub(super) fn allows_by_proxy(self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return match reach(address) {
                Reach::Public => true,
                Reach::Private => self.allow_private,
                Reach::Loopback | Reach::Never => false,
            };
        }
        // A number in another form is an address too (WHATWG URL §3.5).
        let last = bare.rsplit('.').next().unwrap_or_default();
        let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
            || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        !is_number && !last.eq_ignore_ascii_case("localhost")
    }
}

/// Whether `host` is the machine itself by its own words.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

enum Reach {
    Public,
    Private,
    Loopback,
    Never,
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_of_v4(address),
        IpAddr::V6(address) => reach_of_v6(address),
    }
}

fn reach_of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [127, ..] => Reach::Loopback,
        // The metadata services of Alibaba and Oracle stand in ranges that are otherwise private.
        [100, 100, 100, 200] | [192, 0, 0, 192] => Reach::Never,
        // «This network», link-local (with the metadata service of most clouds), multicast, reserved, broadcast.
        [0, ..] | [169, 254, ..] | [224..=255, ..] => Reach::Never,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..] => {
            Reach::Private
        }
        _ => Reach::Public,
    }
}

fn reach_of_v6(address: Ipv6Addr) -> Reach {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        reach_of_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        _ if address == Ipv6Addr::LOCALHOST => Reach::Loopback,
        _ if address == Ipv6Addr::UNSPECIFIED => Reach::Never,
        // An IPv4 address in disguise: mapped, compatible, translated (NAT64), and 6to4.
        (0, 0) if (c, d, e) == (0, 0, 0) && (f == 0xffff || f == 0) => v4(g, h),
        (0, 0) if (c, d, e, f) == (0, 0, 0xffff, 0) => v4(g, h),
        (0x64, 0xff9b) => v4(g, h),
        (0x2002, _) => v4(b, c),
        // Teredo hides an address as well; nobody serves SCIM over it.
        (0x2001, 0) => Reach::Never,
        // The metadata service of AWS.
        (0xfd00, 0xec2) => Reach::Never,
        (0xfe80..=0xfebf, _) | (0xff00..=0xffff, _) => Reach::Never,
        (0xfc00..=0xfdff, _) | (0xfec0..=0xfeff, _) => Reach::Private,
        _ => Reach::Public,
    }
}
