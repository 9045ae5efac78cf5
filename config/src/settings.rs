//! The settings of a step, held against the schema that its plugin brings.
//!
//! The schema is as little trusted as the plugin. What of JSON Schema is not
//! known here is left to the plugin, which has the last word on its settings
//! anyway: a fault that is found is one, but not every fault is found. Whatever
//! the schema is, the work is bounded, and what it says is shown without control
//! characters.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value as Json};

use crate::chain::Step;
use crate::read::{expected, suggest};
use crate::report::{Diagnostic, Place, Report};

/// The faults of one step that are reported.
const FAULTS_MAX: usize = 100;
/// How deep rules are followed, references among them: deeper than settings are.
const DEPTH_MAX: usize = 128;
/// How many rules are held against values, all together.
const RULES_MAX: usize = 200_000;
/// The longest piece of a schema that is shown, in characters.
const SHOWN_LEN_MAX: usize = 200;

/// Where the values of a tree stand, by their JSON pointers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(pub(crate) BTreeMap<String, Spot>);

#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) value: Place,
    /// Of the key that it stands under.
    pub(crate) key: Option<Place>,
}

impl Step {
    /// Where its settings stand, or else the step.
    pub fn settings_place(&self) -> &Place {
        self.settings_place_of("")
    }

    /// Where one of its settings stands, by its JSON pointer, or else the step.
    pub(crate) fn settings_place_of(&self, pointer: &str) -> &Place {
        let spot = self.places.0.get(pointer);
        spot.map_or(&self.place, |spot| &spot.value)
    }

    /// What a plugin with this schema will not take, each fault at its own place.
    pub fn check_settings(&self, schema: &Json) -> Result<(), Report> {
        let check = Check {
            step: self,
            schema,
            rules_left: Cell::new(RULES_MAX),
        };
        let mut faults = Vec::new();
        check.value(schema, &self.settings, "", 0, &mut faults);
        faults.truncate(FAULTS_MAX);
        let faults = faults.into_iter().map(|fault| fault.said);
        Report::of(faults.collect())
    }
}

struct Check<'a> {
    step: &'a Step,
    /// The whole one, which references point into.
    schema: &'a Json,
    rules_left: Cell<usize>,
}

struct Fault<'a> {
    said: Diagnostic,
    why: Why<'a>,
}

enum Why<'a> {
    /// The value with this JSON pointer is of none of these types.
    Type(String, Vec<&'a str>),
    /// It is not the one that is possible.
    Constant,
    Other,
}

impl<'a> Check<'a> {
    fn value(
        &self,
        schema: &'a Json,
        value: &Json,
        at: &str,
        depth: usize,
        faults: &mut Vec<Fault<'a>>,
    ) {
        let Some(left) = self.rules_left.get().checked_sub(1) else {
            return;
        };
        self.rules_left.set(left);
        let rules = match schema {
            Json::Object(rules) if depth < DEPTH_MAX => rules,
            Json::Bool(false) => {
                let place = self.place(at);
                return faults.push(other(place, "nothing is possible here", "leave it out"));
            }
            _ => return,
        };
        let referred = rules.get("$ref").and_then(Json::as_str);
        let referred = referred.and_then(|target| self.schema.pointer(target.strip_prefix('#')?));
        if let Some(referred) = referred {
            self.value(referred, value, at, depth + 1, faults);
        }
        let types = type_names(rules);
        if !types.is_empty() && !types.iter().any(|name| has_type(value, name)) {
            return faults.push(self.mistyped(value, types, at));
        }
        faults.extend(self.choice(rules, value, at));
        match value {
            Json::Null | Json::Bool(_) => {}
            Json::Number(number) => faults.extend(self.number(rules, number, at)),
            Json::String(text) => {
                let len = text.chars().count();
                faults.extend(self.length(rules, len, at, &TEXT));
            }
            Json::Array(items) => {
                faults.extend(self.length(rules, items.len(), at, &LIST));
                self.items(rules, items, at, depth, faults);
            }
            Json::Object(entries) => {
                faults.extend(self.length(rules, entries.len(), at, &MAPPING));
                self.entries(rules, entries, at, depth, faults);
            }
        }
        for all in list(rules, "allOf") {
            self.value(all, value, at, depth + 1, faults);
        }
        for any in ["anyOf", "oneOf"] {
            self.any(rules, list(rules, any), value, at, depth, faults);
        }
    }

