//! The index: what is found by key. The only place that knows fjall.
//!
//! It says nothing that the logs do not say, and knows up to which position of
//! the logs it is complete. Nothing here is ever synced: what is lost or damaged
//! is read from the logs again. Its calls may block.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Slice, Snapshot as Moment,
};
use storage::{Error, Result};

use crate::format::create_private;
use crate::wire::{Malformed, Reader, Writer};

/// A change of what the index keeps must change this, so that an old index is rebuilt.
const VERSION: u32 = 4;
const SPACES: usize = 14;
/// What was there in the place of what is only shown.
const SHOWN: &[u8] = b"shown";
const MEMTABLE_LEN: u64 = 32 << 20;
/// What listings walk through. What was removed from it lies in their way until
/// it is compacted.
const LISTED: [Space; 3] = [Space::Current, Space::Past, Space::Uploads];
/// Fewer removals are not worth a compaction, nor are fewer than this share of
/// what there is.
const SWEPT_MIN: u64 = 50_000;
const SWEPT_SHARE: u64 = 4;
/// For what is in memory to reach the files that are compacted.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space {
    /// Up to where the index is complete.
    Meta,
    Buckets,
    /// How much is in each bucket, where anything is.
    Usage,
    /// The current version of each key, where it is not a delete marker: what a
    /// listing needs.
    Current,
    /// All other versions, the newest first: what a listing needs. A delete
    /// marker is here even where it is the newest, so that a listing of objects
    /// does not meet it.
    Past,
    /// The newest version of each key where it is a delete marker.
    Hidden,
    /// The versions next to each, where its key has others.
    Links,
    /// All versions by their names, whole.
    Versions,
    Uploads,
    Parts,
    /// Which version an upload has become, while it is there.
    Completed,
    /// The same from the side of the version.
    Origins,
    /// Which extents are in use, and by what. A set of names instead of a
    /// counter: repeating a record changes nothing.
    References,
    /// What waits for repair.
    Intents,
}

const NAMES: [(Space, &str); SPACES] = [
    (Space::Meta, "meta"),
    (Space::Buckets, "buckets"),
    (Space::Usage, "usage"),
    (Space::Current, "current"),
    (Space::Past, "past"),
    (Space::Hidden, "hidden"),
    (Space::Links, "links"),
    (Space::Versions, "versions"),
    (Space::Uploads, "uploads"),
    (Space::Parts, "parts"),
    (Space::Completed, "completed"),
    (Space::Origins, "origins"),
    (Space::References, "references"),
    (Space::Intents, "intents"),
];

/// Up to where the index has taken in the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// Where the next record begins.
    pub(crate) position: u64,
    /// The last record taken in.
    pub(crate) last_position: u64,
    pub(crate) last_sequence: u64,
    pub(crate) last_epoch: u64,
}

pub(crate) struct Index {
    database: Database,
    spaces: [Keyspace; SPACES],
    deployment: u128,
    /// Its presence makes the next start build the index anew.
    distrust: PathBuf,
    distrusted: AtomicBool,
    /// From what listings walk through, since the last sweep.
    removed: AtomicU64,
    sweep: Mutex<Option<JoinHandle<()>>>,
    /// Entries that were read.
    #[cfg(test)]
    touched: AtomicU64,
    /// Walks through a space, each of which may meet what was removed.
    #[cfg(test)]
    walks: AtomicU64,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

/// The index as it was at one moment.
pub(crate) struct Snapshot<'a> {
    index: &'a Index,
    moment: Moment,
}

/// Changes that become visible together.
#[derive(Debug, Default)]
pub(crate) struct Batch(BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>);

/// The index as it will be once a batch is applied.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) index: &'a Index,
    pub(crate) batch: &'a mut Batch,
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Io(std::io::Error::other(error))
}

/// Whether an index was ever made at this path.
pub(crate) fn exists(path: &Path) -> bool {
    path.join("db").exists()
}

impl Index {
    /// Opens the index of a deployment. What is missing, of another deployment,
    /// of another version or damaged is replaced by an empty one.
    pub(crate) fn open(path: &Path, deployment: u128) -> Result<(Self, Cursor)> {
        create_private(path)?;
        let distrust = path.join("rebuild");
        if distrust.exists() {
            tracing::warn!("the index failed in the last run; it is built anew from the logs");
            return Self::create(path, deployment);
        }
        // The database may be in any state after a crash: a panic in it is one
        // more way to say that it is damaged.
        let opened = std::panic::catch_unwind(|| {
            let index = Self::open_database(path, deployment)?;
            let cursor = index.cursor()?;
            index.take_back()?;
            Ok::<_, Error>((index, cursor))
        });
        match opened {
            Ok(Ok((index, Some(cursor)))) => Ok((index, cursor)),
            Ok(Ok((index, None))) => {
                drop(index);
                Self::create(path, deployment)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the index does not open; it is built anew from the logs");
                Self::create(path, deployment)
            }
            Err(_) => {
                tracing::warn!("the index does not open; it is built anew from the logs");
                Self::create(path, deployment)
            }
        }
    }

