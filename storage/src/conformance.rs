//! The suite that every backend passes.
//!
//! Each behaviour gets a fresh, empty store and looks at it only through the
//! [`Store`] trait. A test of a backend calls [`run`], or picks from
//! [`BEHAVIOURS`]; [`agree`] compares a longer random history with the model.
//! The suite needs no particular runtime: what it does at once, it joins.

mod history;
mod limits;
mod versions;

pub use history::agree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, TryStreamExt};

use crate::document::{Amendment, Documents};
use crate::error::{Error, Result};
use crate::list::{BucketQuery, Entry, ListQuery, UploadMarker, UploadQuery};
use crate::name::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::record::{
    Bucket, Metadata, NewBucket, NewObject, NewPlacement, NewUpload, Object, Part, Precondition,
    Timestamp, Upload, UploadedPart, Versioning,
};
use crate::store::{Deleted, Staged, Store};

use limits::{
    a_bucket_holds_as_much_as_it_may_and_no_more, a_bucket_remembers_how_it_was_made,
    a_geometry_is_one_that_the_drives_can_hold, buckets_of_every_geometry_keep_their_objects,
    of_many_writers_as_many_as_fit_are_accepted, the_buckets_of_all_owners_are_listed_in_pages,
    what_cannot_fit_is_refused_before_it_comes, what_is_shared_or_completed_moves_no_bytes,
};
use versions::{
    a_bucket_that_kept_versions_never_forgets_that,
    a_listing_of_objects_does_not_show_what_versions_hide,
    a_listing_of_versions_goes_on_where_its_marker_was_removed,
    a_listing_of_versions_is_walked_in_pages_without_gap_or_repetition,
    a_listing_of_versions_is_what_the_naive_listing_is,
    a_precondition_is_of_the_version_that_is_addressed, each_state_makes_its_own_versions,
    markers_and_old_versions_keep_a_bucket_from_being_deleted,
    of_writers_that_ask_for_absence_where_a_marker_is_one_wins,
    writers_at_the_same_time_each_make_a_version,
};

/// One thing that every store does.
pub struct Behaviour {
    /// A sentence.
    pub name: &'static str,
    check: fn(Tester) -> Checking,
}

type Checking = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

impl Behaviour {
    /// Panics where the store, which must be empty, behaves differently.
    pub async fn check(&self, store: Arc<dyn Store>) {
        if let Err(error) = (self.check)(Tester(store.clone())).await {
            panic!("the store refused what it must do: {error} ({error:?})");
        }
        store.close().await;
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Behaviour").field(&self.name).finish()
    }
}

/// Checks every behaviour on a store of its own, and names all that fail.
pub async fn run<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Store>>,
{
    let mut failed = Vec::new();
    for behaviour in BEHAVIOURS {
        let checked = async { behaviour.check(make().await).await };
        if AssertUnwindSafe(checked).catch_unwind().await.is_err() {
            failed.push(behaviour.name);
        }
    }
    assert!(failed.is_empty(), "the store fails: {failed:#?}");
}

macro_rules! behaviours {
    ($($name:ident,)*) => {
        pub const BEHAVIOURS: &[Behaviour] = &[$(Behaviour {
            name: stringify!($name),
            check: |tester| Box::pin($name(tester)),
        },)*];
    };
}

behaviours! {
    a_bucket_is_created_once,
    buckets_are_listed_by_owner_and_name_in_pages,
    only_an_empty_bucket_is_deleted,
    documents_of_a_bucket_are_amended_together,
    nothing_is_done_in_a_bucket_that_does_not_exist,
    nothing_is_done_in_a_later_bucket_of_the_same_name,
    an_object_of_any_size_is_read_back_whole_and_in_ranges,
    bytes_are_the_same_however_they_are_cut_into_writes,
    what_is_remembered_with_an_object_is_given_back,
    an_overwrite_replaces_everything,
    a_read_that_began_before_an_overwrite_gives_the_old_bytes_or_an_error,
    a_deleted_object_is_gone_and_deleting_again_succeeds,
    a_version_is_named_exactly,
    a_precondition_decides_on_the_current_object,
    of_many_writers_that_ask_for_absence_one_wins,
    of_many_writers_that_match_one_etag_one_wins,
    documents_of_an_object_are_amended_and_nothing_else,
    an_amendment_is_of_the_object_that_was_meant,
    amendments_at_the_same_time_are_all_kept,
    keys_of_every_kind_are_kept_apart,
    a_listing_is_what_the_naive_listing_is,
    a_listing_is_walked_in_pages_without_gap_or_repetition,
    an_object_is_the_named_parts_in_the_named_order,
    a_part_that_is_uploaded_again_replaces_the_first,
    a_completion_that_is_refused_leaves_the_upload,
    an_aborted_upload_is_gone,
    an_upload_is_found_only_under_its_key,
    parts_are_listed_by_number_in_pages,
    uploads_are_listed_by_key_and_age,
    of_completions_at_the_same_time_one_wins,
    what_an_upload_has_become_is_found_while_it_is_there,
    a_copy_outlives_its_source,
    bytes_that_are_not_put_leave_nothing,
    each_state_makes_its_own_versions,
    a_bucket_that_kept_versions_never_forgets_that,
    markers_and_old_versions_keep_a_bucket_from_being_deleted,
    a_precondition_is_of_the_version_that_is_addressed,
    writers_at_the_same_time_each_make_a_version,
    of_writers_that_ask_for_absence_where_a_marker_is_one_wins,
    a_listing_of_versions_is_what_the_naive_listing_is,
    a_listing_of_versions_is_walked_in_pages_without_gap_or_repetition,
    a_listing_of_versions_goes_on_where_its_marker_was_removed,
    a_listing_of_objects_does_not_show_what_versions_hide,
    a_bucket_remembers_how_it_was_made,
    a_geometry_is_one_that_the_drives_can_hold,
    buckets_of_every_geometry_keep_their_objects,
    what_is_shared_or_completed_moves_no_bytes,
    a_bucket_holds_as_much_as_it_may_and_no_more,
    what_cannot_fit_is_refused_before_it_comes,
    of_many_writers_as_many_as_fit_are_accepted,
    the_buckets_of_all_owners_are_listed_in_pages,
    a_random_history_agrees_with_the_model,
}

/// A store with the short ways that tests want.
struct Tester(Arc<dyn Store>);

const OWNER: &str = "owner";

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("a key of the suite is valid")
}

fn bucket_name(text: &str) -> BucketName {
    BucketName::parse(text).expect("a bucket name of the suite is valid")
}

fn part_number(number: u16) -> PartNumber {
    PartNumber::new(number).expect("a part number of the suite is valid")
}

/// A generator of the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 32) % end
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// Bytes that differ between seeds and between places.
fn pattern(length: usize, seed: u64) -> Bytes {
    let mut random = Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

fn new_bucket(name: &str) -> NewBucket {
    NewBucket {
        name: bucket_name(name),
        owner: OWNER.to_owned(),
        versioning: Versioning::Never,
        placement: NewPlacement::default(),
        documents: Documents::default(),
    }
}

fn new_object(name: &str, etag: &str) -> NewObject {
    NewObject {
        key: key(name),
        owner: OWNER.to_owned(),
        etag: etag.to_owned(),
        metadata: Metadata::new(),
        documents: Documents::default(),
    }
}

fn new_upload(name: &str) -> NewUpload {
    NewUpload {
        key: key(name),
        owner: OWNER.to_owned(),
        initiator: "initiator".to_owned(),
        metadata: metadata(&[("content-type", "text/plain")]),
        documents: documents(&[("acl/acl", "uploaded")]),
    }
}

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    entries.iter().map(owned).collect()
}

