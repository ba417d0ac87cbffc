//! Being in service (IEEE 1547-2018, 4.10): a device whose permission is withdrawn ceases at once, and returns
//! only so long after it is given again. No protocol, no clock.

use market::interval::UnixSeconds;

/// Whether a device may be in service, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InService {
    /// Whether it is permitted.
    pub permitted: bool,
    /// Lowest and highest voltage to enter at, in hundredths of a percent of nominal.
    pub voltage: (u16, u16),
    /// Lowest and highest frequency to enter at, in thousandths of a hertz.
    pub frequency: (u32, u32),
    /// Seconds from permission to service.
    pub delay_s: u32,
    /// When it enters.
    enters: UnixSeconds,
}

impl InService {
    /// In service at once and for ever, by the defaults of EN 50549-1.
    pub fn new(start: UnixSeconds) -> Self {
        Self {
            permitted: true,
            voltage: (8_500, 11_000),
            frequency: (49_500, 50_200),
            delay_s: 60,
            enters: start,
        }
    }

    /// Gives or withdraws the permission at `now`.
    pub fn permit(&mut self, now: UnixSeconds, permitted: bool) {
        if permitted && !self.permitted {
            self.enters = now.plus(self.delay_s.into());
        }
        self.permitted = permitted;
    }

    /// Whether it is in service at `now`.
    pub fn at(&self, now: UnixSeconds) -> bool {
        self.permitted && self.enters <= now
    }

    /// Seconds until it enters; zero where it is in service, or not permitted to be.
    pub fn remaining_s(&self, now: UnixSeconds) -> i64 {
        if self.permitted {
            self.enters.0.saturating_sub(now.0).max(0)
        } else {
            0
        }
    }

    /// When it enters by itself; none where nothing runs.
    pub fn enters(&self) -> Option<UnixSeconds> {
        self.permitted.then_some(self.enters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_returns_after_its_delay_and_ceases_at_once() {
        let mut service = InService { delay_s: 300, ..InService::new(UnixSeconds(0)) };
        assert!(service.at(UnixSeconds(0)));
        service.permit(UnixSeconds(10), false);
        assert!(!service.at(UnixSeconds(10)));
        service.permit(UnixSeconds(20), true);
        assert_eq!((service.at(UnixSeconds(319)), service.remaining_s(UnixSeconds(319))), (false, 1));
        // Permitting what is permitted starts nothing anew.
        service.permit(UnixSeconds(319), true);
        assert!(service.at(UnixSeconds(320)));
    }
}
