//! The memory for bodies that are read whole, of all requests together.
//!
//! It is taken while bytes arrive, so what is announced and never sent keeps
//! nothing from others. And whoever nobody has allowed anything yet takes it from
//! a pool of its own: what anybody can fill must not be what the rest waits for.

use std::sync::Arc;

use bytes::Bytes;
use host::Principal;
use s3::{Code, Operation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Result;

const ALLOWED_KIB_MAX: usize = 32 * 1024;
const UNDECIDED_KIB_MAX: usize = 16 * 1024;
const ANONYMOUS_KIB_MAX: usize = 16 * 1024;

/// What a body takes at first, in bytes: most are no longer.
const STEP_LEN: usize = 16 * 1024;

/// Whose body it is, and so what it may crowd out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Of an account that may do what it asks for.
    Allowed,
    /// Of an account, and the body itself says what is asked for.
    Undecided,
    /// Of nobody known, whatever they may.
    Anonymous,
}

impl Share {
    pub(crate) fn of(principal: &Principal, operation: Operation) -> Self {
        match (principal, operation) {
            (Principal::Anonymous, _) => Self::Anonymous,
            (Principal::Account(_), Operation::DeleteObjects) => Self::Undecided,
            (Principal::Account(_), _) => Self::Allowed,
        }
    }
}

/// In KiB.
#[derive(Debug)]
pub(crate) struct Buffers {
    allowed: Arc<Semaphore>,
    undecided: Arc<Semaphore>,
    anonymous: Arc<Semaphore>,
}

impl Default for Buffers {
    fn default() -> Self {
        let pool = |kib_max| Arc::new(Semaphore::new(kib_max));
        Self {
            allowed: pool(ALLOWED_KIB_MAX),
            undecided: pool(UNDECIDED_KIB_MAX),
            anonymous: pool(ANONYMOUS_KIB_MAX),
        }
    }
}

impl Buffers {
    /// A body of at most so many bytes, none of which has come.
    pub(super) fn begin(&self, share: Share, len_max: usize) -> Whole {
        let pool = match share {
            Share::Allowed => &self.allowed,
            Share::Undecided => &self.undecided,
            Share::Anonymous => &self.anonymous,
        };
        Whole {
            bytes: Vec::new(),
            len_max,
            pool: Arc::clone(pool),
            taken: None,
        }
    }
}

/// A body while it is read. It never has more than it has taken from its pool.
#[derive(Debug)]
pub(super) struct Whole {
    bytes: Vec<u8>,
    len_max: usize,
    pool: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Whole {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let len = self.bytes.len().saturating_add(bytes.len());
        if len > self.len_max {
            return Err(s3::Error::new(Code::MaxMessageLengthExceeded)
                .with("MaxMessageLengthBytes", self.len_max.to_string())
                .into());
        }
        if len > self.bytes.capacity() {
            self.grow(len)?;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes twice as much as before, so that a long body is seldom copied.
    fn grow(&mut self, len: usize) -> Result<()> {
        let doubled = self.bytes.capacity().saturating_mul(2);
        let capacity = len.max(doubled).max(STEP_LEN).min(self.len_max);
        let taken = self.taken.as_ref().map_or(0, |taken| taken.num_permits());
        let kib = capacity.div_ceil(1024).saturating_sub(taken);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.pool).try_acquire_many_owned(kib);
        let more = more.map_err(|_| Code::SlowDown)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    /// The body, and what it has taken.
    pub(super) fn end(self) -> (Bytes, Option<OwnedSemaphorePermit>) {
        (self.bytes.into(), self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    /// How many bodies of this length there is room for.
    fn fill(buffers: &Buffers, share: Share, len: usize) -> Vec<Whole> {
        let mut all = Vec::new();
        loop {
            let mut whole = buffers.begin(share, 8 * MIB);
            if whole.push(&vec![0; len]).is_err() {
                return all;
            }
            all.push(whole);
        }
    }

    #[test]
    fn nobody_fills_the_memory_that_others_need() {
        use Share::{Allowed, Anonymous, Undecided};
        for (share, room) in [(Allowed, 4), (Undecided, 2), (Anonymous, 2)] {
            let buffers = Buffers::default();
            let held = fill(&buffers, share, 8 * MIB);
            assert_eq!(held.len(), room, "{share:?}");
            for other in [Allowed, Undecided, Anonymous] {
                let got = buffers.begin(other, MIB).push(b"x");
                assert_eq!(got.is_ok(), other != share, "{other:?} beside {share:?}");
            }
            drop(held);
            buffers.begin(share, MIB).push(b"x").unwrap();
        }
    }

    #[test]
    fn memory_is_taken_as_bytes_arrive_and_no_more_than_a_body_may_have() {
        let buffers = Buffers::default();
        let mut whole = buffers.begin(Share::Anonymous, MIB);
        for (len, taken_kib) in [
            (0, 0),
            (1, 16),
            (16 * 1024 - 1, 16),
            (1, 32),
            (100 * 1024, 117),
            (908 * 1024 - 1, 1024),
        ] {
            whole.push(&vec![0; len]).unwrap();
            let left = buffers.anonymous.available_permits();
            assert_eq!(ANONYMOUS_KIB_MAX - left, taken_kib, "{len} bytes more");
            assert!(whole.bytes.capacity() <= taken_kib * 1024);
        }
        let too_long = whole.push(&[0]).unwrap_err();
        assert_eq!(too_long.answer.code(), Some(Code::MaxMessageLengthExceeded));
        let (bytes, taken) = whole.end();
        assert_eq!(bytes.len(), MIB);
        drop(taken);
        assert_eq!(buffers.anonymous.available_permits(), ANONYMOUS_KIB_MAX);
    }

    #[test]
    fn who_asks_for_what_says_which_memory_is_used() {
        let account = Principal::Account(Arc::new(host::Account {
            id: "id".into(),
            display_name: String::new(),
            email: None,
            roles: Vec::new(),
        }));
        for (principal, operation, expected) in [
            (&account, Operation::PutObjectAcl, Share::Allowed),
            (&account, Operation::DeleteObjects, Share::Undecided),
            (
                &Principal::Anonymous,
                Operation::DeleteObjects,
                Share::Anonymous,
            ),
            (
                &Principal::Anonymous,
                Operation::PutObjectAcl,
                Share::Anonymous,
            ),
        ] {
            assert_eq!(Share::of(principal, operation), expected);
        }
    }
}
