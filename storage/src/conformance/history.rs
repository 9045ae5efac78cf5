//! A long random history that a store and the model go through together.

use std::sync::Arc;

use bytes::Bytes;

use super::{Random, Tester, amendment, bucket_name, documents, key, new_bucket, new_object};
use super::{new_upload, pattern, shown};
use crate::document::Amendment;
use crate::error::{Error, Result};
use crate::list::{Delimited, Entry, ListQuery, Listed, VersionEntry, VersionMarker, VersionQuery};
use crate::memory::Memory;
use crate::name::{BucketName, VersionId};
use crate::record::{
    Bucket, Geometry, NewBucket, NewObject, NewPlacement, Object, Precondition, Upload, Versioning,
};
use crate::store::{Deleted, Store};

/// Does the same random things to the store, which must be empty, and to the
/// [`Memory`], and compares every answer. Fails in the same way for the same seed.
pub async fn agree(store: Arc<dyn Store>, seed: u64, steps: usize) -> Result<()> {
    let mut random = Random(seed.wrapping_mul(2).wrapping_add(1));
    let mut twins = Twins {
        stores: [Tester(store), Tester(Arc::new(Memory::new()))],
        uploads: Vec::new(),
    };
    for step in 0..steps {
        let [one, other] = twins.step(&mut random).await;
        assert_eq!(one, other, "step {step} of seed {seed}: store, model");
    }
    Ok(())
}

/// A store and its model.
struct Twins {
    stores: [Tester; 2],
    /// The uploads that were started in both, dead or alive.
    uploads: Vec<[Upload; 2]>,
}

impl Twins {
    /// What both answered to the same thing, as text.
    async fn step(&mut self, random: &mut Random) -> [String; 2] {
        let within = bucket_name(random.pick::<&str>(&["one", "two"]));
        let name = *random.pick(&["a", "a/b", "a/c", "b", "b//c", "ü"]);
        let size = *random.pick(&[0, 1, 100, 8192, 8193, 70_000, 140_000, 1_200_000]);
        let bytes = pattern(size, random.next());
        let etag = (*random.pick(&["x", "y", "z"])).to_owned();
        let precondition = match random.below(8) {
            0 => Precondition::Absent,
            1 => Precondition::Present,
            2 => Precondition::Matches(vec![etag.clone()]),
            _ => Precondition::None,
        };
        let kind = random.below(27);
        if kind == 0 {
            return self.start_upload(&within, name).await;
        }
        let upload = match self.uploads.len() as u64 {
            0 => None,
            count => Some(random.below(count) as usize),
        };
        let number = 1 + random.below(3) as u16;
        let query = ListQuery {
            prefix: (*random.pick(&["", "a", "b"])).to_owned(),
            delimiter: random.pick(&[None, Some("/")]).map(str::to_owned),
            after: random
                .pick(&[None, Some("a"), Some("a/")])
                .map(str::to_owned),
            limit: 1 + random.below(4) as usize,
        };
        let (a, b) = (random.next(), random.next());
        let versions = VersionQuery {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone(),
            after: None,
            limit: query.limit,
        };

        let mut answers = [String::new(), String::new()];
        for (which, answer) in answers.iter_mut().enumerate() {
            let t = &self.stores[which];
            let upload = upload.map(|at| self.uploads[at][which].clone());
            let object = NewObject {
                documents: documents(&[("plugin/doc", &etag)]),
                ..new_object(name, &etag)
            };
            if kind == 1 {
                let created = t.0.create_bucket(some_bucket(&within, a)).await;
                *answer = told(created, |bucket| bucket.name.to_string());
                continue;
            }
            let bucket = match t.0.bucket(&within).await {
                Ok(bucket) => bucket,
                missing => {
                    *answer = told(missing, |_| String::new());
                    continue;
                }
            };
            *answer = match (kind, upload) {
                (2, _) if a % 4 == 0 => told(t.0.delete_bucket(&bucket).await, |()| String::new()),
                (2..=5, _) => {
                    let put = t.put_if(&bucket, object, &bytes, precondition.clone());
                    told(put.await, |object| facts(&object))
                }
                (6 | 7, _) => {
                    let k = key(name);
                    let delete = t.0.delete(&bucket, &k, None, precondition.clone());
                    told(delete.await, |deleted| shown_deleted(&deleted))
                }
                (16..=18, _) => {
                    let put = t.put_if(&bucket, object, &bytes, precondition.clone());
                    told(put.await, |object| facts(&object))
                }
                (19, _) if a % 2 == 0 => {
                    let to = match b % 3 {
                        0 => Versioning::Suspended,
                        _ => Versioning::Enabled,
                    };
                    told(t.0.set_versioning(&bucket, to).await, |bucket| {
                        format!("{:?}", bucket.versioning)
                    })
                }
                (20 | 21, _) => {
                    let deleted = t.delete_some(&bucket, name, a, precondition.clone()).await;
                    told(deleted, |deleted| shown_deleted(&deleted))
                }
                (22, _) if a % 4 == 0 => {
                    told(t.empty_of_versions(&bucket).await, |()| String::new())
                }
                (23, _) => {
                    let page = t
                        .list_some_versions(&bucket, name, versions.clone(), a)
                        .await;
                    told(page, |page| shown_versions(&page))
                }
                (24, _) => told(t.copy_some(&bucket, name, a).await, |object| facts(&object)),
                (25, _) => told(t.0.usage(&bucket).await, |usage| format!("{usage:?}")),
                (8, _) => {
                    let change = amendment(&[("plugin/more", (a % 2 == 0).then_some("m"))]);
                    let amended = t.amend(&bucket, name, b, change).await;
                    told(amended, |object| facts(&object))
                }
                (9, _) => told(t.0.list_objects(&bucket, &query).await, |page| {
                    format!("{:?} {}", shown(&page.entries), page.truncated)
                }),
                (10 | 11, Some(upload)) => {
                    let put = t.put_part(&bucket, &upload, number, &etag, &bytes);
                    told(put.await, |()| String::new())
                }
                (12, Some(upload)) => {
                    let parts = [(1, "x"), (number, etag.as_str())];
                    let parts = &parts[usize::from(number == 1)..];
                    let complete = t.complete(&bucket, &upload, parts, precondition.clone());
                    told(complete.await, |object| facts(&object))
                }
                (13, Some(upload)) if a % 3 == 0 => {
                    let abort = t.0.abort_upload(&bucket, &upload.key, upload.id);
                    told(abort.await, |()| String::new())
                }
                _ => told(t.read_piece(&bucket, name, a, b).await, |bytes| {
                    format!("{} bytes, {:?}", bytes.len(), bytes.get(..32))
                }),
            };
        }
        answers
    }

