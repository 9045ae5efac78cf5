//! What a request can say to the operations of the gateway that none of them
//! does.
//!
//! Whoever asks for encryption, a lock or a storage class relies on getting it.
//! So each of these is refused by its name; none is dropped in silence.

use crate::error::{Code, Error};
use crate::head::Head;
use crate::operation::Operation;
use crate::xml::CreateBucketConfiguration;

/// A header that asks for something.
struct Header {
    name: Name,
    of: Of,
    /// Values that ask for what is the case anyway, whichever way they are cased.
    harmless: &'static [&'static str],
}

enum Name {
    Is(&'static str),
    Begins(&'static str),
}

/// The operations to which a header says anything.
enum Of {
    All,
    /// Those that begin an object.
    Writes,
    Only(&'static [Operation]),
}

const fn header(name: Name, of: Of, harmless: &'static [&'static str]) -> Header {
    Header { name, of, harmless }
}

const HEADERS: &[Header] = &[
    header(Name::Begins("x-amz-server-side-encryption"), Of::All, &[]),
    header(
        Name::Begins("x-amz-copy-source-server-side-encryption"),
        Of::All,
        &[],
    ),
    header(
        Name::Is("x-amz-object-lock-legal-hold"),
        Of::Writes,
        &["OFF"],
    ),
    header(Name::Begins("x-amz-object-lock-"), Of::Writes, &[]),
    header(Name::Is("x-amz-storage-class"), Of::Writes, &["STANDARD"]),
    header(
        Name::Is("x-amz-write-offset-bytes"),
        Of::Only(&[Operation::PutObject]),
        &[],
    ),
    header(
        Name::Is("x-amz-bucket-object-lock-enabled"),
        Of::Only(&[Operation::CreateBucket]),
        &["false"],
    ),
    header(
        Name::Is("x-amz-object-ownership"),
        Of::Only(&[Operation::CreateBucket]),
        &["ObjectWriter"],
    ),
    // Conditions that only directory buckets have. Without them too much would
    // be deleted.
    header(
        Name::Is("x-amz-if-match-last-modified-time"),
        Of::Only(&[Operation::DeleteObject]),
        &[],
    ),
    header(
        Name::Is("x-amz-if-match-size"),
        Of::Only(&[Operation::DeleteObject]),
        &[],
    ),
];

impl Header {
    fn is_named(&self, name: &str) -> bool {
        match self.name {
            Name::Is(known) => name == known,
            Name::Begins(beginning) => name.starts_with(beginning),
        }
    }

    fn concerns(&self, operation: Operation) -> bool {
        match self.of {
            Of::All => true,
            Of::Writes => matches!(
                operation,
                Operation::PutObject
                    | Operation::PostObject
                    | Operation::CopyObject
                    | Operation::CreateMultipartUpload
            ),
            Of::Only(operations) => operations.contains(&operation),
        }
    }
}

/// Refuses the headers that ask an operation of the gateway for more than it
/// does. The head alone decides, so no body is sent for nothing.
pub fn check(head: &Head) -> Result<(), Error> {
    for (name, value) in &head.headers {
        let mut known = HEADERS.iter();
        // The first one decides: what has a line of its own stands before its family.
        let asks = known.find(|known| known.is_named(name.as_str()));
        let Some(asks) = asks.filter(|asks| asks.concerns(head.operation)) else {
            continue;
        };
        let value = value.as_bytes().trim_ascii();
        let mut harmless = asks.harmless.iter();
        if !harmless.any(|harmless| value.eq_ignore_ascii_case(harmless.as_bytes())) {
            return Err(Error::new(Code::NotImplemented)
                .because(format!(
                    "The header {name} asks for something that is not served here."
                ))
                .with("Header", name.as_str()));
        }
    }
    Ok(())
}

/// Refuses the elements that ask CreateBucket for more than it does.
pub fn check_bucket(configuration: &CreateBucketConfiguration) -> Result<(), Error> {
    if configuration.tags.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::NotImplemented)
        .because("The element Tags asks for something that is not served here.")
        .with("Element", "Tags"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn nothing_that_is_asked_for_is_dropped() {
        let check = |method: &str, uri: &str, header: (&str, &str), refused: bool| {
            let (name, value) = header;
            let request = Request::builder().method(method).uri(uri);
            let request = request.header("host", "h").header(name, value);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let checked = check(&Head::parse(&parts, &[], &[]).unwrap());
            let told = checked.map_err(|error| {
                assert_eq!(error.code(), Some(Code::NotImplemented));
                assert!(error.message().contains(name), "{error:?}");
                error.members().map(|(_, value)| value.to_owned()).collect()
            });
            let expected = if refused {
                Err(vec![name.to_owned()])
            } else {
                Ok(())
            };
            assert_eq!(told, expected, "{method} {uri} {header:?}");
        };
        const SSE: &str = "x-amz-server-side-encryption";
        const KEY: &str = "x-amz-server-side-encryption-customer-key";
        let part = "/abc/k?uploadId=u&partNumber=1";
        check("PUT", "/abc/k", (SSE, "AES256"), true);
        check("POST", "/abc/k?uploads", (SSE, "aws:kms"), true);
        check("GET", "/abc/k", (KEY, "a2V5"), true);
        check("PUT", part, (KEY, "a2V5"), true);
        let source = "x-amz-copy-source-server-side-encryption-customer-algorithm";
        check("PUT", part, (source, "AES256"), true);

        const CLASS: &str = "x-amz-storage-class";
        check("PUT", "/abc/k", (CLASS, "GLACIER"), true);
        check("PUT", "/abc/k", (CLASS, ""), true);
        check("PUT", "/abc/k", (CLASS, "STANDARD"), false);
        check("GET", "/abc/k", (CLASS, "GLACIER"), false);

        let hold = "x-amz-object-lock-legal-hold";
        check("PUT", "/abc/k", (hold, "ON"), true);
        check("PUT", "/abc/k", (hold, "OFF"), false);
        let mode = "x-amz-object-lock-mode";
        check("PUT", "/abc/k", (mode, "GOVERNANCE"), true);
        check("PUT", "/abc/k", ("x-amz-write-offset-bytes", "0"), true);

        let lock = "x-amz-bucket-object-lock-enabled";
        check("PUT", "/abc", (lock, "true"), true);
        check("PUT", "/abc", (lock, "False"), false);
        let ownership = "x-amz-object-ownership";
        check("PUT", "/abc", (ownership, "BucketOwnerEnforced"), true);
        check("PUT", "/abc", (ownership, "ObjectWriter"), false);
        check("DELETE", "/abc/k", ("x-amz-if-match-size", "1"), true);

        check("PUT", "/abc/k", ("x-amz-meta-a", "b"), false);
        check("PUT", "/abc/k", ("x-amz-acl", "private"), false);
    }

    #[test]
    fn a_bucket_without_tags_is_served() {
        let mut configuration = CreateBucketConfiguration::default();
        assert!(check_bucket(&configuration).is_ok());
        configuration.tags.push(("a".into(), "b".into()));
        let error = check_bucket(&configuration).unwrap_err();
        assert_eq!(error.code(), Some(Code::NotImplemented));
    }
}
