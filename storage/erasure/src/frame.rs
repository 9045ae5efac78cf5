//! The frame of a record in the log: a header that names it and its place, the
//! share of the data that the drive keeps, and the metadata.
//!
//! ```text
//! header (128) | payload of this drive | metadata | zeros up to the next record
//! ```
//!
//! The frame of a record begins at the same position on every drive, and spans
//! as much; only the payload differs. The header is sealed for its drive and its
//! position and carries the hash of the metadata; the payload has its own seal.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use crate::geometry::Spread;
use crate::wire::{Malformed, Reader, Writer};

pub(crate) const HEADER_LEN: u64 = 128;
/// Records begin at multiples of this.
pub(crate) const RECORD_ALIGN: u64 = 8;
/// The first record of a batch begins at a multiple of this: a torn write of one
/// batch cannot damage what an earlier one has acknowledged.
pub(crate) const BATCH_ALIGN: u64 = 4096;
/// The longest metadata.
pub(crate) const META_MAX: usize = 16 << 20;
/// The longest payload of one drive.
pub(crate) const PAYLOAD_MAX: usize = 512 << 10;

pub(crate) const MAGIC: [u8; 4] = *b"SLR1";

/// What is said of a record on one drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) set: u16,
    /// How the payload is spread.
    pub(crate) spread: Spread,
    /// The position of the drive in its set.
    pub(crate) drive: u8,
    /// The run of the engine that wrote it.
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    /// Everything up to this sequence was durable when this was written.
    pub(crate) stable: u64,
    pub(crate) position: u64,
    /// From this record to the next one.
    pub(crate) span: u32,
    /// What the payload takes on every drive, whether it is there or not.
    pub(crate) payload_room: u32,
    /// What this drive has of it, with its seal; 0 where it has nothing.
    pub(crate) payload_len: u32,
    pub(crate) blob: u128,
    pub(crate) meta_len: u32,
    pub(crate) meta_hash: u128,
}

fn header_seed(drive_id: u128, position: u64) -> u64 {
    let mut identity = [0; 24];
    identity[..16].copy_from_slice(&drive_id.to_le_bytes());
    identity[16..].copy_from_slice(&position.to_le_bytes());
    xxh3_64(&identity)
}

/// The hash of metadata at its position, the same on all drives.
pub(crate) fn meta_hash(position: u64, sequence: u64, meta: &[u8]) -> u128 {
    xxh3_128_with_seed(meta, position ^ sequence.rotate_left(32))
}

impl Header {
    pub(crate) fn encode(&self, drive_id: u128) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(HEADER_LEN as usize));
        out.0.extend_from_slice(&MAGIC);
        let geometry = self.spread.geometry();
        out.u8(geometry.data);
        out.u8(geometry.parity);
        out.u16(self.set);
        out.u8(self.drive);
        out.u8(u8::try_from(self.spread.drives()).expect("a set has at most 32 drives"));
        out.0.extend_from_slice(&[0; 2]);
        out.u32(self.span);
        out.u64(self.epoch);
        out.u64(self.sequence);
        out.u64(self.stable);
        out.u64(self.position);
        out.u32(self.payload_room);
        out.u32(self.payload_len);
        out.u128(self.blob);
        out.u32(self.meta_len);
        out.u32(0);
        out.u128(self.meta_hash);
        out.0.resize(HEADER_LEN as usize - 16, 0);
        let hash = xxh3_128_with_seed(&out.0, header_seed(drive_id, self.position));
        out.u128(hash);
        debug_assert_eq!(out.0.len() as u64, HEADER_LEN);
        out.0
    }

    /// The header at a position of a drive's log, if there is one.
    pub(crate) fn decode(bytes: &[u8], drive_id: u128, position: u64) -> Result<Self, Malformed> {
        let header = bytes.get(..HEADER_LEN as usize).ok_or(Malformed)?;
        let (content, hash) = header.split_last_chunk::<16>().ok_or(Malformed)?;
        if !content.starts_with(&MAGIC) {
            return Err(Malformed);
        }
        let expected = xxh3_128_with_seed(content, header_seed(drive_id, position));
        if u128::from_le_bytes(*hash) != expected {
            return Err(Malformed);
        }
        let mut input = Reader::new(content);
        input.take(MAGIC.len())?;
        let geometry = storage::Geometry {
            data: input.u8()?,
            parity: input.u8()?,
        };
        let set = input.u16()?;
        let drive = input.u8()?;
        let drives = usize::from(input.u8()?);
        let spread = Spread::within(geometry, drives).ok_or(Malformed)?;
        input.take(2)?;
        let span = input.u32()?;
        let epoch = input.u64()?;
        let sequence = input.u64()?;
        let stable = input.u64()?;
        let named_position = input.u64()?;
        let payload_room = input.u32()?;
        let payload_len = input.u32()?;
        let blob = input.u128()?;
        let meta_len = input.u32()?;
        input.u32()?;
        let meta_hash = input.u128()?;
        let taken = HEADER_LEN + u64::from(payload_room) + u64::from(meta_len);
        let sound = named_position == position
            && payload_len <= payload_room
            && payload_room as usize <= PAYLOAD_MAX
            && meta_len as usize <= META_MAX
            && taken <= u64::from(span)
            && u64::from(span) % RECORD_ALIGN == 0;
        if !sound {
            return Err(Malformed);
        }
        Ok(Self {
            set,
            spread,
            drive,
            epoch,
            sequence,
            stable,
            position,
            span,
            payload_room,
            payload_len,
            blob,
            meta_len,
            meta_hash,
        })
    }

    /// What a record with so much payload and metadata takes.
    pub(crate) fn span_for(payload_room: usize, meta_len: usize) -> u64 {
        (HEADER_LEN + payload_room as u64 + meta_len as u64).next_multiple_of(RECORD_ALIGN)
    }

    /// Where the metadata is, from the position.
    pub(crate) fn meta_offset(&self) -> u64 {
        HEADER_LEN + u64::from(self.payload_room)
    }

    pub(crate) fn end(&self) -> u64 {
        self.position + u64::from(self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let geometry = storage::Geometry { data: 4, parity: 2 };
        Header {
            set: 1,
            spread: Spread::within(geometry, 9).unwrap(),
            drive: 3,
            epoch: 4,
            sequence: 5,
            stable: 4,
            position: 4096,
            span: 4096,
            payload_room: 100,
            payload_len: 50,
            blob: 9,
            meta_len: 77,
            meta_hash: 12,
        }
    }

    #[test]
    fn a_header_is_read_back_only_on_its_drive_and_at_its_position() {
        let encoded = header().encode(7);
        assert_eq!(Header::decode(&encoded, 7, 4096), Ok(header()));
        assert!(Header::decode(&encoded, 8, 4096).is_err());
        assert!(Header::decode(&encoded, 7, 8192).is_err());
        assert!(Header::decode(&encoded[..127], 7, 4096).is_err());
    }

    #[test]
    fn no_flipped_bit_of_a_header_is_believed() {
        let encoded = header().encode(7);
        for bit in 0..encoded.len() * 8 {
            let mut damaged = encoded.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged, 7, 4096).is_err(), "bit {bit}");
        }
    }
}
