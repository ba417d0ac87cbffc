//! From a forecaster to all: what prices, load and sun are expected, and how far they may miss it.

use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Three quantiles of one uncertain figure, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "(T, T, T)",
    into = "(T, T, T)",
    bound(serialize = "T: Serialize + Copy", deserialize = "T: Deserialize<'de> + Copy + Ord")
)]
pub struct Quantiles<T> {
    low: T,
    median: T,
    high: T,
}

/// Quantiles that are not in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the 10, 50 and 90 % quantiles of a forecast must not fall")]
pub struct DisorderedQuantiles;

impl<T: Copy> Quantiles<T> {
    /// A figure known for sure.
    pub fn certain(value: T) -> Self {
        Self { low: value, median: value, high: value }
    }
    /// The 10 % quantile: one time in ten the figure is lower.
    pub fn low(&self) -> T {
        self.low
    }
    /// The 50 % quantile.
    pub fn median(&self) -> T {
        self.median
    }
    /// The 90 % quantile.
    pub fn high(&self) -> T {
        self.high
    }
    /// The three, rising.
    pub fn rising(&self) -> [T; 3] {
        [self.low, self.median, self.high]
    }
}

impl<T: Copy + Ord> Quantiles<T> {
    /// The 10, 50 and 90 % quantiles.
    ///
    /// # Errors
    /// Where they fall.
    pub fn new(low: T, median: T, high: T) -> Result<Self, DisorderedQuantiles> {
        if low <= median && median <= high {
            Ok(Self { low, median, high })
        } else {
            Err(DisorderedQuantiles)
        }
    }
}

impl<T: Copy + Ord> TryFrom<(T, T, T)> for Quantiles<T> {
    type Error = DisorderedQuantiles;
    fn try_from((low, median, high): (T, T, T)) -> Result<Self, DisorderedQuantiles> {
        Self::new(low, median, high)
    }
}

impl<T> From<Quantiles<T>> for (T, T, T) {
    fn from(quantiles: Quantiles<T>) -> Self {
        (quantiles.low, quantiles.median, quantiles.high)
    }
}

/// What a forecaster expects, interval by interval without gaps. A list may be empty, where nothing is
/// known of its figure; each holds at most [`super::MAX_FORECAST`] intervals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantileForecast {
    /// The first interval of every list.
    pub first: Interval,
    /// How much of a price's departure from its median is left an hour later, in thousandths, at most
    /// 1000: whether a dear interval is the first of many or stands alone.
    pub persistence_permille: u16,
    /// Price at the grid supply point.
    pub prices: Vec<Quantiles<PicoEurPerWh>>,
    /// Load of the feeder besides what the market steers.
    pub loads: Vec<Quantiles<Milliwatt>>,
    /// What PV could feed in, in parts per million of its nameplate.
    pub pv_ppm: Vec<Quantiles<u32>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<[i64; 3]>) {
        let read = serde_json::from_str::<Quantiles<i64>>(text);
        assert_eq!(read.as_ref().ok().map(Quantiles::rising), expected, "{text}");
        if let Ok(read) = read {
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn quantiles_that_fall_are_none() {
        check("[-3,0,7]", Some([-3, 0, 7]));
        check("[1,1,1]", Some([1, 1, 1]));
        check("[1,0,7]", None);
        check("[-3,8,7]", None);
        check("[1,2]", None);
    }
}
