//! The drives of a set together, and what all parts of the engine share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use storage::{DriveState, DriveStatus, Error, Geometry, Result, Traffic};

use crate::codec::Codec;
use crate::disk::{CellRef, Disk};
use crate::drive::FileId;
use crate::geometry::{DriveMask, Spread};

/// More notes are dropped: a scrub finds what they would have said.
const REPAIRS_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) number: u16,
    /// By which the records are kept, and data where its bucket says nothing else.
    pub(crate) spread: Spread,
    /// Those that were used, by spread.
    codecs: Mutex<BTreeMap<Spread, Arc<Codec>>>,
    /// By position; `None` where the drive is missing.
    pub(crate) disks: Vec<Option<Arc<Disk>>>,
    pub(crate) names: Vec<String>,
    /// A write was not confirmed by enough drives: what the index says may be
    /// less than what a restart finds, so that nothing may be decided on it.
    broken: AtomicBool,
    /// Cells that could not be read or were damaged, by place; bounded.
    repairs: Mutex<BTreeMap<Vec<u8>, DriveMask>>,
    id_base: u128,
    id_next: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
}

impl Set {
    pub(crate) fn new(
        number: u16,
        spread: Spread,
        disks: Vec<Option<Arc<Disk>>>,
        names: Vec<String>,
        id_base: u128,
    ) -> Self {
        Self {
            number,
            spread,
            codecs: Mutex::default(),
            disks,
            names,
            broken: AtomicBool::new(false),
            repairs: Mutex::default(),
            id_base,
            id_next: AtomicU64::new(0),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
        }
    }

    /// How the data of a bucket with this geometry is spread here.
    pub(crate) fn spread_of(&self, geometry: Geometry) -> Result<Spread> {
        let drives = self.spread.drives();
        Spread::within(geometry, drives).ok_or(Error::GeometryUnsupported { geometry, drives })
    }

    pub(crate) fn codec(&self, spread: Spread) -> Arc<Codec> {
        let mut codecs = self.codecs.lock().unwrap_or_else(PoisonError::into_inner);
        let codec = codecs.entry(spread);
        codec
            .or_insert_with(|| Arc::new(Codec::new(spread)))
            .clone()
    }

    /// A name for bytes whose shards fall on drives that can be written, where
    /// there are enough of them.
    pub(crate) fn next_blob(&self, spread: Spread) -> u128 {
        let writable = self.writable_mask();
        let missing = |blob: &u128| spread.holders(*blob).without(writable).count();
        let blob = self.next_id();
        let others = (1..spread.drives()).map(|_| self.next_id());
        let best = |one: u128, other: u128| match missing(&other) < missing(&one) {
            true => other,
            false => one,
        };
        match missing(&blob) {
            0 => blob,
            _ => others.fold(blob, best),
        }
    }

    pub(crate) fn count_read(&self, length: usize) {
        self.read.fetch_add(length as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_written(&self, length: usize) {
        self.written.fetch_add(length as u64, Ordering::Relaxed);
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            read: self.read.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
        }
    }

    /// A name that nothing else ever has.
    pub(crate) fn next_id(&self) -> u128 {
        let next = self.id_next.fetch_add(1, Ordering::Relaxed);
        self.id_base.wrapping_add(u128::from(next))
    }

    /// Remembers that a cell on a drive must be repaired.
    pub(crate) fn note_repair(&self, cell: &CellRef, drive: usize) {
        let mut name = vec![0xff];
        name.extend_from_slice(&cell.blob.to_be_bytes());
        let (kind, segment) = match cell.file {
            FileId::Log(segment) => (0, segment),
            FileId::Bulk(segment) => (1, segment),
        };
        name.push(kind);
        name.extend_from_slice(&segment.to_be_bytes());
        name.extend_from_slice(&cell.offset.to_be_bytes());
        let mut repairs = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        if repairs.len() < REPAIRS_MAX {
            repairs.entry(name).or_default().insert(drive);
        }
    }

    /// What was noted since the last call.
    pub(crate) fn take_repairs(&self) -> BTreeMap<Vec<u8>, DriveMask> {
        std::mem::take(&mut self.repairs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The drives that can be written.
    pub(crate) fn writable_disks(&self) -> impl Iterator<Item = &Arc<Disk>> {
        self.disks.iter().flatten().filter(|disk| !disk.fenced())
    }

    pub(crate) fn writable_mask(&self) -> DriveMask {
        let mut mask = DriveMask::default();
        for disk in self.writable_disks() {
            mask.insert(disk.position);
        }
        mask
    }

    pub(crate) fn break_off(&self) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "a write was not confirmed by enough drives; no more is accepted until a restart"
            );
        }
    }

    pub(crate) fn broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        let have = self.writable_disks().count();
        let need = self.spread.write_quorum();
        if have < need || self.broken() {
            return Err(Error::WriteQuorumLost { have, need });
        }
        Ok(())
    }

    pub(crate) fn statuses(&self) -> Vec<DriveStatus> {
        self.disks
            .iter()
            .zip(&self.names)
            .map(|(disk, name)| DriveStatus {
                name: name.clone(),
                state: match disk {
                    Some(disk) if disk.fenced() => DriveState::Fenced,
                    Some(_) => DriveState::Online,
                    None => DriveState::Missing,
                },
            })
            .collect()
    }
}
