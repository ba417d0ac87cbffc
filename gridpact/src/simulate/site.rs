//! One site's controller: bids for its household, splits what it was allocated over the devices, is
//! settled by its meter.

use super::error::SimulateError;
use super::household::{Counted, Household};
use super::population::SitePlan;
use agents::device::ladder::PriceRange;
use agents::device::preferences::Preferences;
use agents::device::{DeviceAgent, Outlook, Reading};
use agents::site::bidding::{base_load, make_bid, OwnBid};
use agents::site::plan::{plan, Allocation, Rules};
use agents::site::schedule::{setpoint_of, Setpoint};
use market::curve::FlexCurve;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::settlement::{settle_site, SiteSettlement};
use market::units::{Milliwatt, PicoEurPerWh};
use wire::hash::Hash32;

/// A site.
pub struct Site {
    /// Index of its bus in the street's feeder.
    pub bus: usize,
    /// What lies behind its connection.
    pub household: Household,
    name: String,
    connection: Milliwatt,
    agents: Vec<DeviceAgent>,
    wishes: Vec<Preferences>,
    bid: Option<OwnBid>,
    orders: Vec<(usize, Setpoint)>,
}

/// What a site's controller knows of the market when it splits an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The market's rules.
    pub parameters: &'a MarketParameters,
    /// Which interval.
    pub interval: Interval,
    /// Price at the grid supply point.
    pub price_root: PicoEurPerWh,
}

impl Site {
    /// As it is at `start`.
    ///
    /// # Errors
    /// A device that can't be.
    pub fn new(site: SitePlan, start: UnixSeconds) -> Result<Self, SimulateError> {
        let SitePlan { bus, spec, wishes, connection } = site;
        let name = spec.name.clone();
        Ok(Self {
            bus,
            household: Household::new(spec, start)?,
            name,
            connection,
            agents: wishes.iter().cloned().map(DeviceAgent::new).collect(),
            wishes,
            bid: None,
            orders: Vec::new(),
        })
    }

    /// Reads meter and devices, and bids for the interval of `outlook`.
    ///
    /// # Errors
    /// Where a device's state makes no curve: in a simulation that is a fault and no outage.
    pub fn bid(&mut self, outlook: &Outlook) -> Result<(), SimulateError> {
        let read = |device: &super::equipment::Equipment| Ok(device.reading(outlook.read_at));
        let readings: Vec<Result<Reading, String>> = self.household.equipment().iter().map(read).collect();
        let base = base_load(self.household.power(), &readings);
        let (own, left_out) = make_bid(&mut self.agents, &readings, base, self.connection, outlook)
            .map_err(|source| SimulateError::Curve { site: self.name.clone(), source })?;
        if let Some((device, reason)) = left_out.into_iter().next() {
            return Err(SimulateError::Bid { site: self.name.clone(), device, reason });
        }
        self.bid = Some(own);
        Ok(())
    }

    /// What it bid.
    pub fn curve(&self) -> Option<&FlexCurve> {
        self.bid.as_ref().map(|bid| &bid.curve)
    }

    /// Splits its allocation over its devices; [`Self::act`] tells them.
    pub fn take(&mut self, terms: &Terms<'_>, price: PicoEurPerWh, power: Milliwatt) {
        let Some(bid) = &self.bid else { return };
        self.orders.clear();
        if bid.devices.is_empty() {
            return;
        }
        let MarketParameters { price_min, price_max, imbalance_spread, .. } = *terms.parameters;
        let start = terms.interval.start().0.to_be_bytes();
        let rules = Rules {
            range: PriceRange { min: price_min, max: price_max },
            imbalance_spread,
            draw: Hash32::of("gridpact site draw", &[self.name.as_bytes(), &start]),
        };
        let export_full = price < terms.price_root;
        let powers = plan(bid, Allocation { price, power, export_full }, &rules);
        for (place, ((power, device), wish)) in
            powers.into_iter().zip(&bid.devices).zip(&self.wishes).enumerate()
        {
            if let (Some(power), Some(device)) = (power, device) {
                self.orders.push((place, setpoint_of(wish, power, device, export_full)));
            }
        }
    }

    /// Writes the setpoints of the interval that begins at `now`.
    pub fn act(&mut self, now: UnixSeconds, hold_s: u16) {
        for (place, setpoint) in &self.orders {
            if let Some(agent) = self.agents.get_mut(*place) {
                agent.is_told(setpoint.power());
            }
            if let Some(device) = self.household.equipment_mut().get_mut(*place) {
                device.obey(now, *setpoint, hold_s);
            }
        }
    }

    /// Settles the interval that has ended, by what the meter counted.
    ///
    /// # Errors
    /// A payment beyond 64 bits.
    pub fn settle(
        &self,
        terms: &Terms<'_>,
        price: PicoEurPerWh,
        commitment: Milliwatt,
        counted: Counted,
    ) -> Result<SiteSettlement, SimulateError> {
        settle_site(terms.parameters, price, terms.price_root, commitment, Some(counted.energy))
            .map_err(|source| SimulateError::Settlement { site: self.name.clone(), source })
    }
}
