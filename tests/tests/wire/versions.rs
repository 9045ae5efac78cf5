//! Versioning: its configuration, the versions that writes and deletes make, and
//! ListObjectVersions.

use std::sync::Arc;

use sluice_tests::{OTHER, ROOT, Reply, Request, Server, encode};

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const ABSENT: &str = "000000000000000000000000000000ff";
const MIB: usize = 1024 * 1024;

/// A bucket of which the versions are looked at.
struct Versions {
    server: Arc<Server>,
    bucket: &'static str,
}

impl Versions {
    fn of(bucket: &'static str) -> Self {
        let server = Server::shared();
        server.bucket(bucket);
        Self { server, bucket }
    }

    fn enabled(bucket: &'static str) -> Self {
        let versions = Self::of(bucket);
        versions.become_("Enabled");
        versions
    }

    fn become_(&self, status: &str) {
        self.configure(&format!("<Status>{status}</Status>"))
            .expect(200);
    }

    fn configure(&self, inside: &str) -> Reply {
        let body =
            format!("<VersioningConfiguration {NAMESPACE}>{inside}</VersioningConfiguration>");
        self.send(Request::put(&self.path("?versioning"), body).with_md5())
    }

    fn path(&self, rest: &str) -> String {
        format!("/{}{rest}", self.bucket)
    }

    #[track_caller]
    fn send(&self, request: Request) -> Reply {
        self.server.send(&request.signed(&ROOT))
    }

    #[track_caller]
    fn get(&self, rest: &str) -> Reply {
        self.send(Request::get(&self.path(rest)))
    }

    /// Stores an object, and says which version it is. Of the null version nothing
    /// is told to who writes it.
    #[track_caller]
    fn put(&self, key: &str, body: &str) -> String {
        let stored = self.send(Request::put(&self.path(&format!("/{key}")), body));
        let version = stored
            .expect(200)
            .header("x-amz-version-id")
            .map(str::to_owned);
        assert_ne!(version.as_deref(), Some("null"));
        version.unwrap_or_else(|| "null".to_owned())
    }

    /// Deletes without a version, and says which marker that made.
    #[track_caller]
    fn delete(&self, key: &str) -> String {
        let deleted = self.send(Request::delete(&self.path(&format!("/{key}"))));
        version(
            &deleted
                .expect(204)
                .expect_header("x-amz-delete-marker", "true"),
        )
    }

    /// All that is listed, as `key version`, with `+` for an object, `-` for a
    /// marker, and `*` for the latest.
    #[track_caller]
    fn listed(&self, query: &str) -> Vec<String> {
        entries(&self.get(&format!("?versions{query}")).expect(200))
    }
}

