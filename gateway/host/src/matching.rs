//! Which plugins a request concerns, decided natively and before any of them
//! is instantiated.
//!
//! Everything that can be is computed when the chain is built; a plugin that is
//! not concerned costs a few nanoseconds.

use std::fmt;

use http::{HeaderMap, HeaderName};
use s3::{Action, Operation, Query};
use storage::{BucketName, Documents};

use crate::capability::documents::full_name;
use crate::failure::Failure;
use crate::plugin::Interest;

/// A pattern for bucket names: `*` stands for any text, `?` for any character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a bucket pattern has 1 to 63 lower-case letters, digits, dots, hyphens, `*` and `?`, not `{0}`"
)]
pub struct GlobError(String);

impl Glob {
    pub fn parse(pattern: &str) -> Result<Self, GlobError> {
        let valid = (1..=63).contains(&pattern.len())
            && pattern.bytes().all(|byte| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || matches!(byte, b'-' | b'.' | b'*' | b'?')
            });
        if valid {
            Ok(Self(pattern.to_owned()))
        } else {
            Err(GlobError(pattern.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.as_bytes(), name.as_bytes());
        // Where to go on when the last star has to swallow one byte more.
        let mut retry: Option<(&[u8], &[u8])> = None;
        loop {
            match (pattern, rest) {
                ([b'*', after @ ..], _) => {
                    retry = Some((after, rest));
                    pattern = after;
                }
                ([first, after @ ..], [byte, left @ ..]) if *first == b'?' || first == byte => {
                    (pattern, rest) = (after, left);
                }
                ([], []) => return true,
                _ => match retry {
                    Some((after, [_, left @ ..])) => {
                        retry = Some((after, left));
                        (pattern, rest) = (after, left);
                    }
                    _ => return false,
                },
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What requests a use of a plugin is for; an empty list is for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// In `authorize` an access counts as more than its operation, as it does
    /// for an [`Interest`].
    pub operations: Vec<Operation>,
    pub buckets: Vec<Glob>,
}

/// Why a request does not get to a plugin. What is tested later comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mismatch {
    /// The use of the plugin is not for this operation.
    Operation,
    /// The plugin takes no part in this phase.
    Phase,
    /// The plugin takes part, but not in this operation.
    Interest,
    /// None of the headers is there that the plugin looks for.
    InterestHeader,
    /// None of the query parameters is there that the plugin looks for.
    InterestQuery,
    /// The bucket has none of the documents that the plugin looks for.
    InterestDocument,
    /// The use of the plugin is not for this bucket.
    Bucket,
}

/// A set of operations: one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Operations(u128);

const _: () = assert!(
    Operation::ALL.len() <= 128,
    "an operation is one bit of 128"
);

impl Operations {
    /// The listed ones, or all if none is listed.
    pub(crate) fn listed(operations: &[Operation]) -> Self {
        match operations {
            [] => Self(u128::MAX),
            some => Self(some.iter().fold(0, |set, one| set | 1 << (*one as u8))),
        }
    }

    /// What one access of an operation counts as: the operation itself, and
    /// those that would ask for the same access if the client took them one by
    /// one. So whoever watches DeleteObject is asked about each key of
    /// DeleteObjects, too. A part is not an object yet: to upload one is no
    /// PutObject.
    pub(crate) fn counted(operation: Operation, action: Action) -> Self {
        use Action as A;
        use Operation as O;
        let whole = match operation {
            O::DeleteObjects => Some(O::DeleteObject),
            O::CopyObject | O::UploadPartCopy
                if matches!(action, A::GetObject | A::GetObjectVersion) =>
            {
                Some(O::GetObject)
            }
            O::CopyObject | O::PostObject => Some(O::PutObject),
            _ => None,
        };
        // What the headers of a write say of the object.
        let said = match action {
            A::PutObjectAcl => Some(O::PutObjectAcl),
            A::PutObjectTagging => Some(O::PutObjectTagging),
            A::PutObjectRetention => Some(O::PutObjectRetention),
            A::PutObjectLegalHold => Some(O::PutObjectLegalHold),
            _ => None,
        };
        [whole, said]
            .into_iter()
            .flatten()
            .fold(Self::from(operation), |set, one| {
                Self(set.0 | Self::from(one).0)
            })
    }

    pub(crate) fn contains(self, operation: Operation) -> bool {
        self.meets(operation.into())
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl From<Operation> for Operations {
    fn from(operation: Operation) -> Self {
        Self(1 << (operation as u8))
    }
}

#[derive(Debug)]
enum HeaderTest {
    Name(HeaderName),
    Beginning(String),
}

impl HeaderTest {
    fn parse(name: &str) -> Result<Self, Failure> {
        let invalid = || Failure::invalid(format!("`{name:?}` is not the name of a header"));
        match name.strip_suffix('*') {
            // The beginning of a name is a name.
            Some(beginning) => HeaderName::from_lowercase(beginning.as_bytes())
                .map(|beginning| Self::Beginning(beginning.as_str().to_owned())),
            None => HeaderName::from_lowercase(name.as_bytes()).map(Self::Name),
        }
        .map_err(|_| invalid())
    }

    fn holds(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Name(name) => headers.contains_key(name),
            Self::Beginning(beginning) => headers
                .keys()
                .any(|name| name.as_str().starts_with(beginning.as_str())),
        }
    }
}

#[derive(Debug)]
struct Condition {
    operations: Operations,
    headers: Vec<HeaderTest>,
    queries: Vec<String>,
    /// With the plugin's name before them.
    documents: Vec<String>,
}

/// When a plugin is concerned in one phase: any of its conditions holds.
#[derive(Debug, Default)]
pub(crate) struct Concern {
    conditions: Vec<Condition>,
}

impl Concern {
    pub(crate) fn add(&mut self, interest: &Interest, plugin: &str) -> Result<(), Failure> {
        let headers = interest.headers.iter();
        let documents = interest.documents.iter();
        self.conditions.push(Condition {
            operations: Operations::listed(&interest.operations),
            headers: headers
                .map(|name| HeaderTest::parse(name))
                .collect::<Result<_, _>>()?,
            queries: interest.queries.clone(),
            documents: documents
                .map(|name| full_name(plugin, name))
                .collect::<Result<_, _>>()?,
        });
        Ok(())
    }

    /// Whether there is any condition under which it holds.
    pub(crate) fn arises(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// Where none of the conditions holds: what the one failed at that held longest.
    pub(crate) fn holds(
        &self,
        operations: Operations,
        headers: &HeaderMap,
        query: &Query,
        documents: Option<&Documents>,
    ) -> Result<(), Mismatch> {
        let mut mismatch = Mismatch::Phase;
        for condition in &self.conditions {
            match condition.holds(operations, headers, query, documents) {
                Ok(()) => return Ok(()),
                Err(other) => mismatch = mismatch.max(other),
            }
        }
        Err(mismatch)
    }
}

impl Condition {
    fn holds(
        &self,
        operations: Operations,
        headers: &HeaderMap,
        query: &Query,
        documents: Option<&Documents>,
    ) -> Result<(), Mismatch> {
        let any_header = || self.headers.iter().any(|test| test.holds(headers));
        let any_query = || self.queries.iter().any(|name| query.has(name));
        let any_document = || {
            let mut names = self.documents.iter();
            documents.is_some_and(|stored| names.any(|name| stored.get(name).is_some()))
        };
        if !self.operations.meets(operations) {
            Err(Mismatch::Interest)
        } else if !self.headers.is_empty() && !any_header() {
            Err(Mismatch::InterestHeader)
        } else if !self.queries.is_empty() && !any_query() {
            Err(Mismatch::InterestQuery)
        } else if !self.documents.is_empty() && !any_document() {
            Err(Mismatch::InterestDocument)
        } else {
            Ok(())
        }
    }
}

pub(crate) fn covers(buckets: &[Glob], bucket: Option<&BucketName>) -> bool {
    buckets.is_empty()
        || bucket.is_some_and(|bucket| buckets.iter().any(|glob| glob.matches(bucket.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_whole_names() {
        for (pattern, name, matches) in [
            ("prod-*", "prod-a", true),
            ("prod-*", "prod-", true),
            ("prod-*", "a-prod-a", false),
            ("*-logs", "eu-logs", true),
            ("*-logs", "eu-logs-2", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyyb", false),
            ("a*bc", "abbc", true),
            ("*", "anything", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("***", "x", true),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            assert_eq!(glob.matches(name), matches, "{pattern} {name}");
        }
        for pattern in ["", "A*", "a/b", "a b", "[ab]"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_plugin_is_concerned_where_all_conditions_of_an_interest_hold() {
        let stored = |name: &str| Documents::from_iter([(name.to_owned(), Vec::new().into())]);
        let operations = |list: &[Operation]| list.to_vec();
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("x-amz-grant-read"),
            http::HeaderValue::from_static("id=1"),
        )]);
        let (put, get) = (Operation::PutObject, Operation::GetObject);
        let none = Documents::default();
        let (own, other) = (stored("acl/acl"), stored("cors/acl"));
        type Case<'a> = (
            Vec<Operation>,
            &'a [&'a str],
            &'a [&'a str],
            &'a Documents,
            bool,
        );
        let cases: [Case<'_>; 9] = [
            (operations(&[]), &[], &[], &none, true),
            (operations(&[put]), &[], &[], &none, true),
            (operations(&[get]), &[], &[], &none, false),
            (operations(&[put]), &["x-amz-grant-*"], &[], &none, true),
            (
                operations(&[put]),
                &["x-amz-acl", "x-amz-grant-read"],
                &[],
                &none,
                true,
            ),
            (operations(&[put]), &["x-amz-acl"], &[], &none, false),
            (operations(&[put]), &[], &["acl"], &own, true),
            (operations(&[put]), &[], &["acl"], &other, false),
            (
                operations(&[get]),
                &["x-amz-grant-*"],
                &["acl"],
                &own,
                false,
            ),
        ];
        for (number, (operations, names, documents, stored, holds)) in cases.into_iter().enumerate()
        {
            let interest = Interest {
                phase: crate::Phase::Authorize,
                operations,
                headers: names.iter().map(|&name| name.to_owned()).collect(),
                queries: Vec::new(),
                documents: documents.iter().map(|&name| name.to_owned()).collect(),
            };
            let mut concern = Concern::default();
            concern.add(&interest, "acl").unwrap();
            let found = concern.holds(put.into(), &headers, &Query::default(), Some(stored));
            assert_eq!(found.is_ok(), holds, "{number}");
        }
    }

    #[test]
    fn an_access_counts_as_what_would_ask_for_it_alone() {
        use Action as A;
        use Operation as O;
        for (operation, action, also) in [
            (O::GetObject, A::GetObject, &[][..]),
            (O::DeleteObject, A::DeleteObject, &[]),
            (O::DeleteObjects, A::DeleteObject, &[O::DeleteObject]),
            (O::DeleteObjects, A::DeleteObjectVersion, &[O::DeleteObject]),
            (O::CopyObject, A::GetObject, &[O::GetObject]),
            (O::CopyObject, A::GetObjectVersion, &[O::GetObject]),
            (O::CopyObject, A::PutObject, &[O::PutObject]),
            (
                O::CopyObject,
                A::PutObjectAcl,
                &[O::PutObject, O::PutObjectAcl],
            ),
            (O::PostObject, A::PutObject, &[O::PutObject]),
            (O::PutObject, A::PutObject, &[]),
            (O::PutObject, A::PutObjectAcl, &[O::PutObjectAcl]),
            (O::PutObject, A::PutObjectTagging, &[O::PutObjectTagging]),
            (
                O::CreateMultipartUpload,
                A::PutObjectRetention,
                &[O::PutObjectRetention],
            ),
            (
                O::CreateMultipartUpload,
                A::PutObjectLegalHold,
                &[O::PutObjectLegalHold],
            ),
            (O::CreateMultipartUpload, A::PutObject, &[]),
            (O::UploadPart, A::PutObject, &[]),
            (O::UploadPartCopy, A::GetObject, &[O::GetObject]),
            (O::UploadPartCopy, A::PutObject, &[]),
            (O::CompleteMultipartUpload, A::PutObject, &[]),
        ] {
            let counted = Operations::counted(operation, action);
            let expected = Operations::listed(&[also, &[operation]].concat());
            assert_eq!(counted, expected, "{operation} {action:?}");
        }
    }
}
