//! Where the bytes of an object are, and which cells a range of it needs. Pure:
//! reading follows the plan that is made here.
//!
//! An object is a row of pieces (one, or one per part). A piece is
//! - a copy: tiny, whole on m+1 drives, beside its metadata in the log;
//! - shards: small, one cell per drive, in the log;
//! - stripes: large, many cells per drive, in extents of the bulk files.
//!
//! A place is the same on every drive of the set. Several objects may name one:
//! a copy names the places of its source, an object of parts those of its parts.

use std::ops::Range;
use std::sync::Arc;

use storage::Locator;

use crate::drive::FileId;
use crate::frame;
use crate::geometry::{DriveMask, Spread};
use crate::seal::SEAL_LEN;

/// A log is a row of files of this length; a position counts through all of them.
pub(crate) const LOG_SEGMENT_LEN: u64 = 64 << 20;
/// Bulk files have this length.
pub(crate) const BULK_SEGMENT_LEN: u64 = 1 << 30;
/// What precedes the cells of an extent.
pub(crate) const EXTENT_HEADER_LEN: u64 = 128;
pub(crate) const EXTENT_ALIGN: u64 = 4096;

/// Up to this size an object is kept as copies beside its metadata.
pub(crate) const COPY_MAX: usize = 8 << 10;
/// Up to this size an object is kept as shards in the log.
pub(crate) const LOG_MAX: usize = 256 << 10;

/// The bytes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) set: u16,
    pub(crate) spread: Spread,
    pub(crate) pieces: Vec<Piece>,
}

impl Location {
    /// Of the bytes that are there.
    pub(crate) fn length(&self) -> u64 {
        let sizes = self.pieces.iter().map(|piece| piece.size);
        sizes.fold(0, u64::saturating_add)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Names the bytes: every cell is sealed with it.
    pub(crate) blob: u128,
    pub(crate) size: u64,
    /// Drives that did not get their share when it was written: to be repaired.
    pub(crate) absent: DriveMask,
    pub(crate) place: PiecePlace,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PiecePlace {
    Copies { position: u64, holders: DriveMask },
    Shards { position: u64 },
    Stripes { cell: u32, extents: Vec<Extent> },
}

/// A piece of the bulk files of all drives of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Extent {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    /// How much of the file is taken, on each drive.
    pub(crate) length: u64,
    /// How many stripes are in it.
    pub(crate) stripes: u32,
}

impl Extent {
    pub(crate) fn length_for(stripes: u32, cell: usize) -> u64 {
        let sealed = (cell + SEAL_LEN) as u64;
        (EXTENT_HEADER_LEN + u64::from(stripes) * sealed).next_multiple_of(EXTENT_ALIGN)
    }

    /// Where the cell of a stripe lies, on each drive. `None` where a damaged
    /// record points outside of what can be.
    pub(crate) fn cell_offset(&self, stripe: u32, cell: usize) -> Option<u64> {
        let sealed = u64::try_from(cell + SEAL_LEN).ok()?;
        u64::from(stripe)
            .checked_mul(sealed)?
            .checked_add(EXTENT_HEADER_LEN)?
            .checked_add(self.offset)
    }
}

/// The file and the offset of a position of the log.
pub(crate) fn log_place(position: u64) -> (FileId, u64) {
    let segment = u32::try_from(position / LOG_SEGMENT_LEN).unwrap_or(u32::MAX);
    (FileId::Log(segment), position % LOG_SEGMENT_LEN)
}

/// One thing to read: the copies of a piece, or the cells of one stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) blob: u128,
    pub(crate) file: FileId,
    /// Where its cell begins, on each drive.
    pub(crate) offset: u64,
    /// How much data the cells hold together.
    pub(crate) data_len: usize,
    /// Which of it is wanted.
    pub(crate) wanted: Range<usize>,
    pub(crate) source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Copies(DriveMask),
    Cells,
}

/// The steps that read a range of an object, in order. They are made one at a
/// time, however large the object is.
#[derive(Debug)]
pub(crate) struct Steps {
    locator: Locator,
    piece: usize,
    /// What is wanted, from the beginning of the piece.
    wanted: Range<u64>,
    /// The extent of the piece, and the index of its first stripe.
    extent: (usize, u64),
}

