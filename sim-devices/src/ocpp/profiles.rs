//! The stack of charging profiles (OCPP 1.6, section 3.13; 2.0.1, use cases K): which limit holds when.

use super::version::Version;
use crate::physics::car::LimitFrom;
use market::interval::UnixSeconds;
use market::units::Milliwatt;
use serde_json::{json, Value};
use time::format_description::well_known::Iso8601;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Highest stack level taken.
pub(super) const STACK_LEVEL_MAX: i64 = 8;
/// Most periods in a schedule.
pub(super) const PERIODS_MAX: usize = 24;
/// Most profiles held.
pub(super) const PROFILES_MAX: usize = 16;
/// How far ahead limits are worked out.
const HORIZON_S: i64 = 86_400;
const VOLTAGE: f64 = 230.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    ChargePointMax,
    TxDefault,
    Tx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Absolute(UnixSeconds),
    /// From the start of the transaction.
    Relative,
    /// Every so many seconds from an instant on.
    Recurring(UnixSeconds, i64),
}

/// A profile as the central system set it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    id: i64,
    connector: i64,
    stack_level: i64,
    purpose: Purpose,
    /// The transaction it is for, where it names one.
    pub(super) transaction: Option<String>,
    kind: Kind,
    valid_from: UnixSeconds,
    valid_to: UnixSeconds,
    duration_s: i64,
    /// Start within the schedule, and limit.
    periods: Vec<(i64, Milliwatt)>,
    /// As it was stated.
    stated: Value,
}

/// The profiles held.
#[derive(Clone, Debug, Default)]
pub(super) struct Profiles(Vec<Profile>);

impl Profiles {
    /// Holds a profile in place of one with its id, or with its purpose and level. False where
    /// there is no room.
    pub(super) fn set(&mut self, profile: Profile) -> bool {
        self.0.retain(|held| {
            let same_place = held.purpose == profile.purpose
                && held.stack_level == profile.stack_level
                && held.connector == profile.connector;
            held.id != profile.id && !same_place
        });
        let room = self.0.len() < PROFILES_MAX;
        if room {
            self.0.push(profile);
        }
        room
    }

    /// Forgets the profiles a `ClearChargingProfile` names. False where there was none.
    pub(super) fn clear(&mut self, version: Version, request: &Value) -> bool {
        let before = self.0.len();
        let (id, place, request) = match version {
            Version::V16 => (&request["id"], "connectorId", request),
            Version::V201 => (&request["chargingProfileId"], "evseId", &request["chargingProfileCriteria"]),
        };
        let purpose = request["chargingProfilePurpose"].as_str().map(purpose_of);
        let matches = |profile: &Profile| match id.as_i64() {
            Some(id) => profile.id == id,
            None => {
                request[place].as_i64().is_none_or(|connector| connector == profile.connector)
                    && purpose.is_none_or(|purpose| purpose == Some(profile.purpose))
                    && request["stackLevel"].as_i64().is_none_or(|level| level == profile.stack_level)
            }
        };
        self.0.retain(|profile| !matches(profile));
        self.0.len() < before
    }

    /// The profiles that a `GetChargingProfiles` (2.0.1) asks for, as they were stated, by EVSE.
    pub(super) fn asked_for(&self, request: &Value) -> Vec<(i64, Vec<Value>)> {
        let wanted = &request["chargingProfile"];
        let purpose = wanted["chargingProfilePurpose"].as_str().map(purpose_of);
        let ids = wanted["chargingProfileId"].as_array();
        let source = wanted["chargingLimitSource"].as_array();
        let ours = source.is_none_or(|sources| sources.iter().any(|source| source == "CSO"));
        let matches = |profile: &&Profile| {
            ours && purpose.is_none_or(|purpose| purpose == Some(profile.purpose))
                && wanted["stackLevel"].as_i64().is_none_or(|level| level == profile.stack_level)
                && ids.is_none_or(|ids| ids.iter().any(|id| id.as_i64() == Some(profile.id)))
        };
        let places =
            [0, 1].into_iter().filter(|place| request["evseId"].as_i64().is_none_or(|id| id == *place));
        let at = |place: i64| {
            let here = self.0.iter().filter(|profile| profile.connector == place).filter(matches);
            (place, here.map(|profile| profile.stated.clone()).collect::<Vec<_>>())
        };
        places.map(at).filter(|(_, found)| !found.is_empty()).collect()
    }

    /// A transaction's own profiles end with it.
    pub(super) fn end_transaction(&mut self) {
        self.0.retain(|profile| profile.purpose != Purpose::Tx);
    }

