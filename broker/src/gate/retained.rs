//! Messages kept for later subscribers. rumqttd would keep them without bound, drop one for an empty message
//! that was not to be kept, and hand out at most 100 or 200 to a subscriber. Pure.

use super::packet::{Message, Qos};
use super::topic::{common_start, matches};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What is kept, by topic.
#[derive(Debug)]
pub struct Retained {
    topics: BTreeMap<String, Kept>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
    /// Counts messages that were to be kept.
    stamp: u64,
}

#[derive(Debug)]
struct Kept {
    payload: Bytes,
    qos: Qos,
    stamp: u64,
}

/// A subscriber's way through what was kept when it subscribed. It holds no messages itself. What was
/// replaced since comes to the subscriber by its subscription.
#[derive(Debug)]
pub struct Recall {
    filter: String,
    /// QoS granted.
    qos: Qos,
    /// What is newer is passed over.
    until: u64,
    after: Option<String>,
}

impl Recall {
    /// Whether it is for this filter.
    pub fn is_for(&self, filter: &str) -> bool {
        self.filter == filter
    }
}

impl Retained {
    /// Nothing kept yet; never more than so many messages, or so many bytes of them.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Self { topics: BTreeMap::new(), bytes: 0, most, most_bytes, stamp: 0 }
    }

    /// Keeps a message instead of what was kept on its topic; an empty one removes that. False where there
    /// is no room: then nothing is kept on the topic.
    pub fn keep(&mut self, message: &Message) -> bool {
        self.stamp += 1;
        if let Some(before) = self.topics.remove(&message.topic) {
            self.bytes -= size(&message.topic, &before.payload);
        }
        if message.payload.is_empty() {
            return true;
        }
        let bytes = self.bytes + size(&message.topic, &message.payload);
        let room = self.topics.len() < self.most && bytes <= self.most_bytes;
        if room {
            let kept = Kept { payload: message.payload.clone(), qos: message.qos, stamp: self.stamp };
            self.topics.insert(message.topic.clone(), kept);
            self.bytes = bytes;
        }
        room
    }

    /// What a subscriber that subscribes now is to get.
    pub fn recall(&self, filter: String, qos: Qos) -> Recall {
        Recall { filter, qos, until: self.stamp, after: None }
    }

    /// The next message of it, with the lower of both QoS; none at its end.
    pub fn next(&self, recall: &mut Recall) -> Option<(&str, Bytes, Qos)> {
        let start = common_start(&recall.filter);
        let from = match &recall.after {
            Some(topic) => Bound::Excluded(topic.as_str()),
            None => Bound::Included(start),
        };
        let (topic, kept) = self
            .topics
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(topic, _)| topic.starts_with(start))
            .find(|(topic, kept)| kept.stamp <= recall.until && matches(&recall.filter, topic))?;
        recall.after = Some(topic.clone());
        Some((topic, kept.payload.clone(), kept.qos.min(recall.qos)))
    }
}

fn size(topic: &str, payload: &Bytes) -> usize {
    topic.len() + payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &'static str) -> Message {
        let payload = Bytes::from_static(payload.as_bytes());
        Message { topic: topic.to_owned(), payload, qos: Qos::AtLeastOnce, retain: true }
    }

    fn recalled(retained: &Retained, mut recall: Recall) -> Vec<String> {
        let mut found = Vec::new();
        while let Some((topic, payload, _)) = retained.next(&mut recall) {
            found.push(format!("{topic}={}", String::from_utf8_lossy(&payload)));
        }
        found
    }

    fn check(filter: &str, expected: &[&str]) {
        let mut retained = Retained::new(10, 100);
        for (topic, payload) in
            [("a", "1"), ("a/b", "2"), ("a/b", "3"), ("a/b/c", "4"), ("ab", "5"), ("z", "6"), ("z", "")]
        {
            assert!(retained.keep(&message(topic, payload)));
        }
        assert_eq!(recalled(&retained, retained.recall(filter.to_owned(), Qos::AtMostOnce)), expected);
    }

    #[test]
    fn a_subscriber_gets_what_matches_and_is_newest() {
        check("a/#", &["a=1", "a/b=3", "a/b/c=4"]);
        check("a", &["a=1"]);
        check("+/b", &["a/b=3"]);
        check("#", &["a=1", "a/b=3", "a/b/c=4", "ab=5"]);
        check("z", &[]);
    }

    #[test]
    fn what_is_published_after_subscribing_is_left_to_the_subscription() {
        let mut retained = Retained::new(10, 100);
        retained.keep(&message("a", "1"));
        retained.keep(&message("b", "1"));
        let recall = retained.recall("#".to_owned(), Qos::AtMostOnce);
        retained.keep(&message("b", "2"));
        retained.keep(&message("c", "1"));
        assert_eq!(recalled(&retained, recall), ["a=1"]);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut retained = Retained::new(2, 8);
        assert!(retained.keep(&message("a", "1")));
        assert!(!retained.keep(&message("b", "12345678")));
        assert!(retained.keep(&message("b", "1")));
        assert!(!retained.keep(&message("c", "1")));
        assert!(retained.keep(&message("a", "")) && retained.keep(&message("b", "")));
        assert_eq!((retained.bytes, retained.topics.len()), (0, 0));
    }
}
