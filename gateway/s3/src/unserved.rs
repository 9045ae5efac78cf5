//! What a request can say to the operations of the gateway that none of them
//! does.
//!
//! Whoever asks for encryption, a lock or a storage class relies on getting it.
//! So each of these is refused by its name; none is dropped in silence. What a
//! plugin can do is refused where none says that it does.

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
    /// A plugin that claims this does what is asked for.
    claim: Option<Operation>,
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
    Header {
        name,
        of,
        harmless,
        claim: None,
    }
}

const fn unless(claim: Operation, header: Header) -> Header {
    Header {
        claim: Some(claim),
        ..header
    }
}

/// Lists say nothing more than that the owner has everything.
const PRIVATE: &[&str] = &["private"];

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
    unless(
        Operation::PutBucketOwnershipControls,
        header(
            Name::Is("x-amz-object-ownership"),
            Of::Only(&[Operation::CreateBucket]),
            &["ObjectWriter"],
        ),
    ),
    unless(
        Operation::PutBucketAcl,
        header(
            Name::Is("x-amz-acl"),
            Of::Only(&[Operation::CreateBucket]),
            PRIVATE,
        ),
    ),
    unless(
        Operation::PutBucketAcl,
        header(
            Name::Begins("x-amz-grant-"),
            Of::Only(&[Operation::CreateBucket]),
            &[],
        ),
    ),
    unless(
        Operation::PutObjectAcl,
        header(Name::Is("x-amz-acl"), Of::Writes, PRIVATE),
    ),
    unless(
        Operation::PutObjectAcl,
        header(Name::Begins("x-amz-grant-"), Of::Writes, &[]),
    ),
    unless(
        Operation::PutObjectTagging,
        header(Name::Is("x-amz-tagging"), Of::Writes, &[""]),
    ),
    unless(
        Operation::PutObjectTagging,
        header(
            Name::Is("x-amz-tagging-directive"),
            Of::Only(&[Operation::CopyObject]),
            &["COPY"],
        ),
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
/// does, and that no plugin does by claiming what the header is about. The head
/// alone decides, so no body is sent for nothing.
pub fn check(head: &Head, is_claimed: impl Fn(Operation) -> bool) -> Result<(), Error> {
    for (name, value) in &head.headers {
        let mut concerned = HEADERS
            .iter()
            .filter(|known| known.concerns(head.operation));
        // The first one decides: what has a line of its own stands before its family.
        let Some(asks) = concerned.find(|known| known.is_named(name.as_str())) else {
            continue;
        };
        if asks.claim.is_some_and(&is_claimed) {
            continue;
        }
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

    /// Where plugins claim these operations.
    fn checked(
        method: &str,
        uri: &str,
        (name, value): (&str, &str),
        claimed: &[Operation],
    ) -> Result<(), Error> {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("host", "h").header(name, value);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let head = Head::parse(&parts, &[], &[]).unwrap();
        check(&head, |operation| claimed.contains(&operation))
    }

    #[test]
    fn nothing_that_is_asked_for_is_dropped() {
        let check = |method: &str, uri: &str, header: (&str, &str), refused: bool| {
            let (name, _) = header;
            let checked = checked(method, uri, header, &[]);
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
        check("PUT", "/abc/k", ("x-amz-acl", "public-read"), true);
        check("PUT", "/abc/k", ("x-amz-grant-read", "id=a"), true);
        check("PUT", "/abc", ("x-amz-acl", "public-read"), true);
        check("PUT", "/abc", ("x-amz-grant-read", "id=a"), true);
        check("GET", "/abc/k", ("x-amz-acl", "public-read"), false);
    }

    #[test]
    fn what_a_plugin_does_is_let_pass() {
        let check = |uri: &str, header: (&str, &str), claims: Operation| {
            assert!(checked("PUT", uri, header, &[claims]).is_ok(), "{header:?}");
            let others = [Operation::GetBucketAcl, Operation::PutBucketPolicy];
            assert!(checked("PUT", uri, header, &others).is_err(), "{header:?}");
        };
        let controls = Operation::PutBucketOwnershipControls;
        let ownership = ("x-amz-object-ownership", "BucketOwnerEnforced");
        check("/abc", ownership, controls);
        let (public, grant) = (("x-amz-acl", "public-read"), ("x-amz-grant-read", "id=a"));
        check("/abc", public, Operation::PutBucketAcl);
        check("/abc", grant, Operation::PutBucketAcl);
        check("/abc/k", public, Operation::PutObjectAcl);
        check("/abc/k", grant, Operation::PutObjectAcl);
    }

    #[test]
    fn tags_are_for_whoever_serves_them() {
        let check = |method: &str, uri: &str, header: (&str, &str), refused: bool| {
            let other = &[Operation::PutBucketTagging];
            let refusal = checked(method, uri, header, other).is_err();
            assert_eq!(refusal, refused, "{method} {uri} {header:?}");
            let served = checked(method, uri, header, &[Operation::PutObjectTagging]);
            assert!(served.is_ok(), "{method} {uri} {header:?}");
        };
        check("PUT", "/abc/k", ("x-amz-tagging", "a=b"), true);
        check("POST", "/abc/k?uploads", ("x-amz-tagging", "a=b"), true);
        check("PUT", "/abc/k", ("x-amz-tagging", ""), false);
        check("GET", "/abc/k", ("x-amz-tagging", "a=b"), false);
        check(
            "PUT",
            "/abc/k",
            ("x-amz-tagging-directive", "REPLACE"),
            false,
        );
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
