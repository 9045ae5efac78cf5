//! The [`Store`] over local drives: each call is handed to the part that does it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use storage::{
    Amendment, Bucket, BucketName, BucketQuery, ByteStream, Deleted, Delimited, DriveStatus, Error,
    ListQuery, NewBucket, NewObject, NewUpload, Object, ObjectKey, Page, PartNumber, Precondition,
    Promised, Result, Room, Sink, Staged, Store, Target, Traffic, Upload, UploadId, UploadQuery,
    UploadedPart, Usage, VersionEntry, VersionId, VersionQuery, Versioning,
};
use tokio::sync::{mpsc, oneshot};

use crate::bulk::Allocator;
use crate::change::{Change, Reply};
use crate::commit::{Buckets, Committer, Head, Job, QUEUE_MAX};
use crate::disk::Disk;
use crate::drive::{Drive, LocalDrive};
use crate::format;
use crate::index::{Index, Rows, Space, damaged};
use crate::keys;
use crate::layout::Extent;
use crate::list;
use crate::lookup;
use crate::open::{self, Drives, OpenError, Options};
use crate::random;
use crate::read;
use crate::record::{
    decode_bucket, decode_part, decode_tally, decode_upload, decode_version, location_of,
};
use crate::replay::{self, Replayed};
use crate::set::Set;
use crate::sink::{Data, EngineSink, Token};
use crate::wire::Malformed;

/// An erasure-coded store on the drives of this machine.
pub struct Engine {
    /// Gone once the engine is dropped: that ends the committer.
    jobs: Option<mpsc::Sender<Job>>,
    committer: Option<JoinHandle<()>>,
    /// It was told to end.
    closed: AtomicBool,
    set: Arc<Set>,
    index: Arc<Index>,
    buckets: Arc<Buckets>,
    allocator: Arc<Allocator>,
    promised: Arc<Promised>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("drives", &self.set.statuses())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens a store, or makes one on empty drives. Reads what the index does
    /// not know yet; may take as long as that needs, and blocks.
    pub fn open(options: &Options) -> Result<Arc<Self>, OpenError> {
        Self::open_on(options, &|drive| Arc::new(drive))
    }

    /// Opens a store on drives that may be more, or less, than directories.
    pub(crate) fn open_on(
        options: &Options,
        wrap: &dyn Fn(LocalDrive) -> Arc<dyn Drive>,
    ) -> Result<Arc<Self>, OpenError> {
        let drives = open::find(options, wrap)?;
        let sources: Vec<_> = drives.members.iter().map(open::Member::source).collect();
        let spread = drives.spread;
        let writable = sources.len() >= spread.write_quorum();
        let index = &options.index;
        let replayed = replay::replay(index, drives.deployment, &sources, spread, writable)?;
        let engine = Self::start(drives, replayed, writable)?;
        Ok(Arc::new(engine))
    }

