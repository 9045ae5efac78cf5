//! A store on directories that are removed afterwards, and short ways to use it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use storage::{
    Bucket, BucketName, Documents, Geometry, Metadata, NewBucket, NewObject, NewPlacement, Object,
    ObjectKey, Precondition, Result, Store, Versioning,
};
use tempfile::TempDir;

use crate::{Engine, OpenError, Options};

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) options: Options,
}

impl Bench {
    pub(crate) fn new(data: u8, parity: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path(), data, parity);
        Self { dir, options }
    }

    pub(crate) fn open(&self) -> Arc<Engine> {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<Arc<Engine>, OpenError> {
        Engine::open(&self.options)
    }

    pub(crate) fn drive(&self, drive: usize) -> PathBuf {
        self.options.drives[drive].clone()
    }

    /// Takes a drive away, as if it were not mounted.
    pub(crate) fn take_away(&self, drive: usize) {
        std::fs::rename(self.drive(drive), self.away(drive)).unwrap();
    }

    pub(crate) fn bring_back(&self, drive: usize) {
        let _ = std::fs::remove_dir_all(self.drive(drive));
        std::fs::rename(self.away(drive), self.drive(drive)).unwrap();
    }

    /// The drive that was taken from one place returns to another.
    pub(crate) fn bring_back_as(&self, drive: usize, place: usize) {
        self.bring_to(drive, &self.drive(place));
    }

    pub(crate) fn bring_to(&self, drive: usize, path: &Path) {
        std::fs::rename(self.away(drive), path).unwrap();
    }

    fn away(&self, drive: usize) -> PathBuf {
        self.dir.path().join(format!("away-{drive}"))
    }

    pub(crate) fn lose_index(&self) {
        let _ = std::fs::remove_dir_all(&self.options.index);
    }
}

/// A store within a directory.
pub(crate) fn options(dir: &Path, data: u8, parity: u8) -> Options {
    let drives = (0..data + parity)
        .map(|drive| dir.join(format!("drive-{drive}")))
        .collect();
    Options {
        drives,
        geometry: Geometry { data, parity },
        index: dir.join("index"),
    }
}

/// The bucket of a test, which is there.
pub(crate) async fn bucket(store: &dyn Store) -> Bucket {
    let bucket = store.bucket(&bucket_name()).await.unwrap();
    Bucket::clone(&bucket)
}

pub(crate) fn bucket_name() -> BucketName {
    BucketName::parse("bucket").unwrap()
}

pub(crate) fn key(name: &str) -> ObjectKey {
    ObjectKey::parse(name).unwrap()
}

/// Bytes that differ between seeds and between places.
pub(crate) fn pattern(size: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

pub(crate) async fn create_bucket(store: &dyn Store) {
    store.create_bucket(new_bucket()).await.unwrap();
}

pub(crate) fn new_bucket() -> NewBucket {
    NewBucket {
        name: bucket_name(),
        owner: "owner".to_owned(),
        versioning: Versioning::Never,
        placement: NewPlacement::default(),
        documents: Documents::default(),
    }
}

pub(crate) fn new_object(name: &str, etag: &str) -> NewObject {
    NewObject {
        key: key(name),
        owner: "owner".to_owned(),
        etag: etag.to_owned(),
        metadata: Metadata::new(),
        documents: Documents::default(),
    }
}

pub(crate) async fn put(store: &dyn Store, name: &str, bytes: &Bytes) -> Result<Arc<Object>> {
    put_in(store, &bucket(store).await, name, bytes).await
}

pub(crate) async fn put_in(
    store: &dyn Store,
    bucket: &Bucket,
    name: &str,
    bytes: &Bytes,
) -> Result<Arc<Object>> {
    let mut sink = store.stage(bucket, Some(bytes.len() as u64)).await?;
    sink.write(bytes.clone()).await?;
    let staged = sink.finish().await?;
    let object = new_object(name, &format!("etag-{}", bytes.len()));
    store.put(bucket, object, staged, Precondition::None).await
}

pub(crate) async fn get(store: &dyn Store, name: &str) -> Result<Bytes> {
    get_from(store, &bucket(store).await, name).await
}

pub(crate) async fn get_from(store: &dyn Store, bucket: &Bucket, name: &str) -> Result<Bytes> {
    let object = store.object(bucket, &key(name), None).await?;
    let chunks: Vec<Bytes> = store
        .read(&object, 0..object.size)
        .await?
        .try_collect()
        .await?;
    Ok(chunks.concat().into())
}
