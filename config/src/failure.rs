//! What a plugin's failures mean: for the request, for the start, and for the
//! plugin itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::read::{Valid, Value};
use crate::words::FailureKind;

pub(crate) const ON_FAILURE_KEYS: &[&str] = &[
    "default",
    "accept_risk",
    "load",
    "settings",
    "trap",
    "timeout",
    "memory",
    "output",
    "host_calls",
    "overload",
    "instantiate",
    "invalid",
    "breaker",
];
pub(crate) const ANSWER_KEYS: &[&str] = &["code"];
pub(crate) const BREAKER_KEYS: &[&str] = &["failures", "clients", "pause"];

/// What a request is answered with when a plugin fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnFailure {
    pub default: Failure,
    pub kinds: BTreeMap<FailureKind, Failure>,
    /// The code cannot be read, compiled or linked.
    pub load: OnStart,
    /// The plugin refuses the settings of a use.
    pub settings: OnStart,
    /// Given wherever one of them is [`Failure::Open`].
    pub accept_risk: bool,
}

impl Default for OnFailure {
    fn default() -> Self {
        Self {
            default: Failure::Deny,
            kinds: BTreeMap::new(),
            load: OnStart::Refuse,
            settings: OnStart::Refuse,
            accept_risk: false,
        }
    }
}

impl OnFailure {
    pub(crate) fn of(&self, kind: FailureKind) -> Failure {
        self.kinds.get(&kind).copied().unwrap_or(self.default)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Deny,
    /// The request goes on as if the plugin had not been there.
    Open,
    Answer(s3::Code),
}

/// What becomes of a configuration with a plugin that cannot run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStart {
    /// It is not used: the gateway does not start, or keeps the one it has.
    Refuse,
    /// It is used all the same, and this is what requests get that concern the plugin.
    Serve(Failure),
}

/// After so many failures in a row, of so many clients, a plugin is left alone
/// for a while. One client alone cannot bring that about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    pub failures: u32,
    /// Not more than `failures`.
    pub clients: u32,
    pub pause: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 10,
            clients: 3,
            pause: Duration::from_secs(5),
        }
    }
}

pub(crate) const START_WORDS: &[&str] = &["refuse", "deny", "open"];

pub(crate) fn on_failure(value: &Value<'_>) -> Valid<OnFailure> {
    let fields = value.fields(ON_FAILURE_KEYS)?;
    let accept_risk = fields.or("accept_risk", false, Value::boolean);
    // Without an answer to that, there is no telling.
    let accepted = accept_risk.unwrap_or(true);
    let default = fields.or("default", Failure::Deny, |value| failure(value, accepted));
    let start = |name| fields.or(name, OnStart::Refuse, |value| on_start(value, accepted));
    let (load, settings) = (start("load"), start("settings"));
    let kinds: Vec<Valid<_>> = FailureKind::WORDS
        .iter()
        .filter_map(|word| Some((FailureKind::parse(word)?, fields.get(word)?)))
        .map(|(kind, value)| Ok((kind, failure(value, accepted)?)))
        .collect();
    Ok(OnFailure {
        default: default?,
        kinds: kinds.into_iter().collect::<Valid<_>>()?,
        load: load?,
        settings: settings?,
        accept_risk: accept_risk?,
    })
}

fn on_start(value: &Value<'_>, accept_risk: bool) -> Valid<OnStart> {
    if value.as_text() == Some("refuse") {
        return Ok(OnStart::Refuse);
    }
    Ok(OnStart::Serve(answer(value, START_WORDS, accept_risk)?))
}

fn failure(value: &Value<'_>, accept_risk: bool) -> Valid<Failure> {
    answer(value, &["deny", "open"], accept_risk)
}

fn answer(value: &Value<'_>, words: &[&str], accept_risk: bool) -> Valid<Failure> {
    if value.is_map() {
        let fields = value.fields(ANSWER_KEYS)?;
        let codes: Vec<&str> = s3::Code::ALL.iter().map(|code| code.name()).collect();
        let code = fields.required("code", "SlowDown", |value| {
            value.choice("S3 error code", &codes, s3::Code::parse)
        })?;
        return Ok(Failure::Answer(code));
    }
    match value.choice("answer to a failure", words, |word| match word {
        "deny" => Some(Failure::Deny),
        "open" => Some(Failure::Open),
        _ => None,
    })? {
        Failure::Open if !accept_risk => Err(value.fail(
            "whoever makes this plugin fail gets past it",
            "write `deny`, or add `accept_risk: true` to `on_failure`",
        )),
        failure => Ok(failure),
    }
}

pub(crate) fn breaker(value: &Value<'_>) -> Valid<Option<Breaker>> {
    if value.is_scalar() {
        return value.choice("breaker", &["off"], |word| (word == "off").then_some(None));
    }
    let fields = value.fields(BREAKER_KEYS)?;
    let default = Breaker::default();
    let failures = fields.or("failures", default.failures, |value| {
        value.count_u32(1..=10_000)
    });
    let failures_max = failures.unwrap_or(u32::MAX);
    let clients = fields.or("clients", default.clients.min(failures_max), |value| {
        let clients = value.count_u32(1..=100)?;
        match clients > failures_max {
            true => Err(value.fail(
                format!("{failures_max} failures cannot be those of {clients} clients"),
                "make `clients` at most as many as `failures`",
            )),
            false => Ok(clients),
        }
    });
    let pause = fields.or("pause", default.pause, |value| {
        value.duration(Duration::from_millis(100)..=Duration::from_secs(3600))
    });
    Ok(Some(Breaker {
        failures: failures?,
        clients: clients?,
        pause: pause?,
    }))
}
