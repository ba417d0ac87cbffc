//! The objective of a dispatch in EUR/h, from the case's own figures: what import costs, with its
//! carbon, losses, reactive power and reserve, less the use of what sites take.

use super::case::{Case, Corner, OneOrMany, Reactive};
use market::grid::problem::Network;
use market::grid::solution::GridSolution;

/// The objective, minimised; see the schema's page.
pub fn eur_per_h(case: &Case, network: &Network, solution: &GridSolution) -> f64 {
    let policy = &case.policy;
    let carbon_price = policy.carbon_price.unwrap_or(0.0);
    let emission = match case.tso.emission_t_per_mwh {
        Some(OneOrMany::One(emission)) => emission,
        _ => 0.0,
    };
    let curve = case.tso.curve.as_deref().unwrap_or_default();
    let import_kw = solution.import_kw;
    let mut milli = area(curve, import_kw) - area(curve, 0.0) + carbon_price * emission * import_kw;
    for (site, award) in case.sites.iter().zip(&solution.awards) {
        let carbon = carbon_price * site.emission_t_per_mwh.unwrap_or(0.0);
        milli -= use_of(&site.curve, award.power_kw) + carbon * award.power_kw;
        if let Reactive::Range { cost_eur_per_mvarh2, .. } = site.q {
            milli += cost_eur_per_mvarh2 * award.reactive_kvar * award.reactive_kvar / 1e3;
        }
        milli += site.reserve_up.map_or(0.0, |reserve| reserve.price * award.reserve_up_kw);
        milli += site.reserve_down.map_or(0.0, |reserve| reserve.price * award.reserve_down_kw);
    }
    milli += policy.loss_price.unwrap_or(0.0) * loss_kw(network, solution);
    milli += 1e3 * policy.voltage_deviation_price.unwrap_or(0.0) * deviation(solution);
    // Not minus nothing.
    milli / 1e3 + 0.0
}

/// Losses at 1 p.u., `r (P^2 + Q^2)`.
fn loss_kw(network: &Network, solution: &GridSolution) -> f64 {
    let lines = network.branches.iter().zip(&solution.flows).skip(1);
    let loss = |(branch, flow): (&market::grid::problem::Branch, &market::grid::solution::BranchFlow)| {
        branch.resistance_pu_per_kva
            * (flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar)
    };
    lines.map(loss).sum()
}

/// Sum of `(V - 1)^2` over all nodes but the root, whose voltage is given.
fn deviation(solution: &GridSolution) -> f64 {
    solution.voltage_square_pu.iter().skip(1).map(|square| (square - 1.0) * (square - 1.0)).sum()
}

/// Area below a curve whose power rises, from its first power to `kw`.
fn area(curve: &[Corner], kw: f64) -> f64 {
    let segment = |pair: &[Corner]| {
        let ([price, from], [price_end, to]) = (pair[0], pair[1]);
        if to <= from {
            return 0.0;
        }
        let along = (kw - from).clamp(0.0, to - from);
        price * along + (price_end - price) / (2.0 * (to - from)) * along * along
    };
    curve.windows(2).map(segment).sum()
}

/// Area below a site's curve from its least power to `kw`: a curve whose power rises, read backwards.
fn use_of(curve: &[Corner], kw: f64) -> f64 {
    let backwards: Vec<Corner> = curve.iter().rev().copied().collect();
    area(&backwards, kw)
}
