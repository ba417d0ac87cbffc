//! Messages on their way to one client that it has not acknowledged. Pure.

use super::packet::Delivery;
use bytes::Bytes;
use std::collections::VecDeque;

/// The unacknowledged, oldest first; bounded by the caller.
#[derive(Debug, Default)]
pub struct Window {
    unacknowledged: VecDeque<Unacknowledged>,
    last_id: u16,
    /// How many at the front are still to be sent again.
    to_repeat: usize,
}

#[derive(Debug)]
struct Unacknowledged {
    id: u16,
    topic: Bytes,
    payload: Bytes,
    retain: bool,
}

impl Window {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.unacknowledged.len()
    }

    /// How many bytes they hold.
    pub fn bytes(&self) -> usize {
        self.unacknowledged.iter().map(|waiting| waiting.topic.len() + waiting.payload.len()).sum()
    }

    /// A message to be sent and waited for, under an id that none of the others has.
    pub fn send(&mut self, topic: Bytes, payload: Bytes, retain: bool) -> Delivery {
        let id = self.free_id();
        let (t, p) = (topic.clone(), payload.clone());
        self.unacknowledged.push_back(Unacknowledged { id, topic: t, payload: p, retain });
        Delivery { topic, payload, retain, id: Some(id), again: false }
    }

    /// The client has it. An id that is not waited for says nothing.
    pub fn acknowledged(&mut self, id: u16) {
        // Nearly always the oldest.
        if let Some(place) = self.unacknowledged.iter().position(|waiting| waiting.id == id) {
            self.unacknowledged.remove(place);
            self.to_repeat -= usize::from(place < self.to_repeat);
        }
    }

    /// Another connection goes on where the last one broke: all are to be sent again.
    pub fn resume(&mut self) {
        self.to_repeat = self.unacknowledged.len();
    }

    /// The next that is to be sent again.
    pub fn again(&mut self) -> Option<Delivery> {
        let first = self.to_repeat.checked_sub(1)?;
        self.to_repeat = first;
        // From the front: repeated ones go to the back, where what is sent for the first time will follow.
        let waiting = self.unacknowledged.pop_front()?;
        let Unacknowledged { id, topic, payload, retain } = &waiting;
        let delivery = Delivery {
            topic: topic.clone(),
            payload: payload.clone(),
            retain: *retain,
            id: Some(*id),
            again: true,
        };
        self.unacknowledged.push_back(waiting);
        Some(delivery)
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.unacknowledged.iter().all(|waiting| waiting.id != self.last_id) {
                return self.last_id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(window: &mut Window) -> u16 {
        window.send(Bytes::from_static(b"t"), Bytes::new(), false).id.unwrap()
    }

    fn repeated(window: &mut Window) -> Vec<u16> {
        std::iter::from_fn(|| window.again()).filter_map(|delivery| delivery.id).collect()
    }

    #[test]
    fn ids_are_never_zero_nor_given_twice_at_a_time() {
        let mut window = Window { last_id: u16::MAX - 1, ..Window::default() };
        assert_eq!([send(&mut window), send(&mut window)], [u16::MAX, 1]);
        window.last_id = u16::MAX;
        assert_eq!(send(&mut window), 2);
    }

    #[test]
    fn what_was_not_acknowledged_is_repeated_once_in_order() {
        let mut window = Window::default();
        let ids: Vec<u16> = (0..4).map(|_| send(&mut window)).collect();
        window.acknowledged(ids[1]);
        window.acknowledged(9_999);
        assert_eq!(repeated(&mut window), [] as [u16; 0]);
        window.resume();
        assert_eq!(window.again().and_then(|delivery| delivery.id), Some(ids[0]));
        window.acknowledged(ids[2]);
        window.acknowledged(ids[0]);
        assert_eq!(repeated(&mut window), [ids[3]]);
        assert_eq!(window.len(), 1);
    }
}
