//! The clock: what it can't be, and how far it is off as far as anybody says.

use super::{date, span};
use crate::check::facts::{ClockFacts, Limits};
use crate::check::finding::{Area, Finding};

const AREA: Area = Area::Clock;
const SUBJECT: &str = "system clock";
const SET: &str =
    "Set it: `timedatectl set-ntp true` where there is a network, else `date -u -s 'YYYY-MM-DD hh:mm:ss'`. \
                   Without a network and a battery-backed clock a Raspberry Pi wakes in the past.";
/// Files may be written a little in the future of a clock that was corrected.
const SLACK_S: i64 = 60;

/// What is to be said of the clock.
pub(super) fn judge(clock: &ClockFacts, limits: &Limits) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(Finding::fault(AREA, SUBJECT, what, SET));
    if clock.now < clock.built {
        wrong(format!("it says {}, and this program was built on {}", date(clock.now), date(clock.built)));
    } else if let Some((newest, path)) = clock.newest.as_ref().filter(|(at, _)| *at > clock.now + SLACK_S) {
        let behind = span(newest - clock.now);
        wrong(format!("it says {}, and {} was written {behind} later", date(clock.now), path.display()));
    }
    if let Some((server, answer)) = &clock.server {
        match answer {
            Ok(ahead_ms) if ahead_ms.abs() > limits.skew_ms => {
                wrong(format!("it is {} by {server}", off(*ahead_ms)))
            }
            Ok(ahead_ms) => {
                found.push(Finding::good(AREA, SUBJECT, format!("is {} by {server}", off(*ahead_ms))))
            }
            Err(reason) => found.push(Finding::warning(
                AREA,
                server,
                format!("the time server does not say the time: {reason}"),
                "Name another (--ntp HOST), or leave it out.",
            )),
        }
    }
    if let Some(skew_ms) = clock.skew_ms.filter(|skew_ms| skew_ms.abs() > limits.skew_ms) {
        let what = format!("by their messages some other party's clock and this one are {skew_ms} ms apart");
        let remedy =
            "See in the process's log whose it is. Where it is this one: `timedatectl set-ntp true`.";
        found.push(Finding::warning(AREA, SUBJECT, what, remedy));
    }
    if !found.is_empty() {
        return found;
    }
    let says = date(clock.now);
    vec![match clock.synchronised {
        Some(true) => Finding::good(AREA, SUBJECT, format!("says {says}, and the system keeps it right")),
        Some(false) if !clock.simulated => Finding::warning(
            AREA,
            SUBJECT,
            format!("says {says}, and the system says that nobody keeps it right"),
            "`timedatectl set-ntp true`, or chrony. Until a clock is confirmed, a site does not bid.",
        ),
        _ => Finding::good(
            AREA,
            SUBJECT,
            format!("says {says}; nothing speaks against it (--ntp HOST asks a time server)"),
        ),
    }]
}

fn off(ahead_ms: i64) -> String {
    let seconds = ahead_ms.unsigned_abs() / 1_000;
    let amount =
        if seconds < 120 { format!("{} ms", ahead_ms.unsigned_abs()) } else { span(ahead_ms / 1_000) };
    format!("{amount} {}", if ahead_ms > 0 { "behind" } else { "ahead" })
}
