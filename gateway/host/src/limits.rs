//! What a plugin may use up, and what it may reach.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::clock::Budget;

/// An interface that a plugin may import only if it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    Documents,
    Identity,
    Directory,
    Clock,
    Counters,
    Http,
    Secrets,
    Placement,
    Metering,
}

pub type Grants = BTreeSet<Grant>;

impl Grant {
    pub const ALL: [Self; 9] = [
        Self::Documents,
        Self::Identity,
        Self::Directory,
        Self::Clock,
        Self::Counters,
        Self::Http,
        Self::Secrets,
        Self::Placement,
        Self::Metering,
    ];

    /// As it is written in the configuration, which is also the name of the interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Identity => "identity",
            Self::Directory => "directory",
            Self::Clock => "clock",
            Self::Counters => "counters",
            Self::Http => "http",
            Self::Secrets => "secrets",
            Self::Placement => "placement",
            Self::Metering => "metering",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The bounds of one plugin. `cpu`, `wall`, `output` and `host_calls` hold for each
/// call into it, `log_lines` for each request. All calls for one request together,
/// of which DeleteObjects makes one for each key, have [`CALLS_IN_FULL`] times the
/// `cpu` and the `wall` of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Processor time: waiting for a processor does not count.
    pub cpu: Duration,
    /// Time by the clock on the wall, in which waiting for the host counts.
    pub wall: Duration,
    /// Bytes of linear memory.
    pub memory: usize,
    /// Bytes that one call may hand to the host: its result and its documents.
    pub output: usize,
    pub host_calls: u32,
    /// Further lines are dropped.
    pub log_lines: u32,
    /// Calls that may be inside the plugin at once.
    pub concurrency: u32,
}

/// How many calls for one request may take as long as a call may take.
pub const CALLS_IN_FULL: u32 = 40;

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_millis(5),
            wall: Duration::from_secs(1),
            memory: 8 << 20,
            output: 64 << 10,
            host_calls: 1024,
            log_lines: 20,
            concurrency: 256,
        }
    }
}

impl Limits {
    pub(crate) fn budget(&self) -> Budget {
        Budget {
            cpu: self.cpu,
            wall: self.wall,
        }
    }

    /// What all calls for one request may take together.
    pub(crate) fn request_budget(&self) -> Budget {
        Budget {
            cpu: self.cpu.saturating_mul(CALLS_IN_FULL),
            wall: self.wall.saturating_mul(CALLS_IN_FULL),
        }
    }
}

/// How long an instance of a plugin lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Instances {
    /// One request at most: none ever sees what another one left behind.
    #[default]
    Fresh,
    /// Many requests, one after the other, until it fails. For plugins that are
    /// trusted with that and slow to start.
    Reuse,
}
