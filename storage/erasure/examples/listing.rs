//! What a page of a listing costs in a large bucket, and what the completion of
//! an upload of 10,000 parts does.
//!
//! ```sh
//! cargo run --release -p sluice-erasure --example listing -- 1000000
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use erasure::{Engine, Options};
use storage::{
    Bucket, BucketName, Documents, Entry, Geometry, ListQuery, Metadata, NewBucket, NewObject,
    NewPlacement, NewUpload, ObjectKey, PartNumber, Precondition, Store, Timestamp, UploadedPart,
    VersionEntry, VersionMarker, VersionQuery, Versioning,
};
use tokio::task::JoinSet;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Writers at the same time: enough to fill the batches of the log.
const WRITERS: usize = 512;
/// Keys below one prefix.
const FOLDER: usize = 1_000;
const PAGE: usize = 1_000;
/// Of each page the median of so many, at places all over the bucket.
const ROUNDS: usize = 25;

#[tokio::main]
async fn main() -> Result<()> {
    let keys = match std::env::args().nth(1) {
        Some(keys) => keys.parse()?,
        None => 1_000_000,
    };
    let folder = tempfile::tempdir()?;
    let options = Options {
        drives: (0..3)
            .map(|n| folder.path().join(format!("drive{n}")))
            .collect(),
        geometry: Geometry { data: 2, parity: 1 },
        index: folder.path().join("index"),
    };
    let store: Arc<dyn Store> = Engine::open(&options)?;

    let plain = create(&*store, "plain", Versioning::Never).await?;
    fill(&store, &plain, keys, |_| 1).await?;
    pages(&*store, &plain, keys).await?;

    // Every key has an old version, and every other one is hidden by a marker.
    let versioned = create(&*store, "versioned", Versioning::Enabled).await?;
    let keys = keys / 4;
    fill(&store, &versioned, keys, |_| 2).await?;
    hide(&store, &versioned, keys).await?;
    pages(&*store, &versioned, keys).await?;

    complete(&store, &plain).await?;
    empty(&store, &versioned).await?;
    store.close().await;
    Ok(())
}

async fn create(store: &dyn Store, name: &str, versioning: Versioning) -> Result<Arc<Bucket>> {
    let bucket = NewBucket {
        name: BucketName::parse(name)?,
        owner: "owner".to_owned(),
        versioning,
        placement: NewPlacement::default(),
        documents: Documents::default(),
    };
    Ok(store.create_bucket(bucket).await?)
}

fn name(number: usize) -> String {
    format!("{:06}/{:03}", number / FOLDER, number % FOLDER)
}

fn object(name: &str) -> Result<NewObject> {
    Ok(NewObject {
        key: ObjectKey::parse(name)?,
        owner: "owner".to_owned(),
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        metadata: [("content-type".to_owned(), "text/plain".to_owned())].into(),
        documents: Documents::default(),
    })
}

/// Does something for every number, many at a time.
async fn each<F>(keys: usize, act: impl Fn(usize) -> F) -> Result<Duration>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..keys {
        if running.len() == WRITERS
            && let Some(done) = running.join_next().await
        {
            done??;
        }
        running.spawn(act(number));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(begun.elapsed())
}

async fn fill(
    store: &Arc<dyn Store>,
    bucket: &Arc<Bucket>,
    keys: usize,
    versions: fn(usize) -> usize,
) -> Result<()> {
    let elapsed = each(keys, |number| {
        let (store, bucket) = (store.clone(), bucket.clone());
        async move {
            for _ in 0..versions(number) {
                let staged = store.stage(&bucket, Some(0)).await?.finish().await?;
                let object = object(&name(number))?;
                store
                    .put(&bucket, object, staged, Precondition::None)
                    .await?;
            }
            Ok(())
        }
    })
    .await?;
    let written: usize = (0..keys).map(versions).sum();
    let rate = written as f64 / elapsed.as_secs_f64();
    println!(
        "{}: {written} versions of {keys} keys, {rate:.0}/s",
        bucket.name
    );
    Ok(())
}

async fn hide(store: &Arc<dyn Store>, bucket: &Arc<Bucket>, keys: usize) -> Result<()> {
    each(keys / 2, |number| {
        let (store, bucket) = (store.clone(), bucket.clone());
        async move {
            let key = ObjectKey::parse(&name(2 * number))?;
            store
                .delete(&bucket, &key, None, Precondition::None)
                .await?;
            Ok(())
        }
    })
    .await?;
    Ok(())
}

