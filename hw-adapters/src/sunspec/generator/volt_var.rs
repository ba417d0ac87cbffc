//! Volt-var of a DER (705): a curve written into the second place, adopted, and put in force; and the bounds for
//! entering service (703). Neither is written where somebody else's is in force.

use super::super::control::{apply, number, REVERSION_MAX_S};
use super::super::enter_service::EnterServiceRules;
use super::super::found::Control;
use super::super::points::der::{enter_service, volt_var};
use super::super::points::Point;
use super::super::registers::{check_scale, ModelRegisters};
use super::super::session::Session;
use super::SunSpecGenerator;
use crate::device::DeviceError;

const SET: &str = "setting the generator's volt-var curve";
const SERVICE: &str = "setting when the generator enters service";

/// The curve written and adopted: the first is the one in force, and read only.
const STORED: u16 = 2;
/// Where in a curve its count of points, and whether it can be written.
const ACTIVE_POINTS: u16 = 0;
const READ_ONLY: u16 = 9;
/// What a register says that is not implemented.
const NOT_IMPLEMENTED: u16 = 0xFFFF;
/// `AdptCrvRslt`: done.
const ADOPTED: i64 = 1;

/// What puts volt-var in force.
pub(super) const CONTROL: Control =
    Control { model: &volt_var::MODEL, timer: &volt_var::RVRT_TMS, values: &[], enable: &volt_var::ENA };

/// One point of a volt-var curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoltVarPoint {
    /// Voltage in hundredths of a percent of nominal.
    pub voltage: u16,
    /// Reactive power given (negative: absorbed) in hundredths of a percent of what the device's curve refers to.
    pub reactive: i16,
}

impl SunSpecGenerator {
    /// Lets reactive power follow voltage along `curve`, whose voltages ascend, for `hold_s`. No curve switches ours
    /// off.
    ///
    /// # Errors
    /// Where the device has no curve to write, another's is in force, or it does not read back.
    pub async fn set_volt_var(&mut self, curve: &[VoltVarPoint], hold_s: u32) -> Result<(), DeviceError> {
        let deadline = self.session.deadline();
        deadline.keep(SET, self.set_volt_var_now(curve, hold_s)).await
    }

    async fn set_volt_var_now(&mut self, curve: &[VoltVarPoint], hold_s: u32) -> Result<(), DeviceError> {
        self.look().await?;
        if curve.is_empty() {
            self.restore_curves().await?;
            return self.found.restore_one(&mut self.session, &CONTROL).await;
        }
        let before = self.session.must_have(SET, &volt_var::MODEL).await?;
        let in_force = before.raw(&volt_var::ENA) == Some(1);
        let session = &mut self.session;
        if in_force && !self.found.is_ours(&CONTROL, &before) {
            return Err(session.refused(SET, "another's curve is in force".to_owned()));
        }
        let (at, words) = stored(session, &before, curve)?;
        let place = session.place(SET, &volt_var::MODEL).await?;
        let place = place.ok_or_else(|| session.bad(SET, "it has no model for volt-var".to_owned()))?;
        let beside = curves(&before).into_iter().map(|(at, words)| (at, words.to_vec())).collect::<Vec<_>>();
        let ours =
            vec![(at + ACTIVE_POINTS, vec![curve.len() as u16]), (at + volt_var::CURVE_HEAD, words.clone())];
        self.found.keep_with(session, (&CONTROL, &before), &beside, (ours, &[])).await?;
        let seconds = number(&volt_var::RVRT_TMS, hold_s.clamp(1, REVERSION_MAX_S).into());
        session.write(SET, &volt_var::MODEL, &volt_var::RVRT_TMS, &seconds).await?;
        session.write_at(SET, place, at + volt_var::CURVE_HEAD, &words).await?;
        session.write_at(SET, place, at + ACTIVE_POINTS, &[curve.len() as u16]).await?;
        session.write(SET, &volt_var::MODEL, &volt_var::ADPT_CRV_REQ, &[STORED]).await?;
        let after = session.must_have(SET, &volt_var::MODEL).await?;
        let points = usize::from(at + volt_var::CURVE_HEAD);
        let adopted = after.raw(&volt_var::ADPT_CRV_RSLT) == Some(ADOPTED);
        if !adopted || after.words().get(points..points + words.len()) != Some(words.as_slice()) {
            return Err(DeviceError::Disobeyed {
                device: session.name().to_owned(),
                what: volt_var::ADPT_CRV_RSLT.name,
                written: format!("curve {STORED}"),
                read: format!("{:?}", after.raw(&volt_var::ADPT_CRV_RSLT)),
            });
        }
        apply(session, SET, &mut self.found, &CONTROL, &before, (&[], 1, hold_s)).await
    }

