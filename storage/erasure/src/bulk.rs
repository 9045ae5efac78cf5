//! The space of the bulk files. It is given out for all drives of the set at
//! once: an extent has the same place on every drive. What belongs to no object
//! comes back when its last writer is done with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use crate::layout::{BULK_SEGMENT_LEN, EXTENT_HEADER_LEN, Extent};
use crate::seal::SEAL_LEN;
use crate::wire::Writer;

/// The most stripes of one extent.
pub(crate) const EXTENT_STRIPES_MAX: u32 = 1024;
/// The rest of a segment is used if it holds so many.
const STRIPES_MIN: u32 = 8;
/// So many pieces of free space are remembered; more are found by the next start.
const FREE_MAX: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Allocator(Mutex<Space>);

#[derive(Debug)]
struct Space {
    /// Nothing was ever written from here on.
    segment: u32,
    offset: u64,
    /// Lengths by place.
    free: BTreeMap<(u32, u64), u64>,
}

impl Allocator {
    /// All after the last extent in use is free.
    pub(crate) fn new(last: Option<Extent>) -> Arc<Self> {
        let (segment, offset) = last.map_or((0, 0), |extent| {
            (extent.segment, extent.offset.saturating_add(extent.length))
        });
        Arc::new(Self(Mutex::new(Space {
            segment,
            offset,
            free: BTreeMap::new(),
        })))
    }

    /// An extent of up to `stripes` stripes, at least one. `None` when there are
    /// no more segment numbers.
    fn allocate(&self, stripes: u32, cell: usize) -> Option<Extent> {
        let stripes = stripes.clamp(1, EXTENT_STRIPES_MAX);
        let length = Extent::length_for(stripes, cell);
        let mut space = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = space.free.iter().find(|(_, free)| **free >= length);
        if let Some((&(segment, offset), &free)) = fitting {
            space.free.remove(&(segment, offset));
            if free > length {
                space.free.insert((segment, offset + length), free - length);
            }
            return Some(Extent {
                segment,
                offset,
                length,
                stripes,
            });
        }
        let left = BULK_SEGMENT_LEN.saturating_sub(space.offset);
        if left < length {
            let fits = fitting_stripes(left, cell);
            if fits >= stripes.min(STRIPES_MIN) {
                return Some(space.advance(fits, cell));
            }
            if left > 0 {
                let place = (space.segment, space.offset);
                space.release(place, left);
            }
            space.segment = space.segment.checked_add(1)?;
            space.offset = 0;
        }
        Some(space.advance(stripes, cell))
    }

    fn release(&self, segment: u32, offset: u64, length: u64) {
        let mut space = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        space.release((segment, offset), length);
    }
}

fn fitting_stripes(length: u64, cell: usize) -> u32 {
    let cells = length.saturating_sub(EXTENT_HEADER_LEN) / (cell + SEAL_LEN) as u64;
    let mut stripes = u32::try_from(cells).unwrap_or(u32::MAX);
    while stripes > 0 && Extent::length_for(stripes, cell) > length {
        stripes -= 1;
    }
    stripes
}

impl Space {
    fn advance(&mut self, stripes: u32, cell: usize) -> Extent {
        let extent = Extent {
            segment: self.segment,
            offset: self.offset,
            length: Extent::length_for(stripes, cell),
            stripes,
        };
        self.offset += extent.length;
        extent
    }

    fn release(&mut self, (segment, mut offset): (u32, u64), mut length: u64) {
        if let Some((&(before, start), &free)) = self.free.range(..(segment, offset)).next_back()
            && before == segment
            && start + free == offset
        {
            self.free.remove(&(before, start));
            offset = start;
            length += free;
        }
        if let Some(free) = self.free.remove(&(segment, offset + length)) {
            length += free;
        }
        if self.free.len() < FREE_MAX {
            self.free.insert((segment, offset), length);
        }
    }
}

/// Extents that are being written. They return to the free space when it is
/// dropped, unless an object has come to own them. Every write that is under way
/// holds it, so that no space is given out that an old write may still hit.
#[derive(Debug)]
pub(crate) struct Reservation {
    allocator: Arc<Allocator>,
    extents: Mutex<Vec<Extent>>,
}

impl Reservation {
    pub(crate) fn new(allocator: Arc<Allocator>) -> Arc<Self> {
        Arc::new(Self {
            allocator,
            extents: Mutex::default(),
        })
    }

    pub(crate) fn extend(&self, stripes: u32, cell: usize) -> Option<Extent> {
        let extent = self.allocator.allocate(stripes, cell)?;
        self.lock().push(extent);
        Some(extent)
    }