    /// An empty index in the place of whatever is there.
    pub(crate) fn create(path: &Path, deployment: u128) -> Result<(Self, Cursor)> {
        match std::fs::remove_dir_all(path.join("db")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        match std::fs::remove_file(path.join("rebuild")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let index = Self::open_database(path, deployment)?;
        Ok((index, Cursor::default()))
    }

    fn open_database(path: &Path, deployment: u128) -> Result<Self> {
        let database = Database::builder(path.join("db"))
            .worker_threads(1)
            .open()
            .map_err(broken)?;
        let mut spaces = Vec::with_capacity(SPACES);
        for (_, name) in NAMES {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_LEN);
            spaces.push(database.keyspace(name, options).map_err(broken)?);
        }
        let spaces = spaces
            .try_into()
            .map_err(|_| broken("the index has another number of spaces"))?;
        Ok(Self {
            database,
            spaces,
            deployment,
            distrust: path.join("rebuild"),
            distrusted: AtomicBool::new(false),
            removed: AtomicU64::new(0),
            sweep: Mutex::new(None),
            #[cfg(test)]
            touched: AtomicU64::new(0),
            #[cfg(test)]
            walks: AtomicU64::new(0),
        })
    }

    fn space(&self, space: Space) -> &Keyspace {
        &self.spaces[space as usize]
    }

    /// `None` where the index is not one of this deployment and version.
    pub(crate) fn cursor(&self) -> Result<Option<Cursor>> {
        let Some(cursor) = self.get(Space::Meta, b"cursor")? else {
            return Ok(None);
        };
        let decode = || {
            let mut input = Reader::new(&cursor);
            let ours = input.u32()? == VERSION && input.u128()? == self.deployment;
            let cursor = Cursor {
                position: input.u64()?,
                last_position: input.u64()?,
                last_sequence: input.u64()?,
                last_epoch: input.u64()?,
            };
            input.finish()?;
            Ok::<_, Malformed>(ours.then_some(cursor))
        };
        Ok(decode().ok().flatten())
    }

    /// What failed once is not believed by the next start.
    fn checked<T>(&self, result: fjall::Result<T>) -> Result<T> {
        result.map_err(|error| {
            if !self.distrusted.swap(true, Ordering::AcqRel) {
                tracing::error!(%error, "the index failed; a restart builds it anew from the logs");
                if let Err(error) = std::fs::write(&self.distrust, b"") {
                    tracing::error!(%error, "remove the index by hand before the restart");
                }
            }
            broken(error)
        })
    }

    /// The entries within bounds, by key.
    pub(crate) fn range(
        &self,
        space: Space,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> impl Iterator<Item = Result<(Slice, Slice)>> + '_ {
        #[cfg(test)]
        self.walks.fetch_add(1, Ordering::Relaxed);
        self.space(space)
            .range::<Vec<u8>, _>(bounds)
            .map(|entry| self.checked(entry.into_inner()))
    }

    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            index: self,
            moment: self.database.snapshot(),
        }
    }

    pub(crate) fn last(&self, space: Space) -> Result<Option<(Slice, Slice)>> {
        self.space(space)
            .last_key_value()
            .map(|entry| self.checked(entry.into_inner()))
            .transpose()
    }

    /// Makes a batch visible, and remembers that the logs are taken in up to there.
    pub(crate) fn commit(&self, batch: Batch, cursor: Cursor) -> Result<()> {
        let mut changes = self.database.batch();
        for ((space, key), value) in batch.0 {
            match value {
                Some(value) => changes.insert(self.space(space), key, value),
                None => {
                    let listed = u64::from(LISTED.contains(&space));
                    self.removed.fetch_add(listed, Ordering::Relaxed);
                    changes.remove(self.space(space), key);
                }
            }
        }
        let mut out = Writer::default();
        out.u32(VERSION);
        out.u128(self.deployment);
        out.u64(cursor.position);
        out.u64(cursor.last_position);
        out.u64(cursor.last_sequence);
        out.u64(cursor.last_epoch);
        changes.insert(self.space(Space::Meta), b"cursor".as_slice(), out.0);
        self.checked(changes.commit())?;
        self.sweep_when_due();
        Ok(())
    }

    /// Clears what was removed out of the way of listings, on a thread of its own.
    fn sweep_when_due(&self) {
        let removed = self.removed.load(Ordering::Relaxed);
        if removed < SWEPT_MIN {
            return;
        }
        let spaces = LISTED.map(|space| self.space(space).clone());
        let length: usize = spaces.iter().map(Keyspace::approximate_len).sum();
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = sweep.as_ref().is_some_and(|sweep| !sweep.is_finished());
        if busy || removed < length as u64 / SWEPT_SHARE {
            return;
        }
        self.removed.store(0, Ordering::Relaxed);
        let thread = thread::Builder::new().name("sweep".to_owned());
        *sweep = thread
            .spawn(move || spaces.iter().for_each(compact))
            .inspect_err(|error| tracing::warn!(%error, "the index is not compacted"))
            .ok();
    }

    /// Makes a batch visible until the next start, which takes it back: the
    /// cursor stays where it is.
    pub(crate) fn show(&self, batch: Batch) -> Result<()> {
        let mut changes = self.database.batch();
        let mut before = Writer::default();
        before.count(batch.0.len());
        for ((space, key), value) in batch.0 {
            let old = self.get(space, &key)?;
            before.u8(space as u8);
            before.bytes(&key);
            before.u8(u8::from(old.is_some()));
            before.bytes(old.as_deref().unwrap_or_default());
            match value {
                Some(value) => changes.insert(self.space(space), key, value),
                None => changes.remove(self.space(space), key),
            }
        }
        changes.insert(self.space(Space::Meta), SHOWN, before.0);
        self.checked(changes.commit())
    }

    /// What the last start only showed is as it was before.
    fn take_back(&self) -> Result<()> {
        let Some(before) = self.get(Space::Meta, SHOWN)? else {
            return Ok(());
        };
        let mut changes = self.database.batch();
        let mut input = Reader::new(&before);
        let mut take_back = || {
            for _ in 0..input.count()? {
                let space = input.u8()?;
                let (space, _) = NAMES
                    .iter()
                    .find(|(named, _)| *named as u8 == space)
                    .ok_or(Malformed)?;
                let key = input.bytes()?;
                let was_there = input.u8()? == 1;
                let value = input.bytes()?;
                match was_there {
                    true => changes.insert(self.space(*space), key, value),
                    false => changes.remove(self.space(*space), key),
                }
            }
            input.finish()
        };
        take_back().map_err(|_| broken("what was only shown cannot be taken back"))?;
        changes.remove(self.space(Space::Meta), SHOWN);
        self.checked(changes.commit())
    }

    /// Spares the next start the reading of the logs.
    pub(crate) fn persist(&self) -> Result<()> {
        self.checked(self.database.persist(PersistMode::SyncAll))
    }
}

