//! A day's figures: its record replayed minute by minute through the feeder by AC power flow. Both days
//! go through here, so that they can be held against each other.

use super::record::{at_buses, generated_kw, DayRecord, Service};
use crate::neighbourhood::day::INTERVAL_S;
use crate::neighbourhood::Neighbourhood;
use market::feeder::FeederError;
use market::powerflow::{solve, Load, PowerFlow};
use serde::Serialize;
use sim_devices::world::SAMPLE_S;

/// Voltage at the grid supply point, in p.u.
const SOURCE_PU: f64 = 1.0;

/// A day in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Import less export at the grid supply point, losses included, at the day-ahead price.
    pub energy_cost_eur: f64,
    /// Energy imported.
    pub import_kwh: f64,
    /// Energy exported.
    pub export_kwh: f64,
    /// Energy lost on lines and in the transformer.
    pub loss_kwh: f64,
    /// Most import in any minute.
    pub peak_import_kw: f64,
    /// Most export in any minute.
    pub peak_export_kw: f64,
    /// Most apparent power through the transformer, of its rating.
    pub transformer_loading_percent: f64,
    /// Most apparent power on any line, of its rating.
    pub line_loading_percent: f64,
    /// Minutes in which the transformer or any line was above its rating.
    pub minutes_overloaded: usize,
    /// Minutes for which there is no power flow: the feeder would have collapsed.
    pub minutes_without_power_flow: usize,
    /// Lowest voltage at any bus, in p.u.
    pub voltage_min_pu: f64,
    /// Highest voltage at any bus, in p.u.
    pub voltage_max_pu: f64,
    /// What the sun gave and the feeder's customers used or stored in the same minute.
    pub pv_used_locally_kwh: f64,
    /// Of what the sun could have given, what was neither curtailed nor exported; none without sun.
    pub pv_used_locally_percent: Option<f64>,
    /// What customers got.
    pub service: Service,
}

/// Replays a day.
///
/// # Errors
/// Where the feeder is no tree.
pub fn replay(neighbourhood: &Neighbourhood, record: &DayRecord) -> Result<Figures, FeederError> {
    let feeder = &neighbourhood.feeder;
    let tree = feeder.tree()?;
    let place = |name: &str| feeder.buses.iter().position(|bus| bus == name).unwrap_or(0);
    let bus_of_site: Vec<usize> =
        neighbourhood.customers.iter().map(|customer| place(neighbourhood.bus_of(customer))).collect();
    let minutes = record.minutes.iter().map(Vec::len).min().unwrap_or(0);
    let minutes_per_interval = (INTERVAL_S / SAMPLE_S) as usize;
    let mut figures = Figures { voltage_min_pu: SOURCE_PU, voltage_max_pu: SOURCE_PU, ..Figures::default() };
    for minute in 0..minutes {
        let loads: Vec<Load> = at_buses(record, &bus_of_site, feeder.buses.len(), minute)
            .into_iter()
            .map(|(power, reactive_millivar)| Load { power, reactive_millivar })
            .collect();
        let price = neighbourhood.prices[minute / minutes_per_interval % neighbourhood.prices.len()];
        match solve(feeder, &tree, SOURCE_PU, &loads) {
            Ok(flow) => {
                figures.add(&flow, price.eur_per_mwh());
                figures.add_generation(&flow, generated_kw(record, minute));
            }
            Err(error) => {
                tracing::warn!(minute, %error, "a minute without power flow");
                figures.minutes_without_power_flow += 1;
            }
        }
    }
    figures.finish(record.service.clone());
    Ok(figures)
}

