//! Where the gateway listens, and what it puts up with there.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::read::{Valid, Value};
use crate::report::{Diagnostic, Place};

pub(crate) const LISTENER_KEYS: &[&str] = &["address", "domain", "tls", "limits"];
pub(crate) const ADMIN_KEYS: &[&str] = &["address"];
pub(crate) const TLS_KEYS: &[&str] = &["certificate", "key"];
pub(crate) const LIMITS_KEYS: &[&str] = &[
    "connections",
    "header_bytes",
    "header_timeout",
    "idle_timeout",
    "body_timeout",
    "drain_timeout",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub address: SocketAddr,
    /// The names under which buckets are addressed as `<bucket>.<domain>`, in lower case.
    pub domains: Vec<String>,
    pub tls: Option<Tls>,
    pub limits: Limits,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// A chain of certificates in PEM, that of the server first.
    pub certificate: PathBuf,
    /// The private key of the first certificate, in PEM.
    pub key: PathBuf,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub connections: usize,
    pub header_bytes: usize,
    /// From the first byte of a request's head to its last.
    pub header_timeout: Duration,
    /// A connection without a request.
    pub idle_timeout: Duration,
    /// A body of which no byte comes.
    pub body_timeout: Duration,
    /// What a shutdown allows for requests that have begun.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_bytes: 32 << 10,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The private listener for health and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    pub address: SocketAddr,
    pub place: Place,
}

impl Tls {
    pub(crate) fn check_files(&self) -> Vec<Diagnostic> {
        let files = [("certificate", &self.certificate), ("key", &self.key)];
        files
            .into_iter()
            .filter(|(_, path)| !path.is_file())
            .map(|(what, path)| {
                let message = format!("there is no {what} file {}", path.display());
                let help = "relative paths start at the directory of this file";
                self.place.complain(message, help)
            })
            .collect()
    }
}

pub(crate) fn listeners(
    value: &Value<'_>,
    base: &Path,
    listen: Option<SocketAddr>,
    addresses: &Addresses,
) -> Valid<Vec<Listener>> {
    let mut listen = listen;
    value.filled_list("add `- address: 127.0.0.1:9000`", |value| {
        listener(value, base, listen.take(), addresses)
    })
}

fn listener(
    value: &Value<'_>,
    base: &Path,
    listen: Option<SocketAddr>,
    addresses: &Addresses,
) -> Valid<Listener> {
    let fields = value.fields(LISTENER_KEYS)?;
    let address = fields.required("address", "127.0.0.1:9000", |value| {
        address(value, listen, addresses)
    });
    let domains = fields.or("domain", Vec::new(), |value| match value.is_scalar() {
        true => Ok(vec![domain(value)?]),
        false => value.filled_list("name a domain, or leave the key out", domain),
    });
    let tls = fields.optional("tls", |value| tls(value, base));
    let limits = fields.or("limits", Limits::default(), limits);
    Ok(Listener {
        address: address?,
        domains: domains?,
        tls: tls?,
        limits: limits?,
        place: value.place(),
    })
}

pub(crate) fn admin(
    value: &Value<'_>,
    listen: Option<SocketAddr>,
    addresses: &Addresses,
) -> Valid<Admin> {
    let fields = value.fields(ADMIN_KEYS)?;
    let address = fields.required("address", "127.0.0.1:9001", |value| {
        address(value, listen, addresses)
    });
    Ok(Admin {
        address: address?,
        place: value.place(),
    })
}

fn address(
    value: &Value<'_>,
    instead: Option<SocketAddr>,
    addresses: &Addresses,
) -> Valid<SocketAddr> {
    let help = "write an IP address and a port, such as 127.0.0.1:9000 or \"[::]:9000\"";
    let written: SocketAddr = value.parsed(help, |text| {
        text.parse()
            .map_err(|_| format!("`{text}` is not an address"))
    })?;
    let address = instead.unwrap_or(written);
    addresses.claim(value, address)?;
    Ok(address)
}

/// Addresses of which all can be listened on at the same time.
#[derive(Default)]
pub(crate) struct Addresses(RefCell<Vec<(SocketAddr, String, usize)>>);

impl Addresses {
    fn claim(&self, value: &Value<'_>, address: SocketAddr) -> Valid<()> {
        let mut claimed = self.0.borrow_mut();
        let clash = claimed.iter().find(|(other, ..)| clash(*other, address));
        if let Some((other, path, line)) = clash {
            let (message, help) = if *other == address {
                (
                    format!("`{address}` is already the address at `{path}` (line {line})"),
                    "every address is named once",
                )
            } else {
                (
                    format!(
                        "`{address}` and `{other}` at `{path}` (line {line}) exclude one another"
                    ),
                    "use another port: one of them stands for all addresses of this machine",
                )
            };
            return Err(value.fail(message, help));
        }
        claimed.push((address, value.path().to_owned(), value.line()));
        Ok(())
    }
}

fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    // `::` takes connections of both families, `0.0.0.0` those of its own.
    let all = |all: IpAddr, ip: IpAddr| {
        all.is_unspecified() && (all.is_ipv6() || all.is_ipv4() == ip.is_ipv4())
    };
    // Port 0 is another one each time.
    one.port() == other.port() && one.port() != 0 && (a == b || all(a, b) || all(b, a))
}

fn domain(value: &Value<'_>) -> Valid<String> {
    let help = "write a host name such as `s3.example.com`, without a port and without `*.`";
    value.parsed(help, |text| {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let valid = text.len() <= 253 && text.split('.').all(label);
        match valid && text.parse::<IpAddr>().is_err() {
            true => Ok(text.to_ascii_lowercase()),
            false => Err(format!("`{text}` is not a domain")),
        }
    })
}

fn tls(value: &Value<'_>, base: &Path) -> Valid<Tls> {
    let fields = value.fields(TLS_KEYS)?;
    let path = |value: &Value<'_>| Ok(base.join(value.text()?));
    let certificate = fields.required("certificate", "cert.pem", path);
    let key = fields.required("key", "key.pem", path);
    Ok(Tls {
        certificate: certificate?,
        key: key?,
        place: value.place(),
    })
}

fn limits(value: &Value<'_>) -> Valid<Limits> {
    let fields = value.fields(LIMITS_KEYS)?;
    let timeout = |name, default, min_ms| {
        fields.or(name, default, |value| {
            value.duration(Duration::from_millis(min_ms)..=Duration::from_secs(3600))
        })
    };
    let default = Limits::default();
    let connections = fields.or("connections", default.connections, |value| {
        value.count(1..=1_000_000)
    });
    let header_bytes = fields.or("header_bytes", default.header_bytes, |value| {
        value.size(8 << 10..=1 << 20)
    });
    let header_timeout = timeout("header_timeout", default.header_timeout, 100);
    let idle_timeout = timeout("idle_timeout", default.idle_timeout, 100);
    let body_timeout = timeout("body_timeout", default.body_timeout, 100);
    let drain_timeout = timeout("drain_timeout", default.drain_timeout, 0);
    Ok(Limits {
        connections: connections?,
        header_bytes: header_bytes?,
        header_timeout: header_timeout?,
        idle_timeout: idle_timeout?,
        body_timeout: body_timeout?,
        drain_timeout: drain_timeout?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_excludes_those_that_it_stands_for() {
        for (one, other, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "0.0.0.0:2", false),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::]:1", "[::1]:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "0.0.0.0:1", true),
            ("[::1]:1", "127.0.0.1:1", false),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
        ] {
            let (a, b) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(clash(a, b), expected, "{one} {other}");
            assert_eq!(clash(b, a), expected, "{other} {one}");
        }
    }
}
