//! How many drives hold what, and how many must confirm it. Pure arithmetic.

use storage::Geometry;

/// Drives of a set are counted in bit masks.
pub(crate) const DRIVES_MAX: usize = 32;

/// A stripe stays in the cache of a core while it is encoded.
const STRIPE_MAX: usize = 1 << 20;
const CELL_ALIGN: usize = 4096;

/// The drives of a set by position, as a bit mask.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct DriveMask(pub(crate) u32);

impl std::fmt::Debug for DriveMask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DriveMask({:#b})", self.0)
    }
}

impl DriveMask {
    pub(crate) fn has(self, position: usize) -> bool {
        position < DRIVES_MAX && self.0 & (1 << position) != 0
    }

    pub(crate) fn insert(&mut self, position: usize) {
        assert!(
            position < DRIVES_MAX,
            "a set has at most {DRIVES_MAX} drives"
        );
        self.0 |= 1 << position;
    }

    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A geometry that has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    /// How many shards restore the data.
    pub(crate) k: usize,
    /// How many drives may be lost.
    pub(crate) m: usize,
}

impl Spread {
    pub(crate) fn new(geometry: Geometry) -> Option<Self> {
        let (k, m) = (usize::from(geometry.data), usize::from(geometry.parity));
        // With more parity than data, two halves of a set could each believe
        // that they are the set.
        let valid = k >= 1 && m <= k && k + m <= DRIVES_MAX;
        valid.then_some(Self { k, m })
    }

    pub(crate) fn geometry(self) -> Geometry {
        Geometry {
            data: u8::try_from(self.k).expect("a set has at most 32 drives"),
            parity: u8::try_from(self.m).expect("a set has at most 32 drives"),
        }
    }

    pub(crate) fn drives(self) -> usize {
        self.k + self.m
    }

    /// How many drives must have the shards of an object before it is acknowledged.
    pub(crate) fn data_quorum(self) -> usize {
        (self.k + 1).min(self.drives())
    }

    /// How many drives must have a record before it is acknowledged: any drives
    /// that may start without the others include one of these.
    pub(crate) fn record_quorum(self) -> usize {
        (self.drives() - self.m / 2).max(self.m + 1)
    }

    /// How many drives must be there to change anything.
    pub(crate) fn write_quorum(self) -> usize {
        self.data_quorum().max(self.record_quorum())
    }

    /// How many drives hold a copy of a tiny object.
    pub(crate) fn copies(self) -> usize {
        self.m + 1
    }

    /// The length of a whole cell of a striped object.
    pub(crate) fn cell(self) -> usize {
        let cell = (STRIPE_MAX / self.k).min(256 << 10);
        cell / CELL_ALIGN * CELL_ALIGN
    }

    pub(crate) fn stripe(self) -> usize {
        self.k * self.cell()
    }

    /// Which drive has a shard. Rotated by object, so that all drives serve reads.
    pub(crate) fn drive_of(self, blob: u128, shard: usize) -> usize {
        let drives = self.drives() as u128;
        let rotation = usize::try_from(blob % drives).expect("less than the number of drives");
        (rotation + shard) % self.drives()
    }

    /// Which shard a drive has: the inverse of [`Self::drive_of`].
    pub(crate) fn shard_on(self, blob: u128, drive: usize) -> usize {
        let rotation = self.drive_of(blob, 0);
        (drive + self.drives() - rotation) % self.drives()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(data: u8, parity: u8) -> Option<Spread> {
        Spread::new(Geometry { data, parity })
    }

    #[test]
    fn quorums_leave_redundancy_and_overlap_every_start() {
        for (data, parity, data_quorum, record_quorum) in [
            (1, 0, 1, 1),
            (1, 1, 2, 2),
            (2, 1, 3, 3),
            (2, 2, 3, 3),
            (4, 2, 5, 5),
            (8, 4, 9, 10),
            (16, 4, 17, 18),
        ] {
            let spread = spread(data, parity).unwrap();
            assert_eq!(spread.data_quorum(), data_quorum, "{spread:?}");
            assert_eq!(spread.record_quorum(), record_quorum, "{spread:?}");
            // Whichever m drives are gone, one with the record is left.
            assert!(spread.record_quorum() > spread.m);
        }
    }

    #[test]
    fn a_geometry_fits_in_a_mask_and_has_no_more_parity_than_data() {
        for (data, parity, valid) in [
            (0, 0, false),
            (0, 1, false),
            (1, 0, true),
            (1, 2, false),
            (16, 16, true),
            (28, 4, true),
            (29, 4, false),
            (255, 255, false),
        ] {
            assert_eq!(spread(data, parity).is_some(), valid, "{data}+{parity}");
        }
    }

    #[test]
    fn every_shard_of_an_object_has_a_drive_of_its_own() {
        let spread = spread(4, 2).unwrap();
        for blob in [0, 1, 5, 6, u128::MAX] {
            let mut drives = DriveMask::default();
            for shard in 0..6 {
                let drive = spread.drive_of(blob, shard);
                assert_eq!(spread.shard_on(blob, drive), shard);
                drives.insert(drive);
            }
            assert_eq!(drives.count(), 6);
        }
    }
}
