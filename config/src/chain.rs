//! Which plugins a request passes, in which order, and which it cannot avoid.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::matching::{self, Match, Selector};
use crate::policy::Names;
use crate::read::{Fields, Valid, Value};
use crate::report::Place;
use crate::settings::Places;
use crate::words::Mode;

pub(crate) const STEP_KEYS: &[&str] = &["use", "match", "settings", "mode"];
pub(crate) const ENTRY_KEYS: &[&str] = &["match", "templates", "insert", "settings", "shadow"];
pub(crate) const INSERT_KEYS: &[&str] = &["after", "before", "use", "match", "settings", "mode"];

/// One use of a plugin.
#[derive(Debug, Clone)]
pub struct Step {
    /// The name of the plugin in the catalogue.
    pub plugin: String,
    pub matching: Match,
    pub settings: serde_json::Value,
    pub mode: Mode,
    /// Whether it is what an entry of `buckets` makes of a use in the chain.
    pub(crate) is_varied: bool,
    pub place: Place,
    /// Of its settings.
    pub(crate) places: Places,
}

impl Step {
    /// Whether it is there for the buckets of an entry of `buckets`.
    pub(crate) fn is_of_buckets(&self) -> bool {
        self.place.path().starts_with("buckets")
    }

    /// Whether every request has to pass it.
    fn is_unconditional(&self) -> bool {
        self.mode == Mode::Enforce && self.matching.is_all()
    }
}

/// What steps may refer to.
pub(crate) struct Known<'a> {
    /// The plugins of the catalogue.
    pub(crate) plugins: &'a Names,
    /// Those that the chain uses.
    pub(crate) used: &'a Names,
    /// Where they could be read.
    pub(crate) accounts: Option<&'a [Account]>,
}

fn no_plugin(name: &str) -> String {
    format!("there is no plugin `{name}` in the catalogue")
}

pub(crate) fn step(value: &Value<'_>, known: &Known<'_>) -> Valid<Step> {
    let fields = value.fields(STEP_KEYS)?;
    // An insert may name a use that is invalid for other reasons.
    if let Some(name) = fields.get("use").and_then(Value::as_text) {
        known.used.add(name);
    }
    use_of(value, &fields, known)
}

fn use_of(value: &Value<'_>, fields: &Fields<'_>, known: &Known<'_>) -> Valid<Step> {
    let plugin = fields.required("use", "NAME", |value| known.plugins.find(value, no_plugin));
    let matching = fields.or("match", Match::default(), |value| {
        matching::matching(value, known.accounts)
    });
    let settings = fields.or("settings", serde_json::json!({}), Value::json);
    let mode = fields.or("mode", Mode::Enforce, |value| {
        value.choice("mode", Mode::WORDS, Mode::parse)
    });
    Ok(Step {
        plugin: plugin?,
        matching: matching?,
        settings: settings?,
        mode: mode?,
        is_varied: false,
        place: value.place(),
        places: fields
            .get("settings")
            .map(Value::places)
            .unwrap_or_default(),
    })
}

