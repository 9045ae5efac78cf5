//! Brings the index up to the logs, and decides what the end of the logs is.
//!
//! A record is certain when a later one says that it was durable before. What is
//! not certain is the last batch of a run: it is kept where it may have been
//! acknowledged, or where all that it needs is there; otherwise it was never
//! acknowledged, and is void. What is kept is made durable again before anybody
//! sees it. Where too few drives are there to do that, it is only shown: the next
//! start finds the index as if it had not been, and decides again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use storage::{Error, Result};

use crate::apply::apply;
use crate::codec::Codec;
use crate::drive::Drive;
use crate::frame::{BATCH_ALIGN, HEADER_LEN, Header};
use crate::geometry::{DriveMask, Spread};
use crate::index::{Batch, Cursor, Index, View};
use crate::layout::{PiecePlace, log_place};
use crate::log::{Found, Log};
use crate::record::Record;
use crate::seal::{COPY, Place};

/// Changes of the index that are made together.
const BATCH_MAX: usize = 4096;

/// A drive while nothing else uses it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) position: usize,
    pub(crate) id: u128,
    pub(crate) drive: Arc<dyn Drive>,
}

#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) index: Index,
    /// Behind the last record that counts.
    pub(crate) kept_end: u64,
    /// Behind everything that is on any drive.
    pub(crate) end: u64,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

#[derive(Debug)]
struct Replay<'a> {
    index: &'a Index,
    batch: Batch,
    cursor: Cursor,
    /// Not certain yet. Never more than what one batch of a commit holds, but
    /// for the void ends of earlier runs.
    pending: Vec<(Found, Record)>,
}

pub(crate) fn replay(
    path: &Path,
    deployment: u128,
    sources: &[Source],
    spread: Spread,
    repair: bool,
) -> Result<Replayed> {
    let (index, cursor) = Index::open(path, deployment)?;
    let (index, cursor) = if follows_logs(&cursor, sources)? {
        (index, cursor)
    } else {
        tracing::warn!("the index is not one of these drives; it is built anew from the logs");
        drop(index);
        Index::create(path, deployment)?
    };
    let last = (cursor.last_epoch, cursor.last_sequence);
    let mut log = open_log(sources, cursor.position, last)?;
    let mut replay = Replay {
        index: &index,
        batch: Batch::default(),
        cursor,
        pending: Vec::new(),
    };
    let mut records: u64 = 0;
    while let Some(found) = log.next() {
        let Ok(record) = Record::decode(&found.meta) else {
            tracing::error!(
                sequence = found.header.sequence,
                "a record is of a kind that this version does not know"
            );
            return Err(Error::Damaged(
                "the drives were written by a newer version".into(),
            ));
        };
        records += 1;
        replay.take(found, record)?;
    }
    replay.decide_end(&mut log, sources, spread, repair)?;
    let cursor = replay.cursor;
    if records > 0 {
        tracing::info!(records, gaps = log.gaps, "the logs were read");
    }
    let end = log.end();
    Ok(Replayed {
        kept_end: cursor.position,
        end,
        epoch: cursor.last_epoch,
        sequence: cursor.last_sequence,
        index,
    })
}

fn open_log(sources: &[Source], position: u64, last: (u64, u64)) -> Result<Log> {
    let drives = sources
        .iter()
        .map(|source| (source.position, source.id, source.drive.clone()));
    Ok(Log::new(drives, position, last)?)
}

/// Whether the last record that the index knows is in the logs.
fn follows_logs(cursor: &Cursor, sources: &[Source]) -> Result<bool> {
    if *cursor == Cursor::default() {
        return Ok(true);
    }
    let mut log = open_log(sources, cursor.last_position, (0, 0))?;
    let header = log.header_at(cursor.last_position);
    Ok(header.is_some_and(|header| {
        (header.epoch, header.sequence) == (cursor.last_epoch, cursor.last_sequence)
    }))
}

impl Replay<'_> {
    fn take(&mut self, found: Found, record: Record) -> Result<()> {
        let (epoch, stable) = (found.header.epoch, found.header.stable);
        let pending = std::mem::take(&mut self.pending);
        for (earlier, change) in pending {
            let certain = match record {
                // A new run says what it found of the ones before.
                Record::Epoch { end } if earlier.header.epoch < epoch => {
                    if earlier.header.position >= end {
                        continue;
                    }
                    true
                }
                _ => earlier.header.epoch == epoch && earlier.header.sequence <= stable,
            };
            if certain {
                self.apply(&earlier, &change)?;
            } else {
                self.pending.push((earlier, change));
            }
        }
        self.pending.push((found, record));
        Ok(())
    }

    fn change(&mut self, record: &Record) -> Result<()> {
        let mut view = View {
            index: self.index,
            batch: &mut self.batch,
        };
        apply(record, &mut view)
    }

    fn apply(&mut self, found: &Found, record: &Record) -> Result<()> {
        self.change(record)?;
        self.cursor = Cursor {
            position: found.header.end(),
            last_position: found.header.position,
            last_sequence: found.header.sequence,
            last_epoch: found.header.epoch,
        };
        if self.batch.len() >= BATCH_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() && self.cursor == Cursor::default() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.index.commit(batch, self.cursor)
    }

    fn decide_end(
        &mut self,
        log: &mut Log,
        sources: &[Source],
        spread: Spread,
        repair: bool,
    ) -> Result<()> {
        let unavailable = spread.drives() - sources.len();
        let pending = std::mem::take(&mut self.pending);
        // What is certain stays, whatever becomes of the rest.
        self.flush()?;
        let count = pending.len();
        for (number, (found, record)) in pending.into_iter().enumerate() {
            // A drive confirms a record together with its payload.
            let complete = log.payloads(&found).complete.count();
            let acknowledged = complete + unavailable >= spread.record_quorum();
            if !acknowledged && !is_complete(&found, &record, log) {
                // Records of one batch are durable together: if this one was
                // not acknowledged, none behind it was.
                tracing::info!(
                    records = count - number,
                    "the end of the log was never acknowledged, and is void"
                );
                break;
            }
            if repair {
                rewrite(&found, &record, log, sources)?;
                self.apply(&found, &record)?;
            } else {
                self.change(&record)?;
            }
        }
        if repair {
            self.flush()
        } else {
            self.index.show(std::mem::take(&mut self.batch))
        }
    }
}

