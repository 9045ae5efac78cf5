//! What a bucket was made with: its geometry, and how much it may hold. And what
//! moving bytes costs.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Tester, bucket_name, key, new_bucket, new_object, new_upload, part_number, pattern};
use crate::error::{Error, Result};
use crate::record::{
    Bucket, Geometry, NewBucket, NewPlacement, Object, Precondition, Usage, Versioning,
};
use crate::room::{Room, Target};

impl Tester {
    async fn create_placed(&self, name: &str, placement: NewPlacement) -> Result<Bucket> {
        let bucket = NewBucket {
            placement,
            ..new_bucket(name)
        };
        Ok(Bucket::clone(&*self.0.create_bucket(bucket).await?))
    }

    async fn create_limited(&self, name: &str, quota: u64) -> Result<Bucket> {
        let placement = NewPlacement {
            quota: Some(quota),
            ..NewPlacement::default()
        };
        self.create_placed(name, placement).await
    }

    async fn used(&self, bucket: &Bucket) -> Result<(u64, u64)> {
        let Usage { bytes, objects } = self.0.usage(bucket).await?;
        Ok((bytes, objects))
    }
}

/// One that every drive holds.
const ALONE: Geometry = Geometry { data: 1, parity: 0 };

pub(super) async fn a_bucket_remembers_how_it_was_made(t: Tester) -> Result<()> {
    let plain = t.create("plain").await?;
    assert_eq!(
        (&plain.placement.template, &plain.placement.location),
        (&None, &None)
    );
    assert_eq!(plain.placement.quota, None);
    let placement = NewPlacement {
        template: Some("archive".to_owned()),
        location: Some("".to_owned()),
        geometry: Some(ALONE),
        quota: Some(0),
    };
    let placed = t.create_placed("placed", placement).await?;
    assert_eq!(placed.placement.template.as_deref(), Some("archive"));
    assert_eq!(placed.placement.location.as_deref(), Some(""));
    assert_eq!(
        (placed.placement.geometry, placed.placement.quota),
        (ALONE, Some(0))
    );
    assert_eq!(*t.0.bucket(&placed.name).await?, placed);
    let versioned = t.0.set_versioning(&placed, Versioning::Enabled).await?;
    assert_eq!(versioned.placement, placed.placement);
    Ok(())
}

pub(super) async fn a_geometry_is_one_that_the_drives_can_hold(t: Tester) -> Result<()> {
    let own = t.create("own").await?.placement.geometry;
    let total = own.data + own.parity;
    for data in 0..=total + 1 {
        for parity in 0..=total + 1 {
            let geometry = Geometry { data, parity };
            let name = format!("of-{data}-{parity}");
            let placement = NewPlacement {
                geometry: Some(geometry),
                ..NewPlacement::default()
            };
            let fits = data >= 1 && parity <= data && data + parity <= total;
            match t.create_placed(&name, placement).await {
                Ok(bucket) if fits => assert_eq!(bucket.placement.geometry, geometry),
                Err(Error::GeometryUnsupported {
                    geometry: refused,
                    drives,
                }) if !fits => {
                    assert_eq!((refused, drives), (geometry, usize::from(total)));
                    let missing = t.0.bucket(&bucket_name(&name)).await;
                    assert!(matches!(missing, Err(Error::BucketMissing)));
                }
                other => panic!("{geometry:?} on {total} drives: {other:?}"),
            }
        }
    }
    Ok(())
}

pub(super) async fn buckets_of_every_geometry_keep_their_objects(t: Tester) -> Result<()> {
    let own = t.create("own").await?.placement.geometry;
    let total = own.data + own.parity;
    let mut kept = Vec::new();
    for data in 1..=total {
        for parity in 0..=data.min(total - data) {
            let placement = NewPlacement {
                geometry: Some(Geometry { data, parity }),
                ..NewPlacement::default()
            };
            let bucket = t
                .create_placed(&format!("of-{data}-{parity}"), placement)
                .await?;
            for size in [0, 1, 9000, 200_000, 3_000_000] {
                let bytes = pattern(size, u64::from(data * 16 + parity));
                t.put(&bucket, &size.to_string(), &bytes).await?;
            }
            let upload = t.0.create_upload(&bucket, new_upload("parts")).await?;
            for (number, size) in [(1, 300_000), (2, 10_000), (3, 10)] {
                let bytes = pattern(size, u64::from(number));
                t.put_part(&bucket, &upload, number, "etag", &bytes).await?;
            }
            let parts = [(1, "etag"), (2, "etag"), (3, "etag")];
            t.complete(&bucket, &upload, &parts, Precondition::None)
                .await?;
            kept.push(bucket);
        }
    }
    for bucket in kept {
        let Geometry { data, parity } = bucket.placement.geometry;
        for size in [0, 1, 9000, 200_000, 3_000_000] {
            let bytes = pattern(size, u64::from(data * 16 + parity));
            let same = t.get(&bucket, &size.to_string()).await? == bytes;
            assert!(same, "{size} bytes as {data}+{parity}");
        }
        let parts = [pattern(300_000, 1), pattern(10_000, 2), pattern(10, 3)].concat();
        assert!(
            t.get(&bucket, "parts").await? == parts,
            "parts as {data}+{parity}"
        );
    }
    Ok(())
}

