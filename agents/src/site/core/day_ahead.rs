//! What the site does when a day-ahead session opens, and when it is told what came of it.

use super::{note, Effects, SiteConfig, SiteCore};
use crate::device::Reading;
use crate::site::day_ahead::desk::Knowledge;
use crate::site::plan::Allocation;
use crate::site::tag::About;
use hw_adapters::device::MeterState;
use market::interval::{Interval, UnixSeconds};
use wire::message::day_ahead::DayAheadFirm;
use wire::message::Body;

impl SiteCore {
    /// The offer for a day-ahead session.
    pub(super) fn offer(
        &mut self,
        now: UnixSeconds,
        session: Interval,
        meter: Result<MeterState, String>,
        devices: &[Result<Reading, String>],
        out: &mut Effects,
    ) {
        let Some(base_load) = self.load_now(now, meter, devices, out) else { return };
        let Some(desk) = self.desk.as_mut() else { return };
        if !desk.is_open(session, now) {
            let text = format!("devices were read too late to bid for the day ahead from {session}");
            return note(out, "bid-late", text);
        }
        let known = Knowledge {
            config: &self.config,
            agents: &self.agents,
            expectations: &self.expectations,
            loads: &self.loads,
            base_load,
        };
        match desk.offer(session, devices, &known) {
            Ok((bid, left_out)) => {
                self.say_left_out(left_out, out);
                self.send(Body::DayAheadBid(bid), session, About::DayAheadBid, out);
            }
            Err(e) => note(out, "no-bid", format!("no bid for the day ahead from {session}: {e}")),
        }
    }

    /// What an interval was committed to beside what is held of it day-ahead, for the operator.
    pub(super) fn say_held(&self, interval: Interval, allocation: &Allocation, out: &mut Effects) {
        let Some(held) = self.desk.as_ref().and_then(|desk| desk.held(interval)) else { return };
        let (held_kw, ahead) = (held.power.kw(), held.price.eur_per_mwh());
        let committed_kw = allocation.power.kw();
        let text = format!(
            "{interval}: {held_kw:.3} kW held since the day before at {ahead:.2} EUR/MWh, {committed_kw:.3} committed"
        );
        note(out, "held", text);
    }

    /// Day-ahead positions are owed whatever devices do then, so nothing else follows from them.
    pub(super) fn take_session(&mut self, firm: &DayAheadFirm, out: &mut Effects) -> Result<(), String> {
        let SiteConfig { standing, parameters, .. } = &self.config;
        let verifier = self.chain.verifier_for(&firm.finality);
        let desk = self.desk.as_mut().ok_or("this market has no day ahead")?;
        let sum = desk.take(firm, standing, verifier, parameters).map_err(|error| error.to_string())?;
        let (bought, sold, cost) = (sum.bought.kwh(), sum.sold.kwh(), sum.cost_eur);
        let from = firm.session;
        let text =
            format!("day ahead from {from}: {bought:.3} kWh bought and {sold:.3} sold for {cost:.4} EUR");
        note(out, "day-ahead-firm", text);
        Ok(())
    }
}
