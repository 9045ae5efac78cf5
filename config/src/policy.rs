//! Which plugins there are, and which of them a request passes, in which order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use s3::Operation;

use crate::account::is_name;
use crate::config::defaulted;
use crate::read::{Fields, Valid, Value, suggest};
use crate::report::{Diagnostic, Place};

/// An entry of the catalogue: what code is, and what it may ever do.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub name: String,
    pub source: PluginSource,
    /// The SHA-256 that the code must have.
    pub digest: Option<[u8; 32]>,
    pub grants: BTreeSet<Grant>,
    pub limits: PluginLimits,
    pub on_failure: OnFailure,
    pub instances: Instances,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// One that comes with the gateway.
    Builtin(String),
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    pub cpu: Duration,
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
            memory: 8 << 20,
            output: 64 << 10,
            host_calls: 1024,
            log_lines: 20,
            concurrency: 256,
        }
    }
}

/// What a request is answered with when a plugin fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnFailure {
    pub default: Failure,
    pub kinds: BTreeMap<FailureKind, Failure>,
    /// Given wherever one of them is [`Failure::Open`].
    pub accept_risk: bool,
}

impl Default for OnFailure {
    fn default() -> Self {
        Self {
            default: Failure::Deny,
            kinds: BTreeMap::new(),
            accept_risk: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Deny,
    /// The request goes on as if the plugin had not been there.
    Open,
    Answer(s3::Code),
}

/// Enums whose variants are words of the configuration.
macro_rules! words {
    ($($(#[$doc:meta])* $enum:ident { $($variant:ident $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum {
            $($variant,)*
        }

        impl $enum {
            const WORDS: &[&str] = &[$($word,)*];

            /// As the configuration writes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    )*};
}

words! {
    /// An interface of the gateway that a plugin may use only if it is granted.
    Grant {
        Documents "documents",
        Identity "identity",
        Directory "directory",
        Clock "clock",
    }

    /// Why a plugin gave no valid answer.
    FailureKind {
        Trap "trap",
        Timeout "timeout",
        Memory "memory",
        Output "output",
        HostCalls "host_calls",
        Overload "overload",
        Instantiate "instantiate",
        Invalid "invalid",
    }

    /// How long an instance of a plugin lives: one request, or many.
    Instances {
        Fresh "fresh",
        Reuse "reuse",
    }

    /// What becomes of a plugin's answer; in shadow it is reported and not enforced.
    Mode {
        Enforce "enforce",
        Shadow "shadow",
        Off "off",
    }
}

/// A pattern for bucket names: `*` stands for any text, `?` for any character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One use of a plugin.
#[derive(Debug, Clone)]
pub struct Step {
    /// The name of the plugin in the catalogue.
    pub plugin: String,
    /// Empty for all.
    pub operations: Vec<Operation>,
    /// Empty for all, and for requests without a bucket.
    pub buckets: Vec<Glob>,
    pub settings: serde_json::Value,
    pub mode: Mode,
    pub place: Place,
}

impl Step {
    /// Whether every request has to pass it.
    fn is_unconditional(&self) -> bool {
        self.mode == Mode::Enforce && self.operations.is_empty() && self.buckets.is_empty()
    }
}

impl Plugin {
    pub(crate) fn check_file(&self) -> Option<Diagnostic> {
        match &self.source {
            PluginSource::File(path) if !path.is_file() => {
                let message = format!("there is no file {}", path.display());
                let help = "build the plugin; relative paths start at the directory of this file";
                Some(self.place.complain(message, help))
            }
            PluginSource::File(_) | PluginSource::Builtin(_) => None,
        }
    }
}

/// Names that were seen, also where what they name is invalid.
#[derive(Default)]
struct Names(RefCell<BTreeSet<String>>);

impl Names {
    fn add(&self, name: &str) {
        self.0.borrow_mut().insert(name.to_owned());
    }

    /// The name, if it is one of these.
    fn find(&self, value: &Value<'_>, missing: impl Fn(&str) -> String) -> Valid<String> {
        let text = value.text()?;
        let names = self.0.borrow();
        if names.contains(text) {
            return Ok(text.to_owned());
        }
        let help = suggest(text, names.iter().map(String::as_str), "plugin");
        Err(value.fail(missing(text), help))
    }
}

/// The catalogue and the chain. Where neither is given, those of `default`.
pub(crate) fn policy<'a>(
    fields: &Fields<'a>,
    default: &Fields<'a>,
    base: &Path,
    region: &str,
) -> Valid<(Vec<Plugin>, Vec<Step>)> {
    let given = |name| fields.get(name).is_some();
    let names = Names::default();
    let plugins = defaulted(fields, default, "plugins", |value| {
        value.named(|name, value| {
            names.add(name);
            plugin(name, value, base)
        })
    });

    let used = Names::default();
    let read_chain = |value: &Value<'a>| value.list(|value| step(value, &names, &used));
    let chain = match given("plugins") {
        // The uses of the default name plugins of the default.
        true => fields.required("chain", "[{use: ..}]", read_chain),
        false => defaulted(fields, default, "chain", read_chain),
    };
    let inserts = fields.or("buckets", Vec::new(), |value| {
        value.list(|value| bucket_inserts(value, &names, &used))
    });
    let chain = chain.and_then(|chain| {
        let check = |value: &Value<'_>| value.list(|value| enforced(value, &names, &chain));
        match given("chain") || given("plugins") {
            true => fields.or("enforced", Vec::new(), check),
            false => defaulted(fields, default, "enforced", check),
        }?;
        Ok(chain)
    });

    let inserts = inserts?.into_iter().flatten().collect();
    let (plugins, mut chain) = (plugins?, merge(chain?, inserts));
    for step in &mut chain {
        default_regions(step, &plugins, region);
    }
    Ok((plugins, chain))
}

/// The region is what clients sign for, so the bundled authenticator takes its
/// signatures, unless the settings name the regions themselves.
fn default_regions(step: &mut Step, plugins: &[Plugin], region: &str) {
    let source = plugins
        .iter()
        .find(|plugin| plugin.name == step.plugin)
        .map(|plugin| &plugin.source);
    let is_auth = matches!(source, Some(PluginSource::Builtin(name)) if name == "auth");
    if let Some(settings) = step.settings.as_object_mut().filter(|_| is_auth) {
        settings
            .entry("regions")
            .or_insert_with(|| serde_json::json!([region]));
    }
}

fn plugin(name: &str, value: &Value<'_>, base: &Path) -> Valid<Plugin> {
    let named = match is_name(name, 64) {
        true => Ok(()),
        false => Err(value.fail(
            format!("`{name}` cannot name a plugin"),
            "use 1 to 64 letters, digits, `-`, `_` and `.`",
        )),
    };
    let fields = value.fields(&[
        "source",
        "digest",
        "grants",
        "limits",
        "on_failure",
        "instances",
    ])?;
    let source = fields.required("source", "builtin:NAME", |value| {
        let help = "write `builtin:NAME` or `file:PATH`";
        value.parsed(help, |text| match text.split_once(':') {
            Some(("builtin", name)) if is_name(name, 64) => {
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
    let limits = fields.or("limits", PluginLimits::default(), limits);
    let on_failure = fields.or("on_failure", OnFailure::default(), on_failure);
    let instances = fields.or("instances", Instances::Fresh, |value| {
        value.choice("kind of instances", Instances::WORDS, Instances::parse)
    });
    named?;
    Ok(Plugin {
        name: name.to_owned(),
        source: source?,
        digest: digest?,
        grants: grants?,
        limits: limits?,
        on_failure: on_failure?,
        instances: instances?,
        place: value.place(),
    })
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
    let fields = value.fields(&[
        "cpu",
        "memory",
        "output",
        "host_calls",
        "log_lines",
        "concurrency",
    ])?;
    let default = PluginLimits::default();
    let cpu = fields.or("cpu", default.cpu, |value| {
        value.duration(Duration::from_millis(1)..=Duration::from_secs(10))
    });
    let memory = fields.or("memory", default.memory, |value| {
        value.size(64 << 10..=1 << 30)
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
        memory: memory?,
        output: output?,
        host_calls: host_calls?,
        log_lines: log_lines?,
        concurrency: concurrency?,
    })
}

fn on_failure(value: &Value<'_>) -> Valid<OnFailure> {
    let fields = value.fields(&[
        "default",
        "accept_risk",
        "trap",
        "timeout",
        "memory",
        "output",
        "host_calls",
        "overload",
        "instantiate",
        "invalid",
    ])?;
    let accept_risk = fields.or("accept_risk", false, Value::boolean);
    // Without an answer to that, there is no telling.
    let accepted = accept_risk.unwrap_or(true);
    let default = fields.or("default", Failure::Deny, |value| failure(value, accepted));
    let kinds: Vec<Valid<_>> = FailureKind::WORDS
        .iter()
        .filter_map(|word| Some((FailureKind::parse(word)?, fields.get(word)?)))
        .map(|(kind, value)| Ok((kind, failure(value, accepted)?)))
        .collect();
    Ok(OnFailure {
        default: default?,
        kinds: kinds.into_iter().collect::<Valid<_>>()?,
        accept_risk: accept_risk?,
    })
}

fn failure(value: &Value<'_>, accept_risk: bool) -> Valid<Failure> {
    if value.is_map() {
        let fields = value.fields(&["code"])?;
        let codes: Vec<&str> = s3::Code::ALL.iter().map(|code| code.name()).collect();
        let code = fields.required("code", "SlowDown", |value| {
            value.choice("S3 error code", &codes, s3::Code::parse)
        })?;
        return Ok(Failure::Answer(code));
    }
    match value.choice(
        "answer to a failure",
        &["deny", "open"],
        |word| match word {
            "deny" => Some(Failure::Deny),
            "open" => Some(Failure::Open),
            _ => None,
        },
    )? {
        Failure::Open if !accept_risk => Err(value.fail(
            "whoever makes this plugin fail gets past it",
            "write `deny`, or add `accept_risk: true` to `on_failure`",
        )),
        failure => Ok(failure),
    }
}

fn no_plugin(name: &str) -> String {
    format!("there is no plugin `{name}` in the catalogue")
}

fn step(value: &Value<'_>, names: &Names, used: &Names) -> Valid<Step> {
    let fields = value.fields(&["use", "match", "settings", "mode"])?;
    // An insert may name a use that is invalid for other reasons.
    if let Some(name) = fields.get("use").and_then(Value::as_text) {
        used.add(name);
    }
    use_of(value, &fields, names)
}

fn use_of(value: &Value<'_>, fields: &Fields<'_>, names: &Names) -> Valid<Step> {
    let plugin = fields.required("use", "NAME", |value| names.find(value, no_plugin));
    let matching = fields.or("match", (Vec::new(), Vec::new()), matching);
    let settings = fields.or("settings", serde_json::json!({}), Value::json);
    let mode = fields.or("mode", Mode::Enforce, |value| {
        value.choice("mode", Mode::WORDS, Mode::parse)
    });
    let (operations, buckets) = matching?;
    Ok(Step {
        plugin: plugin?,
        operations,
        buckets,
        settings: settings?,
        mode: mode?,
        place: value.place(),
    })
}

fn matching(value: &Value<'_>) -> Valid<(Vec<Operation>, Vec<Glob>)> {
    let fields = value.fields(&["operations", "buckets"])?;
    let all: Vec<&str> = Operation::ALL.iter().map(|op| op.name()).collect();
    let operations = fields.or("operations", Vec::new(), |value| {
        value.filled_list("name an operation, or leave the key out", |value| {
            value.choice("operation", &all, Operation::parse)
        })
    });
    let buckets = fields.or("buckets", Vec::new(), globs);
    Ok((operations?, buckets?))
}

fn globs(value: &Value<'_>) -> Valid<Vec<Glob>> {
    let help = "use 1 to 63 lower-case letters, digits, `.`, `-`, `*` and `?`";
    value.filled_list("name a bucket, or a pattern such as \"prod-*\"", |value| {
        value.parsed(help, |text| {
            let valid = (1..=63).contains(&text.len())
                && text.bytes().all(
                    |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'*' | b'?'),
                );
            match valid {
                true => Ok(Glob(text.to_owned())),
                false => Err(format!("`{text}` is not a pattern for bucket names")),
            }
        })
    })
}

/// A step for some buckets, and where in the chain it belongs.
struct Insert {
    side: Side,
    /// A plugin that the chain uses.
    anchor: String,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

fn bucket_inserts(value: &Value<'_>, names: &Names, used: &Names) -> Valid<Vec<Insert>> {
    let fields = value.fields(&["match", "insert"])?;
    let buckets = fields.required("match", "[\"prod-*\"]", globs);
    let inserts = fields.required("insert", "[{after: .., use: ..}]", |value| {
        value.filled_list("insert a step, or remove the entry", |value| {
            insert(value, names, used)
        })
    });
    let (buckets, mut inserts) = (buckets?, inserts?);
    for insert in &mut inserts {
        insert.step.buckets.clone_from(&buckets);
    }
    Ok(inserts)
}

fn insert(value: &Value<'_>, names: &Names, used: &Names) -> Valid<Insert> {
    let fields = value.fields(&["after", "before", "use", "match", "settings", "mode"])?;
    let anchor = |value: &Value<'_>| {
        used.find(value, |name| {
            format!("the chain does not use a plugin `{name}`")
        })
    };
    let place = fields.only(&[
        ("after", &|value| Ok((Side::After, anchor(value)?))),
        ("before", &|value| Ok((Side::Before, anchor(value)?))),
    ]);
    let step = use_of(value, &fields, names);
    let narrowed = fields.optional("match", |value| {
        match value.fields(&["operations", "buckets"])?.get("buckets") {
            None => Ok(()),
            Some(buckets) => Err(buckets.fail(
                "the buckets of an insert are those of its entry",
                "move them to the `match` of the entry, or make another entry",
            )),
        }
    });
    narrowed?;
    let (side, anchor) = place?;
    Ok(Insert {
        side,
        anchor,
        step: step?,
    })
}

/// Puts every insert before the first or after the last use of its anchor, in
/// the order in which they are written.
fn merge(chain: Vec<Step>, mut inserts: Vec<Insert>) -> Vec<Step> {
    let mut take = |side, anchor: &str| -> Vec<Step> {
        let taken = inserts.extract_if(.., |insert| insert.side == side && insert.anchor == anchor);
        taken.map(|insert| insert.step).collect()
    };
    let last_uses: BTreeMap<String, usize> = chain
        .iter()
        .enumerate()
        .map(|(at, step)| (step.plugin.clone(), at))
        .collect();
    let mut merged = Vec::new();
    for (at, step) in chain.into_iter().enumerate() {
        let plugin = step.plugin.clone();
        merged.extend(take(Side::Before, &plugin));
        merged.push(step);
        if last_uses.get(&plugin) == Some(&at) {
            merged.extend(take(Side::After, &plugin));
        }
    }
    merged
}

/// A plugin that every request passes, whatever else the chain says.
fn enforced(value: &Value<'_>, names: &Names, chain: &[Step]) -> Valid<()> {
    let plugin = names.find(value, no_plugin)?;
    let mut uses = chain.iter().filter(|step| step.plugin == plugin).peekable();
    if uses.peek().is_none() {
        let message = format!("`{plugin}` is enforced, but the chain does not use it");
        return Err(value.fail(message, format!("add `- use: {plugin}` to the chain")));
    }
    let Some(conditional) = uses
        .peek()
        .copied()
        .filter(|_| !uses.any(Step::is_unconditional))
    else {
        return Ok(());
    };
    let line = conditional.place.line();
    let message =
        format!("`{plugin}` is enforced, but its use on line {line} lets requests past it");
    let help = format!("use `{plugin}` without `match` and with `mode: enforce`");
    Err(value.fail(message, help))
}
