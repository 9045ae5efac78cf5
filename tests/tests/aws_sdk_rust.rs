//! The AWS SDK for Rust with its default settings: CRC32 in a trailer for what
//! it streams, in a header for the rest.

use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload,
    CompletedPart, CorsConfiguration, CorsRule, Delete, MetadataDirective, ObjectAttributes,
    ObjectCannedAcl, ObjectIdentifier, Payer, Permission, RequestCharged, RequestPayer,
    RequestPaymentConfiguration, Tag, Tagging, VersioningConfiguration,
};
use aws_sdk_s3::{Client, Config};
use sluice_tests::{Key, OTHER, ROOT, Request, Server, checksum, encode};

const MIB: usize = 1024 * 1024;

/// One bucket, and what is done to it over and over.
struct Bucket {
    client: Client,
    name: &'static str,
}

fn client(server: &Server) -> Client {
    client_of(server, &ROOT)
}

fn client_of(server: &Server, key: &Key) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(key.region))
        .credentials_provider(Credentials::new(
            key.access, key.secret, None, None, "tests",
        ))
        .endpoint_url(format!("http://{}", server.address))
        // An address has no names below it.
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn blob(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len.div_ceil(8))
        .flat_map(|_| next())
        .take(len)
        .collect()
}

impl Bucket {
    async fn create(server: &Server, name: &'static str) -> Self {
        let client = client(server);
        client
            .create_bucket()
            .bucket(name)
            .send()
            .await
            .expect("a bucket");
        Self { client, name }
    }

    async fn put(&self, key: &str, body: impl Into<ByteStream>) {
        self.client
            .put_object()
            .bucket(self.name)
            .key(key)
            .body(body.into())
            .send()
            .await
            .unwrap_or_else(|error| {
                panic!("{key}: {error:?}");
            });
    }

    async fn get(&self, key: &str) -> Vec<u8> {
        self.range(key, None).await
    }

    async fn range(&self, key: &str, range: Option<&str>) -> Vec<u8> {
        let request = self
            .client
            .get_object()
            .bucket(self.name)
            .key(key)
            .set_range(range.map(str::to_owned));
        let got = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{key}: {error:?}"));
        got.body
            .collect()
            .await
            .unwrap_or_else(|error| panic!("{key}: {error:?}"))
            .to_vec()
    }

