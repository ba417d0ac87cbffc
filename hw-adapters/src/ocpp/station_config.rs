//! What is known of a charge point before it connects, and what of it can't be.

use super::auth::Password;
use super::profile::{power_min, VOLTAGE};
use super::steering::Bounds;
use market::units::Milliwatt;

/// Longest identity, in characters (OCPP 2.0.1 part 4, section 3.1.1).
const IDENTITY_MAX_CHARS: usize = 48;
/// For how long a limit may hold that isn't renewed, in seconds.
const LIFE_S: std::ops::RangeInclusive<u32> = 60..=86_400;

/// One charge point the central system serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationConfig {
    /// The device's name in errors and metrics.
    pub name: String,
    /// Its identity: the last segment of the URL it connects to. Letters, digits and `-._~:*=+|@`, at
    /// most 48.
    pub identity: String,
    /// Phases it charges on, 1 to 3.
    pub phases: u8,
    /// Most power it charges at, at least 6 A on its phases.
    pub power_max: Milliwatt,
    /// What the fuse it hangs on carries on each phase, in amperes, at least 6.
    pub fuse_ampere: Option<u32>,
    /// What a car may take while nobody steers: nothing, or at least 6 A on its phases. None for that least.
    pub fallback: Option<Milliwatt>,
    /// For how long a limit holds that isn't renewed, in seconds, 60 to 86 400.
    pub life_s: u32,
    /// A call not answered within so many milliseconds has failed; 100 to 60 000.
    pub answer_within_ms: u64,
    /// What it must know to connect (security profiles 1 and 2).
    pub password: Option<Password>,
}

impl StationConfig {
    /// A charge point of which no more is said: no fuse of its own, half an hour for a limit, five seconds for an
    /// answer, no password.
    pub fn new(name: &str, identity: &str, phases: u8, power_max: Milliwatt) -> Self {
        Self {
            name: name.to_owned(),
            identity: identity.to_owned(),
            phases,
            power_max,
            fuse_ampere: None,
            fallback: None,
            life_s: 1800,
            answer_within_ms: 5000,
            password: None,
        }
    }

    fn fuse(&self) -> Option<Milliwatt> {
        let ampere = self.fuse_ampere.map(i64::from);
        ampere.map(|ampere| Milliwatt(ampere.saturating_mul(VOLTAGE * 1000 * i64::from(self.phases))))
    }

    /// The most it may be told to charge at: its own most, or what its fuse carries.
    pub(super) fn bounded_max(&self) -> Milliwatt {
        self.fuse().map_or(self.power_max, |fuse| fuse.min(self.power_max))
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            phases: self.phases,
            power_max: self.bounded_max(),
            fuse: self.fuse().filter(|fuse| *fuse < self.power_max),
            fallback: self.fallback.unwrap_or(power_min(self.phases)),
            life_s: self.life_s,
        }
    }

    /// Says what can't be.
    pub(super) fn check(&self) -> Result<(), String> {
        let identity = &self.identity;
        let good = |c: char| c.is_ascii_alphanumeric() || "-._~:*=+|@".contains(c);
        if identity.is_empty() || identity.len() > IDENTITY_MAX_CHARS || !identity.chars().all(good) {
            return Err(format!("identity {identity:?} is not 1 to 48 letters, digits or -._~:*=+|@"));
        }
        if !(1..=3).contains(&self.phases) {
            return Err(format!("{} phases; a charge point has 1 to 3", self.phases));
        }
        let least = power_min(self.phases);
        if self.power_max < least || self.power_max > Milliwatt(1_000_000_000) {
            return Err(format!("power_max of {} is not between 6 A and 1 MW", self.power_max));
        }
        if self.fuse_ampere.is_some_and(|ampere| !(6..=1000).contains(&ampere)) {
            return Err(format!("a fuse of {} A is not 6 to 1000", self.fuse_ampere.unwrap_or(0)));
        }
        let chargeable =
            |power: Milliwatt| power == Milliwatt::ZERO || (least..=self.power_max).contains(&power);
        if let Some(fallback) = self.fallback.filter(|power| !chargeable(*power)) {
            return Err(format!("fallback of {fallback} is neither nothing nor between 6 A and power_max"));
        }
        if !LIFE_S.contains(&self.life_s) {
            return Err(format!("a limit's life of {} s is not 60 to 86400", self.life_s));
        }
        if !(100..=60_000).contains(&self.answer_within_ms) {
            return Err(format!("answer_within_ms of {} is not 100 to 60000", self.answer_within_ms));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: fn(&mut StationConfig), part: &str) {
        let mut config = StationConfig::new("c", "CP-1", 3, Milliwatt(11_040_000));
        assert_eq!(config.check(), Ok(()));
        change(&mut config);
        assert!(config.check().unwrap_err().contains(part));
    }

    #[test]
    fn what_cannot_be_is_named() {
        check(|c| c.identity = "CP/2".into(), "identity");
        check(|c| c.identity = "x".repeat(49), "identity");
        check(|c| c.phases = 4, "phases");
        check(|c| c.power_max = Milliwatt(1), "power_max");
        check(|c| c.fuse_ampere = Some(5), "fuse");
        check(|c| c.fallback = Some(Milliwatt(1_000_000)), "fallback");
        check(|c| c.fallback = Some(Milliwatt(12_000_000)), "fallback");
        check(|c| c.life_s = 59, "life");
        check(|c| c.answer_within_ms = 99, "answer_within_ms");
    }

    #[test]
    fn the_smaller_of_nameplate_and_fuse_counts() {
        let mut config = StationConfig::new("c", "CP-1", 3, Milliwatt(11_040_000));
        assert_eq!((config.bounded_max(), config.bounds().fuse), (Milliwatt(11_040_000), None));
        config.fuse_ampere = Some(10);
        assert_eq!(config.bounds().power_max, Milliwatt(6_900_000));
        assert_eq!(config.bounds().fuse, Some(Milliwatt(6_900_000)));
        assert_eq!(config.bounds().fallback, Milliwatt(4_140_000));
        config.fuse_ampere = Some(32);
        assert_eq!((config.bounded_max(), config.bounds().fuse), (Milliwatt(11_040_000), None));
    }
}
