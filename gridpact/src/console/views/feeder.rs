//! What hardly changes: the feeder as it is drawn, who takes part, and what this viewer may see.

use super::super::exact::Exact;
use super::super::grid::Spot;
use super::Desk;
use ledger::rights::Query;
use serde::Serialize;

/// The market.
#[derive(Serialize)]
pub struct Market {
    /// Network and feeder.
    pub network: String,
    /// Identity of the ledger.
    pub ledger: String,
    /// Length of an interval.
    pub interval_s: i64,
    /// Who looks.
    pub viewer: String,
    /// Whether this is a demo, where all is made up and all is shown.
    pub demo: bool,
    /// Which parts this viewer may see.
    pub may: May,
    /// Limits of voltage; none where the market has none.
    pub voltage_min_micro_pu: Option<Exact>,
    /// The most.
    pub voltage_max_micro_pu: Option<Exact>,
    /// Every bus, in the feeder's order.
    pub buses: Vec<Bus>,
    /// Every line, in the feeder's order.
    pub lines: Vec<Line>,
    /// Sites whose pages may be seen.
    pub sites: Vec<Site>,
}

/// What may be seen.
#[derive(Serialize)]
pub struct May {
    /// Flows, voltages and curves.
    pub clearings: bool,
    /// Every site's commitments.
    pub commitments: bool,
}

/// A bus.
#[derive(Serialize)]
pub struct Bus {
    /// Its name.
    pub bus: String,
    /// Where it is drawn.
    #[serde(flatten)]
    pub spot: Spot,
}

/// A line or transformer.
#[derive(Serialize)]
pub struct Line {
    /// Its name.
    pub line: String,
    /// Apparent power that its loading is measured against; none where it has no limit.
    pub rating_millivoltampere: Option<Exact>,
    /// Most real power that the market lets flow into it.
    pub power_max_milliwatt: Option<Exact>,
    /// Least real power, negative: back towards the grid supply point.
    pub power_min_milliwatt: Option<Exact>,
}

/// A site.
#[derive(Serialize)]
pub struct Site {
    /// Its name.
    pub site: String,
    /// Its bus.
    pub bus: Option<String>,
    /// Who bids for it.
    pub aggregator: Option<String>,
}

impl Desk<'_> {
    /// The market.
    pub fn market(&self) -> Market {
        let rules = &self.book.view.rules;
        let feeder = &rules.feeder;
        let network = rules.verifier.network();
        let limits = rules.governed.grid.as_ref().map(|grid| grid.voltage);
        let buses = feeder.buses.iter().zip(&self.book.spots);
        Market {
            network: format!("{}/{}", network.network, network.feeder),
            ledger: rules.verifier.ledger().to_string(),
            interval_s: rules.parameters.interval_s,
            viewer: self.viewer.words(),
            demo: *self.viewer == super::super::viewer::Viewer::Player,
            may: May {
                clearings: self.viewer.may(Query::ClearingHistory),
                commitments: self.viewer.may(Query::AnyCommitments),
            },
            voltage_min_micro_pu: limits.and_then(|limits| limits.min_micro_pu).map(Exact),
            voltage_max_micro_pu: limits.and_then(|limits| limits.max_micro_pu).map(Exact),
            buses: buses.map(|(bus, spot)| Bus { bus: bus.clone(), spot: *spot }).collect(),
            lines: feeder.lines.iter().map(line).collect(),
            sites: self.sites().map(site).collect(),
        }
    }
}

fn line(line: &market::feeder::Line) -> Line {
    Line {
        line: line.id.clone(),
        rating_millivoltampere: line.rating_millivoltampere.map(Exact),
        power_max_milliwatt: line.power_max.map(|power| Exact(power.0)),
        power_min_milliwatt: line.power_min.map(|power| Exact(power.0)),
    }
}

fn site(site: wire::party::Participant) -> Site {
    Site {
        site: site.party.id.to_string(),
        bus: site.bus,
        aggregator: site.aggregator.map(|aggregator| aggregator.to_string()),
    }
}
