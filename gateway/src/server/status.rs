//! What a running gateway says of itself, to `sluice status` and to `sluice reload`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::Store;

use super::admin::state_name;
use crate::reload::{Draining, Outcome, Reloader};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) uptime_s: u64,
    pub(crate) generation: u64,
    /// When it was loaded, as RFC 3339 writes it.
    pub(crate) since: String,
    /// The file that it was read from.
    pub(crate) configuration: String,
    /// Older generations that requests still hold.
    pub(crate) draining: Vec<Draining>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_reload: Option<LastReload>,
    pub(crate) plugins: Vec<Plugin>,
    /// The plugins that a request passes, in order.
    pub(crate) chain: Vec<String>,
    pub(crate) drives: Vec<Drive>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastReload {
    pub(crate) at: String,
    #[serde(flatten)]
    pub(crate) answer: ReloadAnswer,
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub(crate) enum ReloadAnswer {
    Ok {
        generation: u64,
        changes: Vec<String>,
        took_ms: u64,
    },
    /// The generation that was there goes on serving.
    Refused { report: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plugin {
    /// In the configuration.
    pub(crate) name: String,
    /// What it says of itself.
    pub(crate) version: String,
    pub(crate) digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drive {
    pub(crate) name: String,
    pub(crate) state: String,
}

impl Status {
    pub(super) fn of(reloader: &Reloader, store: &dyn Store, uptime: Duration) -> Self {
        let draining = reloader.draining();
        let generation = reloader.generation();
        let plugins = generation.plugins.iter().map(|plugin| Plugin {
            name: plugin.name().to_owned(),
            version: plugin.manifest().version.clone(),
            digest: match plugin.digest() {
                Some(digest) => format!("sha256:{}", s3::encode::hex(&digest)),
                None => "not loaded".to_owned(),
            },
        });
        let drives = store.drives().into_iter().map(|drive| Drive {
            name: drive.name,
            state: state_name(drive.state).to_owned(),
        });
        let steps = generation.config.chain.iter();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: uptime.as_secs(),
            generation: generation.number,
            since: generation.loaded.to_string(),
            configuration: generation.config.name().to_owned(),
            draining,
            last_reload: reloader.last().map(|(at, outcome)| LastReload {
                at: at.to_string(),
                answer: ReloadAnswer::of(&outcome),
            }),
            plugins: plugins.collect(),
            chain: steps.map(|step| step.plugin.clone()).collect(),
            drives: drives.collect(),
        }
    }
}

impl ReloadAnswer {
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Ok(reloaded) => Self::Ok {
                generation: reloaded.generation,
                changes: reloaded.changes.clone(),
                took_ms: u64::try_from(reloaded.took.as_millis()).unwrap_or(u64::MAX),
            },
            Err(refused) => Self::Refused {
                report: refused.to_string(),
            },
        }
    }
}
