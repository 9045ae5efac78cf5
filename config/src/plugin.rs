//! An entry of the catalogue: what code is, and what it may ever do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::NamedSecret;
use crate::endpoint::{self, Endpoint};
use crate::failure::{self, Breaker, OnFailure, OnStart};
use crate::read::{Fields, Valid, Value};
use crate::report::{Diagnostic, Place};
use crate::settings::Places;
use crate::words::{Grant, Instances};

pub(crate) const PLUGIN_KEYS: &[&str] = &[
    "source",
    "digest",
    "grants",
    "endpoints",
    "secrets",
    "limits",
    "on_failure",
    "breaker",
    "instances",
];
pub(crate) const LIMITS_KEYS: &[&str] = &[
    "cpu",
    "wall",
    "memory",
    "output",
    "host_calls",
    "log_lines",
    "concurrency",
];

#[derive(Debug, Clone)]
pub struct Plugin {
    pub name: String,
    pub source: PluginSource,
    /// The SHA-256 that the code must have.
    pub digest: Option<[u8; 32]>,
    pub grants: BTreeSet<Grant>,
    /// Where they are listed.
    pub grants_place: Option<Place>,
    /// What it may call; some exactly where `http` is granted.
    pub endpoints: Vec<Endpoint>,
    /// What it may have computed with; some exactly where `secrets` is granted.
    pub secrets: Vec<NamedSecret>,
    pub limits: PluginLimits,
    pub on_failure: OnFailure,
    /// When it is left alone for a while after failures; `None` for never.
    pub breaker: Option<Breaker>,
    pub instances: Instances,
    pub place: Place,
    /// Of all that is said of it.
    places: Places,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// One that comes with the gateway.
    Builtin(String),
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// Of one call into it, without what it waits for.
    pub cpu: Duration,
    /// Of one call into it, with what it waits for; not less than `cpu`.
    pub wall: Duration,
    pub memory: usize,
    pub output: usize,
    pub host_calls: u32,
    pub log_lines: u32,
    pub concurrency: u32,
}

impl Default for PluginLimits {
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

impl Plugin {
    /// Where something of it stands, by its JSON pointer, or else the whole.
    pub(crate) fn place_of(&self, pointer: &str) -> &Place {
        let spot = self.places.0.get(pointer);
        spot.map_or(&self.place, |spot| &spot.value)
    }

