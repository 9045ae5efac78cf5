//! Which plugins a request concerns, decided natively and before any of them
//! is instantiated.
//!
//! Everything that can be is computed when the chain is built; a plugin that is
//! not concerned costs a few nanoseconds.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use s3::{Action, Operation};
use storage::{BucketName, Documents, ObjectKey};

use crate::account::Principal;
use crate::bucket::made_by;
use crate::capability::documents::full_name;
use crate::failure::Failure;
use crate::plugin::Interest;
use crate::state::{Facts, Phase, Resource};

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

/// The name of a header in lower case, or the beginning of names with `*` after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderPattern(HeaderTest);

#[derive(Debug, Clone, PartialEq, Eq)]
enum HeaderTest {
    Name(HeaderName),
    Beginning(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0:?}` is not the name of a header in lower case, with `*` at most at its end")]
pub struct HeaderPatternError(String);

impl HeaderPattern {
    pub fn parse(pattern: &str) -> Result<Self, HeaderPatternError> {
        // The beginning of a name is a name.
        let (name, is_whole) = match pattern.strip_suffix('*') {
            Some(beginning) => (beginning, false),
            None => (pattern, true),
        };
        let invalid = || HeaderPatternError(pattern.to_owned());
        // HTTP would allow it in a name; here it could only be a mistake.
        if name.contains('*') {
            return Err(invalid());
        }
        let name = HeaderName::from_lowercase(name.as_bytes()).map_err(|_| invalid())?;
        Ok(Self(if is_whole {
            HeaderTest::Name(name)
        } else {
            HeaderTest::Beginning(name.as_str().to_owned())
        }))
    }

    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        match &self.0 {
            HeaderTest::Name(name) => headers.contains_key(name),
            HeaderTest::Beginning(beginning) => headers
                .keys()
                .any(|name| name.as_str().starts_with(beginning.as_str())),
        }
    }
}

/// Some of those who make requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Whom no authenticator knows.
    Anonymous,
    /// The account with this id.
    Account(String),
    /// Every account with this role.
    Role(String),
}

impl Who {
    fn is(&self, principal: &Principal) -> bool {
        match (self, principal) {
            (Self::Anonymous, Principal::Anonymous) => true,
            (Self::Account(id), Principal::Account(account)) => *id == account.id,
            (Self::Role(role), Principal::Account(account)) => account.roles.contains(role),
            (Self::Anonymous, Principal::Account(_))
            | (Self::Account(_) | Self::Role(_), Principal::Anonymous) => false,
        }
    }
}

/// What a rule for some buckets is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Buckets with such a name.
    Name(Glob),
    /// Buckets that were made by this template.
    Template(String),
}

impl Selector {
    fn selects(&self, name: Option<&BucketName>, made_by: Option<&str>) -> bool {
        match self {
            Self::Name(glob) => name.is_some_and(|name| glob.matches(name.as_str())),
            Self::Template(template) => made_by == Some(template),
        }
    }
}

/// What requests a use of a plugin is for: one of each list has to fit, and an
/// empty list is for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// In `authorize` an access counts as more than its operation, as it does
    /// for an [`Interest`].
    pub operations: Vec<Operation>,
    pub buckets: Vec<Glob>,
    /// What of them a rule for some buckets is about: one of these fits, too.
    pub within: Vec<Selector>,
    /// What other rules are about: none of these fits. What has no bucket is left.
    pub except: Vec<Selector>,
    /// What the key of the object begins with. What is not about an object does
    /// not fit.
    pub prefixes: Vec<String>,
    /// Unknown in `authenticate`, so that authenticators cannot have any.
    pub principals: Vec<Who>,
    /// Which headers the request has.
    pub headers: Vec<HeaderPattern>,
}

/// A point of a request at which plugins may be called, with all that decides
/// which of them it concerns.
#[derive(Debug)]
pub(crate) struct Occasion {
    pub(crate) phase: Phase,
    pub(crate) facts: Arc<Facts>,
    /// `None` in `authenticate`, which finds out.
    pub(crate) principal: Option<Principal>,
    pub(crate) resource: Option<Arc<Resource>>,
    /// The template that the bucket of CreateBucket is planned to be made by.
    pub(crate) planned: Option<String>,
    operations: Operations,
}

impl Occasion {
    pub(crate) fn new(
        phase: Phase,
        facts: Arc<Facts>,
        principal: &Principal,
        resource: Option<Arc<Resource>>,
    ) -> Self {
        let operation = facts.head.operation;
        let operations = match &resource {
            Some(resource) if phase == Phase::Authorize => {
                Operations::counted(operation, resource.access.action)
            }
            _ => operation.into(),
        };
        Self {
            phase,
            principal: (phase != Phase::Authenticate).then(|| principal.clone()),
            facts,
            resource,
            planned: None,
            operations,
        }
    }

    fn bucket(&self) -> Option<&BucketName> {
        match &self.resource {
            Some(resource) => resource.access.bucket.as_ref(),
            None => self.facts.head.target.bucket(),
        }
    }

    fn key(&self) -> Option<&ObjectKey> {
        match &self.resource {
            Some(resource) => resource.access.key.as_ref(),
            None => self.facts.head.target.key(),
        }
    }

    /// The template of the bucket: of one that is only being made, as soon as a
    /// plugin planned it.
    fn made_by(&self) -> Option<&str> {
        match &self.resource.as_ref()?.bucket {
            Some(bucket) => made_by(bucket),
            None => self.planned.as_deref(),
        }
    }

    /// The documents of all that the access is about, wherever they are kept.
    fn documents(&self) -> impl Iterator<Item = &Documents> {
        let resource = self.resource.iter();
        resource.flat_map(|resource| {
            let buckets = resource.bucket.iter().chain(&resource.source_bucket);
            let objects = resource.object.iter().chain(&resource.source);
            let buckets = buckets.map(|bucket| &bucket.documents);
            buckets.chain(objects.map(|object| &object.documents))
        })
    }
}

impl Match {
    /// Whether it is only for some of what is stored.
    pub(crate) fn is_local(&self) -> bool {
        let rules = [&self.within, &self.except];
        !self.buckets.is_empty()
            || rules.iter().any(|rules| !rules.is_empty())
            || !self.prefixes.is_empty()
    }

    /// Whether no bucket is meant by both, as rules for some buckets have it.
    pub(crate) fn is_apart_from(&self, other: &Self) -> bool {
        let excludes = |one: &Self, other: &Self| {
            !other.within.is_empty() && other.within.iter().all(|rule| one.except.contains(rule))
        };
        excludes(self, other) || excludes(other, self)
    }

    /// The operations are looked at before, for all phases at once.
    fn covers(&self, occasion: &Occasion) -> Result<(), Mismatch> {
        let fits = |globs: &[Glob]| {
            let bucket = occasion.bucket().map(BucketName::as_str);
            bucket.is_some_and(|bucket| globs.iter().any(|glob| glob.matches(bucket)))
        };
        if !self.buckets.is_empty() && !fits(&self.buckets) {
            return Err(Mismatch::Bucket);
        }
        let fits = |rules: &[Selector]| {
            let (name, made_by) = (occasion.bucket(), occasion.made_by());
            rules.iter().any(|rule| rule.selects(name, made_by))
        };
        if !self.within.is_empty() && !fits(&self.within) || fits(&self.except) {
            return Err(Mismatch::BucketRule);
        }
        let fits = |key: &ObjectKey| {
            let mut prefixes = self.prefixes.iter();
            prefixes.any(|prefix| key.as_str().starts_with(prefix.as_str()))
        };
        if !self.prefixes.is_empty() && !occasion.key().is_some_and(fits) {
            return Err(Mismatch::Prefix);
        }
        let fits = |principal: &Principal| self.principals.iter().any(|one| one.is(principal));
        if !self.principals.is_empty() && !occasion.principal.as_ref().is_some_and(fits) {
            return Err(Mismatch::Principal);
        }
        let headers = &occasion.facts.head.headers;
        if !self.headers.is_empty() && !self.headers.iter().any(|one| one.is_in(headers)) {
            return Err(Mismatch::Header);
        }
        Ok(())
    }
}

/// Why a request does not get to a plugin. What is tested later comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mismatch {
    /// The use of the plugin is not for this operation.
    Operation,
    /// The plugin takes no part in this phase.
    Phase,
    /// The use of the plugin is not for this bucket.
    Bucket,
    /// Another use of the plugin is for this bucket, with what a rule for some
    /// buckets says of it.
    BucketRule,
    /// The use of the plugin is not for this key, or for what has none.
    Prefix,
    /// The use of the plugin is not for this principal, or it is not known yet.
    Principal,
    /// The use of the plugin is for requests with other headers.
    Header,
    /// The plugin takes part, but not in this operation.
    Interest,
    /// None of the headers is there that the plugin looks for.
    InterestHeader,
    /// None of the query parameters is there that the plugin looks for.
    InterestQuery,
    /// Nothing that the access is about has a document that the plugin looks for.
    InterestDocument,
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
    fn counted(operation: Operation, action: Action) -> Self {
        use Action as A;
        use Operation as O;
        let whole = match operation {
            O::DeleteObjects => Some(O::DeleteObject),
            O::CopyObject | O::UploadPartCopy
                if matches!(action, A::GetObject | A::GetObjectVersion) =>
            {
                Some(O::GetObject)
            }
            O::CopyObject if matches!(action, A::GetObjectTagging | A::GetObjectVersionTagging) => {
                Some(O::GetObjectTagging)
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
            .fold(Self::from(operation), |set, one| set.or(one.into()))
    }

    pub(crate) fn contains(self, operation: Operation) -> bool {
        self.meets(operation.into())
    }

    fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<Operation> for Operations {
    fn from(operation: Operation) -> Self {
        Self(1 << (operation as u8))
    }
}

#[derive(Debug)]
struct Condition {
    operations: Operations,
    headers: Vec<HeaderPattern>,
    queries: Vec<String>,
    /// With the plugin's name before them.
    documents: Vec<String>,
}

/// When a use of a plugin is concerned.
#[derive(Debug)]
pub(crate) struct Concerns {
    matching: Match,
    /// What it is used for, whatever more it is interested in.
    operations: Operations,
    phases: [Concern; Phase::ALL.len()],
}

/// When it is in one phase: any of its conditions holds.
#[derive(Debug, Default)]
struct Concern {
    /// Those of all conditions: what is looked at first, for requests differ in
    /// nothing as often.
    operations: Operations,
    conditions: Vec<Condition>,
}

impl Concerns {
    /// A plugin has its documents under its name.
    pub(crate) fn new<'i>(
        matching: Match,
        interests: impl IntoIterator<Item = &'i Interest>,
        plugin: &str,
    ) -> Result<Self, Failure> {
        let operations = Operations::listed(&matching.operations);
        let mut phases: [Concern; Phase::ALL.len()] = Default::default();
        for interest in interests {
            let condition = Condition::new(interest, plugin)?;
            let concern = &mut phases[interest.phase as usize];
            concern.operations = concern.operations.or(condition.operations);
            concern.conditions.push(condition);
        }
        Ok(Self {
            matching,
            operations,
            phases,
        })
    }

    pub(crate) fn are_apart_from(&self, other: &Self) -> bool {
        self.matching.is_apart_from(&other.matching)
    }

    /// Whether there is any request that it is called for in this phase.
    pub(crate) fn arise(&self, phase: Phase) -> bool {
        !self.phases[phase as usize].conditions.is_empty()
    }

    pub(crate) fn check(&self, occasion: &Occasion) -> Result<(), Mismatch> {
        let concern = &self.phases[occasion.phase as usize];
        if !self.operations.meets(occasion.operations) {
            return Err(Mismatch::Operation);
        }
        // Most are not concerned for this reason: nothing else is looked at then.
        if !concern.operations.meets(occasion.operations) {
            return Err(match concern.conditions.is_empty() {
                true => Mismatch::Phase,
                false => Mismatch::Interest,
            });
        }
        self.matching.covers(occasion)?;
        // Where none holds: what the one failed at that held longest.
        let mut mismatch = Mismatch::Interest;
        for condition in &concern.conditions {
            match condition.holds(occasion) {
                Ok(()) => return Ok(()),
                Err(other) => mismatch = mismatch.max(other),
            }
        }
        Err(mismatch)
    }
}

impl Condition {
    fn new(interest: &Interest, plugin: &str) -> Result<Self, Failure> {
        let headers = interest.headers.iter();
        let documents = interest.documents.iter();
        Ok(Self {
            operations: Operations::listed(&interest.operations),
            headers: headers
                .map(|name| HeaderPattern::parse(name))
                .collect::<Result<_, _>>()
                .map_err(|error| Failure::invalid(error.to_string()))?,
            queries: interest.queries.clone(),
            documents: documents
                .map(|name| full_name(plugin, name))
                .collect::<Result<_, _>>()?,
        })
    }

    fn holds(&self, occasion: &Occasion) -> Result<(), Mismatch> {
        let head = &occasion.facts.head;
        let any_header = || self.headers.iter().any(|one| one.is_in(&head.headers));
        let any_query = || self.queries.iter().any(|name| head.query.has(name));
        let any_document = || {
            let carries = |stored: &Documents| {
                let mut names = self.documents.iter();
                names.any(|name| stored.get(name).is_some())
            };
            occasion.documents().any(carries)
        };
        if !self.operations.meets(occasion.operations) {
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
            (O::CopyObject, A::GetObjectTagging, &[O::GetObjectTagging]),
            (
                O::CopyObject,
                A::PutObjectTagging,
                &[O::PutObject, O::PutObjectTagging],
            ),
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