#[track_caller]
fn version(reply: &Reply) -> String {
    let version = reply.header("x-amz-version-id");
    version.unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

fn entries(reply: &Reply) -> Vec<String> {
    let inside = |entry: &str, name: &str| {
        let (_, rest) = entry.split_once(&format!("<{name}>")).expect("an element");
        rest.split_once('<').expect("its end").0.to_owned()
    };
    let mut found = Vec::new();
    // In the order of the document, whatever they are.
    for (at, _) in reply.text().match_indices("<Key>") {
        let (before, entry) = reply.text().split_at(at);
        let sign = match before.ends_with("<DeleteMarker>") {
            true => '-',
            false => '+',
        };
        let latest = match &*inside(entry, "IsLatest") {
            "true" => "*",
            _ => "",
        };
        let (key, version) = (inside(entry, "Key"), inside(entry, "VersionId"));
        found.push(format!("{sign}{key} {version}{latest}"));
    }
    found
}

#[test]
fn versioning_is_configured_and_never_off_again() {
    let versions = Versions::of("versioning");
    let told = |inside: &str| {
        versions.get("?versioning").expect(200).expect_xml(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <VersioningConfiguration {NAMESPACE}>{inside}</VersioningConfiguration>"
        ));
    };
    told("");
    for (inside, status, code) in [
        ("", 400, "IllegalVersioningConfigurationException"),
        (
            "<MfaDelete>Disabled</MfaDelete>",
            400,
            "IllegalVersioningConfigurationException",
        ),
        ("<Status>enabled</Status>", 400, "MalformedXML"),
        ("<Status></Status>", 400, "MalformedXML"),
        ("<Status>Never</Status>", 400, "MalformedXML"),
        ("<Colour>Enabled</Colour>", 400, "MalformedXML"),
        (
            "<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>",
            501,
            "NotImplemented",
        ),
    ] {
        versions.configure(inside).refused(status, code);
    }
    let target = "/versioning?versioning";
    let bare = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    versions
        .send(Request::put(target, bare))
        .refused(400, "InvalidRequest");
    let wrong = Request::put(target, bare).header("content-md5", &sluice_tests::md5("other"));
    versions.send(wrong).refused(400, "BadDigest");
    versions
        .send(Request::put(target, "").with_md5())
        .refused(400, "MissingRequestBodyError");
    versions
        .send(Request::put(target, "x").with_md5())
        .refused(400, "MalformedXML");
    told("");

    let sum = sluice_tests::crc32(bare);
    versions
        .send(Request::put(target, bare).header("x-amz-checksum-crc32", &sum))
        .expect(200);
    told("<Status>Enabled</Status>");
    versions.become_("Suspended");
    told("<Status>Suspended</Status>");
    versions.become_("Enabled");
    told("<Status>Enabled</Status>");

    for request in [
        Request::get(target),
        Request::put(target, bare).with_md5(),
        Request::get("/versioning?versions"),
    ] {
        versions
            .server
            .send(&request.clone().signed(&OTHER))
            .refused(403, "AccessDenied");
        versions.server.send(&request).refused(403, "AccessDenied");
    }
    for missing in ["/versioning-not?versioning", "/versioning-not?versions"] {
        versions
            .send(Request::get(missing))
            .refused(404, "NoSuchBucket");
    }
}

#[test]
fn every_write_is_a_version_and_a_delete_hides_them() {
    let versions = Versions::of("versions");
    let plain = versions
        .send(Request::put("/versions/key", "null"))
        .expect(200);
    assert_eq!(plain.header("x-amz-version-id"), None, "{plain:?}");
    versions.become_("Enabled");
    let first = versions.put("key", "first");
    let second = versions.put("key", "second");
    assert_ne!(first, second);
    let reads = |rest: &str, body: &str, version: &str| {
        for method in ["GET", "HEAD"] {
            let request = Request::new(method, &versions.path(&format!("/key{rest}")));
            let got = versions
                .send(request)
                .expect(200)
                .expect_header("x-amz-version-id", version)
                .expect_header("content-length", &body.len().to_string());
            assert_eq!(got.header("x-amz-delete-marker"), None);
            if method == "GET" {
                assert_eq!(got.text(), body);
            }
        }
    };
    reads("", "second", &second);
    reads(&format!("?versionId={first}"), "first", &first);
    reads("?versionId=null", "null", "null");

    let marker = versions.delete("key");
    versions
        .get("/key")
        .refused(404, "NoSuchKey")
        .expect_header("x-amz-delete-marker", "true")
        .expect_header("x-amz-version-id", &marker)
        .expect_element("Key", "key");
    versions
        .send(Request::head("/versions/key"))
        .expect(404)
        .expect_header("x-amz-delete-marker", "true");
    let named = versions
        .get(&format!("/key?versionId={marker}"))
        .refused(405, "MethodNotAllowed")
        .expect_header("x-amz-delete-marker", "true")
        .expect_header("x-amz-version-id", &marker)
        .expect_header("allow", "DELETE");
    assert!(named.header("last-modified").is_some(), "{named:?}");
    versions
        .send(Request::head(&format!("/versions/key?versionId={marker}")))
        .expect(405);
    let attributes = Request::get(&format!("/versions/key?attributes&versionId={marker}"));
    versions
        .send(attributes.header("x-amz-object-attributes", "ETag"))
        .refused(405, "MethodNotAllowed");
    reads(&format!("?versionId={second}"), "second", &second);

    // One after the other goes for good, and the next newest is current.
    let remove = |version: &str| {
        let target = format!("/versions/key?versionId={version}");
        let removed = versions.send(Request::delete(&target)).expect(204);
        removed.expect_header("x-amz-version-id", version)
    };
    remove(&marker).expect_header("x-amz-delete-marker", "true");
    reads("", "second", &second);
    let removed = remove(&second);
    assert_eq!(removed.header("x-amz-delete-marker"), None, "{removed:?}");
    reads("", "first", &first);
    remove(&first);
    reads("", "null", "null");
    remove("null");
    let gone = versions.get("/key").refused(404, "NoSuchKey");
    assert_eq!(gone.header("x-amz-delete-marker"), None, "{gone:?}");

    versions
        .get(&format!("/key?versionId={ABSENT}"))
        .refused(404, "NoSuchVersion")
        .expect_element("VersionId", ABSENT)
        .expect_element("Key", "key");
    for malformed in ["x", "", "NULL", "00"] {
        for method in ["GET", "DELETE"] {
            let target = format!("/versions/key?versionId={malformed}");
            versions
                .send(Request::new(method, &target))
                .refused(400, "InvalidArgument")
                .expect_element("ArgumentName", "versionId");
        }
    }
    let target = format!("/versions/key?versionId={ABSENT}");
    versions.send(Request::delete(&target)).expect(204);
    let put = Request::put("/versions/key?versionId=null", "x");
    versions.send(put).refused(400, "InvalidArgument");
}

