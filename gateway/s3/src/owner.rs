//! Whose buckets a request believes that it is about.
//!
//! A name that somebody else has taken meanwhile must not get the data that was
//! meant for its former owner. So a client may say whom it expects.

use crate::error::{Code, Error};
use crate::head::Head;

/// The longest id that an account has.
const ID_LEN_MAX: usize = 64;

/// The owners that a request names, by the buckets that it is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpectedOwners<'a> {
    /// Of the bucket that is addressed.
    pub of_target: Option<&'a str>,
    /// Of the bucket that a copy reads.
    pub of_source: Option<&'a str>,
}

impl<'a> ExpectedOwners<'a> {
    pub fn of(head: &'a Head) -> Result<Self, Error> {
        Ok(Self {
            of_target: id(head, "x-amz-expected-bucket-owner")?,
            of_source: id(head, "x-amz-source-expected-bucket-owner")?,
        })
    }
}

/// Refuses a bucket that belongs to somebody else than was expected.
pub fn check(expected: Option<&str>, owner: &str) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != owner => Err(Error::new(Code::AccessDenied)
            .because("The bucket does not belong to the account that the request expects.")),
        _ => Ok(()),
    }
}

fn id<'a>(head: &'a Head, header: &'static str) -> Result<Option<&'a str>, Error> {
    let Some(text) = head.header(header) else {
        return Ok(None);
    };
    let valid = (1..=ID_LEN_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if valid {
        return Ok(Some(text));
    }
    Err(Error::new(Code::InvalidBucketOwnerAWSAccountID).argument(header, text))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn an_owner_is_expected_by_the_id_of_an_account() {
        let long = "a".repeat(ID_LEN_MAX);
        let too_long = "a".repeat(ID_LEN_MAX + 1);
        for (text, valid) in [
            ("root", true),
            ("123456789012", true),
            ("some-one_else.2", true),
            (long.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("a b", false),
            ("a/b", false),
            ("ä", false),
        ] {
            for header in [
                "x-amz-expected-bucket-owner",
                "x-amz-source-expected-bucket-owner",
            ] {
                let request = Request::builder().uri("/abc").header("host", "h");
                let request = request.header(header, text.as_bytes()).body(());
                let (parts, ()) = request.unwrap().into_parts();
                let head = Head::parse(&parts, &[], &[]).unwrap();
                let owners = ExpectedOwners::of(&head);
                assert_eq!(owners.is_ok(), valid, "{header}: {text}");
                if let Err(error) = owners {
                    assert_eq!(error.status(), 400);
                    assert!(error.members().any(|(_, value)| value == header));
                }
            }
        }
    }

    #[test]
    fn a_bucket_of_somebody_else_is_refused() {
        assert!(check(None, "root").is_ok());
        assert!(check(Some("root"), "root").is_ok());
        let error = check(Some("other"), "root").unwrap_err();
        assert_eq!(error.code(), Some(Code::AccessDenied));
    }
}