fn documents(entries: &[(&str, &str)]) -> Documents {
    let owned = |(name, content): &(&str, &str)| {
        let content = Bytes::copy_from_slice(content.as_bytes());
        ((*name).to_owned(), content)
    };
    entries.iter().map(owned).collect()
}

/// Documents with their new content, or without.
type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

fn amendment(changes: Changes<'_>) -> Amendment {
    let mut amendment = Amendment::default();
    for (name, content) in changes {
        match content {
            Some(content) => amendment.put(
                (*name).to_owned(),
                Bytes::copy_from_slice(content.as_bytes()),
            ),
            None => amendment.delete((*name).to_owned()),
        }
    }
    amendment
}

macro_rules! refused {
    ($result:expr, $error:pat) => {
        match $result {
            Err($error) => {}
            Err(other) => panic!(
                "{} was refused with {other:?} instead of {}",
                stringify!($result),
                stringify!($error)
            ),
            Ok(_) => panic!(
                "{} was not refused with {}",
                stringify!($result),
                stringify!($error)
            ),
        }
    };
}

impl Tester {
    async fn create(&self, name: &str) -> Result<Arc<Bucket>> {
        self.0.create_bucket(new_bucket(name)).await
    }

    /// Another bucket in the place of an empty one.
    async fn recreate(&self, bucket: &Bucket) -> Result<Arc<Bucket>> {
        self.0.delete_bucket(bucket).await?;
        self.create(bucket.name.as_str()).await
    }

    async fn stage(&self, bucket: &Bucket, bytes: &Bytes) -> Result<Staged> {
        let mut sink = self.0.stage(bucket, Some(bytes.len() as u64)).await?;
        for at in (0..bytes.len()).step_by(64 * 1024) {
            let end = bytes.len().min(at + 64 * 1024);
            sink.write(bytes.slice(at..end)).await?;
        }
        let staged = sink.finish().await?;
        assert_eq!(staged.length, bytes.len() as u64, "the length staged");
        Ok(staged)
    }

    async fn put(&self, bucket: &Bucket, name: &str, bytes: &Bytes) -> Result<Arc<Object>> {
        let object = new_object(name, &format!("etag of {}", bytes.len()));
        self.put_if(bucket, object, bytes, Precondition::None).await
    }

    async fn put_if(
        &self,
        bucket: &Bucket,
        object: NewObject,
        bytes: &Bytes,
        precondition: Precondition,
    ) -> Result<Arc<Object>> {
        let staged = self.stage(bucket, bytes).await?;
        self.0.put(bucket, object, staged, precondition).await
    }

    async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        let chunks: Vec<Bytes> = self.0.read(object, range).await?.try_collect().await?;
        Ok(chunks.concat().into())
    }

    async fn get(&self, bucket: &Bucket, name: &str) -> Result<Bytes> {
        let object = self.0.object(bucket, &key(name), None).await?;
        self.read(&object, 0..object.size).await
    }

    async fn delete(&self, bucket: &Bucket, name: &str) -> Result<Deleted> {
        let none = Precondition::None;
        self.0.delete(bucket, &key(name), None, none).await
    }

    async fn put_part(
        &self,
        bucket: &Bucket,
        upload: &Upload,
        number: u16,
        etag: &str,
        bytes: &Bytes,
    ) -> Result<()> {
        let data = self.stage(bucket, bytes).await?;
        let part = UploadedPart {
            number: part_number(number),
            size: bytes.len() as u64,
            etag: etag.to_owned(),
            modified: Timestamp::now(),
            metadata: metadata(&[("etag", etag)]),
        };
        let (key, id) = (&upload.key, upload.id);
        self.0.put_part(bucket, key, id, part, data).await
    }

    async fn complete(
        &self,
        bucket: &Bucket,
        upload: &Upload,
        parts: &[(u16, &str)],
        precondition: Precondition,
    ) -> Result<Arc<Object>> {
        let named = |(number, etag): &(u16, &str)| (part_number(*number), (*etag).to_owned());
        let parts: Vec<_> = parts.iter().map(named).collect();
        let object = NewObject {
            metadata: upload.metadata.clone(),
            documents: upload.documents.clone(),
            ..new_object(upload.key.as_str(), "completed")
        };
        self.0
            .complete_upload(bucket, upload.id, &parts, object, precondition)
            .await
    }

    async fn keys(&self, bucket: &Bucket) -> Result<Vec<String>> {
        let query = ListQuery {
            limit: 10_000,
            ..ListQuery::default()
        };
        let page = self.0.list_objects(bucket, &query).await?;
        assert!(!page.truncated, "a page that holds all is truncated");
        let keys = page.entries.iter();
        Ok(keys.map(|entry| entry.marker().to_owned()).collect())
    }
}

async fn a_bucket_is_created_once(t: Tester) -> Result<()> {
    let new = |owner: &str| NewBucket {
        owner: owner.to_owned(),
        documents: documents(&[("acl/acl", "private")]),
        ..new_bucket("bucket")
    };
    refused!(
        t.0.bucket(&bucket_name("bucket")).await,
        Error::BucketMissing
    );
    let before = Timestamp::now();
    let created = t.0.create_bucket(new(OWNER)).await?;
    assert!((before..=Timestamp::now()).contains(&created.created));
    let bucket = t.0.bucket(&bucket_name("bucket")).await?;
    assert_eq!(bucket, created);
    assert_eq!(bucket.owner, OWNER);
    assert_eq!(bucket.documents, documents(&[("acl/acl", "private")]));
    for owner in [OWNER, "another"] {
        match t.0.create_bucket(new(owner)).await {
            Err(Error::BucketExists { owner }) => assert_eq!(owner, OWNER),
            other => panic!("created twice: {other:?}"),
        }
    }
    assert_eq!(t.0.bucket(&bucket_name("bucket")).await?, created);

    let race = join_all((0..32).map(|_| {
        t.0.create_bucket(NewBucket {
            name: bucket_name("raced-for"),
            ..new(OWNER)
        })
    }));
    let winners = race.await.into_iter().filter(Result::is_ok).count();
    assert_eq!(winners, 1, "of many creators of one bucket");
    Ok(())
}

async fn buckets_are_listed_by_owner_and_name_in_pages(t: Tester) -> Result<()> {
    let names = ["b-2", "a.b", "b-10", "zzz", "a-b", "abc"];
    for name in names {
        t.create(name).await?;
    }
    let other = NewBucket {
        owner: "another".to_owned(),
        ..new_bucket("b-1")
    };
    t.0.create_bucket(other).await?;
    type Case<'a> = (
        &'a str,
        &'a str,
        Option<&'a str>,
        usize,
        &'a [&'a str],
        bool,
    );
    let cases: [Case<'_>; 14] = [
        (
            OWNER,
            "",
            None,
            10,
            &["a-b", "a.b", "abc", "b-10", "b-2", "zzz"],
            false,
        ),
        (
            OWNER,
            "",
            None,
            6,
            &["a-b", "a.b", "abc", "b-10", "b-2", "zzz"],
            false,
        ),
        (OWNER, "", None, 2, &["a-b", "a.b"], true),
        (OWNER, "", Some("a.b"), 2, &["abc", "b-10"], true),
        (OWNER, "", Some("b"), 9, &["b-10", "b-2", "zzz"], false),
        (OWNER, "", Some("zzz"), 9, &[], false),
        ("another", "", None, 1, &["b-1"], false),
        ("nobody", "", None, 1, &[], false),
        (OWNER, "a", None, 10, &["a-b", "a.b", "abc"], false),
        (OWNER, "b-", None, 1, &["b-10"], true),
        (OWNER, "b-", Some("b-10"), 1, &["b-2"], false),
        (OWNER, "b-", Some("a"), 2, &["b-10", "b-2"], false),
        (OWNER, "b-", Some("c"), 2, &[], false),
        (OWNER, "zzzz", None, 1, &[], false),
    ];
    for (owner, prefix, after, limit, names, truncated) in cases {
        let query = BucketQuery {
            owner: owner.to_owned(),
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            limit,
        };
        let page = t.0.list_buckets(&query).await?;
        let listed: Vec<_> = page.entries.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(
            (listed.as_slice(), page.truncated),
            (names, truncated),
            "{query:?}"
        );
    }
    Ok(())
}

