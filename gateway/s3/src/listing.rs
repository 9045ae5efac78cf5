//! What the query of a listing asks for.
//!
//! Where a page ends is opaque to the client in the newer listings: what it
//! sends back is checked before it is used.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use storage::{
    ListQuery, ObjectKey, PartNumber, UploadId, UploadMarker, UploadQuery, VersionId,
    VersionMarker, VersionQuery,
};

use crate::error::{Code, Error};
use crate::query::Query;

/// The most keys, uploads or parts on one page, whatever is asked for.
pub const ENTRIES_MAX: usize = 1000;
/// The most buckets on one page.
pub const BUCKETS_MAX: usize = 10_000;

/// ListObjects, the first version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListObjects {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub encoded: bool,
    pub max_keys: usize,
    pub marker: Option<String>,
}

/// ListObjects, the second version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListObjectsV2 {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub encoded: bool,
    pub max_keys: usize,
    pub start_after: Option<String>,
    pub continuation: Option<Continuation>,
    pub fetch_owner: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListVersions {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub encoded: bool,
    pub max_keys: usize,
    pub key_marker: Option<String>,
    /// Only together with a key marker.
    pub version_id_marker: Option<VersionId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListUploads {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub encoded: bool,
    pub max_uploads: usize,
    pub key_marker: Option<String>,
    /// Only together with a key marker.
    pub upload_id_marker: Option<UploadId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListParts {
    pub upload: UploadId,
    pub max_parts: usize,
    pub part_number_marker: Option<PartNumber>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListBuckets {
    pub prefix: String,
    /// Only the buckets in this region.
    pub region: Option<String>,
    pub max_buckets: usize,
    pub continuation: Option<Continuation>,
}

/// Where a listing goes on: after this text. Where that is empty, it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    pub after: String,
}

impl Continuation {
    /// Tells a token from text that is base64 by chance.
    const MARK: &str = "1:";

    pub fn new(after: impl Into<String>) -> Self {
        Self {
            after: after.into(),
        }
    }

    /// As it is given to the client.
    pub fn token(&self) -> String {
        // It is told back as it came.
        if self.after.is_empty() {
            return String::new();
        }
        BASE64_URL_SAFE_NO_PAD.encode(format!("{}{}", Self::MARK, self.after))
    }

    fn of(query: &Query) -> Result<Option<Self>, Error> {
        let Some(token) = query.get("continuation-token") else {
            return Ok(None);
        };
        if token.is_empty() {
            return Ok(Some(Self::new("")));
        }
        let refuse = || {
            Error::new(Code::InvalidArgument)
                .because("The continuation token provided is incorrect")
                .argument("continuation-token", token)
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| refuse())?;
        let text = String::from_utf8(bytes).map_err(|_| refuse())?;
        match text.strip_prefix(Self::MARK) {
            // A rolled-up prefix is at most as long as the keys in it.
            Some(after) if (1..=ObjectKey::LEN_MAX).contains(&after.len()) => {
                Ok(Some(Self::new(after)))
            }
            _ => Err(refuse()),
        }
    }
}

impl ListObjects {
    pub fn of(query: &Query) -> Result<Self, Error> {
        Ok(Self {
            prefix: text(query, "prefix").unwrap_or_default(),
            delimiter: text(query, "delimiter"),
            encoded: encoded(query)?,
            max_keys: limit(query, "max-keys", ENTRIES_MAX)?,
            marker: text(query, "marker"),
        })
    }

    pub fn to_query(&self) -> ListQuery {
        ListQuery {
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            after: self.marker.clone(),
            limit: self.max_keys,
        }
    }
}

impl ListObjectsV2 {
    pub fn of(query: &Query) -> Result<Self, Error> {
        Ok(Self {
            prefix: text(query, "prefix").unwrap_or_default(),
            delimiter: text(query, "delimiter"),
            encoded: encoded(query)?,
            max_keys: limit(query, "max-keys", ENTRIES_MAX)?,
            start_after: text(query, "start-after"),
            continuation: Continuation::of(query)?,
            fetch_owner: match query.get("fetch-owner") {
                None | Some("" | "false") => false,
                Some("true") => true,
                Some(other) => {
                    return Err(Error::new(Code::InvalidArgument)
                        .because("fetch-owner is true or false")
                        .argument("fetch-owner", other));
                }
            },
        })
    }

    /// A continuation outweighs the place where the listing began.
    pub fn to_query(&self) -> ListQuery {
        let place = |place: &Continuation| (!place.after.is_empty()).then(|| place.after.clone());
        let continuation = self.continuation.as_ref().and_then(place);
        ListQuery {
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            after: continuation.or_else(|| self.start_after.clone()),
            limit: self.max_keys,
        }
    }
}

impl ListVersions {
    pub fn of(query: &Query) -> Result<Self, Error> {
        let key_marker = text(query, "key-marker");
        let refuse = |message: &'static str, value: &str| {
            Error::new(Code::InvalidArgument)
                .because(message)
                .argument("version-id-marker", value)
        };
        let version_id_marker = match text(query, "version-id-marker") {
            None => None,
            Some(id) if key_marker.is_none() => {
                return Err(refuse(
                    "A version-id marker cannot be specified without a key marker.",
                    &id,
                ));
            }
            Some(id) => match VersionId::parse(&id) {
                Ok(version) => Some(version),
                Err(_) => return Err(refuse("Invalid version id specified", &id)),
            },
        };
        Ok(Self {
            prefix: text(query, "prefix").unwrap_or_default(),
            delimiter: text(query, "delimiter"),
            encoded: encoded(query)?,
            max_keys: limit(query, "max-keys", ENTRIES_MAX)?,
            key_marker,
            version_id_marker,
        })
    }

    pub fn to_query(&self) -> VersionQuery {
        let after = self.key_marker.clone().map(|key| {
            // Text that is too long for a key is after every version of one.
            match (self.version_id_marker, ObjectKey::parse(&key)) {
                (Some(version), Ok(key)) => VersionMarker::Version(key, version),
                _ => VersionMarker::Key(key),
            }
        });
        VersionQuery {
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            after,
            limit: self.max_keys,
        }
    }
}

impl ListUploads {
    pub fn of(query: &Query) -> Result<Self, Error> {
        let key_marker = text(query, "key-marker");
        let upload_id_marker = match text(query, "upload-id-marker") {
            Some(text) if key_marker.is_some() => {
                let upload = UploadId::parse(&text);
                Some(upload.map_err(|_| {
                    Error::new(Code::InvalidArgument)
                        .because("Invalid uploadId marker")
                        .argument("upload-id-marker", text)
                })?)
            }
            _ => None,
        };
        Ok(Self {
            prefix: text(query, "prefix").unwrap_or_default(),
            delimiter: text(query, "delimiter"),
            encoded: encoded(query)?,
            max_uploads: limit(query, "max-uploads", ENTRIES_MAX)?,
            key_marker,
            upload_id_marker,
        })
    }

    pub fn to_query(&self) -> UploadQuery {
        let after = self.key_marker.clone().map(|key| {
            // Text that is too long for a key is after every upload of one.
            match (self.upload_id_marker, ObjectKey::parse(&key)) {
                (Some(upload), Ok(key)) => UploadMarker::Upload(key, upload),
                _ => UploadMarker::Key(key),
            }
        });
        UploadQuery {
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            after,
            limit: self.max_uploads,
        }
    }
}

impl ListParts {
    pub fn of(query: &Query) -> Result<Self, Error> {
        let after = limit(query, "part-number-marker", usize::from(PartNumber::MAX))?;
        let after = match query.has("part-number-marker") {
            true => u16::try_from(after)
                .ok()
                .and_then(|number| PartNumber::new(number).ok()),
            false => None,
        };
        Ok(Self {
            upload: upload_id(query)?,
            max_parts: limit(query, "max-parts", ENTRIES_MAX)?,
            part_number_marker: after,
        })
    }
}

impl ListBuckets {
    pub fn of(query: &Query) -> Result<Self, Error> {
        let max_buckets = limit(query, "max-buckets", BUCKETS_MAX)?;
        if max_buckets == 0 {
            return Err(Error::new(Code::InvalidArgument)
                .because("max-buckets is between 1 and 10000")
                .argument("max-buckets", "0"));
        }
        Ok(Self {
            prefix: text(query, "prefix").unwrap_or_default(),
            region: text(query, "bucket-region"),
            max_buckets,
            continuation: Continuation::of(query)?,
        })
    }
}

/// The upload that a request names. Text that cannot be an id names none.
pub fn upload_id(query: &Query) -> Result<UploadId, Error> {
    let text = query.get("uploadId").unwrap_or_default();
    UploadId::parse(text).map_err(|_| Error::new(Code::NoSuchUpload).with("UploadId", text))
}

/// The part that a request names, if it names one.
pub fn part_number(query: &Query) -> Result<Option<PartNumber>, Error> {
    let Some(text) = query.get("partNumber") else {
        return Ok(None);
    };
    PartNumber::parse(text).map(Some).map_err(|_| {
        Error::new(Code::InvalidArgument)
            .because("Part number must be an integer between 1 and 10000, inclusive")
            .argument("partNumber", text)
    })
}

fn text(query: &Query, name: &str) -> Option<String> {
    let value = query.get(name)?;
    (!value.is_empty()).then(|| value.to_owned())
}

fn encoded(query: &Query) -> Result<bool, Error> {
    match query.get("encoding-type") {
        None | Some("") => Ok(false),
        Some("url") => Ok(true),
        Some(other) => Err(Error::new(Code::InvalidArgument)
            .because("Invalid Encoding Method specified in Request")
            .argument("encoding-type", other)),
    }
}

/// Whatever is more than `max` is `max`, as is nothing at all.
fn limit(query: &Query, name: &'static str, max: usize) -> Result<usize, Error> {
    match query.get(name).filter(|text| !text.is_empty()) {
        Some(text) => parse_limit(name, text, max),
        None => Ok(max),
    }
}

/// Reads a number that is not negative; whatever is more than `max` is `max`.
pub(crate) fn parse_limit(name: &'static str, text: &str, max: usize) -> Result<usize, Error> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i32>().ok().map(usize::try_from) {
        Some(Ok(limit)) if digits => Ok(limit.min(max)),
        Some(Err(_)) => Err(Error::new(Code::InvalidArgument)
            .because(format!(
                "Argument {name} must be an integer between 0 and 2147483647"
            ))
            .argument(name, text)),
        _ => Err(Error::new(Code::InvalidArgument)
            .because(format!(
                "Provided {name} not an integer or within integer range"
            ))
            .argument(name, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(raw: &str) -> Query {
        Query::parse(raw).unwrap()
    }

    #[test]
    fn a_limit_is_clamped_and_never_negative() {
        for (raw, expected) in [
            ("", Some(1000)),
            ("max-keys", Some(1000)),
            ("max-keys=", Some(1000)),
            ("max-keys=0", Some(0)),
            ("max-keys=1", Some(1)),
            ("max-keys=1000", Some(1000)),
            ("max-keys=1001", Some(1000)),
            ("max-keys=2147483647", Some(1000)),
            ("max-keys=2147483648", None),
            ("max-keys=-1", None),
            ("max-keys=%2B1", None),
            ("max-keys=1.5", None),
            ("max-keys=blah", None),
        ] {
            let first = ListObjects::of(&query(raw));
            assert_eq!(first.as_ref().ok().map(|list| list.max_keys), expected);
            let second = ListObjectsV2::of(&query(raw));
            assert_eq!(second.ok().map(|list| list.max_keys), expected, "{raw}");
            if let Err(error) = first {
                assert_eq!(error.code(), Some(Code::InvalidArgument));
                assert!(
                    error
                        .members()
                        .any(|member| member == ("ArgumentName", "max-keys"))
                );
            }
        }
    }

    #[test]
    fn a_listing_asks_the_store_for_what_the_client_asked_for() {
        let raw = "prefix=a/&delimiter=/&marker=a/b&max-keys=2&encoding-type=url";
        let list = ListObjects::of(&query(raw)).unwrap();
        assert!(list.encoded);
        let expected = ListQuery {
            prefix: "a/".into(),
            delimiter: Some("/".into()),
            after: Some("a/b".into()),
            limit: 2,
        };
        assert_eq!(list.to_query(), expected);

        let token = Continuation::new("a/b").token();
        let raw = format!(
            "list-type=2&prefix=a/&delimiter=/&max-keys=2&start-after=a/a\
             &continuation-token={token}&fetch-owner=true"
        );
        let list = ListObjectsV2::of(&query(&raw)).unwrap();
        assert!(list.fetch_owner && !list.encoded);
        assert_eq!(list.to_query(), expected);

        let begun = ListObjectsV2::of(&query("start-after=x&delimiter=&prefix=")).unwrap();
        let expected = ListQuery {
            after: Some("x".into()),
            limit: 1000,
            ..ListQuery::default()
        };
        assert_eq!(begun.to_query(), expected);
    }

    #[test]
    fn only_our_own_tokens_continue_a_listing() {
        let long = Continuation::new("k".repeat(1025)).token();
        let nowhere = BASE64_URL_SAFE_NO_PAD.encode(b"1:");
        let not_text = BASE64_URL_SAFE_NO_PAD.encode(b"1:\xff");
        for token in ["a", "YQ", "a/b", "%20", &long, &nowhere, &not_text] {
            let raw = format!("continuation-token={token}");
            let error = ListObjectsV2::of(&query(&raw)).unwrap_err();
            assert_eq!(error.code(), Some(Code::InvalidArgument), "{token}");
            assert!(ListBuckets::of(&query(&raw)).is_err());
        }
        for after in ["", "ä/b c&+", "\u{1}"] {
            let place = Continuation::new(after);
            let raw = format!("continuation-token={}", place.token());
            let list = ListObjectsV2::of(&query(&raw)).unwrap();
            assert_eq!(list.continuation, Some(place));
        }
    }

    #[test]
    fn an_empty_token_continues_nothing_and_is_told_back() {
        for (raw, after) in [
            ("continuation-token=", None),
            ("continuation-token", None),
            ("continuation-token=&start-after=b", Some("b")),
        ] {
            let list = ListObjectsV2::of(&query(raw)).unwrap();
            assert_eq!(list.to_query().after.as_deref(), after, "{raw}");
            let token = list.continuation.map(|place| place.token());
            assert_eq!(token.as_deref(), Some(""), "{raw}");
        }
    }

    #[test]
    fn an_upload_marker_means_nothing_without_a_key_marker() {
        let id = UploadId(7);
        for (raw, after) in [
            (String::new(), None),
            (format!("upload-id-marker={id}"), None),
            ("upload-id-marker=x".into(), None),
            ("key-marker=k".into(), Some(UploadMarker::Key("k".into()))),
            (
                format!("key-marker=k&upload-id-marker={id}"),
                Some(UploadMarker::Upload(ObjectKey::parse("k").unwrap(), id)),
            ),
        ] {
            let list = ListUploads::of(&query(&raw)).unwrap();
            assert_eq!(list.to_query().after, after, "{raw}");
        }
        assert!(ListUploads::of(&query("key-marker=k&upload-id-marker=x")).is_err());
        assert!(ListUploads::of(&query("encoding-type=base64")).is_err());
    }

    #[test]
    fn a_version_marker_is_one_of_a_key() {
        let id = VersionId::Id(7);
        let key = || ObjectKey::parse("k").unwrap();
        let check = |raw: &str, expected: Option<Option<VersionMarker>>| {
            let list = ListVersions::of(&query(raw));
            let after = list.as_ref().map(|list| list.to_query().after).ok();
            assert_eq!(after, expected, "{raw}");
            if let Err(error) = list {
                assert_eq!(error.code(), Some(Code::InvalidArgument));
                let mut members = error.members();
                assert!(members.any(|member| member == ("ArgumentName", "version-id-marker")));
            }
        };
        check("", Some(None));
        check("version-id-marker=", Some(None));
        check("key-marker=&version-id-marker=", Some(None));
        check("key-marker=k", Some(Some(VersionMarker::Key("k".into()))));
        check(
            "key-marker=k&version-id-marker=",
            Some(Some(VersionMarker::Key("k".into()))),
        );
        check(
            &format!("key-marker=k&version-id-marker={id}"),
            Some(Some(VersionMarker::Version(key(), id))),
        );
        check(
            "key-marker=k&version-id-marker=null",
            Some(Some(VersionMarker::Version(key(), VersionId::Null))),
        );
        check(&format!("version-id-marker={id}"), None);
        check(&format!("key-marker=&version-id-marker={id}"), None);
        check("key-marker=k&version-id-marker=x", None);
        let long = "k".repeat(1025);
        check(
            &format!("key-marker={long}&version-id-marker={id}"),
            Some(Some(VersionMarker::Key(long))),
        );
    }

    #[test]
    fn parts_are_listed_after_a_number() {
        let id = UploadId(7);
        let check = |raw: &str, expected: Option<(usize, Option<u16>)>| {
            let list = ListParts::of(&query(&format!("uploadId={id}{raw}"))).ok();
            let got =
                list.map(|list| (list.max_parts, list.part_number_marker.map(PartNumber::get)));
            assert_eq!(got, expected, "{raw}");
        };
        check("", Some((1000, None)));
        check("&max-parts=5000", Some((1000, None)));
        check("&max-parts=1&part-number-marker=0", Some((1, None)));
        check("&part-number-marker=3", Some((1000, Some(3))));
        check("&part-number-marker=20000", Some((1000, Some(10_000))));
        check("&part-number-marker=-1", None);
        check("&max-parts=x", None);
        let error = ListParts::of(&query("uploadId=x")).unwrap_err();
        assert_eq!(error.code(), Some(Code::NoSuchUpload));
    }

    #[test]
    fn a_part_number_is_between_1_and_10000() {
        for (raw, valid) in [
            ("", true),
            ("partNumber=1", true),
            ("partNumber=10000", true),
            ("partNumber=0", false),
            ("partNumber=10001", false),
            ("partNumber=-1", false),
            ("partNumber=", false),
        ] {
            assert_eq!(part_number(&query(raw)).is_ok(), valid, "{raw}");
        }
    }

    #[test]
    fn buckets_are_listed_1_to_10000_at_a_time() {
        for (raw, expected) in [
            ("", Some(10_000)),
            ("max-buckets=1", Some(1)),
            ("max-buckets=20000", Some(10_000)),
            ("max-buckets=0", None),
            ("max-buckets=-1", None),
        ] {
            let list = ListBuckets::of(&query(raw));
            assert_eq!(list.ok().map(|list| list.max_buckets), expected, "{raw}");
        }
    }
}