pub(super) async fn what_is_shared_or_completed_moves_no_bytes(t: Tester) -> Result<()> {
    let placement = |geometry| NewPlacement {
        geometry: Some(geometry),
        ..NewPlacement::default()
    };
    let own = t.create("own").await?;
    let alike = t.create("alike").await?;
    let alone = t.create_placed("alone", placement(ALONE)).await?;
    let same = own.placement.geometry == ALONE;
    for size in [0, 10, 9000, 100_000, 2_500_000] {
        let bytes = pattern(size, 1);
        let before = t.0.traffic();
        let whole = t.put(&own, "whole", &bytes).await?;
        let upload = t.0.create_upload(&own, new_upload("parts")).await?;
        t.put_part(&own, &upload, 1, "one", &bytes).await?;
        t.put_part(&own, &upload, 2, "two", &bytes).await?;
        let written = t.0.traffic();
        let at_least = before.written + 3 * size as u64;
        assert!(written.written >= at_least, "{size} bytes, written thrice");
        assert_eq!(written.read, before.read, "{size} bytes, only written");

        let none = Precondition::None;
        let parts = t
            .complete(&own, &upload, &[(1, "one"), (2, "two")], none)
            .await?;
        for source in [&whole, &parts] {
            for target in [&*own, &*alike] {
                let copy = t.copy(source, target).await?;
                let copy = copy.expect("the geometry is the same");
                assert_eq!(copy.parts, source.parts, "{size} bytes, shared");
            }
            assert_eq!(
                t.copy(source, &alone).await?.is_some(),
                same,
                "to another geometry"
            );
        }
        assert_eq!(t.0.traffic(), written, "{size} bytes, shared");

        let copy = t.get(&alike, "copy").await?;
        assert!(copy == [bytes.clone(), bytes.clone()].concat());
        let read = t.0.traffic();
        assert!(
            read.read >= written.read + 2 * size as u64,
            "{size} bytes, read"
        );
        assert_eq!(read.written, written.written, "{size} bytes, only read");
    }
    Ok(())
}

impl Tester {
    async fn copy(&self, source: &Object, target: &Bucket) -> Result<Option<Arc<Object>>> {
        let Some(shared) = self.0.share(source, target).await? else {
            return Ok(None);
        };
        let new = new_object("copy", "copied");
        let put = self.0.put(target, new, shared, Precondition::None).await?;
        // As it is kept, not as it was answered.
        Ok(Some(self.0.object(target, &put.key, None).await?))
    }
}

pub(super) async fn a_bucket_holds_as_much_as_it_may_and_no_more(t: Tester) -> Result<()> {
    let refused = |result: Result<()>, what: &str| match result {
        Err(Error::QuotaExceeded { limit: 1000 }) => {}
        other => panic!("{what}: {other:?}"),
    };
    let put = async |bucket: &Bucket, name: &str, size: usize| {
        let put = t.put(bucket, name, &pattern(size, 1)).await;
        put.map(drop)
    };
    let bucket = t.create_limited("bucket", 1000).await?;
    refused(put(&bucket, "a", 1001).await, "one byte more");
    assert_eq!(t.used(&bucket).await?, (0, 0));
    put(&bucket, "a", 1000).await?;
    assert_eq!(t.used(&bucket).await?, (1000, 1));
    refused(put(&bucket, "b", 1).await, "into a full bucket");
    put(&bucket, "b", 0).await?;
    // What is replaced does not count.
    put(&bucket, "a", 1000).await?;
    put(&bucket, "a", 400).await?;
    assert_eq!(t.used(&bucket).await?, (400, 2));
    refused(put(&bucket, "a", 1001).await, "an overwrite");
    assert_eq!(t.used(&bucket).await?, (400, 2));

    // Parts count while they are uploaded, and once when they are completed.
    let upload = t.0.create_upload(&bucket, new_upload("parts")).await?;
    let part = async |number, size| {
        let bytes = pattern(size, 1);
        t.put_part(&bucket, &upload, number, "etag", &bytes).await
    };
    part(1, 300).await?;
    part(2, 300).await?;
    assert_eq!(t.used(&bucket).await?, (1000, 2));
    refused(part(3, 1).await, "one part more");
    part(2, 300).await?;
    refused(part(2, 301).await, "a larger part");
    part(2, 200).await?;
    part(4, 100).await?;
    let none = || Precondition::None;
    t.complete(&bucket, &upload, &[(1, "etag"), (2, "etag")], none())
        .await?;
    assert_eq!(t.used(&bucket).await?, (900, 3));

    let upload = t.0.create_upload(&bucket, new_upload("parts")).await?;
    t.put_part(&bucket, &upload, 1, "etag", &pattern(100, 1))
        .await?;
    assert_eq!(t.used(&bucket).await?, (1000, 3));
    t.0.abort_upload(&bucket, &upload.key, upload.id).await?;
    assert_eq!(t.used(&bucket).await?, (900, 3));

    // All versions count; a marker has no bytes.
    let bucket = t.0.set_versioning(&bucket, Versioning::Enabled).await?;
    refused(put(&bucket, "a", 101).await, "a version more");
    put(&bucket, "a", 100).await?;
    assert_eq!(t.used(&bucket).await?, (1000, 4));
    t.delete(&bucket, "a").await?;
    t.delete(&bucket, "parts").await?;
    assert_eq!(t.used(&bucket).await?, (1000, 4));
    refused(put(&bucket, "c", 1).await, "behind markers");
    let null = Some(crate::name::VersionId::Null);
    t.0.delete(&bucket, &key("parts"), null, none()).await?;
    assert_eq!(t.used(&bucket).await?, (500, 3));
    put(&bucket, "c", 500).await?;
    // Another bucket has its own count.
    let other = t.create("other").await?;
    assert_eq!(t.used(&other).await?, (0, 0));
    Ok(())
}

