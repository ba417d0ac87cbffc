//! What came in: each message is delivered once, and a repetition is answered with the verdict
//! given first. Pure: no clock, no socket; signatures and freshness were checked before.

use crate::kept::Record;
use std::collections::{BTreeMap, VecDeque};
use wire::message::{MessageRef, Verdict};
use wire::party::PartyId;
use wire::replay::{ReplayWindow, Seen};
use wire::Interval;

/// The parts of a message that answering it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its name.
    pub id: MessageRef,
    /// Key epoch it was signed in.
    pub epoch: u32,
    /// The interval it is about.
    pub interval: Interval,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Whether it may ever be answered; clock ticks and answers themselves are not.
    pub answerable: bool,
    /// Which of the link's connections brought it.
    pub via: usize,
}

/// What to do with a message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// New: deliver it.
    Deliver,
    /// A repetition that was answered: send the same answer again.
    AnswerAgain(Answer),
    /// A repetition that is not answered yet, or whose answer is forgotten.
    Known,
    /// Too old to tell from a replay.
    Replayed,
}

/// An answer to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which message.
    pub of: MessageRef,
    /// The interval it was about.
    pub interval: Interval,
    /// When the message answered expires, in milliseconds since 1970.
    pub expires_ms: u64,
    /// What became of it.
    pub verdict: Verdict,
    /// Which connection brought the message: who asked there listens there.
    pub via: usize,
}

#[derive(Debug)]
struct Remembered {
    epoch: u32,
    interval: Interval,
    expires_ms: u64,
    verdict: Option<Verdict>,
    via: usize,
}

/// What was seen of every sender, and the answers to the last messages.
#[derive(Debug)]
pub struct Inbox {
    /// By key, too: who holds one that its owner has rotated away can say that any boot or sequence was reached, and
    /// must not shut the owner's new key out by that.
    seen: BTreeMap<(PartyId, u32), ReplayWindow>,
    remembered: BTreeMap<MessageRef, Remembered>,
    /// In order of arrival, oldest first.
    order: VecDeque<MessageRef>,
    capacity: usize,
}

impl Inbox {
    /// An inbox that remembers the answers to the last `capacity` messages.
    pub fn new(capacity: usize) -> Self {
        Self { seen: BTreeMap::new(), remembered: BTreeMap::new(), order: VecDeque::new(), capacity }
    }

    /// Takes in one message. Its sender must be a verified one: memory is kept for each.
    pub fn arrive(&mut self, arrival: Arrival) -> Reception {
        let Arrival { id, epoch, interval, expires_ms, answerable, via } = arrival;
        let window = self.seen.entry((id.sender.clone(), epoch)).or_default();
        match window.observe(id.boot, id.sequence) {
            Seen::New => {
                if answerable {
                    self.remember(id, Remembered { epoch, interval, expires_ms, verdict: None, via });
                }
                Reception::Deliver
            }
            Seen::Duplicate => self.again(&id, via),
            Seen::Replayed => Reception::Replayed,
        }
    }

    /// Takes in a message that is known to have been taken in before.
    pub fn again(&self, id: &MessageRef, via: usize) -> Reception {
        let answer = self.answer_of(id).map(|answer| Answer { via, ..answer });
        answer.map_or(Reception::Known, Reception::AnswerAgain)
    }

    /// Takes the verdict on a message delivered. Only the first one counts; none comes back for a
    /// message that is not remembered or has its verdict.
    pub fn answer(&mut self, of: &MessageRef, verdict: Verdict) -> Option<Answer> {
        let remembered = self.remembered.get_mut(of)?;
        if remembered.verdict.is_some() {
            return None;
        }
        remembered.verdict = Some(verdict);
        self.answer_of(of)
    }

    /// This verdict on a message delivered that has none yet, as it is kept; nothing of any other.
    pub fn unanswered(&self, of: &MessageRef, verdict: &Verdict) -> Option<Record> {
        let Remembered { epoch, interval, expires_ms, .. } = *self.without_verdict(of)?;
        Some(Record { of: of.clone(), epoch, interval, expires_ms, verdict: verdict.clone() })
    }

    fn without_verdict(&self, of: &MessageRef) -> Option<&Remembered> {
        self.remembered.get(of).filter(|remembered| remembered.verdict.is_none())
    }

    /// Takes in what was answered before a restart, in the order it was.
    pub fn restore(&mut self, record: Record) {
        let Record { of, epoch, interval, expires_ms, verdict } = record;
        let window = self.seen.entry((of.sender.clone(), epoch)).or_default();
        if window.observe(of.boot, of.sequence) == Seen::New {
            self.remember(of, Remembered { epoch, interval, expires_ms, verdict: Some(verdict), via: 0 });
        }
    }

    fn answer_of(&self, of: &MessageRef) -> Option<Answer> {
        let Remembered { interval, expires_ms, verdict, via, .. } = self.remembered.get(of)?;
        let verdict = verdict.clone()?;
        Some(Answer { of: of.clone(), interval: *interval, expires_ms: *expires_ms, verdict, via: *via })
    }

