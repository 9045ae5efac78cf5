//! A set of tags, and the document that it is kept in: the line `tags 1`, then a
//! line for each tag, with a tab between key and value. A set that exists keeps
//! the rules.

use sluice_plugin::hex_digit;
use sluice_plugin::prelude::*;

use crate::HEADER;

/// What the tags are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Bucket,
    Object,
}

/// Tags in the order in which they were given; no two have the same key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TagSet(Vec<(String, String)>);

const HEAD: &str = "tags 1";
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
/// All keys and values together, in bytes: the set has to fit into an answer.
/// Only scripts of four bytes a character get there.
const LEN_MAX: usize = 60_000;

impl Of {
    fn count_max(self) -> usize {
        match self {
            Self::Bucket => 50,
            Self::Object => 10,
        }
    }
}

impl TagSet {
    /// The tags as they came.
    pub(crate) fn new(of: Of, tags: Vec<(String, String)>) -> Result<Self, Denial> {
        let bad = |message: &str| Err(Denial::custom("BadRequest", 400).because(message));
        if tags.len() > of.count_max() {
            return bad(match of {
                Of::Object => "Object tags cannot be greater than 10",
                Of::Bucket => "Bucket tag count cannot be greater than 50",
            });
        }
        for (at, (key, value)) in tags.iter().enumerate() {
            check(key, value)?;
            if tags.iter().take(at).any(|(known, _)| known == key) {
                return Err(deny(InvalidTag)
                    .with("TagKey", key)
                    .because("Cannot provide multiple Tags with the same key"));
            }
        }
        let lens = tags.iter().map(|(key, value)| key.len() + value.len());
        if lens.sum::<usize>() > LEN_MAX {
            return bad("The tags are too long together");
        }
        Ok(Self(tags))
    }

    /// The tags of an object in the form of the header: that of a query.
    pub(crate) fn from_header(text: &str) -> Result<Self, Denial> {
        let refuse = || -> Denial {
            deny(InvalidArgument).argument(HEADER, text).because(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                 without tag name duplicates.",
            )
        };
        let mut tags: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (decoded(key), decoded(value)) else {
                return Err(refuse());
            };
            if tags.iter().any(|(known, _)| *known == key) {
                return Err(refuse());
            }
            tags.push((key, value));
        }
        Self::new(Of::Object, tags)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.0.iter();
        tags.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn encode(&self) -> String {
        let mut document = String::from(HEAD);
        for (key, value) in self.iter() {
            for part in ["\n", key, "\t", value] {
                document.push_str(part);
            }
        }
        document
    }

    /// Nothing, where the document is not a set of tags.
    pub(crate) fn decode(document: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(document).ok()?.split('\n');
        if lines.next() != Some(HEAD) {
            return None;
        }
        let tags = lines.map(|line| {
            let (key, value) = line.split_once('\t')?;
            Some((key.to_owned(), value.to_owned()))
        });
        tags.collect::<Option<_>>().map(Self)
    }

    /// How many tags a document has.
    pub(crate) fn count(document: &[u8]) -> usize {
        document.iter().filter(|byte| **byte == b'\n').count()
    }
}

