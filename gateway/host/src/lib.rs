//! The host of policy plugins, and the only package that knows wasmtime.
//!
//! A [`Host`] loads [`Plugin`]s; a [`Chain`] is their use in order; a [`Run`]
//! takes one request through it. The host believes nothing that a guest says:
//! whatever comes out is checked, whatever goes in is granted, and whatever it
//! does is bounded. A plugin that fails is never called again in that request
//! and decides nothing; what the request is answered with is then the
//! [`FailurePolicy`]'s to say.

mod account;
mod ask;
mod bindings;
mod breaker;
mod bucket;
mod cache;
mod capability;
mod chain;
mod clock;
mod counters;
mod creation;
mod failure;
mod host;
mod limits;
mod matching;
mod metering;
mod outbound;
mod output;
mod places;
mod plugin;
mod probe;
mod reach;
mod run;
mod state;
mod throttle;
mod trace;
mod witness;

pub use account::{Account, Credential, Directory, Principal, Secret};
pub use ask::Verdict;
pub use breaker::Breaker;
pub use cache::Cached;
pub use chain::{Chain, ChainError, Fault, Mode, Step, Use};
pub use creation::{Creation, Ownership, Plan};
pub use failure::{Failure, FailureKind, FailurePolicy, OnFailure};
pub use host::{Host, HostError, Settings};
pub use limits::{CALLS_IN_FULL, Grant, Grants, Instances, Limits};
pub use matching::{
    Glob, GlobError, HeaderPattern, HeaderPatternError, Match, Mismatch, Selector, Who,
};
pub use outbound::{BaseUrl, BaseUrlError, Endpoint, Offline, Outbound, Outgoing, Unanswered};
pub use plugin::{Interest, LoadError, Manifest, Plugin, Source};
pub use probe::{Probe, Question};
pub use reach::{Scenery, Services};
pub use run::{Identity, Run, Served};
pub use state::{Changes, Facts, Phase, Resource, Time};
pub use trace::{Call, Deeds, Moment, Outcome, Part, Review, Said, Trace, Unasked};
pub use witness::{Effort, Line};
