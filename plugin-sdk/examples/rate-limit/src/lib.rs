//! So many requests in a while, and no more. What is counted are the requests
//! that nobody else refused, each once however many keys it names. Grant:
//! counters.

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
        // Nobody chooses a name that is an address in the other's place.
        let client = match request.principal().id() {
            Some(id) if self.per == Client::Principal => format!("id {id}"),
            _ => format!("address {}", request.source_address()),
        };
        if counters::add(&client, 1, window_ms) <= self.requests {
            return Ok(());
        }
        let Self {
            requests, window, ..
        } = self;
        deny(SlowDown).because(format!("more than {requests} requests in {window:?}"))
    }
}
