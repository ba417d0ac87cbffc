//! Prices and clearings by interval.

use super::answers::{Award, Clearing, Prices};
use super::{Place, ReadError, Reader};
use crate::rights::{EntryKind, Query};
use crate::state::IntervalRecord;
use market::interval::{Interval, UnixSeconds};
use market::units::PicoEurPerWh;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use wire::entry::{ClearingEntry, Entry};

impl Reader<'_> {
    /// Prices of the intervals that start in a span of time, of those that were cleared.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn prices(&self, from: UnixSeconds, to: UnixSeconds) -> Result<Vec<Prices>, ReadError> {
        self.allow(Query::PublicPrices)?;
        let (mut prices, known) = (Vec::new(), self.history.known_from()?);
        for at in self.intervals(from, to)? {
            match self.view.state.intervals().get(&at) {
                Some(record) => prices.push(self.recorded(at, record)),
                None => {
                    let cleared = self.clearing(at)?;
                    self.check_known(at, cleared.is_some(), known)?;
                    prices.extend(cleared.map(|(_, entry)| self.of_entry(&entry)));
                }
            }
        }
        Ok(prices)
    }

    /// How the intervals that start in a span of time were cleared.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn clearings(&self, from: UnixSeconds, to: UnixSeconds) -> Result<Vec<Clearing>, ReadError> {
        self.allow(Query::ClearingHistory)?;
        let (mut clearings, known) = (Vec::new(), self.history.known_from()?);
        for at in self.intervals(from, to)? {
            let cleared = self.clearing(at)?;
            self.check_known(at, cleared.is_some(), known)?;
            let Some((place, entry)) = cleared else { continue };
            let lines = self.view.rules.feeder.lines.iter().zip(&entry.flows);
            clearings.push(Clearing {
                prices: self.of_entry(&entry),
                height: place.height,
                entry: place.index,
                rounds: entry.rounds,
                import_milliwatt: entry.import.0,
                flow_milliwatt: lines.map(|(line, flow)| (line.id.clone(), flow.0)).collect(),
                awards: self.awards(at),
            });
        }
        Ok(clearings)
    }

    /// What the state still knows of an interval's awards.
    fn awards(&self, at: Interval) -> Vec<Award> {
        let record = self.view.state.intervals().get(&at);
        let awards = record.iter().flat_map(|record| &record.awards);
        let awards = awards.map(|(aggregator, award)| Award {
            aggregator: aggregator.to_string(),
            import_milliwatt: award.import.0,
            export_milliwatt: award.export.0,
        });
        awards.collect()
    }

    fn clearing(&self, at: Interval) -> Result<Option<(Place, ClearingEntry)>, ReadError> {
        let Some(place) = self.history.about(at, Some(EntryKind::Clearing))?.pop() else { return Ok(None) };
        let Some(decided) = self.history.block(place.height)? else { return Ok(None) };
        let entry = decided.entries().nth(place.index);
        Ok(match entry {
            Some((_, Entry::Clearing(entry))) => Some((place, entry)),
            _ => None,
        })
    }

    pub(super) fn recorded(&self, at: Interval, record: &IntervalRecord) -> Prices {
        self.priced(at, &record.prices, Some(record.carbon_adder))
    }

    fn of_entry(&self, entry: &ClearingEntry) -> Prices {
        self.priced(entry.interval, &entry.prices, None)
    }

    fn priced(&self, at: Interval, prices: &[PicoEurPerWh], adder: Option<PicoEurPerWh>) -> Prices {
        let buses = self.view.rules.feeder.buses.iter().zip(prices);
        Prices {
            interval_start: time_s(at.start()),
            price_pico_eur_per_wh: buses.map(|(bus, price)| (bus.clone(), price.0)).collect(),
            carbon_adder_pico_eur_per_wh: adder.map(|adder| adder.0),
        }
    }
}

/// RFC 3339 in UTC.
pub fn time_s(at: UnixSeconds) -> String {
    let time = OffsetDateTime::from_unix_timestamp(at.0).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{} s since 1970", at.0))
}

/// RFC 3339 in UTC, of milliseconds since 1970.
pub(super) fn time_ms(at_ms: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{at_ms} ms since 1970"))
}
