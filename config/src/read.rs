//! Typed reading of a YAML tree that does not stop at the first mistake.
//!
//! A mistake is written down where it is found and the value becomes
//! [`Invalid`]; so a reader asks for all of its fields first and unwraps them
//! with `?` last, and everything that is wrong has been said by then.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::report::{Diagnostic, Place, Report, Source};
use crate::settings::{self, Places, Spot};
use crate::unit;
use crate::yaml::{self, Entry, Kind, Node, Span};

/// A value that cannot be used. Why is in the complaints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invalid;

pub(crate) type Valid<T> = Result<T, Invalid>;

#[derive(Default)]
pub(crate) struct Complaints(RefCell<Vec<Diagnostic>>);

impl Complaints {
    pub(crate) fn add(&self, diagnostic: Diagnostic) -> Invalid {
        self.0.borrow_mut().push(diagnostic);
        Invalid
    }

    /// The value, if there is nothing to complain about.
    pub(crate) fn settle<T>(self, value: Valid<T>) -> Result<T, Report> {
        Report::of(self.0.into_inner())?;
        Ok(value.unwrap_or_else(|Invalid| unreachable!("what is invalid was complained about")))
    }
}

/// A node, and the way to it.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    node: Rc<Node>,
    path: String,
    source: Arc<Source>,
    complaints: &'a Complaints,
}

/// The root of a document.
pub(crate) fn document<'a>(
    text: &str,
    file: &str,
    complaints: &'a Complaints,
) -> Result<Value<'a>, Report> {
    let node = yaml::parse(text).map_err(|fault| {
        let source = Source::new(file, &without_secrets(text), &[]);
        let place = Place::new(Arc::new(source), fault.span, String::new());
        Report::from(place.complain(fault.message, fault.help))
    })?;
    let mut secrets = Vec::new();
    find_secrets(&node, false, &mut secrets);
    Ok(Value {
        node,
        path: String::new(),
        source: Arc::new(Source::new(file, text, &secrets)),
        complaints,
    })
}

/// A text that could not be read, without its secrets: where they are is not
/// known, so a line that names one is not shown, nor the line after it, nor what
/// is indented below it.
fn without_secrets(text: &str) -> String {
    const NAMES: [&str; 4] = ["secret", "header", "authorization", "token"];
    let mut naming: Option<usize> = None;
    let mut after = false;
    let shown: Vec<&str> = text
        .lines()
        .map(|line| {
            let indent = line.len() - line.trim_start_matches([' ', '-']).len();
            if !line.trim().is_empty() && naming.is_some_and(|naming| indent <= naming) {
                naming = None;
            }
            let folded = line.to_lowercase();
            let names = NAMES.iter().any(|name| folded.contains(name));
            if names {
                naming.get_or_insert(indent);
            }
            let hidden = std::mem::replace(&mut after, names) || naming.is_some();
            if hidden { "..." } else { line }
        })
        .collect();
    shown.join("\n")
}

/// The places of all values under keys that look as if they named a secret.
fn find_secrets(node: &Node, secret: bool, found: &mut Vec<Span>) {
    match &node.kind {
        Kind::Plain(_) | Kind::Quoted(_) if secret => found.push(node.span),
        Kind::Plain(_) | Kind::Quoted(_) => {}
        Kind::List(items) => {
            for item in items {
                find_secrets(item, secret, found);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                let key = entry.key.to_lowercase();
                let names_secret = key.contains("secret")
                    || distance(&key, "secret_key") <= 3
                    // Of an endpoint, and with values: a `match` only lists names.
                    || (distance(&key, "headers") <= 2 && matches!(entry.value.kind, Kind::Map(_)));
                let indirect = secret && matches!(key.as_str(), "file" | "env");
                find_secrets(&entry.value, (secret || names_secret) && !indirect, found);
            }
        }
    }
}

impl<'a> Value<'a> {
    pub(crate) fn place(&self) -> Place {
        self.place_of(self.node.span)
    }

    fn place_of(&self, span: Span) -> Place {
        Place::new(self.source.clone(), span, self.path.clone())
    }

