//! How a charge point is kept within limits: a low profile that lies in it for when nobody steers, and a
//! short-lived one for the transaction under way, renewed at half its life. Pure.

use super::clock::StationClock;
use super::profile::{composite, feasible, held_limit, step, Held, Profile, Purpose};
use super::request::StationRequest;
use super::station::{CallFailure, StationState};
use super::wear::Wear;
use super::Now;
use market::units::Milliwatt;
use serde_json::Value;

/// After how long a profile that was refused, or got no answer, is set again.
const AGAIN_MS: u64 = 10_000;
/// Over how long a charge point is asked what lies in it.
pub(super) const DAY_S: u32 = 86_400;

/// What a charge point's limits keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Phases it charges on, 1 to 3.
    pub phases: u8,
    /// Most power it charges at, by its nameplate and the fuse it hangs on.
    pub power_max: Milliwatt,
    /// What the fuse it hangs on carries, where that shall be told to it.
    pub fuse: Option<Milliwatt>,
    /// What a transaction may take that nobody steers.
    pub fallback: Milliwatt,
    /// For how long a limit holds that isn't renewed, in seconds.
    pub life_s: u32,
}

/// What is wanted of a charge point, and what has been done about it.
#[derive(Clone, Debug)]
pub(super) struct Steering {
    bounds: Bounds,
    wanted: Option<Milliwatt>,
    /// When the profile for the transaction was last accepted, on this connection.
    renewed_ms: Option<u64>,
    again_ms: u64,
    wear: Wear,
    /// Our default has been accepted, or was found.
    default_lies: bool,
}

impl Steering {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            wanted: None,
            renewed_ms: None,
            again_ms: 0,
            wear: Wear::default(),
            default_lies: false,
        }
    }

    /// Charging is to be limited to `power` from now on.
    pub(super) fn want(&mut self, power: Milliwatt) {
        self.wanted = Some(power);
        self.again_ms = 0;
    }

    /// It is left to itself again.
    pub(super) fn release(&mut self) {
        self.wanted = None;
        self.default_lies = false;
    }

    /// The charge point is here anew, or has started anew: what was for a transaction may be gone.
    pub(super) fn set_again(&mut self) {
        self.renewed_ms = None;
    }

    fn limit(&self, station: &StationState) -> Option<Milliwatt> {
        let Bounds { power_max, phases, .. } = self.bounds;
        self.wanted.map(|power| feasible(power, power_max, station.rate_unit, phases))
    }

    /// The profile for the transaction under way; none without one, or where nothing is wanted.
    pub(super) fn session(&self, now: Now, station: &StationState, clock: &StationClock) -> Option<Profile> {
        station.transaction.as_ref()?;
        let limit = self.limit(station)?;
        let ours_ms = now.utc_s.saturating_mul(1000);
        let purpose = Purpose::session(clock.now_ms(now), ours_ms, self.bounds.life_s);
        Some(Profile { purpose, limit, phases: self.bounds.phases })
    }

    /// Whether the transaction's profile is to be set: it is not what is wanted, or half its life is over.
    pub(super) fn is_due(&self, now: Now, station: &StationState) -> bool {
        let (Some(limit), Some(_)) = (self.limit(station), &station.transaction) else { return false };
        let half_ms = u64::from(self.bounds.life_s) * 500;
        let fresh = self.renewed_ms.is_some_and(|at_ms| now.real_ms.saturating_sub(at_ms) < half_ms);
        let stands = fresh && station.limit.is_some_and(|(held, _)| held == limit);
        !stands && now.real_ms >= self.again_ms
    }

    /// What came of setting the transaction's profile.
    pub(super) fn was_set(
        &mut self,
        now: Now,
        station: &mut StationState,
        profile: &Profile,
        accepted: bool,
    ) {
        if !accepted {
            self.again_ms = now.real_ms + AGAIN_MS;
        } else if station.transaction.is_some() {
            self.renewed_ms = Some(now.real_ms);
            let since_ms =
                station.limit.filter(|(held, _)| *held == profile.limit).map_or(now.real_ms, |held| held.1);
            station.limit = Some((profile.limit, since_ms));
        }
    }

    /// Looks at what it says it holds after a profile was renewed.
    pub(super) fn read_back(&self, station: &mut StationState, outcome: &Result<Value, CallFailure>) {
        let (Some((limit, _)), Ok(answer)) = (station.limit, outcome) else { return };
        let most = limit + step(station.rate_unit, self.bounds.phases);
        station.disobeyed = match held_limit(answer, self.bounds.phases) {
            Ok(Held::Limit(held)) if held > most => Some((limit, Some(held))),
            Ok(Held::NoLimit) if limit < self.bounds.power_max => Some((limit, None)),
            _ => None,
        };
    }

    /// Which of the profiles that stay are to be written, given what the charge point says limits the coming
    /// day. One that others set and that is stricter anywhere is left alone, and so is flash that was written
    /// lately.
    pub(super) fn standing(
        &mut self,
        now: Now,
        station: &StationState,
        outcome: &Result<Value, CallFailure>,
    ) -> Vec<StationRequest> {
        let Bounds { phases, power_max, fuse, fallback, life_s } = self.bounds;
        let limits =
            outcome.as_ref().ok().and_then(|answer| composite(answer, phases).ok()).unwrap_or_default();
        // What is for a transaction ends before; what holds then is what lies there.
        let from_s = 2 * i64::from(life_s);
        let last_before = limits.iter().rposition(|(start_s, _)| *start_s <= from_s).unwrap_or(0);
        let lying = limits.get(last_before..).unwrap_or_default();
        let least = lying.iter().map(|(_, held)| held.limit().unwrap_or(power_max)).min();
        let most = lying.iter().map(|(_, held)| held.limit().unwrap_or(Milliwatt(i64::MAX))).max();
        let default = feasible(fallback, power_max, station.rate_unit, phases);
        let tolerance = step(station.rate_unit, phases);
        let looser = |limit: Milliwatt| match (least, most) {
            (Some(least), Some(most)) => least >= limit && most > limit + tolerance,
            // It can't say. Once is enough then.
            _ => !self.default_lies,
        };
        let wanted = [
            fuse.map(|fuse| (Purpose::StationMax, feasible(fuse, fuse, station.rate_unit, phases))),
            Some((Purpose::Default, default)),
        ];
        let due: Vec<_> = wanted.into_iter().flatten().filter(|(_, limit)| looser(*limit)).collect();
        self.default_lies |= due.is_empty();
        let mut writes = Vec::new();
        for (purpose, limit) in due {
            if self.wear.may_write(purpose.name(), now.real_ms) {
                writes.push(StationRequest::SetProfile(Profile { purpose, limit, phases }));
            }
        }
        writes
    }

    /// What came of writing a profile that stays.
    pub(super) fn was_written(&mut self, profile: &Profile, accepted: bool) {
        self.default_lies |= accepted && profile.purpose == Purpose::Default;
    }

    /// Whether a setting, which may lie in flash, may be changed now.
    pub(super) fn may_change_settings(&mut self, now: Now) -> bool {
        self.wear.may_write("settings", now.real_ms)
    }
}
