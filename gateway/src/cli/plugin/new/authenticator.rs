//! Whoever comes from one address without credentials is a certain account.

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

#[plugin]
impl Plugin for MyPlugin {
    fn authenticate(&self, request: &Request) -> Authentication {
        let signed = request.header("authorization").is_some();
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
