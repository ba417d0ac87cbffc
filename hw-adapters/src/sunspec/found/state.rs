//! What is kept of one device: its controls as they were found, and what of them is ours. Decides what must be on the
//! disk before a write; reads and writes nothing itself.
//!
//! A ramp writes every second, and no card lasts long that is written whenever a setpoint moves. So the whole way goes
//! to the disk before its first step, and a later way within it needs no more: after a crash whatever lies on it is ours.

use super::{Control, Registers};
use crate::sunspec::control::{number, Write};
use crate::sunspec::points::Point;
use crate::sunspec::registers::ModelRegisters;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One device's controls, by their enable point (model, name).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The device's serial number, as its registers have it: another device is not given this one's state.
    pub serial: Vec<u16>,
    /// What was found in a control's registers, by offset.
    pub found: BTreeMap<String, Registers>,
    /// What we wrote last, likewise; of what is on a ramp the least it may be.
    pub ours: BTreeMap<String, Registers>,
    /// The most it may be, of what is on a ramp.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ours_to: BTreeMap<String, Registers>,
}

impl State {
    /// Whether the values of `control` are ours.
    pub fn is_ours(&self, control: &Control, now: &ModelRegisters) -> bool {
        self.ours.get(&key(control)).is_some_and(|ours| {
            let mut written = control.values.iter().filter(|point| ours.contains_key(&point.offset));
            written.all(|point| now.of(point).is_some_and(|words| self.has(control, point, words)))
        })
    }

    /// Whether `words` of a point are ours.
    pub fn has(&self, control: &Control, point: &Point, words: &[u16]) -> bool {
        let Some(least) = self.ours.get(&key(control)).and_then(|ours| ours.get(&point.offset)) else {
            return false;
        };
        let most = self.ours_to.get(&key(control)).and_then(|ours| ours.get(&point.offset));
        let whole = |words: &[u16]| point.kind.whole(words);
        match (whole(least), most.and_then(|most| whole(most)), whole(words)) {
            (Some(least), Some(most), Some(is)) => (least..=most).contains(&is),
            _ => least == words,
        }
    }

    /// These registers of `control` were written, and are exactly that.
    pub fn wrote(&mut self, control: &Control, writes: impl IntoIterator<Item = (u16, Vec<u16>)>) {
        self.ours.entry(key(control)).or_default().extend(writes);
        self.ours_to.remove(&key(control));
    }

    /// Nothing of `control` is ours any more.
    pub fn forget(&mut self, control: &Control) {
        self.ours.remove(&key(control));
        self.ours_to.remove(&key(control));
    }

    /// Whether this, on the disk, says enough of `next`, which differs in `control` at most.
    pub fn covers(&self, next: &State, control: &Control) -> bool {
        let point = |offset: u16| control.values.iter().find(|point| point.offset == offset);
        let (Some(ours), Some(written)) = (self.ours.get(&key(control)), next.ours.get(&key(control))) else {
            return false;
        };
        let says = |(offset, words): (&u16, &Vec<u16>)| match point(*offset) {
            Some(point) => self.has(control, point, words),
            None => ours.get(offset) == Some(words),
        };
        self.serial == next.serial && self.found == next.found && written.iter().all(says)
    }

    /// This as it goes to the disk: of `control` the whole way from `before`, if that is ours, to where `writes` go; of
    /// all others what the disk has of them, `saved`.
    #[must_use]
    pub fn along(
        &self,
        saved: &State,
        control: &Control,
        before: Option<&ModelRegisters>,
        writes: &[Write],
    ) -> State {
        let mut wide = self.clone();
        for (others, ours) in saved.ours.iter().filter(|(others, _)| **others != key(control)) {
            if let Some(kept) = wide.ours.get_mut(others) {
                kept.clone_from(ours);
                wide.ours_to
                    .extend(saved.ours_to.get_key_value(others).map(|(key, to)| (key.clone(), to.clone())));
            }
        }
        for write in writes {
            let stands = before.and_then(|before| before.raw(write.point)).unwrap_or(write.raw);
            let (least, most) =
                (stands.min(write.raw).min(write.goal), stands.max(write.raw).max(write.goal));
            if least < most {
                let words = |raw| (write.point.offset, number(write.point, raw));
                wide.ours.entry(key(control)).or_default().extend([words(least)]);
                wide.ours_to.entry(key(control)).or_default().extend([words(most)]);
            }
        }
        wide
    }
}

