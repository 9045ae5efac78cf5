//! The store by itself: what it makes of the disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use erasure::{Engine, Options};
use futures_util::StreamExt;
use storage::{
    Bucket, BucketName, Documents, Geometry, Metadata, NewBucket, NewObject, NewPlacement,
    ObjectKey, Precondition, Store, Versioning,
};

use super::client::Rate;
use super::{BoxError, CLIENTS, Effort, Report, SIZES, Size};

pub(super) async fn measure(
    effort: Effort,
    folder: &Path,
    report: &mut Report,
) -> Result<(), BoxError> {
    let drives: Vec<_> = (1..=6)
        .map(|number| folder.join(format!("storage/drive{number}")))
        .collect();
    for drive in &drives {
        std::fs::create_dir_all(drive)?;
    }
    let geometry = Geometry { data: 4, parity: 2 };
    let index = folder.join("storage/index");
    let open = move || {
        Engine::open(&Options {
            drives,
            geometry,
            index,
        })
    };
    let store: Arc<dyn Store> = tokio::task::spawn_blocking(open).await??;
    let bucket = BucketName::parse("bench")?;
    let bucket = store
        .create_bucket(NewBucket {
            name: bucket,
            owner: "bench".to_owned(),
            versioning: Versioning::Never,
            placement: NewPlacement::default(),
            documents: Documents::default(),
        })
        .await?;

    for size in SIZES {
        for clients in CLIENTS {
            let put = rate(clients, size, effort, |client| {
                put(Arc::clone(&store), bucket.clone(), client, size)
            })
            .await?;
            let name = format!("storage.put_{}.c{clients}", size.name);
            report.add(
                name,
                put.value(),
                put.unit(),
                Some(&disk_floor(size, clients)),
            );
        }
        for clients in CLIENTS {
            let get = rate(clients, size, effort, |client| {
                get(Arc::clone(&store), bucket.clone(), client)
            })
            .await?;
            report.add(
                format!("storage.get_{}.c{clients}", size.name),
                get.value(),
                get.unit(),
                None,
            );
        }
    }
    store.close().await;
    Ok(())
}

/// The floor of a durable write: one sync each for a small one, the sequential
/// rate for a large one.
pub(super) fn disk_floor(size: Size, clients: usize) -> String {
    match size.name {
        "4k" => format!("floor.disk_sync_4k.c{clients}"),
        _ => "floor.disk_write".to_owned(),
    }
}

async fn rate<F, Fut>(clients: usize, size: Size, effort: Effort, act: F) -> Result<Rate, BoxError>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let started = Instant::now();
    let mut running = futures_util::stream::FuturesUnordered::new();
    for client in 0..clients {
        running.push(tokio::spawn(with_client(client, act(client))));
    }
    let mut count = 0;
    while let Some(finished) = running.next().await {
        let client = finished??;
        count += 1;
        if started.elapsed() < effort.duration {
            running.push(tokio::spawn(with_client(client, act(client))));
        }
    }
    Ok(Rate::of(count, size.bytes, started))
}

async fn with_client(
    client: usize,
    act: impl Future<Output = Result<(), BoxError>>,
) -> Result<usize, BoxError> {
    act.await.map(|()| client)
}

async fn put(
    store: Arc<dyn Store>,
    bucket: Arc<Bucket>,
    client: usize,
    size: Size,
) -> Result<(), BoxError> {
    let mut sink = store.stage(&bucket, Some(size.bytes as u64)).await?;
    let frame = Bytes::from(vec![9; size.bytes.min(64 << 10)]);
    for _ in 0..size.bytes / frame.len() {
        sink.write(frame.clone()).await?;
    }
    let object = NewObject {
        key: key(client)?,
        owner: "bench".to_owned(),
        etag: "0".repeat(32),
        metadata: Metadata::default(),
        documents: Documents::default(),
    };
    store
        .put(&bucket, object, sink.finish().await?, Precondition::None)
        .await?;
    Ok(())
}

async fn get(store: Arc<dyn Store>, bucket: Arc<Bucket>, client: usize) -> Result<(), BoxError> {
    let object = store.object(&bucket, &key(client)?, None).await?;
    let mut stream = store.read(&object, 0..object.size).await?;
    while let Some(bytes) = stream.next().await {
        bytes?;
    }
    Ok(())
}

fn key(client: usize) -> Result<ObjectKey, BoxError> {
    Ok(ObjectKey::parse(&format!("object-{client}"))?)
}
