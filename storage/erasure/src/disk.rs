//! A drive at work: its queues and the threads that serve them, so that nothing
//! asynchronous ever waits inside a system call.
//!
//! The log has a thread of its own: a commit does not wait behind the bytes of a
//! large object. A drive whose write or sync fails is fenced: it is read from,
//! and never written again by this run.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::bulk::Reservation;
use crate::drive::{Drive, FileId};
use crate::layout::{LOG_SEGMENT_LEN, log_place};
use crate::seal::{Place, SEAL_LEN};

const READERS: usize = 2;
const READS_MAX: usize = 64;
const WRITES_MAX: usize = 8;
const SYNCS_MAX: usize = 256;
/// Written bytes go on their way to the drive in pieces of this length.
const WRITEBACK_LEN: u64 = 4 << 20;
/// The log is written over zeros that are there already: a sync of it then has
/// no block to allocate. The first stretch is short, so that a small store is small.
const RESERVE_MIN: u64 = 256 << 10;
const RESERVE_MAX: u64 = 8 << 20;
/// For the threads of a drive that is fenced.
const PARTING_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) id: u128,
    pub(crate) position: usize,
    shared: Arc<Shared>,
    queues: Option<Queues>,
    threads: Vec<JoinHandle<()>>,
    next_reader: AtomicUsize,
}

#[derive(Debug)]
struct Shared {
    name: String,
    drive: Arc<dyn Drive>,
    fenced: AtomicBool,
    /// The position up to which the log lies on blocks that are there.
    reserved: AtomicU64,
    /// Locked for as long as any thread may do something to the drive.
    _format: File,
}

#[derive(Debug)]
struct Queues {
    log: blocking::SyncSender<LogJob>,
    writes: mpsc::Sender<WriteJob>,
    syncs: mpsc::Sender<SyncJob>,
    reads: Vec<mpsc::Sender<ReadJob>>,
}

#[derive(Debug)]
pub(crate) enum LogJob {
    /// Make room in the log up to a position.
    Reserve { end: u64, done: LogDone },
    /// Write and make durable.
    Append { runs: Vec<Run>, done: LogDone },
}

/// Bytes of the log that lie in one file.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) position: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Where the outcome goes, with the number of the batch and the drive.
#[derive(Debug, Clone)]
pub(crate) struct LogDone {
    pub(crate) batch: u64,
    pub(crate) to: blocking::Sender<LogOutcome>,
}

#[derive(Debug)]
pub(crate) struct LogOutcome {
    pub(crate) batch: u64,
    pub(crate) drive: usize,
    pub(crate) result: Result<(), WriteFailure>,
}

/// A cell to be sealed and written.
#[derive(Debug)]
pub(crate) struct NewCell {
    pub(crate) file: FileId,
    pub(crate) offset: u64,
    pub(crate) blob: u128,
    pub(crate) shard: u8,
    pub(crate) bytes: Vec<u8>,
    /// The header of the extent, before its first cell.
    pub(crate) header: Option<(u64, Vec<u8>)>,
    /// Keeps the space from being given to others while this is under way.
    pub(crate) hold: Arc<Reservation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteFailure {
    /// There is no room. Nothing is wrong with the drive.
    Full,
    /// The drive failed and is fenced.
    Fenced,
}

/// What came of a write, once it is known.
pub(crate) type Outcome = oneshot::Receiver<Result<(), WriteFailure>>;

#[derive(Debug)]
struct WriteJob {
    cell: NewCell,
    done: oneshot::Sender<Result<(), WriteFailure>>,
}

#[derive(Debug)]
struct SyncJob {
    files: Vec<FileId>,
    done: oneshot::Sender<Result<(), WriteFailure>>,
}

/// A cell to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellRef {
    pub(crate) file: FileId,
    pub(crate) offset: u64,
    pub(crate) length: usize,
    pub(crate) blob: u128,
    pub(crate) shard: u8,
}

