//! Where records are kept: the latest in memory, and all of them in a file if
//! one is configured.
//!
//! No request waits for the file. It has a thread of its own; what comes faster
//! than that can write is dropped, and counted.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::Decisions;

use super::{Record, Requester};

/// Lines that wait for the file.
const QUEUE_MAX: usize = 4096;

/// What the records in memory may take, however many are wanted.
const KEPT_LEN_MAX: usize = 32 << 20;

/// What these lines may take: each is as long as what was decided on.
const QUEUE_LEN_MAX: usize = 16 << 20;

/// How often it is looked whether the file is still there.
const LOOK_AFTER: Duration = Duration::from_secs(1);

pub(crate) struct Journal {
    kept: Mutex<Kept>,
    file: Option<Writer>,
}

#[derive(Default)]
struct Kept {
    /// The latest is the last.
    entries: VecDeque<Entry>,
    len: usize,
    /// How many of them are stray, and how long these are.
    strays: usize,
    strays_len: usize,
}

#[derive(Clone)]
struct Entry {
    request_id: String,
    denied: bool,
    /// Nobody known asked, and was denied: that is in anybody's power, as often as
    /// they like.
    stray: bool,
    /// JSON in one line, without its end.
    line: Arc<str>,
}

/// Which records somebody wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Query {
    /// Only denied requests, or only others.
    pub(crate) denied: Option<bool>,
    pub(crate) limit: usize,
}

impl Query {
    /// So many are told where nobody says how many.
    const LIMIT: usize = 100;
    /// And so many at most.
    const LIMIT_MAX: usize = 1000;

    /// What the query of a URL asks for: `denied=true&limit=10`. Nothing in it
    /// would need decoding.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut query = Self {
            denied: None,
            limit: Self::LIMIT,
        };
        for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=')? {
                ("denied", value) => query.denied = Some(value.parse().ok()?),
                ("limit", number) => {
                    query.limit = number.parse::<usize>().ok()?.min(Self::LIMIT_MAX);
                }
                _ => return None,
            }
        }
        Some(query)
    }
}

struct Writer {
    queue: SyncSender<Sent>,
    /// Bytes of the lines in it.
    queued: Arc<AtomicUsize>,
    size_max: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Sent {
    Line(Arc<str>),
    End,
}

impl Journal {
    /// Fails where the file cannot be written.
    pub(crate) fn open(settings: &Decisions) -> io::Result<Self> {
        let file = settings.file.as_ref();
        Ok(Self {
            kept: Mutex::default(),
            file: file
                .map(|path| Writer::start(path, settings.file_size))
                .transpose()?,
        })
    }

    /// Whether a request is to be recorded. Of those that were allowed a share
    /// is, chosen by the random digits of their ids.
    pub(crate) fn wants(&self, settings: &Decisions, denied: bool, request_id: &str) -> bool {
        if settings.keep == 0 && self.file.is_none() {
            return false;
        }
        denied || is_sampled(settings.sample, request_id)
    }

    pub(crate) fn record(&self, record: &Record, settings: &Decisions) {
        let line: Arc<str> = match serde_json::to_string(record) {
            Ok(line) => line.into(),
            // A map with keys that are no text; there is none.
            Err(error) => return tracing::error!(%error, "a decision cannot be written down"),
        };
        let kind = if record.denied { "denied" } else { "allowed" };
        metrics::counter!("sluice_decisions_recorded_total", "decision" => kind).increment(1);
        if let Some(file) = &self.file {
            file.size_max.store(settings.file_size, Ordering::Relaxed);
            file.write(line.clone());
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Entry {
            request_id: record.request_id.clone(),
            denied: record.denied,
            stray: record.denied && record.principal == Requester::Anonymous,
            line,
        });
        kept.shrink_to(settings.keep, KEPT_LEN_MAX);
    }

    /// The record of a request, as JSON.
    pub(crate) fn find(&self, request_id: &str) -> Option<Arc<str>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest_first = kept.entries.iter().rev();
        let entry = latest_first.find(|entry| entry.request_id == request_id)?;
        Some(entry.line.clone())
    }

    /// The latest first, as JSON each.
    pub(crate) fn list(&self, query: Query) -> Vec<Arc<str>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |entry: &&Entry| query.denied.is_none_or(|denied| denied == entry.denied);
        let latest_first = kept.entries.iter().rev().filter(wanted);
        latest_first
            .take(query.limit)
            .map(|entry| entry.line.clone())
            .collect()
    }

    /// Returns when all that was recorded is in the file. Nothing is, after that.
    pub(crate) fn close(&self) {
        if let Some(file) = &self.file {
            file.close();
        }
    }
}

fn is_sampled(share: f64, request_id: &str) -> bool {
    match u64::from_str_radix(request_id, 16) {
        #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
        Ok(random) => (random as f64 / u64::MAX as f64) < share || share >= 1.0,
        Err(_) => share >= 1.0,
    }
}