    /// What limits charging from `now` on, for a day. Without a transaction, what would limit one
    /// that began now.
    pub(super) fn limits(&self, now: UnixSeconds, transaction_start: Option<UnixSeconds>) -> Vec<LimitFrom> {
        let start = transaction_start.unwrap_or(now);
        let end = now.plus(HORIZON_S);
        let mut instants: Vec<UnixSeconds> =
            self.0.iter().flat_map(|profile| profile.changes(now, end, start)).collect();
        instants.push(now);
        instants.retain(|instant| (now..end).contains(instant));
        instants.sort_unstable();
        instants.dedup();
        let mut limits: Vec<LimitFrom> = Vec::new();
        for from in instants {
            let power = self.limit_at(from, start);
            if limits.last().is_none_or(|last| last.power != power) {
                limits.push(LimitFrom { from, power });
            }
        }
        limits
    }

    /// The transaction's own profile goes before the default one, the charge point's most before
    /// both; within a purpose the highest stack level that has a limit at `instant` counts.
    fn limit_at(&self, instant: UnixSeconds, transaction_start: UnixSeconds) -> Option<Milliwatt> {
        let of = |purpose: Purpose| {
            self.0
                .iter()
                .filter(|profile| profile.purpose == purpose)
                .filter_map(|profile| {
                    // One for the connector goes before one for all of them.
                    let rank = (profile.connector, profile.stack_level);
                    Some((rank, profile.limit_at(instant, transaction_start)?))
                })
                .max_by_key(|(rank, _)| *rank)
                .map(|(_, limit)| limit)
        };
        let session = of(Purpose::Tx).or_else(|| of(Purpose::TxDefault));
        session.into_iter().chain(of(Purpose::ChargePointMax)).min()
    }
}

impl Profile {
    /// Reads a `SetChargingProfile`.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub(super) fn parse(version: Version, request: &Value, phases: u8) -> Result<Self, &'static str> {
        let (profile, place, id) = match version {
            Version::V16 => (&request["csChargingProfiles"], "connectorId", "chargingProfileId"),
            Version::V201 => (&request["chargingProfile"], "evseId", "id"),
        };
        let schedule = match version {
            Version::V16 => &profile["chargingSchedule"],
            // More than one is for negotiating with cars (ISO 15118).
            Version::V201 => &profile["chargingSchedule"][0],
        };
        let purpose = profile["chargingProfilePurpose"].as_str().and_then(purpose_of);
        let start = instant(&schedule["startSchedule"]);
        let kind = match (profile["chargingProfileKind"].as_str(), profile["recurrencyKind"].as_str()) {
            (Some("Absolute"), _) => Kind::Absolute(start.ok_or("startSchedule")?),
            (Some("Relative"), _) => Kind::Relative,
            (Some("Recurring"), Some("Daily")) => Kind::Recurring(start.ok_or("startSchedule")?, 86_400),
            (Some("Recurring"), Some("Weekly")) => Kind::Recurring(start.ok_or("startSchedule")?, 604_800),
            _ => return Err("chargingProfileKind"),
        };
        let level = profile["stackLevel"].as_i64().filter(|level| (0..=STACK_LEVEL_MAX).contains(level));
        Ok(Self {
            id: profile[id].as_i64().ok_or(id)?,
            connector: request[place].as_i64().filter(|id| matches!(id, 0 | 1)).ok_or(place)?,
            stack_level: level.ok_or("stackLevel")?,
            purpose: purpose.ok_or("chargingProfilePurpose")?,
            transaction: match &profile["transactionId"] {
                Value::Number(number) => Some(number.to_string()),
                Value::String(name) => Some(name.clone()),
                _ => None,
            },
            kind,
            valid_from: instant(&profile["validFrom"]).unwrap_or(UnixSeconds(i64::MIN)),
            valid_to: instant(&profile["validTo"]).unwrap_or(UnixSeconds(i64::MAX)),
            duration_s: schedule["duration"].as_i64().unwrap_or(i64::MAX),
            periods: periods(schedule, phases)?,
            stated: profile.clone(),
        })
    }

    /// Whether it holds for one transaction only.
    pub(super) fn is_for_transaction(&self) -> bool {
        self.purpose == Purpose::Tx
    }

    fn schedule_start(&self, instant: UnixSeconds, transaction_start: UnixSeconds) -> UnixSeconds {
        match self.kind {
            Kind::Absolute(start) => start,
            Kind::Relative => transaction_start,
            Kind::Recurring(start, every_s) => {
                UnixSeconds(instant.0 - (instant.0 - start.0).rem_euclid(every_s))
            }
        }
    }

    fn limit_at(&self, instant: UnixSeconds, transaction_start: UnixSeconds) -> Option<Milliwatt> {
        let within_s = instant.0.saturating_sub(self.schedule_start(instant, transaction_start).0);
        let valid = (self.valid_from..self.valid_to).contains(&instant) && within_s < self.duration_s;
        self.periods.iter().rev().find(|(from, _)| valid && *from <= within_s).map(|(_, limit)| *limit)
    }

    /// Every instant between `now` and `end` at which its limit may change, and some more.
    fn changes(
        &self,
        now: UnixSeconds,
        end: UnixSeconds,
        transaction_start: UnixSeconds,
    ) -> Vec<UnixSeconds> {
        let mut starts = vec![self.schedule_start(now, transaction_start)];
        if let Kind::Recurring(_, every_s) = self.kind {
            starts.extend(starts[0].plus(every_s).0.lt(&end.0).then(|| starts[0].plus(every_s)));
        }
        let inside = starts.iter().flat_map(|start| {
            let periods = self.periods.iter().map(|(from, _)| start.plus(*from));
            periods.chain([start.plus(self.duration_s)])
        });
        inside.chain([self.valid_from, self.valid_to]).collect()
    }
}

