//! The one way in which anything changes. One thread decides every change on
//! the index and on what the changes before it did, writes all that wait as one
//! batch to the log of every drive, and when enough drives have it durably makes
//! it visible and answers.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, mpsc as blocking};
use std::time::Instant;

use storage::{Bucket, BucketName, Error, Result};
use tokio::sync::{mpsc, oneshot};

use crate::apply::apply;
use crate::bulk::Reservation;
use crate::change::{Change, Clock, Decision, Reply, decide, reply, settle};
use crate::disk::{Disk, LogDone, LogJob, LogOutcome, Run, WriteFailure};
use crate::frame::{self, BATCH_ALIGN, Header, META_MAX};
use crate::geometry::{DriveMask, Spread};
use crate::index::{Batch, Cursor, Index, Rows, Space, View};
use crate::layout::{LOG_SEGMENT_LEN, Piece, PiecePlace, log_place};
use crate::patience::WRITES;
use crate::record::{Record, decode_intent, encode_intent};
use crate::seal::{COPY, Place, SEAL_LEN};
use crate::set::Set;
use crate::sink::{Data, Payload, Small};

/// Changes that wait.
pub(crate) const QUEUE_MAX: usize = 1024;
/// Changes that are made together.
const BATCH_CHANGES_MAX: usize = 1024;
/// A batch that is longer on a drive is written before another change is added.
const BATCH_LEN_MAX: usize = 4 << 20;

pub(crate) type Buckets = RwLock<BTreeMap<BucketName, Arc<Bucket>>>;

#[derive(Debug)]
pub(crate) enum Job {
    Change {
        change: Box<Change>,
        answer: oneshot::Sender<Result<Reply>>,
    },
    /// Answered when everything before it is.
    Close(oneshot::Sender<()>),
}

/// Where the log goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) position: u64,
    pub(crate) epoch: u64,
    /// The last record that there is.
    pub(crate) sequence: u64,
}

#[derive(Debug)]
pub(crate) struct Committer {
    set: Arc<Set>,
    index: Arc<Index>,
    buckets: Arc<Buckets>,
    clock: Clock,
    head: Head,
    batch_number: u64,
    outcomes: blocking::Receiver<LogOutcome>,
    outcomes_to: blocking::Sender<LogOutcome>,
}

/// A batch while it is put together.
#[derive(Debug)]
struct Building {
    view: Batch,
    /// By position of the drive; `None` where it is not written.
    runs: Vec<Option<Vec<Run>>>,
    drives: DriveMask,
    /// Behind the last record.
    head: Head,
    last_position: u64,
    /// Everything up to here was durable before.
    stable: u64,
    /// The index could not be read while the batch was put together.
    failure: Option<Error>,
    records: usize,
    length: usize,
    /// Buckets that are different now.
    buckets: Vec<(BucketName, Option<Arc<Bucket>>)>,
    answers: Vec<(oneshot::Sender<Result<Reply>>, Result<Reply>)>,
    reservations: Vec<Arc<Reservation>>,
}

impl Committer {
    pub(crate) fn new(set: Arc<Set>, index: Arc<Index>, buckets: Arc<Buckets>, head: Head) -> Self {
        let (outcomes_to, outcomes) = blocking::channel();
        Self {
            set,
            index,
            buckets,
            clock: Clock::default(),
            head,
            batch_number: 0,
            outcomes,
            outcomes_to,
        }
    }

    /// Writes the record with which this run begins.
    pub(crate) fn begin(&mut self, end: u64) -> Result<()> {
        self.set.check_writable()?;
        let mut building = self.build();
        let record = Record::Epoch { end };
        self.add(record, None, &mut building)?;
        self.finish(building)
    }

