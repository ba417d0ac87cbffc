//! The site turns to what was voted for: its standing, the market's figures and day-ahead sessions, on a boundary of an
//! interval. What was traded before is judged by what held then.

use super::{note, Effects, SiteCore};
use crate::site::day_ahead::desk::Desk;
use crate::site::day_ahead::Setting;
use crate::site::standing::Standing;
use crate::terms::Terms;
use market::interval::Interval;

impl SiteCore {
    /// An interval begins: the rules heard of before it hold from the next one on.
    pub(super) fn turn(&mut self, here: Interval, out: &mut Effects) {
        self.turn.enter(here);
        let Some(rules) = self.turn.take() else { return };
        let terms = Terms::of(&rules);
        let made = Standing::of(&terms, &self.config.standing.site)
            .and_then(|standing| Ok((standing, Setting::of(&terms)?)));
        let (standing, setting) = match made {
            Ok(made) => made,
            Err(error) => return note(out, "terms-unfit", error.to_string()),
        };
        if standing == self.config.standing && terms.parameters == self.config.parameters {
            return self.turn_desk(setting);
        }
        let before = std::mem::replace(&mut self.config.standing, standing);
        self.config.parameters = terms.parameters;
        let first = self.config.parameters.next(here);
        self.before = Some((first, before));
        self.turn_desk(setting);
        note(out, "terms-changed", format!("from the {first} on by other terms"));
    }

    fn turn_desk(&mut self, setting: Option<Setting>) {
        match (&mut self.desk, setting) {
            (Some(desk), setting) => desk.turn_to(setting),
            (None, Some(setting)) => self.desk = Some(Desk::new(setting)),
            (None, None) => {}
        }
    }

    /// The standing by which an interval is traded.
    pub(super) fn standing_for(&self, interval: Interval) -> &Standing {
        match &self.before {
            Some((first, before)) if interval < *first => before,
            _ => &self.config.standing,
        }
    }
}