pub(super) async fn of_many_writers_as_many_as_fit_are_accepted(t: Tester) -> Result<()> {
    for size in [100, 20_000, 300_000] {
        let bucket = t
            .create_limited(&format!("of-{size}"), 10 * size as u64 + 1)
            .await?;
        let results = join_all((0..64).map(|writer| {
            let (t, bucket) = (&t, &bucket);
            async move {
                let bytes = pattern(size, writer);
                t.put(bucket, &format!("{writer}"), &bytes).await
            }
        }))
        .await;
        let mut accepted = 0;
        for result in results {
            match result {
                Ok(_) => accepted += 1,
                Err(Error::QuotaExceeded { .. }) => {}
                Err(other) => panic!("refused with {other:?}"),
            }
        }
        assert_eq!(accepted, 10, "writers of {size} bytes");
        assert_eq!(t.used(&bucket).await?, (10 * size as u64, 10));
        assert_eq!(t.keys(&bucket).await?.len(), 10);
    }
    Ok(())
}

pub(super) async fn what_cannot_fit_is_refused_before_it_comes(t: Tester) -> Result<()> {
    let bucket = t.create_limited("bucket", 100).await?;
    let (one, other) = (key("one"), key("other"));
    let upload = t.0.create_upload(&bucket, new_upload("parts")).await?;
    let part = |number| Target::Part(&upload.key, upload.id, part_number(number));
    let is_full = |room: Result<Room>| matches!(room, Err(Error::QuotaExceeded { limit: 100 }));
    let room = |place, length| t.0.reserve(&bucket, place, length);
    assert!(is_full(room(Target::Object(&one), 101).await));
    let first = room(Target::Object(&one), 60).await?;
    assert!(is_full(room(part(1), 41).await));
    let second = room(part(1), 40).await?;
    assert!(is_full(room(Target::Object(&other), 1).await));
    drop(second);
    let third = room(Target::Object(&other), 40).await?;
    drop((first, third));

    // What is replaced makes room, where it is replaced.
    t.put(&bucket, "one", &pattern(60, 1)).await?;
    t.put_part(&bucket, &upload, 1, "one", &pattern(40, 1))
        .await?;
    drop(room(Target::Object(&one), 60).await?);
    drop(room(part(1), 40).await?);
    drop(room(Target::Object(&other), 0).await?);
    for place in [Target::Object(&other), part(2)] {
        assert!(is_full(room(place, 1).await));
    }
    assert!(is_full(room(Target::Object(&one), 61).await));
    t.0.set_versioning(&bucket, Versioning::Enabled).await?;
    assert!(is_full(room(Target::Object(&one), 1).await));
    let unlimited = t.create("unlimited").await?;
    drop(
        t.0.reserve(&unlimited, Target::Object(&one), 5 << 40)
            .await?,
    );
    Ok(())
}

pub(super) async fn the_buckets_of_all_owners_are_listed_in_pages(t: Tester) -> Result<()> {
    for (name, owner) in [
        ("b-2", "one"),
        ("a-1", "two"),
        ("c-3", "one"),
        ("b-1", "three"),
    ] {
        let bucket = NewBucket {
            owner: owner.to_owned(),
            ..new_bucket(name)
        };
        t.0.create_bucket(bucket).await?;
    }
    let cases: [(Option<&str>, usize, &[&str], bool); 6] = [
        (None, 10, &["a-1", "b-1", "b-2", "c-3"], false),
        (None, 4, &["a-1", "b-1", "b-2", "c-3"], false),
        (None, 3, &["a-1", "b-1", "b-2"], true),
        (Some("b-1"), 1, &["b-2"], true),
        (Some("c-3"), 9, &[], false),
        (None, 0, &[], false),
    ];
    for (after, limit, names, truncated) in cases {
        let page = t.0.all_buckets(after, limit).await?;
        let listed: Vec<_> = page.entries.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(
            (listed.as_slice(), page.truncated),
            (names, truncated),
            "{limit} after {after:?}"
        );
    }
    Ok(())
}
