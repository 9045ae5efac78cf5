//! Conditions: on reading, on copying, and on what a write replaces.

use http::HeaderMap;
use http::header::IF_RANGE;
use storage::{Precondition, Timestamp};

use crate::error::{Code, Error};
use crate::time::parse_http_date;

/// The conditions on an object that is read. Dates that are none are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    if_match: Option<Etags>,
    if_none_match: Option<Etags>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
    copying: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Etags {
    Any,
    These(Vec<Etag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Etag {
    weak: bool,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Proceed,
    /// The client has it already.
    NotModified,
    /// The condition named here does not hold.
    Failed {
        condition: &'static str,
    },
}

impl Outcome {
    /// What a failed condition is answered with.
    pub fn refusal(condition: &'static str) -> Error {
        Error::new(Code::PreconditionFailed).with("Condition", condition)
    }
}

impl Conditions {
    /// The conditions on the object that the request addresses.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::read(headers, "", false)
    }

    /// The conditions on the object that the request copies.
    pub fn of_copy_source(headers: &HeaderMap) -> Self {
        Self::read(headers, "x-amz-copy-source-", true)
    }

    fn read(headers: &HeaderMap, prefix: &str, copying: bool) -> Self {
        let etags = |name: &str| Etags::of(headers, &format!("{prefix}{name}"));
        let date = |name: &str| {
            let value = headers.get(format!("{prefix}{name}"))?;
            parse_http_date(value.to_str().ok()?.trim())
        };
        Self {
            if_match: etags("if-match"),
            if_none_match: etags("if-none-match"),
            if_modified_since: date("if-modified-since"),
            if_unmodified_since: date("if-unmodified-since"),
            copying,
        }
    }

    /// Decides in the order of RFC 9110: a condition on the etag outweighs the one
    /// on the date that goes with it.
    pub fn evaluate(&self, etag: &str, modified: Timestamp) -> Outcome {
        let newer = |since: Timestamp| modified.0 / 1000 > since.0 / 1000;
        let failed = |reading, copying| Outcome::Failed {
            condition: if self.copying { copying } else { reading },
        };
        match (&self.if_match, self.if_unmodified_since) {
            (Some(etags), _) if !etags.match_strongly(etag) => {
                return failed("If-Match", "x-amz-copy-source-If-Match");
            }
            (None, Some(since)) if newer(since) => {
                return failed(
                    "If-Unmodified-Since",
                    "x-amz-copy-source-If-Unmodified-Since",
                );
            }
            _ => {}
        }
        let condition = match (&self.if_none_match, self.if_modified_since) {
            (Some(etags), _) if etags.match_weakly(etag) => "x-amz-copy-source-If-None-Match",
            (None, Some(since)) if !newer(since) => "x-amz-copy-source-If-Modified-Since",
            _ => return Outcome::Proceed,
        };
        if self.copying {
            Outcome::Failed { condition }
        } else {
            Outcome::NotModified
        }
    }
}

/// Whether a range is one of this object still: `If-Range` names the one that the
/// client has the rest of. Where that is another, it wants all of this one.
pub fn range_applies(headers: &HeaderMap, etag: &str, modified: Timestamp) -> bool {
    let Some(named) = headers.get(IF_RANGE) else {
        return true;
    };
    let Ok(named) = named.to_str().map(str::trim) else {
        return false;
    };
    match parse_http_date(named) {
        Some(date) => date.0 / 1000 == modified.0 / 1000,
        None => Etags::These(vec![Etag::parse(named)]).match_strongly(etag),
    }
}

impl Etags {
    fn of(headers: &HeaderMap, name: &str) -> Option<Self> {
        let values = headers.get_all(name);
        let mut etags = Vec::new();
        let mut values = values.iter().peekable();
        values.peek()?;
        for value in values {
            let text = std::str::from_utf8(value.as_bytes()).ok()?;
            for etag in text.split(',').map(str::trim) {
                match etag {
                    "*" => return Some(Self::Any),
                    "" => {}
                    etag => etags.push(Etag::parse(etag)),
                }
            }
        }
        Some(Self::These(etags))
    }

    fn match_strongly(&self, current: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(etags) => etags.iter().any(|etag| !etag.weak && etag.text == current),
        }
    }

    fn match_weakly(&self, current: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(etags) => etags.iter().any(|etag| etag.text == current),
        }
    }
}

impl Etag {
    /// Many clients leave the quotes out.
    fn parse(text: &str) -> Self {
        let (weak, text) = match text.strip_prefix("W/") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let quoted = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        Self {
            weak,
            text: quoted.unwrap_or(text).to_owned(),
        }
    }
}

