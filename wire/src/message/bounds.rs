//! Bounds on what a message may hold, checked right after decoding and before sending.

use super::{
    day_ahead, registry, Body, Demand, PriceQuestion, ReactiveAward, Verdict, MAX_CORNERS, MAX_FORECAST,
    MAX_TICKS_PER_QUESTION,
};
use crate::entry::{Entry, ReserveEntry, ResponseEntry, MAX_RESERVE_OFFERS, MAX_RESPONDING};
use market::grid::certificate::GridClearing;
use market::units::MicrogramPerWh;
use thiserror::Error;

/// Longest text in a message, in characters.
pub const MAX_TEXT_CHARS: usize = 200;
/// Most buses one message may name.
pub const MAX_BUSES_PER_MESSAGE: usize = 10_000;
/// Most sites in one delivery, and leaves in one tree of an aggregator.
pub const MAX_SITES: usize = 100_000;
/// Most siblings on a Merkle path: more than any tree of [`MAX_SITES`] leaves has.
pub const MAX_PATH_STEPS: usize = 40;
/// Most device faults one report may name.
pub const MAX_FAULTS: usize = 100;
/// Most signed demands in one clearing: one for each aggregator.
pub const MAX_DEMANDS: usize = 1_000;

/// Most emission a watt-hour of import can have, in micrograms: ten times that of lignite.
pub const MAX_EMISSION: usize = 10_000_000;

/// A message that holds more than it may.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the message's {what} number {count}, more than the {most} allowed")]
pub struct BoundsError {
    /// What there is too much of.
    pub what: &'static str,
    /// How much there is.
    pub count: usize,
    /// How much is allowed.
    pub most: usize,
}

pub(super) fn at_most(what: &'static str, count: usize, most: usize) -> Result<(), BoundsError> {
    if count > most {
        return Err(BoundsError { what, count, most });
    }
    Ok(())
}

pub(super) fn emission(of: MicrogramPerWh) -> Result<(), BoundsError> {
    at_most("micrograms emitted by a watt-hour", usize::try_from(of.0).unwrap_or(usize::MAX), MAX_EMISSION)
}

pub(super) fn text(what: &'static str, text: &str) -> Result<(), BoundsError> {
    // A text of n characters has at least n bytes, so most never need counting.
    if text.len() <= MAX_TEXT_CHARS {
        return Ok(());
    }
    at_most(what, text.chars().count(), MAX_TEXT_CHARS)
}

impl Body {
    /// Checks every bound of this kind of message. Curves and identifiers check themselves when
    /// decoded, and byte strings are bounded by the envelope.
    ///
    /// # Errors
    /// Names what there is too much of.
    pub fn check_bounds(&self) -> Result<(), BoundsError> {
        match self {
            Body::Ack(ack) => match &ack.verdict {
                Verdict::Accepted => Ok(()),
                Verdict::Refused(reason) => text("characters of reason", reason),
            },
            Body::PriceQuestion(question) => check_question(question),
            Body::Demand(demand) => check_demand(demand),
            Body::BidsCommitted(committed) => {
                at_most("buses", committed.reactive.len(), MAX_BUSES_PER_MESSAGE)?;
                committed.reactive.iter().try_for_each(|at| text("characters of bus name", &at.bus))
            }
            Body::Award(award) => {
                at_most("buses", award.buses.len(), MAX_BUSES_PER_MESSAGE)?;
                check_reactive(&award.reactive)?;
                award.buses.iter().try_for_each(|at| text("characters of bus name", &at.bus))
            }
            Body::FinalDemand(demand) => {
                at_most("buses", demand.buses.len(), MAX_BUSES_PER_MESSAGE)?;
                check_reactive(&demand.reactive)?;
                demand.buses.iter().try_for_each(|(at, _)| text("characters of bus name", &at.bus))
            }
            Body::Supply(supply) => emission(supply.emission),
            Body::Forecast(forecast) => at_most("prices", forecast.prices.len(), MAX_FORECAST),
            Body::QuantileForecast(forecast) => {
                at_most("thousandths of persistence", forecast.persistence_permille.into(), 1_000)?;
                at_most("prices", forecast.prices.len(), MAX_FORECAST)?;
                at_most("loads", forecast.loads.len(), MAX_FORECAST)?;
                at_most("parts of PV", forecast.pv_ppm.len(), MAX_FORECAST)
            }
            Body::Submit(entry) => check_entry(entry),
            Body::Firm(firm) => {
                text("characters of bus name", &firm.bus.bus)?;
                check_reactive(firm.reactive.as_ref().map(|told| &told.award))?;
                at_most("path steps", firm.path.steps.len(), MAX_PATH_STEPS)?;
                at_most("path steps", firm.bid_path.siblings.len(), MAX_PATH_STEPS)
            }
            Body::SetpointReport(report) => {
                at_most("faults", report.faults.len(), MAX_FAULTS)?;
                report.faults.iter().try_for_each(|fault| {
                    text("characters of device name", &fault.device)?;
                    text("characters of reason", &fault.reason)
                })
            }
            Body::DayAheadBid(_)
            | Body::DayAheadCommitted(_)
            | Body::DayAheadSupply(_)
            | Body::DayAheadQuestion(_)
            | Body::DayAheadDemand(_)
            | Body::DayAheadAward(_)
            | Body::DayAheadFinalDemand(_)
            | Body::DayAheadFirm(_) => day_ahead::check_body(self),
            Body::RegistryQuestion(_)
            | Body::RegistrySummary(_)
            | Body::BlockQuestion(_)
            | Body::DoubleClearing(_) => Ok(()),
            Body::Tick(_) | Body::Bid(_) | Body::Consensus(_) | Body::Block(_) | Body::MeterReading(_) => {
                Ok(())
            }
        }
    }
}