#[test]
fn a_suspended_bucket_replaces_the_null_version_alone() {
    let versions = Versions::enabled("versions-suspended");
    let kept = versions.put("key", "kept");
    versions.become_("Suspended");
    assert_eq!(versions.put("key", "one"), "null");
    assert_eq!(versions.put("key", "two"), "null");
    assert_eq!(
        versions.listed(""),
        ["+key null*".to_owned(), format!("+key {kept}")]
    );
    assert_eq!(versions.get("/key").text(), "two");
    assert_eq!(versions.delete("key"), "null");
    assert_eq!(
        versions.listed(""),
        ["-key null*".to_owned(), format!("+key {kept}")]
    );
    versions.get("/key").refused(404, "NoSuchKey");
    versions
        .get("/key?versionId=null")
        .refused(405, "MethodNotAllowed");
    assert_eq!(versions.put("key", "three"), "null");
    versions.become_("Enabled");
    let newest = versions.put("key", "four");
    assert_eq!(
        versions.listed(""),
        [
            format!("+key {newest}*"),
            "+key null".to_owned(),
            format!("+key {kept}")
        ]
    );
}

#[test]
fn who_reads_the_null_version_is_told_so_and_who_writes_it_is_not() {
    let versions = Versions::enabled("versions-null");
    versions.put("source", "copied");
    versions.become_("Suspended");
    let path = versions.path("/key");
    let begun = versions.send(Request::post(&format!("{path}?uploads"), ""));
    let upload = begun.element("UploadId").expect("an id").to_owned();
    let target = format!("{path}?uploadId={upload}");
    let part = versions.send(Request::put(&format!("{target}&partNumber=1"), "x"));
    let etag = part.header("etag").expect("an etag");
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let source = versions.path("/source");
    for write in [
        Request::put(&path, "x"),
        Request::put(&path, "").header("x-amz-copy-source", &source),
        Request::post(&target, list),
    ] {
        let method = write.method.clone();
        let written = versions.send(write).expect(200);
        assert_eq!(written.header("x-amz-version-id"), None, "{method}");
        for read in ["/key", "/key?versionId=null", "/key?tagging"] {
            assert_eq!(version(&versions.get(read)), "null", "{read}");
        }
    }
    let deleted = versions.send(Request::delete(&format!("{path}?versionId=null")));
    assert_eq!(version(&deleted.expect(204)), "null");
}

