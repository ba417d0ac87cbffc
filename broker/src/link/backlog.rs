//! What waits for the role to take it, by the connection that brought it: each has its own room and its
//! turn, so that one that brings too much makes no other wait. Pure.

use super::LinkEvent;
use std::collections::VecDeque;

/// Events that wait.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Of the link itself: answers, expiries, connections. They come first.
    own: VecDeque<LinkEvent>,
    /// Messages, by connection.
    messages: Vec<VecDeque<LinkEvent>>,
    turn: usize,
    room: usize,
}

impl Backlog {
    /// Room for so many messages of each of so many connections.
    pub fn new(connections: usize, room: usize) -> Self {
        let messages = (0..connections).map(|_| VecDeque::new()).collect();
        Self { own: VecDeque::new(), messages, turn: 0, room }
    }

    /// An event of the link itself.
    pub fn push(&mut self, event: LinkEvent) {
        self.own.push_back(event);
    }

    /// Whether another message of this connection may wait.
    pub fn has_room(&self, at: usize) -> bool {
        self.messages.get(at).is_some_and(|waiting| waiting.len() < self.room)
    }

    /// A message of a connection that has room.
    pub fn push_message(&mut self, at: usize, event: LinkEvent) {
        if let Some(waiting) = self.messages.get_mut(at) {
            waiting.push_back(event);
        }
    }

    /// What is taken next.
    pub fn pop(&mut self) -> Option<LinkEvent> {
        if let Some(event) = self.own.pop_front() {
            return Some(event);
        }
        let count = self.messages.len();
        let next = (self.turn..self.turn + count)
            .map(|place| place % count)
            .find(|place| !self.messages[*place].is_empty())?;
        self.turn = next + 1;
        self.messages[next].pop_front()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.messages.iter().all(VecDeque::is_empty)
    }

    /// Forgets all: nobody takes it any more.
    pub fn clear(&mut self) {
        self.own.clear();
        self.messages.iter_mut().for_each(VecDeque::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(tag: u64) -> LinkEvent {
        LinkEvent::Expired { tag, unanswered: Vec::new() }
    }

    #[test]
    fn connections_take_turns_and_each_has_its_own_room() {
        let mut backlog = Backlog::new(3, 2);
        for (at, tag) in [(0, 1), (0, 2), (2, 3), (2, 4)] {
            assert!(backlog.has_room(at));
            backlog.push_message(at, event(tag));
        }
        assert!(!backlog.has_room(0) && backlog.has_room(1));
        backlog.push(event(9));
        let taken: Vec<LinkEvent> = std::iter::from_fn(|| backlog.pop()).collect();
        assert_eq!(taken, [9, 1, 3, 2, 4].map(event));
        assert!(backlog.is_empty() && backlog.has_room(0));
    }
}
