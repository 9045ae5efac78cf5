//! The documents that clients send to operations of the gateway itself.

use storage::{Metadata, NameError, ObjectKey, PartNumber, Precondition, VersionId, Versioning};

use super::parser::{Parser, malformed};
use crate::checksum::Algorithm;
use crate::error::{Code, Error};

/// Enough for the longest list with every character escaped.
const LIST_LEN_MAX: usize = 8 * 1024 * 1024;
const CONFIGURATION_LEN_MAX: usize = 64 * 1024;

const DELETE_TARGETS_MAX: usize = 1000;
const PARTS_MAX: usize = PartNumber::MAX as usize;
const BUCKET_TAGS_MAX: usize = 50;

/// What DeleteObjects is to delete: at least one key, and at most 1,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRequest {
    pub quiet: bool,
    pub targets: Vec<DeleteTarget>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteTarget {
    pub key: ObjectKey,
    pub version: TargetVersion,
    /// What must hold of the object, for this key alone.
    pub precondition: Precondition,
}

/// Which version of a key is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetVersion {
    Current,
    Named(VersionId),
    /// Text that is the id of no version. It concerns this key alone.
    Unknown(String),
}

/// A part as CompleteMultipartUpload names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    pub number: PartNumber,
    /// Without quotes.
    pub etag: String,
    pub checksums: Vec<(Algorithm, String)>,
}

impl CompletedPart {
    /// Whether the checksums are those that were remembered with the part.
    pub fn checksum_matches(&self, metadata: &Metadata) -> bool {
        let mut claims = self.checksums.iter();
        claims.all(|(algorithm, claim)| metadata.get(algorithm.header()) == Some(claim))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateBucketConfiguration {
    /// An empty one is not the same as none.
    pub location_constraint: Option<String>,
    pub tags: Vec<(String, String)>,
}

pub fn parse_delete(body: &[u8]) -> Result<DeleteRequest, Error> {
    let mut parser = Parser::open(body, "Delete", LIST_LEN_MAX)?;
    let mut quiet = false;
    let mut targets = Vec::new();
    while let Some(name) = parser.child()? {
        match &*name {
            "Quiet" => quiet = flag(&parser.text()?)?,
            "Object" if targets.len() < DELETE_TARGETS_MAX => {
                targets.push(delete_target(&mut parser)?);
            }
            _ => return Err(malformed()),
        }
    }
    parser.close()?;
    if targets.is_empty() {
        return Err(malformed());
    }
    Ok(DeleteRequest { quiet, targets })
}

fn delete_target(parser: &mut Parser<'_>) -> Result<DeleteTarget, Error> {
    let (mut key, mut version, mut etag) = (None, None, None);
    while let Some(name) = parser.child()? {
        let place = match &*name {
            "Key" => &mut key,
            "VersionId" => &mut version,
            "ETag" => &mut etag,
            // Conditions that only directory buckets have.
            "LastModifiedTime" | "Size" => {
                return Err(Error::new(Code::NotImplemented)
                    .because("A delete can have a condition on the ETag only."));
            }
            _ => return Err(malformed()),
        };
        once(place, parser.text()?)?;
    }
    // The one character that a path cannot name either.
    let key = key.filter(|key| !key.contains('\0'));
    let key = key.ok_or_else(malformed)?;
    let version = match version.filter(|text| !text.is_empty()) {
        None => TargetVersion::Current,
        Some(text) => match VersionId::parse(&text) {
            Ok(version) => TargetVersion::Named(version),
            Err(_) => TargetVersion::Unknown(text),
        },
    };
    let precondition = match etag.as_deref().map(unquoted) {
        None => Precondition::None,
        Some(etag) if etag == "*" => Precondition::Present,
        Some(etag) => Precondition::Matches(vec![etag]),
    };
    Ok(DeleteTarget {
        key: ObjectKey::parse(&key).map_err(|error| match error {
            NameError::KeyTooLong => Error::new(Code::KeyTooLongError)
                .with("Size", key.len().to_string())
                .with("MaxSizeAllowed", ObjectKey::LEN_MAX.to_string()),
            _ => malformed(),
        })?,
        version,
        precondition,
    })
}

/// Reads the parts, in ascending order, of which an object is to be made.
pub fn parse_complete_multipart_upload(body: &[u8]) -> Result<Vec<CompletedPart>, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::InvalidRequest).because("You must specify at least one part"));
    }
    let mut parser = Parser::open(body, "CompleteMultipartUpload", LIST_LEN_MAX)?;
    let mut parts = Vec::<CompletedPart>::new();
    while let Some(name) = parser.child()? {
        if name != "Part" || parts.len() >= PARTS_MAX {
            return Err(malformed());
        }
        parts.push(completed_part(&mut parser)?);
    }
    parser.close()?;
    if parts.is_empty() {
        return Err(malformed());
    }
    if !parts.is_sorted_by(|one, next| one.number < next.number) {
        return Err(Code::InvalidPartOrder.into());
    }
    Ok(parts)
}

