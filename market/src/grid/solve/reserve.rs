//! Reserve within a Newton step: what stands ready is bought over the whole feeder, so its two prices
//! border the tree's system. The tree is solved once more for a unit of each.

use super::matrix::add;
use super::model::Party;
use super::point::Point;
use super::standby::{earned, Standby, Wish};
use super::tree::{Answer, Load};

impl Point<'_> {
    /// The local system of a party, with or without reserve.
    pub(super) fn standby(&self, party: &Party) -> Standby {
        let give = self.choices[party.real.clone()].iter().map(|c| c.give).sum();
        let reserve = party.reserve.map(|cover| {
            cover.map(|cover| (self.choices[cover.stretch].give, self.covers[cover.pair].weight()))
        });
        Standby::new(give, reserve)
    }

    /// What a party with reserve would move, its pieces moving by `taken`.
    pub(super) fn wishes(&self, party: &Party, taken: f64, target: f64) -> Wish {
        let mut wish = Wish { taken, ..Wish::default() };
        for (kind, cover) in party.reserve.iter().enumerate() {
            if let Some(cover) = *cover {
                let pair = &self.covers[cover.pair];
                wish.reserve[kind] = self.wish(cover.stretch, self.reserve_price(kind, cover), target);
                wish.cover[kind] = pair.change(target, 0.0) / pair.weight();
            }
        }
        wish
    }

    /// What a unit of each reserve price does to the whole feeder.
    pub(super) fn factor_reserve(&mut self) {
        let model = self.model;
        for kind in 0..2 {
            if self.required[kind].is_none() {
                continue;
            }
            self.system.loads.fill(Load::default());
            for place in 0..model.parent.len() {
                for party in self.parties(place) {
                    let drawn = self.standby(party).drawn_for(kind);
                    let own = &mut self.system.loads[place].own;
                    own[0] += drawn;
                    own[1] += party.tan_phi * drawn;
                }
            }
            let system = &mut self.system;
            let drawn = system.tree.up(&system.loads);
            let root = [system.root_price(drawn[0]), 0.0, 0.0];
            system.tree.down(root, &system.loads, &mut system.reserve[kind]);
            let mut unit = [0.0; 2];
            unit[kind] = 1.0;
            let forward = self.forward(&self.system.reserve[kind], |_, _| Wish::default(), unit);
            for (row, forward) in self.system.forward.iter_mut().zip(forward) {
                row[kind] = forward;
            }
        }
    }

    /// Reserve that comes forward with a feeder's answers and a change of the reserve prices.
    fn forward(
        &self,
        answers: &[Answer],
        wish: impl Fn(&Party, usize) -> Wish,
        reserve: [f64; 2],
    ) -> [f64; 2] {
        let mut forward = [0.0; 2];
        for (place, answer) in answers.iter().enumerate() {
            for party in self.parties(place).iter().filter(|party| party.reserve.iter().any(Option::is_some))
            {
                let (standby, wish) = (self.standby(party), wish(party, place));
                let change = answer.effort[0] + party.tan_phi * answer.effort[1];
                let covers = standby.covers(&wish, change, reserve);
                for kind in 0..2 {
                    forward[kind] +=
                        wish.reserve[kind] + standby.reserve_give[kind] * (reserve[kind] - covers[kind]);
                }
            }
        }
        forward
    }

    /// Steps of the reserve prices; adds what they do to the feeder to its answers.
    pub(super) fn solve_reserve(&mut self, target: f64) -> [f64; 2] {
        if self.required.iter().all(Option::is_none) {
            return [0.0; 2];
        }
        let wish = |party: &Party, place: usize| {
            let price = self.party_price(party, place);
            let taken = party.real.clone().map(|index| self.wish(index, price, target)).sum();
            self.wishes(party, taken, target)
        };
        let forward = self.forward(&self.system.answers, wish, [0.0; 2]);
        // The multiplier's step is `change + weight * -(forward + F step)`.
        let mut rows = self.system.forward;
        let mut right = [0.0; 2];
        for kind in 0..2 {
            match &self.required[kind] {
                Some(pair) => {
                    rows[kind][kind] += 1.0 / pair.weight();
                    right[kind] = pair.change(target, 0.0) / pair.weight() - forward[kind];
                }
                None => rows[kind] = if kind == 0 { [1.0, 0.0] } else { [0.0, 1.0] },
            }
        }
        let determinant = rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0];
        let steps = [
            (right[0] * rows[1][1] - right[1] * rows[0][1]) / determinant,
            (right[1] * rows[0][0] - right[0] * rows[1][0]) / determinant,
        ];
        for (kind, step) in steps.into_iter().enumerate() {
            let system = &mut self.system;
            for (answer, unit) in system.answers.iter_mut().zip(&system.reserve[kind]) {
                answer.effort = add(answer.effort, unit.effort.map(|x| x * step));
                answer.received = add(answer.received, unit.received.map(|x| x * step));
                answer.sent = add(answer.sent, unit.sent.map(|x| x * step));
            }
        }
        for (required, step) in self.required.iter_mut().zip(steps) {
            if let Some(pair) = required {
                pair.accept(target, step);
            }
        }
        steps
    }

    /// Takes the steps of a party's reserves. Gives what its pieces earn more by covering them.
    pub(super) fn recover_reserve(
        &mut self,
        party: &Party,
        (price, change): (f64, f64),
        target: f64,
        reserve: [f64; 2],
    ) -> f64 {
        let taken = party.real.clone().map(|index| self.wish(index, price, target)).sum();
        let (standby, wish) = (self.standby(party), self.wishes(party, taken, target));
        let covers = standby.covers(&wish, change, reserve);
        for (kind, cover) in party.reserve.iter().enumerate() {
            if let Some(cover) = *cover {
                let price = self.reserve_price(kind, cover);
                self.choose(cover.stretch, (price, covers[kind] - reserve[kind]), target);
                self.covers[cover.pair].accept(target, covers[kind]);
            }
        }
        earned(covers)
    }
}
