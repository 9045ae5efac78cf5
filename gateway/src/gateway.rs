//! What outlives every configuration: the generation that requests begin with,
//! and what all of them share.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::body::Buffers;
use crate::decision::Journal;
use crate::generation::Generation;

pub(crate) struct Gateway {
    generation: ArcSwap<Generation>,
    /// Room for bodies that are read whole.
    pub(crate) buffers: Arc<Buffers>,
    /// The decisions of all generations.
    pub(crate) journal: Arc<Journal>,
}

impl Gateway {
    pub(crate) fn new(generation: Generation, journal: Arc<Journal>) -> Self {
        Self {
            generation: ArcSwap::from_pointee(generation),
            buffers: Arc::default(),
            journal,
        }
    }

    /// What a request that begins now keeps to its end.
    pub(crate) fn generation(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Requests begin with another generation from now on. Returns the one before.
    pub(crate) fn swap(&self, generation: Arc<Generation>) -> Arc<Generation> {
        self.generation.swap(generation)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