    fn choice(&self, rules: &'a Map<String, Json>, value: &Json, at: &str) -> Option<Fault<'a>> {
        let place = self.place(at);
        let message = || format!("{} is not possible here", found(place, value));
        if let Some(only) = rules.get("const").filter(|only| !is_same(only, value)) {
            let help = format!("write `{}`", plain(only));
            let said = place.complain(message(), shown(&help));
            let why = Why::Constant;
            return Some(Fault { said, why });
        }
        let options = rules.get("enum")?.as_array()?;
        if options.iter().any(|option| is_same(option, value)) {
            return None;
        }
        let options: Vec<String> = options.iter().map(plain).collect();
        let words = options.iter().map(String::as_str);
        let help = suggest(&plain(value), words, "value");
        Some(other(place, message(), shown(&help)))
    }

    fn number(&self, rules: &Map<String, Json>, number: &Number, at: &str) -> Option<Fault<'a>> {
        use Ordering::{Equal, Greater, Less};
        let bounds: [(&str, &str, &[Ordering]); 4] = [
            ("minimum", "at least", &[Equal, Greater]),
            ("exclusiveMinimum", "more than", &[Greater]),
            ("maximum", "at most", &[Less, Equal]),
            ("exclusiveMaximum", "less than", &[Less]),
        ];
        let bounds = bounds.iter().filter_map(|(name, words, allowed)| {
            let bound = rules.get(*name)?.as_number()?;
            let holds = compare(number, bound).is_none_or(|is| allowed.contains(&is));
            Some((holds, format!("{words} {bound}")))
        });
        let bounds: Vec<_> = bounds.collect();
        if bounds.iter().all(|(holds, _)| *holds) {
            return None;
        }
        let bounds: Vec<_> = bounds.into_iter().map(|(_, bound)| bound).collect();
        let place = self.place(at);
        let number = Json::Number(number.clone());
        let message = format!("{} is out of range", found(place, &number));
        let help = format!("write a number of {}", bounds.join(" and "));
        Some(other(place, message, help))
    }

