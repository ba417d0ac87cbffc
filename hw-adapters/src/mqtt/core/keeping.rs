//! How the device was before we told it anything: kept before the first command, given back at the next start where
//! this program ended without doing so. What somebody else has set since is left alone.

use super::{same, Before, Effect, MqttCore, Order, Outcome, Pending};
use crate::mqtt::payload::Value;
use crate::template::{DeviceKind, PointName};
use serde::{Deserialize, Serialize};

/// What is kept of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// As it was found.
    pub(super) found: Before,
    /// What our last command should have made of it.
    pub(super) ours: Vec<(PointName, Value)>,
}

/// Giving back what an earlier run left changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Restoring {
    /// Nothing of it has been seen yet; this is what we made of it.
    Awaits(Vec<(PointName, Value)>),
    /// It has been told, and has until then to show it.
    Told { until_ms: u64 },
}

impl MqttCore {
    /// With what an earlier run kept and did not give back.
    #[must_use]
    pub fn restoring(self, kept: Kept) -> Self {
        let restoring = Some(Restoring::Awaits(kept.ours));
        Self { before: Some(kept.found), restoring, ..self }
    }

    /// Goes on giving back what an earlier run left changed, once the device is there.
    pub(super) fn give_back_of_before(&mut self, now_ms: u64, out: &mut Vec<Effect>) {
        if std::mem::take(&mut self.given_back) && self.pending.is_none() {
            return self.forget(out);
        }
        match self.restoring.take() {
            None => {}
            Some(Restoring::Awaits(ours)) => match self.left_changed(now_ms, &ours) {
                None => self.restoring = Some(Restoring::Awaits(ours)),
                // Found otherwise than we left it: somebody else's, or its own.
                Some(false) => self.forget(out),
                Some(true) => {
                    let order = match self.profile.device {
                        DeviceKind::Plug => Order::Switch(None),
                        _ => Order::Power(None),
                    };
                    if let Ok(effects) = self.order(now_ms, order) {
                        out.extend(effects);
                        let until_ms = now_ms.saturating_add(self.profile.answer_within_ms);
                        self.restoring = Some(Restoring::Told { until_ms });
                    }
                }
            },
            Some(Restoring::Told { until_ms }) => match self.judge(now_ms >= until_ms) {
                None if self.pending.is_some() => self.restoring = Some(Restoring::Told { until_ms }),
                Some(Outcome::Obeyed) => self.forget(out),
                // What it won't take back must not keep it from being used; nor is it ours to try for ever.
                None | Some(Outcome::Disobeyed { .. } | Outcome::Silent) => {
                    out.push(Effect::Refused { reason: "not_given_back", why: "after a crash".to_owned() });
                    self.forget(out);
                }
            },
        }
    }

    /// Nothing of ours stands any more.
    fn forget(&mut self, out: &mut Vec<Effect>) {
        self.before = None;
        out.push(Effect::Keep(None));
    }

    /// Whether it is as our last command should have made it; none while that can't be told.
    fn left_changed(&self, now_ms: u64, ours: &[(PointName, Value)]) -> Option<bool> {
        self.state(now_ms).ok()?;
        let mut all = true;
        for wanted in ours {
            let (said, _) = self.value(wanted.0, now_ms).ok()?;
            all &= same(wanted, &said);
        }
        Some(all && !ours.is_empty())
    }

    /// An order of ours is under way: an earlier run's is not given back beside it, but with it.
    pub(super) fn pend(&mut self, pending: Pending, out: &mut Vec<Effect>) {
        if !pending.gives_back {
            let found = self.before.clone().unwrap_or_default();
            out.insert(0, Effect::Keep(Some(Kept { found, ours: pending.expected.clone() })));
        }
        self.restoring = None;
        self.pending = Some(pending);
    }
}
