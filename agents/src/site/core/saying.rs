//! The small sentences of a site's core: to the operator, to the screen, and in answer.

use super::Effects;
use crate::core::Effect;
use crate::site::act::SiteAction;
use crate::site::figure::Figure;
use wire::message::{MessageRef, Verdict, MAX_TEXT_CHARS};

/// Says whether what `what` names was taken, and notes under its event why not.
pub(super) fn answer(
    of: MessageRef,
    taken: Result<(), String>,
    what: (&'static str, String),
    out: &mut Effects,
) {
    let verdict = match taken {
        Ok(()) => Verdict::Accepted,
        Err(reason) => {
            note(out, what.0, format!("{}: {reason}", what.1));
            Verdict::refused(&reason)
        }
    };
    out.push(Effect::Acknowledge { of, verdict });
}

pub(super) fn note(out: &mut Effects, event: &'static str, text: String) {
    out.push(Effect::Note { event, text });
}

pub(super) fn show(out: &mut Effects, figure: Figure) {
    out.push(Effect::Own(SiteAction::Show(figure)));
}

/// As much of a text as a message may hold.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}
