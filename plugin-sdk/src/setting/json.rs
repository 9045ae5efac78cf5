//! A reader of JSON that is asked for what should come next.
//!
//! The gateway makes the JSON from the YAML of the operator, so that it is
//! well-formed is expected; that it is not is an error and never a panic.

use std::borrow::Cow;

use super::Fault;

/// JSON, read from left to right.
#[derive(Debug)]
pub struct Json<'a> {
    rest: &'a str,
}

const MALFORMED: &str = "is no JSON";

impl<'a> Json<'a> {
    /// Begins at the start of a text.
    pub fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// A text.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        if !self.eat(b'"') {
            return Err(Fault::new("must be a text"));
        }
        let text = self.rest;
        let mut bytes = text.bytes().enumerate();
        match bytes.find(|(_, byte)| matches!(byte, b'"' | b'\\')) {
            Some((end, b'"')) => {
                self.rest = text.get(end + 1..).unwrap_or_default();
                Ok(Cow::Borrowed(text.get(..end).unwrap_or_default()))
            }
            Some(_) => self.escaped().map(Cow::Owned),
            None => Err(Fault::new(MALFORMED)),
        }
    }

    /// A number, `true`, `false` or `null`, as it is written; empty where
    /// something else comes.
    pub fn word(&mut self) -> &'a str {
        self.skip_space();
        let text = self.rest;
        let end = text
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')));
        let (word, rest) = text
            .split_at_checked(end.unwrap_or(text.len()))
            .unwrap_or_default();
        self.rest = rest;
        word
    }

    /// Whether `null` comes, which is then behind.
    pub fn null(&mut self) -> bool {
        self.skip_space();
        match self.rest.strip_prefix("null") {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Whether a text comes.
    pub fn is_text(&mut self) -> bool {
        self.skip_space();
        self.rest.starts_with('"')
    }

    /// The index of a text among these.
    pub fn choice(&mut self, names: &[&str]) -> Result<usize, Fault> {
        let found = match self.is_text() {
            true => self.string()?,
            false => Cow::Borrowed(""),
        };
        let at = names.iter().position(|name| *name == found);
        at.ok_or_else(|| {
            let mut what = "must be one of ".to_owned();
            push_names(&mut what, names);
            push_guess(&mut what, &found, names);
            Fault::new(what)
        })
    }

    /// A list, each of whose elements is read by `each`.
    pub fn list(
        &mut self,
        each: &mut dyn FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !self.eat(b'[') {
            return Err(Fault::new("must be a list"));
        }
        if self.eat(b']') {
            return Ok(());
        }
        let mut index = 0_usize;
        loop {
            each(self)
                .map_err(|fault| fault.below(&["[", index.to_string().as_str(), "]"].concat()))?;
            index += 1;
            if self.eat(b']') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(Fault::new(MALFORMED));
            }
        }
    }

    /// An object with these keys, none of them twice. `each` is told which it
    /// is, and reads its value.
    pub fn object(
        &mut self,
        keys: &[&str],
        each: &mut dyn FnMut(usize, &mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut seen = 0_u64;
        self.entries(&mut |key, json| {
            let Some(index) = keys.iter().position(|known| *known == key) else {
                return Err(unknown(key, keys));
            };
            let bit = 1_u64.checked_shl(index as u32).unwrap_or_default();
            if seen & bit != 0 {
                return Err(Fault::new("is there twice"));
            }
            seen |= bit;
            each(index, json)
        })
    }

    /// An object with any keys, each of whose values is read by `each`.
    pub fn entries(
        &mut self,
        each: &mut dyn FnMut(&str, &mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !self.eat(b'{') {
            return Err(Fault::new("must be keys with values"));
        }
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            if !self.eat(b':') {
                return Err(Fault::new(MALFORMED));
            }
            each(&key, self).map_err(|fault| fault.below(&key))?;
            if self.eat(b'}') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(Fault::new(MALFORMED));
            }
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(Fault::new(MALFORMED)),
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        match self.rest.as_bytes().first() == Some(&byte) {
            true => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                true
            }
            false => false,
        }
    }

    /// The rest of a text that has escapes in it.
    fn escaped(&mut self) -> Result<String, Fault> {
        let mut text = String::new();
        let mut characters = self.rest.chars();
        let malformed = || Fault::new(MALFORMED);
        loop {
            match characters.next().ok_or_else(malformed)? {
                '"' => break,
                '\\' => text.push(match characters.next().ok_or_else(malformed)? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'u' => hex_unit(&mut characters)
                        .and_then(|unit| match unit {
                            0xd800..0xdc00 => {
                                let rest = characters.as_str().strip_prefix("\\u")?;
                                characters = rest.chars();
                                let low = hex_unit(&mut characters)?;
                                let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                                char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low)
                            }
                            unit => char::from_u32(unit),
                        })
                        .ok_or_else(malformed)?,
                    other @ ('"' | '\\' | '/') => other,
                    _ => return Err(malformed()),
                }),
                other => text.push(other),
            }
        }
        self.rest = characters.as_str();
        Ok(text)
    }
}