    fn length(
        &self,
        rules: &Map<String, Json>,
        len: usize,
        at: &str,
        what: &Measured,
    ) -> Option<Fault<'a>> {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        let limit = |name: &str| rules.get(name)?.as_u64();
        let counted = |count: u64| match count {
            1 => format!("1 {}", what.unit),
            _ => format!("{count} {}s", what.unit),
        };
        let (message, help) = match (limit(what.min), limit(what.max)) {
            (Some(min), _) if len < min => (
                format!("the {} is too short", what.name),
                format!("write at least {}", counted(min)),
            ),
            (_, Some(max)) if len > max => (
                format!("the {} is too long", what.name),
                format!("write at most {}", counted(max)),
            ),
            _ => return None,
        };
        Some(other(self.place(at), message, help))
    }

    fn items(
        &self,
        rules: &'a Map<String, Json>,
        items: &[Json],
        at: &str,
        depth: usize,
        faults: &mut Vec<Fault<'a>>,
    ) {
        if rules.get("uniqueItems") == Some(&Json::Bool(true)) {
            let mut seen = BTreeSet::new();
            let repeated = items
                .iter()
                .position(|item| !seen.insert(canonical(item).to_string()));
            faults.extend(repeated.map(|number| {
                let place = self.place(&below(at, &number.to_string()));
                other(place, "this is in the list already", "name everything once")
            }));
        }
        let before = list(rules, "prefixItems");
        let each = rules.get("items").filter(|each| !each.is_array());
        for (number, item) in items.iter().enumerate() {
            if let Some(rules) = before.get(number).or(each) {
                let at = below(at, &number.to_string());
                self.value(rules, item, &at, depth + 1, faults);
            }
        }
    }

    fn entries(
        &self,
        rules: &'a Map<String, Json>,
        entries: &Map<String, Json>,
        at: &str,
        depth: usize,
        faults: &mut Vec<Fault<'a>>,
    ) {
        let no_rules = Map::new();
        let known = rules.get("properties").and_then(Json::as_object);
        let more = rules
            .get("additionalProperties")
            .filter(|_| !rules.contains_key("patternProperties"));
        for name in list(rules, "required").iter().filter_map(Json::as_str) {
            if entries.contains_key(name) {
                continue;
            }
            let about = known.and_then(|known| known.get(name)?.get("description")?.as_str());
            let help = match about {
                Some(about) => format!("add `{name}: ..`: {about}"),
                None => format!("add `{name}: ..`"),
            };
            let message = format!("`{}` is missing", shown(name));
            faults.push(other(self.place(at), message, shown(&help)));
        }
        for (key, value) in entries {
            let below = below(at, key);
            if let Some(rules) = known.and_then(|known| known.get(key)) {
                self.value(rules, value, &below, depth + 1, faults);
            } else if more == Some(&Json::Bool(false)) {
                let message = format!("unknown key `{}`", shown(key));
                let words = known.unwrap_or(&no_rules).keys().map(String::as_str);
                let help = suggest(key, words, "key");
                faults.push(other(self.key_place(at, &below), message, shown(&help)));
            } else if let Some(rules) = more {
                self.value(rules, value, &below, depth + 1, faults);
            }
        }
    }

    /// One of several must hold; where none does, the fault is that of what was
    /// probably meant, where there is only one.
    fn any(
        &self,
        rules: &'a Map<String, Json>,
        branches: &'a [Json],
        value: &Json,
        at: &str,
        depth: usize,
        faults: &mut Vec<Fault<'a>>,
    ) {
        let mut found: Vec<Vec<Fault<'a>>> = Vec::new();
        for branch in branches {
            let mut faults = Vec::new();
            self.value(branch, value, at, depth + 1, &mut faults);
            if faults.is_empty() {
                return;
            }
            found.push(faults);
        }
        let is_meant = |fault: &Fault<'_>| match &fault.why {
            Why::Type(pointer, _) => pointer != at,
            Why::Constant => false,
            Why::Other => true,
        };
        let meant: Vec<_> = found
            .extract_if(.., |branch| branch.iter().all(is_meant))
            .collect();
        let types: Vec<&str> = found
            .iter()
            .flatten()
            .filter_map(|fault| match &fault.why {
                Why::Type(pointer, types) if pointer == at => Some(types.as_slice()),
                _ => None,
            })
            .flatten()
            .copied()
            .collect();
        match (meant.len(), found.is_empty()) {
            (0, true) => {}
            (1, _) => faults.extend(meant.into_iter().flatten()),
            (0, false) if types.len() >= found.len() => {
                faults.push(self.mistyped(value, types, at));
            }
            _ => {
                let about = rules.get("description").and_then(Json::as_str);
                let help = shown(about.unwrap_or("see the documentation of the plugin"));
                let message = "this is none of what is possible here";
                faults.push(other(self.place(at), message, help));
            }
        }
    }

    fn mistyped(&self, value: &Json, types: Vec<&'a str>, at: &str) -> Fault<'a> {
        let place = self.place(at);
        let mut names: Vec<&str> = Vec::new();
        for name in types.iter().filter_map(|name| type_name(name)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let help = match (value, types.as_slice()) {
            (Json::Null, _) => "give it a value, or leave the key out".to_owned(),
            (_, ["string"]) => "put it in quotes if it is meant as text".to_owned(),
            (_, ["array"]) => "write `[..]`, or one `- ..` on each line".to_owned(),
            (_, ["object"]) => "write `key: value` pairs".to_owned(),
            _ => format!("write {}", names.join(" or ")),
        };
        let message = expected(&names.join(" or "), &found(place, value));
        let said = place.complain(message, help);
        let why = Why::Type(at.to_owned(), types);
        Fault { said, why }
    }

    /// A value that is not in the file is a default of what it is part of.
    fn place(&self, pointer: &str) -> &Place {
        let mut pointer = pointer;
        loop {
            if let Some(spot) = self.step.places.0.get(pointer) {
                return &spot.value;
            }
            let Some((parent, _)) = pointer.rsplit_once('/') else {
                return &self.step.place;
            };
            pointer = parent;
        }
    }

    fn key_place(&self, at: &str, below: &str) -> &Place {
        let spot = self.step.places.0.get(below);
        spot.and_then(|spot| spot.key.as_ref())
            .unwrap_or_else(|| self.place(at))
    }
}

/// How the length of a value is bounded.
struct Measured {
    name: &'static str,
    unit: &'static str,
    min: &'static str,
    max: &'static str,
}

const TEXT: Measured = Measured {
    name: "text",
    unit: "character",
    min: "minLength",
    max: "maxLength",
};
const LIST: Measured = Measured {
    name: "list",
    unit: "item",
    min: "minItems",
    max: "maxItems",
};
const MAPPING: Measured = Measured {
    name: "mapping",
    unit: "key",
    min: "minProperties",
    max: "maxProperties",
};

fn other<'a>(place: &Place, message: impl Into<String>, help: impl Into<String>) -> Fault<'a> {
    let said = place.complain(message, help);
    let why = Why::Other;
    Fault { said, why }
}

fn list<'a>(rules: &'a Map<String, Json>, name: &str) -> &'a [Json] {
    let list = rules.get(name).and_then(Json::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// The types that are possible; empty for all.
fn type_names(rules: &Map<String, Json>) -> Vec<&str> {
    let types = match rules.get("type") {
        Some(Json::String(name)) => vec![name.as_str()],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    match types.iter().all(|name| type_name(name).is_some()) {
        true => types,
        false => Vec::new(),
    }
}

fn type_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "null" => "nothing",
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "a mapping",
        _ => return None,
    })
}

