//! Setpoints as SunSpec has them: a percentage with a scale factor, a reversion timer, and reading
//! back what the device holds.

use super::points::Point;
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::DeviceError;
use market::units::Milliwatt;

/// Longest reversion timer, in seconds: one below the "not implemented" value.
pub(super) const REVERSION_MAX_S: u32 = 65_534;

/// A percentage point's resolution: what one of its raw units is in power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Percent {
    of: Milliwatt,
    scale: i16,
}

impl Percent {
    /// For `point`, whose scale factor stands in `registers`, as percentage of `of`.
    pub(super) fn read(
        session: &Session,
        act: &'static str,
        registers: &ModelRegisters,
        point: &Point,
        of: Milliwatt,
    ) -> Result<Self, DeviceError> {
        let scale = registers.scale(point).map_err(|e| session.bad(act, e.to_string()))?;
        let scale = scale
            .ok_or_else(|| session.bad(act, format!("{} has no scale factor implemented", point.name)))?;
        if of <= Milliwatt::ZERO {
            return Err(session.bad(act, format!("{} is a percentage of {of}", point.name)));
        }
        Ok(Self { of, scale })
    }

    /// The raw value nearest to `power` and not beyond it; within 16 bits, or an error.
    pub(super) fn raw(
        self,
        session: &Session,
        act: &'static str,
        power: Milliwatt,
    ) -> Result<i16, DeviceError> {
        self.raw_of(power).ok_or_else(|| {
            session.bad(act, format!("{power} of {} at scale {} has no register", self.of, self.scale))
        })
    }

    fn raw_of(self, power: Milliwatt) -> Option<i16> {
        let (up, down) = self.ratio();
        let raw = i128::from(power.0) * 100 * down / (i128::from(self.of.0) * up);
        i16::try_from(raw).ok().filter(|raw| *raw != i16::MIN)
    }

    /// What the raw value is in power, rounded towards zero.
    pub(super) fn power(self, raw: i16) -> Milliwatt {
        let (up, down) = self.ratio();
        let power = i128::from(raw) * i128::from(self.of.0) * up / (100 * down);
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
        written: i64,
    ) -> Result<(), DeviceError> {
        match after.raw(point) {
            Some(read) if read == written => Ok(()),
            read => Err(self.disobeyed(point, written, read)),
        }
    }

    /// A reversion timer must not read back as off or absent; how far it has run down is the device's.
    pub(super) fn armed(
        &self,
        after: &ModelRegisters,
        point: &Point,
        written: u32,
    ) -> Result<(), DeviceError> {
        match after.raw(point) {
            Some(read) if read > 0 => Ok(()),
            read => Err(self.disobeyed(point, i64::from(written), read)),
        }
    }

    fn disobeyed(&self, point: &Point, written: i64, read: Option<i64>) -> DeviceError {
        DeviceError::Disobeyed {
            device: self.name().to_owned(),
            what: point.name,
            written: written.to_string(),
            read: read.map_or_else(|| "not implemented".to_owned(), |read| read.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(power: i64, of: i64, scale: i16, raw: Option<i16>, held: i64) {
        let percent = Percent { of: Milliwatt(of), scale };
        assert_eq!(percent.raw_of(Milliwatt(power)), raw);
        assert_eq!(percent.power(raw.unwrap_or_default()), Milliwatt(held));
    }

    #[test]
    fn a_setpoint_is_rounded_towards_zero_to_what_the_register_can_say() {
        check(2_500_000, 5_000_000, -2, Some(5000), 2_500_000);
        check(2_500_499, 5_000_000, -2, Some(5000), 2_500_000);
        check(-2_500_499, 5_000_000, -2, Some(-5000), -2_500_000);
        check(2_500_000, 5_000_000, 0, Some(50), 2_500_000);
        check(2_574_000, 5_000_000, 0, Some(51), 2_550_000);
        check(2_500_000, 5_000_000, 1, Some(5), 2_500_000);
        check(5_000_000, 5_000_000, -10, None, 0);
    }

    proptest! {
        #[test]
        fn what_is_held_is_never_beyond_what_was_asked(
            power in -50_000_000i64..50_000_000, of in 1i64..50_000_000, scale in -10i16..=10
        ) {
            let percent = Percent { of: Milliwatt(of), scale };
            if let Some(raw) = percent.raw_of(Milliwatt(power)) {
                let held = percent.power(raw);
                prop_assert!(held.0.abs() <= power.abs());
                prop_assert!(held.0 == 0 || held.0.signum() == power.signum());
                prop_assert!(power.abs() - held.0.abs() <= percent.power(1).0 + 1);
            }
        }
    }
}
