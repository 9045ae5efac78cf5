//! Requests come from these networks only. The address is that of whoever made the
//! connection: behind a proxy, that of the proxy. And it decides on accesses: an
//! operation that has none, such as the preflight of a browser, is not covered.

mod network;

use std::net::IpAddr;

use network::Network;
use sluice_plugin::prelude::*;

/// Requests come from these networks only.
#[derive(Debug, Settings)]
pub struct IpAllowList {
    /// The networks that may send requests.
    #[setting(min_len = 1)]
    allow: Vec<Network>,
    /// The parts of them that may not.
    #[setting(default = [])]
    except: Vec<Network>,
}

#[plugin]
impl Plugin for IpAllowList {
    fn authorize(&self, request: &Request, _access: &Access) -> Vote {
        let Ok(address) = request.source_address().parse::<IpAddr>() else {
            return deny(AccessDenied).because("the address of the client is not known");
        };
        // A dual-stack listener sees clients of version 4 as part of version 6.
        let address = address.to_canonical();
        let within = |networks: &[Network]| networks.iter().any(|network| network.has(address));
        if within(&self.allow) && !within(&self.except) {
            return Vote::Abstain;
        }
        deny(AccessDenied).because("requests from this address are not accepted")
    }
}
