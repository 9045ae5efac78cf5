//! Checksums that know where they belong: a cell is sealed for one object, one
//! shard, one drive and one place, so that a misdirected, stale or foreign cell
//! fails its check like a damaged one.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use crate::drive::FileId;

/// What follows the bytes of a cell on a drive.
pub(crate) const SEAL_LEN: usize = 16;

/// What a cell is and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) drive: u128,
    pub(crate) file: FileId,
    pub(crate) offset: u64,
    pub(crate) blob: u128,
    pub(crate) shard: u8,
}

/// The shard number of a whole copy.
pub(crate) const COPY: u8 = u8::MAX;

impl Place {
    fn seed(&self) -> u64 {
        let (kind, segment) = match self.file {
            FileId::Log(segment) => (0, segment),
            FileId::Bulk(segment) => (1, segment),
        };
        let mut identity = [0; 46];
        identity[..16].copy_from_slice(&self.drive.to_le_bytes());
        identity[16..32].copy_from_slice(&self.blob.to_le_bytes());
        identity[32..40].copy_from_slice(&self.offset.to_le_bytes());
        identity[40..44].copy_from_slice(&segment.to_le_bytes());
        identity[44] = kind;
        identity[45] = self.shard;
        xxh3_64(&identity)
    }

    pub(crate) fn seal(&self, cell: &[u8]) -> [u8; SEAL_LEN] {
        xxh3_128_with_seed(cell, self.seed()).to_le_bytes()
    }

    /// Whether bytes from a drive are this cell and its seal.
    pub(crate) fn verify(&self, sealed: &[u8]) -> bool {
        sealed
            .split_last_chunk::<SEAL_LEN>()
            .is_some_and(|(cell, seal)| self.seal(cell) == *seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_only_for_its_cell_and_its_place() {
        let place = Place {
            drive: 1,
            file: FileId::Bulk(2),
            offset: 3,
            blob: 4,
            shard: 5,
        };
        let sealed = [b"cell".as_slice(), &place.seal(b"cell")].concat();
        assert!(place.verify(&sealed));
        for elsewhere in [
            Place { drive: 9, ..place },
            Place {
                file: FileId::Log(2),
                ..place
            },
            Place {
                file: FileId::Bulk(9),
                ..place
            },
            Place { offset: 9, ..place },
            Place { blob: 9, ..place },
            Place { shard: 9, ..place },
        ] {
            assert!(!elsewhere.verify(&sealed), "{elsewhere:?}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!place.verify(&damaged), "bit {bit}");
        }
        assert!(!place.verify(&sealed[..10]));
    }
}
