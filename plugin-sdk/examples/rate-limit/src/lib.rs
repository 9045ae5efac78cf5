//! So many requests in a while, and no more. What is counted are the requests
//! that were authorized, each once however many keys it names: what another plugin
//! refuses before this one is asked costs nobody anything. Grant: counters.
//!
//! A gateway keeps a bounded number of counts. While all of them are in use, a
//! client that has none yet makes the call fail, and what the configuration says
//! of `overload` is what it gets: 503 SlowDown, unless it says otherwise. Behind a
//! proxy, all who are anonymous have its address and share one count.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use sluice_plugin::prelude::*;

/// Limits how many requests a client may make.
#[derive(Debug, Settings)]
pub struct RateLimit {
    /// How many requests a client may make within the window.
    #[setting(min = 1)]
    requests: u64,
    #[setting(default = "1m", min = "1s", max = "1d")]
    window: Duration,
    #[setting(default = "principal")]
    per: Client,
}

/// What a client is: a principal, or an address. Who is anonymous is told apart
/// by address.
#[derive(Debug, PartialEq, Settings)]
enum Client {
    Principal,
    Address,
}

#[plugin]
impl Plugin for RateLimit {
    fn prepare(&self, request: &Request, _access: &Access) -> Result<(), Denial> {
        let window_ms = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        let Self {
            requests, window, ..
        } = self;
        // Nobody chooses a name that is an address in the other's place.
        let client = match request.principal().id() {
            Some(id) if self.per == Client::Principal => format!("id {id}"),
            _ => format!("address {}", neighbourhood(&request.source_address())),
        };
        // All uses of the plugin share its counts: those with another limit have
        // others, of which none begins anew because of another's window.
        let key = format!("{requests} in {window_ms} ms: {client}");
        if counters::add(&key, 1, window_ms) <= *requests {
            return Ok(());
        }
        deny(SlowDown).because(format!("more than {requests} requests in {window:?}"))
    }
}

/// Whose address it is. Of version 6 a client has a network of 64 bits, and could
/// send each request from another address.
fn neighbourhood(address: &str) -> String {
    const NETWORK: u128 = u128::MAX << 64;
    match address.parse::<IpAddr>().map(|it| it.to_canonical()) {
        Ok(IpAddr::V6(it)) => Ipv6Addr::from_bits(it.to_bits() & NETWORK).to_string(),
        Ok(it) => it.to_string(),
        Err(_) => address.to_owned(),
    }
}