/// Only makes listings faster: where it fails, they stay as they are.
fn compact(space: &Keyspace) {
    let flushed = || {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        while space.sealed_memtable_count() > 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    };
    let compacted = space
        .rotate_memtable()
        .map(|_| flushed())
        .and_then(|()| space.major_compact());
    if let Err(error) = compacted {
        tracing::warn!(%error, space = &**space.name(), "the index is not compacted");
    }
}

impl Drop for Index {
    /// Whoever opens the index next must find nobody in it.
    fn drop(&mut self) {
        let sweep = self.sweep.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(sweep) = sweep.take() {
            let _ = sweep.join();
        }
    }
}

/// Where single entries are found: in the index as it is, as it was, or as it
/// will be.
pub(crate) trait Rows {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Slice>>;

    fn find<T>(
        &self,
        space: Space,
        key: &[u8],
        decode: fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<Option<T>> {
        let entry = self.get(space, key)?;
        let entry = entry.map(|entry| decode(&entry)).transpose();
        entry.map_err(damaged)
    }
}

impl Rows for Index {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Slice>> {
        self.checked(self.space(space).get(key))
    }
}

impl Rows for Snapshot<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Slice>> {
        self.note_touch();
        let space = self.index.space(space);
        self.index.checked(self.moment.get(space, key))
    }
}

impl Rows for View<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Slice>> {
        match self.batch.0.get(&(space, key.to_vec())) {
            Some(changed) => Ok(changed.as_deref().map(Slice::from)),
            None => self.index.get(space, key),
        }
    }
}

