//! What a device is rated and set for, whether it says so by 702 or by 120 and 121.

use super::points::der::capacity;
use super::points::{nameplate, settings, Point};
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::DeviceError;
use market::units::Milliwatt;

/// A device's ratings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plate {
    /// Most power output by nameplate, positive.
    pub rated: Milliwatt,
    /// What percentages are of: the most it is set to give, or its nameplate.
    pub full: Milliwatt,
    /// Most charging power, where it says.
    pub charge_max: Option<Milliwatt>,
    /// Most discharging power, where it says.
    pub discharge_max: Option<Milliwatt>,
    /// Reactive power it can give and absorb, the lesser of both, where it says.
    pub reactive_max_mvar: Option<i64>,
    /// Nominal voltage in millivolts, where it says.
    pub nominal_mv: Option<i64>,
}

impl Plate {
    pub async fn read(session: &mut Session, act: &'static str) -> Result<Self, DeviceError> {
        let plate = match session.model(act, &capacity::MODEL).await? {
            Some(registers) if registers.raw(&capacity::W_MAX_RTG).is_some() => {
                Self::of_capacity(session, act, &registers)?
            }
            _ => Self::of_nameplate(session, act).await?,
        };
        if plate.rated <= Milliwatt::ZERO || plate.full <= Milliwatt::ZERO {
            let (rated, full) = (plate.rated, plate.full);
            return Err(session.bad(act, format!("rated {rated} and set to at most {full}")));
        }
        Ok(plate)
    }

    fn of_capacity(
        session: &Session,
        act: &'static str,
        registers: &ModelRegisters,
    ) -> Result<Self, DeviceError> {
        let get = |point: &Point| session.optional(act, registers, point, 1000);
        let rated = session.required(act, registers, &capacity::W_MAX_RTG, 1000)?;
        let set = |set: Option<i64>, rated: Option<i64>| set.filter(|set| *set > 0).or(rated).map(Milliwatt);
        Ok(Self {
            rated: Milliwatt(rated),
            full: Milliwatt(get(&capacity::W_MAX)?.filter(|most| *most > 0).unwrap_or(rated)),
            charge_max: set(get(&capacity::W_CHA_RTE_MAX)?, get(&capacity::W_CHA_RTE_MAX_RTG)?),
            discharge_max: set(get(&capacity::W_DIS_CHA_RTE_MAX)?, get(&capacity::W_DIS_CHA_RTE_MAX_RTG)?),
            reactive_max_mvar: lesser(get(&capacity::VAR_MAX_INJ_RTG)?, get(&capacity::VAR_MAX_ABS_RTG)?),
            nominal_mv: get(&capacity::V_NOM_RTG)?,
        })
    }

    async fn of_nameplate(session: &mut Session, act: &'static str) -> Result<Self, DeviceError> {
        let plate = session.must_have(act, &nameplate::MODEL).await?;
        let settings = session.model(act, &settings::MODEL).await?;
        let get = |point: &Point| session.optional(act, &plate, point, 1000);
        let of_settings = |point: &Point| match &settings {
            Some(registers) => session.optional(act, registers, point, 1000),
            None => Ok(None),
        };
        let rated = session.required(act, &plate, &nameplate::W_RTG, 1000)?;
        Ok(Self {
            rated: Milliwatt(rated),
            full: Milliwatt(of_settings(&settings::W_MAX)?.unwrap_or(rated)),
            charge_max: get(&nameplate::MAX_CHA_RTE)?.map(Milliwatt),
            discharge_max: get(&nameplate::MAX_DIS_CHA_RTE)?.map(Milliwatt),
            reactive_max_mvar: lesser(get(&nameplate::VAR_RTG_Q1)?, get(&nameplate::VAR_RTG_Q4)?),
            nominal_mv: of_settings(&settings::V_REF)?,
        })
    }

    /// Refuses a power beyond 1.2 times what the device can be, either way.
    pub fn check(
        session: &Session,
        act: &'static str,
        power: Milliwatt,
        most: Milliwatt,
    ) -> Result<(), DeviceError> {
        if power.0.unsigned_abs() > (most.0 + most.0 / 5).unsigned_abs() {
            return Err(session.bad(act, format!("{power} from a device of {most}")));
        }
        Ok(())
    }
}

fn lesser(given: Option<i64>, absorbed: Option<i64>) -> Option<i64> {
    let most = given?.unsigned_abs().min(absorbed?.unsigned_abs());
    i64::try_from(most).ok().filter(|most| *most > 0)
}