async fn only_an_empty_bucket_is_deleted(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    t.put(&bucket, "key", &pattern(10, 1)).await?;
    refused!(t.0.delete_bucket(&bucket).await, Error::BucketNotEmpty);
    t.delete(&bucket, "key").await?;
    let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
    refused!(t.0.delete_bucket(&bucket).await, Error::BucketNotEmpty);
    t.0.abort_upload(&bucket, &upload.key, upload.id).await?;
    t.0.delete_bucket(&bucket).await?;
    refused!(t.0.bucket(&bucket.name).await, Error::BucketMissing);
    refused!(t.0.delete_bucket(&bucket).await, Error::BucketMissing);

    let bucket = t.create("bucket").await?;
    assert_eq!(t.keys(&bucket).await?, [] as [&str; 0]);
    refused!(t.get(&bucket, "key").await, Error::ObjectMissing);
    Ok(())
}

async fn documents_of_a_bucket_are_amended_together(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let cases: [(Changes<'_>, &[(&str, &str)]); 5] = [
        (
            &[("acl/acl", Some("1")), ("cors/cors", Some("2"))],
            &[("acl/acl", "1"), ("cors/cors", "2")],
        ),
        (
            &[
                ("acl/acl", Some("3")),
                ("cors/cors", None),
                ("tag/tags", Some("")),
            ],
            &[("acl/acl", "3"), ("tag/tags", "")],
        ),
        (
            &[("never/was", None)],
            &[("acl/acl", "3"), ("tag/tags", "")],
        ),
        (&[], &[("acl/acl", "3"), ("tag/tags", "")]),
        (&[("acl/acl", None), ("tag/tags", None)], &[]),
    ];
    for (changes, expected) in cases {
        let amended = t.0.amend_bucket(&bucket, amendment(changes)).await?;
        assert_eq!(amended.documents, documents(expected), "after {changes:?}");
        assert_eq!(t.0.bucket(&bucket.name).await?, amended);
        let query = BucketQuery {
            owner: OWNER.to_owned(),
            limit: 10,
            ..BucketQuery::default()
        };
        let listed = t.0.list_buckets(&query).await?.entries;
        assert_eq!(listed, [amended]);
    }
    Ok(())
}

async fn nothing_is_done_in_a_bucket_that_does_not_exist(t: Tester) -> Result<()> {
    let missing = t.create("missing").await?;
    t.0.delete_bucket(&missing).await?;
    refused!(t.0.bucket(&missing.name).await, Error::BucketMissing);
    nothing_is_done_in(&missing, &t).await
}

async fn nothing_is_done_in_a_later_bucket_of_the_same_name(t: Tester) -> Result<()> {
    let first = t.create("bucket").await?;
    let bytes = pattern(10, 1);
    let object = t.put(&first, "key", &bytes).await?;
    let large = pattern(2_000_000, 1);
    let (small, staged) = (
        t.stage(&first, &bytes).await?,
        t.stage(&first, &large).await?,
    );
    t.delete(&first, "key").await?;
    let second = t.recreate(&first).await?;
    assert_ne!(first.id, second.id, "the ids of two buckets");
    for staged in [small, staged] {
        let put =
            t.0.put(&first, new_object("key", "e"), staged, Precondition::None);
        refused!(put.await, Error::BucketMissing);
    }
    assert_eq!(t.keys(&second).await?, [] as [&str; 0]);
    let kept = t.put(&second, "key", &bytes).await?;
    let changes = || amendment(&[("acl/acl", Some("of another"))]);
    refused!(
        t.0.amend_object(&first, &object, changes()).await,
        Error::BucketMissing
    );
    // An object of the one bucket is not one of the other.
    refused!(
        t.0.amend_object(&second, &object, changes()).await,
        Error::Conflict
    );
    nothing_is_done_in(&first, &t).await?;
    assert_eq!(t.0.bucket(&second.name).await?, second);
    assert_same(&*t.0.object(&second, &key("key"), None).await?, &kept);
    Ok(())
}

/// In a bucket that was deleted, whether there is another one of its name or not.
async fn nothing_is_done_in(b: &Bucket, t: &Tester) -> Result<()> {
    let there = t.create("there").await?;
    let object = t.put(&there, "key", &pattern(10, 1)).await?;
    let upload = t.0.create_upload(&there, new_upload("key")).await?;
    let bytes = pattern(10, 1);
    let staged = || t.stage(&there, &bytes);
    let none = || Precondition::None;
    let part = UploadedPart {
        number: part_number(1),
        size: 10,
        etag: "etag".to_owned(),
        modified: Timestamp::now(),
        metadata: Metadata::new(),
    };
    let (k, id) = (&key("key"), upload.id);
    refused!(t.0.delete_bucket(b).await, Error::BucketMissing);
    refused!(
        t.0.amend_bucket(b, amendment(&[])).await,
        Error::BucketMissing
    );
    refused!(t.0.object(b, k, None).await, Error::BucketMissing);
    refused!(
        t.0.list_objects(b, &ListQuery::default()).await,
        Error::BucketMissing
    );
    refused!(t.0.stage(b, None).await, Error::BucketMissing);
    refused!(t.0.share(&object, b).await, Error::BucketMissing);
    refused!(
        t.0.put(b, new_object("key", "e"), staged().await?, none())
            .await,
        Error::BucketMissing
    );
    refused!(t.0.delete(b, k, None, none()).await, Error::BucketMissing);
    refused!(
        t.0.amend_object(b, &object, amendment(&[])).await,
        Error::BucketMissing
    );
    refused!(
        t.0.create_upload(b, new_upload("key")).await,
        Error::BucketMissing
    );
    refused!(t.0.upload(b, k, id).await, Error::BucketMissing);
    refused!(
        t.0.put_part(b, k, id, part, staged().await?).await,
        Error::BucketMissing
    );
    refused!(
        t.0.list_parts(b, k, id, None, 1).await,
        Error::BucketMissing
    );
    refused!(
        t.0.list_uploads(b, &UploadQuery::default()).await,
        Error::BucketMissing
    );
    refused!(
        t.complete(b, &upload, &[], none()).await,
        Error::BucketMissing
    );
    refused!(t.0.abort_upload(b, k, id).await, Error::BucketMissing);
    Ok(())
}

/// Around the borders of the engines' size classes, cells and stripes.
const SIZES: &[usize] = &[
    0,
    1,
    8191,
    8192,
    8193,
    (128 << 10) - 1,
    128 << 10,
    (128 << 10) + 1,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    (3 << 20) + 4711,
    8 << 20,
];

/// Pieces of `size` bytes, at its borders and those of cells and stripes.
fn ranges(size: u64) -> BTreeSet<(u64, u64)> {
    let borders = [0, 1, 4096, 8192, 64 << 10, 256 << 10, 1 << 20, size / 2];
    let places: BTreeSet<u64> = borders
        .into_iter()
        .chain([size])
        .flat_map(|at| [at.saturating_sub(1), at, at + 1])
        .filter(|at| *at <= size)
        .collect();
    let starts = places.iter();
    starts
        .flat_map(|start| {
            let short = [*start, start + 1, start + 5000, start + 300_000];
            let ends = short.into_iter().chain([size]);
            ends.filter(|end| *end <= size)
                .map(|end| (*start, end))
                .filter(|(start, end)| start <= end)
        })
        .collect()
}

async fn an_object_of_any_size_is_read_back_whole_and_in_ranges(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    for (seed, size) in SIZES.iter().enumerate() {
        let bytes = pattern(*size, seed as u64);
        let stored = t.put(&bucket, &format!("of {size}"), &bytes).await?;
        assert_eq!(stored.size, *size as u64);
    }
    for (seed, size) in SIZES.iter().enumerate() {
        let bytes = pattern(*size, seed as u64);
        let name = format!("of {size}");
        assert!(t.get(&bucket, &name).await? == bytes, "{size} bytes");
        let object = t.0.object(&bucket, &key(&name), None).await?;
        for (start, end) in ranges(object.size) {
            let read = t.read(&object, start..end).await?;
            assert!(
                read == bytes[start as usize..end as usize],
                "{start}..{end} of {size} bytes"
            );
        }
    }
    Ok(())
}

async fn bytes_are_the_same_however_they_are_cut_into_writes(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let cases: [(usize, &[usize]); 6] = [
        (20_000, &[1]),
        (300_000, &[0, 1, 7, 8191, 8193]),
        (1_500_000, &[65_536]),
        (1_500_000, &[1 << 20, 3]),
        (1_500_000, &[1_500_000]),
        (2_097_153, &[99_991]),
    ];
    for (case, (size, cuts)) in cases.into_iter().enumerate() {
        for announced in [None, Some(size as u64)] {
            let bytes = pattern(size, case as u64);
            let mut sink = t.0.stage(&bucket, announced).await?;
            let mut rest = bytes.clone();
            for cut in cuts.iter().cycle() {
                sink.write(rest.split_to(rest.len().min(*cut))).await?;
                if rest.is_empty() {
                    break;
                }
            }
            let staged = sink.finish().await?;
            assert_eq!(staged.length, size as u64);
            let (object, none) = (new_object("key", "etag"), Precondition::None);
            t.0.put(&bucket, object, staged, none).await?;
            let same = t.get(&bucket, "key").await? == bytes;
            assert!(
                same,
                "{size} bytes cut into {cuts:?}, announced {announced:?}"
            );
        }
    }
    Ok(())
}

fn assert_same(one: &Object, other: &Object) {
    let facts = |object: &Object| {
        (
            (object.key.clone(), object.version, object.id),
            object.owner.clone(),
            (object.size, object.etag.clone(), object.modified),
            (object.metadata.clone(), object.documents.clone()),
            object.parts.clone(),
        )
    };
    assert_eq!(facts(one), facts(other));
}

async fn what_is_remembered_with_an_object_is_given_back(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let long = "ü".repeat(1000);
    let object = NewObject {
        key: key("key"),
        owner: "Владелец".to_owned(),
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        metadata: metadata(&[("content-type", "text/plain"), ("x-amz-meta-a", &long)]),
        documents: documents(&[("acl/acl", ""), ("tag/tags", "\0\u{1f600}")]),
    };
    let before = Timestamp::now();
    let precondition = Precondition::None;
    let put = t
        .put_if(&bucket, object.clone(), &pattern(5, 0), precondition)
        .await?;
    assert!((before..=Timestamp::now()).contains(&put.modified));
    assert_eq!(put.key, object.key);
    assert_eq!(put.version, VersionId::Null);
    assert_eq!(put.owner, object.owner);
    assert_eq!(put.size, 5);
    assert_eq!(put.etag, object.etag);
    assert_eq!(put.metadata, object.metadata);
    assert_eq!(put.documents, object.documents);
    assert_eq!(put.parts, []);
    assert_same(&put, &*t.0.object(&bucket, &object.key, None).await?);
    let query = ListQuery {
        limit: 1,
        ..ListQuery::default()
    };
    match t.0.list_objects(&bucket, &query).await?.entries.as_slice() {
        [Entry::Item(listed)] => assert_same(&put, listed),
        other => panic!("one object is listed as {other:?}"),
    }
    Ok(())
}

async fn an_overwrite_replaces_everything(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let mut last: Option<Arc<Object>> = None;
    for (round, size) in [10, 2_000_000, 0, 200_000, 9].into_iter().enumerate() {
        let name = round.to_string();
        let object = NewObject {
            metadata: metadata(&[(&name, "metadata")]),
            documents: documents(&[(&name, "document")]),
            ..new_object("key", &name)
        };
        let bytes = pattern(size, round as u64);
        let put = t
            .put_if(&bucket, object, &bytes, Precondition::None)
            .await?;
        let read = t.0.object(&bucket, &key("key"), None).await?;
        assert_same(&put, &read);
        assert_eq!(read.metadata, metadata(&[(&name, "metadata")]));
        assert_eq!(read.documents, documents(&[(&name, "document")]));
        assert!(last.is_none_or(|last| last.modified <= read.modified));
        assert!(t.get(&bucket, "key").await? == bytes, "round {round}");
        last = Some(read);
    }
    assert_eq!(t.keys(&bucket).await?, ["key"]);
    Ok(())
}

async fn a_read_that_began_before_an_overwrite_gives_the_old_bytes_or_an_error(
    t: Tester,
) -> Result<()> {
    let bucket = t.create("bucket").await?;
    for size in [100, 100_000, 5_000_000] {
        let (old, new) = (pattern(size, 1), pattern(size, 2));
        let object = t.put(&bucket, "key", &old).await?;
        let stream = t.0.read(&object, 0..object.size).await?;
        t.put(&bucket, "key", &new).await?;
        let read: Result<Vec<Bytes>> = stream.try_collect().await;
        if let Ok(chunks) = read {
            assert!(chunks.concat() == old, "{size} bytes");
        }
        assert!(t.get(&bucket, "key").await? == new, "{size} bytes");
    }
    Ok(())
}

async fn a_deleted_object_is_gone_and_deleting_again_succeeds(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    for size in [0, 1, 100_000, 3_000_000] {
        t.put(&bucket, "key", &pattern(size, 1)).await?;
        t.put(&bucket, "key2", &pattern(size, 2)).await?;
        let removed = Deleted {
            version: Some(VersionId::Null),
            marker: false,
        };
        assert_eq!(t.delete(&bucket, "key").await?, removed);
        refused!(t.get(&bucket, "key").await, Error::ObjectMissing);
        assert_eq!(t.keys(&bucket).await?, ["key2"]);
        let nothing = Deleted {
            version: None,
            marker: false,
        };
        assert_eq!(t.delete(&bucket, "key").await?, nothing);
        assert!(t.get(&bucket, "key2").await? == pattern(size, 2));
    }
    Ok(())
}

async fn a_version_is_named_exactly(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    t.put(&bucket, "key", &pattern(10, 1)).await?;
    let (null, unknown) = (Some(VersionId::Null), Some(VersionId::Id(7)));
    let (k, missing) = (key("key"), key("missing"));
    t.0.object(&bucket, &k, null).await?;
    refused!(
        t.0.object(&bucket, &k, unknown).await,
        Error::VersionMissing
    );
    refused!(
        t.0.object(&bucket, &missing, null).await,
        Error::VersionMissing
    );
    refused!(
        t.0.object(&bucket, &missing, None).await,
        Error::ObjectMissing
    );
    for (version, removed) in [(unknown, None), (null, null), (null, None)] {
        let deleted = t.0.delete(&bucket, &k, version, Precondition::None).await?;
        assert_eq!(deleted.version, removed, "{version:?}");
    }
    refused!(t.0.object(&bucket, &k, None).await, Error::ObjectMissing);
    Ok(())
}

async fn a_precondition_decides_on_the_current_object(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let matches = |etags: &[&str]| {
        Precondition::Matches(etags.iter().map(|etag| (*etag).to_owned()).collect())
    };
    #[derive(Debug, PartialEq)]
    enum Outcome {
        Done,
        Failed,
        Missing,
    }
    use Outcome::{Done, Failed, Missing};
    let cases = [
        // precondition, without an object, with the object `etag`
        (Precondition::None, Done, Done),
        (Precondition::Absent, Done, Failed),
        (Precondition::Present, Missing, Done),
        (matches(&["etag"]), Missing, Done),
        (matches(&["other", "etag"]), Missing, Done),
        (matches(&["other"]), Missing, Failed),
        (matches(&["ETAG"]), Missing, Failed),
        (matches(&[]), Missing, Failed),
    ];
    let outcome = |result: Result<()>| match result {
        Ok(()) => Done,
        Err(Error::PreconditionFailed) => Failed,
        Err(Error::ObjectMissing) => Missing,
        Err(other) => panic!("unexpected: {other:?}"),
    };
    let (old, new) = (pattern(100, 1), pattern(9000, 2));
    for (precondition, absent, present) in cases {
        for (exists, expected) in [(false, absent), (true, present)] {
            for deletes in [false, true] {
                t.delete(&bucket, "key").await?;
                if exists {
                    let object = new_object("key", "etag");
                    t.put_if(&bucket, object, &old, Precondition::None).await?;
                }
                let done = if deletes {
                    let k = key("key");
                    t.0.delete(&bucket, &k, None, precondition.clone())
                        .await
                        .map(drop)
                } else {
                    let object = new_object("key", "new");
                    t.put_if(&bucket, object, &new, precondition.clone())
                        .await
                        .map(drop)
                };
                let case = format!("{precondition:?}, exists: {exists}, deletes: {deletes}");
                let done = outcome(done);
                assert_eq!(done, expected, "{case}");
                let expected = match (done, deletes) {
                    (Done, true) => None,
                    (Done, false) => Some(&new),
                    (Failed | Missing, _) => exists.then_some(&old),
                };
                match (t.get(&bucket, "key").await, expected) {
                    (Ok(read), Some(bytes)) => assert!(read == *bytes, "{case}"),
                    (Err(Error::ObjectMissing), None) => {}
                    (other, _) => panic!("{case}: left {other:?}"),
                }
            }
        }
    }
    Ok(())
}

const WRITERS: usize = 64;

async fn of_many_writers_that_ask_for_absence_one_wins(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    for (round, size) in [100, 50_000].into_iter().enumerate() {
        let name = format!("round {round}");
        let results = join_all((0..WRITERS).map(|writer| {
            let object = new_object(&name, &writer.to_string());
            let (t, bucket) = (&t, &bucket);
            async move {
                let bytes = pattern(size, writer as u64);
                t.put_if(bucket, object, &bytes, Precondition::Absent).await
            }
        }))
        .await;
        one_writer_won(&t, &bucket, &name, size, results).await?;
    }
    Ok(())
}

async fn of_many_writers_that_match_one_etag_one_wins(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    for (round, size) in [100, 50_000].into_iter().enumerate() {
        let name = format!("round {round}");
        let first = new_object(&name, "first");
        t.put_if(&bucket, first, &pattern(10, 0), Precondition::None)
            .await?;
        let results = join_all((0..WRITERS).map(|writer| {
            let object = new_object(&name, &writer.to_string());
            let precondition = Precondition::Matches(vec!["first".to_owned()]);
            let (t, bucket) = (&t, &bucket);
            async move {
                let bytes = pattern(size, writer as u64);
                t.put_if(bucket, object, &bytes, precondition).await
            }
        }))
        .await;
        one_writer_won(&t, &bucket, &name, size, results).await?;
    }
    Ok(())
}

async fn one_writer_won(
    t: &Tester,
    bucket: &Bucket,
    name: &str,
    size: usize,
    results: Vec<Result<Arc<Object>>>,
) -> Result<()> {
    let mut winners = Vec::new();
    for (writer, result) in results.into_iter().enumerate() {
        match result {
            Ok(_) => winners.push(writer),
            Err(Error::PreconditionFailed) => {}
            Err(other) => panic!("writer {writer} was refused with {other:?}"),
        }
    }
    let [winner] = winners.as_slice() else {
        panic!("{} writers won: {winners:?}", winners.len());
    };
    let object = t.0.object(bucket, &key(name), None).await?;
    assert_eq!(object.etag, winner.to_string());
    assert!(t.get(bucket, name).await? == pattern(size, *winner as u64));
    Ok(())
}

async fn documents_of_an_object_are_amended_and_nothing_else(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    for size in [10, 100_000, 2_000_000] {
        let object = NewObject {
            metadata: metadata(&[("content-type", "text/plain")]),
            documents: documents(&[("acl/acl", "private"), ("tag/tags", "a=b")]),
            ..new_object("key", "etag")
        };
        let bytes = pattern(size, 1);
        let put = t
            .put_if(&bucket, object, &bytes, Precondition::None)
            .await?;
        let change = amendment(&[
            ("acl/acl", Some("public")),
            ("tag/tags", None),
            ("hold/hold", Some("on")),
        ]);
        let amended = t.0.amend_object(&bucket, &put, change).await?;
        let mut expected = Object::clone(&put);
        expected.documents = documents(&[("acl/acl", "public"), ("hold/hold", "on")]);
        assert_same(&amended, &expected);
        assert_same(&*t.0.object(&bucket, &put.key, None).await?, &expected);
        assert!(t.get(&bucket, "key").await? == bytes, "{size} bytes");
    }
    Ok(())
}

async fn an_amendment_is_of_the_object_that_was_meant(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let change = || amendment(&[("acl/acl", Some("public"))]);
    for size in [0, 10, 2_000_000] {
        let bytes = pattern(size, 1);
        let meant = t.put(&bucket, "key", &bytes).await?;
        // Alike in all but that it is another.
        let other = t.put(&bucket, "key", &bytes).await?;
        refused!(
            t.0.amend_object(&bucket, &meant, change()).await,
            Error::Conflict
        );
        assert_same(&*t.0.object(&bucket, &key("key"), None).await?, &other);
        let amended = t.0.amend_object(&bucket, &other, change()).await?;
        // It is the same object as before the amendment.
        t.0.amend_object(&bucket, &other, change()).await?;
        t.0.amend_object(&bucket, &amended, change()).await?;
        t.delete(&bucket, "key").await?;
        refused!(
            t.0.amend_object(&bucket, &other, change()).await,
            Error::ObjectMissing
        );
    }
    Ok(())
}

async fn amendments_at_the_same_time_are_all_kept(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let object = t.put(&bucket, "key", &pattern(10, 1)).await?;
    let names: Vec<String> = (0..32).map(|n| format!("plugin/{n:02}")).collect();
    let (store, bucket, object) = (&t.0, &bucket, &object);
    let results = join_all(names.iter().map(|name| async move {
        let change = || amendment(&[(name.as_str(), Some(name.as_str()))]);
        store.amend_bucket(bucket, change()).await?;
        store.amend_object(bucket, object, change()).await
    }))
    .await;
    for result in results {
        result?;
    }
    let expected: Vec<_> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
    let expected = documents(&expected);
    assert_eq!(t.0.bucket(&bucket.name).await?.documents, expected);
    let object = t.0.object(bucket, &object.key, None).await?;
    assert_eq!(object.documents, expected);
    Ok(())
}

/// Keys on which a careless store trips.
fn awkward_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a",
        "a/",
        "a//",
        "a//b",
        "a/b",
        "a/b/",
        "a/b/c",
        "a/b/c/d",
        "a/c",
        "a-",
        "a.b",
        "a0",
        "ab",
        "aa",
        "/",
        "//",
        "/a",
        "//a",
        "/a/b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        " ",
        " a",
        "a ",
        "a b",
        "a+b",
        "a%2Fb",
        "%",
        "a\\b",
        "a\nb",
        "a\tb",
        "\0",
        "a\0",
        "a\0b",
        "\u{1}",
        "\u{7f}",
        "é",
        "e\u{301}",
        "日本/語",
        "日本語",
        "日本",
        "\u{ffff}",
        "\u{fffd}",
        "\u{10ffff}",
        "\u{1f600}",
        "\u{1f600}/x",
        "a\u{10ffff}",
        "a\u{10ffff}b",
        "a--b--c",
        "a--b--d",
        "a-b",
        "a--",
        "a---b",
        "x::y::z",
        "x::y",
        "x:y::z",
        "x:::y",
        "Z",
        "z",
        "<&>\"'",
        "?",
        "#",
        "*",
        "CON",
        "a/b/c/",
        "b/1",
        "b/2",
        "b/3",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push("k".repeat(ObjectKey::LEN_MAX));
    keys.push("k".repeat(ObjectKey::LEN_MAX - 1));
    keys.push("/".repeat(ObjectKey::LEN_MAX));
    keys.push(format!("{}/end", "long/".repeat(200)));
    keys
}

