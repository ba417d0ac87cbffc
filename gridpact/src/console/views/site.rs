//! One site's own page: its price, schedule, readings and payments, and its devices where those are known here.

use super::super::core::IntervalBook;
use super::super::devices::DeviceView;
use super::super::exact::Exact;
use super::{start, Desk};
use market::interval::Interval;
use serde::Serialize;
use wire::party::{Id, Participant};

/// Intervals shown, those to come among them.
const SHOWN: usize = 192;

/// A site.
#[derive(Serialize)]
pub struct SiteView {
    /// Its name.
    pub site: String,
    /// Its account on the ledger.
    pub account: String,
    /// Its bus.
    pub bus: Option<String>,
    /// Who bids for it.
    pub aggregator: Option<String>,
    /// What its connection carries.
    pub connection_milliwatt: Option<Exact>,
    /// What it holds; none for who may not see that.
    pub balance_nano_eur: Option<Exact>,
    /// Intervals, the earliest first.
    pub intervals: Vec<SiteInterval>,
    /// Its devices; none where they are not known, which is everywhere but at the site.
    pub devices: Option<Vec<DeviceView>>,
}

/// A site's interval. What has a height stands on the ledger; the rest the site said.
#[derive(Serialize)]
pub struct SiteInterval {
    /// Its start.
    pub start: String,
    /// The local price; none until it is cleared.
    pub price_pico_eur_per_wh: Option<Exact>,
    /// The day-ahead price at its bus.
    pub ahead_price_pico_eur_per_wh: Option<Exact>,
    /// What it holds day-ahead.
    pub position_milliwatt: Option<Exact>,
    /// What it is committed to.
    pub commitment_milliwatt: Option<Exact>,
    /// The same over the interval.
    pub committed_millijoule: Option<Exact>,
    /// What its meter counted.
    pub energy_millijoule: Option<Exact>,
    /// What it received; negative: paid.
    pub payment_nano_eur: Option<Exact>,
    /// Height of the block that settled it.
    pub height: Option<u64>,
    /// The entry's place there.
    pub entry: Option<usize>,
    /// Setpoints written and read back as written.
    pub setpoints_confirmed: Option<u32>,
    /// Devices that did not take theirs.
    pub faults: Vec<String>,
}

impl Desk<'_> {
    /// A site's page; none where there is no such site, or it is not this viewer's to see.
    pub fn site_view(&self, id: &Id, devices: Option<Vec<DeviceView>>) -> Option<SiteView> {
        let site = self.site(id)?;
        let view = &self.book.view;
        let held = view.state.accounts().get(&site.account);
        let held = held.filter(|_| self.viewer.may_see_balance(&view.rules, &site.account));
        let bus = site.bus.as_ref().and_then(|bus| view.rules.bus_index.get(bus)).map(|bus| *bus as usize);
        let mut starts: Vec<Interval> = self.book.intervals.keys().copied().collect();
        starts.extend(self.book.heard.sites.get(id).into_iter().flatten().map(|(interval, _)| *interval));
        starts.sort_unstable();
        starts.dedup();
        let skipped = starts.len().saturating_sub(SHOWN);
        let intervals = starts.into_iter().skip(skipped).map(|at| self.of_site(&site, bus, at));
        Some(SiteView {
            site: site.party.id.to_string(),
            account: site.account.to_string(),
            aggregator: site.aggregator.as_ref().map(Id::to_string),
            connection_milliwatt: site.connection_milliwatt.map(Exact),
            balance_nano_eur: held.map(|held| Exact(held.balance.0)),
            intervals: intervals.collect(),
            bus: site.bus.clone(),
            devices,
        })
    }

    fn of_site(&self, site: &Participant, bus: Option<usize>, at: Interval) -> SiteInterval {
        let none = IntervalBook::default();
        let book = self.book.intervals.get(&at).unwrap_or(&none);
        let prices = book.cleared.as_ref().map(|cleared| &cleared.clearing.prices);
        let price = |prices: Option<&Vec<market::units::PicoEurPerWh>>| {
            prices.zip(bus).and_then(|(prices, bus)| prices.get(bus)).map(|price| Exact(price.0))
        };
        let settled = site.aggregator.as_ref().and_then(|aggregator| book.settled.get(aggregator));
        let line = settled.and_then(|s| s.delivery.sites.iter().find(|line| line.account == site.account));
        let settled = settled.filter(|_| line.is_some());
        let held = settled
            .and_then(|s| s.delivery.positions.iter().find(|held| held.account == site.account))
            .map(|held| held.position);
        let said = self.book.heard.of(&site.party.id, at);
        let commitment = line.map(|line| line.commitment).or_else(|| said.and_then(|said| said.commitment));
        let energy = match line {
            Some(line) => line.energy,
            None => said.and_then(|said| said.energy),
        };
        let payments = settled.and_then(|settled| settled.payments.as_ref());
        let payment = payments.and_then(|payments| payments.get(&site.account));
        let interval_s = self.book.view.rules.parameters.interval_s;
        let faults = said.iter().flat_map(|said| &said.faults);
        SiteInterval {
            start: start(at),
            price_pico_eur_per_wh: price(prices),
            ahead_price_pico_eur_per_wh: price(book.ahead.as_ref()),
            position_milliwatt: held
                .or_else(|| said.and_then(|said| said.position))
                .map(|position| Exact(position.0)),
            commitment_milliwatt: commitment.map(|power| Exact(power.0)),
            committed_millijoule: commitment.map(|power| Exact(power.over_seconds(interval_s).0)),
            energy_millijoule: energy.map(|energy| Exact(energy.0)),
            payment_nano_eur: payment.map(|payment| Exact(payment.0)),
            height: settled.map(|settled| settled.height),
            entry: settled.map(|settled| settled.entry),
            setpoints_confirmed: said.and_then(|said| said.confirmed),
            faults: faults.map(|(device, reason)| format!("{device}: {reason}")).collect(),
        }
    }
}