    /// Tells the device itself when it may enter service, and leaves whether it may to whoever said so.
    ///
    /// # Errors
    /// Where it has no model for that (703), or does not read back.
    pub async fn set_enter_service(&mut self, rules: EnterServiceRules) -> Result<(), DeviceError> {
        let deadline = self.session.deadline();
        deadline.keep(SERVICE, self.set_enter_service_now(rules)).await
    }

    async fn set_enter_service_now(&mut self, rules: EnterServiceRules) -> Result<(), DeviceError> {
        let session = &mut self.session;
        let before = session.must_have(SERVICE, &enter_service::MODEL).await?;
        let percent = i128::from(10);
        let millihertz = i128::from(1_000);
        let bounds = [
            (&enter_service::ES_V_HI, rules.voltage_max_permille, percent),
            (&enter_service::ES_V_LO, rules.voltage_min_permille, percent),
            (&enter_service::ES_HZ_HI, rules.frequency_max_millihertz, millihertz),
            (&enter_service::ES_HZ_LO, rules.frequency_min_millihertz, millihertz),
            (&enter_service::ES_DLY_TMS, rules.delay_s, 1),
        ];
        let mut written = Vec::new();
        // How long it takes to come back is not everybody's to say.
        let ramp =
            before.raw(&enter_service::ES_RMP_TMS).map(|_| (&enter_service::ES_RMP_TMS, rules.ramp_s, 1));
        for (point, value, parts) in bounds.into_iter().chain(ramp) {
            let words = scaled(session, &before, point, value, parts)?;
            session.write(SERVICE, &enter_service::MODEL, point, &words).await?;
            written.push((point, words));
        }
        let after = session.must_have(SERVICE, &enter_service::MODEL).await?;
        written.iter().try_for_each(|(point, words)| session.same(&after, point, words))
    }
}

impl SunSpecGenerator {
    /// Gives the curve in force and the one we wrote back as they were found; nothing where somebody else has
    /// written there since.
    pub(super) async fn restore_curves(&mut self) -> Result<(), DeviceError> {
        let Some((found, ours)) = self.found.beside(&CONTROL) else { return Ok(()) };
        let (found, ours) = (found.clone(), ours.clone());
        let session = &mut self.session;
        let Some(now) = session.model(SET, &volt_var::MODEL).await? else { return Ok(()) };
        let is = |at: u16, words: &[u16]| {
            let at = usize::from(at);
            now.words().get(at..at + words.len()) == Some(words)
        };
        let [(first_at, _), (second_at, _)] = match curves(&now)[..] {
            [first, second, ..] => [first, second],
            _ => return Ok(()),
        };
        let (Some(first), Some(second)) = (found.get(&first_at), found.get(&second_at)) else {
            return Ok(());
        };
        if !ours.iter().all(|(at, words)| is(*at, words)) {
            tracing::warn!(
                device = session.name(),
                "its curves were written by somebody else since; left so"
            );
            return Ok(());
        }
        if !is(first_at, first) {
            write_curve(session, (second_at, first), &now).await?;
            session.write(SET, &volt_var::MODEL, &volt_var::ADPT_CRV_REQ, &[STORED]).await?;
        }
        write_curve(session, (second_at, second), &now).await?;
        let after = session.must_have(SET, &volt_var::MODEL).await?;
        let (at, head) = (usize::from(second_at + volt_var::CURVE_HEAD), usize::from(volt_var::CURVE_HEAD));
        let points = second.get(head..).unwrap_or_default();
        if after.words().get(at..at + points.len()) != Some(points) {
            return Err(DeviceError::Disobeyed {
                device: session.name().to_owned(),
                what: volt_var::ADPT_CRV_REQ.name,
                written: format!("curve {STORED} as found"),
                read: format!("{:?}", after.words().get(at..at + points.len())),
            });
        }
        Ok(())
    }
}