#[test]
fn versions_are_listed_newest_first() {
    let versions = Versions::enabled("versions-listed");
    let mut expected = Vec::new();
    for key in ["b/2", "a", "b/1", "c%01d", "ü"] {
        let old = versions.put(&encode(key).replace("%2501", "%01"), "1");
        let key = match key {
            "c%01d" => "c\u{fffd}d",
            key => key,
        };
        expected.push((key.to_owned(), vec![format!("+{key} {old}*")]));
    }
    let newer = versions.put("a", "22");
    let marker = versions.delete("a");
    expected[1].1 = vec![
        format!("-a {marker}*"),
        format!("+a {newer}"),
        expected[1].1[0].replace('*', ""),
    ];
    expected.sort();
    let all: Vec<String> = expected
        .into_iter()
        .flat_map(|(_, entries)| entries)
        .collect();
    assert_eq!(versions.listed(""), all);

    let whole = versions.get("?versions").expect(200);
    assert_eq!(whole.elements("Owner").len(), all.len(), "{whole:?}");
    assert_eq!(
        whole.element("Owner"),
        Some("<ID>root</ID><DisplayName>Root</DisplayName>")
    );
    let whole = whole
        .expect_element("Name", "versions-listed")
        .expect_element("MaxKeys", "1000")
        .expect_element("IsTruncated", "false")
        .expect_element("StorageClass", "STANDARD");
    assert_eq!(whole.element("NextKeyMarker"), None, "{whole:?}");

    // Pages of any length, put together, are the whole.
    for length in 1..=3 {
        for delimiter in ["", "&delimiter=/"] {
            let (mut seen, mut marker) = (Vec::new(), String::new());
            let mut prefixes = 0;
            loop {
                let query = format!("?versions&max-keys={length}{delimiter}{marker}");
                let page = versions.get(&query).expect(200);
                let entries = entries(&page);
                prefixes += page.elements("CommonPrefixes").len();
                assert!(entries.len() <= length, "{page:?}");
                seen.extend(entries);
                if page.element("IsTruncated") == Some("false") {
                    break;
                }
                let key = page.element("NextKeyMarker").expect("where it ends");
                let key = key.replace('\u{fffd}', "\u{1}");
                marker = format!("&key-marker={}", encode(&key));
                if let Some(version) = page.element("NextVersionIdMarker") {
                    marker += &format!("&version-id-marker={version}");
                }
                assert!(seen.len() <= all.len(), "pages do not end");
            }
            let rolled_up = |entry: &&String| delimiter.is_empty() || !entry.contains("b/");
            let expected: Vec<_> = all.iter().filter(rolled_up).cloned().collect();
            assert_eq!(seen, expected, "{length} {delimiter}");
            assert_eq!(prefixes, usize::from(!delimiter.is_empty()));
        }
    }

    let folded = versions.get("?versions&delimiter=/").expect(200);
    assert_eq!(folded.elements("CommonPrefixes"), ["<Prefix>b/</Prefix>"]);
    assert_eq!(versions.listed("&prefix=b/").len(), 2);
    assert_eq!(versions.listed("&key-marker=a").len(), 4);
    let within = format!("&key-marker=a&version-id-marker={newer}");
    assert_eq!(versions.listed(&within).len(), 5);
    let encoded = versions
        .get("?versions&encoding-type=url&prefix=c")
        .expect(200);
    assert_eq!(encoded.elements("Key"), ["c%01d"], "{encoded:?}");
    encoded.expect_element("EncodingType", "url");
    let none = versions.get("?versions&max-keys=0").expect(200);
    assert!(entries(&none).is_empty(), "{none:?}");
    none.expect_element("IsTruncated", "false");
    versions
        .get("?versions&max-keys=2000")
        .expect_element("MaxKeys", "1000");
    for (query, argument) in [
        ("max-keys=-1", "max-keys"),
        ("max-keys=x", "max-keys"),
        ("encoding-type=base64", "encoding-type"),
        ("version-id-marker=null", "version-id-marker"),
        ("key-marker=a&version-id-marker=x", "version-id-marker"),
    ] {
        versions
            .get(&format!("?versions&{query}"))
            .refused(400, "InvalidArgument")
            .expect_element("ArgumentName", argument);
    }
    // The plain listing knows the current ones that are not deleted.
    let plain = versions.get("?encoding-type=url").expect(200);
    assert_eq!(plain.elements("Key"), ["b/1", "b/2", "c%01d", "%C3%BC"]);
}