    async fn start_upload(&mut self, bucket: &BucketName, name: &str) -> [String; 2] {
        let [store, model] = &self.stores;
        let one = store.start_upload(bucket, name).await;
        let other = model.start_upload(bucket, name).await;
        if let (Ok(one), Ok(other)) = (&one, &other) {
            self.uploads.push([one.clone(), other.clone()]);
        }
        [one, other].map(|upload| told(upload, |upload| upload.key.to_string()))
    }
}

impl Tester {
    async fn start_upload(&self, bucket: &BucketName, name: &str) -> Result<Upload> {
        let bucket = self.0.bucket(bucket).await?;
        self.0.create_upload(&bucket, new_upload(name)).await
    }

    /// Amends the version of a key that a random number chooses.
    async fn amend(
        &self,
        bucket: &Bucket,
        name: &str,
        number: u64,
        change: Amendment,
    ) -> Result<Arc<Object>> {
        let version = self.some_version(bucket, name, number).await?;
        let object = self.0.object(bucket, &key(name), version).await?;
        self.0.amend_object(bucket, &object, change).await
    }

    /// One of the versions of a key, or none, or one that there may not be.
    async fn some_version(
        &self,
        bucket: &Bucket,
        name: &str,
        number: u64,
    ) -> Result<Option<VersionId>> {
        let versions = self.history(bucket, name).await?;
        let at = usize::try_from(number % (versions.len() as u64 + 3)).unwrap_or_default();
        Ok(match versions.get(at) {
            Some(entry) => Some(entry.version.version()),
            None if at == versions.len() => Some(VersionId::Null),
            None if at == versions.len() + 1 => Some(VersionId::Id(7)),
            None => None,
        })
    }

    async fn delete_some(
        &self,
        bucket: &Bucket,
        name: &str,
        number: u64,
        precondition: Precondition,
    ) -> Result<Deleted> {
        let version = self.some_version(bucket, name, number).await?;
        self.0
            .delete(bucket, &key(name), version, precondition)
            .await
    }