impl Figures {
    fn add(&mut self, flow: &PowerFlow, price_eur_per_mwh: f64) {
        let hours = SAMPLE_S as f64 / 3_600.0;
        self.energy_cost_eur += flow.import_kw * hours * price_eur_per_mwh / 1e3;
        self.import_kwh += flow.import_kw.max(0.0) * hours;
        self.export_kwh += (-flow.import_kw).max(0.0) * hours;
        self.loss_kwh += flow.loss_kw * hours;
        self.peak_import_kw = self.peak_import_kw.max(flow.import_kw);
        self.peak_export_kw = self.peak_export_kw.max(-flow.import_kw);
        let mut loadings = flow.lines.iter().map(|line| line.loading.unwrap_or(0.0) * 100.0);
        // The neighbourhood's first line is its transformer.
        let transformer = loadings.next().unwrap_or(0.0);
        let lines = loadings.fold(0.0, f64::max);
        self.transformer_loading_percent = self.transformer_loading_percent.max(transformer);
        self.line_loading_percent = self.line_loading_percent.max(lines);
        if transformer.max(lines) > 100.0 {
            self.minutes_overloaded += 1;
        }
        self.voltage_min_pu = flow.voltages_pu.iter().copied().fold(self.voltage_min_pu, f64::min);
        self.voltage_max_pu = flow.voltages_pu.iter().copied().fold(self.voltage_max_pu, f64::max);
    }

    /// Of what leaves the feeder in a minute, the sun's part counts first: batteries get no credit for
    /// exporting beside it.
    fn add_generation(&mut self, flow: &PowerFlow, generated_kw: f64) {
        let hours = SAMPLE_S as f64 / 3_600.0;
        let exported_kw = (-flow.import_kw).max(0.0);
        self.pv_used_locally_kwh += (generated_kw - exported_kw).max(0.0) * hours;
    }

    fn finish(&mut self, service: Service) {
        if service.pv_available_kwh > 0.0 {
            self.pv_used_locally_percent = Some(100.0 * self.pv_used_locally_kwh / service.pv_available_kwh);
        }
        self.service = service;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbourhood::dataset::Dataset;
    use crate::neighbourhood::day::{Day, Season, Weekday};
    use crate::neighbourhood::simbench::Grid;
    use market::units::Milliwatt;
    use sim_devices::world::Sample;

    /// One hour in which the first customer takes `power_kw` and nobody else anything.
    fn hour(power_kw: f64) -> Figures {
        let day = Day { season: Season::Winter, weekday: Weekday::Wednesday };
        let here = Neighbourhood::read(Grid::Rural1, day, &Dataset::Embedded).unwrap();
        let sample = |minute: i64, power_kw| Sample {
            start: here.first.start().plus(minute * SAMPLE_S),
            power: Milliwatt::from_kw(power_kw).unwrap(),
            reactive_mvar: 0,
            generated: Milliwatt::ZERO,
        };
        let site = |power_kw| (0..60).map(|minute| sample(minute, power_kw)).collect::<Vec<_>>();
        let mut minutes = vec![site(0.0); here.customers.len()];
        minutes[0] = site(power_kw);
        replay(&here, &DayRecord { minutes, service: Service::default() }).unwrap()
    }

    #[test]
    fn an_hour_costs_its_energy_at_the_hours_price() {
        let figures = hour(20.0);
        // 89.29 EUR/MWh that hour; what is lost on the way is bought as well.
        let bought_kwh = 20.0 + figures.loss_kwh;
        assert!((figures.import_kwh - bought_kwh).abs() < 1e-6, "{figures:?}");
        assert!((figures.energy_cost_eur - bought_kwh * 0.08929).abs() < 1e-6, "{figures:?}");
        assert!(figures.loss_kwh > 0.0 && figures.loss_kwh < 1.0, "{figures:?}");
        assert_eq!((figures.minutes_overloaded, figures.pv_used_locally_percent), (0, None));
    }

    #[test]
    fn every_minute_above_a_rating_counts_whichever_way_power_flows() {
        assert_eq!(hour(165.0).minutes_overloaded, 60);
        let export = hour(-165.0);
        assert_eq!(export.minutes_overloaded, 60);
        assert!(export.peak_export_kw > 150.0 && export.energy_cost_eur < 0.0, "{export:?}");
        assert!(export.transformer_loading_percent > 97.0, "{export:?}");
    }
}