    pub(crate) fn line(&self) -> usize {
        self.node.span.start.line
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn fail(&self, message: impl Into<String>, help: impl Into<String>) -> Invalid {
        self.complaints.add(self.place().complain(message, help))
    }

    fn child(&self, node: &Rc<Node>, path: String) -> Self {
        Self {
            node: node.clone(),
            path,
            ..self.clone()
        }
    }

    fn below(&self, key: &str) -> String {
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
        let key = match key.chars().all(plain) && !key.is_empty() {
            true => key.to_owned(),
            false => format!("{key:?}"),
        };
        match self.path.is_empty() {
            true => key,
            false => format!("{}.{key}", self.path),
        }
    }

    fn expected(&self, what: &str, help: &str) -> Invalid {
        let found = match &self.node.kind {
            _ if self.node.is_null() => "nothing".to_owned(),
            Kind::Plain(text) | Kind::Quoted(text) if text.len() <= 64 && !self.is_secret() => {
                format!("`{text}`")
            }
            Kind::Plain(_) | Kind::Quoted(_) => "other text".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        };
        self.fail(expected(what, &found), help)
    }

    fn is_secret(&self) -> bool {
        self.source.is_secret(self.node.span)
    }

    /// Text as it is written, whatever it looks like.
    fn scalar(&self, what: &str, help: &str) -> Valid<&str> {
        match &self.node.kind {
            Kind::Plain(text) | Kind::Quoted(text) if !self.node.is_null() => Ok(text),
            _ => Err(self.expected(what, help)),
        }
    }

    pub(crate) fn text(&self) -> Valid<&str> {
        let text = self.scalar("text", "write some text")?;
        let is_text = match &self.node.kind {
            Kind::Plain(text) => matches!(plain_json(text), Some(serde_json::Value::String(_))),
            _ => true,
        };
        match is_text {
            true => Ok(text),
            false => Err(self.expected("text", "put it in quotes if it is meant as text")),
        }
    }

    /// Text, if it is any; without a complaint.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.node.kind {
            Kind::Plain(text) | Kind::Quoted(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Text that `parse` understands; what it says is the message.
    pub(crate) fn parsed<T, E: fmt::Display>(
        &self,
        help: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Valid<T> {
        parse(self.text()?).map_err(|error| self.fail(error.to_string(), help))
    }

    pub(crate) fn integer(&self, range: RangeInclusive<u64>) -> Valid<u64> {
        let what = "a whole number";
        let help = format!("write a number from {} to {}", range.start(), range.end());
        let Kind::Plain(text) = &self.node.kind else {
            return Err(self.expected(what, &help));
        };
        let number: u64 = text.parse().map_err(|_| self.expected(what, &help))?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(self.fail(format!("{number} is out of range"), help))
        }
    }

    /// An integer that counts what fits into memory.
    pub(crate) fn count(&self, range: RangeInclusive<u64>) -> Valid<usize> {
        Ok(fits(self.integer(range)?))
    }

    pub(crate) fn count_u32(&self, range: RangeInclusive<u32>) -> Valid<u32> {
        let (min, max) = range.into_inner();
        let count = self.integer(min.into()..=max.into())?;
        Ok(u32::try_from(count).expect("the range is one of u32"))
    }

    pub(crate) fn boolean(&self) -> Valid<bool> {
        match &self.node.kind {
            Kind::Plain(text) if text == "true" => Ok(true),
            Kind::Plain(text) if text == "false" => Ok(false),
            _ => Err(self.expected("`true` or `false`", "write `true` or `false`")),
        }
    }

    /// A number of bytes, such as `64KiB`.
    pub(crate) fn size(&self, range: RangeInclusive<u64>) -> Valid<usize> {
        let (min, max) = (*range.start(), *range.end());
        let help = format!("write {} to {}", unit::show_size(min), unit::show_size(max));
        let text = self.scalar("a size", &help)?;
        let size = unit::parse_size(text).map_err(|error| self.fail(error, help.clone()))?;
        if range.contains(&size) {
            Ok(fits(size))
        } else {
            Err(self.fail(format!("`{text}` is out of range"), help))
        }
    }

    /// A time, such as `10s`.
    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Valid<Duration> {
        let help = format!("write {:?} to {:?}", range.start(), range.end());
        let text = self.scalar("a duration", &help)?;
        let duration =
            unit::parse_duration(text).map_err(|error| self.fail(error, help.clone()))?;
        if range.contains(&duration) {
            Ok(duration)
        } else {
            Err(self.fail(format!("`{text}` is out of range"), help))
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T>(
        &self,
        what: &str,
        words: &[&str],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Valid<T> {
        let text = self.text()?;
        parse(text).ok_or_else(|| {
            let message = format!("there is no {what} `{text}`");
            self.fail(message, suggest(text, words.iter().copied(), what))
        })
    }

    /// A share of a whole, from 0 to 1.
    pub(crate) fn share(&self) -> Valid<f64> {
        let (what, help) = ("a number from 0 to 1", "write a number such as 0.01");
        match &self.node.kind {
            Kind::Plain(text) => match plain_json(text).and_then(|number| number.as_f64()) {
                Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
                _ => Err(self.expected(what, help)),
            },
            _ => Err(self.expected(what, help)),
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.node.kind, Kind::Plain(_) | Kind::Quoted(_))
    }

    /// Whether it is a list or a mapping that has something in it.
    pub(crate) fn is_filled(&self) -> bool {
        match &self.node.kind {
            Kind::List(items) => !items.is_empty(),
            Kind::Map(entries) => !entries.is_empty(),
            Kind::Plain(_) | Kind::Quoted(_) => false,
        }
    }

    /// What a mapping has under a key, without a complaint.
    pub(crate) fn peek(&self, key: &str) -> Option<Self> {
        let Kind::Map(entries) = &self.node.kind else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        Some(self.child(&entry.value, self.below(key)))
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.kind, Kind::Map(_))
    }

    /// Reads every item, also after one that is invalid.
    pub(crate) fn list<T>(&self, mut read: impl FnMut(&Self) -> Valid<T>) -> Valid<Vec<T>> {
        let Kind::List(items) = &self.node.kind else {
            return Err(self.expected("a list", "write `[..]`, or one `- ..` on each line"));
        };
        let items: Vec<Valid<T>> = items
            .iter()
            .enumerate()
            .map(|(at, item)| read(&self.child(item, format!("{}[{at}]", self.path))))
            .collect();
        items.into_iter().collect()
    }

    /// A list that is not empty.
    pub(crate) fn filled_list<T>(
        &self,
        help: &str,
        read: impl FnMut(&Self) -> Valid<T>,
    ) -> Valid<Vec<T>> {
        let items = self.list(read)?;
        match items.is_empty() {
            true => Err(self.fail("the list is empty", help)),
            false => Ok(items),
        }
    }

    fn entries(&self) -> Valid<Vec<&Entry>> {
        let Kind::Map(entries) = &self.node.kind else {
            return Err(self.expected("a mapping", "write `key: value` pairs"));
        };
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        let mut kept = Vec::new();
        for entry in entries {
            let line = entry.key_span.start.line;
            if let Some(first) = first.get(entry.key.as_str()) {
                let at = Place::new(self.source.clone(), entry.key_span, self.below(&entry.key));
                let message = format!("the key `{}` is already on line {first}", entry.key);
                self.complaints
                    .add(at.complain(message, "keep one of them"));
            } else {
                first.insert(&entry.key, line);
                kept.push(entry);
            }
        }
        Ok(kept)
    }

    /// The entries of a mapping whose keys are free to choose.
    pub(crate) fn named<T>(&self, mut read: impl FnMut(&str, &Self) -> Valid<T>) -> Valid<Vec<T>> {
        let entries: Vec<Valid<T>> = self
            .entries()?
            .into_iter()
            .map(|entry| {
                read(
                    &entry.key,
                    &self.child(&entry.value, self.below(&entry.key)),
                )
            })
            .collect();
        entries.into_iter().collect()
    }

    /// The entries of a mapping whose keys are known; complains about all others.
    pub(crate) fn fields(&self, known: &'static [&'static str]) -> Valid<Fields<'a>> {
        let mut fields = BTreeMap::new();
        let mut mistaken = BTreeSet::new();
        for entry in self.entries()? {
            let value = self.child(&entry.value, self.below(&entry.key));
            if known.contains(&entry.key.as_str()) {
                fields.insert(entry.key.clone(), value);
            } else {
                let at = value.place_of(entry.key_span);
                let message = format!("unknown key `{}`", entry.key);
                let help = suggest(&entry.key, known.iter().copied(), "key");
                self.complaints.add(at.complain(message, help));
                mistaken.extend(nearest(&entry.key, known.iter().copied()));
            }
        }
        Ok(Fields {
            of: self.clone(),
            known,
            fields,
            mistaken,
        })
    }

    /// Where it and everything in it stands.
    pub(crate) fn places(&self) -> Places {
        let mut places = Places::default();
        self.add_places(String::new(), None, &mut places);
        places
    }

    fn add_places(&self, pointer: String, key: Option<Place>, places: &mut Places) {
        match &self.node.kind {
            Kind::Plain(_) | Kind::Quoted(_) => {}
            Kind::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    let item = self.child(item, format!("{}[{at}]", self.path));
                    item.add_places(settings::below(&pointer, &at.to_string()), None, places);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let value = self.child(&entry.value, self.below(&entry.key));
                    let key = value.place_of(entry.key_span);
                    value.add_places(settings::below(&pointer, &entry.key), Some(key), places);
                }
            }
        }
        let value = self.place();
        places.0.insert(pointer, Spot { value, key });
    }