/// What a control goes by in the file.
pub(super) fn key(control: &Control) -> String {
    let model = control.model.ids.first().copied().unwrap_or_default();
    format!("{model}.{}", control.enable.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sunspec::points::storage;

    const RATES: Control = Control {
        model: &storage::MODEL,
        timer: &storage::IN_OUT_W_RTE_RVRT_TMS,
        values: &[&storage::OUT_W_RTE, &storage::IN_W_RTE],
        enable: &storage::STOR_CTL_MOD,
    };

    /// The rate to charge by, and where it goes.
    fn write(raw: i64, goal: i64) -> [Write; 1] {
        [Write { point: &storage::IN_W_RTE, raw, goal }]
    }

    /// What the device shows once that is written.
    fn shown(raw: i64) -> ModelRegisters {
        let point = &storage::IN_W_RTE;
        let mut words = vec![0; usize::from(storage::MODEL.span)];
        words[usize::from(point.offset)] = number(point, raw)[0];
        ModelRegisters::new(words)
    }

    fn wrote(raw: i64) -> State {
        let mut state = State::default();
        state.wrote(&RATES, write(raw, raw).iter().map(Write::registers));
        state
    }

    #[test]
    fn the_disk_has_the_whole_way_and_nothing_beyond_it() {
        let check = |before: Option<i64>, (raw, goal): (i64, i64), ours: &[i64], foreign: &[i64]| {
            let before = before.map(shown);
            let saved = wrote(raw).along(&State::default(), &RATES, before.as_ref(), &write(raw, goal));
            for (raws, expected) in [(ours, true), (foreign, false)] {
                for raw in raws {
                    assert_eq!(saved.is_ours(&RATES, &shown(*raw)), expected, "{raw} is ours");
                    assert_eq!(saved.covers(&wrote(*raw), &RATES), expected, "{raw} is covered");
                }
            }
            let text = serde_json::to_vec(&saved).unwrap();
            assert_eq!(serde_json::from_slice::<State>(&text).unwrap(), saved);
        };
        check(None, (200, 1000), &[200, 999, 1000], &[199, 1001, -200]);
        check(None, (-200, -1000), &[-200, -1000], &[0, -199, -1001]);
        // What stands there until the first step is written is ours as well.
        check(Some(500), (300, -1000), &[500, 300, 0, -1000], &[501, -1001]);
        check(None, (1000, 1000), &[1000], &[999, 1001]);
    }

    #[test]
    fn what_was_saved_before_there_were_ways_is_exact() {
        let text = r#"{"serial":[7],"found":{},"ours":{"124.StorCtl_Mod":{"13":[500]}}}"#;
        let saved: State = serde_json::from_str(text).unwrap();
        assert!(saved.is_ours(&RATES, &shown(500)) && !saved.is_ours(&RATES, &shown(501)));
    }

    #[test]
    fn a_control_that_is_only_switched_is_not_covered_before_it_was_saved() {
        let mut next = State::default();
        next.wrote(&RATES, []);
        assert!(!State::default().covers(&next, &RATES));
        assert!(next.along(&State::default(), &RATES, None, &[]).covers(&next, &RATES));
    }

    #[test]
    fn another_control_keeps_its_way_on_the_disk() {
        const OTHER: Control = Control { enable: &storage::IN_OUT_W_RTE_RVRT_TMS, ..RATES };
        let saved = wrote(200).along(&State::default(), &RATES, None, &write(200, 1000));
        let mut next = wrote(400);
        next.wrote(&OTHER, [Write::once(&storage::OUT_W_RTE, 3).registers()]);
        assert!(!saved.covers(&next, &OTHER));
        let saved = next.along(&saved, &OTHER, None, &[]);
        assert!(saved.covers(&next, &OTHER) && saved.covers(&wrote(1000), &RATES));
    }
}