impl Steps {
    /// `None` where the object is not of this kind of store.
    pub(crate) fn new(locator: &Locator, range: Range<u64>) -> Option<Self> {
        locator.get::<Arc<Location>>()?;
        Some(Self {
            locator: locator.clone(),
            piece: 0,
            wanted: range,
            extent: (0, 0),
        })
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let location: &Arc<Location> = self.locator.get()?;
        if self.wanted.start >= self.wanted.end {
            return None;
        }
        let piece = loop {
            let piece = location.pieces.get(self.piece)?;
            if self.wanted.start < piece.size {
                break piece;
            }
            self.wanted.start -= piece.size;
            self.wanted.end -= piece.size;
            self.piece += 1;
            self.extent = (0, 0);
        };
        let (file, offset, data, source) = match &piece.place {
            PiecePlace::Copies { position, holders } => {
                let (file, offset) = log_place(*position);
                let source = Source::Copies(*holders);
                (file, offset + frame::HEADER_LEN, 0..piece.size, source)
            }
            PiecePlace::Shards { position } => {
                let (file, offset) = log_place(*position);
                (
                    file,
                    offset + frame::HEADER_LEN,
                    0..piece.size,
                    Source::Cells,
                )
            }
            PiecePlace::Stripes { cell, extents } => {
                let cell = usize::try_from(*cell).ok().filter(|cell| *cell > 0)?;
                let stripe_len = (location.spread.k * cell) as u64;
                let stripe = self.wanted.start / stripe_len;
                let (extent, in_extent) = loop {
                    let extent = extents.get(self.extent.0)?;
                    let in_extent = stripe.checked_sub(self.extent.1)?;
                    if in_extent < u64::from(extent.stripes) {
                        break (extent, u32::try_from(in_extent).ok()?);
                    }
                    self.extent.0 += 1;
                    self.extent.1 += u64::from(extent.stripes);
                };
                let start = stripe * stripe_len;
                let data = start..piece.size.min(start + stripe_len);
                let offset = extent.cell_offset(in_extent, cell)?;
                (FileId::Bulk(extent.segment), offset, data, Source::Cells)
            }
        };
        let end = self.wanted.end.min(data.end);
        let within = |at: u64| usize::try_from(at - data.start).ok();
        let step = Step {
            blob: piece.blob,
            file,
            offset,
            data_len: within(data.end)?,
            wanted: within(self.wanted.start)?..within(end)?,
            source,
        };
        self.wanted.start = end;
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use storage::Geometry;

    use super::*;

    fn spread() -> Spread {
        Spread::new(Geometry { data: 2, parity: 1 }).unwrap()
    }

    fn steps(pieces: Vec<Piece>, range: Range<u64>) -> Vec<(FileId, u64, usize, Range<usize>)> {
        let spread = spread();
        let location = Location {
            set: 0,
            spread,
            pieces,
        };
        Steps::new(&Locator::new(Arc::new(location)), range)
            .unwrap()
            .map(|step| (step.file, step.offset, step.data_len, step.wanted))
            .collect()
    }

    fn piece(size: u64, place: PiecePlace) -> Piece {
        let absent = DriveMask::default();
        Piece {
            blob: 1,
            size,
            absent,
            place,
        }
    }

    fn extent(segment: u32, offset: u64, stripes: u32) -> Extent {
        let length = Extent::length_for(stripes, 4096);
        Extent {
            segment,
            offset,
            length,
            stripes,
        }
    }

    #[test]
    fn a_range_needs_only_the_stripes_that_it_touches() {
        let extents = vec![extent(0, 4096, 2), extent(3, 0, 1)];
        let pieces = || {
            vec![piece(
                20_000,
                PiecePlace::Stripes {
                    cell: 4096,
                    extents: extents.clone(),
                },
            )]
        };
        let first = (FileId::Bulk(0), 4096 + 128, 8192);
        let second = (FileId::Bulk(0), 4096 + 128 + 4112, 8192);
        let third = (FileId::Bulk(3), 128, 20_000 - 2 * 8192);
        let with = |(file, offset, length), wanted| (file, offset, length, wanted);
        for (range, expected) in [
            (0..0, vec![]),
            (0..1, vec![with(first, 0..1)]),
            (
                8191..8193,
                vec![with(first, 8191..8192), with(second, 0..1)],
            ),
            (8192..16384, vec![with(second, 0..8192)]),
            (16384..20_000, vec![with(third, 0..3616)]),
            (19_999..20_000, vec![with(third, 3615..3616)]),
            (
                0..20_000,
                vec![
                    with(first, 0..8192),
                    with(second, 0..8192),
                    with(third, 0..3616),
                ],
            ),
        ] {
            assert_eq!(steps(pieces(), range.clone()), expected, "{range:?}");
        }
    }

    #[test]
    fn a_range_runs_through_pieces_of_every_kind() {
        let holders = DriveMask(0b11);
        let pieces = || {
            vec![
                piece(
                    10,
                    PiecePlace::Copies {
                        position: 4096,
                        holders,
                    },
                ),
                piece(
                    100,
                    PiecePlace::Shards {
                        position: LOG_SEGMENT_LEN + 8192,
                    },
                ),
                piece(
                    8193,
                    PiecePlace::Stripes {
                        cell: 4096,
                        extents: vec![extent(1, 0, 2)],
                    },
                ),
            ]
        };
        let copy = (FileId::Log(0), 4096 + 128, 10);
        let shards = (FileId::Log(1), 8192 + 128, 100);
        let stripes = (FileId::Bulk(1), 128, 8192);
        let last = (FileId::Bulk(1), 128 + 4112, 1);
        let with = |(file, offset, length), wanted| (file, offset, length, wanted);
        for (range, expected) in [
            (9..11, vec![with(copy, 9..10), with(shards, 0..1)]),
            (50..60, vec![with(shards, 40..50)]),
            (
                109..8303,
                vec![
                    with(shards, 99..100),
                    with(stripes, 0..8192),
                    with(last, 0..1),
                ],
            ),
        ] {
            assert_eq!(steps(pieces(), range.clone()), expected, "{range:?}");
        }
    }

    #[test]
    fn a_record_that_promises_more_than_its_extents_hold_ends_the_plan() {
        let extents = vec![extent(0, 0, 1)];
        let pieces = vec![piece(
            u64::MAX,
            PiecePlace::Stripes {
                cell: 4096,
                extents,
            },
        )];
        assert_eq!(steps(pieces, 0..u64::MAX).len(), 1);
        let pieces = vec![piece(
            10,
            PiecePlace::Stripes {
                cell: 0,
                extents: vec![],
            },
        )];
        assert_eq!(steps(pieces, 0..10).len(), 0);
    }
}
