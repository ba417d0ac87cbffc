//! A step in prices: Newton's, with as many multipliers let go as would turn negative, and as long as
//! the dual's slope along it says.

use super::limits::{along, LONGEST};
use super::search::Search;
use crate::grid::solve::line::Element;
use crate::grid::solve::matrix::{dot, ZERO};
use crate::grid::solve::tree::{Answer, Load};

/// Steps after which no more is expected before limits join or holds settle.
const MAX_STEPS: usize = 40;

/// How often multipliers may be let go or taken back for one step.
const MAX_EXCHANGES: usize = 12;

/// Part of the slope along a step that may be left, or turned round, at its end.
const LEFT: f64 = 0.5;

/// How often a step is cut.
const MAX_CUTS: usize = 10;

/// What of the throughput is lost in adding up.
const ROUNDING: f64 = 1e-12;

/// What may be left of balance and limits, in units of power and squared voltage.
const EXACT: f64 = 1e-10;

/// What may be left where no further step helps.
pub(super) const FINE: f64 = 1e-8;

/// What a market that answers no price is taken to give for one.
const LEAST_GIVE: f64 = 1e-9;

impl Search<'_> {
    /// Steps until of what is unsettled now at most `share` is left: the held market balanced and the
    /// limits that joined kept. Nothing where it gets stuck before.
    pub(super) fn climb(&mut self, share: f64) -> Option<()> {
        self.look(0.0);
        let mut before = f64::INFINITY;
        let enough = EXACT.max(share * self.unsettled());
        for _ in 0..MAX_STEPS {
            let unsettled = self.unsettled();
            let idle = unsettled <= FINE && unsettled > before / 2.0;
            if unsettled <= enough || idle {
                return Some(());
            }
            before = unsettled;
            self.direct()?;
            let slope = self.slope(0.0);
            if !(slope > 0.0 && slope.is_finite()) {
                break;
            }
            let length = self.cut(slope);
            self.advance(length);
        }
        (self.unsettled() <= FINE).then_some(())
    }

    /// How far the market is from being settled, in power and squared voltage.
    pub(super) fn unsettled(&self) -> f64 {
        let balance = (self.balance.abs() - ROUNDING * self.throughput).max(0.0);
        self.joined.iter().fold(balance, |most, joined| most.max(joined.unsettled()))
    }

    /// The step to where the dual, taken as its quadratic here, is highest over multipliers that are
    /// not negative. Nothing where the system is singular.
    fn direct(&mut self) -> Option<()> {
        for joined in &mut self.joined {
            joined.active = joined.multiplier > 0.0 || joined.lack(joined.multiplier) > 0.0;
        }
        let mut answers = vec![Answer::default(); self.nodes.len()];
        for _ in 0..MAX_EXCHANGES {
            self.solve(&mut answers)?;
            let mut exchanged = false;
            for joined in &mut self.joined {
                let Answer { sent, effort, .. } = answers[joined.node];
                let moved = dot(along(&self.model.bounds[joined.bound]), [sent[0], sent[1], effort[2]]);
                let wanted = joined.multiplier + (joined.lack(joined.multiplier) + moved) / joined.yields();
                if joined.active != (wanted > 0.0) {
                    joined.active = !joined.active;
                    exchanged = true;
                }
                joined.step = wanted.max(0.0) - joined.multiplier;
            }
            if !exchanged {
                break;
            }
        }
        Some(())
    }

    /// Newton's step for the multipliers that are active; the others go to zero.
    fn solve(&mut self, answers: &mut [Answer]) -> Option<()> {
        let model = self.model;
        let mut weights = vec![[0.0; 2]; self.nodes.len()];
        let mut loads = vec![Load::default(); self.nodes.len()];
        for joined in &self.joined {
            let along = along(&model.bounds[joined.bound]);
            let mut force = -joined.multiplier;
            if joined.active {
                let weight = &mut weights[joined.node];
                weight[0] += along[0] * along[0] / joined.yields();
                weight[1] += along[2] * along[2] / joined.yields();
                force = joined.lack(joined.multiplier) / joined.yields();
            }
            let load = &mut loads[joined.node];
            load.effort[0] += force * along[0];
            load.own[2] += force * along[2];
        }
        loads[0].own[0] = self.balance;
        let (nodes, places) = (&self.nodes, &self.paths.places);
        let response = self.tree.factor(|node| {
            let [real, cross, reactive] = nodes[node].give;
            let own = [[-real, -cross, 0.0], [-cross, -reactive, 0.0], [0.0, 0.0, weights[node][1]]];
            let line = &model.lines[places[node]];
            let mut curve = ZERO;
            curve[0][0] = weights[node][0];
            (own, Element { impedance: line.impedance, ratio: line.ratio, curve, current: None }.transfer())
        })?;
        let drawn = self.tree.up(&loads);
        let give = self.supply_give - response[0][0];
        self.root_step = drawn[0] / (give + self.balance.abs() / LONGEST + LEAST_GIVE);
        self.tree.down([self.root_step, 0.0, 0.0], &loads, answers);
        self.root_step.is_finite().then_some(())
    }

    /// The dual's slope along the step where it was last looked at, `length` of the step ahead.
    fn slope(&self, length: f64) -> f64 {
        let limits = self
            .joined
            .iter()
            .map(|joined| joined.lack(joined.multiplier + length * joined.step) * joined.step);
        self.balance * self.root_step + limits.sum::<f64>()
    }

    /// How much of the step to go: all of it unless the slope turned round by much. Looks there.
    fn cut(&mut self, slope: f64) -> f64 {
        let (mut low, mut high) = ((0.0, slope), None);
        let mut length = 1.0;
        for cut in 0..=MAX_CUTS {
            self.look(length);
            let here = self.slope(length);
            if here < 0.0 {
                high = Some((length, here));
            } else {
                low = (length, here);
            }
            let Some(high) = high else { break };
            if here.abs() <= LEFT * slope || cut == MAX_CUTS {
                break;
            }
            let share = (low.1 / (low.1 - high.1)).clamp(0.1, 0.9);
            length = low.0 + share * (high.0 - low.0);
        }
        length
    }

    fn advance(&mut self, length: f64) {
        self.root_price += length * self.root_step;
        self.root_step = 0.0;
        for joined in &mut self.joined {
            joined.multiplier = (joined.multiplier + length * joined.step).max(0.0);
            joined.step = 0.0;
        }
    }
}
