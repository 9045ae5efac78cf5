//! Takes the bytes of one object and brings them where the commit needs them:
//! small ones stay in memory and go with their record, large ones are striped
//! over the bulk files while they come. At most a few stripes are in memory.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage::{Error, Result, Sink, Staged};

use crate::bulk::{Allocator, EXTENT_STRIPES_MAX, ExtentHeader, Reservation};
use crate::codec::Codec;
use crate::disk::{NewCell, Outcome, WriteFailure};
use crate::drive::FileId;
use crate::geometry::{DriveMask, Spread};
use crate::layout::{COPY_MAX, Extent, LOG_MAX, Piece, PiecePlace};
use crate::patience::{SYNCS, WRITES};
use crate::seal::SEAL_LEN;
use crate::set::Set;

/// Stripes on their way to the drives.
const STRIPES_PENDING_MAX: usize = 3;
/// The first extent of an object of unknown length has room for so many stripes.
const STRIPES_FIRST: u32 = 8;
/// Less than this is encoded without a change of thread.
const ENCODE_INLINE_MAX: usize = 64 << 10;

/// What the commit gets.
#[derive(Debug)]
pub(crate) struct Token {
    /// Of which store it is.
    pub(crate) set: Arc<Set>,
    pub(crate) spread: Spread,
    pub(crate) data: Data,
}

#[derive(Debug)]
pub(crate) enum Data {
    /// Goes into the log with the record.
    Small(Small),
    /// Is on the drives already. The reservations are those of new bytes; shared
    /// ones belong to an object.
    Stored {
        pieces: Vec<Piece>,
        reservations: Vec<Arc<Reservation>>,
    },
}

#[derive(Debug)]
pub(crate) struct Small {
    pub(crate) blob: u128,
    pub(crate) size: u64,
    pub(crate) spread: Spread,
    pub(crate) payload: Payload,
}

#[derive(Debug)]
pub(crate) enum Payload {
    Copy(Bytes),
    /// By shard number.
    Shards(Vec<Vec<u8>>),
}

#[derive(Debug)]
pub(crate) struct EngineSink {
    set: Arc<Set>,
    allocator: Arc<Allocator>,
    spread: Spread,
    codec: Arc<Codec>,
    blob: u128,
    length: Option<u64>,
    total: u64,
    /// At most one stripe.
    buffer: Vec<u8>,
    striper: Option<Striper>,
}

/// Writes stripe after stripe.
#[derive(Debug)]
struct Striper {
    spread: Spread,
    /// The drives that get cells.
    holders: DriveMask,
    reservation: Arc<Reservation>,
    extent: Option<Extent>,
    /// Stripes in that extent so far.
    in_extent: u32,
    /// Stripes so far.
    stripes: u64,
    /// Those of them that do not have all of it.
    absent: DriveMask,
    full: bool,
    pending: VecDeque<Vec<(usize, Outcome)>>,
}

impl EngineSink {
    pub(crate) fn new(
        set: Arc<Set>,
        allocator: Arc<Allocator>,
        spread: Spread,
        length: Option<u64>,
    ) -> Self {
        Self {
            blob: set.next_blob(spread),
            codec: set.codec(spread),
            set,
            allocator,
            spread,
            length,
            total: 0,
            buffer: Vec::new(),
            striper: None,
        }
    }

    fn new_striper(&self) -> Striper {
        Striper {
            spread: self.spread,
            holders: self.spread.holders(self.blob),
            reservation: Reservation::new(self.allocator.clone()),
            extent: None,
            in_extent: 0,
            stripes: 0,
            absent: DriveMask::default(),
            full: false,
            pending: VecDeque::new(),
        }
    }

    /// The most that goes with the record.
    fn log_max(&self) -> usize {
        match self.spread.shards_in_log(self.set.spread) {
            true => LOG_MAX,
            false => COPY_MAX,
        }
    }

