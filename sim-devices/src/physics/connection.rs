//! A site's connection: what everything behind it adds up to, and the meter that counts it.

use market::units::{Millijoule, Milliwatt};

/// The meter at a connection point. Counters are exact, so that what a display in watt-hours leaves
/// over is not lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionMeter {
    /// Net power over the last step, import positive.
    pub power: Milliwatt,
    /// Net reactive power over the last step in millivars, absorbed positive.
    pub reactive_mvar: i64,
    /// Energy imported since the start.
    pub imported: Millijoule,
    /// Energy exported since the start, positive.
    pub exported: Millijoule,
}

impl ConnectionMeter {
    /// Counts net `energy` over `seconds` (positive), at this reactive power.
    pub fn count(&mut self, energy: Millijoule, reactive_mvar: i64, seconds: i64) {
        self.power = Milliwatt(energy.0 / seconds.max(1));
        self.reactive_mvar = reactive_mvar;
        if energy >= Millijoule::ZERO {
            self.imported += energy;
        } else {
            self.exported += -energy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_and_export_are_counted_apart_and_exactly() {
        let mut meter = ConnectionMeter::default();
        meter.count(Millijoule(22), 0, 3);
        meter.count(Millijoule(-10), 2, 2);
        let (imported, exported) = (Millijoule(22), Millijoule(10));
        assert_eq!(meter, ConnectionMeter { power: Milliwatt(-5), reactive_mvar: 2, imported, exported });
    }
}
