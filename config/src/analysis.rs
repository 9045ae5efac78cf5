//! What is allowed and probably not meant: steps that no request can reach, and
//! risks that were taken. Everything that is said here is true; what cannot be
//! decided is not said.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use s3::Operation;
use serde_json::Value as Json;

use crate::chain::Step;
use crate::config::Config;
use crate::endpoint::is_on_this_machine;
use crate::failure::{Failure, OnStart};
use crate::matching::{Glob, Selector};
use crate::plugin::{Plugin, PluginSource};
use crate::read::suggest;
use crate::report::{Diagnostic, Report};
use crate::words::{FailureKind, Grant, Instances, Mode};

/// What a plugin says of itself, as far as it matters here.
#[derive(Debug, Clone, Default)]
pub struct PluginFacts {
    /// The operations of each of its interests, where an empty list stands for
    /// all, and those that it serves itself.
    pub operations: Vec<Vec<Operation>>,
    /// Whether it finds out who asks, or decides what they may do.
    pub guards: bool,
}

impl Config {
    /// Warnings, in the order of the text. Of a plugin without facts, less is known.
    pub fn analyse(&self, facts: &BTreeMap<&str, PluginFacts>) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for plugin in &self.plugins {
            let facts = facts.get(plugin.name.as_str());
            let is_used = self.chain.iter().any(|step| step.plugin == plugin.name);
            if !is_used {
                let message = format!("no step uses the plugin `{}`", plugin.name);
                warnings.push(
                    plugin
                        .place
                        .complain(message, "use it in the chain, or remove it"),
                );
            }
            risks(
                plugin,
                facts.is_none_or(|facts| facts.guards),
                &mut warnings,
            );
        }
        let templates = self.template_names();
        for (number, step) in self.chain.iter().enumerate() {
            let earlier = self.chain.get(..number).unwrap_or_default();
            unreachable(
                step,
                earlier,
                facts.get(step.plugin.as_str()),
                templates.as_deref(),
                &mut warnings,
            );
        }
        self.unplaceable(&mut warnings);
        self.unkept(&mut warnings);
        self.unprovisioned(facts, &mut warnings);
        let of_buckets = self.chain.iter().any(Step::is_of_buckets);
        if of_buckets && self.enforced.is_empty() {
            let message = "the chain is another one for some buckets, and no plugin is enforced";
            let help = "name the plugins in `enforced` that every request must pass";
            warnings.push(self.parts.place("buckets").complain(message, help));
        }
        match Report::of(warnings) {
            Ok(()) => Vec::new(),
            Err(report) => report.diagnostics,
        }
    }

    /// The templates that the bundled plugin makes buckets by, and the steps whose
    /// settings they are in.
    fn templates(&self) -> impl Iterator<Item = (&Step, usize, &Json)> {
        let provisions = |step: &&Step| {
            let plugin = self.plugin(&step.plugin);
            plugin.is_some_and(|plugin| {
                matches!(&plugin.source, PluginSource::Builtin(name) if name == "provisioning")
            })
        };
        self.chain.iter().filter(provisions).flat_map(|step| {
            let templates = step.settings.get("templates").and_then(Json::as_array);
            let templates = templates.into_iter().flatten().enumerate();
            templates.map(move |(number, template)| (step, number, template))
        })
    }

    /// The names of all templates; `None` where a plugin may have some of which
    /// nothing is known here.
    fn template_names(&self) -> Option<Vec<&str>> {
        let is_unknown = |plugin: &&Plugin| {
            plugin.grants.contains(&Grant::Placement)
                && matches!(plugin.source, PluginSource::File(_))
        };
        if self.plugins.iter().any(|plugin| is_unknown(&plugin)) {
            return None;
        }
        let templates = self.templates();
        Some(
            templates
                .filter_map(|(_, _, template)| template.get("name")?.as_str())
                .collect(),
        )
    }

    fn is_builtin(&self, step: &Step, name: &str) -> bool {
        let plugin = self.plugin(&step.plugin);
        plugin.is_some_and(
            |plugin| matches!(&plugin.source, PluginSource::Builtin(source) if source == name),
        )
    }

    /// What templates give and the bundled plugins that would keep it are not
    /// there to see: they are told of it only by a step before theirs.
    fn unkept(&self, warnings: &mut Vec<Diagnostic>) {
        let is_known = |plugin: &Plugin| matches!(plugin.source, PluginSource::Builtin(_));
        for (step, number, template) in self.templates() {
            for (key, keeper) in [("acl", "acl"), ("tags", "tagging")] {
                let is_keeper = |one: &Step| self.is_builtin(one, keeper);
                let given = match template.get(key) {
                    Some(Json::Object(tags)) => !tags.is_empty(),
                    Some(given) => given.is_string(),
                    None => false,
                };
                let mut later = self
                    .chain
                    .iter()
                    .skip_while(|one| !std::ptr::eq(*one, step));
                let kept = later.any(is_keeper);
                // Another plugin may keep it instead.
                let by_another =
                    !self.plugins.iter().all(is_known) && !self.chain.iter().any(is_keeper);
                if !given || kept || by_another {
                    continue;
                }
                let place = step.settings_place_of(&format!("/templates/{number}/{key}"));
                let message = format!("no later step keeps the `{key}` of this template");
                let help = format!("use `builtin:{keeper}` after this step");
                warnings.push(place.complain(message, &help));
            }
        }
    }

    /// Only `builtin:provisioning` lets anybody make a bucket, of those that are
    /// bundled.
    fn unprovisioned(&self, facts: &BTreeMap<&str, PluginFacts>, warnings: &mut Vec<Diagnostic>) {
        let may_allow = |step: &Step| {
            self.plugin(&step.plugin)
                .is_some_and(|plugin| match &plugin.source {
                    PluginSource::Builtin(name) => name == "provisioning",
                    PluginSource::File(_) => facts
                        .get(step.plugin.as_str())
                        .is_none_or(|facts| facts.guards),
                })
        };
        if !self.chain.iter().any(may_allow) {
            let message = "nobody can make a bucket: no step allows it to anybody";
            let help = "use `builtin:provisioning`";
            warnings.push(self.parts.place("chain").complain(message, help));
        }
    }

    /// Templates by which no bucket can be made.
    fn unplaceable(&self, warnings: &mut Vec<Diagnostic>) {
        let drives = self.storage.set.drives.len();
        for (step, number, template) in self.templates() {
            let shards = |key: &str| template.get("geometry")?.get(key)?.as_u64();
            let (Some(data), Some(parity)) = (shards("data"), shards("parity")) else {
                continue;
            };
            let fault = if parity > data {
                format!("{parity} parity shards are more than {data} data shards")
            } else if data.saturating_add(parity) > drives as u64 {
                format!(
                    "{data} data and {parity} parity shards need more than the {drives} drives of the set"
                )
            } else {
                continue;
            };
            let place = step.settings_place_of(&format!("/templates/{number}/geometry"));
            let message = format!("no bucket can be made by this template: {fault}");
            warnings.push(place.complain(message, "change `geometry`, or leave it out"));
        }
    }
}

