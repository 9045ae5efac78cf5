//! Reads the logs of all drives as the one log that they are. A record counts
//! when it is whole on any drive; after damage reading goes on at the next whole
//! record, whichever drive has it.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::drive::Drive;
use crate::frame::{self, BATCH_ALIGN, HEADER_LEN, Header, MAGIC, RECORD_ALIGN};
use crate::geometry::DriveMask;
use crate::layout::{LOG_SEGMENT_LEN, log_place};
use crate::seal::{COPY, Place, SEAL_LEN};

const WINDOW_LEN: u64 = 1 << 20;

/// A record as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) header: Header,
    pub(crate) meta: Vec<u8>,
    /// The drives that have it whole, but for the payload.
    pub(crate) copies: DriveMask,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Payloads {
    pub(crate) whole: DriveMask,
    pub(crate) complete: DriveMask,
}

#[derive(Debug)]
pub(crate) struct Log {
    drives: Vec<DriveLog>,
    position: u64,
    /// Of the last record: nothing before it may follow it.
    epoch: u64,
    sequence: u64,
    /// Behind everything that was seen on any drive.
    end: u64,
    pub(crate) gaps: u64,
}

/// The log of one drive, read through a window.
#[derive(Debug)]
struct DriveLog {
    drive: Arc<dyn Drive>,
    position: usize,
    id: u128,
    last_segment: u32,
    window: Vec<u8>,
    window_at: u64,
}

impl Log {
    /// Reads from a position on. `last` is the epoch and the sequence of the
    /// record before it.
    pub(crate) fn new(
        drives: impl Iterator<Item = (usize, u128, Arc<dyn Drive>)>,
        position: u64,
        last: (u64, u64),
    ) -> std::io::Result<Self> {
        let drives = drives
            .map(|(position, id, drive)| {
                Ok(DriveLog {
                    position,
                    id,
                    last_segment: drive.last_log()?.unwrap_or(0),
                    drive,
                    window: Vec::new(),
                    window_at: 0,
                })
            })
            .collect::<std::io::Result<_>>()?;
        let (epoch, sequence) = last;
        Ok(Self {
            drives,
            position,
            epoch,
            sequence,
            end: position,
            gaps: 0,
        })
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The header of the newest record at a position.
    pub(crate) fn header_at(&mut self, position: u64) -> Option<Header> {
        let headers = self.drives.iter_mut().map(|log| log.header(position));
        headers
            .flatten()
            .max_by_key(|header| (header.epoch, header.sequence))
    }

    /// The next record, or `None` at the end of all logs.
    pub(crate) fn next(&mut self) -> Option<Found> {
        loop {
            let header = self.next_header()?;
            self.position = header.end();
            self.end = self.end.max(self.position);
            let expected = self.sequence + 1;
            if header.epoch == self.epoch && header.sequence > expected {
                self.gaps += header.sequence - expected;
                tracing::error!(
                    from = expected,
                    to = header.sequence,
                    "records are damaged on all drives that are there, and lost"
                );
            }
            self.epoch = header.epoch;
            self.sequence = header.sequence;
            if let Some(found) = self.fetch(header) {
                return Some(found);
            }
            self.gaps += 1;
            tracing::error!(
                sequence = header.sequence,
                "a record is damaged on all drives that are there, and lost"
            );
        }
    }

    fn fetch(&mut self, header: Header) -> Option<Found> {
        let mut meta = None;
        let mut copies = DriveMask::default();
        for log in &mut self.drives {
            let its = log
                .header(header.position)
                .filter(|its| (its.epoch, its.sequence) == (header.epoch, header.sequence));
            if let Some(its) = its
                && let Some(found) = log.meta(&its)
            {
                copies.insert(log.position);
                meta.get_or_insert(found);
            }
        }
        Some(Found {
            header,
            meta: meta?,
            copies,
        })
    }

    fn next_header(&mut self) -> Option<Header> {
        let epoch = self.epoch;
        let current = |header: &Header| header.epoch >= epoch;
        if let Some(header) = self.header_at(self.position).filter(current) {
            return Some(header);
        }
        // The end of a batch.
        let aligned = self.position.next_multiple_of(BATCH_ALIGN);
        if let Some(header) = self.header_at(aligned).filter(current) {
            return Some(header);
        }
        // The rest of a file, the place where a run ended, or damage.
        let (position, sequence) = (self.position, self.sequence);
        let nearest = self
            .drives
            .iter_mut()
            .filter_map(|log| log.search(position, epoch, sequence))
            .min()?;
        self.header_at(nearest)
    }

    /// The drives that have the record with a whole payload, and those that have
    /// all of it that they were given.
    pub(crate) fn payloads(&mut self, found: &Found) -> Payloads {
        let mut payloads = Payloads::default();
        for log in &mut self.drives {
            if !found.copies.has(log.position) {
                continue;
            }
            let its = log.header(found.header.position);
            if its.is_some_and(|its| its.payload_len == 0) {
                payloads.complete.insert(log.position);
            } else if log.payload(&found.header).is_some() {
                payloads.complete.insert(log.position);
                payloads.whole.insert(log.position);
            }
        }
        payloads
    }

    /// What a drive has of the payload of a record.
    pub(crate) fn payload(&mut self, drive: usize, header: &Header) -> Option<Vec<u8>> {
        let log = self.drives.iter_mut().find(|log| log.position == drive)?;
        log.payload(header)
    }
}

impl DriveLog {
    /// Bytes of the log, if the file has them.
    fn bytes(&mut self, position: u64, length: u64) -> Option<&[u8]> {
        let end = position.checked_add(length)?;
        let held_to = self.window_at + self.window.len() as u64;
        if position < self.window_at || end > held_to {
            let (file, offset) = log_place(position);
            let there = self.drive.length(file).ok()?.min(LOG_SEGMENT_LEN);
            let left = there.checked_sub(offset)?;
            if left < length {
                return None;
            }
            let window = usize::try_from(left.min(length.max(WINDOW_LEN))).ok()?;
            self.window.clear();
            self.window.resize(window, 0);
            self.window_at = position;
            if let Err(error) = self.drive.read_at(file, offset, &mut self.window) {
                tracing::warn!(drive = self.position, %error, "a log cannot be read");
                self.window.clear();
                return None;
            }
        }
        let start = usize::try_from(position - self.window_at).ok()?;
        let length = usize::try_from(length).ok()?;
        self.window.get(start..start.checked_add(length)?)
    }

