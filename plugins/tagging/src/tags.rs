//! A set of tags, and the document that it is kept in: the line `tags 1`, then a
//! line for each tag, with a tab between key and value. A set that exists keeps
//! the rules of the SDK.

use sluice_plugin::hex_digit;
use sluice_plugin::prelude::*;
use sluice_plugin::tags::{self, Tagged};

use crate::HEADER;

/// Tags in the order in which they were given; no two have the same key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TagSet(Vec<(String, String)>);

const HEAD: &str = "tags 1";

impl TagSet {
    /// The tags as they came.
    pub(crate) fn new(of: Tagged, tags: Vec<(String, String)>) -> Result<Self, Denial> {
        tags::check(of, &tags)?;
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
        Self::new(Tagged::Object, tags)
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
        check(&tags(11), Err("InvalidTag"));
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