    /// Any value, as JSON.
    pub(crate) fn json(&self) -> Valid<serde_json::Value> {
        match &self.node.kind {
            Kind::Quoted(text) => Ok(serde_json::Value::String(text.clone())),
            Kind::Plain(text) => plain_json(text).ok_or_else(|| {
                let message = format!("`{text}` is a number that JSON does not have");
                self.fail(message, "put it in quotes if it is meant as text")
            }),
            Kind::List(_) => Ok(self.list(Self::json)?.into()),
            Kind::Map(_) => {
                let entries = self.named(|key, value| Ok((key.to_owned(), value.json()?)))?;
                Ok(serde_json::Value::Object(entries.into_iter().collect()))
            }
        }
    }
}

/// What was found where something else had to be.
pub(crate) fn expected(what: &str, found: &str) -> String {
    format!("{what} is expected here, not {found}")
}

fn fits(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What a scalar without quotes means by the core schema of YAML 1.2.
fn plain_json(text: &str) -> Option<serde_json::Value> {
    let digits = |text: &str, valid: fn(&char) -> bool| {
        !text.is_empty() && text.chars().all(|char| valid(&char))
    };
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => serde_json::Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ if matches!(unsigned, ".inf" | ".Inf" | ".INF") => return None,
        ".nan" | ".NaN" | ".NAN" => return None,
        _ => {
            let prefixed = |prefix, radix, valid| {
                let rest = text
                    .strip_prefix(prefix)
                    .filter(|rest| digits(rest, valid))?;
                Some(u64::from_str_radix(rest, radix).ok())
            };
            if let Some(number) = prefixed("0x", 16, char::is_ascii_hexdigit) {
                return number.map(Into::into);
            }
            if let Some(number) = prefixed("0o", 8, |char| matches!(char, '0'..='7')) {
                return number.map(Into::into);
            }
            let is_number = unsigned.starts_with(|char: char| char.is_ascii_digit() || char == '.')
                && unsigned.contains(|char: char| char.is_ascii_digit())
                && unsigned
                    .chars()
                    .all(|char| matches!(char, '0'..='9' | '.' | 'e' | 'E' | '-' | '+'));
            let whole = text.strip_prefix('+').unwrap_or(text);
            if let Ok(number) = whole.parse::<i64>() {
                number.into()
            } else if let Ok(number) = whole.parse::<u64>() {
                number.into()
            } else if let Some(number) = is_number.then(|| text.parse::<f64>().ok()).flatten() {
                serde_json::Number::from_f64(number)?.into()
            } else {
                text.into()
            }
        }
    })
}

