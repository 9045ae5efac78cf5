//! The plugin contract as Rust types, generated from its WIT, and how its
//! enums and ours translate.

use std::sync::Arc;

use crate::account::{Account, Principal};

mod generated {
    wasmtime::component::bindgen!({
        path: "../../plugin-sdk/wit",
        world: "plugin",
        imports: { default: trappable },
    });
}

pub(crate) use generated::sluice::policy::{
    access, clock, counters, creation, directory, documents, http, identity, log, metering,
    placement, request, secrets, types,
};
pub(crate) use generated::{Plugin, PluginPre};

macro_rules! operations {
    ($($name:ident,)*) => {
        impl From<s3::Operation> for types::Operation {
            fn from(operation: s3::Operation) -> Self {
                match operation {
                    $(s3::Operation::$name => Self::$name,)*
                }
            }
        }

        impl From<types::Operation> for s3::Operation {
            fn from(operation: types::Operation) -> Self {
                match operation {
                    $(types::Operation::$name => Self::$name,)*
                }
            }
        }
    };
}
s3::for_each_operation!(operations);

macro_rules! actions {
    ($($name:ident,)*) => {
        impl From<s3::Action> for types::Action {
            fn from(action: s3::Action) -> Self {
                match action {
                    $(s3::Action::$name => Self::$name,)*
                }
            }
        }
    };
}
s3::for_each_action!(actions);

impl From<&Account> for types::Account {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.clone(),
            display_name: account.display_name.clone(),
            email: account.email.clone(),
            roles: account.roles.clone(),
        }
    }
}

impl From<&Principal> for types::Principal {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::Anonymous => Self::Anonymous,
            Principal::Account(account) => Self::Account(Arc::as_ref(account).into()),
        }
    }
}
