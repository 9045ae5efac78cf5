//! Ranges of bytes: of an object that is read, and of one that is copied.

use std::ops::Range;

use http::HeaderValue;
use http::header::CONTENT_RANGE;

use crate::error::{Code, Error};

/// One range as `Range` names it; the ends are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    Between(u64, u64),
    From(u64),
    /// That many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// `None` for what S3 ignores: another unit, several ranges, no range at all.
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        match (first, last) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The bytes that this is of an object of that size.
    pub fn resolve(self, size: u64) -> Result<Range<u64>, Error> {
        match self {
            Self::Between(first, last) if first < size => {
                Ok(first..last.saturating_add(1).min(size))
            }
            Self::From(first) if first < size => Ok(first..size),
            Self::Last(length) if length > 0 && size > 0 => Ok(size.saturating_sub(length)..size),
            _ => Err(self.unsatisfiable(size)),
        }
    }

    fn unsatisfiable(self, size: u64) -> Error {
        let error = Error::new(Code::InvalidRange)
            .with("RangeRequested", self.to_string())
            .with("ActualObjectSize", size.to_string());
        match HeaderValue::from_str(&format!("bytes */{size}")) {
            Ok(range) => error.header(CONTENT_RANGE, range),
            Err(_) => error,
        }
    }
}

impl std::fmt::Display for ByteRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Between(first, last) => write!(f, "bytes={first}-{last}"),
            Self::From(first) => write!(f, "bytes={first}-"),
            Self::Last(length) => write!(f, "bytes=-{length}"),
        }
    }
}

/// Reads `x-amz-copy-source-range` for a source of that size. Unlike a range that
/// is read, it is either exactly right or an error.
pub fn copy_source_range(header: &str, size: u64) -> Result<Range<u64>, Error> {
    let refuse = |message: String| {
        Err(Error::new(Code::InvalidArgument)
            .because(message)
            .argument("x-amz-copy-source-range", header))
    };
    match ByteRange::parse(header) {
        Some(ByteRange::Between(first, last)) if last < size => Ok(first..last + 1),
        Some(ByteRange::Between(..)) => refuse(format!(
            "Range specified is not valid for source object of size: {size}"
        )),
        _ => refuse(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where \
             first and last are the zero-based offsets of the first and last bytes to copy"
                .into(),
        ),
    }
}

/// Only digits; a number that is too great for us is as good as the greatest.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::ByteRange::{Between, From, Last};
    use super::*;

    #[test]
    fn a_range_is_one_range_of_bytes_or_ignored() {
        for (header, range) in [
            ("bytes=0-0", Some(Between(0, 0))),
            ("bytes=8-15", Some(Between(8, 15))),
            ("Bytes = 8 - 15 ", Some(Between(8, 15))),
            ("bytes=8-", Some(From(8))),
            ("bytes=-8", Some(Last(8))),
            ("bytes=-0", Some(Last(0))),
            (
                "bytes=0-99999999999999999999999",
                Some(Between(0, u64::MAX)),
            ),
            ("bytes=2-1", None),
            ("bytes=-", None),
            ("bytes=", None),
            ("bytes=0-1,3-4", None),
            ("bytes=+1-2", None),
            ("bytes=1--2", None),
            ("lines=1-2", None),
            ("1-2", None),
            ("", None),
        ] {
            assert_eq!(ByteRange::parse(header), range, "{header}");
        }
    }

    #[test]
    fn a_range_is_resolved_within_the_size() {
        let check = |range: ByteRange, size, expected: Option<Range<u64>>| {
            assert_eq!(range.resolve(size).ok(), expected, "{range} of {size}");
        };
        check(Between(0, 0), 10, Some(0..1));
        check(Between(8, u64::MAX), 10, Some(8..10));
        check(Between(9, 9), 10, Some(9..10));
        check(Between(10, 10), 10, None);
        check(From(9), 10, Some(9..10));
        check(From(10), 10, None);
        check(From(0), 0, None);
        check(Last(3), 10, Some(7..10));
        check(Last(u64::MAX), 10, Some(0..10));
        check(Last(0), 10, None);
        check(Last(1), 0, None);
    }

    #[test]
    fn a_range_that_cannot_be_satisfied_says_what_could() {
        let error = From(10).resolve(10).unwrap_err();
        assert_eq!(error.status(), 416);
        let members: Vec<_> = error.members().collect();
        let expected = [("RangeRequested", "bytes=10-"), ("ActualObjectSize", "10")];
        assert_eq!(members, expected);
        let headers: Vec<_> = error.headers().collect();
        assert_eq!(
            headers,
            [(&CONTENT_RANGE, &HeaderValue::from_static("bytes */10"))]
        );
    }

    #[test]
    fn the_range_of_a_copy_is_exact() {
        for (header, range) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=9-9", Some(9..10)),
            ("bytes=0-10", None),
            ("bytes=0-", None),
            ("bytes=-1", None),
            ("bytes=0-18446744073709551615", None),
            ("0-9", None),
        ] {
            let resolved = copy_source_range(header, 10);
            assert_eq!(resolved.ok(), range, "{header}");
        }
        assert!(copy_source_range("bytes=0-18446744073709551615", u64::MAX).is_err());
    }
}
