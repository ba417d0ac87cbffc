//! The small sentences of a validator's core: to who asked, to its log, and to the other validators.

use super::{Effect, ValidatorCore};
use crate::consensus::message::{ConsensusMessage, Record};
use wire::message::{MessageRef, Verdict};

impl ValidatorCore {
    pub(super) fn answer(&mut self, of: Option<&MessageRef>, verdict: Verdict) {
        self.effects.extend(of.cloned().map(|of| Effect::Acknowledge { of, verdict }));
    }

    pub(super) fn refuse(&mut self, of: Option<&MessageRef>, reason: &'static str, text: String) {
        self.answer(of, Verdict::refused(&text));
        self.effects.push(Effect::Refused { reason });
    }

    pub(super) fn record(&mut self, record: &Record) {
        let height = self.tip.height + 1;
        match record.encode() {
            Ok(bytes) => self.effects.push(Effect::Record { height, bytes }),
            Err(error) => self.note("unencodable", error.to_string()),
        }
    }

    pub(super) fn publish(&mut self, message: &ConsensusMessage) {
        match message.encode() {
            Ok(bytes) => self.effects.push(Effect::Publish(bytes)),
            Err(error) => self.note("unencodable", error.to_string()),
        }
    }
}
