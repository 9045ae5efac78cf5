//! What a plugin reaches by name beyond the gateway, and where its counts are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::account::{Directory, Secret};
use crate::counters::Counters;
use crate::metering::Meter;
use crate::outbound::{Endpoint, Offline, Outbound};
use crate::state::Time;

/// What the operator named for one plugin. A grant lets it use them.
#[derive(Debug, Clone, Default)]
pub struct Services {
    pub endpoints: BTreeMap<String, Endpoint>,
    pub secrets: BTreeMap<String, Secret>,
}

/// The world around a plugin that is asked by itself.
#[derive(Clone)]
pub struct Scenery {
    pub directory: Arc<dyn Directory>,
    pub time: Time,
    pub services: Services,
    /// What answers its calls.
    pub outbound: Arc<dyn Outbound>,
    /// What was counted already, in whichever window it is asked for.
    pub counts: BTreeMap<String, u64>,
}

impl Scenery {
    /// Where there is nothing but these accounts.
    pub fn new(directory: Arc<dyn Directory>, time: Time) -> Self {
        Self {
            directory,
            time,
            services: Services::default(),
            outbound: Arc::new(Offline),
            counts: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Scenery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenery")
            .field("time", &self.time)
            .field("services", &self.services)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// What the instances of a plugin share.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) services: Services,
    pub(crate) outbound: Arc<dyn Outbound>,
    counts: Arc<Counts>,
    pub(crate) meter: Arc<Meter>,
    /// To be added to the first count of a key.
    given: Mutex<BTreeMap<String, u64>>,
}

/// The counts of all uses of a plugin. Those in shadow must not use up what
/// those that decide allow.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    enforced: Counters,
    shadow: Counters,
}

impl Counts {
    pub(crate) fn are_idle(&self, now_ms: u64) -> bool {
        self.enforced.are_idle(now_ms) && self.shadow.are_idle(now_ms)
    }
}

impl Reach {
    pub(crate) fn new(
        services: Services,
        outbound: Arc<dyn Outbound>,
        counts: Arc<Counts>,
        meter: Arc<Meter>,
    ) -> Self {
        Self {
            services,
            outbound,
            counts,
            meter,
            given: Mutex::default(),
        }
    }

    /// Of a plugin that cannot run.
    pub(crate) fn none() -> Self {
        Self::new(
            Services::default(),
            Arc::new(Offline),
            Arc::default(),
            Arc::default(),
        )
    }

    /// What a scenery has instead.
    pub(crate) fn given(scenery: Scenery) -> Self {
        Self {
            services: scenery.services,
            outbound: scenery.outbound,
            counts: Arc::default(),
            meter: Arc::default(),
            given: Mutex::new(scenery.counts),
        }
    }

    pub(crate) fn counters(&self, shadow: bool) -> &Counters {
        match shadow {
            true => &self.counts.shadow,
            false => &self.counts.enforced,
        }
    }

    /// What was counted under this key before anything was; told once.
    pub(crate) fn take_given(&self, key: &str) -> u64 {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.remove(key).unwrap_or(0)
    }
}
