//! How settings are read: what `#[derive(Settings)]` uses, and what a type of
//! one's own implements to be a field of them.
//!
//! Settings are read on every fresh instance, so this walks the JSON once and
//! copies only what is kept; and it is in every component, so what can be is
//! shared by all types.
//!
//! ```
//! use sluice_plugin::prelude::*;
//! use sluice_plugin::setting::{Fault, Json, Setting};
//!
//! /// A rate such as `10/s`.
//! #[derive(Debug, PartialEq)]
//! struct Rate { per_second: u64 }
//!
//! impl Setting for Rate {
//!     fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
//!         let text = json.string()?;
//!         let per_second = text.strip_suffix("/s").and_then(|number| number.parse().ok());
//!         let per_second = per_second.ok_or_else(|| Fault::new("must be a rate such as 10/s"))?;
//!         Ok(Self { per_second })
//!     }
//!
//!     fn schema(out: &mut String) {
//!         String::schema(out);
//!     }
//! }
//!
//! #[derive(Debug, Settings)]
//! struct Limit { rate: Rate }
//!
//! let read = |json| Settings::from_json(json).read::<Limit>();
//! assert_eq!(read(r#"{"rate": "10/s"}"#).unwrap().rate, Rate { per_second: 10 });
//! assert_eq!(read(r#"{"rate": "10"}"#).unwrap_err(), "`rate` must be a rate such as 10/s");
//! ```

mod json;
pub mod schema;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub use json::Json;

/// A value that can be read from the settings of a plugin.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from settings",
    label = "not a type of settings",
    note = "there are `bool`, integers, `f64`, `String`, `Duration`, `Size`, types with `#[derive(Settings)]`, and `Option`s and `Vec`s of them"
)]
pub trait Setting: Sized {
    /// What the value is, in a sentence, where its key does not say it.
    const ABOUT: &'static str = "";

    /// Whether it must be there.
    const REQUIRED: bool = true;

    /// Reads the value that comes next.
    fn read(json: &mut Json<'_>) -> Result<Self, Fault>;

    /// The value where its key is absent, if it need not be there.
    fn absent() -> Option<Self> {
        None
    }

    /// Appends the members of its JSON Schema, such as `"type":"string"`.
    fn schema(out: &mut String);
}

/// What is wrong with the settings, and at which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The keys on the way, with dots between them; empty for the settings as a whole.
    place: String,
    what: Cow<'static, str>,
}

impl Fault {
    /// `what` follows the name of the key, as in "must be a rate".
    #[cold]
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            place: String::new(),
            what: what.into(),
        }
    }

    /// The fault as that of something below `key`.
    #[cold]
    pub(crate) fn below(mut self, key: &str) -> Self {
        let separator = match self.place.as_bytes().first() {
            None | Some(b'[') => "",
            Some(_) => ".",
        };
        self.place = [key, separator, &self.place].concat();
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl Fault {
    /// Without the formatting machinery, which is larger than all of this.
    pub(crate) fn to_text(&self) -> String {
        match self.place.as_str() {
            // What is said of the whole is a sentence by itself.
            "" => self.what.clone().into_owned(),
            place => ["`", place, "` ", &self.what].concat(),
        }
    }
}

/// The settings of a plugin.
pub(crate) fn read<T: Setting>(text: &str) -> Result<T, Fault> {
    if matches!(text, "" | "{}" | "null")
        && let Some(value) = T::absent()
    {
        return Ok(value);
    }
    let mut json = Json::new(if text.is_empty() { "{}" } else { text });
    let value = T::read(&mut json)?;
    json.end()?;
    Ok(value)
}

// What the derived code calls.

#[doc(hidden)]
pub fn check(fine: bool, what: &'static str) -> Result<(), Fault> {
    if fine { Ok(()) } else { Err(Fault::new(what)) }
}

#[doc(hidden)]
pub fn or_absent<T: Setting>(read: Option<T>, key: &str) -> Result<T, Fault> {
    read.or_else(T::absent)
        .ok_or_else(|| Fault::new("is missing").below(key))
}

#[doc(hidden)]
pub fn default<T: Setting>(json: &'static str, key: &str) -> Result<T, Fault> {
    T::read(&mut Json::new(json)).map_err(|fault| fault.below(key))
}

/// A type all whose keys may be absent.
#[doc(hidden)]
pub fn empty<T: Setting>() -> Option<T> {
    if T::REQUIRED {
        return None;
    }
    T::read(&mut Json::new("{}")).ok()
}

/// What has a length.
#[doc(hidden)]
pub trait Measured {
    fn measure(&self) -> usize;
}

impl Measured for String {
    fn measure(&self) -> usize {
        self.chars().count()
    }
}

impl<T> Measured for Vec<T> {
    fn measure(&self) -> usize {
        self.len()
    }
}

impl Setting for String {
    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        Ok(json.string()?.into_owned())
    }

    fn schema(out: &mut String) {
        out.push_str(r#""type":"string""#);
    }
}

impl Setting for bool {
    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        match json.word() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Fault::new("must be true or false")),
        }
    }

    fn schema(out: &mut String) {
        out.push_str(r#""type":"boolean""#);
    }
}

