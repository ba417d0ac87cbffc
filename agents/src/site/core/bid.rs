//! The site's bid for the next interval, from what its devices and its meter were read to say.

use super::{note, show, Effects, SiteConfig, SiteCore};
use crate::device::base_load::BaseLoad;
use crate::device::Reading;
use crate::site::bidding::{base_load, make_bid, reactive_offer};
use crate::site::figure::Figure;
use crate::site::tag::About;
use hw_adapters::device::MeterState;
use market::interval::{Interval, UnixSeconds};
use market::units::Milliwatt;
use wire::message::{Bid, Body, PastReading};

impl SiteCore {
    pub(super) fn bid(
        &mut self,
        now: UnixSeconds,
        interval: Interval,
        meter: Result<MeterState, String>,
        devices: &[Result<Reading, String>],
        out: &mut Effects,
    ) {
        if now >= self.config.parameters.gate_closure(interval) {
            return note(out, "bid-late", format!("devices were read too late to bid for the {interval}"));
        }
        let out_before = self.out_of_bids();
        self.obedience.read(devices, meter.as_ref().ok().map(|meter| base_load(meter.power, devices)));
        self.show_obedience(&out_before, out);
        let devices = &self.trusted(devices);
        let Some(base) = self.load_now(now, meter, devices, out) else { return };
        let occasion = self.occasion(interval);
        let outlook = self.expectations.outlook(&occasion, &self.config.parameters);
        let sun = self.expectations.sun(&occasion, &self.config.parameters);
        self.agents.iter_mut().for_each(|agent| agent.expect_sun(sun));
        let answers = self.config.tariff.as_ref().and_then(|tariff| tariff.at(interval.start()));
        let base = BaseLoad { power: base, answers };
        match make_bid(&mut self.agents, devices, base, self.config.standing.connection, &outlook) {
            Ok((mut own, left_out)) => {
                let SiteConfig { standing, .. } = &self.config;
                if standing.clears_reactive {
                    own.reactive = reactive_offer(&own.devices, devices, standing.connection);
                }
                self.say_left_out(left_out, out);
                let reading = self
                    .metering
                    .last()
                    .map(|last| PastReading { interval: last.interval, energy: last.energy });
                let reactive_range = own.reactive_range();
                let body = Bid { interval, curve: own.curve.clone(), forward: true, reading, reactive_range };
                self.bids.insert(interval, own);
                self.send(Body::Bid(body), interval, About::Bid, out);
            }
            Err(e) => note(out, "no-bid", format!("no bid for the {interval}: {e}")),
        }
    }

    /// The base load by what was read, or by the last reading there was.
    pub(super) fn load_now(
        &mut self,
        now: UnixSeconds,
        meter: Result<MeterState, String>,
        devices: &[Result<Reading, String>],
        out: &mut Effects,
    ) -> Option<Milliwatt> {
        let meter = meter.and_then(|meter| self.believed(meter));
        self.metered(meter.is_ok(), out);
        match meter {
            Ok(meter) => {
                show(out, Figure::Metered(meter.power));
                let power = base_load(meter.power, devices);
                self.loads.take(self.config.parameters.interval_at(now), power);
            }
            Err(reason) => note(out, "meter-fault", format!("meter: {reason}")),
        }
        if self.meter_lost() {
            note(out, "no-bid", "the meter is lost, so nothing is known to bid".into());
            return None;
        }
        let base_load = self.base_load();
        if base_load.is_none() {
            note(out, "no-bid", "the meter has not been read lately, so nothing is known to bid".into());
        }
        base_load
    }
}
