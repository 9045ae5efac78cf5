use proptest::prelude::*;
use storage::{
    Documents, Geometry, Locator, Marker, ObjectKey, Part, PartNumber, Precondition, UploadId,
    VersionId,
};

use super::*;
use crate::error::Code;
use crate::query::Query;
use crate::xml::parser::Parser;

const TIME: Timestamp = Timestamp(1_369_353_600_042);
const OPEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn bucket() -> BucketName {
    BucketName::parse("the-bucket").unwrap()
}

fn names(id: &str) -> Option<String> {
    (id == "alice").then(|| "Alice & Co".to_owned())
}

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    entries
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn object(key: &str, entries: &[(&str, &str)]) -> Arc<Object> {
    Arc::new(Object {
        key: ObjectKey::parse(key).unwrap(),
        version: VersionId::Null,
        id: 1,
        owner: "alice".into(),
        size: 5,
        etag: "e".into(),
        modified: TIME,
        metadata: metadata(entries),
        documents: Documents::default(),
        parts: Vec::new(),
        location: Locator::new(()),
    })
}

fn upload(key: &str) -> Upload {
    Upload {
        id: UploadId(7),
        key: ObjectKey::parse(key).unwrap(),
        owner: "alice".into(),
        initiator: "bob".into(),
        initiated: TIME,
        metadata: metadata(&[
            ("x-amz-checksum-algorithm", "CRC32"),
            ("x-amz-checksum-type", "COMPOSITE"),
        ]),
        documents: Documents::default(),
    }
}

fn part() -> UploadedPart {
    UploadedPart {
        number: PartNumber::new(3).unwrap(),
        size: 5,
        etag: "e".into(),
        modified: TIME,
        metadata: metadata(&[("x-amz-checksum-crc32", "y/Q5Jg==")]),
    }
}

/// Compares without the declaration and the namespace, which all answers have.
fn check(answer: &str, expected: &str) {
    let body = answer.strip_prefix(OPEN).unwrap();
    let namespace = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
    assert_eq!(body.matches(namespace).count(), 1);
    assert_eq!(body.replacen(&format!(" {namespace}"), "", 1), expected);
}

#[test]
fn buckets_are_listed() {
    let page = Page {
        entries: vec![Arc::new(Bucket {
            name: bucket(),
            id: 1,
            owner: "alice".into(),
            created: TIME,
            versioning: Versioning::Never,
            placement: Geometry { data: 4, parity: 2 }.into(),
            documents: Documents::default(),
        })],
        truncated: true,
    };
    let input = ListBuckets::of(&Query::parse("prefix=the&max-buckets=1").unwrap()).unwrap();
    check(
        &list_all_my_buckets_result("alice", &input, &page, "eu-north-1", &names),
        "<ListAllMyBucketsResult><Owner><ID>alice</ID>\
         <DisplayName>Alice &amp; Co</DisplayName></Owner><Buckets><Bucket>\
         <Name>the-bucket</Name><CreationDate>2013-05-24T00:00:00.042Z</CreationDate>\
         <BucketRegion>eu-north-1</BucketRegion></Bucket>\
         </Buckets><ContinuationToken>MTp0aGUtYnVja2V0</ContinuationToken><Prefix>the</Prefix>\
         </ListAllMyBucketsResult>",
    );
}