#[derive(Debug)]
struct ReadJob {
    cell: CellRef,
    done: oneshot::Sender<Result<Bytes, ReadFailure>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadFailure {
    /// The drive does not answer, or does not have the bytes.
    Absent,
    /// The bytes are not what was written.
    Damaged,
}

impl Disk {
    /// Starts the threads of a drive whose log continues at `log_end`.
    pub(crate) fn start(
        position: usize,
        id: u128,
        name: String,
        drive: Arc<dyn Drive>,
        format: File,
        log_end: u64,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name,
            drive,
            fenced: AtomicBool::new(false),
            reserved: AtomicU64::new(0),
            _format: format,
        });
        let (log, log_jobs) = blocking::sync_channel(2);
        let (writes, write_jobs) = mpsc::channel(WRITES_MAX);
        let (syncs, sync_jobs) = mpsc::channel(SYNCS_MAX);
        let mut threads = Vec::new();
        let mut spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let name = format!("drive-{position}-{name}");
            threads.push(thread::Builder::new().name(name).spawn(run)?);
            io::Result::Ok(())
        };
        let its = shared.clone();
        spawn(
            "log",
            Box::new(move || serve_log(&its, position, &log_jobs, log_end)),
        )?;
        let its = shared.clone();
        spawn(
            "write",
            Box::new(move || serve_writes(&its, id, write_jobs)),
        )?;
        let its = shared.clone();
        spawn("sync", Box::new(move || serve_syncs(&its, sync_jobs)))?;
        let mut reads = Vec::new();
        for _ in 0..READERS {
            let (jobs, read_jobs) = mpsc::channel(READS_MAX);
            reads.push(jobs);
            let its = shared.clone();
            spawn("read", Box::new(move || serve_reads(&its, id, read_jobs)))?;
        }
        Ok(Self {
            id,
            position,
            shared,
            queues: Some(Queues {
                log,
                writes,
                syncs,
                reads,
            }),
            threads,
            next_reader: AtomicUsize::new(0),
        })
    }

    pub(crate) fn fenced(&self) -> bool {
        self.shared.fenced()
    }

    pub(crate) fn fence(&self, why: &str) {
        self.shared.fence(why);
    }

    pub(crate) fn log_reserved(&self) -> u64 {
        self.shared.reserved.load(Ordering::Acquire)
    }

    /// Hands a job to the log's thread. `false`: it still has too many.
    pub(crate) fn log(&self, job: LogJob) -> bool {
        self.queues().log.try_send(job).is_ok()
    }

    /// Queues a cell; waits while the queue is full. The outcome comes later.
    pub(crate) async fn write(&self, cell: NewCell) -> Result<Outcome, WriteFailure> {
        let (done, outcome) = oneshot::channel();
        let queued = self.queues().writes.send(WriteJob { cell, done }).await;
        queued.map(|()| outcome).map_err(|_| WriteFailure::Fenced)
    }

    pub(crate) async fn sync(&self, files: Vec<FileId>) -> Result<(), WriteFailure> {
        let (done, outcome) = oneshot::channel();
        let _ = self.queues().syncs.send(SyncJob { files, done }).await;
        outcome.await.unwrap_or(Err(WriteFailure::Fenced))
    }

    /// A cell whose seal has been checked.
    pub(crate) async fn read(&self, cell: CellRef) -> Result<Bytes, ReadFailure> {
        let reads = &self.queues().reads;
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed) % reads.len();
        let (done, outcome) = oneshot::channel();
        if let Some(queue) = reads.get(turn) {
            let _ = queue.send(ReadJob { cell, done }).await;
        }
        outcome.await.unwrap_or(Err(ReadFailure::Absent))
    }

    fn queues(&self) -> &Queues {
        self.queues
            .as_ref()
            .expect("the queues are there until the drive is dropped")
    }
}