    fn header(&mut self, position: u64) -> Option<Header> {
        if LOG_SEGMENT_LEN - position % LOG_SEGMENT_LEN < HEADER_LEN {
            return None;
        }
        let id = self.id;
        let bytes = self.bytes(position, HEADER_LEN)?;
        let header = Header::decode(bytes, id, position).ok()?;
        let within = position % LOG_SEGMENT_LEN + u64::from(header.span) <= LOG_SEGMENT_LEN;
        within.then_some(header)
    }

    fn meta(&mut self, header: &Header) -> Option<Vec<u8>> {
        let position = header.position.checked_add(header.meta_offset())?;
        let meta = self.bytes(position, u64::from(header.meta_len))?;
        let hash = frame::meta_hash(header.position, header.sequence, meta);
        (hash == header.meta_hash).then(|| meta.to_vec())
    }

    /// The payload without its seal, if it is whole.
    fn payload(&mut self, of: &Header) -> Option<Vec<u8>> {
        let header = self.header(of.position)?;
        if header.payload_len == 0 || header.sequence != of.sequence {
            return None;
        }
        let position = header.position + HEADER_LEN;
        let (file, offset) = log_place(position);
        let id = self.id;
        let shard = header.spread.shard_on(header.blob, self.position);
        let sealed = self.bytes(position, u64::from(header.payload_len))?;
        let shard = shard.and_then(|shard| u8::try_from(shard).ok());
        let whole = shard.into_iter().chain([COPY]).any(|shard| {
            let place = Place {
                drive: id,
                file,
                offset,
                blob: header.blob,
                shard,
            };
            place.verify(sealed)
        });
        let content = sealed.len().checked_sub(SEAL_LEN)?;
        whole.then(|| sealed.get(..content).map(<[u8]>::to_vec))?
    }

    /// The place of the next whole record of this epoch or a later one.
    fn search(&mut self, from: u64, epoch: u64, sequence: u64) -> Option<u64> {
        let mut position = from.next_multiple_of(RECORD_ALIGN);
        loop {
            let segment = position / LOG_SEGMENT_LEN;
            if segment > u64::from(self.last_segment) {
                return None;
            }
            let (file, offset) = log_place(position);
            let length = self.drive.length(file).unwrap_or(0).min(LOG_SEGMENT_LEN);
            let left = length.saturating_sub(offset);
            if left < HEADER_LEN {
                position = (segment + 1) * LOG_SEGMENT_LEN;
                continue;
            }
            let window = left.min(WINDOW_LEN);
            let Some(bytes) = self.bytes(position, window) else {
                position += window.next_multiple_of(RECORD_ALIGN);
                continue;
            };
            let candidate = bytes
                .chunks(RECORD_ALIGN as usize)
                .position(|chunk| chunk.starts_with(&MAGIC));
            let Some(candidate) = candidate else {
                position += window.next_multiple_of(RECORD_ALIGN);
                continue;
            };
            let at = position + candidate as u64 * RECORD_ALIGN;
            let follows = |header: &Header| {
                header.epoch > epoch || (header.epoch == epoch && header.sequence > sequence)
            };
            if self.header(at).is_some_and(|header| follows(&header)) {
                return Some(at);
            }
            position = at + RECORD_ALIGN;
        }
    }
}

/// A hash of the name of a drive, to tell drives apart in messages.
pub(crate) fn short_id(id: u128) -> String {
    format!("{:08x}", xxh3_64(&id.to_le_bytes()) >> 32)
}