fn has_type(value: &Json, name: &str) -> bool {
    match value {
        Json::Null => name == "null",
        Json::Bool(_) => name == "boolean",
        Json::Number(number) => {
            let is_whole = || number.as_f64().is_some_and(|number| number.fract() == 0.0);
            name == "number" || name == "integer" && is_whole()
        }
        Json::String(_) => name == "string",
        Json::Array(_) => name == "array",
        Json::Object(_) => name == "object",
    }
}

fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn is_same(one: &Json, other: &Json) -> bool {
    canonical(one) == canonical(other)
}

/// The same for all that is the same: to JSON Schema `1.0` is `1`, also within a
/// list or a mapping.
fn canonical(value: &Json) -> Json {
    match value {
        Json::Number(number) => Json::Number(whole(number).unwrap_or_else(|| number.clone())),
        Json::Array(items) => items.iter().map(canonical).collect(),
        Json::Object(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| (key.clone(), canonical(value)));
            Json::Object(entries.collect())
        }
        Json::Null | Json::Bool(_) | Json::String(_) => value.clone(),
    }
}

/// A number that is written with a fraction of nothing, without it.
fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole, and one that is cut off stays as it was written"
    )]
    let whole = float as i128;
    number.is_f64().then(|| Number::from_i128(whole))?
}

/// What is there instead of something else, unless it is a secret.
fn found(place: &Place, value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a mapping".to_owned(),
        _ if place.is_secret() => "`***`".to_owned(),
        scalar => format!("`{}`", shown(&plain(scalar))),
    }
}

/// A value as one would write it.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text of others, in one line that no terminal acts upon.
fn shown(text: &str) -> String {
    let plain = |char: char| if char.is_control() { ' ' } else { char };
    let mut shown: String = text.chars().take(SHOWN_LEN_MAX).map(plain).collect();
    if text.chars().nth(SHOWN_LEN_MAX).is_some() {
        shown.push_str("..");
    }
    shown
}

/// The JSON pointer to what is under a key.
pub(crate) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