impl Drop for Disk {
    /// What was queued is done before the drive is let go. One that is fenced may
    /// hang: its threads are left behind then, and keep it locked.
    fn drop(&mut self) {
        self.queues = None;
        let deadline = Instant::now() + PARTING_TIMEOUT;
        for thread in self.threads.drain(..) {
            while self.shared.fenced() && !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            if !self.shared.fenced() || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    fn fence(&self, why: &str) {
        if !self.fenced.swap(true, Ordering::AcqRel) {
            tracing::error!(
                drive = self.name,
                why,
                "the drive failed and is not written any more; check it, then restart"
            );
            metrics::counter!("sluice_drive_fenced_total", "drive" => self.name.clone())
                .increment(1);
        }
    }

    /// Does something to the drive, and fences it if that fails.
    fn attempt(&self, act: impl FnOnce(&dyn Drive) -> io::Result<()>) -> Result<(), WriteFailure> {
        if self.fenced() {
            return Err(WriteFailure::Fenced);
        }
        act(&*self.drive).map_err(|error| {
            if is_full(&error) {
                return WriteFailure::Full;
            }
            self.fence(&error.to_string());
            WriteFailure::Fenced
        })
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

fn serve_log(shared: &Shared, drive: usize, jobs: &blocking::Receiver<LogJob>, log_end: u64) {
    let (file, offset) = log_place(log_end);
    let length = shared.drive.length(file).unwrap_or(0);
    let start = log_end - offset + length.clamp(offset, LOG_SEGMENT_LEN);
    shared.reserved.store(start, Ordering::Release);
    while let Ok(job) = jobs.recv() {
        match job {
            LogJob::Reserve { end, done } => {
                let result = reserve(shared, end);
                done.send(drive, result);
            }
            LogJob::Append { runs, done } => {
                let result = shared.attempt(|drive| append(drive, &runs));
                // Blocks that were reserved cannot be missing: half a batch may
                // be on the drive now.
                let result = result.map_err(|failure| {
                    if failure == WriteFailure::Full {
                        shared.fence("no room in the log where room was reserved");
                    }
                    WriteFailure::Fenced
                });
                done.send(drive, result);
                if let Some(run) = runs.last() {
                    let end = run.position + run.bytes.len() as u64;
                    let ahead = stretch(end) / 2;
                    if result.is_ok() && shared.reserved.load(Ordering::Acquire) < end + ahead {
                        // If there is no room, the next commit finds out.
                        let _ = reserve(shared, end + ahead);
                    }
                }
            }
        }
    }
}

impl LogDone {
    fn send(&self, drive: usize, result: Result<(), WriteFailure>) {
        // Where nobody waits any more the outcome does not matter.
        let _ = self.to.send(LogOutcome {
            batch: self.batch,
            drive,
            result,
        });
    }
}

fn append(drive: &dyn Drive, runs: &[Run]) -> io::Result<()> {
    for run in runs {
        let (file, offset) = log_place(run.position);
        drive.write_at(file, offset, &run.bytes)?;
    }
    let mut synced = None;
    for run in runs {
        let (file, _) = log_place(run.position);
        if synced != Some(file) {
            drive.sync(file)?;
            synced = Some(file);
        }
    }
    Ok(())
}

/// How much of the log to prepare at once.
fn stretch(position: u64) -> u64 {
    position.clamp(RESERVE_MIN, RESERVE_MAX)
}

fn reserve(shared: &Shared, end: u64) -> Result<(), WriteFailure> {
    loop {
        let reserved = shared.reserved.load(Ordering::Acquire);
        if reserved >= end {
            return Ok(());
        }
        let (file, offset) = log_place(reserved);
        let length = stretch(reserved).min(LOG_SEGMENT_LEN - offset);
        let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
        shared.attempt(|drive| drive.write_at(file, offset, &zeros))?;
        shared.reserved.store(reserved + length, Ordering::Release);
    }
}

fn serve_writes(shared: &Shared, id: u128, mut jobs: mpsc::Receiver<WriteJob>) {
    let mut dirty: Option<(FileId, u64, u64)> = None;
    while let Some(WriteJob { cell, done }) = jobs.blocking_recv() {
        let NewCell {
            file,
            offset,
            blob,
            shard,
            mut bytes,
            header,
            hold,
        } = cell;
        let place = Place {
            drive: id,
            file,
            offset,
            blob,
            shard,
        };
        let seal = place.seal(&bytes);
        bytes.extend_from_slice(&seal);
        let result = shared.attempt(|drive| {
            if let Some((offset, header)) = &header {
                drive.write_at(file, *offset, header)?;
            }
            drive.write_at(file, offset, &bytes)
        });
        drop(hold);
        let _ = done.send(result);
        let end = offset + bytes.len() as u64;
        dirty = match dirty {
            Some((dirty_file, start, _)) if dirty_file == file && start <= offset => {
                if end - start >= WRITEBACK_LEN {
                    shared.drive.start_writeback(file, start, end - start);
                    None
                } else {
                    Some((file, start, end))
                }
            }
            Some((dirty_file, start, dirty_end)) => {
                let length = dirty_end.saturating_sub(start);
                shared.drive.start_writeback(dirty_file, start, length);
                Some((file, offset, end))
            }
            None => Some((file, offset, end)),
        };
    }
}

fn serve_syncs(shared: &Shared, mut jobs: mpsc::Receiver<SyncJob>) {
    while let Some(first) = jobs.blocking_recv() {
        // All that wait now are served by the same syncs.
        let mut waiting = vec![first];
        while waiting.len() < SYNCS_MAX
            && let Ok(next) = jobs.try_recv()
        {
            waiting.push(next);
        }
        let mut files: Vec<FileId> = waiting.iter().flat_map(|job| &job.files).copied().collect();
        files.sort_unstable();
        files.dedup();
        let result = shared.attempt(|drive| files.iter().try_for_each(|file| drive.sync(*file)));
        // A failed sync is told once: whoever syncs this file next would not
        // hear of it.
        let result = result.map_err(|failure| {
            if failure == WriteFailure::Full {
                shared.fence("no room while written bytes were made durable");
            }
            WriteFailure::Fenced
        });
        for job in waiting {
            let _ = job.done.send(result);
        }
    }
}

fn serve_reads(shared: &Shared, id: u128, mut jobs: mpsc::Receiver<ReadJob>) {
    while let Some(ReadJob { cell, done }) = jobs.blocking_recv() {
        // Nobody waits for it any more.
        if done.is_closed() {
            continue;
        }
        let result = read_cell(&*shared.drive, id, cell);
        if result == Err(ReadFailure::Damaged) {
            tracing::warn!(
                drive = shared.name,
                file = ?cell.file,
                offset = cell.offset,
                "a cell is damaged"
            );
            metrics::counter!("sluice_cells_damaged_total", "drive" => shared.name.clone())
                .increment(1);
        }
        let _ = done.send(result);
    }
}

fn read_cell(drive: &dyn Drive, id: u128, cell: CellRef) -> Result<Bytes, ReadFailure> {
    let mut sealed = vec![0; cell.length + SEAL_LEN];
    if let Err(error) = drive.read_at(cell.file, cell.offset, &mut sealed) {
        tracing::debug!(file = ?cell.file, offset = cell.offset, %error, "a cell cannot be read");
        return Err(ReadFailure::Absent);
    }
    let place = Place {
        drive: id,
        file: cell.file,
        offset: cell.offset,
        blob: cell.blob,
        shard: cell.shard,
    };
    if !place.verify(&sealed) {
        return Err(ReadFailure::Damaged);
    }
    Ok(Bytes::from(sealed).slice(..cell.length))
}