async fn keys_of_every_kind_are_kept_apart(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let other = t.create("bucket2").await?;
    let keys = awkward_keys();
    for (seed, name) in keys.iter().enumerate() {
        t.put(&bucket, name, &pattern(20, seed as u64)).await?;
    }
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(t.keys(&bucket).await?, sorted);
    assert_eq!(t.keys(&other).await?, [] as [&str; 0]);
    for (seed, name) in keys.iter().enumerate() {
        let same = t.get(&bucket, name).await? == pattern(20, seed as u64);
        assert!(same, "{name:?}");
        refused!(t.get(&other, name).await, Error::ObjectMissing);
    }
    for name in &keys {
        t.delete(&bucket, name).await?;
        sorted.retain(|kept| kept != name);
        assert_eq!(t.keys(&bucket).await?, sorted, "without {name:?}");
    }
    Ok(())
}

/// An entry of a listing as text, and whether it is a prefix.
type Shown = (String, bool);

/// The listing by the letter of its definition in [`crate::list`].
fn naive_listing(keys: &[String], query: &ListQuery) -> (Vec<Shown>, bool) {
    let rolled_up = |key: &str| {
        let delimiter = query.delimiter.as_deref()?;
        let (below, _) = key
            .strip_prefix(query.prefix.as_str())?
            .split_once(delimiter)?;
        Some(format!("{}{below}{delimiter}", query.prefix))
    };
    let marker = query.after.as_deref().unwrap_or_default();
    let mut entries = BTreeSet::new();
    for key in keys.iter().filter(|key| key.starts_with(&query.prefix)) {
        match rolled_up(key) {
            None if key.as_str() > marker => {
                entries.insert((key.clone(), false));
            }
            Some(prefix)
                if prefix.as_str() > marker
                    || (marker.starts_with(&prefix)
                        && marker != prefix
                        && key.as_str() > marker) =>
            {
                entries.insert((prefix, true));
            }
            None | Some(_) => {}
        }
    }
    let truncated = query.limit > 0 && entries.len() > query.limit;
    (entries.into_iter().take(query.limit).collect(), truncated)
}

