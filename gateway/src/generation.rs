//! One configuration in use: what a request needs from its beginning to its end.
//!
//! A request takes the generation that is current when it begins and sees no
//! other, whatever is swapped meanwhile. A generation is freed when the last
//! request that took it ends.

use std::fmt;
use std::sync::Arc;

use config::Config;
use host::{Chain, Directory, Plugin};
use jiff::Timestamp;
use storage::Store;

use crate::policy::{Accounts, Policy};

pub(crate) struct Generation {
    /// Counted from 1 on.
    pub(crate) number: u64,
    pub(crate) loaded: Timestamp,
    pub(crate) config: Config,
    pub(crate) chain: Arc<Chain>,
    /// In the order of the catalogue.
    pub(crate) plugins: Vec<Arc<Plugin>>,
    pub(crate) accounts: Arc<Accounts>,
    /// The same in all generations.
    pub(crate) store: Arc<dyn Store>,
}

impl Generation {
    pub(crate) fn new(
        number: u64,
        config: Config,
        policy: Policy,
        accounts: Arc<Accounts>,
        store: Arc<dyn Store>,
    ) -> Self {
        Self {
            number,
            loaded: Timestamp::now(),
            config,
            chain: policy.chain,
            plugins: policy.plugins,
            accounts,
            store,
        }
    }

    /// The region that the gateway says it is in.
    pub(crate) fn region(&self) -> &str {
        &self.config.region
    }

    /// Finds the display name that goes with the id of an account.
    pub(crate) fn names(&self) -> impl Fn(&str) -> Option<String> {
        |id| Some(self.accounts.by_id(id)?.display_name.clone())
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("number", &self.number)
            .field("loaded", &self.loaded)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}
