//! The accounts of a case, as the gateway knows accounts.

use std::sync::Arc;

use host::{Account, Credential, Directory, Secret};
use sluice_plugin::bindings::sluice::policy::types;
use sluice_plugin::testing::Known;

/// With their keys.
pub(crate) struct Accounts(pub(crate) Vec<Known>);

impl Accounts {
    fn find(&self, fits: impl Fn(&Known) -> bool) -> Option<Arc<Account>> {
        let known = self.0.iter().find(|known| fits(known))?;
        Some(account(&known.account))
    }
}

impl Directory for Accounts {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        self.0.iter().find_map(|known| {
            let secret = known.keys.get(access_key_id)?;
            Some(Credential {
                account: account(&known.account),
                secret: Secret::new(secret),
            })
        })
    }

    fn by_id(&self, id: &str) -> Option<Arc<Account>> {
        self.find(|known| known.account.id == id)
    }

    fn by_email(&self, email: &str) -> Option<Arc<Account>> {
        self.find(|known| known.account.email.as_deref() == Some(email))
    }
}

pub(crate) fn account(account: &types::Account) -> Arc<Account> {
    Arc::new(Account {
        id: account.id.clone(),
        display_name: account.display_name.clone(),
        email: account.email.clone(),
        roles: account.roles.clone(),
    })
}

/// The way back.
pub(crate) fn told(account: &Account) -> types::Account {
    types::Account {
        id: account.id.clone(),
        display_name: account.display_name.clone(),
        email: account.email.clone(),
        roles: account.roles.clone(),
    }
}
