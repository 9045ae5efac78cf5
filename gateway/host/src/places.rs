//! Places of which there is a fixed number: inside a plugin, and in the pool for
//! instances that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
pub(crate) struct Places {
    taken: AtomicU32,
    max: u32,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Places {
    pub(crate) fn new(max: u32) -> Arc<Self> {
        let taken = AtomicU32::new(0);
        Arc::new(Self { taken, max })
    }

    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        // It is given back also when it is refused right here.
        let place = Place(self.clone());
        (before < self.max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
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
}
