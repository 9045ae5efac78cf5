//! The tags that a write gives its object: `x-amz-tagging`.
//!
//! Whoever may write tags has them stored, as metadata of the object that no
//! client is shown. A plugin could demand the header or decide on it, but a
//! manifest cannot say "I keep what is in it", so there is no telling from the
//! chain whether anybody does; and a tag that was accepted must not be lost.
//! Reads say how many there are. What they are is for the plugin to tell that
//! will serve the operations on them.

use http::{HeaderMap, HeaderName};

use crate::error::{Code, Error};
use crate::query::Query;

/// How many tags an object has, in the answer to a read.
pub const COUNT: HeaderName = HeaderName::from_static("x-amz-tagging-count");

const HEADER: &str = "x-amz-tagging";
const DIRECTIVE: &str = "x-amz-tagging-directive";

const TAGS_MAX: usize = 10;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

/// The tags of the object that a request writes, as they are stored: in the
/// form in which they came.
pub fn of(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let refuse = || {
        Error::new(Code::InvalidArgument)
            .because(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                 without tag name duplicates.",
            )
            .argument(HEADER, String::from_utf8_lossy(value.as_bytes()))
    };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| refuse())?;
    let tags = Query::parse(text).map_err(|_| refuse())?;
    let invalid = |message: &'static str| Err(Error::new(Code::InvalidTag).because(message));
    for (key, value) in tags.iter() {
        if tags.count(key) > 1 {
            return Err(refuse());
        }
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || key.starts_with("aws:") {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return invalid("The TagValue you have provided is invalid");
        }
    }
    match tags.iter().count() {
        0 => Ok(None),
        1..=TAGS_MAX => Ok(Some(text.to_owned())),
        _ => invalid("Object tags cannot be greater than 10"),
    }
}

/// The tags of a copy of an object with the tags `source`.
pub fn of_copy(headers: &HeaderMap, source: Option<&String>) -> Result<Option<String>, Error> {
    let directive = headers.get(DIRECTIVE).map(http::HeaderValue::as_bytes);
    match directive {
        Some(b"REPLACE") => of(headers),
        None | Some(b"COPY") if !headers.contains_key(HEADER) => Ok(source.cloned()),
        None | Some(b"COPY") => Err(Error::new(Code::InvalidRequest)
            .because("The header x-amz-tagging needs the x-amz-tagging-directive REPLACE.")),
        Some(other) => Err(Error::new(Code::InvalidArgument)
            .because("Unknown tagging directive.")
            .argument(DIRECTIVE, String::from_utf8_lossy(other))),
    }
}

/// How many tags were stored.
pub fn count(stored: &str) -> usize {
    Query::parse(stored).map_or(0, |tags| tags.iter().count())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        };
        list.iter().map(header).collect()
    }

    #[test]
    fn tags_are_stored_as_they_came_or_refused() {
        let check = |text: &str, expected: Result<usize, Code>| {
            let stored = of(&headers(&[(HEADER, text)]));
            let counted = stored
                .map(|stored| {
                    assert!(stored.as_deref().is_none_or(|stored| stored == text));
                    stored.as_deref().map_or(0, count)
                })
                .map_err(|error| error.code().unwrap());
            assert_eq!(counted, expected, "{text}");
        };
        let tags = |count: usize| {
            let tags: Vec<_> = (0..count).map(|n| format!("k{n}=v")).collect();
            tags.join("&")
        };
        check("", Ok(0));
        check("a=b", Ok(1));
        check("a&b=&c=d%26+e", Ok(3));
        check(&tags(10), Ok(10));
        check(&tags(11), Err(Code::InvalidTag));
        check("a=b&a=c", Err(Code::InvalidArgument));
        check("a=%zz", Err(Code::InvalidArgument));
        check("=b", Err(Code::InvalidTag));
        check("aws:a=b", Err(Code::InvalidTag));
        check(&format!("{}=b", "ä".repeat(128)), Ok(1));
        check(&format!("{}=b", "ä".repeat(129)), Err(Code::InvalidTag));
        check(&format!("a={}", "b".repeat(256)), Ok(1));
        check(&format!("a={}", "b".repeat(257)), Err(Code::InvalidTag));
    }

    #[test]
    fn a_copy_keeps_the_tags_unless_they_are_replaced() {
        let check = |list: &[(&'static str, &str)], expected: Result<Option<&str>, Code>| {
            let source = "from=source".to_owned();
            let tags = of_copy(&headers(list), Some(&source));
            let tags = tags.map_err(|error| error.code().unwrap());
            assert_eq!(
                tags,
                expected.map(|tags| tags.map(str::to_owned)),
                "{list:?}"
            );
        };
        let tags = (HEADER, "a=b");
        check(&[], Ok(Some("from=source")));
        check(&[(DIRECTIVE, "COPY")], Ok(Some("from=source")));
        check(&[(DIRECTIVE, "REPLACE"), tags], Ok(Some("a=b")));
        check(&[(DIRECTIVE, "REPLACE")], Ok(None));
        check(&[tags], Err(Code::InvalidRequest));
        check(&[(DIRECTIVE, "COPY"), tags], Err(Code::InvalidRequest));
        check(&[(DIRECTIVE, "replace")], Err(Code::InvalidArgument));
    }
}
