//! Gives the bytes of an object back, verified. Data cells are read side by
//! side; what is missing or damaged is restored from the others. One step ahead
//! of the reader, and no more, is in memory.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use storage::{ByteStream, Error, Locator, Result};
use tokio::time::{Instant, timeout};

use crate::codec::Codec;
use crate::disk::{CellRef, ReadFailure};
use crate::geometry::{DriveMask, Spread};
use crate::layout::{Location, Source, Step, Steps};
use crate::seal::COPY;
use crate::set::Set;

/// The step that is being given out and the one after it.
const STEPS_MAX: usize = 2;
/// A drive that has not answered by then is helped by another one.
const LATE_AFTER: Duration = Duration::from_millis(200);
/// A drive that has not answered by then is as good as missing.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// Begins to read; the first bytes are there when this returns.
pub(crate) async fn read(
    set: &Arc<Set>,
    locator: &Locator,
    range: Range<u64>,
) -> Result<ByteStream> {
    let location: &Arc<Location> = locator
        .get()
        .ok_or_else(|| Error::Io(std::io::Error::other("an entry of a listing has no bytes")))?;
    let spread = location.spread;
    if location.set != set.number || spread.drives() != set.spread.drives() {
        return Err(Error::Damaged(
            "the object is of another set of drives".into(),
        ));
    }
    let left = range.end.saturating_sub(range.start);
    let Some(steps) = Steps::new(locator, range).filter(|_| left > 0) else {
        return Ok(Box::pin(stream::empty()));
    };
    let reader = Arc::new(Reader {
        codec: set.codec(spread),
        set: set.clone(),
        spread,
    });
    let steps = stream::iter(steps)
        .map(move |step| {
            let reader = reader.clone();
            async move { reader.read_step(&step).await }
        })
        .buffered(STEPS_MAX);
    let mut reading = Reading {
        steps: Box::pin(steps),
        chunks: VecDeque::new(),
        left,
    };
    let first = reading.next().await?;
    let rest = stream::unfold(Some(reading), |reading| async {
        let mut reading = reading.filter(|reading| reading.left > 0)?;
        match reading.next().await {
            Ok(chunk) => Some((Ok(chunk), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Box::pin(stream::iter([Ok(first)]).chain(rest)))
}

struct Reading<S> {
    steps: S,
    chunks: VecDeque<Bytes>,
    /// How many bytes are still owed.
    left: u64,
}

impl<S: stream::Stream<Item = Result<Vec<Bytes>>> + Unpin> Reading<S> {
    async fn next(&mut self) -> Result<Bytes> {
        loop {
            if let Some(chunk) = self.chunks.pop_front() {
                self.left = self.left.saturating_sub(chunk.len() as u64);
                return Ok(chunk);
            }
            // A plan that ends early comes from a record that contradicts itself.
            let chunks = self.steps.next().await.ok_or_else(|| {
                Error::Damaged("the object is shorter than its record says".into())
            })?;
            self.chunks = chunks?.into();
        }
    }
}

/// Reads the pieces of one object.
struct Reader {
    set: Arc<Set>,
    spread: Spread,
    codec: Arc<Codec>,
}

impl Reader {
    async fn read_step(&self, step: &Step) -> Result<Vec<Bytes>> {
        match step.source {
            Source::Copies(holders) => self.read_copy(step, holders).await,
            Source::Cells => self.read_cells(step).await,
        }
    }

    async fn read_copy(&self, step: &Step, holders: DriveMask) -> Result<Vec<Bytes>> {
        let mut damaged = 0;
        for turn in 0..self.spread.drives() {
            let drive = self.spread.drive_of(step.blob, turn);
            if !holders.has(drive) {
                continue;
            }
            let cell = CellRef {
                file: step.file,
                offset: step.offset,
                length: step.data_len,
                blob: step.blob,
                shard: COPY,
            };
            let read = timeout(LATE_AFTER * 5, self.read_cell(drive, cell)).await;
            match read.unwrap_or(Err(ReadFailure::Absent)) {
                Ok(copy) => return slice(&copy, step.wanted.clone()).map(|part| vec![part]),
                Err(ReadFailure::Damaged) => damaged += 1,
                Err(ReadFailure::Absent) => {}
            }
        }
        Err(lost(0, 1, damaged, holders.count()))
    }

    async fn read_cells(&self, step: &Step) -> Result<Vec<Bytes>> {
        let (k, n) = (self.spread.k, self.spread.shards());
        let length = self.codec.cell_len(step.data_len);
        let contradiction = || Error::Damaged("a stripe without data".into());
        let first = step
            .wanted
            .start
            .checked_div(length)
            .ok_or_else(contradiction)?;
        let last = step.wanted.end.saturating_sub(1) / length;
        let mut cells: Vec<Option<Bytes>> = vec![None; n];
        let mut damaged = 0;
        let read = |shard: usize| async move {
            let cell = CellRef {
                file: step.file,
                offset: step.offset,
                length,
                blob: step.blob,
                shard: u8::try_from(shard).expect("a set has at most 32 drives"),
            };
            let drive = self.spread.drive_of(step.blob, shard);
            (shard, self.read_cell(drive, cell).await)
        };
        // First the data that is wanted, then of the others as many as are missing
        // or late.
        let last = last.min(k - 1);
        let mut others = (0..n).filter(|shard| !(first..=last).contains(shard));
        let mut reads: FuturesUnordered<_> = (first..=last).map(read).collect();
        let mut late = 0;
        let deadline = Instant::now() + READ_TIMEOUT;
        loop {
            let wanted = cells.get(first..=last).unwrap_or_default();
            let have = cells.iter().flatten().count();
            if wanted.iter().all(Option::is_some) || have >= k {
                break;
            }
            match timeout(LATE_AFTER, reads.next()).await {
                Ok(Some((shard, Ok(cell)))) => {
                    if let Some(slot) = cells.get_mut(shard) {
                        *slot = Some(cell);
                    }
                    continue;
                }
                Ok(Some((_, Err(failure)))) => {
                    damaged += usize::from(failure == ReadFailure::Damaged);
                }
                Ok(None) => {}
                Err(_) if Instant::now() < deadline => late = reads.len(),
                Err(_) => return Err(lost(have, k, damaged, n)),
            }
            late = late.min(reads.len());
            let missing = k.saturating_sub(have + reads.len() - late);
            reads.extend(others.by_ref().take(missing).map(read));
            if reads.is_empty() {
                return Err(lost(have, k, damaged, n));
            }
        }
        drop(reads);
        let wanted = cells.get(first..=last).unwrap_or_default();
        if wanted.iter().any(Option::is_none) {
            metrics::counter!("sluice_stripes_restored_total").increment(1);
            self.codec
                .restore(&mut cells)
                .map_err(|_| Error::Damaged("cells of different lengths".into()))?;
        }
        let mut chunks = Vec::with_capacity(last + 1 - first);
        for (shard, cell) in cells.iter().enumerate().take(last + 1).skip(first) {
            let start = shard * length;
            let from = step.wanted.start.saturating_sub(start);
            let to = (step.wanted.end - start).min(length);
            let cell = cell.as_ref().ok_or_else(contradiction)?;
            chunks.push(slice(cell, from..to)?);
        }
        Ok(chunks)
    }

    async fn read_cell(&self, drive: usize, cell: CellRef) -> Result<Bytes, ReadFailure> {
        let Some(Some(disk)) = self.set.disks.get(drive) else {
            return Err(ReadFailure::Absent);
        };
        let outcome = disk.read(cell).await;
        match &outcome {
            Ok(cell) => self.set.count_read(cell.len()),
            Err(_) => self.set.note_repair(&cell, drive),
        }
        outcome
    }
}

fn slice(cell: &Bytes, range: Range<usize>) -> Result<Bytes> {
    if range.start <= range.end && range.end <= cell.len() {
        Ok(cell.slice(range))
    } else {
        Err(Error::Damaged("a range outside of its cell".into()))
    }
}

/// With drives away, what is missing may return; without, it is gone.
fn lost(have: usize, need: usize, damaged: usize, of: usize) -> Error {
    if damaged > of - need {
        return Error::Damaged(format!("{damaged} of {of} cells fail their check"));
    }
    Error::ReadQuorumLost { have, need }
}