    fn start(mut drives: Drives, replayed: Replayed, writable: bool) -> Result<Self, OpenError> {
        let newest = drives
            .members
            .iter()
            .map(|member| member.format.epoch)
            .max();
        let epoch = newest.unwrap_or(0).max(replayed.epoch) + 1;
        if writable {
            for member in &mut drives.members {
                member.format.generation += 1;
                member.format.epoch = epoch;
                format::write(&member.file, &member.format).map_err(|source| OpenError::Io {
                    path: member.path.clone(),
                    source,
                })?;
            }
        } else {
            tracing::warn!("too few drives are there to write; the store only reads");
        }
        let head = Head {
            position: replay::begin_at(&replayed),
            epoch,
            sequence: replayed.sequence,
        };
        let mut disks: Vec<Option<Arc<Disk>>> = vec![None; drives.spread.drives()];
        for member in drives.members {
            let source = member.source();
            let disk = Disk::start(
                source.position,
                source.id,
                member.path.display().to_string(),
                member.drive,
                member.file,
                head.position,
            )
            .map_err(|source| OpenError::Io {
                path: member.path,
                source,
            })?;
            if let Some(slot) = disks.get_mut(source.position) {
                *slot = Some(Arc::new(disk));
            }
        }
        let id_base = random::id().map_err(Error::Io)?;
        let set = Arc::new(Set::new(
            drives.set,
            drives.spread,
            disks,
            drives.names,
            id_base,
        ));
        let index = Arc::new(replayed.index);
        let buckets = Arc::new(RwLock::new(known_buckets(&index)?));
        let allocator = Allocator::new(last_extent(&index, set.number)?);
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        let mut committer = Committer::new(set.clone(), index.clone(), buckets.clone(), head);
        if writable {
            committer.begin(replayed.kept_end)?;
        }
        let committer = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || committer.run(waiting))
            .map_err(Error::Io)?;
        Ok(Self {
            jobs: Some(jobs),
            committer: Some(committer),
            closed: AtomicBool::new(false),
            set,
            index,
            buckets,
            allocator,
            promised: Arc::default(),
        })
    }

    async fn change(&self, change: Change) -> Result<Reply> {
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        let change = Box::new(change);
        jobs.send(Job::Change { change, answer })
            .await
            .map_err(|_| self.without_committer())?;
        answered.await.map_err(|_| self.without_committer())?
    }

    /// Why nobody answers.
    fn without_committer(&self) -> Error {
        match self.closed.load(Ordering::Acquire) {
            true => Error::Closed,
            false => Error::Halted,
        }
    }

    /// Asks the index, which may block, where nothing else is held up.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Index) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let index = self.index.clone();
        tokio::task::spawn_blocking(move || ask(&index))
            .await
            .map_err(|_| Error::Closed)?
    }

    fn find_bucket(&self, name: &BucketName) -> Result<Arc<Bucket>> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned().ok_or(Error::BucketMissing)
    }

    /// The buckets whose names begin with a prefix, after another name.
    fn page_of_buckets(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&Bucket) -> bool,
    ) -> Page<Arc<Bucket>> {
        let first = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = buckets
            .range::<str, _>((first, Bound::Unbounded))
            .take_while(|(name, _)| name.as_str().starts_with(prefix))
            .map(|(_, bucket)| bucket)
            .filter(|bucket| wanted(bucket));
        let entries = wanted.by_ref().take(limit).cloned().collect();
        let truncated = limit > 0 && wanted.next().is_some();
        Page { entries, truncated }
    }

    /// A bucket as it is now, if it is still there, and not another one of its name.
    fn that_bucket(&self, bucket: &Bucket) -> Result<Arc<Bucket>> {
        let found = self.find_bucket(&bucket.name)?;
        match found.id == bucket.id {
            true => Ok(found),
            false => Err(Error::BucketMissing),
        }
    }

    /// The bytes of a bucket of this store, by the geometry that it has.
    fn unpack(&self, staged: Staged, bucket: &Bucket) -> Result<Data> {
        let token: Token = staged.into_token();
        assert!(
            Arc::ptr_eq(&token.set, &self.set),
            "the bytes were staged by another store"
        );
        assert!(
            token.spread == self.set.spread_of(bucket.placement.geometry)?,
            "the bytes were staged for a bucket of another geometry"
        );
        Ok(token.data)
    }
}

fn known_buckets(index: &Index) -> Result<BTreeMap<BucketName, Arc<Bucket>>> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let mut buckets = BTreeMap::new();
    for entry in index.range(Space::Buckets, all) {
        let (_, bucket) = entry?;
        let bucket = decode_bucket(&bucket).map_err(damaged)?;
        buckets.insert(bucket.name.clone(), Arc::new(bucket));
    }
    Ok(buckets)
}

/// The last extent that is in use.
fn last_extent(index: &Index, set: u16) -> Result<Option<Extent>> {
    let Some((name, length)) = index.last(Space::References)? else {
        return Ok(None);
    };
    let decode = || {
        let mut input = crate::wire::Reader::new(&name);
        let named = u16::from_be(input.u16()?) == set;
        let extent = Extent {
            segment: u32::from_be(input.u32()?),
            offset: u64::from_be(input.u64()?),
            length: crate::wire::Reader::new(&length).u64()?,
            stripes: 0,
        };
        Ok::<_, Malformed>(named.then_some(extent))
    };
    decode().map_err(damaged)
}

impl Drop for Engine {
    /// What was accepted is finished first.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(committer) = self.committer.take() {
            let _ = committer.join();
        }
    }
}

