//! What a site shows in metrics besides what it does.

use super::*;

impl Site {
    /// In words, but for what is shown.
    pub(super) fn perform_all(&mut self, effects: Vec<Effect<SiteAction>>) -> Vec<String> {
        let shown = |effect: &Effect<SiteAction>| matches!(effect, Effect::Own(SiteAction::Show(_)));
        let (shown, others): (Vec<_>, Vec<_>) = effects.into_iter().partition(shown);
        self.shown.extend(shown.into_iter().filter_map(|effect| match effect {
            Effect::Own(SiteAction::Show(figure)) => Some(figure),
            _ => None,
        }));
        others.into_iter().map(|effect| self.perform(effect)).collect()
    }
}

#[test]
fn what_an_interval_begins_with_is_shown() {
    let mut site = Site::new();
    let before = BIDDING.iter().map(|(happens, _)| *happens);
    for happens in before.chain([Firm(900, 50, 500), At(900), At(1_800)]) {
        site.step(happens);
    }
    let [Figure::Metered(metered), Figure::Firm(firm), Figure::NoFirm] = site.shown[..] else {
        panic!("{:?}", site.shown)
    };
    assert_eq!((metered, firm.power), (Milliwatt(-1_500_000), Milliwatt(-1_500_000)));
}