    /// Serves until the last sender is gone or it is told to close.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut closing = None;
        while closing.is_none()
            && let Some(first) = jobs.blocking_recv()
        {
            let mut waiting = Some(first);
            let mut building = self.build();
            while let Some(job) = waiting {
                match job {
                    Job::Change { change, answer } => {
                        self.take(*change, answer, &mut building);
                    }
                    Job::Close(answer) => {
                        closing = Some(answer);
                        break;
                    }
                }
                let room =
                    building.answers.len() < BATCH_CHANGES_MAX && building.length < BATCH_LEN_MAX;
                waiting = if room { jobs.try_recv().ok() } else { None };
            }
            // Each change is told; the outcome of the batch is nobody else's.
            let _ = self.finish(building);
        }
        if let Err(error) = self.index.persist() {
            tracing::warn!(%error, "the index is not saved; the next start reads more of the logs");
        }
        if let Some(answer) = closing {
            let _ = answer.send(());
        }
    }

    fn build(&self) -> Building {
        let drives = self.set.writable_mask();
        let runs = (0..self.set.spread.drives())
            .map(|drive| drives.has(drive).then(Vec::new))
            .collect();
        Building {
            view: Batch::default(),
            runs,
            drives,
            head: Head {
                position: self.head.position.next_multiple_of(BATCH_ALIGN),
                ..self.head
            },
            last_position: 0,
            stable: self.head.sequence,
            failure: None,
            records: 0,
            length: 0,
            buckets: Vec::new(),
            answers: Vec::new(),
            reservations: Vec::new(),
        }
    }

    /// Decides a change and adds it, or its refusal, to the batch.
    fn take(
        &mut self,
        change: Change,
        answer: oneshot::Sender<Result<Reply>>,
        building: &mut Building,
    ) {
        let result = self.decide(change, building);
        building.answers.push((answer, result));
    }

    fn decide(&mut self, change: Change, building: &mut Building) -> Result<Reply> {
        self.set.check_writable()?;
        let view = View {
            index: &self.index,
            batch: &mut building.view,
        };
        self.clock.sequence = building.head.sequence + 1;
        match decide(change, &self.set, &view, &mut self.clock)? {
            Decision::Nothing(reply) => Ok(reply),
            Decision::Change { record, data } => self.add(*record, data, building).map(reply),
        }
    }

    /// Places a record and its bytes behind the others of the batch.
    fn add(
        &self,
        mut record: Record,
        data: Option<Data>,
        building: &mut Building,
    ) -> Result<Record> {
        let (small, reservations) = match data {
            None => (None, Vec::new()),
            Some(Data::Stored {
                pieces,
                reservations,
            }) => {
                settle(&mut record, pieces);
                (None, reservations)
            }
            Some(Data::Small(small)) => (Some(small), Vec::new()),
        };
        let holders = small.as_ref().map_or_else(DriveMask::default, |small| {
            small.holders(&self.set, building.drives)
        });
        let settled = |record: &mut Record, position| {
            if let Some(small) = &small {
                settle(record, vec![small.piece(position, holders)]);
            }
            record.encode()
        };
        let mut position = building.head.position;
        let mut meta = settled(&mut record, position);
        if meta.len() > META_MAX {
            return Err(Error::RecordTooLarge {
                size: meta.len(),
                max: META_MAX,
            });
        }
        let payload_room = small.as_ref().map_or(0, Small::room);
        let span = Header::span_for(payload_room, meta.len());
        let left = LOG_SEGMENT_LEN - position % LOG_SEGMENT_LEN;
        if span > left {
            // A record lies within one file. Positions have a fixed length, so
            // that this does not change what it takes.
            position += left;
            meta = settled(&mut record, position);
        }
        let sequence = building.head.sequence + 1;
        let header = Header {
            set: self.set.number,
            spread: small.as_ref().map_or(self.set.spread, |small| small.spread),
            drive: 0,
            epoch: building.head.epoch,
            sequence,
            stable: building.stable,
            position,
            span: u32::try_from(span).expect("a record is far shorter than 4 GiB"),
            payload_room: u32::try_from(payload_room).expect("payloads are small"),
            payload_len: 0,
            blob: small.as_ref().map_or(0, |small| small.blob),
            meta_len: u32::try_from(meta.len()).expect("metadata is at most 16 MiB"),
            meta_hash: frame::meta_hash(position, sequence, &meta),
        };
        let mut view = View {
            index: &self.index,
            batch: &mut building.view,
        };
        apply(&record, &mut view).inspect_err(|error| {
            // Half of it may be in the batch now.
            building.failure = Some(again(error));
        })?;
        for disk in self.set.disks.iter().flatten() {
            if let Some(Some(runs)) = building.runs.get_mut(disk.position) {
                let small = small.as_ref().filter(|_| holders.has(disk.position));
                self.set.count_written(small.map_or(0, Small::length));
                append_frame(runs, disk, header, small, &meta);
            }
        }
        building.head.sequence = sequence;
        building.head.position = position + span;
        building.last_position = position;
        building.records += 1;
        building.length += usize::try_from(span).unwrap_or_default();
        building.reservations.extend(reservations);
        match &record {
            Record::Bucket(bucket) => {
                let name = bucket.name.clone();
                building
                    .buckets
                    .push((name, Some(Arc::new(bucket.clone()))));
            }
            Record::BucketGone(name) => building.buckets.push((name.clone(), None)),
            Record::Epoch { .. }
            | Record::Version { .. }
            | Record::VersionGone { .. }
            | Record::Upload { .. }
            | Record::UploadGone { .. }
            | Record::Part { .. } => {}
        }
        Ok(record)
    }

    /// Makes a batch durable and visible, and answers.
    fn finish(&mut self, building: Building) -> Result<()> {
        let Building {
            mut view,
            mut runs,
            head,
            last_position,
            failure,
            records,
            buckets,
            answers,
            reservations,
            ..
        } = building;
        let written = records > 0;
        let outcome = if let Some(error) = failure {
            Err(error)
        } else if !written {
            Ok(())
        } else {
            pad(&mut runs);
            let begun = Instant::now();
            self.write(runs, head.position).and_then(|()| {
                metrics::histogram!("sluice_commit_seconds").record(begun.elapsed().as_secs_f64());
                metrics::histogram!("sluice_commit_records").record(records as f64);
                let cursor = Cursor {
                    position: head.position,
                    last_position,
                    last_sequence: head.sequence,
                    last_epoch: head.epoch,
                };
                let noted = self.note_repairs(&mut view);
                let taken = noted.and_then(|()| self.index.commit(view, cursor));
                taken.inspect_err(|_| {
                    // It is durable, and nobody can see it: like a write whose
                    // outcome is not known.
                    self.set.break_off();
                })
            })
        };
        if outcome.is_ok() {
            if written {
                self.head = head;
            }
            let mut all = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
            for (name, bucket) in buckets {
                match bucket {
                    Some(bucket) => all.insert(name, bucket),
                    None => all.remove(&name),
                };
            }
        }
        // A full drive refuses before anything is written; after any other
        // failure a restart may find the objects, and their bytes must be there.
        if !matches!(outcome, Err(Error::Full)) {
            for reservation in reservations {
                reservation.keep();
            }
        }
        for (answer, result) in answers {
            let result = match &outcome {
                Ok(()) => result,
                // Even a refusal was decided on what is not certain.
                Err(error) => Err(again(error)),
            };
            // A client that has gone away is not told.
            let _ = answer.send(result);
        }
        outcome
    }

    /// Cells that were found damaged wait for repair from now on. They come with
    /// a batch that is durable: until there is one, the set remembers them.
    fn note_repairs(&self, batch: &mut Batch) -> Result<()> {
        let mut view = View {
            index: &self.index,
            batch,
        };
        for (cell, found) in self.set.take_repairs() {
            let known = view.find(Space::Intents, &cell, decode_intent)?;
            let all = found.or(known.unwrap_or_default());
            view.put(Space::Intents, cell, encode_intent(&all));
        }
        Ok(())
    }

    /// Returns when enough drives have the runs durably.
    fn write(&mut self, runs: Vec<Option<Vec<Run>>>, end: u64) -> Result<()> {
        let end = end.next_multiple_of(BATCH_ALIGN);
        let narrow: Vec<_> = self
            .set
            .writable_disks()
            .filter(|disk| disk.log_reserved() < end)
            .cloned()
            .collect();
        if !narrow.is_empty() {
            let (_, failures) = self.on_drives(|done| {
                let mut asked = DriveMask::default();
                for disk in &narrow {
                    let done = done.clone();
                    ask(disk, LogJob::Reserve { end, done }, &mut asked);
                }
                asked
            });
            // Nothing is written yet: it can be refused without a trace.
            if failures.contains(&WriteFailure::Full) {
                return Err(Error::Full);
            }
        }
        let set = self.set.clone();
        let (confirmed, _) = self.on_drives(|done| {
            let mut asked = DriveMask::default();
            for (drive, runs) in runs.into_iter().enumerate() {
                if let (Some(runs), Some(Some(disk))) = (runs, set.disks.get(drive)) {
                    let done = done.clone();
                    ask(disk, LogJob::Append { runs, done }, &mut asked);
                }
            }
            asked
        });
        let (have, need) = (confirmed.count(), self.set.spread.record_quorum());
        if have >= need {
            return Ok(());
        }
        self.set.break_off();
        Err(Error::WriteQuorumLost { have, need })
    }

    /// Hands out jobs and waits for the outcomes of those that were taken. A
    /// drive that does not answer in time is fenced.
    fn on_drives(
        &mut self,
        hand_out: impl FnOnce(LogDone) -> DriveMask,
    ) -> (DriveMask, Vec<WriteFailure>) {
        self.batch_number += 1;
        let asked = hand_out(LogDone {
            batch: self.batch_number,
            to: self.outcomes_to.clone(),
        });
        let mut deadline = Instant::now() + WRITES.all;
        let (mut confirmed, mut answered) = (DriveMask::default(), DriveMask::default());
        let mut failures = Vec::new();
        while answered != asked {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(outcome) = self.outcomes.recv_timeout(left) else {
                for disk in self.set.writable_disks() {
                    if asked.has(disk.position) && !answered.has(disk.position) {
                        disk.fence("it did not confirm a write in time");
                    }
                }
                break;
            };
            if outcome.batch != self.batch_number {
                continue;
            }
            answered.insert(outcome.drive);
            match outcome.result {
                Ok(()) => {
                    confirmed.insert(outcome.drive);
                    if confirmed.count() == self.set.spread.record_quorum() {
                        deadline = deadline.min(Instant::now() + WRITES.laggard);
                    }
                }
                Err(failure) => failures.push(failure),
            }
        }
        (confirmed, failures)
    }
}