type Reader<'a, 'r, T> = &'r dyn Fn(&Value<'a>) -> Valid<T>;

/// The fields of a mapping. Each is asked for once.
pub(crate) struct Fields<'a> {
    of: Value<'a>,
    known: &'static [&'static str],
    fields: BTreeMap<String, Value<'a>>,
    /// What unknown keys were probably meant as; these are not missing, too.
    mistaken: BTreeSet<&'static str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        assert!(self.known.contains(&name), "`{name}` is not a known field");
        self.fields.get(name)
    }

    /// Where the fields that are there stand.
    pub(crate) fn places(&self) -> BTreeMap<String, Place> {
        let fields = self.fields.iter();
        fields
            .map(|(name, value)| (name.clone(), value.place()))
            .collect()
    }

    pub(crate) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Value<'a>) -> Valid<T>,
    ) -> Valid<Option<T>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) if value.node.is_null() => Err(value.fail(
                format!("`{name}` has no value"),
                "give it one, or leave the key out",
            )),
            Some(value) => read(value).map(Some),
        }
    }

    pub(crate) fn or<T>(
        &self,
        name: &str,
        default: T,
        read: impl FnOnce(&Value<'a>) -> Valid<T>,
    ) -> Valid<T> {
        Ok(self.optional(name, read)?.unwrap_or(default))
    }

    /// `example` is what to write where the field is missing.
    pub(crate) fn required<T>(
        &self,
        name: &str,
        example: &str,
        read: impl FnOnce(&Value<'a>) -> Valid<T>,
    ) -> Valid<T> {
        match self.optional(name, read)? {
            Some(value) => Ok(value),
            None if self.mistaken.contains(name) => Err(Invalid),
            None => {
                let message = format!("`{name}` is missing");
                Err(self.of.fail(message, format!("add `{name}: {example}`")))
            }
        }
    }

    /// The only two keys that are there, or a complaint: `what` needs exactly one of them.
    pub(crate) fn only<T>(&self, readers: &[(&str, Reader<'a, '_, T>)]) -> Valid<T> {
        let given: Vec<_> = readers
            .iter()
            .filter_map(|(name, read)| Some((self.get(name)?, read)))
            .collect();
        match given.as_slice() {
            [(value, read)] => read(value),
            [] if readers.iter().any(|(name, _)| self.mistaken.contains(name)) => Err(Invalid),
            _ => {
                let names: Vec<_> = readers
                    .iter()
                    .map(|(name, _)| format!("`{name}`"))
                    .collect();
                let names = names.join(" and ");
                let message = format!("exactly one of {names} is expected here");
                Err(self.of.fail(message, "keep one of them"))
            }
        }
    }
}

/// Names that may be used only once.
#[derive(Default)]
pub(crate) struct Unique(RefCell<BTreeMap<String, (String, usize)>>);

impl Unique {
    /// `what` is what the name would be twice.
    pub(crate) fn claim(&self, value: &Value<'_>, name: &str, what: &str) -> Valid<()> {
        let mut names = self.0.borrow_mut();
        if let Some((path, line)) = names.get(name) {
            let message = format!("`{name}` is already the {what} at `{path}` (line {line})");
            return Err(value.fail(message, format!("every {what} is named once")));
        }
        names.insert(name.to_owned(), (value.path.clone(), value.line()));
        Ok(())
    }
}

/// "did you mean", or else the words there are.
pub(crate) fn suggest<'w>(
    word: &str,
    words: impl Iterator<Item = &'w str> + Clone,
    what: &str,
) -> String {
    if let Some(nearest) = nearest(word, words.clone()) {
        return format!("did you mean `{nearest}`?");
    }
    let words: BTreeSet<&str> = words.collect();
    match words.len() {
        0 => format!("there is no {what} to choose from"),
        1..=20 => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("one of {} is possible here", words.join(", "))
        }
        _ => format!("see the documentation for every {what}"),
    }
}

