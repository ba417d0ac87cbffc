//! Where nothing may be fed in, the limit of 123 alone is not relied on: it has no feedback, and devices there are
//! that take it and go on. Some seconds after a limit of nothing the device's own measurement must show it; where it
//! doesn't, the device is disconnected from the grid (`Conn`), with that timer armed as well, until it may give again.

use super::super::control::apply;
use super::super::found::Control;
use super::super::measured::{measured, now_ms};
use super::super::plate::Plate;
use super::super::points::controls;
use super::{SunSpecGenerator, LIMIT};
use crate::device::DeviceError;
use market::units::Milliwatt;
use std::time::Duration;

/// After so long it must give nothing.
const OBEYS_WITHIN_MS: u64 = 5_000;
/// What is nothing: so much, or a fiftieth of the nameplate.
const NOTHING: Milliwatt = Milliwatt(50_000);
const NOTHING_PART: i64 = 50;
/// `Conn` of 123: disconnected.
const DISCONNECTED: u16 = 0;

/// Whether it is connected.
pub(super) const CONNECTION: Control = Control {
    model: &controls::MODEL,
    timer: &controls::CONN_RVRT_TMS,
    values: &[],
    enable: &controls::CONN,
};

/// Since when a device has been told to give nothing, and whether it was seen to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Nothing {
    since_ms: Option<u64>,
    seen: bool,
}

impl Nothing {
    /// It was told to give nothing, at `now_ms`; whether it is time to look.
    fn told(&mut self, now_ms: u64) -> bool {
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        now_ms.saturating_sub(since_ms) >= OBEYS_WITHIN_MS
    }

    /// After how long it is to be looked at.
    pub fn next_look(&self, now_ms: u64) -> Option<Duration> {
        let since_ms = self.since_ms.filter(|_| !self.seen)?;
        let left_ms = OBEYS_WITHIN_MS.saturating_sub(now_ms.saturating_sub(since_ms));
        Some(Duration::from_millis(left_ms.max(1_000)))
    }
}

impl SunSpecGenerator {
    /// Sees to it that a device limited to `raw` by `control` gives nothing where that is nothing.
    pub(super) async fn make_sure(
        &mut self,
        control: &Control,
        raw: i64,
        plate: &Plate,
        hold_s: u32,
    ) -> Result<(), DeviceError> {
        if raw != 0 || control.model != CONNECTION.model {
            return self.reconnect().await;
        }
        let is_due = self.nothing.told(now_ms());
        let session = &mut self.session;
        let before = session.must_have(LIMIT, CONNECTION.model).await?;
        let open = before.raw(CONNECTION.enable) == Some(DISCONNECTED.into());
        if open && self.found.is_ours(&CONNECTION, &before) {
            // Its timer is kept up as the limit's is.
            return apply(session, LIMIT, &mut self.found, &CONNECTION, &before, (&[], DISCONNECTED, hold_s))
                .await;
        }
        if !is_due {
            return Ok(());
        }
        let now = measured(session, LIMIT, &mut self.freshness).await?;
        if now.output <= NOTHING.max(Milliwatt(plate.rated.0 / NOTHING_PART)) {
            self.nothing.seen = true;
            return Ok(());
        }
        if before.raw(CONNECTION.enable).is_none() {
            return Err(DeviceError::Disobeyed {
                device: session.name().to_owned(),
                what: controls::W_MAX_LIM_PCT.name,
                written: "0".to_owned(),
                read: format!("0, and gives {} and can't be disconnected", now.output),
            });
        }
        tracing::warn!(device = session.name(), gives = %now.output, "told to give nothing; disconnected");
        apply(session, LIMIT, &mut self.found, &CONNECTION, &before, (&[], DISCONNECTED, hold_s)).await?;
        self.nothing.seen = true;
        Ok(())
    }

    /// Connects it again where it was us who disconnected it.
    pub(super) async fn reconnect(&mut self) -> Result<(), DeviceError> {
        self.nothing = Nothing::default();
        self.found.restore_one(&mut self.session, &CONNECTION).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_at_once_it_has_had_its_time() {
        let mut nothing = Nothing::default();
        assert_eq!(nothing.next_look(0), None);
        for (now_ms, due, next_ms) in [(1_000, false, 5_000), (3_000, false, 3_000), (6_000, true, 1_000)] {
            assert_eq!(nothing.told(now_ms), due, "at {now_ms}");
            assert_eq!(nothing.next_look(now_ms), Some(Duration::from_millis(next_ms)));
        }
        nothing.seen = true;
        assert_eq!(nothing.next_look(9_000), None);
    }
}
