//! A running process, by what it says of itself.

use crate::check::facts::{Heard, ProcessFacts};
use crate::check::finding::{Area, Finding};

const AREA: Area = Area::Process;

/// What is to be said of a process.
pub(super) fn judge(it: &ProcessFacts) -> Vec<Finding> {
    let at = format!("http://{}", it.address);
    let (parties, stopped, unready) = match &it.heard {
        Heard::Nobody => {
            return vec![Finding::note(AREA, at, "does not run: these files were looked at before a start")]
        }
        // That the port is taken is said where ports are.
        Heard::Stranger(said) => {
            return vec![Finding::fault(
                AREA,
                at,
                format!("somebody answers there who is not this program: {said}"),
                "Give process.metrics_listen another port.",
            )]
        }
        Heard::Ours { parties, stopped, unready } => (parties, stopped, unready),
    };
    let mut found = Vec::new();
    for who in stopped {
        found.push(Finding::fault(
            AREA,
            &at,
            format!("/healthz: the heartbeat of {who} has stopped"),
            "Its service manager should have restarted it (WatchdogSec); else: systemctl restart. The log says what it did last.",
        ));
    }
    for reason in unready {
        found.push(Finding::warning(
            AREA,
            &at,
            format!("/readyz: {reason}"),
            "See the findings about clock, broker and disk here, and the log; it is ready by itself once this is gone.",
        ));
    }
    let lacking: Vec<&str> =
        it.expected.iter().filter(|who| !parties.contains(who)).map(String::as_str).collect();
    if !lacking.is_empty() {
        found.push(Finding::warning(
            AREA,
            &at,
            format!("a process runs there, without {}", lacking.join(", ")),
            "Restart it, if these files are to be what it runs; or give each process a metrics_listen of its own.",
        ));
    }
    if found.is_empty() {
        found.push(Finding::good(AREA, at, format!("runs {}, healthy and ready", parties.join(", "))));
    }
    found
}