impl Kept {
    fn push(&mut self, entry: Entry) {
        self.len += entry.line.len();
        if entry.stray {
            self.strays += 1;
            self.strays_len += entry.line.len();
        }
        self.entries.push_back(entry);
    }

    fn forget(&mut self, index: usize) {
        if let Some(entry) = self.entries.remove(index) {
            self.len -= entry.line.len();
            if entry.stray {
                self.strays -= 1;
                self.strays_len -= entry.line.len();
            }
        }
    }

    fn shrink_to(&mut self, count_max: usize, len_max: usize) {
        loop {
            // A flood of strays drives out strays once they are half of what there
            // is too much of.
            let are_strays_too_much = if self.len > len_max {
                self.strays_len > len_max / 2
            } else if self.entries.len() > count_max {
                self.strays > count_max / 2
            } else {
                return;
            };
            let stray = match are_strays_too_much {
                true => self.entries.iter().position(|entry| entry.stray),
                false => None,
            };
            self.forget(stray.unwrap_or(0));
        }
    }
}

impl Writer {
    fn start(path: &Path, size_max: u64) -> io::Result<Self> {
        let size_max = Arc::new(AtomicU64::new(size_max));
        let mut log = Log::open(path, Arc::clone(&size_max))?;
        let (queue, lines) = sync_channel(QUEUE_MAX);
        let queued = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&queued);
        let thread = std::thread::Builder::new()
            .name("decisions".into())
            .spawn(move || log.write_all(&lines, &left))?;
        Ok(Self {
            queue,
            queued,
            size_max,
            thread: Mutex::new(Some(thread)),
        })
    }

    fn write(&self, line: Arc<str>) {
        let len = line.len();
        let queued = self.queued.fetch_add(len, Ordering::Relaxed);
        let has_room = queued.saturating_add(len) <= QUEUE_LEN_MAX;
        // It is full, or closed.
        if !has_room || self.queue.try_send(Sent::Line(line)).is_err() {
            self.queued.fetch_sub(len, Ordering::Relaxed);
            metrics::counter!("sluice_decisions_dropped_total").increment(1);
        }
    }

    fn close(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = self.queue.send(Sent::End);
            // It has said itself what went wrong.
            let _ = thread.join();
        }
    }
}

/// A file of lines that is moved aside when it is full.
struct Log {
    path: PathBuf,
    size_max: Arc<AtomicU64>,
    file: BufWriter<File>,
    size: u64,
    inode: u64,
    looked: Instant,
    failing: bool,
}

impl Log {
    fn open(path: &Path, size_max: Arc<AtomicU64>) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        // One that was there may have been readable for others.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        end_line(&mut file)?;
        let metadata = file.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            size_max,
            file: BufWriter::new(file),
            size: metadata.len(),
            inode: metadata.ino(),
            looked: Instant::now(),
            failing: false,
        })
    }

    /// Until the end was sent. `queued` is made less by what is taken.
    fn write_all(&mut self, lines: &Receiver<Sent>, queued: &AtomicUsize) {
        loop {
            let (written, more) = match lines.recv_timeout(LOOK_AFTER) {
                Ok(Sent::Line(first)) => self.write_several(&first, lines, queued),
                Err(RecvTimeoutError::Timeout) => (self.look(), true),
                Ok(Sent::End) | Err(RecvTimeoutError::Disconnected) => return,
            };
            self.report(&written);
            self.failing = written.is_err();
            if !more {
                return;
            }
        }
    }

    /// With all that has come meanwhile, so that a line is seen at once and many
    /// cost little. Returns whether more can come.
    fn write_several(
        &mut self,
        first: &str,
        lines: &Receiver<Sent>,
        queued: &AtomicUsize,
    ) -> (io::Result<()>, bool) {
        // Where it cannot be begun anew, it goes on in the one that was moved.
        let looked = self.look();
        let mut write = |line: &str| {
            queued.fetch_sub(line.len(), Ordering::Relaxed);
            self.write(line)
        };
        let mut result = write(first);
        let mut more = true;
        for sent in lines.try_iter().take(QUEUE_MAX) {
            match sent {
                Sent::Line(line) => result = result.and(write(&line)),
                Sent::End => more = false,
            }
        }
        (looked.and(result).and(self.file.flush()), more)
    }

    /// Says once that it fails, and once that it does not any more.
    fn report(&self, written: &io::Result<()>) {
        let path = self.path.display();
        match (written, self.failing) {
            (Err(error), false) => tracing::error!(%path, %error, "decisions cannot be written"),
            (Ok(_), true) => tracing::info!(%path, "decisions are written again"),
            (Ok(_), false) | (Err(_), true) => {}
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let len = line.len() as u64 + 1;
        self.write_line(line, len).inspect_err(|_| {
            metrics::counter!("sluice_decisions_dropped_total").increment(1);
        })
    }

    fn write_line(&mut self, line: &str, len: u64) -> io::Result<()> {
        if self.size > 0 && self.size.saturating_add(len) > self.size_max.load(Ordering::Relaxed) {
            self.rotate()?;
        }
        self.file.write_all(line.as_bytes())?;
        self.file.write_all(b"\n")?;
        self.size = self.size.saturating_add(len);
        Ok(())
    }

    /// Somebody may have moved the file away.
    fn look(&mut self) -> io::Result<()> {
        if self.looked.elapsed() < LOOK_AFTER {
            return Ok(());
        }
        self.looked = Instant::now();
        let here = fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode);
        if here { Ok(()) } else { self.begin_anew() }
    }

    /// What is in the file gets `.1` behind its name, in place of what had it.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        match fs::rename(&self.path, aside) {
            // Somebody else has moved it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.begin_anew()
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let failing = self.failing;
        *self = Self::open(&self.path, Arc::clone(&self.size_max))?;
        self.failing = failing;
        Ok(())
    }
}

