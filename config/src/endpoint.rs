//! What a plugin may reach outside of its sandbox: services to call, and secrets
//! to have computed with.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use http::{HeaderName, Method, Uri};

use crate::account::{self, NamedSecret, is_name};
use crate::address::is_public;
use crate::read::{Valid, Value};
use crate::report::Place;

pub(crate) const ENDPOINT_KEYS: &[&str] = &[
    "url",
    "methods",
    "timeout",
    "response",
    "private_addresses",
    "headers",
];

/// A service that a plugin may call by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    pub name: String,
    /// `http` or `https`, a host, and a path that the paths of calls are
    /// appended to; no user, no query.
    pub url: Uri,
    pub methods: Vec<Method>,
    /// From the beginning of a call to the last byte of the answer.
    pub timeout: Duration,
    /// The bytes of the largest answer.
    pub response: usize,
    /// Whether its host may be on this machine or in a private network.
    pub private_addresses: bool,
    /// What the gateway adds to each call: names in lower case.
    pub headers: Vec<NamedSecret>,
    pub place: Place,
}

pub(crate) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Headers that belong to the connection and not to the call.
pub(crate) const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn named(name: &str, value: &Value<'_>, what: &str) -> Valid<()> {
    match is_name(name, 64) {
        true => Ok(()),
        false => Err(value.fail(
            format!("`{name}` cannot name {what}"),
            "use 1 to 64 letters, digits, `-`, `_` and `.`",
        )),
    }
}

/// A secret that a plugin may name.
pub(crate) fn secret(name: &str, value: &Value<'_>, data: &Path) -> Valid<NamedSecret> {
    let named = named(name, value, "a secret");
    let reference = account::reference(value, data, account::check_secret);
    named?;
    Ok(NamedSecret {
        name: name.to_owned(),
        reference: reference?,
        check: account::check_secret,
        place: value.place(),
    })
}

pub(crate) fn endpoint(name: &str, value: &Value<'_>, data: &Path) -> Valid<Endpoint> {
    let named = named(name, value, "an endpoint");
    let fields = value.fields(ENDPOINT_KEYS)?;
    let private = fields.or("private_addresses", false, Value::boolean);
    let url = fields.required("url", "https://HOST/PATH/", |value| {
        let help = "write http:// or https://, a host, and the beginning of all paths: no user, \
                    query or fragment";
        let url = value.parsed(help, parse_url)?;
        // Of a name, only its addresses tell.
        let allowed = private.unwrap_or(true);
        if !allowed && host_address(&url).is_some_and(|address| !is_public(address)) {
            return Err(value.fail(
                "this address is on this machine, in a private network, or nobody's",
                "if the plugin may call it, add `private_addresses: true`",
            ));
        }
        Ok(url)
    });
    let methods = fields.or("methods", vec![Method::GET], |value| {
        value.filled_list("name a method, or leave the key out", |value| {
            value.choice("method", METHODS, |word| {
                METHODS.contains(&word).then(|| word.parse().ok()).flatten()
            })
        })
    });
    let timeout = fields.or("timeout", Duration::from_millis(500), |value| {
        value.duration(Duration::from_millis(1)..=Duration::from_secs(30))
    });
    let response = fields.or("response", 64 << 10, |value| value.size(0..=1 << 20));
    let headers = fields.or("headers", Vec::new(), |value| {
        value.named(|name, value| header(name, value, data))
    });
    named?;
    Ok(Endpoint {
        name: name.to_owned(),
        url: url?,
        methods: methods?,
        timeout: timeout?,
        response: response?,
        private_addresses: private?,
        headers: headers?,
        place: value.place(),
    })
}