#[test]
fn objects_are_listed_in_both_versions() {
    let page = Page {
        entries: vec![
            Entry::Item(object(
                "a b<\u{1}",
                &[
                    ("x-amz-checksum-crc32", "y/Q5Jg=="),
                    ("x-amz-checksum-type", "FULL_OBJECT"),
                ],
            )),
            Entry::Prefix("a/".into()),
        ],
        truncated: true,
    };
    let query = |raw: &str| Query::parse(raw).unwrap();
    let contents = |key: &str, owner: &str| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2013-05-24T00:00:00.042Z</LastModified>\
             <ETag>&quot;e&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
             <ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size>{owner}\
             <StorageClass>STANDARD</StorageClass></Contents>"
        )
    };
    let owner = "<Owner><ID>alice</ID><DisplayName>Alice &amp; Co</DisplayName></Owner>";

    let input = ListObjects::of(&query("prefix=a&delimiter=/&max-keys=2")).unwrap();
    check(
        &list_objects_result(&bucket(), &input, &page, &names),
        &format!(
            "<ListBucketResult><Name>the-bucket</Name><Prefix>a</Prefix><Marker></Marker>\
             <NextMarker>a/</NextMarker><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter>\
             <IsTruncated>true</IsTruncated>{}<CommonPrefixes><Prefix>a/</Prefix>\
             </CommonPrefixes></ListBucketResult>",
            contents("a b&lt;\u{fffd}", owner)
        ),
    );
    let input = ListObjects::of(&query("prefix=a&encoding-type=url&marker=%20")).unwrap();
    check(
        &list_objects_result(&bucket(), &input, &page, &names),
        &format!(
            "<ListBucketResult><Name>the-bucket</Name><Prefix>a</Prefix><Marker>%20</Marker>\
             <MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>\
             <IsTruncated>true</IsTruncated>{}<CommonPrefixes><Prefix>a/</Prefix>\
             </CommonPrefixes></ListBucketResult>",
            contents("a%20b%3C%01", owner)
        ),
    );
    let token = Continuation::new("a").token();
    let raw = format!("delimiter=/&start-after=b&continuation-token={token}");
    let input = ListObjectsV2::of(&query(&raw)).unwrap();
    check(
        &list_objects_v2_result(&bucket(), &input, &page, &names),
        &format!(
            "<ListBucketResult><Name>the-bucket</Name><Prefix></Prefix>\
             <StartAfter>b</StartAfter><ContinuationToken>{token}</ContinuationToken>\
             <NextContinuationToken>{}</NextContinuationToken><KeyCount>2</KeyCount>\
             <MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>{}\
             <CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>",
            Continuation::new("a/").token(),
            contents("a b&lt;\u{fffd}", "")
        ),
    );
}

#[test]
fn uploads_and_parts_are_listed() {
    let account = "<Initiator><ID>bob</ID></Initiator><Owner><ID>alice</ID>\
                   <DisplayName>Alice &amp; Co</DisplayName></Owner>";
    let id = UploadId(7);
    let page = Page {
        entries: vec![Entry::Prefix("a/".into()), Entry::Item(upload("k"))],
        truncated: true,
    };
    let raw = format!("key-marker=j&upload-id-marker={id}&delimiter=/&max-uploads=2");
    let input = ListUploads::of(&Query::parse(&raw).unwrap()).unwrap();
    check(
        &list_multipart_uploads_result(&bucket(), &input, &page, &names),
        &format!(
            "<ListMultipartUploadsResult><Bucket>the-bucket</Bucket><KeyMarker>j</KeyMarker>\
             <UploadIdMarker>{id}</UploadIdMarker><NextKeyMarker>k</NextKeyMarker>\
             <NextUploadIdMarker>{id}</NextUploadIdMarker><Prefix></Prefix>\
             <Delimiter>/</Delimiter><MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>\
             <Upload><Key>k</Key><UploadId>{id}</UploadId>{account}\
             <StorageClass>STANDARD</StorageClass>\
             <Initiated>2013-05-24T00:00:00.042Z</Initiated>\
             <ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>\
             </Upload><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>\
             </ListMultipartUploadsResult>"
        ),
    );
    let page = Page {
        entries: vec![part()],
        truncated: false,
    };
    let raw = format!("uploadId={id}&part-number-marker=2");
    let input = ListParts::of(&Query::parse(&raw).unwrap()).unwrap();
    check(
        &list_parts_result(&bucket(), &upload("k"), &input, &page, &names),
        &format!(
            "<ListPartsResult><Bucket>the-bucket</Bucket><Key>k</Key><UploadId>{id}</UploadId>\
             {account}<StorageClass>STANDARD</StorageClass>\
             <PartNumberMarker>2</PartNumberMarker>\
             <NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>1000</MaxParts>\
             <ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>\
             <IsTruncated>false</IsTruncated><Part><PartNumber>3</PartNumber>\
             <LastModified>2013-05-24T00:00:00.042Z</LastModified><ETag>&quot;e&quot;</ETag>\
             <Size>5</Size><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part></ListPartsResult>"
        ),
    );
}