fn check(key: &str, value: &str) -> Result<(), Denial> {
    let invalid = |message: &str| Err(deny(InvalidTag).with("TagKey", key).because(message));
    let begins = key.get(..4).unwrap_or_default();
    if begins.eq_ignore_ascii_case("aws:") {
        return invalid("System tags cannot be added/updated by requester");
    }
    if key.is_empty() || !is_text(key, KEY_CHARS_MAX) {
        return invalid("The TagKey you have provided is invalid");
    }
    if !is_text(value, VALUE_CHARS_MAX) {
        return Err(deny(InvalidTag)
            .with("TagKey", key)
            .with("TagValue", value)
            .because("The TagValue you have provided is invalid"));
    }
    Ok(())
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

/// Undoes the encoding of a query, where it is one, of UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(read: Result<TagSet, Denial>) -> Result<usize, String> {
        read.map(|tags| tags.iter().count())
            .map_err(|denial| denial.code)
    }

    #[test]
    fn a_header_is_read_as_a_query_and_strictly() {
        let check = |text: &str, expected: Result<usize, &str>| {
            let expected = expected.map_err(str::to_owned);
            assert_eq!(code(TagSet::from_header(text)), expected, "{text}");
        };
        let tags = |count: usize| {
            let tags: Vec<_> = (0..count).map(|n| format!("k{n}=v")).collect();
            tags.join("&")
        };
        check("", Ok(0));
        check("a=b", Ok(1));
        check("a&b=&&c=d%2B+e", Ok(3));
        check("a=b=c", Ok(1));
        check(&tags(10), Ok(10));
        check(&tags(11), Err("BadRequest"));
        check("a=b&a=c", Err("InvalidArgument"));
        check("a=%zz", Err("InvalidArgument"));
        check("a=%4", Err("InvalidArgument"));
        check("a=%ff", Err("InvalidArgument"));
        check("=b", Err("InvalidTag"));
        check("aws:a=b", Err("InvalidTag"));
        check("AWS:a=b", Err("InvalidTag"));
        check("aws=b", Ok(1));
    }

    #[test]
    fn keys_and_values_are_held_to_their_limits() {
        let check = |key: &str, value: &str, valid: bool| {
            let read = TagSet::new(Of::Object, vec![(key.to_owned(), value.to_owned())]);
            let expected = if valid {
                Ok(1)
            } else {
                Err("InvalidTag".to_owned())
            };
            assert_eq!(code(read), expected, "{key} {value}");
        };
        check(&"ä".repeat(128), "", true);
        check(&"ä".repeat(129), "", false);
        check("a", &"b".repeat(256), true);
        check("a", &"b".repeat(257), false);
        check("", "b", false);
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
        let set = |of: Of, count: usize, value: &str| {
            let tag = |n: usize| (format!("k{n}"), value.to_owned());
            code(TagSet::new(of, (0..count).map(tag).collect()))
        };
        let bad = Err("BadRequest".to_owned());
        assert_eq!(set(Of::Object, 10, ""), Ok(10));
        assert_eq!(set(Of::Object, 11, ""), bad.clone());
        assert_eq!(set(Of::Bucket, 50, ""), Ok(50));
        assert_eq!(set(Of::Bucket, 51, ""), bad.clone());
        let long = "\u{20000}".repeat(256);
        assert_eq!(set(Of::Object, 10, &long), Ok(10));
        assert_eq!(set(Of::Bucket, 50, &long), Ok(50));
        let tag = |n: u32| {
            let first = char::from_u32(0x20000 + n).unwrap();
            let key = first.to_string() + &"\u{20000}".repeat(127);
            (key, long.clone())
        };
        assert_eq!(
            code(TagSet::new(Of::Bucket, (0..50).map(tag).collect())),
            bad
        );
        assert_eq!(set(Of::Bucket, 50, &"字".repeat(256)), Ok(50));
        let twice = vec![("a".to_owned(), String::new()); 2];
        assert_eq!(
            code(TagSet::new(Of::Bucket, twice)),
            Err("InvalidTag".to_owned())
        );
    }

    #[test]
    fn a_document_reads_back() {
        let tags = TagSet::from_header("team=storage&empty=&a+b=%C3%A4").unwrap();
        let document = tags.encode();
        assert_eq!(document, "tags 1\nteam\tstorage\nempty\t\na b\tä");
        assert_eq!(TagSet::count(document.as_bytes()), 3);
        assert_eq!(TagSet::decode(document.as_bytes()), Some(tags));
        for wrong in [&b""[..], b"tags 2\na\tb", b"tags 1\na", b"tags 1\n\xff\t"] {
            assert_eq!(TagSet::decode(wrong), None, "{wrong:?}");
        }
    }
}