    fn remember(&mut self, id: MessageRef, remembered: Remembered) {
        if self.order.len() >= self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.remembered.remove(&oldest);
            }
        }
        self.order.push_back(id.clone());
        self.remembered.insert(id, remembered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::party::Role;

    fn id(boot: u64, sequence: u64) -> MessageRef {
        MessageRef { sender: PartyId::new(Role::Site, "s1".parse().unwrap()), boot, sequence }
    }

    fn arrival(boot: u64, sequence: u64) -> Arrival {
        let (interval, expires_ms) = (Interval::default(), 9);
        Arrival { id: id(boot, sequence), epoch: 0, interval, expires_ms, answerable: true, via: 0 }
    }

    fn answer(boot: u64, sequence: u64, verdict: Verdict) -> Answer {
        Answer { of: id(boot, sequence), interval: Interval::default(), expires_ms: 9, verdict, via: 0 }
    }

    fn refused() -> Verdict {
        Verdict::Refused("too late".into())
    }

    #[test]
    fn a_repetition_gets_the_first_verdict_and_is_not_delivered_again() {
        let mut inbox = Inbox::new(10);
        assert_eq!(inbox.arrive(arrival(1, 5)), Reception::Deliver);
        assert_eq!(inbox.arrive(arrival(1, 5)), Reception::Known);
        assert_eq!(inbox.answer(&id(1, 5), refused()), Some(answer(1, 5, refused())));
        assert_eq!(inbox.answer(&id(1, 5), Verdict::Accepted), None);
        assert_eq!(inbox.arrive(arrival(1, 5)), Reception::AnswerAgain(answer(1, 5, refused())));
    }

    #[test]
    fn an_answer_goes_where_the_copy_it_answers_came_from() {
        let mut inbox = Inbox::new(10);
        assert_eq!(inbox.arrive(Arrival { via: 2, ..arrival(1, 5) }), Reception::Deliver);
        assert_eq!(inbox.arrive(Arrival { via: 3, ..arrival(1, 5) }), Reception::Known);
        let given = |via| Answer { via, ..answer(1, 5, Verdict::Accepted) };
        assert_eq!(inbox.answer(&id(1, 5), Verdict::Accepted), Some(given(2)));
        assert_eq!(inbox.again(&id(1, 5), 4), Reception::AnswerAgain(given(4)));
        assert_eq!(inbox.again(&id(1, 6), 4), Reception::Known);
    }

    #[test]
    fn what_was_answered_before_a_restart_is_known_after_it_and_what_was_not_is_taken() {
        let mut inbox = Inbox::new(10);
        let (of, interval, expires_ms) = (id(3, 5), Interval::default(), 9);
        let kept = |verdict| Record { of: of.clone(), epoch: 0, interval, expires_ms, verdict };
        inbox.restore(kept(refused()));
        inbox.restore(kept(Verdict::Accepted));
        assert_eq!(inbox.arrive(arrival(3, 5)), Reception::AnswerAgain(answer(3, 5, refused())));
        assert_eq!(inbox.arrive(arrival(3, 4)), Reception::Deliver);
        assert_eq!(inbox.arrive(arrival(2, 9)), Reception::Replayed);
        let unanswered = Record { of: id(3, 4), ..kept(refused()) };
        assert_eq!(inbox.unanswered(&id(3, 4), &refused()), Some(unanswered));
        assert_eq!(inbox.unanswered(&id(3, 5), &refused()), None);
    }

    #[test]
    fn a_key_rotated_away_cannot_shut_its_owner_out() {
        let mut inbox = Inbox::new(10);
        assert_eq!(inbox.arrive(arrival(2, 1)), Reception::Deliver);
        // Whoever holds the old key says the last boot there can be.
        assert_eq!(inbox.arrive(arrival(u64::MAX >> 1, u64::MAX)), Reception::Deliver);
        assert_eq!(inbox.arrive(arrival(2, 2)), Reception::Replayed);
        let anew = |sequence| Arrival { epoch: 1, ..arrival(2, sequence) };
        assert_eq!(inbox.arrive(anew(2)), Reception::Deliver);
        assert_eq!(inbox.arrive(anew(2)), Reception::Known);
    }

    #[test]
    fn an_earlier_boot_is_replayed() {
        let mut inbox = Inbox::new(10);
        assert_eq!(inbox.arrive(arrival(2, 1)), Reception::Deliver);
        assert_eq!(inbox.arrive(arrival(1, 9)), Reception::Replayed);
    }

    #[test]
    fn only_the_last_answers_are_remembered_and_what_needs_none_takes_no_room() {
        let mut inbox = Inbox::new(2);
        inbox.arrive(arrival(1, 1));
        inbox.answer(&id(1, 1), Verdict::Accepted);
        for sequence in 10..100 {
            inbox.arrive(Arrival { answerable: false, ..arrival(1, sequence) });
        }
        inbox.arrive(arrival(1, 2));
        assert_eq!(inbox.arrive(arrival(1, 1)), Reception::AnswerAgain(answer(1, 1, Verdict::Accepted)));
        inbox.arrive(arrival(1, 3));
        assert_eq!(inbox.arrive(arrival(1, 1)), Reception::Known);
    }

    #[test]
    fn what_never_came_cannot_be_answered() {
        assert_eq!(Inbox::new(2).answer(&id(1, 1), Verdict::Accepted), None);
    }
}
