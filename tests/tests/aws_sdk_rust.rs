//! The AWS SDK for Rust with its default settings: CRC32 in a trailer for what
//! it streams, in a header for the rest.

use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective, ObjectIdentifier,
};
use aws_sdk_s3::{Client, Config};
use sluice_tests::{ROOT, Request, Server, encode};

const MIB: usize = 1024 * 1024;

/// One bucket, and what is done to it over and over.
struct Bucket {
    client: Client,
    name: &'static str,
}

fn client(server: &Server) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(ROOT.region))
        .credentials_provider(Credentials::new(
            ROOT.access,
            ROOT.secret,
            None,
            None,
            "tests",
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