    async fn flush(&mut self) -> Result<()> {
        if self.striper.is_none() {
            self.striper = Some(self.new_striper());
        }
        let Some(striper) = &mut self.striper else {
            return Ok(());
        };
        let (set, spread) = (&self.set, self.spread);
        let data = std::mem::take(&mut self.buffer);
        let left = self
            .length
            .map(|length| length.saturating_sub(self.total - data.len() as u64));
        let cells = encode(&self.codec, data).await?;
        let (extent, stripe) = striper.next_place(left)?;
        let cell = spread.cell();
        let offset = extent.cell_offset(stripe, cell).ok_or(Error::Full)?;
        striper.leave_out_unwritable(set);
        let mut writes = Vec::with_capacity(cells.len());
        for (shard, bytes) in cells.into_iter().enumerate() {
            let drive = spread.drive_of(self.blob, shard);
            let Some(Some(disk)) = set.disks.get(drive) else {
                continue;
            };
            if striper.absent.has(drive) {
                continue;
            }
            let shard = u8::try_from(shard).expect("a set has at most 32 drives");
            let header = (stripe == 0).then(|| {
                let header = ExtentHeader {
                    set: set.number,
                    geometry: spread.geometry(),
                    shard,
                    blob: self.blob,
                    cell: u32::try_from(cell).expect("a cell is at most 256 KiB"),
                    extent,
                    first_stripe: striper.stripes,
                };
                (extent.offset, header.encode(disk.id))
            });
            let cell = NewCell {
                file: FileId::Bulk(extent.segment),
                offset,
                blob: self.blob,
                shard,
                bytes,
                header,
                hold: striper.reservation.clone(),
            };
            set.count_written(cell.bytes.len());
            writes.push((drive, disk.write(cell)));
        }
        let mut pending = Vec::with_capacity(writes.len());
        for (drive, queued) in set.in_time(WRITES, spread.data_quorum(), writes).await {
            match queued {
                Ok(outcome) => pending.push((drive, outcome)),
                Err(failure) => striper.note(drive, failure),
            }
        }
        striper.stripes += 1;
        striper.pending.push_back(pending);
        striper.settle(set, STRIPES_PENDING_MAX).await
    }
}

/// The cells of a stripe. Much data is encoded where it does not hold up others.
async fn encode(codec: &Arc<Codec>, data: Vec<u8>) -> Result<Vec<Vec<u8>>> {
    if data.len() <= ENCODE_INLINE_MAX {
        return Ok(codec.encode(&data, SEAL_LEN));
    }
    let codec = codec.clone();
    tokio::task::spawn_blocking(move || codec.encode(&data, SEAL_LEN))
        .await
        .map_err(|_| Error::Closed)
}

impl Striper {
    /// Where the next stripe goes: an extent, and the number in it. `left` is
    /// how many bytes are still to come, where that is known.
    fn next_place(&mut self, left: Option<u64>) -> Result<(Extent, u32)> {
        if let Some(extent) = self.extent
            && self.in_extent < extent.stripes
        {
            let stripe = self.in_extent;
            self.in_extent += 1;
            return Ok((extent, stripe));
        }
        let wanted = match left {
            Some(left) => left.div_ceil(self.spread.stripe() as u64),
            None => self.stripes.max(u64::from(STRIPES_FIRST)),
        };
        let wanted = u32::try_from(wanted).unwrap_or(EXTENT_STRIPES_MAX);
        let extent = self
            .reservation
            .extend(wanted, self.spread.cell())
            .ok_or(Error::Full)?;
        self.extent = Some(extent);
        self.in_extent = 1;
        Ok((extent, 0))
    }

    /// Waits until at most so many stripes are on their way.
    async fn settle(&mut self, set: &Set, pending_max: usize) -> Result<()> {
        let enough = self.spread.data_quorum();
        while self.pending.len() > pending_max {
            self.leave_out_unwritable(set);
            let stripe = self.pending.pop_front().unwrap_or_default();
            // What becomes of a write to a drive that is left out is no matter.
            let present = stripe
                .into_iter()
                .filter(|(drive, _)| !self.absent.has(*drive))
                .map(|(drive, outcome)| {
                    let outcome = async { outcome.await.unwrap_or(Err(WriteFailure::Fenced)) };
                    (drive, outcome)
                });
            for (drive, outcome) in set.in_time(WRITES, enough, present).await {
                if let Err(failure) = outcome {
                    self.note(drive, failure);
                }
            }
        }
        self.check()
    }

