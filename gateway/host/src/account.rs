//! Who may make requests: accounts, and the directory in which they are found.

use std::fmt;
use std::sync::Arc;

/// Somebody the gateway knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The canonical user id.
    pub id: String,
    pub display_name: String,
    pub email: Option<String>,
    pub roles: Vec<String>,
}

/// On whose behalf a request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    Anonymous,
    Account(Arc<Account>),
}

/// A secret access key. It is shown nowhere and never enters a plugin.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An access key: whose it is, and the secret that proves it.
#[derive(Debug, Clone)]
pub struct Credential {
    pub account: Arc<Account>,
    pub secret: Secret,
}

/// Where accounts are found. It is asked in the middle of a request, so it
/// answers from memory.
pub trait Directory: Send + Sync {
    fn credential(&self, access_key_id: &str) -> Option<Credential>;
    fn by_id(&self, id: &str) -> Option<Arc<Account>>;
    fn by_email(&self, email: &str) -> Option<Arc<Account>>;
}

/// The directory of a plugin that is only asked what it is.
pub(crate) struct Nobody;

impl Directory for Nobody {
    fn credential(&self, _access_key_id: &str) -> Option<Credential> {
        None
    }

    fn by_id(&self, _id: &str) -> Option<Arc<Account>> {
        None
    }

    fn by_email(&self, _email: &str) -> Option<Arc<Account>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let credential = Credential {
            account: Arc::new(Account {
                id: "alice".to_owned(),
                display_name: "Alice".to_owned(),
                email: None,
                roles: Vec::new(),
            }),
            secret: Secret::new("hunter2"),
        };
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}
