//! How cost grows with the number of sites.

use super::report::Speed;
use serde::Serialize;

/// The least size measured.
const LEAST_SITES: u32 = 1_000;

/// The same day with more and more sites.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// Each size's, the least first.
    pub measured: Vec<Speed>,
    /// `b` of `cost = a * sites^b`, fitted by least squares of the logarithms; 1 is linear. The cost is
    /// processor time, or where the system doesn't tell that, time passed.
    pub exponent: f64,
}

/// `most`, a tenth of it, and so on down to [`LEAST_SITES`]; the least first.
pub fn sizes(most: u32) -> Vec<u32> {
    let tenths = std::iter::successors(Some(most), |sites| Some(sites / 10));
    let mut sizes: Vec<u32> = tenths.take_while(|sites| *sites >= LEAST_SITES).collect();
    sizes.reverse();
    if sizes.is_empty() {
        sizes.push(most);
    }
    sizes
}

impl Scaling {
    /// None where fewer than two sizes were measured.
    pub fn of(measured: Vec<Speed>) -> Option<Self> {
        let points: Vec<(f64, f64)> = measured
            .iter()
            .map(|speed| (f64::from(speed.sites).ln(), speed.processor_seconds.ln()))
            .collect();
        let exponent = slope(&points)?;
        Some(Self { measured, exponent })
    }
}

/// Slope of the line through `points` by least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_tenfold_from_a_thousand_on() {
        let check = |most, expected: &[u32]| assert_eq!(sizes(most), expected);
        check(100_000, &[1_000, 10_000, 100_000]);
        check(5_000, &[5_000]);
        check(200, &[200]);
    }

    #[test]
    fn the_exponent_is_the_slope_of_logarithms() {
        let check = |seconds: [f64; 3], expected: f64| {
            let speed = |(sites, processor_seconds)| Speed { sites, processor_seconds, ..Speed::default() };
            let measured = [1_000, 10_000, 100_000].into_iter().zip(seconds).map(speed).collect();
            let exponent = Scaling::of(measured).unwrap().exponent;
            assert!((exponent - expected).abs() < 1e-12, "{exponent} for {expected}");
        };
        check([2.0, 20.0, 200.0], 1.0);
        check([1.0, 100.0, 10_000.0], 2.0);
        check([3.0, 3.0, 3.0], 0.0);
        assert_eq!(
            Scaling::of(vec![Speed { sites: 1_000, processor_seconds: 1.0, ..Speed::default() }]),
            None
        );
    }
}