/// The answer to a change is of the kind that the change has.
macro_rules! expect {
    ($reply:expr, $kind:ident) => {
        match $reply {
            Reply::$kind(answer) => answer,
            other => unreachable!("the change was answered with {other:?}"),
        }
    };
}

#[async_trait]
impl Store for Engine {
    async fn create_bucket(&self, bucket: NewBucket) -> Result<Arc<Bucket>> {
        Ok(expect!(
            self.change(Change::CreateBucket(bucket)).await?,
            Bucket
        ))
    }

    async fn bucket(&self, name: &BucketName) -> Result<Arc<Bucket>> {
        self.find_bucket(name)
    }

    async fn list_buckets(&self, query: &BucketQuery) -> Result<Page<Arc<Bucket>>> {
        let after = query.after.as_deref();
        Ok(
            self.page_of_buckets(&query.prefix, after, query.limit, |bucket| {
                bucket.owner == query.owner
            }),
        )
    }

    async fn all_buckets(&self, after: Option<&str>, limit: usize) -> Result<Page<Arc<Bucket>>> {
        Ok(self.page_of_buckets("", after, limit, |_| true))
    }

    async fn delete_bucket(&self, bucket: &Bucket) -> Result<()> {
        self.change(Change::DeleteBucket(bucket.into())).await?;
        Ok(())
    }

    async fn amend_bucket(&self, bucket: &Bucket, amendment: Amendment) -> Result<Arc<Bucket>> {
        let change = Change::AmendBucket(bucket.into(), amendment);
        Ok(expect!(self.change(change).await?, Bucket))
    }

    async fn set_versioning(&self, bucket: &Bucket, versioning: Versioning) -> Result<Arc<Bucket>> {
        let change = Change::SetVersioning(bucket.into(), versioning);
        Ok(expect!(self.change(change).await?, Bucket))
    }

    async fn usage(&self, bucket: &Bucket) -> Result<Usage> {
        self.that_bucket(bucket)?;
        let name = keys::bucket(&bucket.name);
        let tally = self.ask(move |index| index.find(Space::Usage, &name, decode_tally));
        Ok(tally.await?.unwrap_or_default().usage)
    }