    /// Gives back what the last extent has more than so many stripes.
    pub(crate) fn trim(&self, stripes: u32, cell: usize) {
        let mut extents = self.lock();
        let Some(last) = extents.last_mut() else {
            return;
        };
        let length = Extent::length_for(stripes, cell);
        if length < last.length {
            let (segment, offset) = (last.segment, last.offset + length);
            self.allocator
                .release(segment, offset, last.length - length);
            last.length = length;
        }
        last.stripes = last.stripes.min(stripes);
    }

    pub(crate) fn extents(&self) -> Vec<Extent> {
        self.lock().clone()
    }

    /// The extents belong to an object now, or may do so after a restart.
    pub(crate) fn keep(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Extent>> {
        self.extents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for extent in self.lock().iter() {
            self.allocator
                .release(extent.segment, extent.offset, extent.length);
        }
    }
}

/// What stands before the cells of an extent on a drive: enough to say whose
/// they are when every record of them is lost.
#[derive(Debug)]
pub(crate) struct ExtentHeader {
    pub(crate) set: u16,
    pub(crate) geometry: storage::Geometry,
    pub(crate) shard: u8,
    pub(crate) blob: u128,
    pub(crate) cell: u32,
    pub(crate) extent: Extent,
    /// The number of its first stripe in the piece.
    pub(crate) first_stripe: u64,
}

impl ExtentHeader {
    pub(crate) fn encode(&self, drive_id: u128) -> Vec<u8> {
        let mut out = Writer::default();
        out.0.extend_from_slice(b"SLX1");
        out.u16(self.set);
        out.u8(self.geometry.data);
        out.u8(self.geometry.parity);
        out.u8(self.shard);
        out.u128(self.blob);
        out.u32(self.cell);
        out.u32(self.extent.segment);
        out.u64(self.extent.offset);
        out.u64(self.extent.length);
        out.u32(self.extent.stripes);
        out.u64(self.first_stripe);
        out.0.resize(EXTENT_HEADER_LEN as usize - SEAL_LEN, 0);
        let hash = xxh3_128_with_seed(&out.0, xxh3_64(&drive_id.to_le_bytes()));
        out.u128(hash);
        out.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: usize = 256 << 10;

    fn free(allocator: &Allocator) -> Vec<((u32, u64), u64)> {
        let space = allocator.0.lock().unwrap();
        space
            .free
            .iter()
            .map(|(place, length)| (*place, *length))
            .collect()
    }

    #[test]
    fn what_is_dropped_is_given_out_again_and_what_is_kept_is_not() {
        let allocator = Allocator::new(None);
        let dropped = Reservation::new(allocator.clone());
        let first = dropped.extend(4, CELL).unwrap();
        let kept = Reservation::new(allocator.clone());
        let second = kept.extend(4, CELL).unwrap();
        assert_eq!(second.offset, first.offset + first.length);
        kept.keep();
        drop(kept);
        drop(dropped);
        let again = Reservation::new(allocator.clone());
        assert_eq!(again.extend(4, CELL), Some(first));
        let after = again.extend(4, CELL).unwrap();
        assert_eq!(after.offset, second.offset + second.length);
        drop(again);
        assert_eq!(free(&allocator).len(), 2);
    }

    #[test]
    fn an_extent_lies_within_one_segment() {
        let allocator = Allocator::new(None);
        let all = Reservation::new(allocator.clone());
        let mut ends = BTreeMap::new();
        for _ in 0..20 {
            let extent = all.extend(1000, CELL).unwrap();
            assert!(extent.stripes >= 1);
            assert!(extent.length >= Extent::length_for(extent.stripes, CELL));
            assert!(extent.offset + extent.length <= BULK_SEGMENT_LEN);
            let end = ends.entry(extent.segment).or_insert(0);
            assert!(extent.offset >= *end);
            *end = extent.offset + extent.length;
        }
    }

    #[test]
    fn the_rest_of_an_extent_that_was_too_long_returns() {
        let allocator = Allocator::new(None);
        let reservation = Reservation::new(allocator.clone());
        let extent = reservation.extend(8, CELL).unwrap();
        reservation.trim(3, CELL);
        let used = Extent::length_for(3, CELL);
        assert_eq!(reservation.extents()[0].length, used);
        assert_eq!(free(&allocator), [((0, used), extent.length - used)]);
        drop(reservation);
        assert_eq!(free(&allocator), [((0, 0), extent.length)]);
    }
}
