//! Room for bytes that are still to come, so that what cannot fit is refused
//! before it is sent, and writers at the same time do not count on the same room.
//!
//! It is a promise among those who ask: what is written is checked once more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::name::{ObjectKey, PartNumber, UploadId};
use crate::record::Bucket;

/// What bytes are to become, and so in the place of what they come.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    Object(&'a ObjectKey),
    Part(&'a ObjectKey, UploadId, PartNumber),
}

/// What is promised, by the ids of the buckets.
#[derive(Debug, Default)]
pub struct Promised(Mutex<BTreeMap<u128, u64>>);

/// Room in a bucket, until it is dropped.
#[derive(Debug)]
#[must_use = "room is only kept for as long as this is"]
pub struct Room {
    promised: Arc<Promised>,
    bucket: u128,
    bytes: u64,
}

impl Promised {
    /// Room for bytes that come in the place of others, where a bucket has so
    /// many in use.
    pub fn reserve(
        self: &Arc<Self>,
        bucket: &Bucket,
        used: u64,
        coming: u64,
        going: u64,
    ) -> Result<Room> {
        let bytes = coming.saturating_sub(going);
        let mut promised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = bucket.placement.quota.filter(|_| bytes > 0) {
            let others = promised.get(&bucket.id).copied().unwrap_or_default();
            let all = used.saturating_add(others).saturating_add(bytes);
            if all > limit {
                return Err(Error::QuotaExceeded { limit });
            }
            promised.insert(bucket.id, others.saturating_add(bytes));
        }
        Ok(Room {
            promised: self.clone(),
            bucket: bucket.id,
            bytes,
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut promised = self
            .promised
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = promised.get_mut(&self.bucket) {
            *bytes = bytes.saturating_sub(self.bytes);
            if *bytes == 0 {
                promised.remove(&self.bucket);
            }
        }
    }
}
