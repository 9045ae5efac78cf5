//! The index of versions: it is rebuilt as it was, and a page of a listing
//! touches no more of it than it shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use storage::{
    BucketName, Entry, ListQuery, NewBucket, Precondition, Store, VersionMarker, VersionQuery,
    Versioning, conformance,
};

use super::support::{Bench, bucket, key, new_bucket, new_object, pattern, put, put_in};
use crate::Engine;
use crate::index::{Batch, Cursor, Index, Space};
use crate::log::Log;
use crate::open;

const ALL: VersionQuery = VersionQuery {
    prefix: String::new(),
    delimiter: None,
    after: None,
    limit: 1000,
};

async fn with_history(seed: u64) -> Bench {
    let bench = Bench::new(2, 1);
    let store: Arc<dyn Store> = bench.open();
    conformance::agree(store, seed, 700).await.unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_lost_is_rebuilt_as_it_was() {
    for seed in [21, 22, 23] {
        let bench = with_history(seed).await;
        let store = bench.open();
        let before = store.index().dump();
        drop(store);
        let spaces: BTreeSet<Space> = before.keys().map(|(space, _)| *space).collect();
        for space in [Space::Current, Space::Past, Space::Versions, Space::Usage] {
            assert!(spaces.contains(&space), "seed {seed} makes no {space:?}");
        }
        bench.lose_index();
        assert!(bench.open().index().dump() == before, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_taken_in_again_change_nothing() {
    let bench = with_history(31).await;
    let store = bench.open();
    // A bucket in the place of another one of its name.
    for versioning in [Versioning::Never, Versioning::Enabled, Versioning::Enabled] {
        let new = NewBucket {
            name: BucketName::parse("again").unwrap(),
            versioning,
            ..new_bucket()
        };
        if let Ok(bucket) = store.bucket(&new.name).await {
            let page = store.list_versions(&bucket, &ALL).await.unwrap();
            for entry in page.entries {
                let Entry::Item(entry) = entry else { continue };
                let (key, version) = (entry.version.key(), entry.version.version());
                let none = Precondition::None;
                let gone = store.delete(&bucket, key, Some(version), none).await;
                gone.unwrap();
            }
            store.delete_bucket(&bucket).await.unwrap();
        }
        let bucket = store.create_bucket(new).await.unwrap();
        for name in ["x", "x", "y"] {
            put_in(&*store, &bucket, name, &pattern(100, 1))
                .await
                .unwrap();
        }
    }
    let before = store.index().dump();
    drop(store);
    let cursors = cursors(&bench);
    assert!(cursors.len() > 200, "{} records", cursors.len());
    let (deployment, _) = deployment_and_log(&bench);
    // Every record of the end, and some of those before.
    let (end, rest) = (cursors.iter().rev().take(20), cursors.iter().rev().skip(20));
    for cursor in end.chain(rest.step_by(29)) {
        // As if the index knew the state of now, and believed itself older.
        let (index, _) = Index::open(&bench.options.index, deployment).unwrap();
        index.commit(Batch::default(), *cursor).unwrap();
        drop(index);
        let again = bench.open().index().dump();
        assert!(again == before, "from record {}", cursor.last_sequence);
    }
}

/// The cursor behind each record of the log.
fn cursors(bench: &Bench) -> Vec<Cursor> {
    let (_, mut log) = deployment_and_log(bench);
    let mut cursors = Vec::new();
    while let Some(found) = log.next() {
        cursors.push(Cursor {
            position: found.header.end(),
            last_position: found.header.position,
            last_sequence: found.header.sequence,
            last_epoch: found.header.epoch,
        });
    }
    cursors
}

fn deployment_and_log(bench: &Bench) -> (u128, Log) {
    let drives = open::find(&bench.options, &|drive| Arc::new(drive)).unwrap();
    let sources = drives.members.iter().map(open::Member::source);
    let sources = sources.map(|source| (source.position, source.id, source.drive));
    (drives.deployment, Log::new(sources, 0, (0, 0)).unwrap())
}

/// What reading it touches of the index.
async fn touches<T>(store: &Engine, read: impl Future<Output = storage::Result<T>>) -> (T, u64) {
    let before = store.index().touched();
    let page = read.await.unwrap();
    (page, store.index().touched() - before)
}

/// `visible` objects, and around each of them keys that markers hide and keys
/// with many old versions.
async fn crowded(store: &Engine) {
    let new = NewBucket {
        versioning: Versioning::Enabled,
        ..new_bucket()
    };
    store.create_bucket(new).await.unwrap();
    for group in 0..12 {
        for number in 0..30 {
            let name = format!("{group:02}/hidden/{number:03}");
            put(store, &name, &Bytes::new()).await.unwrap();
            let bucket = bucket(store).await;
            let none = Precondition::None;
            store
                .delete(&bucket, &key(&name), None, none)
                .await
                .unwrap();
        }
        for _ in 0..40 {
            put(store, &format!("{group:02}/versions"), &Bytes::new())
                .await
                .unwrap();
        }
        put(store, &format!("{group:02}/visible"), &Bytes::new())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_touches_no_more_than_it_shows() {
    let bench = Bench::new(1, 0);
    let store = bench.open();
    crowded(&store).await;
    let bucket = &bucket(&*store).await;
    let delimiters = [(None, "00/visible"), (Some("/"), "03/")];
    for (delimiter, after) in delimiters {
        for after in [None, Some(after)] {
            for limit in [1, 5, 10] {
                let query = ListQuery {
                    delimiter: delimiter.map(str::to_owned),
                    after: after.map(str::to_owned),
                    limit,
                    ..ListQuery::default()
                };
                let listed = touches(&store, store.list_objects(bucket, &query)).await;
                let (page, touched) = listed;
                // One more says that there is more, one may be passed over.
                let bound = page.entries.len() as u64 + 2;
                assert!(touched <= bound, "{touched} entries for {query:?}");

                let query = VersionQuery {
                    delimiter: delimiter.map(str::to_owned),
                    after: after.map(|after| VersionMarker::Key(after.to_owned())),
                    limit,
                    ..VersionQuery::default()
                };
                let listed = touches(&store, store.list_versions(bucket, &query)).await;
                let (page, touched) = listed;
                // Current and past versions are two rows: a seek looks at both.
                let shown = page.entries.len() as u64;
                let bound = match delimiter {
                    Some(_) => 2 * (shown + 2),
                    None => shown + 1 + 2,
                };
                assert!(touched <= bound, "{touched} entries for {query:?}");
            }
        }
    }
    // From the middle of the versions of one key.
    let query = VersionQuery {
        prefix: "05/versions".to_owned(),
        limit: 20,
        ..VersionQuery::default()
    };
    let page = store.list_versions(bucket, &query).await.unwrap();
    let query = VersionQuery {
        after: page.entries.last().map(|entry| entry.marker()),
        ..query
    };
    let (page, touched) = touches(&store, store.list_versions(bucket, &query)).await;
    assert_eq!((page.entries.len(), page.truncated), (20, false));
    assert!(touched <= 20 + 4, "{touched} entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_never_walks_through_what_was_removed() {
    let bench = Bench::new(1, 0);
    let store = bench.open();
    for versioning in [
        Versioning::Never,
        Versioning::Enabled,
        Versioning::Suspended,
    ] {
        let new = NewBucket {
            versioning,
            ..new_bucket()
        };
        let bucket = store.create_bucket(new).await.unwrap();
        let delete = async |version| {
            let none = Precondition::None;
            let deleted = store.delete(&bucket, &key("hot"), version, none).await;
            deleted.unwrap().version
        };
        let before = store.index().walks();
        for _ in 0..50 {
            put(&*store, "hot", &Bytes::new()).await.unwrap();
            // A marker over it comes and goes.
            for _ in 0..2 {
                let marker = delete(None).await;
                delete(marker).await;
            }
        }
        let hot = key("hot");
        while let Ok(object) = store.object(&bucket, &hot, None).await {
            delete(Some(object.version)).await;
        }
        store.delete_bucket(&bucket).await.unwrap();
        assert_eq!(store.index().walks(), before, "{versioning:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_costs_a_listing_no_more_than_a_small_one() {
    let bench = Bench::new(1, 0);
    let store = bench.open();
    store
        .create_bucket(NewBucket {
            name: BucketName::parse("bucket").unwrap(),
            ..new_bucket()
        })
        .await
        .unwrap();
    put(&*store, "small", &Bytes::new()).await.unwrap();
    let bytes = |space| {
        let dump = store.index().dump();
        let of = dump.iter().filter(|((of, _), _)| *of == space);
        of.map(|(_, value)| value.len()).sum::<usize>()
    };
    let before = bytes(Space::Current);
    let bucket = bucket(&*store).await;
    let mut sink = store.stage(&bucket, None).await.unwrap();
    for _ in 0..40 {
        sink.write(vec![1; 1 << 20].into()).await.unwrap();
    }
    let staged = sink.finish().await.unwrap();
    let object = new_object("large", "etag-0");
    store
        .put(&bucket, object, staged, Precondition::None)
        .await
        .unwrap();
    assert_eq!(bytes(Space::Current), 2 * before);
}
