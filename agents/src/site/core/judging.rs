//! What the site does when devices are to be judged, and what it makes of the judgement.

use super::{cut, note, show, Effects, SiteCore};
use crate::core::Effect;
use crate::device::Reading;
use crate::site::act::SiteAction;
use crate::site::figure::Figure;
use crate::site::obedience::{shed, Verdict};
use crate::site::schedule::Setpoint;
use hw_adapters::device::MeterState;
use market::interval::{Interval, UnixSeconds};
use market::units::Milliwatt;

impl SiteCore {
    /// What is due between an interval's start and its end: repetitions, and judgement.
    pub(super) fn look_after(&mut self, now: UnixSeconds, here: Interval, out: &mut Effects) {
        let again = self.holding.due(now);
        if !again.is_empty() {
            let hold_s = self.hold_s();
            out.push(Effect::Own(SiteAction::Write { interval: here, setpoints: again, hold_s }));
        }
        if self.obedience.is_due(now) {
            out.push(Effect::Own(SiteAction::Judge { interval: here }));
        }
    }

    /// Devices took their setpoints, or not.
    pub(super) fn took(&mut self, now: UnixSeconds, outcomes: &[(usize, Result<(), String>)]) {
        let interval_s = self.config.parameters.interval_s;
        for (place, outcome) in outcomes {
            let told = self.told.iter().find(|(told, setpoint)| told == place && is_real(*setpoint));
            if let (Ok(()), Some((_, setpoint))) = (outcome, told) {
                self.obedience.took(now, interval_s, *place, *setpoint);
            }
        }
    }

    /// Who does not do what it took is out of the bid, said to the operator, and its share is the others'.
    pub(super) fn judged(
        &mut self,
        interval: Interval,
        meter: Result<MeterState, String>,
        devices: &[Result<Reading, String>],
        out: &mut Effects,
    ) {
        let interval_s = self.config.parameters.interval_s;
        let meter = meter.ok().map(|meter| meter.power);
        let mut excess = Milliwatt::ZERO;
        let out_before = self.out_of_bids();
        for verdict in self.obedience.judge(meter, devices, interval_s) {
            match verdict {
                Verdict::Obeys { place } => {
                    note(out, "device-obeys-again", format!("{}: it is bid again", self.name(place)));
                }
                Verdict::Disobeys { place, asked, does } => {
                    let text = format!("{}: it took {asked} and does {does}", self.name(place));
                    note(out, "device-disobeys", cut(&text));
                    excess = Milliwatt(excess.0.saturating_add(does.0 - asked.0));
                }
            }
        }
        self.show_obedience(&out_before, out);
        if excess == Milliwatt::ZERO || self.here != Some(interval) {
            return;
        }
        let Some((_, bid)) = self.bids.range(..=interval).next_back() else { return };
        let moved = shed(excess, &self.told, bid, |place| self.obedience.is_out(place));
        if moved.is_empty() {
            return note(
                out,
                "nothing-to-shed",
                format!("{excess} more than planned, and nobody to take it over"),
            );
        }
        for (place, setpoint) in &moved {
            if let Some((_, told)) = self.told.iter_mut().find(|(told, s)| told == place && is_real(*s)) {
                *told = *setpoint;
            }
        }
        let hold_s = self.hold_s();
        out.push(Effect::Own(SiteAction::Write { interval, setpoints: moved, hold_s }));
    }

    /// What a bid is made of: the devices as read, short of those that don't do what they take.
    pub(super) fn trusted(&self, devices: &[Result<Reading, String>]) -> Vec<Result<Reading, String>> {
        let trust = |(place, reading): (usize, &Result<Reading, String>)| match reading {
            Ok(_) if self.obedience.is_out(place) => Err("it does not do what it takes".to_owned()),
            reading => reading.clone(),
        };
        devices.iter().enumerate().map(trust).collect()
    }

    /// Devices left out of bids, by place.
    pub(super) fn out_of_bids(&self) -> Vec<bool> {
        (0..self.config.devices.len()).map(|place| self.obedience.is_out(place)).collect()
    }

    /// Shows who has been left out of bids since, or taken in again.
    pub(super) fn show_obedience(&self, out_before: &[bool], out: &mut Effects) {
        for (place, (before, now)) in out_before.iter().zip(self.out_of_bids()).enumerate() {
            if *before != now {
                show(out, Figure::Obeys { device: self.name(place), obeys: !now });
            }
        }
    }

    /// For how long setpoints hold, should nothing more be heard: they are written anew at half of it.
    pub(super) fn hold_s(&self) -> u32 {
        u32::try_from(2 * self.config.parameters.interval_s).unwrap_or(u32::MAX)
    }
}

fn is_real(setpoint: Setpoint) -> bool {
    !matches!(setpoint, Setpoint::Reactive(_))
}
