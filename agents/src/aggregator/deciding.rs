//! What an aggregator's core does about decided blocks: firm prices for its sites, and deliveries that are done with.

use super::core::{AggregatorCore, Effects};
use super::keeping::keep;
use super::kept::Keep;
use super::said::{tag, Said};
use crate::chain::Decided;
use crate::core::{Effect, Now};
use wire::entry::{ClearingEntry, Entry};
use wire::message::Body;

impl AggregatorCore {
    pub(super) fn on_block(&mut self, now: Now, bytes: &[u8]) -> Effects {
        let decided = match self.chain.take(bytes) {
            Ok(Some(decided)) => decided,
            Ok(None) => return Vec::new(),
            Err(error) => return vec![Effect::Note { event: "bad-block", text: error.to_string() }],
        };
        let mut effects = Vec::new();
        for (index, (by, entry)) in decided.entries().iter().enumerate() {
            match entry {
                Entry::Clearing(clearing) => effects.extend(self.on_clearing(now, &decided, index, clearing)),
                Entry::Delivery(delivery) if *by == self.settings.party => {
                    if let Some(trading) = self.trading.get_mut(&delivery.interval) {
                        trading.delivered();
                    }
                    effects.push(keep(delivery.interval, Keep::Forget));
                }
                Entry::DayAhead(session) => {
                    let desk = self.day_ahead.iter_mut();
                    effects.extend(desk.flat_map(|desk| desk.on_decided(&decided, index, session)));
                }
                _ => {}
            }
        }
        effects
    }

    fn on_clearing(
        &mut self,
        now: Now,
        decided: &Decided,
        index: usize,
        clearing: &ClearingEntry,
    ) -> Effects {
        let note = |event, text| vec![Effect::Note { event, text }];
        let interval = clearing.interval;
        let Some(trading) = self.trading.get_mut(&interval).filter(|t| t.awaits_decision()) else {
            return Vec::new();
        };
        let finality = match decided.proof(index) {
            Ok(proof) => proof,
            Err(error) => return note("bad-block", error.to_string()),
        };
        let price_at = |bus: &str| clearing.prices.get(*self.market.bus_index.get(bus)?).copied();
        let parts = match &self.before {
            Some((first, before)) if interval < *first => before.of(clearing),
            _ => self.market.price_parts.of(clearing),
        };
        let parts_at = |bus: &str| parts.as_ref()?.get(*self.market.bus_index.get(bus)?).copied();
        let over = now.market >= interval.end(self.market.parameters.interval_s);
        match trading.decide(price_at, parts_at, &finality) {
            Err(reason) => note("clearing-differs", reason),
            // Heard of too late to be of use to anyone.
            Ok(_) if over => Vec::new(),
            Ok(firm) => firm
                .into_iter()
                .map(|(site, firm)| Effect::Send {
                    body: Body::Firm(Box::new(firm)),
                    interval,
                    recipient: Some(site.clone()),
                    acknowledged_by: vec![site],
                    tag: tag(Said::Firm, interval),
                })
                .collect(),
        }
    }
}
