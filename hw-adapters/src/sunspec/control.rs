//! Setpoints as SunSpec has them: a value with a scale factor, a reversion timer armed before it, what puts
//! it in force last, and reading back what the device holds.

use super::found::{Control, Found};
use super::points::Point;
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::DeviceError;
use market::units::Milliwatt;

/// Longest reversion timer of one register, in seconds: one below the "not implemented" value. Longer ones are
/// not asked of those of two registers either.
pub(super) const REVERSION_MAX_S: u32 = 65_534;

/// A point to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    /// Of whole numbers.
    pub point: &'static Point,
    /// What is written now.
    pub raw: i64,
    /// What will have been written when the ramp it is on ends.
    pub goal: i64,
}

impl Write {
    /// Written so, and on no ramp.
    pub const fn once(point: &'static Point, raw: i64) -> Self {
        Self { point, raw, goal: raw }
    }

    fn words(&self) -> Vec<u16> {
        number(self.point, self.raw)
    }

    /// What is written now, and where.
    pub fn registers(&self) -> (u16, Vec<u16>) {
        (self.point.offset, self.words())
    }
}

/// Writes `values` of `control` for `hold_s`, puts them in force by `on`, and reads everything back.
pub(super) async fn apply(
    session: &mut Session,
    act: &'static str,
    found: &mut Found,
    control: &Control,
    before: &ModelRegisters,
    (values, on, hold_s): (&[Write], u16, u32),
) -> Result<(), DeviceError> {
    found.keep(session, control, before, values).await?;
    let has_timer = before.raw(control.timer).is_some();
    if has_timer {
        let seconds = hold_s.clamp(1, REVERSION_MAX_S);
        session.write(act, control.model, control.timer, &number(control.timer, seconds.into())).await?;
    }
    for (point, words) in joined(values) {
        session.write(act, control.model, point, &words).await?;
    }
    session.write(act, control.model, control.enable, &[on]).await?;

    let after = session.must_have(act, control.model).await?;
    for value in values {
        session.same(&after, value.point, &value.words())?;
    }
    session.same(&after, control.enable, &[on])?;
    if has_timer {
        session.armed(&after, control.timer, hold_s)?;
    }
    Ok(())
}

/// Neighbours are written at once, so that bounds never cross in between.
fn joined(values: &[Write]) -> Vec<(&'static Point, Vec<u16>)> {
    let mut writes: Vec<(&Point, Vec<u16>)> = Vec::new();
    for value in values {
        match writes.last_mut() {
            Some((first, before))
                if usize::from(first.offset) + before.len() == usize::from(value.point.offset) =>
            {
                before.extend(value.words());
            }
            _ => writes.push((value.point, value.words())),
        }
    }
    writes
}

/// A number in as many registers as its point has.
pub(super) fn number(point: &Point, number: i64) -> Vec<u16> {
    match point.kind.size() {
        2 => vec![(number >> 16) as u16, number as u16],
        _ => vec![number as u16],
    }
}

/// A power point's resolution: what one of its raw units is in power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// What `parts` of a raw unit at scale 0 are.
    of: Milliwatt,
    parts: i128,
    scale: i16,
}

impl Unit {
    /// For `point`, whose scale factor stands in `registers`, as percentage of `of`.
    pub(super) fn percent(
        session: &Session,
        act: &'static str,
        registers: &ModelRegisters,
        point: &Point,
        of: Milliwatt,
    ) -> Result<Self, DeviceError> {
        if of <= Milliwatt::ZERO {
            return Err(session.bad(act, format!("{} is a percentage of {of}", point.name)));
        }
        Self::read(session, act, registers, point, (of, 100))
    }

    /// For `point` in watts or vars.
    pub(super) fn whole(
        session: &Session,
        act: &'static str,
        registers: &ModelRegisters,
        point: &Point,
    ) -> Result<Self, DeviceError> {
        Self::read(session, act, registers, point, (Milliwatt(1000), 1))
    }

    fn read(
        session: &Session,
        act: &'static str,
        registers: &ModelRegisters,
        point: &Point,
        (of, parts): (Milliwatt, i128),
    ) -> Result<Self, DeviceError> {
        let scale = registers.scale(point).map_err(|e| session.bad(act, e.to_string()))?;
        let scale = scale
            .ok_or_else(|| session.bad(act, format!("{} has no scale factor implemented", point.name)))?;
        Ok(Self { of, parts, scale })
    }