    async fn list_some_versions(
        &self,
        bucket: &Bucket,
        name: &str,
        query: VersionQuery,
        number: u64,
    ) -> Result<Delimited<VersionEntry>> {
        let after = match (
            number % 3,
            self.some_version(bucket, name, number / 3).await?,
        ) {
            (0, _) => None,
            (1, Some(version)) => Some(VersionMarker::Version(key(name), version)),
            (_, _) => Some(VersionMarker::Key(name.to_owned())),
        };
        self.0
            .list_versions(bucket, &VersionQuery { after, ..query })
            .await
    }

    async fn empty_of_versions(&self, bucket: &Bucket) -> Result<()> {
        for entry in self.all_versions(bucket).await? {
            let (key, version) = (entry.version.key(), Some(entry.version.version()));
            self.0
                .delete(bucket, key, version, Precondition::None)
                .await?;
        }
        Ok(())
    }

    /// Copies a version of a key to another key, or to the other bucket.
    async fn copy_some(&self, bucket: &Bucket, name: &str, number: u64) -> Result<Arc<Object>> {
        let version = self.some_version(bucket, name, number / 2).await?;
        let object = self.0.object(bucket, &key(name), version).await?;
        let other = match bucket.name.as_str() {
            "one" => "two",
            _ => "one",
        };
        let target = match number % 2 {
            0 => bucket_name(other),
            _ => bucket.name.clone(),
        };
        let target = self.0.bucket(&target).await?;
        let staged = match self.0.share(&object, &target).await? {
            Some(staged) => staged,
            None => {
                let bytes = self.read(&object, 0..object.size).await?;
                self.stage(&target, &bytes).await?
            }
        };
        let new = new_object("a/b", &object.etag);
        self.0.put(&target, new, staged, Precondition::None).await
    }

    /// Reads a piece of a version, placed by two random numbers.
    async fn read_piece(&self, bucket: &Bucket, name: &str, a: u64, b: u64) -> Result<Bytes> {
        let version = self.some_version(bucket, name, a).await?;
        let object = self.0.object(bucket, &key(name), version).await?;
        let (a, b) = (a % (object.size + 1), b % (object.size + 1));
        self.read(&object, a.min(b)..a.max(b)).await
    }
}

/// A bucket as a random number wants it.
fn some_bucket(name: &BucketName, number: u64) -> NewBucket {
    let alone = Geometry { data: 1, parity: 0 };
    NewBucket {
        versioning: match number % 4 {
            0 => Versioning::Enabled,
            _ => Versioning::Never,
        },
        placement: NewPlacement {
            geometry: (number / 4).is_multiple_of(3).then_some(alone),
            quota: (number / 12).is_multiple_of(3).then_some(3_000_000),
            ..NewPlacement::default()
        },
        ..new_bucket(name.as_str())
    }
}

/// Stores do not agree on ids.
fn kind(version: VersionId) -> &'static str {
    match version {
        VersionId::Null => "null",
        VersionId::Id(_) => "id",
    }
}

fn shown_deleted(deleted: &Deleted) -> String {
    format!(
        "{:?}, marker: {}",
        deleted.version.map(kind),
        deleted.marker
    )
}

fn shown_versions(page: &Delimited<VersionEntry>) -> String {
    let shown = |entry: &Entry<VersionEntry>| match entry {
        Entry::Prefix(prefix) => format!("prefix {prefix}"),
        Entry::Item(VersionEntry { latest, version }) => match version {
            Listed::Object(object) => format!("{latest} {}", facts(object)),
            Listed::Marker(marker) => {
                format!("{latest} marker {} {}", marker.key, kind(marker.version))
            }
        },
    };
    let entries: Vec<String> = page.entries.iter().map(shown).collect();
    format!("{entries:?} {}", page.truncated)
}

fn told<T>(result: Result<T>, show: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(value) => show(value),
        Err(Error::Marker(marker)) => format!("marker: {} {}", marker.key, kind(marker.version)),
        Err(error) => format!("refused: {error}"),
    }
}

/// What two stores must agree on: all but the ids, the time and the place.
fn facts(object: &Object) -> String {
    let Object {
        key,
        version,
        id: _,
        owner,
        size,
        etag,
        modified: _,
        metadata,
        documents,
        parts,
        location: _,
    } = object;
    let version = kind(*version);
    format!("{key} {version} {owner} {size} {etag} {metadata:?} {documents:?} {parts:?}")
}
