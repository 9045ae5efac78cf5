//! Decisions that were made, kept for those who ask why, or what another
//! configuration would have decided.
//!
//! A [`Record`] holds what a request was, without its secrets; the facts that
//! plugins could ask for; and what each of them said. It is plain text in every
//! field: the file that it was written to outlives the gateway that wrote it.

mod capture;
mod journal;
mod redact;
mod restore;
mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use capture::{Answered, Recorder, Scene};
pub(crate) use journal::{Journal, Query};
pub(crate) use restore::Restored;

/// One request, and how it was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    pub(crate) request_id: String,
    pub(crate) generation: u64,
    /// Whether a plugin, or the lack of a permission, refused any of it.
    pub(crate) denied: bool,
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    pub(crate) operation: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// As they were sent.
    pub(crate) headers: Vec<(String, String)>,
    /// The fields of a form, before its file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) form: Vec<(String, String)>,
    /// What the body says of the bucket that is to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) creation: Option<Creation>,
    /// Of which headers, parameters and fields the value is not what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hidden: Vec<String>,
    /// The domains below which a host name was a bucket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) domains: Vec<String>,
    pub(crate) source: IpAddr,
    pub(crate) secure: bool,
    pub(crate) principal: Requester,
    /// By their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) buckets: BTreeMap<String, Thing>,
    /// Everything that had to be allowed, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accesses: Vec<Access>,
    /// The object that the operation addresses, for the phases after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<Thing>,
    /// What is missing, because it was too much to be kept. Without all facts
    /// nobody can decide again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<String>,
    /// The chain.
    pub(crate) steps: Vec<Step>,
    pub(crate) moments: Vec<Moment>,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Requester {
    Anonymous,
    Account {
        id: String,
        display_name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<String>,
    },
}

/// A bucket or an object, as far as a plugin could see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thing {
    pub(crate) owner: String,
    /// What a bucket was made by, and its provisioning code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    /// By `plugin/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) documents: BTreeMap<String, Content>,
}

/// A bucket that is to be made, as the client's body says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Creation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location_constraint: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<(String, String)>,
}

/// What is in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Text(String),
    Binary { base64: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// The object where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<Thing>,
    /// Who began the upload that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) initiator: Option<String>,
}

/// One use of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) plugin: String,
    pub(crate) mode: String,
    /// File, line and column.
    pub(crate) at: String,
}

/// A phase, or one access in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) phase: String,
    /// In `authorize`: the number of the access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access: Option<usize>,
    pub(crate) outcome: Outcome,
    /// The step whose word was final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided_by: Option<usize>,
    /// One for each step.
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Who it is.
    Identified(String),
    Passed,
    Served(u16),
    Refused {
        code: String,
        status: u16,
        message: String,
    },
}

/// What a step had to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) vote: Vote,
    /// In words: what it said, or why it was not asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) micros: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Vote {
    NotAsked,
    Abstain,
    Allow,
    Deny,
    Assert,
    Attach,
    Serve,
    Add,
    Fail,
}

impl Vote {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotAsked => "-",
            Self::Abstain => "abstain",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Assert => "assert",
            Self::Attach => "no objection",
            Self::Serve => "serve",
            Self::Add => "add headers",
            Self::Fail => "failed",
        }
    }
}

impl Access {
    /// `bucket/key`, for a reader.
    pub(crate) fn resource(&self) -> String {
        match (&self.bucket, &self.key) {
            (Some(bucket), Some(key)) => format!("{bucket}/{key}"),
            (Some(bucket), None) => bucket.clone(),
            (None, _) => "(all buckets)".to_owned(),
        }
    }
}

impl Content {
    pub(crate) fn of(bytes: &Bytes) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary {
                base64: encode(bytes),
            },
        }
    }

    /// `None` where the Base64 is wrong.
    pub(crate) fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(Bytes::from(text.clone())),
            Self::Binary { base64 } => decode(base64).map(Bytes::from),
        }
    }
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
