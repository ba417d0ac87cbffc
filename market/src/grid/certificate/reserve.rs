//! Reserve: what must stand ready does, and costs something only where nothing more does.

use super::{CertificateError, GridClearing, PartyDemand, Terms};
use crate::units::{Milliwatt, PicoEurPerWh};

/// Checks both directions.
pub(super) fn check(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    parties: &[PartyDemand],
) -> Result<(), CertificateError> {
    let award = |standby: Option<super::Standby>| standby.map_or(0, |s| i128::from(s.award.0));
    let (mut up, mut down) = (0, 0);
    for party in parties {
        up += award(party.reserve_up);
        down += award(party.reserve_down);
    }
    let o = terms.objective;
    check_direction(terms, "up", (up, o.reserve_up_kw), clearing.reserve_up_price)?;
    check_direction(terms, "down", (down, o.reserve_down_kw), clearing.reserve_down_price)
}

fn check_direction(
    terms: &Terms<'_>,
    direction: &'static str,
    (given, required_kw): (i128, f64),
    price: PicoEurPerWh,
) -> Result<(), CertificateError> {
    if reserve_holds(terms, given as f64 / 1e6, required_kw, price) {
        return Ok(());
    }
    let required = Milliwatt((required_kw * 1e6) as i64);
    Err(CertificateError::Reserve { direction, given, required, price })
}

fn reserve_holds(terms: &Terms<'_>, given_kw: f64, required_kw: f64, price: PicoEurPerWh) -> bool {
    let tolerance = terms.tolerances.power_kw(required_kw);
    let enough = given_kw >= required_kw - tolerance;
    // Where none must stand ready, none is worth anything, however little is offered.
    let scarce = required_kw > 0.0 && given_kw <= required_kw + tolerance;
    enough && (price == PicoEurPerWh::ZERO || (price > PicoEurPerWh::ZERO && scarce))
}