/// What a write or a delete demands of the object that it replaces.
pub fn write_precondition(headers: &HeaderMap) -> Result<Precondition, Error> {
    let not_implemented = |header: &'static str| {
        Err(Error::new(Code::NotImplemented)
            .because("A header you provided implies functionality that is not implemented")
            .with("Header", header))
    };
    let if_match = Etags::of(headers, "if-match");
    let if_none_match = Etags::of(headers, "if-none-match");
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (None, Some(Etags::Any)) => Ok(Precondition::Absent),
        (Some(Etags::Any), None) => Ok(Precondition::Present),
        (Some(Etags::These(etags)), None) => Ok(Precondition::Matches(
            // A weak etag never matches what is replaced.
            etags
                .into_iter()
                .filter(|etag| !etag.weak)
                .map(|etag| etag.text)
                .collect(),
        )),
        (_, Some(_)) => not_implemented("If-None-Match"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "abc";
    const MODIFIED: Timestamp = Timestamp(784_111_777_500);
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(prefix: &str, headers: &[(&str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| {
                let name = format!("{prefix}{name}");
                (name.parse().unwrap(), value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_range_is_one_of_the_object_that_the_client_has_begun() {
        let check = |named: &str, applies: bool| {
            let headers = headers("", &[("if-range", named)]);
            assert_eq!(range_applies(&headers, ETAG, MODIFIED), applies, "{named}");
        };
        assert!(range_applies(&HeaderMap::new(), ETAG, MODIFIED));
        check("\"abc\"", true);
        check("\"other\"", false);
        check("W/\"abc\"", false);
        check(SAME, true);
        check(BEFORE, false);
        check("", false);
    }

    #[test]
    fn conditions_are_decided_in_the_order_of_the_rfc() {
        // What a reader is told, and whether a copy fails as well.
        let check = |conditions: &[(&str, &str)], read: Outcome, copies: bool| {
            let reading = Conditions::of(&headers("", conditions));
            assert_eq!(reading.evaluate(ETAG, MODIFIED), read, "{conditions:?}");
            let copying = headers("x-amz-copy-source-", conditions);
            let copying = Conditions::of_copy_source(&copying).evaluate(ETAG, MODIFIED);
            let proceeds = copying == Outcome::Proceed;
            assert_eq!(proceeds, copies, "{conditions:?}: {copying:?}");
            assert_ne!(copying, Outcome::NotModified);
        };
        let failed = |condition| Outcome::Failed { condition };
        check(&[], Outcome::Proceed, true);
        for etag in ["\"abc\"", "abc", "*", "\"x\", \"abc\""] {
            check(&[("if-match", etag)], Outcome::Proceed, true);
            check(&[("if-none-match", etag)], Outcome::NotModified, false);
        }
        check(&[("if-match", "W/\"abc\"")], failed("If-Match"), false);
        check(&[("if-match", "\"ABC\"")], failed("If-Match"), false);
        check(&[("if-match", "")], failed("If-Match"), false);
        check(
            &[("if-none-match", "W/\"abc\"")],
            Outcome::NotModified,
            false,
        );
        check(&[("if-none-match", "\"x\"")], Outcome::Proceed, true);

        check(&[("if-modified-since", BEFORE)], Outcome::Proceed, true);
        check(&[("if-modified-since", SAME)], Outcome::NotModified, false);
        check(&[("if-modified-since", "soon")], Outcome::Proceed, true);
        check(
            &[("if-unmodified-since", BEFORE)],
            failed("If-Unmodified-Since"),
            false,
        );
        check(&[("if-unmodified-since", SAME)], Outcome::Proceed, true);
        check(&[("if-unmodified-since", "soon")], Outcome::Proceed, true);

        // The etag outweighs the date.
        check(
            &[("if-match", "abc"), ("if-unmodified-since", BEFORE)],
            Outcome::Proceed,
            true,
        );
        check(
            &[("if-none-match", "x"), ("if-modified-since", SAME)],
            Outcome::Proceed,
            true,
        );
        check(
            &[("if-none-match", "abc"), ("if-modified-since", BEFORE)],
            Outcome::NotModified,
            false,
        );
        // And a failure outweighs what the client has.
        check(
            &[("if-match", "x"), ("if-none-match", "abc")],
            failed("If-Match"),
            false,
        );
    }

    #[test]
    fn a_write_demands_absence_or_an_etag() {
        let check = |conditions: &[(&str, &str)], expected: Result<Precondition, Code>| {
            let precondition = write_precondition(&headers("", conditions));
            let precondition = precondition.map_err(|error| error.code().unwrap());
            assert_eq!(precondition, expected, "{conditions:?}");
        };
        let matches = |etags: &[&str]| {
            let etags = etags.iter().map(|etag| (*etag).to_owned()).collect();
            Ok(Precondition::Matches(etags))
        };
        check(&[], Ok(Precondition::None));
        check(&[("if-none-match", "*")], Ok(Precondition::Absent));
        check(&[("if-none-match", "\"abc\"")], Err(Code::NotImplemented));
        check(&[("if-match", "*")], Ok(Precondition::Present));
        check(&[("if-match", "\"abc\"")], matches(&["abc"]));
        check(&[("if-match", "abc, \"d\"")], matches(&["abc", "d"]));
        check(&[("if-match", "W/\"abc\"")], matches(&[]));
        check(
            &[("if-match", "abc"), ("if-none-match", "*")],
            Err(Code::NotImplemented),
        );
    }
}