fn ask(disk: &Disk, job: LogJob, asked: &mut DriveMask) {
    if disk.log(job) {
        asked.insert(disk.position);
    } else {
        disk.fence("its log does not keep up");
    }
}

/// Whole blocks are written, so that none has to be read first.
fn pad(runs: &mut [Option<Vec<Run>>]) {
    for run in runs.iter_mut().flatten().flatten() {
        let length = run.bytes.len().next_multiple_of(BATCH_ALIGN as usize);
        run.bytes.resize(length, 0);
    }
}

/// The frame of a record on one drive, behind those before it.
fn append_frame(
    runs: &mut Vec<Run>,
    disk: &Disk,
    mut header: Header,
    small: Option<&Small>,
    meta: &[u8],
) {
    let begins = runs
        .last()
        .is_none_or(|run| run.position / LOG_SEGMENT_LEN != header.position / LOG_SEGMENT_LEN);
    if begins {
        runs.push(Run {
            position: header.position,
            bytes: Vec::new(),
        });
    }
    let Some(run) = runs.last_mut() else { return };
    header.drive = u8::try_from(disk.position).expect("a set has at most 32 drives");
    header.payload_len = if small.is_some() {
        header.payload_room
    } else {
        0
    };
    let start = run.bytes.len();
    run.bytes.extend_from_slice(&header.encode(disk.id));
    if let Some(small) = small {
        let (shard, payload) = small.share_of(disk.position);
        let (file, offset) = log_place(header.position);
        let place = Place {
            drive: disk.id,
            file,
            offset: offset + frame::HEADER_LEN,
            blob: header.blob,
            shard,
        };
        run.bytes.extend_from_slice(payload);
        run.bytes.extend_from_slice(&place.seal(payload));
    }
    let to = |offset: u64| start + usize::try_from(offset).expect("a record is in memory");
    run.bytes.resize(to(header.meta_offset()), 0);
    run.bytes.extend_from_slice(meta);
    run.bytes.resize(to(header.span.into()), 0);
}

