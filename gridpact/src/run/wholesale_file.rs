//! A TSO interface's wholesale market: the transmission network and everybody's curves but the feeder's, as
//! a TOML file.

use agents::tso::wholesale::{Trader, Wholesale};
use market::auction::nodal::{Link, Network};
use market::curve::{Breakpoint, FlexCurve};
use market::units::{Milliwatt, PicoEurPerWh};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a file holds no market.
#[derive(Debug, Error)]
pub enum WholesaleFileError {
    /// It can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or not of this form.
    #[error("{path}: {source}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        source: Box<toml::de::Error>,
    },
    /// Of this form, and makes no market.
    #[error("{path}: {place}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    feeder_bus: String,
    #[serde(default)]
    line: Vec<Line>,
    trader: Vec<TraderFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    from: String,
    to: String,
    /// None: its flow can be chosen.
    reactance_pu: Option<f64>,
    limit_mw: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TraderFile {
    bus: String,
    /// Price in EUR/MWh and power in MW, delivered power negative.
    curve: Vec<[f64; 2]>,
    #[serde(default)]
    profile: Vec<f64>,
}

/// Reads a market for a feeder that may import from `import_min` to `import_max`.
///
/// # Errors
/// Names file and place.
pub fn read(
    path: &Path,
    import_min: Milliwatt,
    import_max: Milliwatt,
) -> Result<Wholesale, WholesaleFileError> {
    let path = path.to_owned();
    let text = std::fs::read_to_string(&path)
        .map_err(|source| WholesaleFileError::Unreadable { path: path.clone(), source })?;
    let file: File = toml::from_str(&text)
        .map_err(|source| WholesaleFileError::Form { path: path.clone(), source: Box::new(source) })?;
    market(file, import_min, import_max).map_err(|(place, reason)| WholesaleFileError::Value {
        path,
        place,
        reason,
    })
}

/// The market, or the place in the file and what is wrong there.
fn market(file: File, import_min: Milliwatt, import_max: Milliwatt) -> Result<Wholesale, (String, String)> {
    let mut network = Network::default();
    let mut index = |name: &str| {
        network.buses.iter().position(|bus| bus == name).unwrap_or_else(|| {
            network.buses.push(name.to_owned());
            network.buses.len() - 1
        })
    };
    let bus = index(&file.feeder_bus);
    let out = |place: String| (place, "it is out of bounds".to_owned());
    let mut links = Vec::with_capacity(file.line.len());
    for (i, line) in file.line.iter().enumerate() {
        let limit = match line.limit_mw {
            None => None,
            Some(limit) => {
                let limit = Milliwatt::from_kw(limit * 1e3);
                Some(limit.ok_or_else(|| out(format!("line[{i}].limit_mw")))?)
            }
        };
        let id = format!("{}-{}", line.from, line.to);
        links.push(Link {
            id,
            from: index(&line.from),
            to: index(&line.to),
            reactance: line.reactance_pu,
            limit,
        });
    }
    let mut traders = Vec::with_capacity(file.trader.len());
    for (i, trader) in file.trader.iter().enumerate() {
        let place = || format!("trader[{i}].curve");
        let corner = |[price, megawatt]: &[f64; 2]| {
            let price = PicoEurPerWh::from_eur_per_mwh(*price)?;
            Some(Breakpoint { price, power: Milliwatt::from_kw(megawatt * 1e3)? })
        };
        let points =
            trader.curve.iter().map(corner).collect::<Option<Vec<_>>>().ok_or_else(|| out(place()))?;
        let curve = FlexCurve::new(points).map_err(|error| (place(), error.to_string()))?;
        if trader.profile.iter().any(|scale| !(0.0..=1e6).contains(scale)) {
            return Err(out(format!("trader[{i}].profile")));
        }
        traders.push(Trader { bus: index(&trader.bus), curve, profile: trader.profile.clone() });
    }
    network.links = links;
    Ok(Wholesale { network, bus, traders, import_min, import_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Wholesale, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wholesale.toml");
        std::fs::write(&path, text).unwrap();
        read(&path, Milliwatt::ZERO, Milliwatt(1)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_market_is_read_whole() {
        let market = read_text(
            "feeder_bus = 'town'\n\
             [[line]]\nfrom = 'plants'\nto = 'town'\nreactance_pu = 0.1\nlimit_mw = 2\n\
             [[trader]]\nbus = 'plants'\ncurve = [[30, 0], [30, -10]]\nprofile = [1, 0.5]\n",
        )
        .unwrap();
        assert_eq!(market.network.buses, ["town", "plants"]);
        assert_eq!((market.bus, market.traders[0].bus), (0, 1));
        assert_eq!(market.network.links[0].limit, Some(Milliwatt(2_000_000_000)));
        assert_eq!(market.traders[0].curve.power_min(), Milliwatt(-10_000_000_000));
        assert_eq!(market.traders[0].profile, [1.0, 0.5]);
    }

    fn check(trader: &str, expected: &str) {
        let error = read_text(&format!("feeder_bus = 'a'\n[[trader]]\nbus = 'a'\n{trader}\n")).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        check("curve = [[30, -10], [30, 0]]", "trader[0].curve: breakpoint 1: power increases");
        check("curve = [[nan, 0]]", "trader[0].curve: it is out of bounds");
        check("curve = [[1, 0]]\nprofile = [-1]", "trader[0].profile");
        check("curves = [[1, 0]]", "unknown field `curves`");
    }
}
