//! What S3 allows of tags, for whoever keeps them and whoever gives them.

use crate::{Code, Denial};

/// What tags are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// A bucket, which has more of them.
    Bucket,
    /// A version of an object.
    Object,
}

/// Why tags cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault<'a> {
    /// There are more than what they are of can have.
    TooMany(Tagged),
    /// All of them together are.
    TooLong,
    /// Two have this key.
    Repeated(&'a str),
    /// The key is for the system to give.
    System(&'a str),
    /// The key is empty, too long, or has signs that tags have not.
    Key(&'a str),
    /// The same of a value, which may be empty.
    Value(&'a str, &'a str),
}

const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
/// All keys and values together, in bytes: a set has to fit into an answer. Only
/// scripts of four bytes a character get there.
const LEN_MAX: usize = 60_000;

impl Tagged {
    /// How many it can have.
    pub fn count_max(self) -> usize {
        match self {
            Self::Bucket => 50,
            Self::Object => 10,
        }
    }
}

/// Fails where these cannot be the tags of something.
pub fn check(of: Tagged, tags: &[(String, String)]) -> Result<(), Fault<'_>> {
    if tags.len() > of.count_max() {
        return Err(Fault::TooMany(of));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        check_tag(key, value)?;
        if tags.iter().take(at).any(|(known, _)| known == key) {
            return Err(Fault::Repeated(key));
        }
    }
    let lens = tags.iter().map(|(key, value)| key.len() + value.len());
    match lens.sum::<usize>() > LEN_MAX {
        true => Err(Fault::TooLong),
        false => Ok(()),
    }
}

fn check_tag<'a>(key: &'a str, value: &'a str) -> Result<(), Fault<'a>> {
    let begins = key.get(..4).unwrap_or_default();
    if begins.eq_ignore_ascii_case("aws:") {
        return Err(Fault::System(key));
    }
    if key.is_empty() || !is_text(key, KEY_CHARS_MAX) {
        return Err(Fault::Key(key));
    }
    match is_text(value, VALUE_CHARS_MAX) {
        true => Ok(()),
        false => Err(Fault::Value(key, value)),
    }
}

/// Letters, digits, spaces and a few signs.
fn is_text(text: &str, chars_max: usize) -> bool {
    let is_allowed = |char: char| {
        char.is_alphanumeric()
            || char.is_whitespace() && !char.is_control()
            || "+-=._:/@".contains(char)
    };
    text.chars().all(is_allowed) && text.chars().count() <= chars_max
}

impl Fault<'_> {
    /// The key of the tag that is at fault, where it is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::TooMany(_) | Self::TooLong => None,
            Self::Repeated(key) | Self::System(key) | Self::Key(key) | Self::Value(key, _) => {
                Some(key)
            }
        }
    }

    /// What is wrong, in the words of S3.
    pub fn message(&self) -> &'static str {
        match self {
            Self::TooMany(Tagged::Object) => "Object tags cannot be greater than 10",
            Self::TooMany(Tagged::Bucket) => "Bucket tag count cannot be greater than 50",
            Self::TooLong => "The tags are too long together",
            Self::Repeated(_) => "Cannot provide multiple Tags with the same key",
            Self::System(_) => "System tags cannot be added/updated by requester",
            Self::Key(_) => "The TagKey you have provided is invalid",
            Self::Value(..) => "The TagValue you have provided is invalid",
        }
    }
}

impl From<Fault<'_>> for Denial {
    fn from(fault: Fault<'_>) -> Self {
        let mut denial = Self::new(Code::InvalidTag);
        if let Some(key) = fault.key() {
            denial = denial.with("TagKey", key);
        }
        if let Fault::Value(_, value) = fault {
            denial = denial.with("TagValue", value);
        }
        denial.because(fault.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_held_to_their_limits() {
        let check = |key: &str, value: &str, valid: bool| {
            assert_eq!(check_tag(key, value).is_ok(), valid, "{key} {value}");
        };
        check(&"ä".repeat(128), "", true);
        check(&"ä".repeat(129), "", false);
        check("a", &"b".repeat(256), true);
        check("a", &"b".repeat(257), false);
        check("", "b", false);
        check("aws:a", "b", false);
        check("AWS:a", "b", false);
        check("aws", "b", true);
        check("a b+c-d=e.f_g:h/i@j1", "ä 字 ٣", true);
        for wrong in [
            "a&b",
            "a,b",
            "a\tb",
            "a\nb",
            "a\u{0}",
            "a#",
            "\u{1f600}",
            "a?",
        ] {
            check(wrong, "b", false);
            check("a", wrong, false);
        }
    }

    #[test]
    fn buckets_have_more_tags_than_objects() {
        let holds = |of: Tagged, count: u32, value: &str, expected: Result<(), Fault<'_>>| {
            let tag = |n: u32| {
                // Keys as long as they can be, in a script of four bytes.
                let first = char::from_u32(0x20000 + n).unwrap();
                let rest = "\u{20000}".repeat(if value.is_empty() { 0 } else { 127 });
                (format!("{first}{rest}"), value.to_owned())
            };
            let tags: Vec<_> = (0..count).map(tag).collect();
            assert_eq!(check(of, &tags), expected, "{of:?} {count}");
        };
        holds(Tagged::Object, 10, "", Ok(()));
        let many = Err(Fault::TooMany(Tagged::Object));
        holds(Tagged::Object, 11, "", many);
        holds(Tagged::Bucket, 50, "", Ok(()));
        let many = Err(Fault::TooMany(Tagged::Bucket));
        holds(Tagged::Bucket, 51, "", many);
        let long = "\u{20000}".repeat(256);
        holds(Tagged::Object, 10, &long, Ok(()));
        holds(Tagged::Bucket, 39, &long, Ok(()));
        holds(Tagged::Bucket, 40, &long, Err(Fault::TooLong));
        let twice = vec![("a".to_owned(), String::new()); 2];
        assert_eq!(check(Tagged::Object, &twice), Err(Fault::Repeated("a")));
    }
}