/// Why no request is asked about, or nobody learns of the answer.
fn unreachable(
    step: &Step,
    earlier: &[Step],
    facts: Option<&PluginFacts>,
    templates: Option<&[&str]>,
    warnings: &mut Vec<Diagnostic>,
) {
    let mut warn = |message: String, help: &str| warnings.push(step.place.complain(message, help));
    let matching = &step.matching;
    let rule = matching
        .within
        .iter()
        .filter_map(|selector| match selector {
            Selector::Name(glob) => Some(glob),
            Selector::Template(_) => None,
        });
    // Of the rest, the use in the chain tells.
    let own = matching.buckets.iter().filter(|_| !step.is_varied);
    for glob in rule.chain(own).filter(|glob| !can_match(glob)) {
        let message = format!("no bucket can have a name like `{}`", glob.as_str());
        let help = "names have 3 to 63 characters, begin and end with a letter or a digit, have no \
                    two dots in a row, and are no IP addresses";
        warn(message, help);
    }
    for selector in &matching.within {
        if let (Selector::Template(name), Some(known)) = (selector, templates)
            && !known.contains(&name.as_str())
        {
            let message = format!("no bucket is made by a template `{name}`");
            let help = suggest(name, known.iter().copied(), "template");
            warn(message, &help);
        }
    }
    if step.is_varied {
        let mut within = matching.within.iter();
        if within.all(|selector| matching.except.contains(selector)) {
            let message = format!("an earlier entry says what `{}` is here", step.plugin);
            warn(
                message,
                "only the first one counts: merge them, or remove one",
            );
        }
        return;
    }
    if step.mode == Mode::Off {
        return warn("this step is off".to_owned(), "switch it on, or remove it");
    }
    let same = earlier.iter().find(|other| {
        other.plugin == step.plugin
            && other.matching == step.matching
            && other.settings == step.settings
            && other.mode == step.mode
    });
    if let Some(same) = same {
        let message = format!("this step repeats the one on line {}", same.place.line());
        warn(message, "remove one of them");
    }
    let Some(facts) = facts else { return };
    let mut accesses = Operation::ALL
        .iter()
        .flat_map(|operation| counted(*operation));
    let concerned = accesses.any(|counted| {
        let meets = |listed: &[Operation]| {
            listed.is_empty() || listed.iter().any(|one| counted.contains(one))
        };
        meets(&step.matching.operations) && facts.operations.iter().any(|listed| meets(listed))
    });
    if !concerned {
        let message = format!("`{}` is concerned by none of these operations", step.plugin);
        warn(
            message,
            "change `match.operations`; `sluice plugin inspect` tells what concerns it",
        );
    }
}