/// Writes a whole curve: its points, and of what stands before them whatever differs and is implemented.
async fn write_curve(
    session: &mut Session,
    (at, curve): (u16, &[u16]),
    now: &ModelRegisters,
) -> Result<(), DeviceError> {
    let place = session.place(SET, &volt_var::MODEL).await?;
    let place = place.ok_or_else(|| session.bad(SET, "it has no model for volt-var".to_owned()))?;
    let head = usize::from(volt_var::CURVE_HEAD);
    session.write_at(SET, place, at + volt_var::CURVE_HEAD, curve.get(head..).unwrap_or_default()).await?;
    for offset in 0..READ_ONLY {
        let word = curve.get(usize::from(offset)).copied().unwrap_or(NOT_IMPLEMENTED);
        let differs = now.words().get(usize::from(at + offset)) != Some(&word);
        if word != NOT_IMPLEMENTED && (differs || offset == ACTIVE_POINTS) {
            session.write_at(SET, place, at + offset, &[word]).await?;
        }
    }
    Ok(())
}

/// Where each curve lies, and its registers, as far as they were read.
fn curves(registers: &ModelRegisters) -> Vec<(u16, &[u16])> {
    let count = |point| registers.raw(point).and_then(|count| u16::try_from(count).ok()).unwrap_or(0);
    let size = volt_var::CURVE_HEAD + 2 * count(&volt_var::N_PT).min(volt_var::MODEL.span);
    let words = |number: u16| {
        let at = volt_var::CURVES + number * size;
        let words = registers.words().get(usize::from(at)..usize::from(at + size))?;
        Some((at, words))
    };
    (0..count(&volt_var::N_CRV).min(STORED)).map_while(words).collect()
}

/// `value` of which `parts` are one of the point's unit, as its registers.
fn scaled(
    session: &Session,
    before: &ModelRegisters,
    point: &Point,
    value: u32,
    parts: i128,
) -> Result<Vec<u16>, DeviceError> {
    let scale = before.scale(point).map_err(|e| session.bad(SERVICE, e.to_string()))?;
    let raw = scale.and_then(|scale| {
        let power = 10i128.pow(u32::from(scale.unsigned_abs()));
        let value = i128::from(value);
        let raw = if scale < 0 { value * power / parts } else { value / (parts * power) };
        let most = if point.kind.size() == 1 { 0xFFFE } else { 0xFFFF_FFFE };
        i64::try_from(raw).ok().filter(|raw| *raw <= most)
    });
    let raw = raw.ok_or_else(|| session.refused(SERVICE, format!("{} can't be {value}", point.name)))?;
    Ok(number(point, raw))
}

/// Where the curve to be written lies, and its points as registers.
fn stored(
    session: &Session,
    before: &ModelRegisters,
    curve: &[VoltVarPoint],
) -> Result<(u16, Vec<u16>), DeviceError> {
    let refused = |reason: &str| session.refused(SET, reason.to_owned());
    let count = |point| before.raw(point).and_then(|count| u16::try_from(count).ok()).unwrap_or(0);
    let (points, curves) = (count(&volt_var::N_PT), count(&volt_var::N_CRV));
    if curves < STORED || curve.len() > usize::from(points) {
        return Err(refused("it has no room for such a curve"));
    }
    let at = volt_var::CURVES + volt_var::CURVE_HEAD + 2 * points.min(volt_var::MODEL.span);
    if before.words().get(usize::from(at + READ_ONLY)) == Some(&1) {
        return Err(refused("its second curve is read only"));
    }
    let scale = |offset: u16| {
        let word = before.words().get(usize::from(offset)).copied().unwrap_or(0x8000);
        let scale = check_scale(SET, word).map_err(|e| session.bad(SET, e.to_string()))?;
        // Hundredths of a percent at their own scale factor or a coarser one.
        let parts = scale.and_then(|scale| u32::try_from(scale + 2).ok()).and_then(|n| 10i32.checked_pow(n));
        parts.ok_or_else(|| refused("its curves' scale factors are finer than a hundredth of a percent"))
    };
    let (volts, vars) = (scale(volt_var::V_SF)?, scale(volt_var::DEPT_REF_SF)?);
    let words = curve.iter().flat_map(|point| {
        [
            (i32::from(point.voltage) / volts) as u16,
            ((i32::from(point.reactive) / vars) as i16).cast_unsigned(),
        ]
    });
    Ok((at, words.collect()))
}
