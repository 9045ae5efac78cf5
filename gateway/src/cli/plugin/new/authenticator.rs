//! Whoever comes from one address without credentials is a certain account. Not
//! for a gateway behind a proxy, whose address all its clients have. And let the
//! account have no more rights than whoever reaches that address.

use sluice_plugin::prelude::*;

/// A machine that is known by its address.
#[derive(Debug, Settings)]
pub struct MyPlugin {
    /// The address of the machine.
    #[setting(min_len = 1)]
    address: String,
    /// The id of the account that it has.
    #[setting(min_len = 1)]
    account: String,
}

/// What a request that is signed in its URL has in the query. Whether the signature
/// is right is for others to say.
const SIGNED: [&str; 5] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Algorithm",
    "Signature",
    "AWSAccessKeyId",
];

#[plugin]
impl Plugin for MyPlugin {
    fn authenticate(&self, request: &Request) -> Authentication {
        let signed = request.header("authorization").is_some()
            || SIGNED.iter().any(|name| request.query(name).is_some());
        if signed || request.source_address() != self.address {
            return Authentication::Abstain;
        }
        match directory::by_id(&self.account) {
            Some(account) => Authentication::Account(account),
            None => deny(AccessDenied).because("the account of this address is gone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<MyPlugin>(&folder);
    }
}