/// What each access of an operation counts as when it is authorized: the
/// operation itself, and what would ask for the same alone. Rather too much than
/// too little.
fn counted(operation: Operation) -> Vec<Vec<Operation>> {
    use Operation as O;
    const SAID: [Operation; 4] = [
        O::PutObjectAcl,
        O::PutObjectTagging,
        O::PutObjectRetention,
        O::PutObjectLegalHold,
    ];
    let written = |more: &[Operation]| {
        let mut counted = vec![operation];
        counted.extend(more);
        counted.extend(SAID);
        counted
    };
    match operation {
        O::DeleteObjects => vec![vec![operation, O::DeleteObject]],
        O::UploadPartCopy => vec![vec![operation, O::GetObject]],
        O::CopyObject => vec![vec![operation, O::GetObject], written(&[O::PutObject])],
        O::PostObject => vec![written(&[O::PutObject])],
        O::PutObject | O::CreateMultipartUpload => vec![written(&[])],
        _ => vec![vec![operation]],
    }
}

/// Whether there may be a bucket name that fits; certain where it is denied.
fn can_match(glob: &Glob) -> bool {
    let pattern = glob.as_str();
    let edge = |byte: Option<u8>| !matches!(byte, Some(b'-' | b'.'));
    let has_star = pattern.contains('*');
    edge(pattern.bytes().next())
        && edge(pattern.bytes().next_back())
        && !pattern.contains("..")
        && (has_star || pattern.len() >= 3)
        && pattern.parse::<Ipv4Addr>().is_err()
}

fn risks(plugin: &Plugin, guards: bool, warnings: &mut Vec<Diagnostic>) {
    let mut warn = |at: &str, message: &str, help: &str| {
        warnings.push(plugin.place_of(at).complain(message, help));
    };
    let on_failure = &plugin.on_failure;
    let at_kind = |kind: FailureKind| match on_failure.kinds.contains_key(&kind) {
        true => format!("/on_failure/{}", kind.name()),
        false => "/on_failure/default".to_owned(),
    };
    let is_open = |kind: FailureKind| on_failure.of(kind) == Failure::Open;
    let mut kinds = FailureKind::WORDS
        .iter()
        .filter_map(|word| FailureKind::parse(word));
    if let Some(open) = kinds.find(|kind| is_open(*kind)).filter(|_| guards) {
        let message = "whoever makes this plugin fail gets past it, and it decides who may do what";
        warn(&at_kind(open), message, "write `deny` in `on_failure`");
    }
    let (memory, trap) = (FailureKind::Memory, FailureKind::Trap);
    if is_open(memory) != is_open(trap) {
        let open = if is_open(memory) { memory } else { trap };
        let message = "a plugin without memory may trap as well as run out of it, and one of the two lets requests pass";
        let help = "answer `memory` and `trap` alike";
        warn(&at_kind(open), message, help);
    }
    for (key, start, what) in [
        ("load", on_failure.load, "that cannot be loaded"),
        ("settings", on_failure.settings, "that refuses its settings"),
    ] {
        if start == OnStart::Serve(Failure::Open) {
            let message = format!("a plugin {what} lets every request pass");
            let help = "write `refuse` or `deny` in `on_failure`";
            warn(&format!("/on_failure/{key}"), &message, help);
        }
    }
    if plugin.breaker.is_none() && plugin.grants.contains(&Grant::Http) {
        let message =
            "it calls services, and without a breaker every request waits for one that is gone";
        warn("/breaker", message, "remove `breaker: off`");
    }
    if plugin.instances == Instances::Reuse && plugin.grants.contains(&Grant::Identity) {
        let message = "it says who makes requests, and one instance sees those of many";
        warn("/instances", message, "write `instances: fresh`");
    }
    if matches!(plugin.source, PluginSource::File(_)) && plugin.digest.is_none() {
        let message = "whoever can write to the file changes what is decided";
        let help = "add `digest: sha256:..`, as `sha256sum` prints it";
        warn("/source", message, help);
    }
    for endpoint in &plugin.endpoints {
        let mut warn =
            |message: &str, help: &str| warnings.push(endpoint.place.complain(message, help));
        if endpoint.url.scheme_str() == Some("http") && !is_on_this_machine(&endpoint.url) {
            let message = "what is sent to this endpoint, and its answers, can be read and changed on the way";
            warn(message, "use https://");
        }
        if endpoint.private_addresses {
            let message = "this plugin may call private addresses by this endpoint";
            warn(
                message,
                "remove `private_addresses` if the host has a public address",
            );
        }
    }
}
