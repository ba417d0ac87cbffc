//! Every role's core under one roof: what is a role's own is performed on the spot.

use agents::core::{Effect, Input, Now, RoleCore};
use std::convert::Infallible;
use std::sync::Arc;

/// A core whose own acts are performed by `perform`, which may report something at once.
pub struct Played<C: RoleCore, F> {
    pub core: C,
    pub perform: F,
}

/// A role in the simulation.
pub trait Play {
    fn step(&mut self, now: Now, input: Input<Infallible>) -> Vec<Effect<Infallible>>;
}

impl<C: RoleCore, F: FnMut(C::Act) -> Option<C::Report>> Play for Played<C, F> {
    fn step(&mut self, now: Now, input: Input<Infallible>) -> Vec<Effect<Infallible>> {
        let input = match input {
            Input::Poll => Input::Poll,
            Input::Message(message) => Input::Message(message),
            Input::Answered { tag, by, verdict } => Input::Answered { tag, by, verdict },
            Input::Own(never) => match never {},
        };
        let before = self.core.chain().map(|chain| chain.rules().clone());
        let effects = self.core.step(now, input);
        let after = self.core.chain().map(|chain| chain.rules().clone());
        // As a shell does.
        match (before, after) {
            (Some(before), Some(after)) if !Arc::ptr_eq(&before, &after) => self.core.govern(&after),
            _ => {}
        }
        self.settle(now, effects)
    }
}

impl<C: RoleCore, F: FnMut(C::Act) -> Option<C::Report>> Played<C, F> {
    /// Hands the core what its shell reports.
    pub fn report(&mut self, now: Now, report: C::Report) -> Vec<Effect<Infallible>> {
        let effects = self.core.step(now, Input::Own(report));
        self.settle(now, effects)
    }

    fn settle(&mut self, now: Now, effects: Vec<Effect<C::Act>>) -> Vec<Effect<Infallible>> {
        let mut settled = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { body, interval, recipient, acknowledged_by, tag } => {
                    settled.push(Effect::Send { body, interval, recipient, acknowledged_by, tag });
                }
                Effect::Acknowledge { of, verdict } => settled.push(Effect::Acknowledge { of, verdict }),
                Effect::Note { event, text } => settled.push(Effect::Note { event, text }),
                Effect::Own(act) => {
                    if let Some(report) = (self.perform)(act) {
                        settled.extend(self.report(now, report));
                    }
                }
            }
        }
        settled
    }
}