    async fn keys(&self, page_len: i32) -> Vec<String> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(self.name)
            .max_keys(page_len)
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("a page");
            keys.extend(
                page.contents()
                    .iter()
                    .filter_map(|found| found.key().map(str::to_owned)),
            );
        }
        keys
    }

    async fn delete(&self, keys: &[String]) {
        for keys in keys.chunks(1000) {
            let named = |key: &String| ObjectIdentifier::builder().key(key).build().expect("a key");
            let delete = Delete::builder()
                .set_objects(Some(keys.iter().map(named).collect()))
                .build()
                .expect("keys");
            let answer = self
                .client
                .delete_objects()
                .bucket(self.name)
                .delete(delete)
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.errors(), []);
            assert_eq!(answer.deleted().len(), keys.len());
        }
    }

    async fn remove(&self) {
        self.delete(&self.keys(1000).await).await;
        self.client
            .delete_bucket()
            .bucket(self.name)
            .send()
            .await
            .expect("an empty bucket is deleted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_go_in_and_come_out() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust").await;
    let (client, name) = (&bucket.client, bucket.name);
    let data = blob(100_000);

    let put = client
        .put_object()
        .bucket(name)
        .key("plain")
        .body(ByteStream::from(data.clone()));
    let put = put
        .content_type("text/plain")
        .cache_control("max-age=60")
        .metadata("colour", "blue")
        .send()
        .await
        .expect("put");
    let head = client
        .head_object()
        .bucket(name)
        .key("plain")
        .send()
        .await
        .expect("head");
    assert_eq!(head.e_tag(), put.e_tag());
    assert_eq!(head.content_length(), Some(100_000));
    assert_eq!(
        (head.content_type(), head.cache_control()),
        (Some("text/plain"), Some("max-age=60"))
    );
    assert_eq!(
        head.metadata()
            .and_then(|metadata| metadata.get("colour"))
            .map(String::as_str),
        Some("blue")
    );
    assert!(bucket.get("plain").await == data);
    assert_eq!(
        bucket.range("plain", Some("bytes=5-4999")).await,
        data[5..5000]
    );
    assert_eq!(
        bucket.range("plain", Some("bytes=-7")).await,
        data[data.len() - 7..]
    );

    bucket.put("empty", ByteStream::from_static(b"")).await;
    assert_eq!(bucket.get("empty").await, b"");

    let copy = client
        .copy_object()
        .bucket(name)
        .key("copied")
        .copy_source(format!("{name}/plain"));
    copy.send().await.expect("a copy");
    assert!(bucket.get("copied").await == data);
    let copy = client
        .copy_object()
        .bucket(name)
        .key("copied")
        .copy_source(format!("{name}/plain"));
    copy.metadata_directive(MetadataDirective::Replace)
        .metadata("new", "1")
        .send()
        .await
        .expect("a copy");
    let head = client
        .head_object()
        .bucket(name)
        .key("copied")
        .send()
        .await
        .expect("head");
    assert_eq!(head.metadata().map(|metadata| metadata.len()), Some(1));

    let missing = client
        .get_object()
        .bucket(name)
        .key("missing")
        .send()
        .await
        .expect_err("there is none");
    assert_eq!(missing.code(), Some("NoSuchKey"));
    let refused = client
        .delete_bucket()
        .bucket(name)
        .send()
        .await
        .expect_err("it is not empty");
    assert_eq!(refused.code(), Some("BucketNotEmpty"));
    bucket.remove().await;
    assert!(client.head_bucket().bucket(name).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_mebibytes_go_in_in_parts() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-parts").await;
    let (client, name) = (&bucket.client, bucket.name);
    let data = blob(64 * MIB);
    let begun = client
        .create_multipart_upload()
        .bucket(name)
        .key("large")
        .metadata("part", "y")
        .send()
        .await
        .expect("an upload");
    let id = begun.upload_id().expect("an id");
    let mut parts = Vec::new();
    for (number, body) in (1..).zip(data.chunks(16 * MIB)) {
        let part = client
            .upload_part()
            .bucket(name)
            .key("large")
            .upload_id(id)
            .part_number(number);
        let part = part
            .body(ByteStream::from(body.to_vec()))
            .send()
            .await
            .expect("a part");
        // What the server confirms is handed back, as the SDK's guide does it.
        let completed = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag)
            .set_checksum_crc32(part.checksum_crc32);
        parts.push(completed.build());
    }
    let listed = client
        .list_parts()
        .bucket(name)
        .key("large")
        .upload_id(id)
        .send()
        .await
        .expect("a list");
    assert_eq!(listed.parts().len(), 4);
    let complete = client
        .complete_multipart_upload()
        .bucket(name)
        .key("large")
        .upload_id(id);
    let named = CompletedMultipartUpload::builder()
        .set_parts(Some(parts))
        .build();
    complete
        .multipart_upload(named)
        .send()
        .await
        .expect("an object");
    assert!(bucket.get("large").await == data);
    assert_eq!(
        bucket.range("large", Some("bytes=16777208-16777223")).await,
        data[16_777_208..16_777_224]
    );

    let begun = client
        .create_multipart_upload()
        .bucket(name)
        .key("copied")
        .send()
        .await
        .expect("an upload");
    let id = begun.upload_id().expect("an id");
    let part = client
        .upload_part_copy()
        .bucket(name)
        .key("copied")
        .upload_id(id)
        .part_number(1);
    let part = part
        .copy_source(format!("{name}/large"))
        .copy_source_range("bytes=1-33554432")
        .send()
        .await
        .expect("a part");
    let etag = part
        .copy_part_result()
        .and_then(|result| result.e_tag())
        .expect("an etag");
    let named = CompletedMultipartUpload::builder()
        .parts(CompletedPart::builder().part_number(1).e_tag(etag).build())
        .build();
    let complete = client
        .complete_multipart_upload()
        .bucket(name)
        .key("copied")
        .upload_id(id)
        .multipart_upload(named);
    complete.send().await.expect("an object");
    assert!(bucket.get("copied").await == data[1..=32 * MIB]);
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presigned_urls_work_for_who_has_nothing_else() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-urls").await;
    let (client, name) = (&bucket.client, bucket.name);
    let expires = PresigningConfig::expires_in(Duration::from_secs(300)).expect("a duration");
    bucket
        .put("plain", ByteStream::from_static(b"by the client"))
        .await;

    let url = client
        .get_object()
        .bucket(name)
        .key("plain")
        .presigned(expires.clone())
        .await
        .expect("a URL");
    let got = used(&server, "GET", url.uri(), url.headers(), b"");
    assert_eq!((got.status, got.text()), (200, "by the client"));

    let url = client
        .put_object()
        .bucket(name)
        .key("pre signed+%")
        .presigned(expires)
        .await
        .expect("a URL");
    let put = used(&server, "PUT", url.uri(), url.headers(), b"by the URL");
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(bucket.get("pre signed+%").await, b"by the URL");
    bucket.remove().await;
}

