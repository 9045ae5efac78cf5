//! Turns the data of a stripe into cells and cells back into data. The matrix
//! of `reed-solomon-erasure` over GF(2^8) is the format on the drives.

use bytes::Bytes;
use reed_solomon_erasure::galois_8::ReedSolomon;

use crate::geometry::Spread;

#[derive(Debug)]
pub(crate) struct Codec {
    spread: Spread,
    /// Without parity there is nothing to compute.
    parity: Option<ReedSolomon>,
}

/// Fewer cells are there than restore the data, or they do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unrestorable;

impl Codec {
    pub(crate) fn new(spread: Spread) -> Self {
        let parity = (spread.m > 0).then(|| {
            ReedSolomon::new(spread.k, spread.m).expect("a checked geometry suits the codec")
        });
        Self { spread, parity }
    }

    /// How long each cell of so much data is.
    pub(crate) fn cell_len(&self, data_len: usize) -> usize {
        data_len.div_ceil(self.spread.k)
    }

    /// The data cells, the last ones padded with zeros, and the parity cells.
    /// Each one has room for `spare` bytes more.
    pub(crate) fn encode(&self, data: &[u8], spare: usize) -> Vec<Vec<u8>> {
        let cell_len = self.cell_len(data.len());
        let room = || Vec::with_capacity(cell_len + spare);
        let mut cells: Vec<Vec<u8>> = (0..self.spread.k)
            .map(|index| {
                let start = data.len().min(index * cell_len);
                let end = data.len().min(start + cell_len);
                let mut cell = room();
                cell.extend_from_slice(data.get(start..end).unwrap_or_default());
                cell.resize(cell_len, 0);
                cell
            })
            .collect();
        if let Some(codec) = &self.parity {
            let mut parity: Vec<Vec<u8>> = (0..self.spread.m)
                .map(|_| {
                    let mut cell = room();
                    cell.resize(cell_len, 0);
                    cell
                })
                .collect();
            if cell_len > 0 {
                codec
                    .encode_sep(&cells, &mut parity)
                    .expect("cells are as many and as long as the codec was made for");
            }
            cells.append(&mut parity);
        }
        cells
    }

    /// Fills in the data cells that are missing.
    pub(crate) fn restore(&self, cells: &mut [Option<Bytes>]) -> Result<(), Unrestorable> {
        let k = self.spread.k;
        if cells.iter().take(k).all(Option::is_some) {
            return Ok(());
        }
        let codec = self.parity.as_ref().ok_or(Unrestorable)?;
        let length = cells.iter().flatten().next().map_or(0, Bytes::len);
        let mut slots: Vec<(Vec<u8>, bool)> = cells
            .iter()
            .map(|cell| match cell {
                Some(cell) => (cell.to_vec(), true),
                None => (vec![0; length], false),
            })
            .collect();
        codec
            .reconstruct_data(&mut slots)
            .map_err(|_| Unrestorable)?;
        for (cell, (restored, _)) in cells.iter_mut().zip(slots).take(k) {
            if cell.is_none() {
                *cell = Some(restored.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use storage::Geometry;

    use super::*;

    fn codec(data: u8, parity: u8) -> Codec {
        Codec::new(Spread::new(Geometry { data, parity }).unwrap())
    }

    #[test]
    fn any_k_cells_restore_the_data() {
        let data: Vec<u8> = (0..1001_u32).map(|n| (n * 7 % 251) as u8).collect();
        let codec = codec(4, 2);
        let cells = codec.encode(&data, 16);
        assert_eq!(cells.len(), 6);
        for one in 0..6 {
            for other in 0..6 {
                let mut left: Vec<Option<Bytes>> =
                    cells.iter().map(|cell| Some(cell.clone().into())).collect();
                left[one] = None;
                left[other] = None;
                codec.restore(&mut left).unwrap();
                let restored: Vec<u8> = left[..4].iter().flatten().flatten().copied().collect();
                assert_eq!(restored[..data.len()], data);
            }
        }
    }

    #[test]
    fn fewer_than_k_cells_restore_nothing() {
        let codec = codec(2, 1);
        let mut cells = [Some(Bytes::from_static(b"ab")), None, None];
        assert_eq!(codec.restore(&mut cells), Err(Unrestorable));
    }

    /// These bytes are on drives: they never change.
    #[test]
    fn the_parity_of_archived_data_is_the_same_for_ever() {
        let data: Vec<u8> = (0..16).collect();
        let cells = codec(4, 2).encode(&data, 0);
        assert_eq!(cells[4], ARCHIVED[0]);
        assert_eq!(cells[5], ARCHIVED[1]);
    }

    const ARCHIVED: [[u8; 4]; 2] = [[16, 17, 18, 19], [20, 21, 22, 23]];
}