#[test]
fn small_answers_are_complete() {
    let id = UploadId(7);
    check(
        &initiate_multipart_upload_result(&bucket(), &upload("k&")),
        &format!(
            "<InitiateMultipartUploadResult><Bucket>the-bucket</Bucket><Key>k&amp;</Key>\
             <UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ),
    );
    let summed = object(
        "k",
        &[
            ("x-amz-checksum-crc32", "y/Q5Jg==-2"),
            ("x-amz-checksum-type", "COMPOSITE"),
        ],
    );
    check(
        &complete_multipart_upload_result("http://h/the-bucket/k", &bucket(), &summed),
        "<CompleteMultipartUploadResult><Location>http://h/the-bucket/k</Location>\
         <Bucket>the-bucket</Bucket><Key>k</Key><ETag>&quot;e&quot;</ETag>\
         <ChecksumCRC32>y/Q5Jg==-2</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>\
         </CompleteMultipartUploadResult>",
    );
    check(
        &copy_object_result(&object("k", &[])),
        "<CopyObjectResult><LastModified>2013-05-24T00:00:00.042Z</LastModified>\
         <ETag>&quot;e&quot;</ETag></CopyObjectResult>",
    );
    check(
        &copy_part_result(&part()),
        "<CopyPartResult><LastModified>2013-05-24T00:00:00.042Z</LastModified>\
         <ETag>&quot;e&quot;</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></CopyPartResult>",
    );
    check(
        &location_constraint(""),
        "<LocationConstraint></LocationConstraint>",
    );
    check(
        &location_constraint("eu"),
        "<LocationConstraint>eu</LocationConstraint>",
    );
}

#[test]
fn a_quiet_delete_hears_of_failures_alone() {
    let target = |key: &str, version| DeleteTarget {
        key: ObjectKey::parse(key).unwrap(),
        version,
        precondition: Precondition::None,
    };
    let deleted = |version, marker| Ok(Deleted { version, marker });
    let outcomes = [
        DeleteOutcome {
            target: target("a", TargetVersion::Current),
            result: deleted(None, false),
        },
        DeleteOutcome {
            target: target("b", TargetVersion::Named(VersionId::Null)),
            result: deleted(Some(VersionId::Null), false),
        },
        DeleteOutcome {
            target: target("c", TargetVersion::Current),
            result: deleted(Some(VersionId::Id(1)), true),
        },
        DeleteOutcome {
            target: target("d", TargetVersion::Unknown("x<".into())),
            result: Err(Code::AccessDenied.into()),
        },
    ];
    let error = "<Error><Key>d</Key><VersionId>x&lt;</VersionId><Code>AccessDenied</Code>\
                 <Message>Access Denied</Message></Error>";
    check(
        &delete_result(&outcomes, false),
        &format!(
            "<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key>\
             <VersionId>null</VersionId></Deleted><Deleted><Key>c</Key>\
             <DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{}</DeleteMarkerVersionId>\
             </Deleted>{error}</DeleteResult>",
            VersionId::Id(1)
        ),
    );
    check(
        &delete_result(&outcomes, true),
        &format!("<DeleteResult>{error}</DeleteResult>"),
    );
}

#[test]
fn versions_are_listed_with_delete_markers_among_them() {
    let deleted = Marker {
        key: ObjectKey::parse("a\u{1}").unwrap(),
        version: VersionId::Id(1),
        owner: "alice".into(),
        modified: TIME,
    };
    let entry = |latest, version| Entry::Item(VersionEntry { latest, version });
    let mut page = Page {
        entries: vec![
            entry(true, Listed::Marker(deleted)),
            entry(
                false,
                Listed::Object(object("a\u{1}", &[("x-amz-checksum-crc32", "y/Q5Jg==")])),
            ),
        ],
        truncated: true,
    };
    let id = VersionId::Id(1).to_string();
    let owner = "<Owner><ID>alice</ID><DisplayName>Alice &amp; Co</DisplayName></Owner>";
    let entries = |key: &str| {
        format!(
            "<DeleteMarker><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>true</IsLatest>\
             <LastModified>2013-05-24T00:00:00.042Z</LastModified>{owner}</DeleteMarker>\
             <Version><Key>{key}</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>\
             <LastModified>2013-05-24T00:00:00.042Z</LastModified><ETag>&quot;e&quot;</ETag>\
             <ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>5</Size>{owner}\
             <StorageClass>STANDARD</StorageClass></Version>"
        )
    };
    let list = |raw: &str| ListVersions::of(&Query::parse(raw).unwrap()).unwrap();
    check(
        &list_versions_result(&bucket(), &list("max-keys=2"), &page, &names),
        &format!(
            "<ListVersionsResult><Name>the-bucket</Name><Prefix></Prefix><KeyMarker></KeyMarker>\
             <VersionIdMarker></VersionIdMarker><NextKeyMarker>a\u{fffd}</NextKeyMarker>\
             <NextVersionIdMarker>null</NextVersionIdMarker><MaxKeys>2</MaxKeys>\
             <IsTruncated>true</IsTruncated>{}</ListVersionsResult>",
            entries("a\u{fffd}")
        ),
    );
    // After a rolled-up prefix there is no version to continue after.
    page.entries.push(Entry::Prefix("b/".into()));
    let raw = format!(
        "prefix=%01&delimiter=/&key-marker=a%01&version-id-marker={id}&max-keys=3&encoding-type=url"
    );
    check(
        &list_versions_result(&bucket(), &list(&raw), &page, &names),
        &format!(
            "<ListVersionsResult><Name>the-bucket</Name><Prefix>%01</Prefix>\
             <KeyMarker>a%01</KeyMarker><VersionIdMarker>{id}</VersionIdMarker>\
             <NextKeyMarker>b/</NextKeyMarker><MaxKeys>3</MaxKeys><Delimiter>/</Delimiter>\
             <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>{}\
             <CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListVersionsResult>",
            entries("a%01")
        ),
    );
}

#[test]
fn a_bucket_says_whether_it_keeps_versions() {
    for (versioning, inside) in [
        (Versioning::Never, ""),
        (Versioning::Enabled, "<Status>Enabled</Status>"),
        (Versioning::Suspended, "<Status>Suspended</Status>"),
    ] {
        let expected = format!("<VersioningConfiguration>{inside}</VersioningConfiguration>");
        check(&versioning_configuration(versioning), &expected);
    }
}

#[test]
fn the_attributes_of_an_object_are_those_that_are_wanted() {
    let part = |number| Part {
        number: PartNumber::new(number).unwrap(),
        size: 5,
        metadata: metadata(&[("x-amz-checksum-sha1", "cGFydA==")]),
    };
    let mut whole = (*object(
        "k",
        &[
            ("x-amz-checksum-sha1", "d2hvbGU=-2"),
            ("x-amz-checksum-type", "COMPOSITE"),
        ],
    ))
    .clone();
    whole.parts = vec![part(1), part(2)];
    let all = Attributes {
        etag: true,
        checksum: true,
        parts: true,
        storage_class: true,
        size: true,
        max_parts: 1,
        part_number_marker: 0,
    };
    let answer = |inside: &str| {
        format!("<GetObjectAttributesResponse>{inside}</GetObjectAttributesResponse>")
    };
    check(
        &get_object_attributes_response(&all, &whole),
        &answer(
            "<ETag>e</ETag><Checksum><ChecksumSHA1>d2hvbGU=</ChecksumSHA1>\
             <ChecksumType>COMPOSITE</ChecksumType></Checksum><ObjectParts>\
             <PartsCount>2</PartsCount><PartNumberMarker>0</PartNumberMarker>\
             <NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts>\
             <IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber><Size>5</Size>\
             <ChecksumSHA1>cGFydA==</ChecksumSHA1></Part></ObjectParts>\
             <StorageClass>STANDARD</StorageClass><ObjectSize>5</ObjectSize>",
        ),
    );
    // What there is not is left out.
    let plain = object("k", &[]);
    check(
        &get_object_attributes_response(&all, &plain),
        &answer("<ETag>e</ETag><StorageClass>STANDARD</StorageClass><ObjectSize>5</ObjectSize>"),
    );
    let none = Attributes::default();
    check(&get_object_attributes_response(&none, &whole), &answer(""));
}

proptest! {
    #[test]
    fn an_answer_is_well_formed_whatever_the_text_in_it(text in any::<String>()) {
        let answer = location_constraint(&text);
        let legal = |character: char| {
            matches!(character, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..)
        };
        prop_assert!(answer.chars().all(legal));
        let mut parser = Parser::open(answer.as_bytes(), "LocationConstraint", 1 << 20).unwrap();
        let expected: String = text
            .chars()
            .map(|character| match character {
                '\r' => '\r',
                character if legal(character) => character,
                _ => '\u{fffd}',
            })
            .collect();
        prop_assert_eq!(parser.text().unwrap(), expected);
        prop_assert!(parser.close().is_ok());
    }
}