async fn pages(store: &dyn Store, bucket: &Bucket, keys: usize) -> Result<()> {
    // Where a page can be full.
    let places = keys.saturating_sub(3 * PAGE).max(1);
    let place = |round: usize| Some(name(round.wrapping_mul(0x9e37_79b9) % places));
    for delimiter in [None, Some("/")] {
        let mut times = Vec::with_capacity(ROUNDS);
        let mut entries = 0;
        for round in 0..ROUNDS {
            let query = ListQuery {
                prefix: String::new(),
                delimiter: delimiter.map(str::to_owned),
                after: place(round).filter(|_| delimiter.is_none()),
                limit: PAGE,
            };
            let begun = Instant::now();
            entries = store.list_objects(bucket, &query).await?.entries.len();
            times.push(begun.elapsed());
        }
        say(bucket, "objects", delimiter, entries, times);

        let mut times = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            let query = VersionQuery {
                prefix: String::new(),
                delimiter: delimiter.map(str::to_owned),
                after: place(round)
                    .filter(|_| delimiter.is_none())
                    .map(VersionMarker::Key),
                limit: PAGE,
            };
            let begun = Instant::now();
            entries = store.list_versions(bucket, &query).await?.entries.len();
            times.push(begun.elapsed());
        }
        say(bucket, "versions", delimiter, entries, times);
    }
    Ok(())
}

fn say(
    bucket: &Bucket,
    what: &str,
    delimiter: Option<&str>,
    entries: usize,
    mut times: Vec<Duration>,
) {
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let kind = delimiter.map_or("entries", |_| "prefixes");
    let name = &bucket.name;
    println!(
        "{name}: a page of {entries} {kind} of {what}: {:.2} ms",
        median.as_secs_f64() * 1e3
    );
}

/// Removes everything page by page, as clients do, and then lists what is left:
/// what was removed lies in the way of that until the index is compacted.
async fn empty(store: &Arc<dyn Store>, bucket: &Arc<Bucket>) -> Result<()> {
    let mut query = VersionQuery {
        limit: PAGE,
        ..VersionQuery::default()
    };
    let (begun, mut removed, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    loop {
        let asked = Instant::now();
        let page = store.list_versions(bucket, &query).await?;
        slowest = slowest.max(asked.elapsed());
        let entries: Arc<Vec<_>> = Arc::new(page.entries);
        removed += entries.len();
        let page_end = entries.last().map(Entry::<VersionEntry>::marker);
        each(entries.len(), |number| {
            let (store, bucket, entries) = (store.clone(), bucket.clone(), entries.clone());
            async move {
                if let Some(Entry::Item(VersionEntry { version, .. })) = entries.get(number) {
                    let (key, id) = (version.key(), Some(version.version()));
                    store.delete(&bucket, key, id, Precondition::None).await?;
                }
                Ok(())
            }
        })
        .await?;
        if !page.truncated {
            break;
        }
        query.after = page_end;
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let slowest = slowest.as_secs_f64() * 1e3;
    println!(
        "{}: emptied of {removed} versions in {elapsed:.1} s, the slowest page {slowest:.1} ms",
        bucket.name
    );
    let query = ListQuery {
        limit: PAGE,
        ..ListQuery::default()
    };
    let asked = Instant::now();
    let left = store.list_objects(bucket, &query).await?.entries.len();
    println!(
        "{}: a page of {left} entries of objects: {:.2} ms",
        bucket.name,
        asked.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

async fn complete(store: &Arc<dyn Store>, bucket: &Arc<Bucket>) -> Result<()> {
    let upload = NewUpload {
        key: ObjectKey::parse("parts")?,
        owner: "owner".to_owned(),
        initiator: "owner".to_owned(),
        metadata: Metadata::new(),
        documents: Documents::default(),
    };
    let upload = store.create_upload(bucket, upload).await?;
    let etag = |number: usize| format!("{number:032x}");
    each(PartNumber::MAX.into(), |number| {
        let (store, bucket, upload) = (store.clone(), bucket.clone(), upload.clone());
        async move {
            let number = number + 1;
            let mut sink = store.stage(&bucket, Some(100)).await?;
            sink.write(Bytes::from(vec![7; 100])).await?;
            let staged = sink.finish().await?;
            let part = UploadedPart {
                number: PartNumber::new(u16::try_from(number)?)?,
                size: 100,
                etag: etag(number),
                modified: Timestamp::now(),
                metadata: [(
                    "x-amz-checksum-crc64nvme".to_owned(),
                    "AAAAAAAAAAA=".to_owned(),
                )]
                .into(),
            };
            store
                .put_part(&bucket, &upload.key, upload.id, part, staged)
                .await?;
            Ok(())
        }
    })
    .await?;
    let parts = (1..=PartNumber::MAX)
        .map(|number| Ok((PartNumber::new(number)?, etag(number.into()))))
        .collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    let object = object("parts")?;
    store
        .complete_upload(bucket, upload.id, &parts, object, Precondition::None)
        .await?;
    println!(
        "10000 parts are completed in {:.1} ms",
        begun.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}
