//! Drives that fail on purpose: the power goes, a sync fails, there is no room.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::{
    DriveState, Error, Geometry, NewBucket, NewPlacement, Precondition, Store, Versioning,
};

use super::support::{Bench, bucket, create_bucket, get, key, new_bucket, pattern, put};
use crate::Engine;
use crate::drive::{Drive, FileId, LocalDrive};

/// Pieces of this length reach a platter whole or not at all.
const SECTOR: usize = 512;

/// All drives of a machine.
#[derive(Debug, Clone, Default)]
struct Machine {
    platters: Arc<Mutex<HashMap<PathBuf, Arc<Platter>>>>,
    power: Arc<RwLock<()>>,
}

/// A drive with a cache that is lost with the power.
#[derive(Debug, Default)]
struct Platter {
    files: Mutex<BTreeMap<FileId, Contents>>,
    power: Arc<RwLock<()>>,
    off: AtomicBool,
    sync_fails: AtomicBool,
    full: AtomicBool,
    /// Whoever writes a large object to it waits for as long as this is held.
    stuck: Mutex<()>,
    /// Reads take this long.
    slow_ms: AtomicU64,
}

#[derive(Debug, Default, Clone)]
struct Contents {
    durable: Vec<u8>,
    cached: Vec<u8>,
    /// What was written since the last sync.
    dirty: Vec<(usize, usize)>,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

impl Machine {
    fn open(&self, bench: &Bench) -> Arc<Engine> {
        Engine::open_on(&bench.options, &|drive| self.platter(&drive)).unwrap()
    }

    fn platter(&self, drive: &LocalDrive) -> Arc<dyn Drive> {
        let mut platters = self.platters.lock().unwrap();
        let platter = platters.entry(drive.root().to_owned()).or_insert_with(|| {
            Arc::new(Platter {
                power: self.power.clone(),
                ..Platter::default()
            })
        });
        platter.clone()
    }

    fn of(&self, bench: &Bench, drive: usize) -> Arc<Platter> {
        self.platters.lock().unwrap()[&bench.drive(drive)].clone()
    }