fn check_reactive<'a>(awards: impl IntoIterator<Item = &'a ReactiveAward>) -> Result<(), BoundsError> {
    awards.into_iter().enumerate().try_for_each(|(place, award)| {
        at_most("buses", place + 1, MAX_BUSES_PER_MESSAGE)?;
        text("characters of bus name", &award.bus)
    })
}

fn check_question(question: &PriceQuestion) -> Result<(), BoundsError> {
    // No window without a tick, so that windows are bounded with them.
    let ticks = question.windows.iter().map(|window| window.ticks.len().max(1)).sum();
    at_most("ticks", ticks, MAX_TICKS_PER_QUESTION)?;
    at_most("buses", question.buses.len(), MAX_BUSES_PER_MESSAGE)?;
    question.buses.iter().try_for_each(|asked| {
        text("characters of bus name", &asked.bus)?;
        at_most("windows", asked.windows.len(), question.windows.len())
    })
}

fn check_demand(demand: &Demand) -> Result<(), BoundsError> {
    at_most("buses", demand.buses.len(), MAX_BUSES_PER_MESSAGE)?;
    demand.buses.iter().try_for_each(|at| {
        text("characters of bus name", &at.bus)?;
        at_most("powers", at.powers.len(), MAX_TICKS_PER_QUESTION)?;
        at_most("corners", at.corners.len(), MAX_CORNERS)
    })
}

fn check_entry(entry: &Entry) -> Result<(), BoundsError> {
    match entry {
        Entry::Clearing(clearing) => {
            at_most("prices", clearing.prices.len(), MAX_BUSES_PER_MESSAGE)?;
            at_most("flows", clearing.flows.len(), MAX_BUSES_PER_MESSAGE)?;
            at_most("demands", clearing.demands.len(), MAX_DEMANDS)?;
            let grid = clearing.grid.as_deref();
            let lists = |grid: &GridClearing| {
                let prices = grid.prices.len().max(grid.reactive_prices.len());
                prices.max(grid.flows.len()).max(grid.multipliers.len())
            };
            at_most("the grid's figures", grid.map_or(0, lists), MAX_BUSES_PER_MESSAGE)
        }
        Entry::DayAhead(entry) => day_ahead::check_entry(entry),
        Entry::Delivery(delivery) => {
            for batch in [&delivery.readings, &delivery.bids] {
                text("characters of a batch's location", &batch.location)?;
            }
            at_most("sites", delivery.sites.len(), MAX_SITES)?;
            at_most("positions", delivery.positions.len(), MAX_SITES)
        }
        Entry::Transfer(_) | Entry::Mint(_) | Entry::Redeem(_) | Entry::Burn(_) | Entry::Ballot(_) => Ok(()),
        Entry::Participant(entry) => registry::check_participant(entry),
        Entry::Proposal(entry) => registry::check_proposal(entry),
        Entry::Bilateral(_) | Entry::Evidence(_) | Entry::DoubleClearing(_) => Ok(()),
        Entry::Reserve(ReserveEntry::Award(award)) => {
            at_most("offers", award.powers.len(), MAX_RESERVE_OFFERS)
        }
        Entry::Response(ResponseEntry::Call(call)) => at_most("sites", call.sites.len(), MAX_RESPONDING),
        Entry::Reserve(_) | Entry::Response(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{BusQuestion, DeviceFault, Forecast, ForecastPrice, PriceWindow, SetpointReport};
    use market::interval::Interval;
    use market::units::PicoEurPerWh;

    fn check(body: Body, expected: Option<&'static str>) {
        assert_eq!(body.check_bounds().err().map(|e| e.what), expected);
    }

    fn question(ticks: usize) -> Body {
        let (from, to) = (PicoEurPerWh::ZERO, PicoEurPerWh::ZERO);
        let windows = vec![PriceWindow { from, to, ticks: vec![PicoEurPerWh::ZERO; ticks] }];
        Body::PriceQuestion(PriceQuestion {
            interval: Interval::default(),
            round: 1,
            windows,
            buses: Vec::new(),
        })
    }

    fn fault(reason: &str) -> Body {
        let fault = DeviceFault { device: "battery".into(), reason: reason.into() };
        let interval = Interval::default();
        Body::SetpointReport(SetpointReport { interval, commitment: None, confirmed: 0, faults: vec![fault] })
    }

    #[test]
    fn a_message_holds_as_much_as_it_may_and_no_more() {
        check(question(MAX_TICKS_PER_QUESTION), None);
        check(question(MAX_TICKS_PER_QUESTION + 1), Some("ticks"));
        let Body::PriceQuestion(mut twice) = question(1) else { panic!() };
        twice.buses.push(BusQuestion { bus: "b".to_owned(), windows: vec![0, 0] });
        check(Body::PriceQuestion(twice), Some("windows"));
        check(fault(&"é".repeat(MAX_TEXT_CHARS)), None);
        check(fault(&"é".repeat(MAX_TEXT_CHARS + 1)), Some("characters of reason"));
        let price = ForecastPrice { interval: Interval::default(), price: PicoEurPerWh::ZERO };
        check(Body::Forecast(Forecast { prices: vec![price; MAX_FORECAST + 1] }), Some("prices"));
    }
}