/// Sends what a presigned URL says, the way that curl would.
fn used<'a>(
    server: &Server,
    method: &str,
    url: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) -> sluice_tests::Reply {
    let (host, target) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("a URL");
    let request = Request::new(method, &format!("/{target}"))
        .host(host)
        .body(body);
    let request = headers
        .filter(|(name, _)| *name != "host")
        .fold(request, |request, (name, value)| request.with(name, value));
    server.send(&request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awkward_keys_are_keys() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-keys").await;
    let long = "k".repeat(1024);
    let wide = "é".repeat(512);
    let keys = [
        "with space",
        "plus+sign",
        "100%",
        "percent%41%2F",
        "double//slash",
        "/leading slash",
        "trailing/",
        "ünïcödé/日本語/🦀",
        "query?like=this&that#fragment",
        "quotes 'single' \"double\" <tag> &amp;",
        "!*'()~@:$,;=[]{}|^`",
        &long,
        &wide,
    ];
    for key in keys {
        bucket
            .put(key, ByteStream::from(key.as_bytes().to_vec()))
            .await;
        assert_eq!(bucket.get(key).await, key.as_bytes(), "{key}");
        let copy = bucket.client.copy_object().bucket(bucket.name).key("copy");
        copy.copy_source(format!("{}/{}", bucket.name, encode(key)))
            .send()
            .await
            .unwrap_or_else(|error| panic!("{key}: {error:?}"));
        assert_eq!(bucket.get("copy").await, key.as_bytes(), "{key}");
    }
    let listed = bucket.keys(3).await;
    assert!(listed.is_sorted(), "{listed:?}");
    for key in keys {
        assert!(
            listed.iter().any(|found| found == key),
            "{key} is not in {listed:?}"
        );
    }
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_five_hundred_keys_are_listed_in_pages() {
    const WRITERS: usize = 8;
    let server = Server::shared();
    let bucket = std::sync::Arc::new(Bucket::create(&server, "by-rust-listed").await);
    let keys: Vec<String> = (0..2500)
        .map(|n| format!("{}/key-{n:04}", ["a", "b c", "ü"][n % 3]))
        .collect();
    let keys = std::sync::Arc::new(keys);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (bucket, keys) = (bucket.clone(), keys.clone());
            tokio::spawn(async move {
                for key in keys.iter().skip(writer).step_by(WRITERS) {
                    bucket.put(key, ByteStream::from_static(b"")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("all keys are written");
    }
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(bucket.keys(1000).await, sorted);
    assert_eq!(bucket.keys(333).await, sorted);
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_kept_listed_and_brought_back() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-versions").await;
    let (client, name) = (&bucket.client, bucket.name);
    let kept = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    let enable = client.put_bucket_versioning().bucket(name);
    enable
        .versioning_configuration(kept)
        .send()
        .await
        .expect("versions are kept");
    let status = client.get_bucket_versioning().bucket(name).send().await;
    let status = status.expect("a status");
    assert_eq!(status.status(), Some(&BucketVersioningStatus::Enabled));

    let mut ids = Vec::new();
    for body in ["one", "two"] {
        let put = client.put_object().bucket(name).key("k");
        let put = put.body(ByteStream::from_static(body.as_bytes())).send();
        ids.insert(0, put.await.expect("put").version_id.expect("a version"));
    }
    let deleted = client.delete_object().bucket(name).key("k").send().await;
    let deleted = deleted.expect("deleted");
    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id.expect("a marker");
    let hidden = client.get_object().bucket(name).key("k").send().await;
    assert_eq!(hidden.expect_err("hidden").code(), Some("NoSuchKey"));

    let list = client.list_object_versions().bucket(name).send().await;
    let list = list.expect("a list");
    let listed: Vec<_> = list
        .versions()
        .iter()
        .filter_map(|version| version.version_id())
        .collect();
    assert_eq!(listed, ids);
    assert_eq!(list.delete_markers()[0].version_id(), Some(&*marker));
    let old = client.get_object().bucket(name).key("k");
    let old = old
        .version_id(&ids[1])
        .send()
        .await
        .expect("an old version");
    assert_eq!(
        old.body.collect().await.expect("its bytes").to_vec(),
        b"one"
    );

    let restore = client.delete_object().bucket(name).key("k");
    restore.version_id(marker).send().await.expect("restored");
    assert_eq!(bucket.get("k").await, b"two");
    let refused = client.delete_bucket().bucket(name).send().await;
    assert_eq!(
        refused.expect_err("versions").code(),
        Some("BucketNotEmpty")
    );
    for id in ids {
        let delete = client.delete_object().bucket(name).key("k");
        delete.version_id(id).send().await.expect("gone for good");
    }
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_checksum_is_confirmed_and_told() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-checksums").await;
    let (client, name) = (&bucket.client, bucket.name);
    let data = blob(100_000);
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Crc32, "crc32"),
        (ChecksumAlgorithm::Crc32C, "crc32c"),
        (ChecksumAlgorithm::Crc64Nvme, "crc64nvme"),
        (ChecksumAlgorithm::Sha1, "sha1"),
        (ChecksumAlgorithm::Sha256, "sha256"),
    ] {
        let sum = checksum(kind, &data);
        let put = client.put_object().bucket(name).key(kind);
        let put = put
            .checksum_algorithm(algorithm)
            .body(ByteStream::from(data.clone()));
        put.send().await.expect(kind);
        // The SDK compares what comes with what is said of it.
        let get = client.get_object().bucket(name).key(kind);
        let got = get.checksum_mode(ChecksumMode::Enabled).send().await;
        let got = got.expect(kind).body.collect().await.expect(kind);
        assert!(got.to_vec() == data, "{kind}");
        let ask = client.get_object_attributes().bucket(name).key(kind);
        let told = ask
            .object_attributes(ObjectAttributes::Checksum)
            .object_attributes(ObjectAttributes::ObjectSize)
            .send()
            .await
            .expect(kind);
        assert_eq!(told.object_size(), Some(100_000));
        let told = told.checksum().expect(kind);
        let sums = [
            told.checksum_crc32(),
            told.checksum_crc32_c(),
            told.checksum_crc64_nvme(),
            told.checksum_sha1(),
            told.checksum_sha256(),
        ];
        assert_eq!(sums.into_iter().flatten().collect::<Vec<_>>(), [sum]);
    }
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_given_and_taken() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-rights").await;
    let (client, name) = (&bucket.client, bucket.name);
    let other = client_of(&server, &OTHER);
    bucket.put("k", ByteStream::from_static(b"x")).await;
    let read = || other.get_object().bucket(name).key("k").send();
    assert_eq!(
        read().await.expect_err("private").code(),
        Some("AccessDenied")
    );
    let open = client.put_object_acl().bucket(name).key("k");
    let open = open.acl(ObjectCannedAcl::AuthenticatedRead).send().await;
    open.expect("opened");
    read().await.expect("read");
    let grant = client.put_object_acl().bucket(name).key("k");
    let grant = grant.grant_read("emailAddress=\"other@example.com\"");
    grant.send().await.expect("granted");
    read().await.expect("read");
    let acl = client.get_object_acl().bucket(name).key("k").send().await;
    let acl = acl.expect("a list");
    let grants: Vec<_> = acl
        .grants()
        .iter()
        .map(|grant| (grant.grantee().and_then(|to| to.id()), grant.permission()))
        .collect();
    assert_eq!(grants, [(Some("other"), Some(&Permission::Read))]);
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_and_rules_for_pages_are_kept() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-tags").await;
    let (client, name) = (&bucket.client, bucket.name);
    let tag = Tag::builder().key("team").value("storage").build();
    let tag = tag.expect("a tag");
    let tagging = Tagging::builder().tag_set(tag.clone()).build();
    let tagging = tagging.expect("tags");
    let set = client.put_bucket_tagging().bucket(name);
    set.tagging(tagging.clone()).send().await.expect("tagged");
    let tags = client.get_bucket_tagging().bucket(name).send().await;
    assert_eq!(tags.expect("tags").tag_set(), std::slice::from_ref(&tag));
    let forget = client.delete_bucket_tagging().bucket(name).send().await;
    forget.expect("forgotten");
    let tags = client.get_bucket_tagging().bucket(name).send().await;
    assert_eq!(tags.expect_err("none").code(), Some("NoSuchTagSet"));

    let put = client.put_object().bucket(name).key("k").tagging("a=b");
    put.send().await.expect("put");
    let replace = client.put_object_tagging().bucket(name).key("k");
    replace.tagging(tagging).send().await.expect("tagged");
    let tags = client
        .get_object_tagging()
        .bucket(name)
        .key("k")
        .send()
        .await;
    assert_eq!(tags.expect("tags").tag_set(), [tag]);
    let got = client.get_object().bucket(name).key("k").send().await;
    assert_eq!(got.expect("got").tag_count(), Some(1));

    let rule = CorsRule::builder()
        .allowed_origins("*")
        .allowed_methods("GET")
        .max_age_seconds(60)
        .build();
    let rule = rule.expect("a rule");
    let rules = CorsConfiguration::builder()
        .cors_rules(rule.clone())
        .build();
    let set = client.put_bucket_cors().bucket(name);
    let set = set.cors_configuration(rules.expect("rules")).send().await;
    set.expect("set");
    let rules = client.get_bucket_cors().bucket(name).send().await;
    assert_eq!(rules.expect("rules").cors_rules(), [rule]);
    let forget = client.delete_bucket_cors().bucket(name).send().await;
    forget.expect("forgotten");
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_pays() {
    let server = Server::shared();
    let bucket = Bucket::create(&server, "by-rust-payer").await;
    let (client, name) = (&bucket.client, bucket.name);
    let put = client.put_object().bucket(name).key("k");
    let put = put.acl(ObjectCannedAcl::PublicRead).send().await;
    put.expect("put");
    let requester = RequestPaymentConfiguration::builder().payer(Payer::Requester);
    let requester = requester.build().expect("a payer");
    let charge = client.put_bucket_request_payment().bucket(name);
    let charge = charge.request_payment_configuration(requester).send().await;
    charge.expect("charged");
    let other = client_of(&server, &OTHER);
    let silent = other.get_object().bucket(name).key("k").send().await;
    assert_eq!(silent.expect_err("silent").code(), Some("AccessDenied"));
    let paid = other.get_object().bucket(name).key("k");
    let paid = paid.request_payer(RequestPayer::Requester).send().await;
    assert_eq!(
        paid.expect("paid").request_charged(),
        Some(&RequestCharged::Requester)
    );
    bucket.remove().await;
}
