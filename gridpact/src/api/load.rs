//! How much is asked at once: bounds that keep whoever asks from slowing down the validator beside.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// Requests read from disk at once.
const MAX_READING: usize = 16;
/// Of those, requests whose answers may be large.
const MAX_LARGE: usize = 2;
/// Streams open at once.
const MAX_STREAMS: usize = 64;

/// What is going on.
#[derive(Clone, Debug, Default)]
pub struct Load {
    reading: Arc<AtomicUsize>,
    large: Arc<AtomicUsize>,
    streams: Arc<AtomicUsize>,
}

/// A place taken, given back when dropped.
#[derive(Debug)]
pub struct Taken(Arc<AtomicUsize>);

impl Load {
    /// A place for one request; none where all are taken.
    pub fn reading(&self) -> Option<Taken> {
        take(&self.reading, MAX_READING)
    }

    /// A place for one request whose answer may be large; none where all are taken.
    pub fn large(&self) -> Option<Taken> {
        take(&self.large, MAX_LARGE)
    }

    /// A place for one stream; none where all are taken.
    pub fn stream(&self) -> Option<Taken> {
        take(&self.streams, MAX_STREAMS)
    }
}

fn take(count: &Arc<AtomicUsize>, most: usize) -> Option<Taken> {
    let add = |taken: usize| (taken < most).then_some(taken + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
    Some(Taken(count.clone()))
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let load = Load::default();
        let taken: Vec<Taken> = (0..MAX_STREAMS).filter_map(|_| load.stream()).collect();
        assert_eq!(taken.len(), MAX_STREAMS);
        assert!(load.stream().is_none() && load.reading().is_some());
        drop(taken);
        assert!(load.stream().is_some());
        let taken: Vec<Taken> = (0..9).filter_map(|_| load.large()).collect();
        assert_eq!(taken.len(), MAX_LARGE);
    }
}