fn purpose_of(text: &str) -> Option<Purpose> {
    match text {
        "ChargePointMaxProfile" | "ChargingStationMaxProfile" | "ChargingStationExternalConstraints" => {
            Some(Purpose::ChargePointMax)
        }
        "TxDefaultProfile" => Some(Purpose::TxDefault),
        "TxProfile" => Some(Purpose::Tx),
        _ => None,
    }
}

fn periods(schedule: &Value, phases: u8) -> Result<Vec<(i64, Milliwatt)>, &'static str> {
    let amperes = match schedule["chargingRateUnit"].as_str() {
        Some("W") => false,
        Some("A") => true,
        _ => return Err("chargingRateUnit"),
    };
    let given = schedule["chargingSchedulePeriod"].as_array().ok_or("chargingSchedulePeriod")?;
    if given.is_empty() || given.len() > PERIODS_MAX {
        return Err("chargingSchedulePeriod");
    }
    let mut periods = Vec::with_capacity(given.len());
    for period in given {
        let from = period["startPeriod"].as_i64().filter(|from| *from >= 0).ok_or("startPeriod")?;
        let limit = period["limit"].as_f64().ok_or("limit")?;
        // Without a number of phases the limit is for three (1.6, section 7.14), where there are so many.
        let shared_by = period["numberPhases"].as_i64().unwrap_or(3).clamp(1, i64::from(phases));
        let watt_per_unit = if amperes { VOLTAGE * shared_by as f64 } else { 1.0 };
        let milliwatt = (limit * watt_per_unit * 1000.0).round();
        if periods.last().is_some_and(|(last, _)| *last >= from) || !(0.0..=1e12).contains(&milliwatt) {
            return Err("limit");
        }
        periods.push((from, Milliwatt(milliwatt as i64)));
    }
    if periods[0].0 != 0 {
        return Err("startPeriod");
    }
    Ok(periods)
}

/// An instant with or without zone; then UTC.
fn instant(value: &Value) -> Option<UnixSeconds> {
    let text = value.as_str()?;
    let parsed = OffsetDateTime::parse(text, &Iso8601::DEFAULT)
        .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc));
    parsed.ok().map(|instant| UnixSeconds(instant.unix_timestamp()))
}

/// What limits charging over `duration_s` seconds from `now`, as `GetCompositeSchedule` wants it:
/// from the limits the physics hold, and where none holds the most the charge point gives.
pub(super) fn composite(
    limits: &[LimitFrom],
    now: UnixSeconds,
    duration_s: i64,
    unit: &str,
    most: (Milliwatt, u8),
) -> Value {
    let (power_max, phases) = most;
    let held_at = |instant: UnixSeconds| {
        let held = limits.iter().rev().find(|limit| limit.from <= instant).and_then(|limit| limit.power);
        held.unwrap_or(power_max).min(power_max)
    };
    let later = limits
        .iter()
        .map(|limit| limit.from)
        .filter(|from| (now.plus(1)..now.plus(duration_s)).contains(from));
    let mut periods: Vec<Value> = Vec::new();
    let mut last = None;
    for from in std::iter::once(now).chain(later) {
        let power = held_at(from);
        if last == Some(power) {
            continue;
        }
        last = Some(power);
        let watt = power.0 as f64 / 1000.0;
        let per_unit = if unit == "A" { VOLTAGE * f64::from(phases) } else { 1.0 };
        // A tenth is what the standard can say; rounded down, so that it is not exceeded.
        let limit = (watt / per_unit * 10.0 + 1e-6).floor() / 10.0;
        periods.push(json!({ "startPeriod": from.0 - now.0, "limit": limit, "numberPhases": phases }));
    }
    json!({ "duration": duration_s, "chargingRateUnit": unit, "chargingSchedulePeriod": periods })
}

#[cfg(test)]
mod tests;