    async fn object(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<Arc<Object>> {
        let bucket = self.that_bucket(bucket)?;
        let key = key.clone();
        let object = self.ask(move |index| {
            lookup::object(index, &bucket.name, bucket.versioning, &key, version)
        });
        Ok(Arc::new(object.await?))
    }

    async fn read(&self, object: &Object, range: Range<u64>) -> Result<ByteStream> {
        read::read(&self.set, &object.location, range).await
    }

    async fn list_objects(
        &self,
        bucket: &Bucket,
        query: &ListQuery,
    ) -> Result<Delimited<Arc<Object>>> {
        self.that_bucket(bucket)?;
        let (bucket, query) = (bucket.name.clone(), query.clone());
        self.ask(move |index| list::objects(index, &bucket, &query))
            .await
    }

    async fn list_versions(
        &self,
        bucket: &Bucket,
        query: &VersionQuery,
    ) -> Result<Delimited<VersionEntry>> {
        self.that_bucket(bucket)?;
        let (bucket, query) = (bucket.name.clone(), query.clone());
        self.ask(move |index| list::versions(index, &bucket, &query))
            .await
    }

    async fn reserve(&self, bucket: &Bucket, target: Target<'_>, length: u64) -> Result<Room> {
        let bucket = self.that_bucket(bucket)?;
        if bucket.placement.quota.is_none() {
            return self.promised.reserve(&bucket, 0, length, 0);
        }
        type Size = fn(&[u8]) -> Result<u64, Malformed>;
        let replaced: Option<(Space, Vec<u8>, Size)> = match target {
            Target::Object(_) if bucket.versioning == Versioning::Enabled => None,
            Target::Object(key) => {
                let null = keys::version(&bucket.name, key, VersionId::Null);
                let size: Size = |version| Ok(decode_version(version)?.usage().bytes);
                Some((Space::Versions, null, size))
            }
            Target::Part(key, id, number) => {
                let part = keys::part(&bucket.name, key, id, number);
                let size: Size = |part| Ok(decode_part(part)?.usage().bytes);
                Some((Space::Parts, part, size))
            }
        };
        let name = keys::bucket(&bucket.name);
        let numbers = self.ask(move |index| {
            let index = index.snapshot();
            let tally = index.find(Space::Usage, &name, decode_tally)?;
            let going = match replaced {
                Some((space, row, size)) => index.find(space, &row, size)?,
                None => None,
            };
            let used = tally.unwrap_or_default().usage.bytes;
            Ok((used, going.unwrap_or_default()))
        });
        let (used, going) = numbers.await?;
        self.promised.reserve(&bucket, used, length, going)
    }

    async fn stage(&self, bucket: &Bucket, length: Option<u64>) -> Result<Box<dyn Sink>> {
        let bucket = self.that_bucket(bucket)?;
        self.set.check_writable()?;
        let spread = self.set.spread_of(bucket.placement.geometry)?;
        let (set, allocator) = (self.set.clone(), self.allocator.clone());
        Ok(Box::new(EngineSink::new(set, allocator, spread, length)))
    }

    /// The copy names the places that its source names. They stay as they are
    /// when the source goes.
    async fn share(&self, object: &Object, target: &Bucket) -> Result<Option<Staged>> {
        let target = self.that_bucket(target)?;
        self.set.check_writable()?;
        let spread = self.set.spread_of(target.placement.geometry)?;
        let Some(location) = location_of(object) else {
            return Ok(None);
        };
        if location.set != self.set.number || location.spread != spread {
            return Ok(None);
        }
        let token = Token {
            set: self.set.clone(),
            spread,
            data: Data::Stored {
                pieces: location.pieces.clone(),
                reservations: Vec::new(),
            },
        };
        Ok(Some(Staged::shared(object, token)))
    }

    async fn put(
        &self,
        bucket: &Bucket,
        object: NewObject,
        data: Staged,
        precondition: Precondition,
    ) -> Result<Arc<Object>> {
        let (size, parts) = (data.length, data.parts.clone());
        let change = Change::Put {
            bucket: bucket.into(),
            object,
            size,
            parts,
            data: self.unpack(data, bucket)?,
            precondition,
        };
        Ok(expect!(self.change(change).await?, Object))
    }

    async fn delete(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        precondition: Precondition,
    ) -> Result<Deleted> {
        let change = Change::Delete {
            bucket: bucket.into(),
            key: key.clone(),
            version,
            precondition,
        };
        Ok(expect!(self.change(change).await?, Deleted))
    }

    async fn amend_object(
        &self,
        bucket: &Bucket,
        object: &Object,
        amendment: Amendment,
    ) -> Result<Arc<Object>> {
        let change = Change::AmendObject {
            bucket: bucket.into(),
            key: object.key.clone(),
            version: object.version,
            id: object.id,
            amendment,
        };
        Ok(expect!(self.change(change).await?, Object))
    }

    async fn create_upload(&self, bucket: &Bucket, upload: NewUpload) -> Result<Upload> {
        let bucket = bucket.into();
        let change = Change::CreateUpload { bucket, upload };
        Ok(expect!(self.change(change).await?, Upload))
    }

    async fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<Upload> {
        self.that_bucket(bucket)?;
        let name = keys::upload(&bucket.name, key, id);
        let upload = self.ask(move |index| index.find(Space::Uploads, &name, decode_upload));
        upload.await?.ok_or(Error::UploadMissing)
    }

    async fn put_part(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        part: UploadedPart,
        data: Staged,
    ) -> Result<()> {
        let change = Change::PutPart {
            bucket: bucket.into(),
            key: key.clone(),
            id,
            part,
            size: data.length,
            data: self.unpack(data, bucket)?,
        };
        self.change(change).await?;
        Ok(())
    }

    async fn list_parts(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<Page<UploadedPart>> {
        let (name, of) = (bucket.name.clone(), key.clone());
        let parts = self
            .ask(move |index| list::parts(index, &name, &of, id, after, limit))
            .await?;
        // Last: of an upload that ends meanwhile there may be no parts any more.
        self.upload(bucket, key, id).await?;
        Ok(parts)
    }

    async fn list_uploads(
        &self,
        bucket: &Bucket,
        query: &UploadQuery,
    ) -> Result<Delimited<Upload>> {
        self.that_bucket(bucket)?;
        let (bucket, query) = (bucket.name.clone(), query.clone());
        self.ask(move |index| list::uploads(index, &bucket, &query))
            .await
    }

    async fn complete_upload(
        &self,
        bucket: &Bucket,
        id: UploadId,
        parts: &[(PartNumber, String)],
        object: NewObject,
        precondition: Precondition,
    ) -> Result<Arc<Object>> {
        let change = Change::CompleteUpload {
            bucket: bucket.into(),
            id,
            parts: parts.to_vec(),
            object,
            precondition,
        };
        Ok(expect!(self.change(change).await?, Object))
    }

    async fn completed(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
    ) -> Result<Arc<Object>> {
        self.that_bucket(bucket)?;
        let (bucket, key) = (bucket.name.clone(), key.clone());
        let object = self.ask(move |index| lookup::completed(index, &bucket, &key, id));
        Ok(Arc::new(object.await?))
    }

    async fn abort_upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<()> {
        let change = Change::AbortUpload {
            bucket: bucket.into(),
            key: key.clone(),
            id,
        };
        self.change(change).await?;
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.set.traffic()
    }

    fn drives(&self) -> Vec<DriveStatus> {
        self.set.statuses()
    }

    fn writable(&self) -> bool {
        let accepted = self.jobs.as_ref().is_some_and(|jobs| !jobs.is_closed());
        accepted && !self.closed.load(Ordering::Acquire) && self.set.check_writable().is_ok()
    }

    async fn close(&self) {
        let Some(jobs) = &self.jobs else { return };
        let (answer, answered) = oneshot::channel();
        self.closed.store(true, Ordering::Release);
        // Where it was closed before there is nothing to wait for.
        if jobs.send(Job::Close(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

#[cfg(test)]
impl Engine {
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::CellRef;
    use crate::drive::FileId;
    use crate::geometry::DriveMask;
    use crate::record::encode_intent;
    use crate::tests::support::{Bench, bucket_name, create_bucket, get, pattern, put};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_whose_committer_died_says_so_and_still_reads() {
        let bench = Bench::new(2, 1);
        let mut store = bench.open();
        create_bucket(&*store).await;
        put(&*store, "key", &pattern(10, 1)).await.unwrap();
        assert!(store.writable());
        // The end of the queue at which the committer was is gone.
        Arc::get_mut(&mut store).unwrap().jobs = Some(mpsc::channel(1).0);
        assert!(!store.writable());
        let refused = put(&*store, "key", &pattern(10, 2)).await;
        assert!(matches!(refused, Err(Error::Halted)), "{refused:?}");
        assert_eq!(get(&*store, "key").await.unwrap(), pattern(10, 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_found_damaged_waits_for_repair_until_a_batch_notes_it() {
        let bench = Bench::new(2, 1);
        let store = bench.open();
        create_bucket(&*store).await;
        put(&*store, "key", &pattern(10, 1)).await.unwrap();
        let cell = CellRef {
            file: FileId::Bulk(1),
            offset: 4096,
            length: 10,
            blob: 7,
            shard: 0,
        };
        let noted = || {
            let all = store.index.dump().into_iter();
            let mut intents = all.filter(|((space, _), _)| *space == Space::Intents);
            intents.next().map(|(_, drives)| drives)
        };
        store.set.note_repair(&cell, 0);
        let bucket = store.bucket(&bucket_name()).await.unwrap();
        let refused = store.delete_bucket(&bucket).await;
        assert!(matches!(refused, Err(Error::BucketNotEmpty)));
        assert_eq!(noted(), None, "a refusal writes nothing");
        for (drive, drives) in [(1, 0b011), (1, 0b011), (2, 0b111)] {
            store.set.note_repair(&cell, drive);
            put(&*store, "key", &pattern(10, 1)).await.unwrap();
            assert_eq!(noted(), Some(encode_intent(&DriveMask(drives))));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_was_closed_says_so() {
        let bench = Bench::new(2, 1);
        let store = bench.open();
        create_bucket(&*store).await;
        store.close().await;
        assert!(!store.writable());
        let refused = put(&*store, "key", &pattern(10, 1)).await;
        assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
    }
}