fn parse_url(text: &str) -> Result<Uri, &'static str> {
    if text.contains('#') {
        return Err("a fragment is never sent");
    }
    let url: Uri = text.parse().map_err(|_| "this is not a URL")?;
    let scheme = url.scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https") {
        return Err("this does not begin with `http://` or `https://`");
    }
    let authority = url.authority().map_or("", http::uri::Authority::as_str);
    if authority.contains('@') {
        return Err("a user and a password would be shown wherever the URL is");
    }
    if url.host().unwrap_or_default().is_empty() || authority.ends_with(':') {
        return Err("this names no host, or no port after the colon");
    }
    if url.port().is_some_and(|port| port.as_u16() == 0) || authority_port_invalid(authority, &url)
    {
        return Err("there is no such port");
    }
    if url.query().is_some() {
        return Err("a query belongs to the calls of the plugin");
    }
    if url
        .path()
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Err("`.` and `..` mean another path than the one that is written");
    }
    Ok(url)
}

/// A port that is written and does not fit into its sixteen bits.
fn authority_port_invalid(authority: &str, url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let after_host = authority.strip_prefix(host).unwrap_or_default();
    after_host.starts_with(':') && url.port_u16().is_none()
}

fn host_address(url: &Uri) -> Option<IpAddr> {
    let host = url.host()?;
    if host.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    host.trim_matches(['[', ']']).parse().ok()
}

/// Whether what is sent there never leaves this machine.
pub(crate) fn is_on_this_machine(url: &Uri) -> bool {
    host_address(url).is_some_and(|address| address.to_canonical().is_loopback())
}

fn header(name: &str, value: &Value<'_>, data: &Path) -> Valid<NamedSecret> {
    let named = match HeaderName::from_lowercase(name.as_bytes()) {
        Err(_) => Err(value.fail(
            format!("`{name}` is not the name of a header in lower case"),
            "write a name such as `authorization`",
        )),
        Ok(_) if FRAMING.contains(&name) => Err(value.fail(
            format!("`{name}` is set by the gateway itself"),
            "remove it",
        )),
        Ok(_) => Ok(()),
    };
    let reference = account::reference(value, data, account::check_header);
    named?;
    Ok(NamedSecret {
        name: name.to_owned(),
        reference: reference?,
        check: account::check_header,
        place: value.place(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_an_endpoint_is_a_host_and_the_beginning_of_all_paths() {
        for (text, valid) in [
            ("http://opa:8181/v1/data/", true),
            ("https://example.com", true),
            ("https://example.com/a", true),
            ("https://[2001:db8::1]:8443/", true),
            ("ftp://example.com/", false),
            ("example.com/", false),
            ("//example.com/", false),
            ("/path", false),
            ("https://", false),
            ("https:///path", false),
            ("https://example.com:/", false),
            ("https://example.com:0/", false),
            ("https://example.com:70000/", false),
            ("https://me@example.com/", false),
            ("https://me:password@example.com/", false),
            ("https://example.com/?a=b", false),
            ("https://example.com/#a", false),
            ("https://example.com/a/../b", false),
            ("https://example.com/a b", false),
            ("", false),
        ] {
            assert_eq!(parse_url(text).is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn an_address_that_every_call_would_be_refused_for_is_known_as_such() {
        for (url, private) in [
            ("http://127.0.0.1/", Some(true)),
            ("http://localhost:8181/", Some(true)),
            ("http://10.1.2.3/", Some(true)),
            ("http://169.254.169.254/", Some(true)),
            ("http://[::1]/", Some(true)),
            ("http://[::ffff:10.0.0.1]/", Some(true)),
            ("http://[fd00::1]/", Some(true)),
            ("http://0.0.0.0/", Some(true)),
            ("http://100.64.0.1/", Some(true)),
            ("http://198.18.0.1/", Some(true)),
            ("http://224.0.0.1/", Some(true)),
            ("http://[64:ff9b::10.0.0.1]/", Some(true)),
            ("http://192.0.2.1/", Some(true)),
            ("http://1.1.1.1/", Some(false)),
            ("http://[2606:4700:4700::1111]/", Some(false)),
            ("http://example.com/", None),
        ] {
            let url = parse_url(url).unwrap();
            let found = host_address(&url).map(|address| !is_public(address));
            assert_eq!(found, private, "{url}");
        }
    }
}