    pub(crate) fn check_file(&self) -> Option<Diagnostic> {
        match &self.source {
            PluginSource::File(path)
                if self.on_failure.load == OnStart::Refuse && !path.is_file() =>
            {
                let message = format!("there is no file {}", path.display());
                let help = "build the plugin; relative paths start at the directory of this file";
                Some(self.place.complain(message, help))
            }
            PluginSource::File(_) | PluginSource::Builtin(_) => None,
        }
    }
}

/// `base` is where plugins are found, `data` where secrets are.
pub(crate) fn plugin(name: &str, value: &Value<'_>, base: &Path, data: &Path) -> Valid<Plugin> {
    let named = match is_plugin_name(name) {
        true => Ok(()),
        false => Err(value.fail(
            format!("`{name}` cannot name a plugin"),
            "use 1 to 64 lower-case letters, digits, `-` and `_`",
        )),
    };
    let fields = value.fields(PLUGIN_KEYS)?;
    let source = fields.required("source", "builtin:NAME", |value| {
        let help = "write `builtin:NAME` or `file:PATH`";
        value.parsed(help, |text| match text.split_once(':') {
            Some(("builtin", name)) if is_plugin_name(name) => {
                Ok(PluginSource::Builtin(name.to_owned()))
            }
            Some(("file", path)) if !path.is_empty() => Ok(PluginSource::File(base.join(path))),
            _ => Err(format!("`{text}` does not say where the plugin is")),
        })
    });
    let digest = fields.optional("digest", |value| {
        let help = "write `sha256:` and 64 hexadecimal digits, as `sha256sum` prints them";
        value.parsed(help, |text| {
            parse_digest(text).ok_or_else(|| format!("`{text}` is not a digest"))
        })
    });
    let grants = fields.or("grants", BTreeSet::new(), |value| {
        let grants = value.list(|value| value.choice("grant", Grant::WORDS, Grant::parse))?;
        Ok(grants.into_iter().collect())
    });
    let endpoints = fields.or("endpoints", Vec::new(), |value| {
        value.named(|name, value| endpoint::endpoint(name, value, data))
    });
    let secrets = fields.or("secrets", Vec::new(), |value| {
        value.named(|name, value| endpoint::secret(name, value, data))
    });
    let usable = grants.as_ref().map_or(Ok(()), |grants| {
        let http = used(
            &fields,
            grants,
            Grant::Http,
            "endpoints",
            "{NAME: {url: ..}}",
        );
        let secrets = used(
            &fields,
            grants,
            Grant::Secrets,
            "secrets",
            "{NAME: {file: ..}}",
        );
        http.and(secrets)
    });
    let limits = fields.or("limits", PluginLimits::default(), limits);
    let on_failure = fields.or("on_failure", OnFailure::default(), failure::on_failure);
    let breaker = fields.or("breaker", Some(Breaker::default()), failure::breaker);
    let instances = fields.or("instances", Instances::Fresh, |value| {
        value.choice("kind of instances", Instances::WORDS, Instances::parse)
    });
    named?;
    usable?;
    Ok(Plugin {
        name: name.to_owned(),
        source: source?,
        digest: digest?,
        grants: grants?,
        grants_place: fields.get("grants").map(Value::place),
        endpoints: endpoints?,
        secrets: secrets?,
        limits: limits?,
        on_failure: on_failure?,
        breaker: breaker?,
        instances: instances?,
        place: value.place(),
        places: value.places(),
    })
}

/// It is part of the names of documents and of metrics, too.
fn is_plugin_name(name: &str) -> bool {
    let valid = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(valid)
}

/// A grant that is for what the field `name` names is there exactly where that is.
fn used(
    fields: &Fields<'_>,
    grants: &BTreeSet<Grant>,
    grant: Grant,
    name: &str,
    example: &str,
) -> Valid<()> {
    let given = fields.get(name).filter(|value| value.is_filled());
    match (grants.contains(&grant), given) {
        (true, None) => {
            let at = fields.get("grants").expect("something is granted");
            let message = format!("`{}` is granted, but there are no `{name}`", grant.name());
            let help = format!("add `{name}: {example}` to this plugin, or remove the grant");
            Err(at.fail(message, help))
        }
        (false, Some(value)) => {
            let message = format!("the plugin has {name}, but is not granted their use");
            let help = format!(
                "add `{}` to the `grants` of this plugin, or remove `{name}`",
                grant.name()
            );
            Err(value.fail(message, help))
        }
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:")?.as_bytes();
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    for (byte, pair) in digest.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digest)
}

fn limits(value: &Value<'_>) -> Valid<PluginLimits> {
    let fields = value.fields(LIMITS_KEYS)?;
    let default = PluginLimits::default();
    let cpu = fields.or("cpu", default.cpu, |value| {
        value.duration(Duration::from_millis(1)..=Duration::from_secs(10))
    });
    let cpu_min = cpu.unwrap_or_default();
    let wall = fields.or("wall", default.wall.max(cpu_min), |value| {
        let wall = value.duration(Duration::from_millis(1)..=Duration::from_secs(60))?;
        match wall < cpu_min {
            true => Err(value.fail(
                format!("{wall:?} with all waiting is less than the {cpu_min:?} of `cpu`"),
                "make `wall` at least as long as `cpu`",
            )),
            false => Ok(wall),
        }
    });
    let memory = fields.or("memory", default.memory, |value| {
        // What the host has room for.
        value.size(64 << 10..=256 << 20)
    });
    let output = fields.or("output", default.output, |value| {
        value.size(1 << 10..=16 << 20)
    });
    let count =
        |name, default, min| fields.or(name, default, |value| value.count_u32(min..=1_000_000));
    let host_calls = count("host_calls", default.host_calls, 1);
    let log_lines = count("log_lines", default.log_lines, 0);
    let concurrency = count("concurrency", default.concurrency, 1);
    Ok(PluginLimits {
        cpu: cpu?,
        wall: wall?,
        memory: memory?,
        output: output?,
        host_calls: host_calls?,
        log_lines: log_lines?,
        concurrency: concurrency?,
    })
}
