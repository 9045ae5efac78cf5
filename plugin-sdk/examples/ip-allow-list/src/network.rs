//! Networks, as they are written in settings.

use std::net::IpAddr;

use sluice_plugin::setting::{Fault, Json, Setting};

/// An address, or a network such as `10.0.0.0/8` or `2001:db8::/32`. Addresses of
/// version 4 are never in a network of version 6, and one that is written as part of
/// version 6 is of version 4.
#[derive(Debug, PartialEq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix_len: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix_len) = text.split_once('/').unwrap_or((text, ""));
        let address = address.parse().ok()?;
        let (bits, rest) = match address {
            IpAddr::V4(address) => (32, u128::from(address.to_bits()) << 96),
            IpAddr::V6(address) => (128, address.to_bits()),
        };
        let prefix_len = match text.contains('/') {
            true => decimal(prefix_len).filter(|len| *len <= bits)?,
            false => bits,
        };
        // What the prefix leaves over names one address, which is not a network.
        let is_network = rest.checked_shl(prefix_len).unwrap_or(0) == 0;
        is_network.then_some(Self::canonical(address, prefix_len))
    }

    /// As which clients are compared with it: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    fn canonical(address: IpAddr, prefix_len: u32) -> Self {
        const MAPPED: u32 = 128 - 32;
        match (
            address,
            address.to_canonical(),
            prefix_len.checked_sub(MAPPED),
        ) {
            (IpAddr::V6(_), address @ IpAddr::V4(_), Some(prefix_len)) => Self {
                address,
                prefix_len,
            },
            _ => Self {
                address,
                prefix_len,
            },
        }
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let shared = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(it)) => (own.to_bits() ^ it.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(it)) => (own.to_bits() ^ it.to_bits()).leading_zeros(),
            _ => return false,
        };
        shared >= self.prefix_len
    }
}

/// Digits only, without the sign that numbers may have.
fn decimal(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

impl Setting for Network {
    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        const SHAPE: &str = "must be an address or a network, such as 10.0.0.0/8 or 2001:db8::/32";
        Self::parse(&json.string()?).ok_or_else(|| Fault::new(SHAPE))
    }

    fn schema(out: &mut String) {
        String::schema(out);
    }
}