#[test]
fn a_bucket_that_never_had_versioning_lists_null_versions() {
    let versions = Versions::of("versions-never");
    for key in ["b", "a"] {
        versions
            .server
            .object(&versions.path(&format!("/{key}")), key);
    }
    assert_eq!(versions.listed(""), ["+a null*", "+b null*"]);
    assert_eq!(
        versions.listed("&key-marker=a&version-id-marker=null"),
        ["+b null*"]
    );
    versions.get("/a?versionId=null").expect(200);
    let deleted = versions.send(Request::delete("/versions-never/a?versionId=null"));
    let deleted = deleted.expect(204);
    assert_eq!(deleted.header("x-amz-version-id"), None, "{deleted:?}");
    let deleted = versions
        .send(Request::delete("/versions-never/b"))
        .expect(204);
    assert_eq!(deleted.header("x-amz-delete-marker"), None, "{deleted:?}");
    assert!(versions.listed("").is_empty());
}

#[test]
fn many_versions_are_deleted_at_once() {
    let versions = Versions::enabled("versions-many");
    let old = versions.put("key", "old");
    let new = versions.put("key", "new");
    let marker = versions.delete("gone");
    let delete = |objects: &str| {
        let body = format!("<Delete>{objects}</Delete>");
        versions
            .send(Request::post("/versions-many?delete", body).with_md5())
            .expect(200)
    };
    let object = |key: &str, version: &str| {
        format!("<Object><Key>{key}</Key><VersionId>{version}</VersionId></Object>")
    };
    let body = [
        object("key", &old),
        object("gone", &marker),
        object("key", "x"),
        object("key", ABSENT),
        "<Object><Key>key</Key></Object>".to_owned(),
    ];
    let reply = delete(&body.concat());
    let made = reply
        .elements("DeleteMarkerVersionId")
        .last()
        .map(|made| (*made).to_owned())
        .expect("a marker was made");
    reply.expect_xml(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult {NAMESPACE}>\
         <Deleted><Key>key</Key><VersionId>{old}</VersionId></Deleted>\
         <Deleted><Key>gone</Key><VersionId>{marker}</VersionId><DeleteMarker>true</DeleteMarker>\
         <DeleteMarkerVersionId>{marker}</DeleteMarkerVersionId></Deleted>\
         <Error><Key>key</Key><VersionId>x</VersionId><Code>NoSuchVersion</Code>\
         <Message>The specified version does not exist.</Message></Error>\
         <Deleted><Key>key</Key><VersionId>{ABSENT}</VersionId></Deleted>\
         <Deleted><Key>key</Key><DeleteMarker>true</DeleteMarker>\
         <DeleteMarkerVersionId>{made}</DeleteMarkerVersionId></Deleted></DeleteResult>"
    ));
    assert_eq!(
        versions.listed(""),
        [format!("-key {made}*"), format!("+key {new}")]
    );
}

#[test]
fn a_version_is_copied_and_restored() {
    let versions = Versions::enabled("versions-copied");
    let first = versions.put("key", "first");
    let second = versions.put("key", "second");
    let copy = |target: &str, source: &str| {
        let copy = Request::put(&versions.path(target), "");
        versions.send(copy.header("x-amz-copy-source", source))
    };
    let source = format!("/versions-copied/key?versionId={first}");
    let copied = copy("/copy", &source)
        .expect(200)
        .expect_header("x-amz-copy-source-version-id", &first);
    versions
        .get("/copy")
        .expect_header("x-amz-version-id", &version(&copied));
    assert_eq!(versions.get("/copy").text(), "first");
    copy("/copy", "/versions-copied/key")
        .expect(200)
        .expect_header("x-amz-copy-source-version-id", &second);
    copy("/key", "/versions-copied/key").refused(400, "InvalidRequest");
    let restored = version(&copy("/key", &source).expect(200));
    assert_eq!(versions.get("/key").text(), "first");
    assert_eq!(
        versions.listed("&prefix=key"),
        [
            format!("+key {restored}*"),
            format!("+key {second}"),
            format!("+key {first}")
        ]
    );

    let marker = versions.delete("key");
    copy("/copy", "/versions-copied/key")
        .refused(404, "NoSuchKey")
        .expect_element("Key", "key");
    let named = format!("/versions-copied/key?versionId={marker}");
    copy("/copy", &named).refused(400, "InvalidRequest");
    let absent = format!("/versions-copied/key?versionId={ABSENT}");
    copy("/copy", &absent)
        .refused(404, "NoSuchVersion")
        .expect_element("VersionId", ABSENT);
    // What was deleted comes back as well.
    copy("/key", &source).expect(200);
    assert_eq!(versions.get("/key").text(), "first");
}

