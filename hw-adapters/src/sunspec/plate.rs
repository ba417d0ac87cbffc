//! What a device is rated and set for, whether it says so by 702 or by 120 and 121.

use super::points::der::{capacity, control};
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
    /// How fast it is set to change its power, in milliwatts a second, where it says (121); 704 says it apart.
    pub ramp_mw_per_s: Option<i64>,
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
            ramp_mw_per_s: None,
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
        let full = of_settings(&settings::W_MAX)?.unwrap_or(rated);
        // One that says so wrongly has none.
        let gradient = of_settings(&settings::W_GRA).unwrap_or(None);
        Ok(Self {
            rated: Milliwatt(rated),
            full: Milliwatt(full),
            charge_max: get(&nameplate::MAX_CHA_RTE)?.map(Milliwatt),
            discharge_max: get(&nameplate::MAX_DIS_CHA_RTE)?.map(Milliwatt),
            reactive_max_mvar: lesser(get(&nameplate::VAR_RTG_Q1)?, get(&nameplate::VAR_RTG_Q4)?),
            nominal_mv: of_settings(&settings::V_REF)?,
            ramp_mw_per_s: gradient.and_then(|thousandths| part(full, thousandths, 100_000)),
        })
    }

    /// How fast the device itself is set to change its power, in milliwatts a second, by 704 or else by 121; none
    /// where it doesn't say.
    pub async fn own_ramp(
        &self,
        session: &mut Session,
        act: &'static str,
    ) -> Result<Option<i64>, DeviceError> {
        let said = match session.model(act, &control::MODEL).await? {
            Some(registers) => registers.raw(&control::W_RMP),
            None => None,
        };
        Ok(said.and_then(|percent| part(self.full.0, percent, 100)).or(self.ramp_mw_per_s))
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

/// `share` of `of` parts of `whole`; none where that is nothing.
fn part(whole: i64, share: i64, of: i64) -> Option<i64> {
    let part = i128::from(whole) * i128::from(share) / i128::from(of);
    i64::try_from(part).ok().filter(|part| *part > 0)
}

fn lesser(given: Option<i64>, absorbed: Option<i64>) -> Option<i64> {
    let most = given?.unsigned_abs().min(absorbed?.unsigned_abs());
    i64::try_from(most).ok().filter(|most| *most > 0)
}
