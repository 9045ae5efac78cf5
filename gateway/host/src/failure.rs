//! What can go wrong inside a plugin, and what a request is answered with then.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use http::StatusCode;
use wasmtime::{PoolConcurrencyLimitError, Trap};

/// Why a plugin gave no valid answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// It crashed, or exhausted its stack.
    Trap,
    /// It used up its time.
    Timeout,
    /// It crashed, or said what it must not, in a call in which it was refused
    /// memory: whether it would have all the same is not known.
    Memory,
    /// It handed out too much.
    Output,
    /// It asked the host too often.
    HostCalls,
    /// Too many calls were inside it, or there were too many instances of all
    /// plugins together.
    Overload,
    /// It could not be started.
    Instantiate,
    /// It answered something that a plugin must not say.
    Invalid,
    /// It failed so often that it is left alone for a while.
    Breaker,
    /// Its code could not be loaded.
    Load,
    /// It refused the settings of its use.
    Settings,
}

impl FailureKind {
    pub const ALL: [Self; 11] = [
        Self::Trap,
        Self::Timeout,
        Self::Memory,
        Self::Output,
        Self::HostCalls,
        Self::Overload,
        Self::Instantiate,
        Self::Invalid,
        Self::Breaker,
        Self::Load,
        Self::Settings,
    ];

    /// As it is written in the configuration and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::HostCalls => "host_calls",
            Self::Overload => "overload",
            Self::Instantiate => "instantiate",
            Self::Invalid => "invalid",
            Self::Breaker => "breaker",
            Self::Load => "load",
            Self::Settings => "settings",
        }
    }

    /// Whether it is the plugin's own doing, which a [`Breaker`](crate::Breaker)
    /// counts.
    pub(crate) fn is_of_the_plugin(self) -> bool {
        match self {
            Self::Trap
            | Self::Timeout
            | Self::Memory
            | Self::Output
            | Self::HostCalls
            | Self::Instantiate
            | Self::Invalid => true,
            // It did not run.
            Self::Overload | Self::Breaker | Self::Load | Self::Settings => false,
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a failure means for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused.
    Deny,
    /// It goes on as if the plugin had abstained. Serving cannot go on and is
    /// refused all the same.
    Open,
    /// It is refused with this code; the status matters only for a code that is
    /// not one of S3's.
    Answer {
        code: String,
        status: Option<StatusCode>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailurePolicy {
    pub default: OnFailure,
    /// A plugin that fails to load, or refuses its settings, is used at all only
    /// if that kind is listed here.
    pub kinds: BTreeMap<FailureKind, OnFailure>,
    /// Failing open is allowed even where a failure then opens the door:
    /// in authentication and authorization.
    pub accept_risk: bool,
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self {
            default: OnFailure::Deny,
            kinds: BTreeMap::new(),
            accept_risk: false,
        }
    }
}

impl FailurePolicy {
    /// Whether some failure lets a request pass.
    pub(crate) fn opens(&self) -> bool {
        self.default == OnFailure::Open || self.kinds.values().any(|on| *on == OnFailure::Open)
    }

    /// Whether a plugin of which this is known beforehand can be used at all.
    pub fn tolerates(&self, kind: FailureKind) -> bool {
        match self.kinds.get(&kind) {
            None => false,
            Some(OnFailure::Open) => self.accept_risk,
            Some(OnFailure::Deny | OnFailure::Answer { .. }) => true,
        }
    }

    /// The error a failure is answered with, or `None` where the request goes on.
    pub(crate) fn answer(&self, kind: FailureKind) -> Option<s3::Error> {
        match self.kinds.get(&kind).unwrap_or(&self.default) {
            OnFailure::Open => None,
            OnFailure::Deny => Some(refusal(kind)),
            OnFailure::Answer { code, status } => Some(match s3::Code::parse(code) {
                Some(code) => s3::Error::new(code),
                None => s3::Error::custom(
                    code.clone(),
                    status.unwrap_or(StatusCode::FORBIDDEN),
                    NOT_EVALUATED.to_owned(),
                ),
            }),
        }
    }
}

const NOT_EVALUATED: &str = "A policy that this request must pass could not be evaluated.";

/// How a request is refused where nothing else is configured.
pub(crate) fn refusal(kind: FailureKind) -> s3::Error {
    match kind {
        FailureKind::Overload | FailureKind::Breaker => s3::Error::new(s3::Code::SlowDown),
        FailureKind::Trap
        | FailureKind::Timeout
        | FailureKind::Memory
        | FailureKind::Output
        | FailureKind::HostCalls
        | FailureKind::Instantiate
        | FailureKind::Invalid
        | FailureKind::Load
        | FailureKind::Settings => s3::Error::new(s3::Code::AccessDenied).because(NOT_EVALUATED),
    }
}

/// One failure, with its reason in words for the operator.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct Failure {
    pub kind: FailureKind,
    pub reason: Cow<'static, str>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        Self { kind, reason }
    }

    pub(crate) fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureKind::Invalid, reason)
    }

    /// Reads the kind off what wasmtime reports. `memory_refused` says that the
    /// guest was denied memory before, which is what then made it crash.
    pub(crate) fn of(error: &wasmtime::Error, memory_refused: bool) -> Self {
        if let Some(failure) = error.downcast_ref::<Self>() {
            return failure.clone();
        }
        let reason = error.root_cause().to_string();
        let kind = if error.is::<PoolConcurrencyLimitError>() {
            FailureKind::Overload
        } else if let Some(Trap::Interrupt) = error.downcast_ref() {
            FailureKind::Timeout
        } else if memory_refused {
            FailureKind::Memory
        } else if error.is::<Trap>() {
            FailureKind::Trap
        } else if reason.contains("fuel allocated for hostcalls") {
            // The only error of its kind that has no public type.
            FailureKind::Output
        } else {
            FailureKind::Invalid
        };
        Self::new(kind, reason)
    }
}