/// Whether the bytes that a record brings with it can be read.
fn is_complete(found: &Found, record: &Record, log: &mut Log) -> bool {
    match own_payload(found, record) {
        None => true,
        Some(need) => {
            let need = match need {
                Kept::Copies(_) => 1,
                Kept::Shards => found.header.spread.k,
            };
            log.payloads(found).whole.count() >= need
        }
    }
}

enum Kept {
    Copies(DriveMask),
    Shards,
}

/// How a record keeps the bytes that came with it.
fn own_payload(found: &Found, record: &Record) -> Option<Kept> {
    let here = found.header.position;
    let pieces = &record.location()?.pieces;
    pieces.iter().find_map(|piece| match piece.place {
        PiecePlace::Copies { position, holders } if position == here => Some(Kept::Copies(holders)),
        PiecePlace::Shards { position } if position == here => Some(Kept::Shards),
        PiecePlace::Copies { .. } | PiecePlace::Shards { .. } | PiecePlace::Stripes { .. } => None,
    })
}

/// Writes a record to the drives that do not have it whole.
fn rewrite(found: &Found, record: &Record, log: &mut Log, sources: &[Source]) -> Result<()> {
    let spread = found.header.spread;
    let kept = own_payload(found, record);
    let whole = match &kept {
        None => found.copies,
        Some(kept) => {
            let holders = match kept {
                Kept::Copies(holders) => *holders,
                Kept::Shards => spread.holders(found.header.blob),
            };
            let payloads = log.payloads(found).whole;
            found.copies.without(holders.without(payloads))
        }
    };
    let lacking: Vec<&Source> = sources
        .iter()
        .filter(|source| !whole.has(source.position))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let payloads: BTreeMap<usize, Bytes> = match kept {
        None => BTreeMap::new(),
        Some(Kept::Copies(holders)) => {
            let copy = whole_payload(found, log, sources);
            copy.into_iter()
                .flat_map(|copy| {
                    let holders = (0..spread.drives()).filter(move |drive| holders.has(*drive));
                    holders.map(move |drive| (drive, copy.clone()))
                })
                .collect()
        }
        Some(Kept::Shards) => restored_shards(found, log),
    };
    let header = found.header;
    let (file, offset) = log_place(header.position);
    for source in lacking {
        let payload = payloads.get(&source.position);
        let shard = match own_payload(found, record) {
            Some(Kept::Shards) => spread
                .shard_on(header.blob, source.position)
                .and_then(|shard| u8::try_from(shard).ok())
                .unwrap_or(COPY),
            Some(Kept::Copies(_)) | None => COPY,
        };
        let mut bytes = Header {
            drive: u8::try_from(source.position).unwrap_or_default(),
            payload_len: payload.map_or(0, |_| header.payload_room),
            ..header
        }
        .encode(source.id);
        if let Some(payload) = payload {
            let place = Place {
                drive: source.id,
                file,
                offset: offset + HEADER_LEN,
                blob: header.blob,
                shard,
            };
            bytes.extend_from_slice(payload);
            bytes.extend_from_slice(&place.seal(payload));
        }
        bytes.resize(usize::try_from(header.meta_offset()).unwrap_or_default(), 0);
        bytes.extend_from_slice(&found.meta);
        source.drive.write_at(file, offset, &bytes)?;
        source.drive.sync(file)?;
    }
    Ok(())
}

fn whole_payload(found: &Found, log: &mut Log, sources: &[Source]) -> Option<Bytes> {
    sources
        .iter()
        .find_map(|source| log.payload(source.position, &found.header))
        .map(Bytes::from)
}

/// All shards by drive, where enough of them are there.
fn restored_shards(found: &Found, log: &mut Log) -> BTreeMap<usize, Bytes> {
    let spread = found.header.spread;
    let mut cells: Vec<Option<Bytes>> = (0..spread.shards())
        .map(|shard| {
            let drive = spread.drive_of(found.header.blob, shard);
            log.payload(drive, &found.header).map(Bytes::from)
        })
        .collect();
    let codec = Codec::new(spread);
    if codec.restore(&mut cells).is_err() {
        return BTreeMap::new();
    }
    let data: Vec<u8> = cells
        .iter()
        .take(spread.k)
        .flatten()
        .flatten()
        .copied()
        .collect();
    let shards = codec.encode(&data, 0).into_iter().enumerate();
    shards
        .map(|(shard, cell)| (spread.drive_of(found.header.blob, shard), cell.into()))
        .collect()
}

/// Where a new run begins: behind everything, so that nothing is overwritten.
pub(crate) fn begin_at(replayed: &Replayed) -> u64 {
    replayed
        .end
        .max(replayed.kept_end)
        .next_multiple_of(BATCH_ALIGN)
}