/// The word that was probably meant.
fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let folded = |text: &str| text.to_lowercase().replace('-', "_");
    let word = folded(word);
    words
        .map(|other| (distance(&word, &folded(other)), other))
        .filter(|(distance, _)| *distance <= (word.chars().count() / 3).max(1))
        .min()
        .map(|(_, nearest)| nearest)
}

/// How many letters must be added, removed, changed or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    /// Longer words are not alike; this also bounds the work.
    const LEN_MAX: usize = 64;
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len() > LEN_MAX || other.len() > LEN_MAX {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut best = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_corrected_only_if_it_is_near() {
        let words = ["drives", "data_shards", "parity_shards", "deny"];
        for (word, expected) in [
            ("drvies", "did you mean `drives`?"),
            ("Drives", "did you mean `drives`?"),
            ("data-shards", "did you mean `data_shards`?"),
            ("data_shard", "did you mean `data_shards`?"),
            ("dney", "did you mean `deny`?"),
            (
                "xyz",
                "one of `data_shards`, `deny`, `drives`, `parity_shards` is possible here",
            ),
        ] {
            assert_eq!(suggest(word, words.into_iter(), "key"), expected, "{word}");
        }
    }

    #[test]
    fn a_scalar_without_quotes_means_what_it_looks_like() {
        use serde_json::json;
        for (text, value) in [
            ("", Some(json!(null))),
            ("~", Some(json!(null))),
            ("true", Some(json!(true))),
            ("yes", Some(json!("yes"))),
            ("no", Some(json!("no"))),
            ("12", Some(json!(12))),
            ("-12", Some(json!(-12))),
            ("+12", Some(json!(12))),
            ("0x1F", Some(json!(31))),
            ("0o17", Some(json!(15))),
            ("18446744073709551615", Some(json!(u64::MAX))),
            ("1.5", Some(json!(1.5))),
            (".5", Some(json!(0.5))),
            ("1e3", Some(json!(1000.0))),
            (".inf", None),
            ("-.inf", None),
            (".nan", None),
            ("1e999", None),
            ("infinity", Some(json!("infinity"))),
            ("nan", Some(json!("nan"))),
            ("e", Some(json!("e"))),
            ("-", Some(json!("-"))),
            ("1.2.3.4", Some(json!("1.2.3.4"))),
            ("2026-01-01", Some(json!("2026-01-01"))),
            ("12:30", Some(json!("12:30"))),
        ] {
            assert_eq!(plain_json(text), value, "{text}");
        }
    }
}
