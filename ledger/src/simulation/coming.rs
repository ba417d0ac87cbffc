//! Who comes and goes in a run: the machine that is away, the newcomer, and whom the operator sees and asks.

use super::fault::VALIDATORS;
use super::network::Delivery;
use super::operator::LOOKS_EVERY_MS;
use super::run::{Simulation, BACK_BY_MS};
use super::world::NEWCOMER;
use super::SetupError;
use crate::validator::core::ValidatorCore;
use rand::Rng;

impl Simulation {
    /// Lets a machine be away: the newcomer's until it is admitted, or, where validators prune and none is dead,
    /// one of theirs.
    pub(super) fn send_away(&mut self) {
        let fault = self.scenario.fault;
        if let Some(newcomer) = self.nodes.iter_mut().find(|node| node.validator == NEWCOMER) {
            newcomer.is_away = self.random.random_bool(0.7);
            return;
        }
        if !self.scenario.course.prunes() || !(0..VALIDATORS).all(|place| fault.is_there(place)) {
            return;
        }
        let place = self.random.random_range(0..VALIDATORS);
        if self.random.random_bool(0.5) {
            self.nodes[place].is_away = true;
        } else {
            let at_ms = self.random.random_range(200..3_000);
            self.network.put(at_ms, place, Delivery::Leave);
        }
    }

    /// The operator looks at what the honest validator that is furthest has decided.
    pub(super) fn look(&mut self) -> Result<(), SetupError> {
        self.network.put(self.now_ms + LOOKS_EVERY_MS, 0, Delivery::Look);
        let Some(core) = self.furthest().and_then(|place| self.nodes[place].core.as_ref()) else {
            return Ok(());
        };
        let fault = self.scenario.fault;
        let willing = |validator: usize| fault.is_honest(validator) && fault.is_there(validator);
        let away = self.nodes.iter().any(|node| node.is_away);
        let seen = (&self.world, self.now_ms);
        let submitted = self.operator.look(seen, core, (&willing, away), &mut self.random)?;
        for opened in submitted {
            for place in 0..self.nodes.len() {
                let after_ms = self.random.random_range(1..300);
                self.network.put(self.now_ms + after_ms, place, Delivery::Submit(opened.clone()));
            }
        }
        let back = (0..self.nodes.len()).filter(|place| self.is_due_back(*place));
        for place in back.collect::<Vec<_>>() {
            self.nodes[place].is_away = false;
            self.network.put(self.now_ms + 1, place, Delivery::Restart);
        }
        Ok(())
    }

    /// Whoever is away comes back once the others have pruned what it lacks, or it has been long enough; the
    /// newcomer not before it is admitted.
    fn is_due_back(&self, place: usize) -> bool {
        let Some(furthest) = self.furthest().filter(|_| self.nodes[place].is_away) else { return false };
        let (node, furthest) = (&self.nodes[place], &self.nodes[furthest]);
        let lacks = furthest.store.lowest() > node.store.tip().height + 1;
        let long_enough = self.now_ms >= BACK_BY_MS || !self.scenario.course.prunes();
        (lacks || long_enough) && (node.validator < VALIDATORS || !self.operator.admits())
    }

    /// Whether a validator is one after the last block decided.
    pub(super) fn is_member(&self, validator: usize) -> bool {
        let furthest = self.furthest().and_then(|place| self.nodes[place].core.as_ref());
        let is_member =
            |core: &ValidatorCore| core.rules().governed.validators.contains(self.world.name(validator));
        furthest.map_or(validator < VALIDATORS, is_member)
    }

    /// The honest node that runs and has decided most.
    fn furthest(&self) -> Option<usize> {
        let fault = self.scenario.fault;
        let honest = self.nodes.iter().enumerate().filter(|(_, node)| fault.is_honest(node.validator));
        let running = honest.filter_map(|(place, node)| Some((node.core.as_ref()?.tip().height, place)));
        running.max().map(|(_, place)| place)
    }
}
