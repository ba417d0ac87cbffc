//! What a clearing is checked against, and how closely.

use super::CertificateError;
use crate::grid::problem::{Branch, Network, Objective};
use crate::supply::SupplyCurve;
use crate::units::{Milliwatt, PicoEurPerWh};

/// What everyone knows before the clearing: none of it is the proposer's to choose.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The feeder.
    pub network: &'a Network,
    /// What the transmission side offers, a carbon price on it included.
    pub supply: &'a SupplyCurve,
    /// The objective's weights.
    pub objective: &'a Objective,
    /// How closely conditions must hold.
    pub tolerances: Tolerances,
}

/// How closely conditions must hold. What is a sum or a statement, like flows without losses,
/// the import or the price a party answered, must hold exactly and has no tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Of limits, losses, import and reserve, in watts of real or apparent power and in vars.
    pub power: Milliwatt,
    /// The same in proportion to the figure concerned; the larger of the two counts.
    pub power_ratio: f64,
    /// Of prices: how far a published price may lie from the one that follows from the root's and
    /// the multipliers, and how far from its price a party's or the supply's answer may reach.
    pub price: PicoEurPerWh,
    /// Of limits of squared voltage.
    pub voltage_square_pu: f64,
}

impl Default for Tolerances {
    /// 1 W or one in a million, 1e-3 EUR/MWh and 1e-6 p.u. of squared voltage.
    fn default() -> Self {
        Self {
            power: Milliwatt(1_000),
            power_ratio: 1e-6,
            price: PicoEurPerWh(1_000),
            voltage_square_pu: 1e-6,
        }
    }
}

impl Tolerances {
    /// What a power of about `figure_kw` may be off by, in kW.
    pub(crate) fn power_kw(&self, figure_kw: f64) -> f64 {
        let (least, part) = (self.power.kw(), self.power_ratio * figure_kw);
        let part = if part < 0.0 { -part } else { part };
        if least < part {
            part
        } else {
            least
        }
    }
    /// What a price may be off by, in EUR/MWh.
    pub(crate) fn price_eur_per_mwh(&self) -> f64 {
        self.price.eur_per_mwh()
    }
}

impl Terms<'_> {
    /// Whether the terms make a convex problem on a tree with figures that can be computed with.
    pub(super) fn check(&self) -> Result<(), CertificateError> {
        let Network { parent, branches, bands, root_voltage_square_pu, losses: _ } = self.network;
        let places = parent.len();
        if places == 0 || branches.len() != places || bands.len() != places {
            return Err(CertificateError::Terms { what: "the feeder's lists", place: 0 });
        }
        let o = self.objective;
        let weights = [o.loss_price, o.voltage_deviation_price, o.reserve_up_kw, o.reserve_down_kw];
        if !weights.into_iter().all(|weight| (0.0..=FIGURE_BOUND).contains(&weight)) {
            return Err(CertificateError::Terms { what: "the objective's weights", place: 0 });
        }
        if !(0.0..=FIGURE_BOUND).contains(root_voltage_square_pu) {
            return Err(CertificateError::Terms { what: "the root's voltage", place: 0 });
        }
        let sound = |place: usize| parent[place] < place && is_sound(&branches[place]);
        match (1..places).find(|place| !sound(*place)) {
            Some(place) => Err(CertificateError::Terms { what: "the line into place", place }),
            None => Ok(()),
        }
    }

    /// Whether losses are part of the balance.
    pub(super) fn carries_losses(&self) -> bool {
        self.network.losses.carries()
    }
}

/// Largest figure of a feeder or an objective that is computed with.
const FIGURE_BOUND: f64 = 1e15;

/// A negative resistance would make losses worth having and the problem not convex.
fn is_sound(branch: &Branch) -> bool {
    let finite = -FIGURE_BOUND..=FIGURE_BOUND;
    (0.0..=FIGURE_BOUND).contains(&branch.resistance_pu_per_kva)
        && finite.contains(&branch.reactance_pu_per_kva)
        && (0.0..=FIGURE_BOUND).contains(&branch.ratio_square)
}