/// Of a gateway that was killed the last line may be torn; the next is not to be
/// torn with it.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    file.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: usize, denied: bool, len: usize) -> Entry {
        Entry {
            request_id: format!("{number:016X}"),
            denied,
            stray: false,
            line: "x".repeat(len).into(),
        }
    }

    fn settings(keep: usize, sample: f64) -> Decisions {
        Decisions {
            keep,
            sample,
            ..Decisions::default()
        }
    }

    #[test]
    fn the_latest_are_kept_up_to_a_count_and_a_length() {
        for (keep, lens, kept) in [
            (3, vec![10; 5], vec![4, 3, 2]),
            (10, vec![10; 2], vec![1, 0]),
            (0, vec![10; 2], vec![]),
            (10, vec![60, 30, 30, 30], vec![3, 2, 1]),
            // One that is too long by itself is not kept.
            (10, vec![10, 200], vec![]),
        ] {
            let mut all = Kept::default();
            for (number, len) in lens.iter().enumerate() {
                all.push(entry(number, false, *len));
                all.shrink_to(keep, 100);
            }
            let ids: Vec<_> = all
                .entries
                .iter()
                .rev()
                .map(|entry| entry.request_id.clone())
                .collect();
            let expected: Vec<_> = kept
                .into_iter()
                .map(|number: usize| format!("{number:016X}"))
                .collect();
            assert_eq!(ids, expected, "{keep} {lens:?}");
            assert_eq!(
                all.len,
                all.entries
                    .iter()
                    .map(|entry| entry.line.len())
                    .sum::<usize>()
            );
        }
    }

    #[test]
    fn records_are_found_by_their_id_and_listed_by_their_verdict() {
        let journal = Journal::open(&settings(100, 1.0)).unwrap();
        for number in 0..10 {
            let mut kept = journal.kept.lock().unwrap();
            kept.push(Entry {
                line: number.to_string().into(),
                ..entry(number, number % 3 == 0, 0)
            });
        }
        assert_eq!(journal.find("0000000000000004").as_deref(), Some("4"));
        assert_eq!(journal.find("00000000000000FF"), None);
        for (denied, limit, expected) in [
            (None, 3, "9 8 7"),
            (Some(true), 100, "9 6 3 0"),
            (Some(false), 2, "8 7"),
            (None, 0, ""),
        ] {
            let found = journal.list(Query { denied, limit });
            assert_eq!(found.join(" "), expected);
        }
    }

    #[test]
    fn a_query_names_a_verdict_and_a_limit() {
        let query = |denied, limit| Some(Query { denied, limit });
        for (text, expected) in [
            ("", query(None, 100)),
            ("denied=true", query(Some(true), 100)),
            ("denied=false&limit=7", query(Some(false), 7)),
            ("limit=0&", query(None, 0)),
            ("limit=1000", query(None, 1000)),
            ("limit=1001", query(None, 1000)),
            ("denied", None),
            ("denied=yes", None),
            ("limit=-1", None),
            ("id=1", None),
        ] {
            assert_eq!(Query::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn all_denials_are_wanted_and_a_share_of_the_rest() {
        let (low, high) = ("0000000000000001", "FFFFFFFFFFFFFFFF");
        for (share, denied, id, wanted) in [
            (0.0, true, low, true),
            (0.0, false, low, false),
            (0.5, false, low, true),
            (0.5, false, high, false),
            (1.0, false, high, true),
            (1.0, false, "not a number", true),
            (0.5, false, "not a number", false),
        ] {
            let settings = settings(1, share);
            let journal = Journal::open(&settings).unwrap();
            assert_eq!(journal.wants(&settings, denied, id), wanted, "{share} {id}");
        }
        let settings = settings(0, 1.0);
        let nowhere = Journal::open(&settings).unwrap();
        assert!(!nowhere.wants(&settings, true, low), "nobody could read it");
    }

    #[test]
    fn a_full_file_is_moved_aside_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        let aside = folder.path().join("decisions.jsonl.1");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

        let mut log = Log::open(&path, Arc::new(AtomicU64::new(25))).unwrap();
        for number in 1..=7 {
            log.write(&format!("line {number:3}")).unwrap();
        }
        log.file.flush().unwrap();
        // Two lines of nine bytes fit; of three files the first is gone.
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&path), "line   7\n");
        assert_eq!(read(&aside), "line   5\nline   6\n");
        for path in [&path, &aside] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }

        // Opened again, it goes on where it was.
        let mut log = Log::open(&path, Arc::new(AtomicU64::new(25))).unwrap();
        log.write("line   8").unwrap();
        log.file.flush().unwrap();
        assert_eq!(read(&path), "line   7\nline   8\n");
        // Moved away by somebody else, it is begun anew.
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        let (_lines, queue) = sync_channel(1);
        let queued = AtomicUsize::new(64);
        let write = |log: &mut Log, line: &str| {
            log.looked = Instant::now().checked_sub(LOOK_AFTER).unwrap();
            let (written, more) = log.write_several(line, &queue, &queued);
            written.unwrap();
            assert!(more);
        };
        write(&mut log, "line   9");
        assert_eq!(read(&path), "line   9\n");
        // So is one that was moved just when it is full.
        write(&mut log, "line  10");
        fs::remove_file(&path).unwrap();
        log.write("line  11").unwrap();
        log.file.flush().unwrap();
        assert_eq!(read(&path), "line  11\n");
        assert_eq!(queued.load(Ordering::Relaxed), 64 - 2 * "line   9".len());
    }

    #[test]
    fn a_line_that_was_torn_is_ended_and_tears_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        for (before, after) in [("", "1\n"), ("0\n", "0\n1\n"), ("0", "0\n1\n")] {
            fs::write(&path, before).unwrap();
            let mut log = Log::open(&path, Arc::new(AtomicU64::new(1 << 20))).unwrap();
            log.write("1").unwrap();
            log.file.flush().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after, "{before:?}");
        }
    }

    #[test]
    fn strays_drive_out_no_more_than_half_of_what_is_kept() {
        let mut all = Kept::default();
        for number in 0..100 {
            let stray = number >= 10;
            all.push(Entry {
                stray,
                ..entry(number, stray, 1)
            });
            all.shrink_to(8, 1000);
        }
        let strays: Vec<_> = all.entries.iter().map(|entry| entry.stray).collect();
        assert_eq!(strays, [false, false, false, false, true, true, true, true]);
        assert_eq!((all.strays, all.len), (4, 8));
        assert_eq!(
            all.entries.back().unwrap().request_id,
            format!("{:016X}", 99)
        );
    }

    #[test]
    fn strays_however_long_leave_half_of_the_room_to_others() {
        for (stray_len, stray_count, others_left, strays_left) in [
            (20, 3, 5, 2),
            (20, 100, 5, 2),
            (50, 100, 5, 1),
            // Each of them is more than strays may take together.
            (51, 100, 5, 0),
            (1000, 3, 5, 0),
        ] {
            let mut all = Kept::default();
            let others = (0..5).map(|number| entry(number, false, 10));
            let strays = (0..stray_count).map(|number| Entry {
                stray: true,
                ..entry(number, true, stray_len)
            });
            for entry in others.chain(strays) {
                all.push(entry);
                all.shrink_to(1000, 100);
            }
            let others = all.entries.iter().filter(|entry| !entry.stray).count();
            let left = (others, all.strays, all.strays_len);
            let expected = (others_left, strays_left, strays_left * stray_len);
            assert_eq!(left, expected, "{stray_count} of {stray_len} bytes");
        }
    }

    #[test]
    fn what_waits_for_the_file_is_bounded_in_bytes() {
        let (queue, lines) = sync_channel(QUEUE_MAX);
        let writer = Writer {
            queue,
            queued: Arc::default(),
            size_max: Arc::default(),
            thread: Mutex::new(None),
        };
        let line: Arc<str> = "x".repeat(QUEUE_LEN_MAX / 4).into();
        for _ in 0..10 {
            writer.write(Arc::clone(&line));
        }
        assert_eq!(lines.try_iter().count(), 4);
    }

    #[test]
    fn what_was_recorded_is_in_the_file_when_the_journal_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        let writer = Writer::start(&path, 1 << 20).unwrap();
        for number in 0..100 {
            writer.write(number.to_string().into());
        }
        writer.close();
        writer.write("too late".into());
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 100);
    }
}
