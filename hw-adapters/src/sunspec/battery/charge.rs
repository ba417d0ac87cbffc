//! What a battery holds and how fast it may be charged, by 124, 713 or 802.

use super::super::plate::Plate;
use super::super::points::der::{battery, storage as der_storage};
use super::super::points::{nameplate, storage, Point};
use super::super::registers::ModelRegisters;
use super::super::session::Session;
use crate::device::DeviceError;
use market::units::{Milliwatt, MILLIJOULE_PER_WH};

/// Thousandths of a percent in the whole.
pub(super) const WHOLE: i64 = 100_000;

/// A battery's charge and rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    /// State of charge in thousandths of a percent, 0 to [`WHOLE`].
    pub state: i64,
    /// What of it is not to be discharged, likewise.
    pub reserve: i64,
    /// Energy when full, in millijoules, positive.
    pub full: i64,
    /// Most charging power, never negative.
    pub charge_max: Milliwatt,
    /// Most discharging power, never negative.
    pub discharge_max: Milliwatt,
    /// What the rates of 124 are percentages of; none where the device is not set by them.
    pub rate_of: Option<Milliwatt>,
}

/// What one model says, as far as it does.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    state: Option<i64>,
    reserve: Option<i64>,
    full: Option<i64>,
    charge_max: Option<i64>,
    discharge_max: Option<i64>,
}

impl Charge {
    pub async fn read(session: &mut Session, act: &'static str, plate: &Plate) -> Result<Self, DeviceError> {
        let rates = session.model(act, &storage::MODEL).await?;
        let rate_of = match &rates {
            Some(registers) => session.optional(act, registers, &storage::W_CHA_MAX, 1000)?,
            None => None,
        };
        let mut said = Said::default();
        if let Some(registers) = &rates {
            said = said.or(of_rates(session, act, registers)?);
        }
        if let Some(registers) = session.model(act, &der_storage::MODEL).await? {
            said = said.or(of_storage(session, act, &registers)?);
        }
        if let Some(registers) = session.model(act, &battery::MODEL).await? {
            said = said.or(of_battery(session, act, &registers)?);
        }
        if let (None, Some(registers)) = (said.full, session.model(act, &nameplate::MODEL).await?) {
            said.full = session.optional(act, &registers, &nameplate::WH_RTG, MILLIJOULE_PER_WH)?;
        }
        said.judged(session, act, plate, rate_of)
    }
}

impl Said {
    fn or(self, other: Self) -> Self {
        Self {
            state: self.state.or(other.state),
            reserve: self.reserve.or(other.reserve),
            full: self.full.or(other.full),
            charge_max: self.charge_max.or(other.charge_max),
            discharge_max: self.discharge_max.or(other.discharge_max),
        }
    }

    fn judged(
        self,
        session: &Session,
        act: &'static str,
        plate: &Plate,
        rate_of: Option<i64>,
    ) -> Result<Charge, DeviceError> {
        let missing = |what: &str| session.bad(act, format!("{what} is not implemented (124, 713, 802)"));
        let state = self.state.ok_or_else(|| missing("state of charge"))?;
        let full = self.full.ok_or_else(|| missing("energy when full"))?;
        let reserve = self.reserve.unwrap_or(0);
        if !(0..=WHOLE).contains(&state) || !(0..=WHOLE).contains(&reserve) || full <= 0 {
            let text = format!("charged to {state}, reserve {reserve} of {WHOLE}, {full} mJ when full");
            return Err(session.bad(act, text));
        }
        let most = |rated: Option<Milliwatt>, said: Option<i64>| {
            let most = rated.map(|rated| rated.0).or(said).or(rate_of).unwrap_or(plate.rated.0);
            Milliwatt(most.max(0))
        };
        let charge_max = most(plate.charge_max, self.charge_max);
        Ok(Charge {
            state,
            reserve,
            full,
            charge_max: rate_of.map_or(charge_max, |of| charge_max.min(Milliwatt(of))),
            discharge_max: most(plate.discharge_max, self.discharge_max),
            rate_of: rate_of.filter(|of| *of > 0).map(Milliwatt),
        })
    }
}

fn of_rates(session: &Session, act: &'static str, registers: &ModelRegisters) -> Result<Said, DeviceError> {
    let get = |point: &Point| session.optional(act, registers, point, 1000);
    let (state, reserve) = (get(&storage::CHA_STATE)?, get(&storage::MIN_RSV_PCT)?);
    Ok(Said { state, reserve, ..Said::default() })
}

fn of_storage(session: &Session, act: &'static str, registers: &ModelRegisters) -> Result<Said, DeviceError> {
    let full = session.optional(act, registers, &der_storage::WH_RTG, MILLIJOULE_PER_WH)?;
    let state = session.optional(act, registers, &der_storage::SOC, 1000)?;
    Ok(Said { state, full, ..Said::default() })
}

fn of_battery(session: &Session, act: &'static str, registers: &ModelRegisters) -> Result<Said, DeviceError> {
    let get = |point: &Point| session.optional(act, registers, point, 1000);
    Ok(Said {
        state: get(&battery::SOC)?,
        reserve: get(&battery::SOC_RSV_MIN)?,
        full: session.optional(act, registers, &battery::WH_RTG, MILLIJOULE_PER_WH)?,
        charge_max: get(&battery::W_CHA_RTE_MAX)?,
        discharge_max: get(&battery::W_DIS_CHA_RTE_MAX)?,
    })
}
