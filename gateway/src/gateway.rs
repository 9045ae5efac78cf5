//! What every request needs: the store, the chain of plugins, and few facts of the configuration.

use std::fmt;
use std::sync::Arc;

use host::{Chain, Directory};
use storage::Store;
use tokio::sync::Semaphore;

pub(crate) struct Gateway {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) directory: Arc<dyn Directory>,
    /// Room for bodies that are read whole.
    pub(crate) buffers: Arc<Semaphore>,
    /// The region that this gateway says it is in.
    pub(crate) region: String,
}

impl Gateway {
    /// Finds the display name that goes with the id of an account.
    pub(crate) fn names(&self) -> impl Fn(&str) -> Option<String> {
        |id| Some(self.directory.by_id(id)?.display_name.clone())
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
