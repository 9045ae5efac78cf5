//! Places of which there is a fixed number: inside a plugin, in the pool of
//! instances, and among those of them that wait. In the pool, an instance takes
//! a place for each of its memories.
//!
//! Of the pool, each plugin has a few places for itself and shares the others.
//! So one that takes all it can get never leaves another without any.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
pub(crate) struct Places {
    taken: AtomicU32,
    max: AtomicU32,
}

/// One or more places that are taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Places>,
    count: u32,
}

impl Places {
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicU32::new(0),
            max: AtomicU32::new(max),
        })
    }

    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        self.take_many(1)
    }

    /// Takes so many at once, or none.
    fn take_many(self: &Arc<Self>, count: u32) -> Option<Place> {
        let before = self.taken.fetch_add(count, Ordering::Relaxed);
        // They are given back also when they are refused right here.
        let of = self.clone();
        let place = Place { of, count };
        let is_free = before.saturating_add(count) <= self.max.load(Ordering::Relaxed);
        is_free.then_some(place)
    }

    /// Takes so many out of use, unless fewer than `left_min` would be left.
    fn shrink(&self, by: u32, left_min: u32) -> bool {
        let smaller = |max: u32| max.checked_sub(by).filter(|left| *left >= left_min);
        let order = Ordering::Relaxed;
        self.max.fetch_update(order, order, smaller).is_ok()
    }

    fn grow(&self, by: u32) {
        self.max.fetch_add(by, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// The places for instances of all plugins.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Places>,
    /// How many each plugin has for itself.
    own: u32,
    /// What is not given to single ones.
    shared_min: u32,
}

/// A plugin has this part of the pool for itself,
const OWN_SHARE: u32 = 64;
/// as long as no more than this part of it is given away like that.
const SHARED_SHARE: u32 = 2;

impl Pool {
    pub(crate) fn new(instances_max: u32) -> Arc<Self> {
        Arc::new(Self {
            shared: Places::new(instances_max),
            own: instances_max / OWN_SHARE,
            shared_min: instances_max / SHARED_SHARE,
        })
    }

    /// The share of a plugin that never has more than `most` instances at once, each
    /// of which takes so many places.
    pub(crate) fn share(self: &Arc<Self>, most: u32, each: u32) -> Share {
        let own = (self.own / each.max(1)).min(most).saturating_mul(each);
        let is_given = self.shared.shrink(own, self.shared_min);
        Share {
            pool: self.clone(),
            own: if is_given { own } else { 0 },
            each,
            places: Places::new(if is_given { own } else { 0 }),
        }
    }
}

/// What a plugin can have of the pool.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Arc<Pool>,
    own: u32,
    /// What one instance takes.
    each: u32,
    places: Arc<Places>,
}

impl Share {
    /// The places of one instance.
    pub(crate) fn take(&self) -> Option<Place> {
        let own = self.places.take_many(self.each);
        own.or_else(|| self.pool.shared.take_many(self.each))
    }
}

impl Drop for Share {
    /// All instances of a plugin are gone before it is.
    fn drop(&mut self) {
        self.pool.shared.grow(self.own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_taken_than_there_are_until_one_is_given_back() {
        for max in [0, 1, 3] {
            let places = Places::new(max);
            for _ in 0..2 {
                let taken: Vec<_> = (0..max).map(|_| places.take()).collect();
                assert!(taken.iter().all(Option::is_some));
                assert!(places.take().is_none());
                assert!(places.take().is_none());
                assert_eq!(places.taken(), max);
            }
            assert_eq!(places.taken(), 0);
        }
    }

    /// How many places a plugin gets while it holds all of them.
    fn fill(share: &Share) -> Vec<Place> {
        std::iter::from_fn(|| share.take()).collect()
    }

    #[test]
    fn a_plugin_that_takes_all_it_can_get_leaves_the_others_their_own() {
        let pool = Pool::new(128);
        let (greedy, other, small) = (pool.share(256, 1), pool.share(256, 1), pool.share(1, 1));
        let held = fill(&greedy);
        assert_eq!(held.len(), 128 - 2 - 1);
        assert_eq!(fill(&other).len(), 2);
        assert_eq!(fill(&small).len(), 1);
        drop(held);
        assert_eq!(fill(&other).len(), 128 - 2 - 1);
        // What a plugin had for itself is there for all when it is gone.
        drop((greedy, small));
        assert_eq!(fill(&other).len(), 128);
    }

    #[test]
    fn half_of_the_pool_is_never_given_to_single_plugins() {
        let pool = Pool::new(128);
        let shares: Vec<_> = (0..100).map(|_| pool.share(256, 1)).collect();
        let own = shares.iter().filter(|share| share.own > 0).count();
        assert_eq!(own, 32);
        assert_eq!(fill(&shares[99]).len(), 64);
        drop(shares);
        assert_eq!(fill(&pool.share(0, 1)).len(), 128);
        // A small pool has nothing to give away.
        let small = Pool::new(8);
        let (one, _two) = (small.share(256, 1), small.share(256, 1));
        assert_eq!(fill(&one).len(), 8);
    }

    #[test]
    fn an_instance_takes_as_many_places_as_it_has_memories() {
        let pool = Pool::new(256);
        for (each, count) in [(1, 256), (2, 128), (3, 85), (4, 64)] {
            let held = fill(&pool.share(1000, each));
            assert_eq!(held.len(), count, "{each} each");
        }
        // Its own places are for whole instances.
        assert_eq!(pool.share(1000, 3).own, 3);
        assert_eq!(pool.share(1000, 8).own, 0);
        assert_eq!(pool.share(1, 2).own, 2);
    }
}