/// How small data lies in the log.
impl Small {
    /// What each holder gets.
    fn length(&self) -> usize {
        match &self.payload {
            Payload::Copy(copy) => copy.len(),
            Payload::Shards(shards) => shards.first().map_or(0, Vec::len),
        }
    }

    /// What it takes of the log of a drive.
    fn room(&self) -> usize {
        self.length() + SEAL_LEN
    }

    /// The drives that get some of it.
    fn holders(&self, set: &Set, writable: DriveMask) -> DriveMask {
        match self.payload {
            Payload::Copy(_) => {
                let copies = self.spread.copies(set.spread);
                copy_holders(self.spread, self.blob, copies, writable)
            }
            Payload::Shards(_) => self.spread.holders(self.blob).and(writable),
        }
    }

    fn piece(&self, position: u64, holders: DriveMask) -> Piece {
        let (absent, place) = match self.payload {
            Payload::Copy(_) => (
                DriveMask::default(),
                PiecePlace::Copies { position, holders },
            ),
            Payload::Shards(_) => (
                self.spread.holders(self.blob).without(holders),
                PiecePlace::Shards { position },
            ),
        };
        Piece {
            blob: self.blob,
            size: self.size,
            absent,
            place,
        }
    }

    /// What a holder gets, and which shard that is.
    fn share_of(&self, drive: usize) -> (u8, &[u8]) {
        match &self.payload {
            Payload::Copy(copy) => (COPY, copy),
            Payload::Shards(shards) => {
                let shard = self.spread.shard_on(self.blob, drive);
                let shard = shard.expect("a holder of shards has one");
                let cell = shards.get(shard).expect("the codec makes every shard");
                let shard = u8::try_from(shard).expect("a set has at most 32 drives");
                (shard, cell)
            }
        }
    }
}

/// The drives that get a copy: the first that can be written, beginning with
/// another one for every object.
fn copy_holders(spread: Spread, blob: u128, copies: usize, writable: DriveMask) -> DriveMask {
    let mut holders = DriveMask::default();
    for turn in 0..spread.drives() {
        let drive = spread.drive_of(blob, turn);
        if writable.has(drive) && holders.count() < copies {
            holders.insert(drive);
        }
    }
    holders
}

/// The failure of a batch, for each of its changes.
fn again(error: &Error) -> Error {
    match error {
        Error::WriteQuorumLost { have, need } => Error::WriteQuorumLost {
            have: *have,
            need: *need,
        },
        Error::Full => Error::Full,
        other => Error::Io(std::io::Error::other(other.to_string())),
    }
}
