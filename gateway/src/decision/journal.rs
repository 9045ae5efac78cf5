//! Where records are kept: the latest in memory, and all of them in a file if
//! one is configured.
//!
//! No request waits for the file. It has a thread of its own; what comes faster
//! than that can write is dropped, and counted.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use config::Decisions;

use super::Record;

/// Lines that wait for the file.
const QUEUE_MAX: usize = 4096;

/// What the records in memory may take, however many are wanted.
const KEPT_LEN_MAX: usize = 32 << 20;

/// How long nothing comes until it is looked whether the file is still there.
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
}

#[derive(Clone)]
struct Entry {
    request_id: String,
    denied: bool,
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
                ("limit", number) => query.limit = number.parse().ok()?,
                _ => return None,
            }
        }
        Some(query)
    }
}

struct Writer {
    queue: SyncSender<Sent>,
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
        self.entries.push_back(entry);
    }

    fn shrink_to(&mut self, count_max: usize, len_max: usize) {
        while self.entries.len() > count_max || self.len > len_max {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.len -= oldest.line.len();
        }
    }
}

impl Writer {
    fn start(path: &Path, size_max: u64) -> io::Result<Self> {
        let size_max = Arc::new(AtomicU64::new(size_max));
        let mut log = Log::open(path, Arc::clone(&size_max))?;
        let (queue, lines) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("decisions".into())
            .spawn(move || log.write_all(&lines))?;
        Ok(Self {
            queue,
            size_max,
            thread: Mutex::new(Some(thread)),
        })
    }

    fn write(&self, line: Arc<str>) {
        // It is full, or closed.
        if self.queue.try_send(Sent::Line(line)).is_err() {
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
    failing: bool,
}

impl Log {
    fn open(path: &Path, size_max: Arc<AtomicU64>) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        // One that was there may have been readable for others.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        let metadata = file.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            size_max,
            file: BufWriter::new(file),
            size: metadata.len(),
            inode: metadata.ino(),
            failing: false,
        })
    }

    fn write_all(&mut self, lines: &Receiver<Sent>) {
        loop {
            let written = match lines.recv_timeout(LOOK_AFTER) {
                Ok(Sent::Line(first)) => self.write_several(&first, lines),
                Err(RecvTimeoutError::Timeout) => self.reopen().map(|()| true),
                Ok(Sent::End) | Err(RecvTimeoutError::Disconnected) => return,
            };
            self.report(&written);
            self.failing = written.is_err();
            if let Ok(false) = written {
                return;
            }
        }
    }

    /// With all that has come meanwhile, so that a line is seen at once and many
    /// cost little. Returns whether more can come.
    fn write_several(&mut self, first: &str, lines: &Receiver<Sent>) -> io::Result<bool> {
        let mut result = self.write(first);
        let mut more = true;
        for sent in lines.try_iter().take(QUEUE_MAX) {
            match sent {
                Sent::Line(line) => result = result.and(self.write(&line)),
                Sent::End => more = false,
            }
        }
        result.and(self.file.flush()).map(|()| more)
    }

    /// Says once that it fails, and once that it does not any more.
    fn report(&self, written: &io::Result<bool>) {
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
    fn reopen(&mut self) -> io::Result<()> {
        let here = fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode);
        if !here {
            *self = Self::open(&self.path, Arc::clone(&self.size_max))?;
        }
        Ok(())
    }

    /// What is in the file gets `.1` behind its name, in place of what had it.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        fs::rename(&self.path, aside)?;
        *self = Self::open(&self.path, Arc::clone(&self.size_max))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: usize, denied: bool, len: usize) -> Entry {
        Entry {
            request_id: format!("{number:016X}"),
            denied,
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
        log.reopen().unwrap();
        log.write("line   9").unwrap();
        log.file.flush().unwrap();
        assert_eq!(read(&path), "line   9\n");
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