fn completed_part(parser: &mut Parser<'_>) -> Result<CompletedPart, Error> {
    let (mut number, mut etag, mut checksums) = (None, None, Vec::new());
    while let Some(name) = parser.child()? {
        match &*name {
            "PartNumber" => once(&mut number, parser.text()?)?,
            "ETag" => once(&mut etag, parser.text()?)?,
            checksum if checksum.starts_with("Checksum") => {
                let mut known = Algorithm::ALL.iter();
                let algorithm = known.find(|known| known.element() == checksum);
                let algorithm = *algorithm.ok_or_else(|| {
                    Error::new(Code::NotImplemented)
                        .because("This kind of checksum is not supported.")
                })?;
                if checksums.iter().any(|(other, _)| *other == algorithm) {
                    return Err(malformed());
                }
                checksums.push((algorithm, parser.text()?));
            }
            _ => return Err(malformed()),
        }
    }
    let number = number.ok_or_else(malformed)?;
    let number: u32 = number.trim().parse().map_err(|_| malformed())?;
    let number = u16::try_from(number).map_err(|_| NameError::Part);
    Ok(CompletedPart {
        number: number.and_then(PartNumber::new).map_err(|_| {
            Error::new(Code::InvalidArgument)
                .because("Part number must be an integer between 1 and 10000, inclusive")
        })?,
        etag: unquoted(&etag.ok_or_else(malformed)?),
        checksums,
    })
}

/// Reads what CreateBucket may bring; nothing means the defaults.
pub fn parse_create_bucket_configuration(body: &[u8]) -> Result<CreateBucketConfiguration, Error> {
    let mut configuration = CreateBucketConfiguration::default();
    if body.is_empty() {
        return Ok(configuration);
    }
    let mut parser = Parser::open(body, "CreateBucketConfiguration", CONFIGURATION_LEN_MAX)?;
    while let Some(name) = parser.child()? {
        match &*name {
            "LocationConstraint" => {
                once(&mut configuration.location_constraint, parser.text()?)?;
            }
            "Tags" => {
                while let Some(name) = parser.child()? {
                    if name != "Tag" || configuration.tags.len() >= BUCKET_TAGS_MAX {
                        return Err(malformed());
                    }
                    configuration.tags.push(tag(&mut parser)?);
                }
            }
            // Directory buckets.
            "Location" | "Bucket" => return Err(Code::NotImplemented.into()),
            _ => return Err(malformed()),
        }
    }
    parser.close()?;
    Ok(configuration)
}

/// Reads what a bucket's versioning is to be.
pub fn parse_versioning_configuration(body: &[u8]) -> Result<Versioning, Error> {
    let illegal = |message: &'static str| {
        Error::new(Code::IllegalVersioningConfigurationException).because(message)
    };
    let mut parser = Parser::open(body, "VersioningConfiguration", CONFIGURATION_LEN_MAX)?;
    let (mut status, mut mfa_delete) = (None, None);
    while let Some(name) = parser.child()? {
        let place = match &*name {
            "Status" => &mut status,
            "MfaDelete" => &mut mfa_delete,
            _ => return Err(malformed()),
        };
        once(place, parser.text()?)?;
    }
    parser.close()?;
    match mfa_delete.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled") => {
            return Err(Error::new(Code::NotImplemented)
                .because("Deletes that need a second factor are not served here.")
                .with("Element", "MfaDelete"));
        }
        Some(_) => return Err(malformed()),
    }
    match status.as_deref() {
        Some("Enabled") => Ok(Versioning::Enabled),
        Some("Suspended") => Ok(Versioning::Suspended),
        Some(_) => Err(malformed()),
        None => Err(illegal("The Versioning element must be specified")),
    }
}

