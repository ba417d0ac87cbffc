//! Charges that the market's members agree on: fees on entries, and a penalty on deviations beyond a band,
//! besides the imbalance price. All are nothing unless set. Who receives them is the ledger's to say.

use crate::units::{Millijoule, NanoEur, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// Widest tolerance band: ten times the commitment.
pub const MAX_BAND_PERMILLE: i64 = 10_000;

/// Fees and the deviation penalty, as figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Charges {
    /// What a transfer costs who makes it, and a request to redeem tokens.
    pub transfer_fee: NanoEur,
    /// What an entry costs that its submitter was free not to make: an offer, an acceptance, an enrolment.
    pub entry_fee: NanoEur,
    /// What each watt-hour of deviation beyond the band costs a site besides the imbalance price.
    pub penalty_price: PicoEurPerWh,
    /// Width of the band to either side, in thousandths of what was committed.
    pub penalty_band_permille: i64,
}

impl Charges {
    /// No charges at all.
    pub const NONE: Self = Self {
        transfer_fee: NanoEur::ZERO,
        entry_fee: NanoEur::ZERO,
        penalty_price: PicoEurPerWh::ZERO,
        penalty_band_permille: 0,
    };

    /// Whether nothing is charged.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether the figures make charges; if not, what is wrong, naming the figure.
    pub(crate) fn unsound(&self) -> Option<&'static str> {
        let rules = [
            (self.transfer_fee >= NanoEur::ZERO, "charges.transfer_fee must not be negative"),
            (self.entry_fee >= NanoEur::ZERO, "charges.entry_fee must not be negative"),
            (self.penalty_price >= PicoEurPerWh::ZERO, "charges.penalty_price must not be negative"),
            (
                (0..=MAX_BAND_PERMILLE).contains(&self.penalty_band_permille),
                "charges.penalty_band_permille must lie in 0..=10000",
            ),
        ];
        rules.iter().find(|(holds, _)| !holds).map(|(_, reason)| *reason)
    }

    /// What a site pays that was committed to one energy and delivered another: the penalty price on what lies
    /// beyond the band, whichever way. `None` where that does not fit 64 bits.
    pub fn penalty(&self, committed: Millijoule, delivered: Millijoule) -> Option<NanoEur> {
        let deviation = (i128::from(delivered.0) - i128::from(committed.0)).abs();
        let band = i128::from(committed.0).abs() * i128::from(self.penalty_band_permille) / 1_000;
        let beyond = i64::try_from((deviation - band).max(0)).ok()?;
        self.penalty_price.cost_of(Millijoule(beyond))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 EUR/MWh beyond a tenth; energies in watt-hours, the penalty in millionths of a euro.
    fn check(committed_wh: f64, delivered_wh: f64, expected: i64) {
        let charges =
            Charges { penalty_price: PicoEurPerWh(100_000_000), penalty_band_permille: 100, ..Charges::NONE };
        let [committed, delivered] = [committed_wh, delivered_wh].map(|wh| Millijoule::from_wh(wh).unwrap());
        assert_eq!(charges.penalty(committed, delivered), Some(NanoEur(expected * 1_000)));
        assert_eq!(Charges::NONE.penalty(committed, delivered), Some(NanoEur::ZERO));
    }

    #[test]
    fn only_what_lies_beyond_the_band_is_penalised_either_way() {
        check(1_000.0, 1_000.0, 0);
        check(1_000.0, 1_100.0, 0);
        // 50 Wh beyond at 0.0001 EUR/Wh are 5 mEUR.
        check(1_000.0, 1_150.0, 5_000);
        check(1_000.0, 850.0, 5_000);
        check(-1_000.0, -1_150.0, 5_000);
        check(-1_000.0, -850.0, 5_000);
        // Nothing committed has no band.
        check(0.0, 10.0, 1_000);
        check(1_000.0, -1_000.0, 190_000);
    }

    #[test]
    fn what_does_not_fit_is_no_penalty() {
        let dear = Charges { penalty_price: PicoEurPerWh(i64::MAX), ..Charges::NONE };
        assert_eq!(dear.penalty(Millijoule(i64::MIN), Millijoule(i64::MAX)), None);
        assert_eq!(dear.penalty(Millijoule(0), Millijoule(i64::MAX)), None);
        let wide = Charges { penalty_band_permille: MAX_BAND_PERMILLE, ..dear };
        assert_eq!(wide.penalty(Millijoule(i64::MAX), Millijoule(i64::MIN)), Some(NanoEur::ZERO));
    }
}
