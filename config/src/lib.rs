//! The configuration: typed YAML, read whole or refused with everything that is
//! wrong with it.
//!
//! Each error names file, line and column, the keys that lead there, what is
//! wrong and what to do. A [`Config`] that exists is consistent in itself;
//! whether the files it names exist is asked by [`Config::check_files`], which
//! drives it has lost by [`Config::missing_drives`], what
//! the secrets are by [`Config::credentials`], and what a plugin thinks of its
//! settings by whoever loads it, with [`Place::complain`].

mod account;
mod address;
mod analysis;
mod chain;
mod config;
mod decisions;
mod endpoint;
mod failure;
mod matching;
mod origin;
mod plugin;
mod policy;
mod read;
mod report;
mod restart;
mod schema;
mod server;
mod settings;
mod storage;
mod unit;
mod uploads;
mod words;
mod yaml;

pub use account::{Account, Credential, Key, NamedSecret, Reference, Secret};
pub use address::is_public;
pub use analysis::PluginFacts;
pub use chain::Step;
pub use config::{Config, Overrides};
pub use decisions::Decisions;
pub use endpoint::Endpoint;
pub use failure::{Breaker, Failure, OnFailure, OnStart};
pub use matching::{Glob, HeaderPattern, Match, Selector, Who};
pub use plugin::{Plugin, PluginLimits, PluginSource};
pub use report::{Diagnostic, Place, Report};
pub use schema::schema;
pub use server::{Admin, Limits, Listener, Tls};
pub use storage::{DriveSet, Storage};
pub use uploads::Uploads;
pub use words::{FailureKind, Grant, Instances, Mode};