/// Reads the tags of a set, in their order. Whether each of them may be is not
/// for the reader to say.
pub fn parse_tagging(body: &[u8]) -> Result<Vec<(String, String)>, Error> {
    let mut parser = Parser::open(body, "Tagging", CONFIGURATION_LEN_MAX)?;
    let mut set = None;
    while let Some(name) = parser.child()? {
        let mut tags = Vec::new();
        if name != "TagSet" || set.is_some() {
            return Err(malformed());
        }
        while let Some(name) = parser.child()? {
            if name != "Tag" {
                return Err(malformed());
            }
            tags.push(tag(&mut parser)?);
        }
        set = Some(tags);
    }
    parser.close()?;
    set.ok_or_else(malformed)
}

fn tag(parser: &mut Parser<'_>) -> Result<(String, String), Error> {
    let (mut key, mut value) = (None, None);
    while let Some(name) = parser.child()? {
        let place = match &*name {
            "Key" => &mut key,
            "Value" => &mut value,
            _ => return Err(malformed()),
        };
        once(place, parser.text()?)?;
    }
    key.zip(value).ok_or_else(malformed)
}

fn once(place: &mut Option<String>, text: String) -> Result<(), Error> {
    match place.replace(text) {
        None => Ok(()),
        Some(_) => Err(malformed()),
    }
}

fn flag(text: &str) -> Result<bool, Error> {
    match text.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other if other.eq_ignore_ascii_case("true") => Ok(true),
        other if other.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(malformed()),
    }
}