pub(crate) fn damaged(_: Malformed) -> Error {
    Error::Damaged(
        "an entry of the index; it is built anew when it is removed and the store restarted".into(),
    )
}

impl Snapshot<'_> {
    /// The entries within bounds, by key. None where they begin behind their end.
    pub(crate) fn range(
        &self,
        space: Space,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> impl Iterator<Item = Result<(Slice, Slice)>> + '_ {
        #[cfg(test)]
        self.index.walks.fetch_add(1, Ordering::Relaxed);
        let empty = match &bounds {
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
            _ => false,
        };
        let space = self.index.space(space);
        let entries = (!empty).then(|| {
            self.moment
                .range::<Vec<u8>, (Bound<_>, Bound<_>)>(space, bounds)
        });
        entries.into_iter().flatten().map(|entry| {
            self.note_touch();
            self.index.checked(entry.into_inner())
        })
    }

    fn note_touch(&self) {
        #[cfg(test)]
        self.index.touched.fetch_add(1, Ordering::Relaxed);
    }
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
impl Index {
    /// All that is found by key.
    pub(crate) fn dump(&self) -> BTreeMap<(Space, Vec<u8>), Vec<u8>> {
        let mut all = BTreeMap::new();
        for (space, _) in NAMES {
            for entry in self.range(space, (Bound::Unbounded, Bound::Unbounded)) {
                let (key, value) = entry.unwrap();
                all.insert((space, key.to_vec()), value.to_vec());
            }
        }
        all.retain(|(space, _), _| *space != Space::Meta);
        all
    }

    pub(crate) fn walks(&self) -> u64 {
        self.walks.load(Ordering::Relaxed)
    }

    pub(crate) fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }
}

impl View<'_> {
    pub(crate) fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.batch.0.insert((space, key), Some(value));
    }

    pub(crate) fn remove(&mut self, space: Space, key: Vec<u8>) {
        self.batch.0.insert((space, key), None);
    }

    /// The entries below a prefix, by key. All of them are held in memory: for
    /// what has a bound of its own, like the parts of an upload.
    pub(crate) fn below(&self, space: Space, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Slice)>> {
        let mut entries = BTreeMap::new();
        for entry in self.index.range(space, bounds_below(prefix)) {
            let (key, value) = entry?;
            entries.insert(key.to_vec(), value);
        }
        for (key, value) in self.changed_below(space, prefix) {
            match value {
                Some(value) => entries.insert(key.to_vec(), Slice::from(value.as_slice())),
                None => entries.remove(key),
            };
        }
        Ok(entries.into_iter().collect())
    }

    fn changed_below<'b>(
        &'b self,
        space: Space,
        prefix: &'b [u8],
    ) -> impl Iterator<Item = (&'b [u8], Option<&'b Vec<u8>>)> {
        self.batch
            .0
            .range((space, prefix.to_vec())..)
            .take_while(move |((of, key), _)| *of == space && key.starts_with(prefix))
            .map(|((_, key), value)| (key.as_slice(), value.as_ref()))
    }
}

/// The bounds of all keys that begin with a prefix.
pub(crate) fn bounds_below(prefix: &[u8]) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    (Bound::Included(prefix.to_vec()), end_below(prefix))
}

/// The first key that is greater than all keys with a prefix.
pub(crate) fn end_below(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_does_not_stay_in_the_way_of_listings() {
        let dir = tempfile::tempdir().unwrap();
        let (index, cursor) = Index::open(dir.path(), 1).unwrap();
        let count = u32::try_from(SWEPT_MIN).unwrap() + 5000;
        let change = |numbers: std::ops::Range<u32>, value: Option<&[u8]>| {
            let names = numbers.map(|number| (Space::Current, number.to_be_bytes().to_vec()));
            let batch = names.map(|name| (name, value.map(<[u8]>::to_vec)));
            index.commit(Batch(batch.collect()), cursor).unwrap();
        };
        for start in (0..count).step_by(5000) {
            change(start..start + 5000, Some(b"summary"));
        }
        let current = index.space(Space::Current);
        assert!(current.approximate_len() >= count as usize);
        for start in (0..count).step_by(5000) {
            change(start..start + 5000, None);
        }
        let sweep = index.sweep.lock().unwrap().take();
        sweep.expect("a sweep is due").join().unwrap();
        // What was removed while it was swept waits for the next one.
        assert!(
            current.approximate_len() <= 10_000,
            "{}",
            current.approximate_len()
        );
        assert!(index.dump().is_empty());
    }
}