#[test]
fn an_upload_in_parts_is_a_version() {
    let versions = Versions::enabled("versions-parts");
    let old = versions.put("key", "old");
    let begun = versions
        .send(Request::post("/versions-parts/key?uploads", ""))
        .expect(200);
    let id = begun.element("UploadId").expect("an id").to_owned();
    let part = |number: u32, headers: &[(&str, &str)], body: &[u8]| {
        let target = format!("/versions-parts/key?uploadId={id}&partNumber={number}");
        let request = Request::put(&target, body);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        versions.send(request).expect(200)
    };
    let first = part(1, &[], &vec![1; 5 * MIB]);
    let source = format!("/versions-parts/key?versionId={old}");
    let second = part(2, &[("x-amz-copy-source", &source)], b"")
        .expect_header("x-amz-copy-source-version-id", &old);
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
         <Part><PartNumber>2</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        first.header("etag").expect("an etag"),
        second.element("ETag").expect("an etag"),
    );
    let complete = || {
        let target = format!("/versions-parts/key?uploadId={id}");
        versions.send(Request::post(&target, &list))
    };
    let made = version(&complete().expect(200));
    let read = versions
        .get("/key")
        .expect_header("x-amz-version-id", &made);
    assert_eq!(read.body.len(), 5 * MIB + 3);

    // Asked again, it is the version that was made, whatever came after it.
    let newer = versions.put("key", "newer");
    assert_eq!(version(&complete().expect(200)), made);
    let marker = versions.delete("key");
    assert_eq!(version(&complete().expect(200)), made);
    assert_eq!(
        versions.listed(""),
        [
            format!("-key {marker}*"),
            format!("+key {newer}"),
            format!("+key {made}"),
            format!("+key {old}")
        ]
    );
    let target = format!("/versions-parts/key?versionId={made}");
    versions.send(Request::delete(&target)).expect(204);
    complete().refused(404, "NoSuchUpload");
}

#[test]
fn a_bucket_with_a_version_or_a_marker_is_not_empty() {
    let versions = Versions::enabled("versions-kept");
    let old = versions.put("key", "x");
    let marker = versions.delete("key");
    for version in [old, marker] {
        versions
            .send(Request::delete("/versions-kept"))
            .refused(409, "BucketNotEmpty");
        let target = format!("/versions-kept/key?versionId={version}");
        versions.send(Request::delete(&target)).expect(204);
    }
    versions.send(Request::delete("/versions-kept")).expect(204);
}

#[test]
fn a_condition_is_held_against_the_current_version() {
    let versions = Versions::enabled("versions-conditions");
    let etag = |key: &str| {
        let head = versions
            .send(Request::head(&versions.path(key)))
            .expect(200);
        head.header("etag").expect("an etag").to_owned()
    };
    let put = |name: &str, value: &str| {
        versions.send(Request::put("/versions-conditions/key", "x").header(name, value))
    };
    put("if-match", "\"x\"").refused(404, "NoSuchKey");
    put("if-none-match", "*").expect(200);
    put("if-none-match", "*")
        .refused(412, "PreconditionFailed")
        .expect_element("Condition", "If-None-Match");
    let current = etag("/key");
    versions.put("key", "other");
    put("if-match", &current)
        .refused(412, "PreconditionFailed")
        .expect_element("Condition", "If-Match");
    put("if-match", &etag("/key")).expect(200);

    let delete = |name: &str, value: &str| {
        versions.send(Request::delete("/versions-conditions/key").header(name, value))
    };
    delete("if-match", "\"other\"").refused(412, "PreconditionFailed");
    delete("if-match", &etag("/key")).expect(204);
    // What a marker hides is not there.
    put("if-match", &current).refused(404, "NoSuchKey");
    delete("if-match", &current).refused(404, "NoSuchKey");
    put("if-none-match", "*").expect(200);
    delete("if-none-match", "*").refused(501, "NotImplemented");
}
