//! What of an interval is to outlast the process, as effects; and the intervals that go on from it. Pure.

use super::act::AggregatorAct;
use super::bids::{BidBook, StandingBid};
use super::core::Effects;
use super::kept::{question_frame, Keep, KeptReading, KeptTrading, TakenBid};
use super::trading::Trading;
use crate::core::Effect;
use market::interval::Interval;
use std::collections::BTreeMap;
use wire::message::{MessageRef, PriceQuestion};
use wire::party::Id;

pub(super) fn keep(interval: Interval, what: Keep) -> Effect<AggregatorAct> {
    Effect::Own(AggregatorAct::Keep { interval, what })
}

pub(super) fn keep_trading(trading: &Trading) -> Effects {
    let interval = trading.interval();
    match trading.kept().map(|kept| kept.encode()) {
        None => Vec::new(),
        Some(Ok(bytes)) => vec![keep(interval, Keep::Trading(bytes))],
        Some(Err(error)) => {
            vec![Effect::Note { event: "not-kept", text: format!("what {interval} owes: {error}") }]
        }
    }
}

/// A bid that was taken. It is acknowledged once it is kept.
pub(super) fn keep_bid(of: &MessageRef, taken: &TakenBid) -> Effects {
    match taken.encode() {
        Ok(record) => vec![Effect::Own(AggregatorAct::KeepBid { of: of.clone(), record })],
        Err(error) => {
            vec![Effect::Note { event: "not-kept", text: format!("a bid of {}: {error}", of.sender) }]
        }
    }
}

/// All that is kept of bids, in the place of what was before.
pub(super) fn renew_bids(book: &BidBook) -> Effect<AggregatorAct> {
    let record = |(account, bid): (&Id, &StandingBid)| {
        // Each was encoded when it was taken.
        TakenBid { account: account.clone(), bid: bid.clone() }.encode().ok()
    };
    Effect::Own(AggregatorAct::RenewBids { records: book.standing().filter_map(record).collect() })
}

pub(super) fn keep_question(question: &PriceQuestion) -> Effects {
    let interval = question.interval;
    match question_frame(question) {
        Ok(frame) => vec![keep(interval, Keep::Question(frame))],
        Err(error) => {
            vec![Effect::Note { event: "not-kept", text: format!("a question about {interval}: {error}") }]
        }
    }
}

/// A reading that was taken; none where it was before. It is acknowledged once it is kept.
pub(super) fn keep_reading(
    of: &MessageRef,
    interval: Interval,
    reading: Option<KeptReading>,
) -> Effect<AggregatorAct> {
    match reading.map(|reading| reading.encode()).transpose() {
        Ok(record) => Effect::Own(AggregatorAct::KeepReading { of: of.clone(), interval, record }),
        Err(error) => Effect::Note { event: "not-kept", text: format!("a reading of {interval}: {error}") },
    }
}

pub(super) type Restored = (BTreeMap<Interval, Trading>, Vec<(&'static str, String)>);

/// The intervals that go on from files, and what is to be told of them.
pub(super) fn restored(kept: Vec<(KeptTrading, Vec<KeptReading>)>) -> Restored {
    let (mut trading, mut notes) = (BTreeMap::new(), Vec::new());
    for (file, readings) in kept {
        let (interval, count) = (file.interval, readings.len());
        match Trading::restored(file, readings) {
            Ok(restored) => {
                trading.insert(interval, restored);
                notes.push(("restored", format!("{interval}: its award, and {count} readings")));
            }
            Err(reason) => notes.push(("not-restored", format!("{interval}: {reason}"))),
        }
    }
    (trading, notes)
}