    /// The raw value nearest to `power` and not beyond it, as registers of `point`; an error where it has none.
    pub(super) fn raw(
        self,
        session: &Session,
        act: &'static str,
        point: &Point,
        power: Milliwatt,
    ) -> Result<i64, DeviceError> {
        let most = if point.kind.size() == 1 { i128::from(i16::MAX) } else { i128::from(i32::MAX) };
        let raw = Some(self.raw_of(power)).filter(|raw| raw.abs() <= most);
        raw.and_then(|raw| i64::try_from(raw).ok()).ok_or_else(|| {
            session.bad(act, format!("{power} of {} at scale {} has no register", self.of, self.scale))
        })
    }

    fn raw_of(self, power: Milliwatt) -> i128 {
        let (up, down) = self.ratio();
        i128::from(power.0) * self.parts * down / (i128::from(self.of.0) * up)
    }

    /// What the raw value is in power, rounded towards zero.
    pub(super) fn power(self, raw: i64) -> Milliwatt {
        let (up, down) = self.ratio();
        let power = i128::from(raw) * i128::from(self.of.0) * up / (self.parts * down);
        Milliwatt(i64::try_from(power).unwrap_or(if power < 0 { i64::MIN } else { i64::MAX }))
    }

    /// 10^scale as a fraction.
    fn ratio(self) -> (i128, i128) {
        let power = 10i128.pow(u32::from(self.scale.unsigned_abs()));
        if self.scale >= 0 {
            (power, 1)
        } else {
            (1, power)
        }
    }
}

impl Session {
    /// A point must read back as it was written.
    pub(super) fn same(
        &self,
        after: &ModelRegisters,
        point: &Point,
        written: &[u16],
    ) -> Result<(), DeviceError> {
        if after.of(point) == Some(written) {
            return Ok(());
        }
        let shown = ModelRegisters::new([vec![0; usize::from(point.offset)], written.to_vec()].concat());
        let written = shown.raw(point).map_or_else(|| format!("{written:?}"), |raw| raw.to_string());
        Err(self.disobeyed(point, written, after.raw(point)))
    }

    /// A reversion timer must not read back as off or absent; how far it has run down is the device's.
    fn armed(&self, after: &ModelRegisters, point: &Point, written: u32) -> Result<(), DeviceError> {
        match after.raw(point) {
            Some(read) if read > 0 => Ok(()),
            read => Err(self.disobeyed(point, written.to_string(), read)),
        }
    }

    fn disobeyed(&self, point: &Point, written: String, read: Option<i64>) -> DeviceError {
        DeviceError::Disobeyed {
            device: self.name().to_owned(),
            what: point.name,
            written,
            read: read.map_or_else(|| "not implemented".to_owned(), |read| read.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(power: i64, of: i64, scale: i16, raw: i128, held: i64) {
        let unit = Unit { of: Milliwatt(of), parts: 100, scale };
        assert_eq!(unit.raw_of(Milliwatt(power)), raw);
        assert_eq!(unit.power(raw as i64), Milliwatt(held));
    }

    #[test]
    fn a_setpoint_is_rounded_towards_zero_to_what_the_register_can_say() {
        check(2_500_000, 5_000_000, -2, 5000, 2_500_000);
        check(2_500_499, 5_000_000, -2, 5000, 2_500_000);
        check(-2_500_499, 5_000_000, -2, -5000, -2_500_000);
        check(2_500_000, 5_000_000, 0, 50, 2_500_000);
        check(2_574_000, 5_000_000, 0, 51, 2_550_000);
        check(2_500_000, 5_000_000, 1, 5, 2_500_000);
    }

    proptest! {
        #[test]
        fn what_is_held_is_never_beyond_what_was_asked(
            power in -50_000_000i64..50_000_000, of in 1i64..50_000_000, scale in -10i16..=10
        ) {
            let unit = Unit { of: Milliwatt(of), parts: 100, scale };
            if let Ok(raw) = i16::try_from(unit.raw_of(Milliwatt(power))) {
                let held = unit.power(raw.into());
                prop_assert!(held.0.abs() <= power.abs());
                prop_assert!(held.0 == 0 || held.0.signum() == power.signum());
                prop_assert!(power.abs() - held.0.abs() <= unit.power(1).0 + 1);
            }
        }
    }
}