/// The four hexadecimal digits of an escape.
fn hex_unit(characters: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | characters.next()?.to_digit(16)?;
    }
    Some(unit)
}

#[cold]
fn unknown(key: &str, keys: &[&str]) -> Fault {
    let mut what = "is not known".to_owned();
    if !push_guess(&mut what, key, keys) {
        match keys {
            [] => what.push_str("; there are no settings here"),
            keys => {
                what.push_str("; known are ");
                push_names(&mut what, keys);
            }
        }
    }
    Fault::new(what)
}

#[cold]
fn push_names(what: &mut String, names: &[&str]) {
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            what.push_str(", ");
        }
        push_quoted(what, name);
    }
}

fn push_quoted(what: &mut String, name: &str) {
    what.push('`');
    what.push_str(name);
    what.push('`');
}

/// Adds the name that was probably meant, if one was.
#[cold]
fn push_guess(what: &mut String, given: &str, names: &[&str]) -> bool {
    let distances = names.iter().map(|name| (distance(given, name), name));
    let near = distances.min_by_key(|(distance, _)| *distance);
    match near {
        Some((distance, name)) if distance <= 1 + name.len() / 4 => {
            what.push_str("; did you mean ");
            push_quoted(what, name);
            what.push('?');
            true
        }
        _ => false,
    }
}

/// How many letters have to be changed, at most; longer names are no typos.
fn distance(a: &str, b: &str) -> usize {
    const LEN_MAX: usize = 64;
    if a.len() > LEN_MAX || b.len() > LEN_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, left) in a.bytes().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal + usize::from(left != right);
            diagonal = *cell;
            *cell = changed.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_with_their_escapes() {
        let check = |json: &str, expected: Option<&str>| {
            let text = Json::new(json).string().ok();
            assert_eq!(text.as_deref(), expected, "{json}");
        };
        check(r#""""#, Some(""));
        check(r#" "ä b""#, Some("ä b"));
        check(r#""a\"b\\c\/d\n""#, Some("a\"b\\c/d\n"));
        check(r#""\u00e4\ud83d\ude00""#, Some("ä😀"));
        for malformed in [
            "",
            "a",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            r#""\ud83d""#,
            r#""\ud83d\u0041""#,
            r#""\udc00""#,
            "\"\\u",
        ] {
            check(malformed, None);
        }
    }

    #[test]
    fn an_object_may_have_any_keys() {
        let check = |json: &str, expected: Result<&[(&str, &str)], &str>| {
            let mut found = Vec::new();
            let read = Json::new(json).entries(&mut |key, json| {
                found.push((key.to_owned(), json.string()?.into_owned()));
                Ok(())
            });
            let found: Vec<_> = found
                .iter()
                .map(|(key, value)| (&**key, &**value))
                .collect();
            let read = read.map(|()| &*found).map_err(|fault| fault.to_text());
            assert_eq!(read, expected.map_err(str::to_owned), "{json}");
        };
        check("{}", Ok(&[]));
        check(r#"{"a": "b", "": ""}"#, Ok(&[("a", "b"), ("", "")]));
        check(r#"{"a": 1}"#, Err("`a` must be a text"));
        check("[]", Err("must be keys with values"));
        for malformed in ["{", r#"{"a""#, r#"{"a":"b""#] {
            assert!(
                Json::new(malformed)
                    .entries(&mut |_, json| json.string().map(drop))
                    .is_err()
            );
        }
    }

    #[test]
    fn the_distance_of_names_is_that_of_their_letters() {
        let check = |a: &str, b: &str, expected| assert_eq!(distance(a, b), expected, "{a} {b}");
        check("", "", 0);
        check("key", "key", 0);
        check("key", "keys", 1);
        check("kye", "key", 2);
        check("", "abc", 3);
        check("window", "widow", 1);
    }
}
