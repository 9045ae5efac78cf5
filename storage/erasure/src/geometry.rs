//! How many drives hold what, and how many must confirm it. Pure arithmetic.
//!
//! A set has a geometry of its own, which covers all its drives: every record of
//! its log is kept by it. The data of a bucket may be spread by another one, over
//! as many of the drives as that needs.

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

    /// Those that are in one of them.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not in the other one.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A geometry that has been checked, on a set of drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spread {
    /// How many shards restore the data.
    pub(crate) k: usize,
    /// How many drives may be lost.
    pub(crate) m: usize,
    /// How many drives the set has, at least `k + m`.
    drives: usize,
}

impl Spread {
    /// A set's own.
    pub(crate) fn new(geometry: Geometry) -> Option<Self> {
        let drives = usize::from(geometry.data) + usize::from(geometry.parity);
        Self::within(geometry, drives)
    }

    /// A bucket's, on the drives of a set.
    pub(crate) fn within(geometry: Geometry, drives: usize) -> Option<Self> {
        let (k, m) = (usize::from(geometry.data), usize::from(geometry.parity));
        // With more parity than data, two halves of a set could each believe
        // that they are the set.
        let valid = k >= 1 && m <= k && k + m <= drives && drives <= DRIVES_MAX;
        valid.then_some(Self { k, m, drives })
    }

    pub(crate) fn geometry(self) -> Geometry {
        Geometry {
            data: u8::try_from(self.k).expect("a set has at most 32 drives"),
            parity: u8::try_from(self.m).expect("a set has at most 32 drives"),
        }
    }

    pub(crate) fn shards(self) -> usize {
        self.k + self.m
    }

    /// Those of the set, whether they have a shard or not.
    pub(crate) fn drives(self) -> usize {
        self.drives
    }

    /// How many drives must have the shards of an object before it is acknowledged.
    pub(crate) fn data_quorum(self) -> usize {
        (self.k + 1).min(self.shards())
    }

    /// How many drives must have a record before it is acknowledged: any drives
    /// that may start without the others include one of these. Of a set's own.
    pub(crate) fn record_quorum(self) -> usize {
        (self.drives() - self.m / 2).max(self.m + 1)
    }

    /// How many drives must be there to change anything. Of a set's own.
    pub(crate) fn write_quorum(self) -> usize {
        self.data_quorum().max(self.record_quorum())
    }

    /// How many drives hold a copy of a tiny object in a set whose own spread is
    /// `own`. A copy costs little: with less parity than the set there are no
    /// fewer, so that enough of those that confirm the record have one.
    pub(crate) fn copies(self, own: Self) -> usize {
        self.m.max(own.m) + 1
    }

    /// Whether the drives that must confirm a record of a set whose own spread
    /// is `own` always have enough shards among them. Where not, shards are
    /// written apart from the record, and before it.
    pub(crate) fn shards_in_log(self, own: Self) -> bool {
        let missing = own.drives() - own.record_quorum();
        self.shards() >= self.data_quorum() + missing
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

    /// Which shard a drive has, if it has one: the inverse of [`Self::drive_of`].
    pub(crate) fn shard_on(self, blob: u128, drive: usize) -> Option<usize> {
        let rotation = self.drive_of(blob, 0);
        let shard = (drive + self.drives() - rotation) % self.drives();
        (shard < self.shards()).then_some(shard)
    }

    /// The drives that have a shard.
    pub(crate) fn holders(self, blob: u128) -> DriveMask {
        let mut holders = DriveMask::default();
        for shard in 0..self.shards() {
            holders.insert(self.drive_of(blob, shard));
        }
        holders
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
        for (data, parity, drives) in [(4, 2, 6), (2, 1, 6), (1, 0, 6), (3, 2, 6), (2, 2, 32)] {
            let spread = Spread::within(Geometry { data, parity }, drives).unwrap();
            for blob in [0, 1, 5, 6, u128::MAX] {
                for shard in 0..spread.shards() {
                    let drive = spread.drive_of(blob, shard);
                    assert_eq!(spread.shard_on(blob, drive), Some(shard));
                }
                let holders = spread.holders(blob);
                assert_eq!(holders.count(), spread.shards());
                for drive in (0..drives).filter(|drive| !holders.has(*drive)) {
                    assert_eq!(spread.shard_on(blob, drive), None);
                }
            }
        }
    }

    #[test]
    fn what_is_acknowledged_has_its_data_quorum_whichever_drives_confirm() {
        for own in [(1, 0), (1, 1), (2, 1), (2, 2), (4, 2), (8, 4), (16, 4)] {
            let own = spread(own.0, own.1).unwrap();
            assert!(own.shards_in_log(own), "{own:?}");
            let late = own.drives() - own.record_quorum();
            for (data, parity) in (1..=8).flat_map(|k| (0..=4).map(move |m| (k, m))) {
                let Some(other) = Spread::within(Geometry { data, parity }, own.drives()) else {
                    continue;
                };
                assert!(other.copies(own) > late, "{other:?} in {own:?}");
                let shards = other.shards().saturating_sub(late);
                let enough = shards >= other.data_quorum();
                assert_eq!(other.shards_in_log(own), enough, "{other:?} in {own:?}");
            }
        }
    }
}