    /// The power goes. What was not synced survives by chance, piece by piece.
    fn cut(&self, random: &mut Random) {
        let _power = self.power.write().unwrap();
        for platter in self.platters.lock().unwrap().values_mut() {
            platter.off.store(true, Ordering::SeqCst);
            let mut files = platter.files.lock().unwrap().clone();
            for contents in files.values_mut() {
                contents.lose_power(random);
            }
            *platter = Arc::new(Platter {
                files: Mutex::new(files),
                power: self.power.clone(),
                ..Platter::default()
            });
        }
    }
}

impl Contents {
    fn lose_power(&mut self, random: &mut Random) {
        // A run of writes survives more often than each alone, as on a drive.
        let kindness = random.next() % 4;
        for (start, end) in std::mem::take(&mut self.dirty) {
            let mut at = start;
            while at < end {
                let next = ((at / SECTOR + 1) * SECTOR).min(end);
                if random.next() % 4 < kindness {
                    self.durable.resize(self.durable.len().max(next), 0);
                    self.durable[at..next].copy_from_slice(&self.cached[at..next]);
                }
                at = next;
            }
        }
        self.cached = self.durable.clone();
    }
}

impl Platter {
    fn with<T>(
        &self,
        act: impl FnOnce(&mut BTreeMap<FileId, Contents>) -> io::Result<T>,
    ) -> io::Result<T> {
        let _power = self.power.read().unwrap();
        if self.off.load(Ordering::SeqCst) {
            return Err(io::Error::other("the power is off"));
        }
        act(&mut self.files.lock().unwrap())
    }
}

impl Drive for Platter {
    fn read_at(&self, file: FileId, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::thread::sleep(Duration::from_millis(self.slow_ms.load(Ordering::SeqCst)));
        self.with(|files| {
            let contents = files.get(&file).ok_or(io::ErrorKind::NotFound)?;
            let offset = usize::try_from(offset).map_err(io::Error::other)?;
            let bytes = contents.cached.get(offset..offset + buffer.len());
            buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if matches!(file, FileId::Bulk(_)) {
            drop(self.stuck.lock());
        }
        self.with(|files| {
            if self.full.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let contents = files.entry(file).or_default();
            let start = usize::try_from(offset).map_err(io::Error::other)?;
            let end = start + bytes.len();
            let length = contents.cached.len().max(end);
            contents.cached.resize(length, 0);
            contents.cached[start..end].copy_from_slice(bytes);
            contents.dirty.push((start, end));
            Ok(())
        })
    }

    fn sync(&self, file: FileId) -> io::Result<()> {
        self.with(|files| {
            let contents = files.entry(file).or_default();
            let dirty = std::mem::take(&mut contents.dirty);
            if self.sync_fails.load(Ordering::SeqCst) {
                // The worst that a kernel does: the pages count as clean now.
                return Err(io::Error::other("the sync failed"));
            }
            for (start, end) in dirty {
                let length = contents.durable.len().max(end);
                contents.durable.resize(length, 0);
                contents.durable[start..end].copy_from_slice(&contents.cached[start..end]);
            }
            Ok(())
        })
    }

    fn start_writeback(&self, _file: FileId, _offset: u64, _length: u64) {}

    fn length(&self, file: FileId) -> io::Result<u64> {
        self.with(|files| Ok(files.get(&file).map_or(0, |file| file.cached.len() as u64)))
    }

    fn last_log(&self) -> io::Result<Option<u32>> {
        self.with(|files| {
            let logs = files.keys().filter_map(|file| match file {
                FileId::Log(segment) => Some(*segment),
                FileId::Bulk(_) => None,
            });
            Ok(logs.max())
        })
    }
}

/// What is known of a key: its last acknowledged round, and those that were
/// begun since and may have happened.
#[derive(Debug, Default, Clone)]
struct Known {
    acknowledged: Option<u64>,
    begun: Vec<u64>,
}

type Ledger = Arc<Mutex<BTreeMap<String, Known>>>;

/// Every seventh round deletes; sizes go through all classes.
fn content(name: &str, round: u64) -> Option<Bytes> {
    let size = [50, 9_000, 300_000, 100, 1_200_000][(round % 5) as usize];
    let seed = name.bytes().fold(round, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    (!round.is_multiple_of(7)).then(|| pattern(size, seed))
}

async fn write_until_cut(store: Arc<Engine>, writer: u64, from: u64, ledger: Ledger) {
    for round in from.. {
        let name = format!("{writer}/{}", round % 3);
        let begun = |known: &mut Known| known.begun.push(round);
        begun(ledger.lock().unwrap().entry(name.clone()).or_default());
        let done = match content(&name, round) {
            Some(bytes) => put(&*store, &name, &bytes).await.map(|_| ()),
            None => {
                let none = Precondition::None;
                let deleted = store
                    .delete(&bucket(&*store).await, &key(&name), None, none)
                    .await;
                deleted.map(|_| ())
            }
        };
        if done.is_err() {
            return;
        }
        let known = Known {
            acknowledged: Some(round),
            begun: Vec::new(),
        };
        ledger.lock().unwrap().insert(name, known);
    }
}

/// Compares a store with the ledger. What a store that can write has shown
/// once, it shows for ever.
async fn check(store: &Engine, ledger: &Ledger, context: &str) {
    let known = ledger.lock().unwrap().clone();
    for (name, known) in known {
        let read = match get(store, &name).await {
            Ok(bytes) => Some(bytes),
            Err(Error::ObjectMissing | Error::Marker(_)) => None,
            // The power went when five drives had it, and two of them are gone.
            Err(Error::ReadQuorumLost { .. }) if !store.writable() => continue,
            Err(error) => panic!("{context}, {name}: {error}"),
        };
        let mut possible = known.begun.iter().chain(&known.acknowledged);
        let found = possible.find(|round| content(&name, **round) == read);
        assert!(
            found.is_some() || (known.acknowledged.is_none() && read.is_none()),
            "{context}, {name}: {known:?}, {:?} bytes",
            read.map(|bytes| bytes.len())
        );
        if store.writable() {
            let known = Known {
                acknowledged: found.copied(),
                begun: Vec::new(),
            };
            ledger.lock().unwrap().insert(name, known);
        }
    }
}

/// Writes until the power goes, again and again. Up to `absent` drives are
/// missing while it writes, and up to `lost` others when it starts again.
async fn survives(seed: u64, absent: u64, lost: u64) {
    survives_in(new_bucket(), seed, absent, lost).await;
}

/// In a bucket that is made like this.
async fn survives_in(bucket: NewBucket, seed: u64, absent: u64, lost: u64) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
    let bench = Bench::new(4, 2);
    let machine = Machine::default();
    let store = machine.open(&bench);
    store.create_bucket(bucket).await.unwrap();
    drop(store);
    let ledger = Ledger::default();
    let some = |random: &mut Random, max: u64| {
        let count = random.next() % (max + 1);
        let drives = (0..count).map(|_| (random.next() % 6) as usize);
        drives.collect::<std::collections::BTreeSet<_>>()
    };
    for cut in 0..6_u64 {
        let away = some(&mut random, absent);
        away.iter().for_each(|drive| bench.take_away(*drive));
        let store = machine.open(&bench);
        let context = format!("seed {seed}, before cut {cut}, without {away:?}");
        check(&store, &ledger, &context).await;
        let writers = (0..6).map(|writer| {
            let (store, ledger) = (store.clone(), ledger.clone());
            tokio::spawn(write_until_cut(store, writer, cut * 10_000 + 1, ledger))
        });
        let writers: Vec<_> = writers.collect();
        let wait_us = 5_000 + random.next() % 150_000;
        tokio::time::sleep(Duration::from_micros(wait_us)).await;
        machine.cut(&mut random);
        for writer in writers {
            writer.await.unwrap();
        }
        drop(store);
        away.iter().for_each(|drive| bench.bring_back(*drive));
        if random.next().is_multiple_of(2) {
            bench.lose_index();
        }
        let away = some(&mut random, lost);
        away.iter().for_each(|drive| bench.take_away(*drive));
        let store = machine.open(&bench);
        let context = format!("seed {seed}, after cut {cut}, without {away:?}");
        check(&store, &ledger, &context).await;
        drop(store);
        away.iter().for_each(|drive| bench.bring_back(*drive));
    }
    bench.lose_index();
    check(&machine.open(&bench), &ledger, "at the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_every_loss_of_power() {
    survives(1, 0, 0).await;
    survives(2, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_loss_of_power_and_of_two_drives() {
    survives(3, 0, 2).await;
    survives(4, 0, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_without_a_drive_survives_a_loss_of_power_and_of_another() {
    survives(5, 1, 1).await;
    survives(6, 1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_other_geometries_survive_a_loss_of_power_and_of_a_drive() {
    let placement = |data, parity| NewPlacement {
        geometry: Some(Geometry { data, parity }),
        ..NewPlacement::default()
    };
    let versioned = |placement| NewBucket {
        versioning: Versioning::Enabled,
        placement,
        ..new_bucket()
    };
    survives_in(versioned(NewPlacement::default()), 7, 0, 2).await;
    survives_in(versioned(placement(2, 1)), 8, 0, 1).await;
    survives_in(versioned(placement(3, 1)), 9, 1, 1).await;
    survives_in(versioned(placement(2, 2)), 10, 1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_whose_sync_fails_is_fenced_and_with_a_second_one_writing_ends() {
    let bench = Bench::new(4, 2);
    let machine = Machine::default();
    let store = machine.open(&bench);
    create_bucket(&*store).await;
    let sizes = [10, 50_000, 2_000_000];
    let state = |store: &Engine, drive: usize| store.drives()[drive].state;
    machine
        .of(&bench, 3)
        .sync_fails
        .store(true, Ordering::SeqCst);
    for size in sizes {
        let name = format!("one/{size}");
        put(&*store, &name, &pattern(size, 1)).await.unwrap();
    }
    assert_eq!(state(&store, 3), DriveState::Fenced);
    assert!(store.writable());
    // It works again, and is not trusted again.
    machine
        .of(&bench, 3)
        .sync_fails
        .store(false, Ordering::SeqCst);
    put(&*store, "after", &pattern(10, 1)).await.unwrap();
    assert_eq!(state(&store, 3), DriveState::Fenced);

    machine
        .of(&bench, 0)
        .sync_fails
        .store(true, Ordering::SeqCst);
    for size in sizes {
        let refused = put(&*store, "two", &pattern(size, 2)).await;
        assert!(
            matches!(refused, Err(Error::WriteQuorumLost { need: 5, .. })),
            "{refused:?}"
        );
    }
    assert!(!store.writable());
    for size in sizes {
        let name = format!("one/{size}");
        assert_eq!(get(&*store, &name).await.unwrap(), pattern(size, 1));
    }
    drop(store);
    machine
        .of(&bench, 0)
        .sync_fails
        .store(false, Ordering::SeqCst);
    let store = machine.open(&bench);
    assert!(store.writable());
    for size in sizes {
        let name = format!("one/{size}");
        assert_eq!(get(&*store, &name).await.unwrap(), pattern(size, 1));
    }
    put(&*store, "two", &pattern(10, 2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn full_drives_refuse_and_are_not_fenced() {
    let bench = Bench::new(2, 1);
    let machine = Machine::default();
    let store = machine.open(&bench);
    create_bucket(&*store).await;
    put(&*store, "kept", &pattern(1_000_000, 1)).await.unwrap();
    for drive in 0..3 {
        machine.of(&bench, drive).full.store(true, Ordering::SeqCst);
    }
    let refused = put(&*store, "large", &pattern(2_000_000, 2)).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert_eq!(get(&*store, "kept").await.unwrap(), pattern(1_000_000, 1));
    for drive in 0..3 {
        machine
            .of(&bench, drive)
            .full
            .store(false, Ordering::SeqCst);
    }
    assert!(store.writable());
    put(&*store, "large", &pattern(2_000_000, 2)).await.unwrap();
    assert_eq!(get(&*store, "large").await.unwrap(), pattern(2_000_000, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_does_not_wait_for_slow_drives() {
    let bench = Bench::new(4, 2);
    let machine = Machine::default();
    let store = machine.open(&bench);
    create_bucket(&*store).await;
    let sizes = [10, 50_000, 900_000];
    for size in sizes {
        put(&*store, &size.to_string(), &pattern(size, 1))
            .await
            .unwrap();
    }
    for drive in [1, 4] {
        machine
            .of(&bench, drive)
            .slow_ms
            .store(4_000, Ordering::SeqCst);
    }
    for size in sizes {
        let begun = Instant::now();
        let read = get(&*store, &size.to_string()).await.unwrap();
        assert_eq!(read, pattern(size, 1));
        assert!(begun.elapsed() < Duration::from_millis(3_500), "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_hangs_is_fenced_and_only_the_first_write_waits_for_it() {
    let bench = Bench::new(4, 2);
    let machine = Machine::default();
    let store = machine.open(&bench);
    create_bucket(&*store).await;
    let platter = machine.of(&bench, 2);
    let (hangs, hung) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        let _stuck = platter.stuck.lock().unwrap();
        hangs.send(()).unwrap();
        let _ = released.recv();
    });
    hung.recv().unwrap();
    let timed = async |name: &str, seed: u64| {
        let begun = Instant::now();
        // More stripes than may be on their way, and than a drive queues.
        let put = put(&*store, name, &pattern(30_000_000, seed)).await;
        put.unwrap();
        begun.elapsed()
    };
    let both = tokio::join!(timed("one", 1), timed("other", 2));
    let patience = crate::patience::WRITES.laggard;
    assert!(both.0 >= patience, "it waited for the drive: {both:?}");
    assert!(both.0.max(both.1) < patience * 3, "{both:?}");
    assert_eq!(store.drives()[2].state, DriveState::Fenced);
    let next = timed("next", 3).await;
    assert!(next < patience, "it waited again: {next:?}");
    put(&*store, "small", &pattern(10, 4)).await.unwrap();
    for (name, seed) in [("one", 1), ("other", 2), ("next", 3)] {
        assert!(get(&*store, name).await.unwrap() == pattern(30_000_000, seed));
    }
    // Nor does the end of the store.
    let begun = Instant::now();
    drop(store);
    assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
    drop(release);
    holder.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_without_a_quorum_shows_is_decided_and_repaired_by_the_next_full_start() {
    // The last record did not reach these drives.
    for (without, kept) in [(&[4, 5][..], true), (&[3, 4, 5], false)] {
        let bench = Bench::new(4, 2);
        let machine = Machine::default();
        let store = machine.open(&bench);
        create_bucket(&*store).await;
        put(&*store, "first", &pattern(50_000, 1)).await.unwrap();
        let files = |drive: usize| machine.of(&bench, drive).files.lock().unwrap().clone();
        let before: Vec<_> = without
            .iter()
            .map(|drive| (*drive, files(*drive)))
            .collect();
        put(&*store, "first", &pattern(60_000, 2)).await.unwrap();
        drop(store);
        for (drive, files) in before {
            *machine.of(&bench, drive).files.lock().unwrap() = files;
        }
        bench.lose_index();

        // It may have been acknowledged, so it is shown, as often as one looks.
        for _ in 0..2 {
            [4, 5].iter().for_each(|drive| bench.take_away(*drive));
            let store = machine.open(&bench);
            assert!(!store.writable());
            let bucket = bucket(&*store).await;
            let shown = store.object(&bucket, &key("first"), None).await.unwrap();
            assert_eq!(shown.size, 60_000);
            drop(store);
            [4, 5].iter().for_each(|drive| bench.bring_back(*drive));
        }

        // All drives together know better.
        let expected = match kept {
            true => pattern(60_000, 2),
            false => pattern(50_000, 1),
        };
        let store = machine.open(&bench);
        assert_eq!(get(&*store, "first").await.unwrap(), expected);
        drop(store);
        for lose_index in [false, true] {
            [0, 1].iter().for_each(|drive| bench.take_away(*drive));
            if lose_index {
                bench.lose_index();
            }
            let store = machine.open(&bench);
            assert_eq!(get(&*store, "first").await.unwrap(), expected);
            drop(store);
            [0, 1].iter().for_each(|drive| bench.bring_back(*drive));
        }
    }
}