macro_rules! numbers {
    ($what:literal: $($number:ident)*) => {$(
        impl Setting for $number {
            fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
                let word = json.word();
                word.parse().map_err(|_| not_a_number(word, $what))
            }

            fn schema(out: &mut String) {
                out.push_str(concat!(r#""type":""#, $what, "\""));
            }
        }
    )*};
}

numbers!("integer": i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
numbers!("number": f32 f64);

#[cold]
fn not_a_number(word: &str, what: &str) -> Fault {
    let digits = word.strip_prefix('-').unwrap_or(word);
    if what == "integer" && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Fault::new("is out of range");
    }
    Fault::new(match what {
        "integer" => "must be a whole number",
        _ => "must be a number",
    })
}

impl<T: Setting> Setting for Option<T> {
    const ABOUT: &'static str = T::ABOUT;
    const REQUIRED: bool = false;

    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        match json.null() {
            true => Ok(None),
            false => T::read(json).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema(out: &mut String) {
        T::schema(out);
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        let mut items = Self::new();
        json.list(&mut |json| {
            items.push(T::read(json)?);
            Ok(())
        })?;
        Ok(items)
    }

    fn schema(out: &mut String) {
        schema::list(out, T::ABOUT, T::schema);
    }
}

impl Setting for Duration {
    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        const UNITS: &[(&str, u64)] = &[
            ("ms", 1),
            ("s", 1000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
        ];
        let what = "must be a duration such as 100ms, 5s, 1m, 2h or 7d";
        with_unit(json, UNITS, what).map(Self::from_millis)
    }

    fn schema(out: &mut String) {
        out.push_str(r#""type":"string","pattern":"^[0-9]+(ms|s|m|h|d)$""#);
    }
}

/// A number of bytes: `64KiB`, or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Setting for Size {
    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        const UNITS: &[(&str, u64)] = &[
            ("", 1),
            ("B", 1),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
        ];
        let what = "must be a size such as 512, 64KiB, 8MiB or 1GiB";
        with_unit(json, UNITS, what).map(Self)
    }

    fn schema(out: &mut String) {
        out.push_str(
            r#""type":["integer","string"],"minimum":0,"pattern":"^[0-9]+(B|KiB|MiB|GiB|TiB)?$""#,
        );
    }
}

/// A number and a unit, in a text or, where no unit will do, as a number.
fn with_unit(json: &mut Json<'_>, units: &[(&str, u64)], what: &'static str) -> Result<u64, Fault> {
    let text = match json.is_text() {
        true => json.string()?,
        false => Cow::Borrowed(json.word()),
    };
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let number = text.get(..text.len() - unit.len()).unwrap_or_default();
    let factor = units.iter().find(|(name, _)| *name == unit);
    let value = factor.and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor));
    value.ok_or_else(|| Fault::new(what))
}