    /// Drives that are missing, or were fenced since the last stripe.
    fn leave_out_unwritable(&mut self, set: &Set) {
        let unwritable = self.holders.without(set.writable_mask());
        self.absent = self.absent.or(unwritable);
    }

    fn note(&mut self, drive: usize, failure: WriteFailure) {
        self.full |= failure == WriteFailure::Full;
        self.absent.insert(drive);
    }

    fn check(&self) -> Result<()> {
        let need = self.spread.data_quorum();
        let have = self.spread.shards() - self.absent.count();
        match have >= need {
            true => Ok(()),
            false if self.full => Err(Error::Full),
            false => Err(Error::WriteQuorumLost { have, need }),
        }
    }

    async fn finish(mut self, set: &Arc<Set>, blob: u128, size: u64) -> Result<Data> {
        self.settle(set, 0).await?;
        self.reservation.trim(self.in_extent, self.spread.cell());
        let extents = self.reservation.extents();
        let files: BTreeSet<FileId> = extents
            .iter()
            .map(|extent| FileId::Bulk(extent.segment))
            .collect();
        let files: Vec<FileId> = files.into_iter().collect();
        let holders = self.holders.without(self.absent);
        let present = set.disks.iter().flatten();
        let present = present.filter(|disk| holders.has(disk.position));
        let syncs = present.map(|disk| (disk.position, disk.sync(files.clone())));
        let syncs: Vec<_> = syncs.collect();
        for (drive, outcome) in set.in_time(SYNCS, self.spread.data_quorum(), syncs).await {
            if let Err(failure) = outcome {
                self.note(drive, failure);
            }
        }
        self.check()?;
        let piece = Piece {
            blob,
            size,
            absent: self.absent,
            place: PiecePlace::Stripes {
                cell: u32::try_from(self.spread.cell()).expect("a cell is at most 256 KiB"),
                extents,
            },
        };
        Ok(Data::Stored {
            pieces: vec![piece],
            reservations: vec![self.reservation],
        })
    }
}

#[async_trait]
impl Sink for EngineSink {
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        let stripe = self.spread.stripe();
        while !bytes.is_empty() {
            if self.buffer.len() == stripe {
                self.flush().await?;
            }
            let fits = (stripe - self.buffer.len()).min(bytes.len());
            let taken = bytes.split_to(fits);
            if self.buffer.is_empty() {
                let expected = self
                    .length
                    .map_or(0, |length| length.saturating_sub(self.total));
                let expected = usize::try_from(expected).unwrap_or(stripe);
                self.buffer.reserve(expected.min(stripe));
            }
            self.buffer.extend_from_slice(&taken);
            self.total += taken.len() as u64;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged> {
        let size = self.total;
        let data = if size == 0 {
            Data::Stored {
                pieces: Vec::new(),
                reservations: Vec::new(),
            }
        } else if self.striper.is_none() && self.buffer.len() <= self.log_max() {
            let bytes = std::mem::take(&mut self.buffer);
            let payload = if bytes.len() <= COPY_MAX {
                Payload::Copy(bytes.into())
            } else {
                Payload::Shards(encode(&self.codec, bytes).await?)
            };
            Data::Small(Small {
                blob: self.blob,
                size,
                spread: self.spread,
                payload,
            })
        } else {
            if !self.buffer.is_empty() {
                self.flush().await?;
            }
            let striper = self.striper.take().ok_or(Error::Closed)?;
            striper.finish(&self.set, self.blob, size).await?
        };
        let (set, spread) = (self.set.clone(), self.spread);
        Ok(Staged::new(size, Token { set, spread, data }))
    }
}
