//! The objective of a dispatch in EUR/h, from the case's own figures: what import costs, with its
//! carbon, and reactive power, less the use of what sites take.

use super::case::{Case, Corner, OneOrMany, Reactive};

/// The objective, minimised; see the schema's page.
pub fn eur_per_h(case: &Case, import_kw: f64, site_kw: &[f64], site_kvar: &[f64]) -> f64 {
    let carbon_price = case.policy.carbon_price.unwrap_or(0.0);
    let emission = match case.tso.emission_t_per_mwh {
        Some(OneOrMany::One(emission)) => emission,
        _ => 0.0,
    };
    let curve = case.tso.curve.as_deref().unwrap_or_default();
    let mut milli = area(curve, import_kw) - area(curve, 0.0) + carbon_price * emission * import_kw;
    for ((site, kw), kvar) in case.sites.iter().zip(site_kw).zip(site_kvar) {
        milli -= use_of(&site.curve, *kw) + carbon_price * site.emission_t_per_mwh.unwrap_or(0.0) * kw;
        if let Reactive::Range { cost_eur_per_mvarh2, .. } = site.q {
            milli += cost_eur_per_mvarh2 * kvar * kvar / 1e3;
        }
    }
    // Not minus nothing.
    milli / 1e3 + 0.0
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
