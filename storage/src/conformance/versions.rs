//! Versions: what each write and delete makes of the versions of a key, in each
//! state of its bucket, and how they are listed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use super::{OWNER, Tester, awkward_keys, key, new_bucket, new_object, new_upload, pattern};
use crate::document::Amendment;
use crate::error::{Error, Result};
use crate::list::{Entry, ListQuery, Listed, VersionEntry, VersionMarker, VersionQuery};
use crate::name::VersionId;
use crate::record::{Bucket, NewBucket, Object, Precondition, Versioning};
use crate::store::Deleted;

/// What happens to the key, in the notation of the tables below.
#[derive(Debug, Clone, Copy)]
enum Act {
    Enable,
    Suspend,
    /// With this etag.
    Put(&'static str),
    /// By copying what is stored under another key.
    Share(&'static str),
    /// In two parts.
    Complete(&'static str),
    Delete,
    /// Removes the version that is so many places behind the newest.
    Remove(usize),
    /// Removes the null version, whether there is one or not.
    RemoveNull,
    /// Removes a version that never was.
    RemoveUnknown,
    /// Amends the documents of the version at this place.
    Amend(usize),
}

use Act::{
    Amend, Complete, Delete, Enable, Put, Remove, RemoveNull, RemoveUnknown, Share, Suspend,
};

/// What is listed of a key: `a` is an object with that etag, `-` a delete
/// marker, and one that ends in `0` is the null version.
const HISTORIES: &[(&[Act], &str)] = &[
    // Never enabled: there is one version.
    (&[], ""),
    (&[Put("a")], "a0"),
    (&[Put("a"), Put("b")], "b0"),
    (&[Put("a"), Delete], ""),
    (&[Delete], ""),
    (&[Put("a"), RemoveNull], ""),
    (&[Put("a"), RemoveUnknown], "a0"),
    (&[Complete("a")], "a0"),
    (&[Put("a"), Complete("b")], "b0"),
    (&[Put("a"), Share("b")], "b0"),
    // Enabled: everything is kept.
    (&[Enable, Put("a")], "a"),
    (&[Enable, Put("a"), Put("b")], "b a"),
    (&[Put("a"), Enable], "a0"),
    (&[Put("a"), Enable, Put("b")], "b a0"),
    (&[Put("a"), Enable, Delete], "- a0"),
    (&[Enable, Delete], "-"),
    (&[Enable, Delete, Delete], "- -"),
    (&[Enable, Put("a"), Delete, Put("b")], "b - a"),
    (&[Enable, Put("a"), Delete, Delete], "- - a"),
    (&[Enable, Put("a"), Complete("b"), Share("c")], "c b a"),
    (&[Put("a"), Enable, Enable, Put("b")], "b a0"),
    // A version that is removed uncovers the next.
    (&[Enable, Put("a"), Remove(0)], ""),
    (&[Enable, Put("a"), Put("b"), Remove(0)], "a"),
    (&[Enable, Put("a"), Put("b"), Remove(1)], "b"),
    (&[Enable, Put("a"), Delete, Remove(0)], "a"),
    (&[Enable, Put("a"), Delete, Remove(1)], "-"),
    (&[Enable, Delete, Remove(0)], ""),
    (&[Enable, Put("a"), Delete, Delete, Remove(0)], "- a"),
    (&[Enable, Put("a"), Delete, Delete, Remove(1)], "- a"),
    (&[Enable, Put("a"), Delete, Put("b"), Remove(0)], "- a"),
    (&[Enable, Put("a"), Delete, Put("b"), Remove(1)], "b a"),
    (
        &[Enable, Put("a"), Put("b"), Put("c"), Remove(1), Remove(0)],
        "a",
    ),
    (&[Put("a"), Enable, Put("b"), RemoveNull], "b"),
    (&[Put("a"), Enable, Delete, RemoveNull], "-"),
    (&[Put("a"), Enable, Delete, Remove(0)], "a0"),
    (&[Enable, Put("a"), RemoveNull], "a"),
    (&[Enable, Put("a"), RemoveUnknown], "a"),
    // Suspended: the null version is replaced, at the time of the write.
    (&[Suspend, Put("a")], "a0"),
    (&[Suspend, Put("a"), Put("b")], "b0"),
    (&[Suspend, Delete], "-0"),
    (&[Suspend, Delete, Delete], "-0"),
    (&[Suspend, Put("a"), Delete], "-0"),
    (&[Suspend, Delete, Put("a")], "a0"),
    (&[Suspend, Delete, RemoveNull], ""),
    (&[Put("a"), Suspend, Put("b")], "b0"),
    (&[Enable, Put("a"), Suspend], "a"),
    (&[Enable, Put("a"), Suspend, Put("b")], "b0 a"),
    (&[Enable, Put("a"), Suspend, Complete("b")], "b0 a"),
    (&[Enable, Put("a"), Suspend, Share("b")], "b0 a"),
    (&[Enable, Put("a"), Suspend, Put("b"), Put("c")], "c0 a"),
    (&[Enable, Put("a"), Suspend, Delete], "-0 a"),
    (&[Enable, Put("a"), Suspend, Delete, Delete], "-0 a"),
    (&[Enable, Put("a"), Suspend, Delete, RemoveNull], "a"),
    (&[Enable, Put("a"), Suspend, Put("b"), RemoveNull], "a"),
    (&[Enable, Put("a"), Suspend, Put("b"), Remove(1)], "b0"),
    (
        &[Enable, Put("a"), Suspend, Put("b"), Remove(1), Delete],
        "-0",
    ),
    (&[Put("a"), Enable, Put("b"), Suspend, Put("c")], "c0 b"),
    (&[Put("a"), Enable, Put("b"), Suspend, Delete], "-0 b"),
    (&[Put("a"), Enable, Delete, Suspend, Put("c")], "c0 -"),
    (&[Put("a"), Enable, Delete, Suspend, Delete], "-0 -"),
    // Enabled again: the null version keeps its place.
    (&[Suspend, Put("a"), Enable, Put("b")], "b a0"),
    (&[Suspend, Delete, Enable, Put("b")], "b -0"),
    (&[Suspend, Delete, Enable, Delete], "- -0"),
    (&[Suspend, Delete, Enable, Put("b"), Remove(0)], "-0"),
    (
        &[
            Enable,
            Put("a"),
            Suspend,
            Put("b"),
            Enable,
            Put("c"),
            Suspend,
            Put("d"),
        ],
        "d0 c a",
    ),
    // An amendment changes no order and no name.
    (&[Put("a"), Amend(0)], "a0"),
    (&[Enable, Put("a"), Put("b"), Amend(1)], "b a"),
    (&[Enable, Put("a"), Put("b"), Amend(0), Put("c")], "c b a"),
    (&[Enable, Put("a"), Delete, Amend(1)], "- a"),
    (&[Enable, Put("a"), Delete, Amend(1), Remove(0)], "a"),
    (
        &[Enable, Put("a"), Suspend, Put("b"), Amend(1), Amend(0)],
        "b0 a",
    ),
    (
        &[Put("a"), Enable, Put("b"), Amend(1), Remove(0), Put("c")],
        "c a0",
    ),
];

/// Above what the engines keep beside their records.
const LARGE: usize = 400_000;

fn content(etag: &str) -> Bytes {
    let seed = etag
        .bytes()
        .fold(7, |seed, byte| seed * 31 + u64::from(byte));
    let size = match seed % 3 {
        0 => 100,
        1 => 20_000,
        _ => LARGE,
    };
    pattern(size, seed)
}

pub(super) async fn each_state_makes_its_own_versions(t: Tester) -> Result<()> {
    for (case, (acts, expected)) in HISTORIES.iter().enumerate() {
        let bucket = t.create(&format!("case-{case}")).await?;
        // Neighbours in the order of names must not be taken for versions.
        for name in ["ke", "key\0", "key/"] {
            t.put(&bucket, name, &pattern(10, 1)).await?;
        }
        for act in *acts {
            t.act(&bucket, *act).await?;
        }
        let bucket = t.0.bucket(&bucket.name).await?;
        let listed = t.history(&bucket, "key").await?;
        let shown: Vec<String> = listed.iter().map(shown).collect();
        assert_eq!(shown.join(" "), *expected, "after {acts:?}");
        t.check_history(&bucket, &listed, &format!("{acts:?}"))
            .await?;
    }
    Ok(())
}

fn shown(entry: &VersionEntry) -> String {
    let (what, version) = match &entry.version {
        Listed::Object(object) => (object.etag.as_str(), object.version),
        Listed::Marker(marker) => ("-", marker.version),
    };
    match version {
        VersionId::Null => format!("{what}0"),
        VersionId::Id(_) => what.to_owned(),
    }
}

impl Tester {
    /// Does it to `key`.
    async fn act(&self, bucket: &Bucket, act: Act) -> Result<()> {
        let k = key("key");
        // The answer to a write in a bucket that keeps versions has an id.
        let bucket = &*self.0.bucket(&bucket.name).await?;
        let check = |object: &Object| {
            let keeps = bucket.versioning == Versioning::Enabled;
            assert_eq!(object.version != VersionId::Null, keeps, "{act:?}");
        };
        match act {
            Enable | Suspend => {
                let to = match act {
                    Enable => Versioning::Enabled,
                    _ => Versioning::Suspended,
                };
                let set = self.0.set_versioning(bucket, to).await?;
                assert_eq!(set.versioning, to);
                assert_eq!(self.0.bucket(&bucket.name).await?, set);
            }
            Put(etag) => {
                let object = new_object("key", etag);
                let none = Precondition::None;
                check(&*self.put_if(bucket, object, &content(etag), none).await?);
            }
            Share(etag) => {
                let source = self.put(bucket, "source", &content(etag)).await?;
                let shared = self.0.share(&source, bucket).await?;
                let shared = shared.expect("within a bucket every copy is shared");
                let object = new_object("key", etag);
                let none = Precondition::None;
                check(&*self.0.put(bucket, object, shared, none).await?);
                let version = Some(source.version);
                let none = Precondition::None;
                self.0.delete(bucket, &source.key, version, none).await?;
            }
            Complete(etag) => {
                let upload = self.0.create_upload(bucket, new_upload("key")).await?;
                let bytes = content(etag);
                let middle = bytes.len() / 2;
                let halves = [bytes.slice(..middle), bytes.slice(middle..)];
                for (half, number) in halves.iter().zip(1..) {
                    self.put_part(bucket, &upload, number, "part", half).await?;
                }
                let parts = [(1, "part"), (2, "part")].map(|(number, etag): (u16, &str)| {
                    (super::part_number(number), etag.to_owned())
                });
                let object = new_object("key", etag);
                let none = Precondition::None;
                let completed = self
                    .0
                    .complete_upload(bucket, upload.id, &parts, object, none);
                check(&*completed.await?);
            }
            Delete => {
                let before = self.history(bucket, "key").await?;
                let deleted = self.delete(bucket, "key").await?;
                let after = self.history(bucket, "key").await?;
                let expected = match bucket.versioning {
                    Versioning::Never => Deleted {
                        version: before.first().map(|entry| entry.version.version()),
                        marker: false,
                    },
                    Versioning::Enabled | Versioning::Suspended => Deleted {
                        version: after.first().map(|entry| entry.version.version()),
                        marker: true,
                    },
                };
                assert_eq!(deleted, expected, "a delete while {:?}", bucket.versioning);
            }
            Remove(at) => {
                let entry = self.history(bucket, "key").await?.remove(at);
                let (version, is_marker) = facts(&entry);
                self.remove(bucket, version, Some(is_marker)).await?;
                self.remove(bucket, version, None).await?;
            }
            RemoveNull => {
                let listed = self.history(bucket, "key").await?;
                let facts = listed.iter().map(facts);
                let null = facts.into_iter().find(|(name, _)| *name == VersionId::Null);
                let there = null.map(|(_, is_marker)| is_marker);
                self.remove(bucket, VersionId::Null, there).await?;
            }
            RemoveUnknown => self.remove(bucket, VersionId::Id(7), None).await?,
            Amend(at) => {
                let entry = self.history(bucket, "key").await?.remove(at);
                let version = Some(entry.version.version());
                let object = self.0.object(bucket, &k, version).await?;
                let mut change = Amendment::default();
                change.put("test/amended".to_owned(), Bytes::from_static(b"yes"));
                let amended = self.0.amend_object(bucket, &object, change).await?;
                assert_eq!((amended.id, amended.version), (object.id, object.version));
                let read = self.0.object(bucket, &k, version).await?;
                assert!(read.documents.get("test/amended").is_some());
            }
        }
        Ok(())
    }

    /// Removes a version of `key`; `marker` is what it is, if it is there.
    async fn remove(
        &self,
        bucket: &Bucket,
        version: VersionId,
        marker: Option<bool>,
    ) -> Result<()> {
        let none = Precondition::None;
        let removed = self
            .0
            .delete(bucket, &key("key"), Some(version), none)
            .await?;
        let expected = Deleted {
            version: marker.map(|_| version),
            marker: marker == Some(true),
        };
        assert_eq!(removed, expected, "a removal of {version:?}");
        Ok(())
    }

    /// All versions of a key, the newest first.
    pub(super) async fn history(&self, bucket: &Bucket, name: &str) -> Result<Vec<VersionEntry>> {
        let mut all = self.all_versions(bucket).await?;
        all.retain(|entry| entry.version.key().as_str() == name);
        Ok(all)
    }

    pub(super) async fn all_versions(&self, bucket: &Bucket) -> Result<Vec<VersionEntry>> {
        let query = VersionQuery {
            limit: 10_000,
            ..VersionQuery::default()
        };
        let page = self.0.list_versions(bucket, &query).await?;
        assert!(!page.truncated, "a page that holds all is truncated");
        let items = page.entries.into_iter().map(|entry| match entry {
            Entry::Item(item) => item,
            Entry::Prefix(prefix) => panic!("{prefix} was rolled up without a delimiter"),
        });
        Ok(items.collect())
    }

    /// Everything else that can be asked of `key` agrees with its listing.
    async fn check_history(
        &self,
        bucket: &Bucket,
        listed: &[VersionEntry],
        case: &str,
    ) -> Result<()> {
        let k = key("key");
        let mut ids = Vec::new();
        for (at, entry) in listed.iter().enumerate() {
            assert_eq!(entry.latest, at == 0, "{case}: the latest");
            let version = entry.version.version();
            if let VersionId::Id(id) = version {
                ids.push(id);
            }
            let named = self.0.object(bucket, &k, Some(version)).await;
            match (&entry.version, named) {
                (Listed::Object(listed), Ok(object)) => {
                    let same = (object.id, object.version, &object.etag)
                        == (listed.id, version, &listed.etag);
                    assert!(same, "{case}: {object:?} is listed as {listed:?}");
                    let bytes = self.read(&object, 0..object.size).await?;
                    assert!(
                        bytes == content(&object.etag),
                        "{case}: the bytes of {version:?}"
                    );
                }
                (Listed::Marker(listed), Err(Error::Marker(marker))) => {
                    assert_eq!(*listed, marker, "{case}");
                    assert_eq!((&marker.key, marker.owner.as_str()), (&k, OWNER), "{case}");
                }
                (_, found) => panic!("{case}: {entry:?} was found as {found:?}"),
            }
        }
        assert!(
            ids.is_sorted_by(|newer, older| newer > older),
            "{case}: the order of ids"
        );
        let current = self.0.object(bucket, &k, None).await;
        let visible = match (listed.first().map(|entry| &entry.version), current) {
            (None, Err(Error::ObjectMissing)) => false,
            (Some(Listed::Object(newest)), Ok(object)) => {
                assert_eq!(newest.id, object.id, "{case}: the current version");
                true
            }
            (Some(Listed::Marker(newest)), Err(Error::Marker(marker))) => {
                assert_eq!(*newest, marker, "{case}: the current version");
                false
            }
            (newest, found) => panic!("{case}: current is {newest:?}, found {found:?}"),
        };
        let keys = self.keys(bucket).await?;
        assert_eq!(
            keys.contains(&"key".to_owned()),
            visible,
            "{case}: in the listing"
        );
        self.check_usage(bucket, case).await
    }

    /// What is counted is what is there.
    async fn check_usage(&self, bucket: &Bucket, case: &str) -> Result<()> {
        let usage = self.0.usage(bucket).await?;
        let (mut bytes, mut objects) = (0, 0);
        for entry in self.all_versions(bucket).await? {
            if let Listed::Object(object) = entry.version {
                bytes += object.size;
                objects += 1;
            }
        }
        assert_eq!(
            (usage.bytes, usage.objects),
            (bytes, objects),
            "{case}: the usage"
        );
        Ok(())
    }

    pub(super) async fn create_versioned(&self, name: &str) -> Result<Arc<Bucket>> {
        let bucket = NewBucket {
            versioning: Versioning::Enabled,
            ..new_bucket(name)
        };
        self.0.create_bucket(bucket).await
    }
}

/// The version of an entry, and whether it is a marker.
fn facts(entry: &VersionEntry) -> (VersionId, bool) {
    let is_marker = matches!(entry.version, Listed::Marker(_));
    (entry.version.version(), is_marker)
}

pub(super) async fn a_bucket_that_kept_versions_never_forgets_that(t: Tester) -> Result<()> {
    use Versioning::{Enabled, Never, Suspended};
    for (from, to, expected) in [
        (Never, Never, Never),
        (Never, Enabled, Enabled),
        (Never, Suspended, Suspended),
        (Enabled, Never, Enabled),
        (Enabled, Enabled, Enabled),
        (Enabled, Suspended, Suspended),
        (Suspended, Never, Suspended),
        (Suspended, Enabled, Enabled),
    ] {
        let bucket = NewBucket {
            versioning: from,
            ..new_bucket("bucket")
        };
        let bucket = t.0.create_bucket(bucket).await?;
        assert_eq!(bucket.versioning, from);
        let set = t.0.set_versioning(&bucket, to).await?;
        assert_eq!(set.versioning, expected, "{from:?} to {to:?}");
        assert_eq!(t.0.bucket(&bucket.name).await?, set);
        t.0.delete_bucket(&bucket).await?;
    }
    Ok(())
}

pub(super) async fn markers_and_old_versions_keep_a_bucket_from_being_deleted(
    t: Tester,
) -> Result<()> {
    let bucket = t.create_versioned("bucket").await?;
    t.put(&bucket, "key", &pattern(10, 1)).await?;
    t.delete(&bucket, "key").await?;
    t.delete(&bucket, "never-was").await?;
    assert_eq!(t.keys(&bucket).await?, [] as [&str; 0]);
    loop {
        let left = t.all_versions(&bucket).await?;
        let Some(entry) = left.first() else { break };
        match t.0.delete_bucket(&bucket).await {
            Err(Error::BucketNotEmpty) => {}
            other => panic!("with {left:?} the bucket was deleted: {other:?}"),
        }
        let (key, version) = (entry.version.key(), Some(entry.version.version()));
        t.0.delete(&bucket, key, version, Precondition::None)
            .await?;
    }
    t.0.delete_bucket(&bucket).await
}

pub(super) async fn a_precondition_is_of_the_version_that_is_addressed(t: Tester) -> Result<()> {
    let matches = |etag: &str| Precondition::Matches(vec![etag.to_owned()]);
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Outcome {
        Done,
        Failed,
        Missing,
    }
    use Outcome::{Done, Failed, Missing};
    let outcome = |result: Result<()>| match result {
        Ok(()) => Done,
        Err(Error::PreconditionFailed) => Failed,
        Err(Error::ObjectMissing) => Missing,
        Err(other) => panic!("unexpected: {other:?}"),
    };
    // The key has the versions `new`, `old`; or a marker above them.
    for (deleted, precondition, expected) in [
        (false, Precondition::Absent, Failed),
        (false, Precondition::Present, Done),
        (false, matches("new"), Done),
        (false, matches("old"), Failed),
        (true, Precondition::Absent, Done),
        (true, Precondition::Present, Missing),
        (true, matches("new"), Missing),
    ] {
        for writes in [true, false] {
            let bucket = t.create_versioned("current").await?;
            for act in [Put("old"), Put("new")] {
                t.act(&bucket, act).await?;
            }
            if deleted {
                t.act(&bucket, Delete).await?;
            }
            let before = t.history(&bucket, "key").await?.len();
            let done = match writes {
                true => {
                    let object = new_object("key", "newest");
                    let bytes = pattern(9, 1);
                    let put = t.put_if(&bucket, object, &bytes, precondition.clone());
                    put.await.map(drop)
                }
                false => {
                    let k = key("key");
                    let delete = t.0.delete(&bucket, &k, None, precondition.clone());
                    delete.await.map(drop)
                }
            };
            let case = format!("{precondition:?}, deleted: {deleted}, writes: {writes}");
            assert_eq!(outcome(done), expected, "{case}");
            let made = usize::from(expected == Done);
            assert_eq!(
                t.history(&bucket, "key").await?.len(),
                before + made,
                "{case}"
            );
            t.empty(&bucket).await?;
        }
    }
    for (at, precondition, expected) in [
        (0, Precondition::Present, Missing),
        (0, Precondition::Absent, Done),
        (1, matches("new"), Done),
        (1, matches("old"), Failed),
        (2, matches("old"), Done),
        (2, matches("new"), Failed),
        (2, Precondition::Absent, Failed),
    ] {
        let bucket = t.create_versioned("named").await?;
        for act in [Put("old"), Put("new"), Delete] {
            t.act(&bucket, act).await?;
        }
        let all = t.history(&bucket, "key").await?;
        let version = Some(all[at].version.version());
        let k = key("key");
        let delete = t.0.delete(&bucket, &k, version, precondition.clone());
        let case = format!("{precondition:?} of the version at {at}");
        assert_eq!(outcome(delete.await.map(drop)), expected, "{case}");
        let left = t.history(&bucket, "key").await?.len();
        assert_eq!(left, 3 - usize::from(expected == Done), "{case}");
        t.empty(&bucket).await?;
    }
    Ok(())
}

impl Tester {
    /// Removes every version, and the bucket.
    async fn empty(&self, bucket: &Bucket) -> Result<()> {
        for entry in self.all_versions(bucket).await? {
            let (key, version) = (entry.version.key(), Some(entry.version.version()));
            self.0
                .delete(bucket, key, version, Precondition::None)
                .await?;
        }
        self.0.delete_bucket(bucket).await
    }
}

pub(super) async fn writers_at_the_same_time_each_make_a_version(t: Tester) -> Result<()> {
    let bucket = t.create_versioned("bucket").await?;
    let written = join_all((0..64).map(|writer| {
        let (t, bucket) = (&t, &bucket);
        async move {
            let object = new_object("key", &writer.to_string());
            let bytes = pattern(100, writer);
            t.put_if(bucket, object, &bytes, Precondition::None).await
        }
    }))
    .await;
    let mut versions = BTreeMap::new();
    for object in written {
        let object = object?;
        versions.insert(object.version, object.etag.clone());
    }
    assert_eq!(versions.len(), 64, "every writer made a version of its own");
    let listed = t.history(&bucket, "key").await?;
    assert_eq!(listed.len(), 64);
    for entry in listed {
        let Listed::Object(object) = entry.version else {
            panic!("nobody deleted anything");
        };
        assert_eq!(versions.get(&object.version), Some(&object.etag));
    }
    Ok(())
}

pub(super) async fn of_writers_that_ask_for_absence_where_a_marker_is_one_wins(
    t: Tester,
) -> Result<()> {
    let bucket = t.create_versioned("bucket").await?;
    for act in [Put("a"), Delete] {
        t.act(&bucket, act).await?;
    }
    let results = join_all((0..64).map(|writer| {
        let (t, bucket) = (&t, &bucket);
        async move {
            let object = new_object("key", &writer.to_string());
            let bytes = pattern(100, writer);
            t.put_if(bucket, object, &bytes, Precondition::Absent).await
        }
    }))
    .await;
    let mut winners = Vec::new();
    for result in results {
        match result {
            Ok(object) => winners.push(object.id),
            Err(Error::PreconditionFailed) => {}
            Err(other) => panic!("a writer was refused with {other:?}"),
        }
    }
    let current = t.0.object(&bucket, &key("key"), None).await?;
    assert_eq!(winners, [current.id]);
    assert_eq!(t.history(&bucket, "key").await?.len(), 3);
    Ok(())
}

/// Versions and markers of awkward keys: of each key another history.
async fn many_versions(t: &Tester) -> Result<Arc<Bucket>> {
    let bucket = t.create("bucket").await?;
    let keys = awkward_keys();
    let to = |versioning| t.0.set_versioning(&bucket, versioning);
    let put = |name: &str| {
        let (t, bucket, name) = (t, &bucket, name.to_owned());
        async move { t.put(bucket, &name, &Bytes::new()).await.map(drop) }
    };
    for name in keys.iter().step_by(2) {
        put(name).await?;
    }
    to(Versioning::Enabled).await?;
    for name in keys.iter().step_by(3) {
        put(name).await?;
        t.delete(&bucket, name).await?;
    }
    for name in keys.iter().step_by(5) {
        put(name).await?;
    }
    to(Versioning::Suspended).await?;
    for (number, name) in keys.iter().enumerate().step_by(7) {
        match number % 2 {
            0 => put(name).await?,
            _ => {
                t.delete(&bucket, name).await?;
            }
        }
    }
    to(Versioning::Enabled).await?;
    for name in keys.iter().skip(1).step_by(4) {
        put(name).await?;
    }
    t.0.bucket(&bucket.name).await
}

/// A version, or a rolled-up prefix.
type Line = (String, Option<(VersionId, bool)>);

fn line(entry: &Entry<VersionEntry>) -> Line {
    match entry {
        Entry::Item(item) => {
            let version = item.version.version();
            (
                item.version.key().as_str().to_owned(),
                Some((version, item.latest)),
            )
        }
        Entry::Prefix(prefix) => (prefix.clone(), None),
    }
}

/// The listing by the letter of its definition. `all` is everything, in order.
fn naive(all: &[VersionEntry], query: &VersionQuery) -> (Vec<Line>, bool) {
    let rolled_up = |key: &str| {
        let delimiter = query.delimiter.as_deref()?;
        let (below, _) = key
            .strip_prefix(query.prefix.as_str())?
            .split_once(delimiter)?;
        Some(format!("{}{below}{delimiter}", query.prefix))
    };
    // Where the marker is: everything from there on comes after it.
    let first = match &query.after {
        None => 0,
        Some(VersionMarker::Key(after)) => {
            all.partition_point(|entry| entry.version.key().as_str() <= after.as_str())
        }
        Some(VersionMarker::Version(key, version)) => {
            let is_it = |entry: &VersionEntry| {
                (entry.version.key(), entry.version.version()) == (key, *version)
            };
            match all.iter().position(is_it) {
                Some(at) => at + 1,
                None => all.partition_point(|entry| match (entry.version.key(), version) {
                    (other, VersionId::Id(id)) if other == key => {
                        place(entry).is_some_and(|place| place > *id)
                    }
                    (other, _) => other < key,
                }),
            }
        }
    };
    let passed_over = match &query.after {
        Some(VersionMarker::Key(after)) => Some(after.clone()),
        Some(VersionMarker::Version(..)) | None => None,
    };
    let mut lines: Vec<Line> = Vec::new();
    for entry in all.iter().skip(first) {
        let key = entry.version.key().as_str();
        if !key.starts_with(&query.prefix) {
            continue;
        }
        let next = match rolled_up(key) {
            Some(prefix) if Some(&prefix) == passed_over.as_ref() => continue,
            Some(prefix) => (prefix, None),
            None => line(&Entry::Item(entry.clone())),
        };
        if next.1.is_some() || lines.last() != Some(&next) {
            lines.push(next);
        }
    }
    let truncated = query.limit > 0 && lines.len() > query.limit;
    lines.truncate(query.limit);
    (lines, truncated)
}

/// The place in time of a version that has an id.
fn place(entry: &VersionEntry) -> Option<u128> {
    match entry.version.version() {
        VersionId::Id(id) => Some(id),
        VersionId::Null => None,
    }
}

pub(super) async fn a_listing_of_versions_is_what_the_naive_listing_is(t: Tester) -> Result<()> {
    let bucket = many_versions(&t).await?;
    let all = t.all_versions(&bucket).await?;
    let in_order = all.iter().map(|entry| entry.version.key().as_str());
    assert!(in_order.is_sorted(), "versions are ordered by key");
    let markers = all.iter().filter(|entry| facts(entry).1).count();
    assert!(all.len() > 80 && markers > 20, "there is something to list");
    let mut random = super::Random(42);
    for prefix in super::PREFIXES {
        for delimiter in super::DELIMITERS {
            let mut afters = vec![None, Some(VersionMarker::Key((*prefix).to_owned()))];
            for _ in 0..6 {
                let entry = random.pick(&all);
                let (key, version) = (entry.version.key(), entry.version.version());
                afters.push(Some(VersionMarker::Version(key.clone(), version)));
                afters.push(Some(VersionMarker::Key(key.as_str().to_owned())));
            }
            for after in afters {
                for limit in [0, 1, 2, 3, 1000] {
                    let query = VersionQuery {
                        prefix: (*prefix).to_owned(),
                        delimiter: delimiter.map(str::to_owned),
                        after: after.clone(),
                        limit,
                    };
                    let page = t.0.list_versions(&bucket, &query).await?;
                    let lines: Vec<Line> = page.entries.iter().map(line).collect();
                    let naive = naive(&all, &query);
                    assert_eq!((lines, page.truncated), naive, "{query:?}");
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn a_listing_of_versions_is_walked_in_pages_without_gap_or_repetition(
    t: Tester,
) -> Result<()> {
    let bucket = many_versions(&t).await?;
    let all = t.all_versions(&bucket).await?;
    for prefix in super::PREFIXES {
        for delimiter in super::DELIMITERS {
            let mut query = VersionQuery {
                prefix: (*prefix).to_owned(),
                delimiter: delimiter.map(str::to_owned),
                after: None,
                limit: 1000,
            };
            let (expected, _) = naive(&all, &query);
            for limit in [1, 3] {
                query.limit = limit;
                query.after = None;
                let mut walked: Vec<Line> = Vec::new();
                while walked.len() <= expected.len() {
                    let page = t.0.list_versions(&bucket, &query).await?;
                    walked.extend(page.entries.iter().map(line));
                    query.after = page.entries.last().map(Entry::<VersionEntry>::marker);
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

/// As clients do that empty a bucket.
pub(super) async fn a_listing_of_versions_goes_on_where_its_marker_was_removed(
    t: Tester,
) -> Result<()> {
    for limit in [1, 2, 3, 7] {
        let bucket = many_versions(&t).await?;
        let all = t.all_versions(&bucket).await?.len();
        let mut query = VersionQuery {
            limit,
            ..VersionQuery::default()
        };
        let mut removed = 0;
        loop {
            let page = t.0.list_versions(&bucket, &query).await?;
            let mut last = None;
            for entry in &page.entries {
                let Entry::Item(item) = entry else {
                    panic!("nothing is rolled up");
                };
                let (key, version) = (item.version.key(), item.version.version());
                // What was newer was removed with the pages before.
                let first = last != Some(key);
                assert_eq!(item.latest, first, "the first that is left of {key:?}");
                last = Some(key);
                let none = Precondition::None;
                let done = t.0.delete(&bucket, key, Some(version), none).await?;
                assert_eq!(done.version, Some(version));
                removed += 1;
            }
            query.after = page.entries.last().map(Entry::<VersionEntry>::marker);
            if !page.truncated {
                break;
            }
        }
        assert_eq!(removed, all, "in pages of {limit}");
        t.0.delete_bucket(&bucket).await?;
    }
    Ok(())
}

pub(super) async fn a_listing_of_objects_does_not_show_what_versions_hide(t: Tester) -> Result<()> {
    let bucket = many_versions(&t).await?;
    let all = t.all_versions(&bucket).await?;
    let visible = |entry: &&VersionEntry| entry.latest && !facts(entry).1;
    let keys = all.iter().filter(visible);
    let keys: Vec<String> = keys.map(|entry| entry.version.key().to_string()).collect();
    assert!(!keys.is_empty() && keys.len() < all.len());
    for prefix in super::PREFIXES {
        for delimiter in super::DELIMITERS {
            for limit in [1, 2, 1000] {
                let query = ListQuery {
                    prefix: (*prefix).to_owned(),
                    delimiter: delimiter.map(str::to_owned),
                    after: None,
                    limit,
                };
                let page = t.0.list_objects(&bucket, &query).await?;
                let naive = super::naive_listing(&keys, &query);
                assert_eq!(
                    (super::shown(&page.entries), page.truncated),
                    naive,
                    "{query:?}"
                );
            }
        }
    }
    Ok(())
}