fn unquoted(etag: &str) -> String {
    let etag = etag.trim();
    let inner = etag
        .strip_prefix('"')
        .and_then(|etag| etag.strip_suffix('"'));
    inner.unwrap_or(etag).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(key: &str) -> DeleteTarget {
        DeleteTarget {
            key: ObjectKey::parse(key).unwrap(),
            version: TargetVersion::Current,
            precondition: Precondition::None,
        }
    }

    #[test]
    fn a_delete_is_read_as_clients_write_it() {
        let check = |body: &str, quiet: bool, targets: Vec<DeleteTarget>| {
            let expected = DeleteRequest { quiet, targets };
            assert_eq!(parse_delete(body.as_bytes()).unwrap(), expected, "{body}");
        };
        check(
            "<Delete><Object><Key>a</Key></Object></Delete>",
            false,
            vec![target("a")],
        );
        check(
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\
             <s3:Delete xmlns:s3=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n \
             <s3:Quiet>true</s3:Quiet>\n <s3:Object><s3:Key> a&lt;&amp;&gt;&#xe4;&#10;b</s3:Key>\
             <s3:VersionId>null</s3:VersionId><s3:ETag>&quot;e&quot;</s3:ETag></s3:Object>\
             <s3:Object><s3:Key><![CDATA[<c>&amp;]]>d</s3:Key><s3:VersionId/></s3:Object>\
             </s3:Delete>\n",
            true,
            vec![
                DeleteTarget {
                    version: TargetVersion::Named(VersionId::Null),
                    precondition: Precondition::Matches(vec!["e".into()]),
                    ..target(" a<&>ä\nb")
                },
                target("<c>&amp;d"),
            ],
        );
        check(
            "<Delete><Object><Key>a</Key><VersionId>x</VersionId><ETag>*</ETag></Object>\
             <Object><Key>b</Key></Object></Delete>",
            false,
            vec![
                DeleteTarget {
                    version: TargetVersion::Unknown("x".into()),
                    precondition: Precondition::Present,
                    ..target("a")
                },
                target("b"),
            ],
        );
        // Written raw, or as a reference that XML 1.0 does not have.
        check(
            "<Delete><Object><Key>a\u{1}b</Key></Object></Delete>",
            false,
            vec![target("a\u{1}b")],
        );
        check(
            "<Delete><Object><Key>a&#x1;b</Key></Object></Delete>",
            false,
            vec![target("a\u{1}b")],
        );
    }

    #[test]
    fn a_delete_that_is_not_one_is_refused() {
        let many = |count| {
            let object = "<Object><Key>k</Key></Object>";
            format!("<Delete>{}</Delete>", object.repeat(count))
        };
        assert_eq!(
            parse_delete(many(1000).as_bytes()).unwrap().targets.len(),
            1000
        );
        let object = |inside: &str| format!("<Delete><Object>{inside}</Object></Delete>");
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]>".to_owned();
        for (body, expected) in [
            (many(0), Code::MalformedXML),
            (many(1001), Code::MalformedXML),
            (String::new(), Code::MalformedXML),
            ("<Delete>".into(), Code::MalformedXML),
            ("<Delete/>".into(), Code::MalformedXML),
            ("<Remove/>".into(), Code::MalformedXML),
            ("Delete".into(), Code::MalformedXML),
            (format!("{}x", many(1)), Code::MalformedXML),
            (format!("{}{}", many(1), many(1)), Code::MalformedXML),
            (format!("{bomb}{}", many(1)), Code::MalformedXML),
            (
                format!("{bomb}{}", object("<Key>&a;</Key>")),
                Code::MalformedXML,
            ),
            (object("<Key>&a;</Key>"), Code::MalformedXML),
            (object("<Key>&</Key>"), Code::MalformedXML),
            (object("<Key>&#0;</Key>"), Code::MalformedXML),
            (object("<Key>&#xd800;</Key>"), Code::MalformedXML),
            (object("<Key>a</Ke>"), Code::MalformedXML),
            (object("<Key>a<b/></Key>"), Code::MalformedXML),
            (object("<Key></Key>"), Code::MalformedXML),
            (object("<Key>a\0</Key>"), Code::MalformedXML),
            (object(""), Code::MalformedXML),
            (object("<Key>a</Key><Key>b</Key>"), Code::MalformedXML),
            (object("<Key>a</Key><Colour/>"), Code::MalformedXML),
            (object("<Key>a</Key><Size>1</Size>"), Code::NotImplemented),
            (
                object(&format!("<Key>{}</Key>", "k".repeat(1025))),
                Code::KeyTooLongError,
            ),
            (
                "<Delete><Quiet>maybe</Quiet></Delete>".into(),
                Code::MalformedXML,
            ),
            (" ".repeat(LIST_LEN_MAX + 1), Code::MaxMessageLengthExceeded),
        ] {
            let error = parse_delete(body.as_bytes()).unwrap_err();
            let shown: String = body.chars().take(200).collect();
            assert_eq!(error.code(), Some(expected), "{shown}");
        }
        let error = parse_delete(b"<Delete>\xff</Delete>").unwrap_err();
        assert_eq!(error.code(), Some(Code::MalformedXML));
    }

    #[test]
    fn a_completion_names_its_parts_in_order() {
        let part = |inside: &str| format!("<Part>{inside}</Part>");
        let all = |parts: &str| {
            parse_complete_multipart_upload(
                format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").as_bytes(),
            )
        };
        let first = part("<ETag>\"e\"</ETag><PartNumber>1</PartNumber>");
        let second = part(
            "<PartNumber>10000</PartNumber><ETag>f</ETag>\
             <ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>",
        );
        let parts = all(&format!("{first}{second}")).unwrap();
        assert_eq!(
            parts,
            [
                CompletedPart {
                    number: PartNumber::new(1).unwrap(),
                    etag: "e".into(),
                    checksums: Vec::new(),
                },
                CompletedPart {
                    number: PartNumber::new(10_000).unwrap(),
                    etag: "f".into(),
                    checksums: vec![(Algorithm::Crc32, "y/Q5Jg==".into())],
                },
            ]
        );
        let remembered = |value: &str| {
            let entry = ("x-amz-checksum-crc32".to_owned(), value.to_owned());
            Metadata::from([entry])
        };
        assert!(parts[0].checksum_matches(&Metadata::new()));
        assert!(parts[1].checksum_matches(&remembered("y/Q5Jg==")));
        assert!(!parts[1].checksum_matches(&remembered("AAAAAA==")));
        assert!(!parts[1].checksum_matches(&Metadata::new()));

        let number = |text: &str| part(&format!("<PartNumber>{text}</PartNumber><ETag>e</ETag>"));
        for (parts, expected) in [
            (String::new(), Code::MalformedXML),
            (format!("{second}{first}"), Code::InvalidPartOrder),
            (format!("{first}{first}"), Code::InvalidPartOrder),
            (number("0"), Code::InvalidArgument),
            (number("10001"), Code::InvalidArgument),
            (number("70000"), Code::InvalidArgument),
            (number("-1"), Code::MalformedXML),
            (number("one"), Code::MalformedXML),
            (part("<PartNumber>1</PartNumber>"), Code::MalformedXML),
            (part("<ETag>e</ETag>"), Code::MalformedXML),
            (first.repeat(10_001), Code::MalformedXML),
            (
                part("<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumMD5>x</ChecksumMD5>"),
                Code::NotImplemented,
            ),
        ] {
            assert_eq!(all(&parts).unwrap_err().code(), Some(expected));
        }
        let error = parse_complete_multipart_upload(b"").unwrap_err();
        assert_eq!(error.code(), Some(Code::InvalidRequest));
        let empty = part("<PartNumber>1</PartNumber><ETag></ETag>");
        assert_eq!(all(&empty).unwrap()[0].etag, "");
    }

    #[test]
    fn a_location_that_is_empty_is_not_one_that_is_missing() {
        let check = |inside: &str, expected: Option<CreateBucketConfiguration>| {
            let body = format!("<CreateBucketConfiguration>{inside}</CreateBucketConfiguration>");
            let parsed = parse_create_bucket_configuration(body.as_bytes());
            assert_eq!(parsed.ok(), expected, "{inside}");
        };
        let location = |text: &str| {
            Some(CreateBucketConfiguration {
                location_constraint: Some(text.into()),
                tags: Vec::new(),
            })
        };
        check("", Some(CreateBucketConfiguration::default()));
        check("<LocationConstraint/>", location(""));
        check(
            "<LocationConstraint>eu</LocationConstraint>",
            location("eu"),
        );
        check(
            "<Tags><Tag><Key>a</Key><Value/></Tag></Tags>",
            Some(CreateBucketConfiguration {
                location_constraint: None,
                tags: vec![("a".into(), String::new())],
            }),
        );
        check("<Tags><Tag><Key>a</Key></Tag></Tags>", None);
        check("<Bucket><Type>Directory</Type></Bucket>", None);
        check("<Region>eu</Region>", None);
        let nothing = parse_create_bucket_configuration(b"");
        assert_eq!(nothing.unwrap(), CreateBucketConfiguration::default());
    }

    #[test]
    fn versioning_is_enabled_or_suspended() {
        let check = |inside: &str, expected: Result<Versioning, Code>| {
            let body = format!("<VersioningConfiguration>{inside}</VersioningConfiguration>");
            let parsed = parse_versioning_configuration(body.as_bytes());
            let parsed = parsed.map_err(|error| error.code().unwrap());
            assert_eq!(parsed, expected, "{inside}");
        };
        let enabled = "<Status>Enabled</Status>";
        check(enabled, Ok(Versioning::Enabled));
        check("<Status>Suspended</Status>", Ok(Versioning::Suspended));
        check(
            &format!("<MfaDelete>Disabled</MfaDelete>{enabled}"),
            Ok(Versioning::Enabled),
        );
        check(
            &format!("{enabled}<MfaDelete>Enabled</MfaDelete>"),
            Err(Code::NotImplemented),
        );
        check(
            &format!("{enabled}<MfaDelete>Maybe</MfaDelete>"),
            Err(Code::MalformedXML),
        );
        check("", Err(Code::IllegalVersioningConfigurationException));
        check("<Status/>", Err(Code::MalformedXML));
        check("<Status>enabled</Status>", Err(Code::MalformedXML));
        check("<Status>Never</Status>", Err(Code::MalformedXML));
        check(&enabled.repeat(2), Err(Code::MalformedXML));
        check("<State>Enabled</State>", Err(Code::MalformedXML));
        for body in ["", "<Versioning/>", "x"] {
            let error = parse_versioning_configuration(body.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Some(Code::MalformedXML), "{body}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_documents_never_panic(
            body in prop::collection::vec(any::<u8>(), 0..500),
            markup in "(<|>|/|!|\\[|&|;|#|\"|=|-|\\?|CDATA|Delete|Object|Key|a| |\n){0,60}",
        ) {
            for body in [&body[..], markup.as_bytes()] {
                let _ = parse_delete(body);
                let _ = parse_complete_multipart_upload(body);
                let _ = parse_create_bucket_configuration(body);
                let _ = parse_versioning_configuration(body);
            }
        }

        #[test]
        fn what_the_writer_escapes_the_parser_reads_back(key in "[^\0]{1,40}") {
            // A carriage return is the one character that must be escaped to stay.
            let escaped = key
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('\r', "&#13;");
            let body = format!("<Delete><Object><Key>{escaped}</Key></Object></Delete>");
            let parsed = parse_delete(body.as_bytes()).unwrap();
            prop_assert_eq!(parsed.targets[0].key.as_str(), key);
        }
    }
}