fn shown(entries: &[Entry<Arc<Object>>]) -> Vec<Shown> {
    let shown = |entry: &Entry<_>| match entry {
        Entry::Item(object) => {
            let object: &Arc<Object> = object;
            (object.key.as_str().to_owned(), false)
        }
        Entry::Prefix(prefix) => (prefix.clone(), true),
    };
    entries.iter().map(shown).collect()
}

const PREFIXES: &[&str] = &[
    "",
    "a",
    "a/",
    "a//",
    "a/b",
    "a/b/",
    "/",
    "//",
    "a-",
    "a--",
    "x:",
    "日",
    "日本/",
    "k",
    "nope",
    "\u{10ffff}",
    "\0",
    "b/",
];
const DELIMITERS: &[Option<&str>] = &[
    None,
    Some("/"),
    Some("//"),
    Some("--"),
    Some("::"),
    Some("b"),
    Some("本"),
    Some("\0"),
    Some("\u{10ffff}"),
];

async fn a_listing_is_what_the_naive_listing_is(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let keys = awkward_keys();
    for name in &keys {
        t.put(&bucket, name, &Bytes::new()).await?;
    }
    let others = [
        "a/b0",
        "a/b/\u{10ffff}",
        "a/zzz",
        "m",
        "a--b",
        "x::",
        "日本/",
    ];
    let markers: Vec<&str> = keys.iter().map(String::as_str).chain(others).collect();
    let mut random = Random(42);
    for prefix in PREFIXES {
        for delimiter in DELIMITERS {
            let mut afters = vec![None, Some(""), Some(*prefix)];
            afters.extend((0..12).map(|_| Some(*random.pick(&markers))));
            for after in afters {
                for limit in [0, 1, 2, 3, 1000] {
                    let query = ListQuery {
                        prefix: (*prefix).to_owned(),
                        delimiter: delimiter.map(str::to_owned),
                        after: after.map(str::to_owned),
                        limit,
                    };
                    let page = t.0.list_objects(&bucket, &query).await?;
                    assert_eq!(
                        (shown(&page.entries), page.truncated),
                        naive_listing(&keys, &query),
                        "{query:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

async fn a_listing_is_walked_in_pages_without_gap_or_repetition(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let keys = awkward_keys();
    for name in &keys {
        t.put(&bucket, name, &Bytes::new()).await?;
    }
    for prefix in PREFIXES {
        for delimiter in DELIMITERS {
            let mut query = ListQuery {
                prefix: (*prefix).to_owned(),
                delimiter: delimiter.map(str::to_owned),
                after: None,
                limit: 1000,
            };
            let (expected, _) = naive_listing(&keys, &query);
            for limit in [1, 3] {
                query.limit = limit;
                query.after = None;
                let mut walked = Vec::new();
                while walked.len() <= expected.len() {
                    let page = t.0.list_objects(&bucket, &query).await?;
                    walked.extend(shown(&page.entries));
                    query.after = page.entries.last().map(|entry| entry.marker().to_owned());
                    if !page.truncated {
                        break;
                    }
                    assert_eq!(page.entries.len(), limit, "{query:?}");
                }
                assert_eq!(walked, expected, "{query:?}");
            }
        }
    }
    Ok(())
}

async fn an_object_is_the_named_parts_in_the_named_order(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    type Sizes<'a> = &'a [(u16, usize)];
    // Parts that are uploaded, and the numbers that are named.
    let cases: [(Sizes<'_>, &[u16]); 6] = [
        (&[(1, 10)], &[1]),
        (&[(1, 0)], &[1]),
        (&[(2, 100_000), (1, 5)], &[1, 2]),
        (&[(1, 1_100_000), (2, 1_200_001), (3, 77)], &[1, 2, 3]),
        (&[(1, 5000), (5, 300_000), (10_000, 9)], &[5, 10_000]),
        (&[(1, 300_000), (2, 200), (3, 200_000)], &[1, 3]),
    ];
    for (case, (uploaded, named)) in cases.into_iter().enumerate() {
        let name = format!("case {case}");
        let upload = t.0.create_upload(&bucket, new_upload(&name)).await?;
        assert_eq!(upload.key, key(&name));
        let found = t.0.upload(&bucket, &upload.key, upload.id).await?;
        assert_eq!(
            (found.id, found.owner, found.initiator, found.initiated),
            (
                upload.id,
                OWNER.to_owned(),
                "initiator".to_owned(),
                upload.initiated
            )
        );
        assert_eq!(found.metadata, new_upload(&name).metadata);
        assert_eq!(found.documents, new_upload(&name).documents);
        let mut contents = BTreeMap::new();
        for (number, size) in uploaded {
            let bytes = pattern(*size, u64::from(*number));
            let etag = number.to_string();
            t.put_part(&bucket, &upload, *number, &etag, &bytes).await?;
            contents.insert(*number, bytes);
        }
        refused!(t.get(&bucket, &name).await, Error::ObjectMissing);

        let etags: Vec<_> = named.iter().map(u16::to_string).collect();
        let parts: Vec<_> = named
            .iter()
            .zip(&etags)
            .map(|(n, e)| (*n, e.as_str()))
            .collect();
        let object = t
            .complete(&bucket, &upload, &parts, Precondition::None)
            .await?;
        let expected: Vec<Bytes> = named.iter().map(|n| contents[n].clone()).collect();
        let bytes = expected.concat();
        assert_eq!(object.size, bytes.len() as u64);
        assert_eq!(object.etag, "completed");
        assert_eq!(object.metadata, upload.metadata);
        assert_eq!(object.documents, upload.documents);
        let recorded = |(number, etag): &(u16, &str)| Part {
            number: part_number(*number),
            size: contents[number].len() as u64,
            metadata: metadata(&[("etag", etag)]),
        };
        let recorded: Vec<_> = parts.iter().map(recorded).collect();
        assert_eq!(object.parts, recorded);
        let read = t.0.object(&bucket, &key(&name), None).await?;
        assert_same(&object, &read);
        for (start, end) in ranges(object.size) {
            let same = t.read(&object, start..end).await? == bytes[start as usize..end as usize];
            assert!(same, "{start}..{end} of {name}");
        }
        refused!(
            t.0.upload(&bucket, &upload.key, upload.id).await,
            Error::UploadMissing
        );
        refused!(
            t.complete(&bucket, &upload, &parts, Precondition::None)
                .await,
            Error::UploadMissing
        );
    }
    Ok(())
}

async fn a_part_that_is_uploaded_again_replaces_the_first(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
    t.put_part(&bucket, &upload, 1, "first", &pattern(200_000, 1))
        .await?;
    t.put_part(&bucket, &upload, 1, "second", &pattern(70, 2))
        .await?;
    let none = || Precondition::None;
    let listed =
        t.0.list_parts(&bucket, &upload.key, upload.id, None, 10)
            .await?
            .entries;
    let listed: Vec<_> = listed.iter().map(|p| (p.etag.as_str(), p.size)).collect();
    assert_eq!(listed, [("second", 70)]);
    refused!(
        t.complete(&bucket, &upload, &[(1, "first")], none()).await,
        Error::PartMissing { .. }
    );
    t.complete(&bucket, &upload, &[(1, "second")], none())
        .await?;
    assert!(t.get(&bucket, "key").await? == pattern(70, 2));
    Ok(())
}

async fn a_completion_that_is_refused_leaves_the_upload(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
    t.put_part(&bucket, &upload, 1, "one", &pattern(10, 1))
        .await?;
    t.put_part(&bucket, &upload, 3, "three", &pattern(10, 3))
        .await?;
    t.put(&bucket, "key", &pattern(10, 9)).await?;
    let cases: [(&[(u16, &str)], u16); 4] = [
        (&[(1, "two")], 1),
        (&[(2, "two")], 2),
        (&[(1, "one"), (2, "one")], 2),
        (&[(1, "one"), (3, "")], 3),
    ];
    for (parts, missing) in cases {
        match t
            .complete(&bucket, &upload, parts, Precondition::None)
            .await
        {
            Err(Error::PartMissing { number }) => assert_eq!(number.get(), missing, "{parts:?}"),
            other => panic!("{parts:?} were completed: {other:?}"),
        }
    }
    let parts = [(1, "one"), (3, "three")];
    let matching = Precondition::Matches(vec!["other".to_owned()]);
    for precondition in [Precondition::Absent, matching] {
        refused!(
            t.complete(&bucket, &upload, &parts, precondition).await,
            Error::PreconditionFailed
        );
    }
    assert!(t.get(&bucket, "key").await? == pattern(10, 9));
    t.0.upload(&bucket, &upload.key, upload.id).await?;
    t.complete(&bucket, &upload, &parts, Precondition::Present)
        .await?;
    let bytes = [pattern(10, 1), pattern(10, 3)].concat();
    assert!(t.get(&bucket, "key").await? == bytes);
    Ok(())
}

async fn an_aborted_upload_is_gone(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
    t.put_part(&bucket, &upload, 1, "one", &pattern(2_000_000, 1))
        .await?;
    let (k, id) = (&upload.key, upload.id);
    t.0.abort_upload(&bucket, k, id).await?;
    refused!(t.0.upload(&bucket, k, id).await, Error::UploadMissing);
    refused!(t.0.abort_upload(&bucket, k, id).await, Error::UploadMissing);
    refused!(
        t.put_part(&bucket, &upload, 2, "two", &pattern(10, 1))
            .await,
        Error::UploadMissing
    );
    refused!(
        t.0.list_parts(&bucket, k, id, None, 10).await,
        Error::UploadMissing
    );
    refused!(
        t.complete(&bucket, &upload, &[(1, "one")], Precondition::None)
            .await,
        Error::UploadMissing
    );
    refused!(t.get(&bucket, "key").await, Error::ObjectMissing);
    t.0.delete_bucket(&bucket).await
}

async fn an_upload_is_found_only_under_its_key(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let other = t.create("other").await?;
    let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
    let elsewhere = |key: ObjectKey, id| Upload {
        key,
        id,
        ..upload.clone()
    };
    let cases = [
        (&bucket, elsewhere(key("key2"), upload.id)),
        (&bucket, elsewhere(key("key"), UploadId(upload.id.0 ^ 1))),
        (&other, elsewhere(key("key"), upload.id)),
    ];
    for (bucket, wrong) in cases {
        let (k, id) = (&wrong.key, wrong.id);
        refused!(t.0.upload(bucket, k, id).await, Error::UploadMissing);
        refused!(
            t.put_part(bucket, &wrong, 1, "one", &pattern(10, 1)).await,
            Error::UploadMissing
        );
        refused!(
            t.0.list_parts(bucket, k, id, None, 1).await,
            Error::UploadMissing
        );
        refused!(
            t.complete(bucket, &wrong, &[], Precondition::None).await,
            Error::UploadMissing
        );
        refused!(t.0.abort_upload(bucket, k, id).await, Error::UploadMissing);
    }
    t.0.abort_upload(&bucket, &upload.key, upload.id).await
}

async fn parts_are_listed_by_number_in_pages(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
    for number in [10_000, 2, 300, 1, 256] {
        let etag = number.to_string();
        let bytes = pattern(usize::from(number), 1);
        t.put_part(&bucket, &upload, number, &etag, &bytes).await?;
    }
    let cases: [(Option<u16>, usize, &[u16], bool); 7] = [
        (None, 10, &[1, 2, 256, 300, 10_000], false),
        (None, 5, &[1, 2, 256, 300, 10_000], false),
        (None, 2, &[1, 2], true),
        (Some(2), 2, &[256, 300], true),
        (Some(3), 3, &[256, 300, 10_000], false),
        (Some(10_000), 3, &[], false),
        (None, 0, &[], false),
    ];
    for (after, limit, numbers, truncated) in cases {
        let after = after.map(part_number);
        let page =
            t.0.list_parts(&bucket, &upload.key, upload.id, after, limit)
                .await?;
        let listed: Vec<_> = page.entries.iter().map(|part| part.number.get()).collect();
        assert_eq!(
            (listed.as_slice(), page.truncated),
            (numbers, truncated),
            "{limit} after {after:?}"
        );
        for part in page.entries {
            assert_eq!(part.etag, part.number.to_string());
            assert_eq!(part.size, u64::from(part.number.get()));
            assert_eq!(part.metadata, metadata(&[("etag", &part.etag)]));
        }
    }
    Ok(())
}

async fn uploads_are_listed_by_key_and_age(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let mut uploads = Vec::new();
    for name in ["b", "a", "a/1", "a/2", "b", "a", "b/1", "a", "c--d", "ü"] {
        uploads.push(t.0.create_upload(&bucket, new_upload(name)).await?);
    }
    // In the order of creation, the ids of one key grow.
    let place = |upload: &Upload| {
        let at = uploads.iter().position(|other| other.id == upload.id);
        at.expect("only what was started is listed")
    };
    let text = |entry: &Entry<Upload>| match entry {
        Entry::Item(upload) => format!("{}#{}", upload.key, place(upload)),
        Entry::Prefix(prefix) => prefix.clone(),
    };
    let after_key = |text: &str| Some(UploadMarker::Key(text.to_owned()));
    let after = |at: usize| {
        Some(UploadMarker::Upload(
            uploads[at].key.clone(),
            uploads[at].id,
        ))
    };
    let all = "a#1 a#5 a#7 a/1#2 a/2#3 b#0 b#4 b/1#6 c--d#8 ü#9";
    let cases = [
        ("", None, None, 100, all, false),
        ("", None, None, 10, all, false),
        ("", None, None, 3, "a#1 a#5 a#7", true),
        ("a", None, None, 100, "a#1 a#5 a#7 a/1#2 a/2#3", false),
        (
            "",
            Some("/"),
            None,
            100,
            "a#1 a#5 a#7 a/ b#0 b#4 b/ c--d#8 ü#9",
            false,
        ),
        ("", Some("--"), after_key("b/1"), 100, "c-- ü#9", false),
        ("", Some("/"), after(1), 3, "a#5 a#7 a/", true),
        ("", Some("/"), after(7), 1, "a/", true),
        ("", Some("/"), after_key("a"), 2, "a/ b#0", true),
        ("", Some("/"), after_key("a/"), 2, "b#0 b#4", true),
        ("", Some("/"), after_key("a/1"), 1, "a/", true),
        ("", Some("/"), after_key("a/2"), 1, "b#0", true),
        ("", Some("/"), after(2), 1, "a/", true),
        ("", Some("/"), after(3), 1, "b#0", true),
        ("a/", Some("/"), None, 100, "a/1#2 a/2#3", false),
        ("", None, after(4), 1, "b/1#6", true),
        ("", None, after_key("ü"), 1, "", false),
        ("", None, None, 0, "", false),
    ];
    for (prefix, delimiter, after, limit, expected, truncated) in cases {
        let query = UploadQuery {
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            after,
            limit,
        };
        let page = t.0.list_uploads(&bucket, &query).await?;
        let listed: Vec<String> = page.entries.iter().map(text).collect();
        assert_eq!(
            (listed.join(" ").as_str(), page.truncated),
            (expected, truncated),
            "{query:?}"
        );
    }
    Ok(())
}

async fn of_completions_at_the_same_time_one_wins(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
    t.put_part(&bucket, &upload, 1, "one", &pattern(100_000, 1))
        .await?;
    let results =
        join_all((0..16).map(|_| t.complete(&bucket, &upload, &[(1, "one")], Precondition::None)))
            .await;
    let mut winners = 0;
    for result in results {
        match result {
            Ok(_) => winners += 1,
            Err(Error::UploadMissing) => {}
            Err(other) => panic!("a completion was refused with {other:?}"),
        }
    }
    assert_eq!(winners, 1);
    assert!(t.get(&bucket, "key").await? == pattern(100_000, 1));
    Ok(())
}

async fn what_an_upload_has_become_is_found_while_it_is_there(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    let mut versioning = bucket.clone();
    for state in [
        Versioning::Never,
        Versioning::Enabled,
        Versioning::Suspended,
    ] {
        versioning = t.0.set_versioning(&versioning, state).await?;
        for replaced in [false, true] {
            let upload = t.0.create_upload(&bucket, new_upload("key")).await?;
            t.put_part(&bucket, &upload, 1, "one", &pattern(10, 1))
                .await?;
            let completed = || t.0.completed(&bucket, &upload.key, upload.id);
            refused!(completed().await, Error::UploadMissing);
            let parts = [(1, "one")];
            let made = t
                .complete(&bucket, &upload, &parts, Precondition::None)
                .await?;
            assert_same(&*completed().await?, &made);
            let amended = amendment(&[("acl/acl", Some("1"))]);
            let amended = t.0.amend_object(&bucket, &made, amended).await?;
            assert_same(&*completed().await?, &amended);
            let other = UploadId(upload.id.0 ^ 1);
            let elsewhere = t.0.completed(&bucket, &upload.key, other);
            refused!(elsewhere.await, Error::UploadMissing);
            if replaced {
                t.put(&bucket, "key", &pattern(10, 2)).await?;
            }
            // Under versions it is there until it is deleted by its name.
            if replaced && state != Versioning::Enabled {
                refused!(completed().await, Error::UploadMissing);
                continue;
            }
            assert_same(&*completed().await?, &amended);
            let none = Precondition::None;
            t.0.delete(&bucket, &upload.key, Some(made.version), none)
                .await?;
            refused!(completed().await, Error::UploadMissing);
        }
    }
    Ok(())
}

async fn a_copy_outlives_its_source(t: Tester) -> Result<()> {
    let source = t.create("source").await?;
    let target = t.create("target").await?;
    for size in [0, 100, 100_000, 2_500_000] {
        let bytes = pattern(size, 1);
        let object = t.put(&source, "key", &bytes).await?;
        let upload = t.0.create_upload(&source, new_upload("parts")).await?;
        t.put_part(&source, &upload, 1, "one", &bytes).await?;
        t.put_part(&source, &upload, 2, "two", &bytes).await?;
        let none = Precondition::None;
        let parts = [(1, "one"), (2, "two")];
        let parted = t.complete(&source, &upload, &parts, none).await?;
        for (object, bytes) in [
            (object, bytes.clone()),
            (parted, [bytes.clone(), bytes].concat().into()),
        ] {
            for (bucket, name) in [(&target, "copy"), (&source, "copy")] {
                let staged = match t.0.share(&object, bucket).await? {
                    Some(staged) => staged,
                    None => {
                        t.stage(bucket, &t.read(&object, 0..object.size).await?)
                            .await?
                    }
                };
                assert_eq!(staged.length, object.size);
                let new = new_object(name, "copied");
                t.0.put(bucket, new, staged, Precondition::None).await?;
            }
            t.delete(&source, object.key.as_str()).await?;
            t.put(&source, "unrelated", &pattern(size, 5)).await?;
            for bucket in [&target, &source] {
                let copy = t.get(bucket, "copy").await?;
                assert!(copy == bytes, "a copy of {size} bytes in {}", bucket.name);
            }
        }
    }
    Ok(())
}

async fn bytes_that_are_not_put_leave_nothing(t: Tester) -> Result<()> {
    let bucket = t.create("bucket").await?;
    for size in [1, 10_000, 200_000, 3_000_000] {
        let bytes = pattern(size, 1);
        drop(t.0.stage(&bucket, Some(size as u64)).await?);
        let mut sink = t.0.stage(&bucket, Some(size as u64)).await?;
        sink.write(bytes.slice(..size / 2)).await?;
        drop(sink);
        let mut sink = t.0.stage(&bucket, None).await?;
        sink.write(bytes.clone()).await?;
        drop(sink);
        drop(t.stage(&bucket, &bytes).await?);
    }
    assert_eq!(t.keys(&bucket).await?, [] as [&str; 0]);
    t.0.delete_bucket(&bucket).await
}

async fn a_random_history_agrees_with_the_model(t: Tester) -> Result<()> {
    agree(t.0, 1, 600).await
}