/// A step for some buckets, and where in the chain it belongs.
pub(crate) struct Insert {
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

/// What is different for some buckets.
pub(crate) struct Entry {
    buckets: Vec<Selector>,
    inserts: Vec<Insert>,
    /// By the plugins whose uses in the chain are others for these buckets.
    variations: BTreeMap<String, Variation>,
}

struct Variation {
    /// Instead of those in the chain, and where they stand.
    settings: Option<(serde_json::Value, Places)>,
    shadow: bool,
    place: Place,
}

pub(crate) fn entry(value: &Value<'_>, known: &Known<'_>, enforced: &[String]) -> Valid<Entry> {
    let fields = value.fields(ENTRY_KEYS)?;
    let buckets = selectors(value, &fields);
    let inserts = fields.or("insert", Vec::new(), |value| {
        value.filled_list("insert a step, or remove the key", |value| {
            insert(value, known)
        })
    });
    let settings = fields.or("settings", Vec::new(), |value| {
        value.named(|name, value| {
            let plugin = known.used.check(name, value, not_used)?;
            can_vary(&plugin, value, enforced)?;
            let variation = Variation {
                settings: Some((value.json()?, value.places())),
                shadow: false,
                place: value.place(),
            };
            Ok((plugin, variation))
        })
    });
    let shadow = fields.or("shadow", Vec::new(), |value| {
        value.list(|value| {
            let plugin = known.used.find(value, not_used)?;
            can_vary(&plugin, value, enforced)?;
            Ok((plugin, value.place()))
        })
    });
    let changes = ["insert", "settings", "shadow"];
    let is_idle = !changes
        .iter()
        .any(|key| fields.get(key).is_some_and(Value::is_filled));
    if is_idle && inserts.is_ok() && settings.is_ok() && shadow.is_ok() {
        let help = "add `insert`, `settings` or `shadow`, or remove the entry";
        return Err(value.fail("nothing is different for these buckets", help));
    }
    let (buckets, mut inserts) = (buckets?, inserts?);
    for insert in &mut inserts {
        insert.step.matching.within.clone_from(&buckets);
    }
    let mut variations: BTreeMap<_, _> = settings?.into_iter().collect();
    for (plugin, place) in shadow? {
        let variation = variations.entry(plugin).or_insert(Variation {
            settings: None,
            shadow: true,
            place,
        });
        variation.shadow = true;
    }
    Ok(Entry {
        buckets,
        inserts,
        variations,
    })
}

/// The buckets that an entry is about: those with such names, and those that were
/// made by such templates.
fn selectors(entry: &Value<'_>, fields: &Fields<'_>) -> Valid<Vec<Selector>> {
    let names = fields.or("match", Vec::new(), matching::globs);
    let templates = fields.or("templates", Vec::new(), matching::templates);
    let names = names?.into_iter().map(Selector::Name);
    let selectors: Vec<_> = names
        .chain(templates?.into_iter().map(Selector::Template))
        .collect();
    match selectors.is_empty() {
        true => {
            let help = "add `match: [\"prod-*\"]`, `templates: [NAME]`, or both";
            Err(entry.fail("the entry does not say which buckets it is about", help))
        }
        false => Ok(selectors),
    }
}

fn not_used(name: &str) -> String {
    format!("the chain does not use a plugin `{name}`")
}

fn can_vary(plugin: &str, at: &Value<'_>, enforced: &[String]) -> Valid<()> {
    if enforced.iter().any(|name| name == plugin) {
        let message = format!("`{plugin}` is enforced, and so the same for all buckets");
        return Err(at.fail(message, "remove this, or take it out of `enforced`"));
    }
    Ok(())
}

fn insert(value: &Value<'_>, known: &Known<'_>) -> Valid<Insert> {
    let fields = value.fields(INSERT_KEYS)?;
    let anchor = |value: &Value<'_>| known.used.find(value, not_used);
    let place = fields.only(&[
        ("after", &|value| Ok((Side::After, anchor(value)?))),
        ("before", &|value| Ok((Side::Before, anchor(value)?))),
    ]);
    let step = use_of(value, &fields, known);
    let narrowed = fields.optional("match", |value| match value.peek("buckets") {
        None => Ok(()),
        Some(buckets) => Err(buckets.fail(
            "the buckets of an insert are those of its entry",
            "move them to the `match` of the entry, or make another entry",
        )),
    });
    narrowed?;
    let (side, anchor) = place?;
    Ok(Insert {
        side,
        anchor,
        step: step?,
    })
}

/// The steps of the chain with all that is different for some buckets.
pub(crate) fn merge(chain: Vec<Step>, entries: Vec<Entry>) -> Vec<Step> {
    let varied = chain.into_iter().flat_map(|step| vary(step, &entries));
    let varied = varied.collect();
    let inserts = entries.into_iter().flat_map(|entry| entry.inserts);
    place(varied, inserts.collect())
}

/// A use as one step for each entry that makes another of it, and one for all
/// other buckets. No bucket is meant by two of them: the first entry that fits
/// a bucket is the one for it.
fn vary(mut step: Step, entries: &[Entry]) -> Vec<Step> {
    let mut varied = Vec::new();
    for entry in entries {
        let Some(variation) = entry.variations.get(&step.plugin) else {
            continue;
        };
        let mut other = step.clone();
        other.is_varied = true;
        other.place = variation.place.clone();
        other.matching.within.clone_from(&entry.buckets);
        if let Some((settings, places)) = &variation.settings {
            other.settings = settings.clone();
            other.places = places.clone();
        }
        if variation.shadow && other.mode == Mode::Enforce {
            other.mode = Mode::Shadow;
        }
        varied.push(other);
        step.matching.except.extend_from_slice(&entry.buckets);
    }
    varied.push(step);
    varied
}

/// Puts every insert before the first or after the last use of its anchor, in
/// the order in which they are written.
fn place(chain: Vec<Step>, mut inserts: Vec<Insert>) -> Vec<Step> {
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
pub(crate) fn enforced(value: &Value<'_>, names: &Names, chain: &[Step]) -> Valid<String> {
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
        return Ok(plugin);
    };
    let line = conditional.place.line();
    let message =
        format!("`{plugin}` is enforced, but its use on line {line} lets requests past it");
    let help = format!("use `{plugin}` without `match` and with `mode: enforce`");
    Err(value.fail(message, help))
}
