//! How often what a charge point keeps in flash may be written. Pure.

/// Between two writings of one thing.
const APART_MS: u64 = 3_600_000;
/// Most writings in a day, of all things together.
const A_DAY: usize = 8;
const DAY_MS: u64 = 86_400_000;

/// When something was written to a charge point's flash, and what.
#[derive(Clone, Debug, Default)]
pub(super) struct Wear {
    written: Vec<(&'static str, u64)>,
}

impl Wear {
    /// Whether `what` may be written now; it counts as written then.
    pub(super) fn may_write(&mut self, what: &'static str, now_ms: u64) -> bool {
        self.written.retain(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < DAY_MS);
        let lately =
            |(known, at_ms): &(&str, u64)| *known == what && now_ms.saturating_sub(*at_ms) < APART_MS;
        let may = self.written.len() < A_DAY && !self.written.iter().any(lately);
        if may {
            self.written.push((what, now_ms));
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flash_is_written_once_an_hour_and_eight_times_a_day() {
        let mut wear = Wear::default();
        assert!(wear.may_write("default", 0));
        assert!(!wear.may_write("default", APART_MS - 1));
        assert!(wear.may_write("most", 1));
        let hours = (1..24).filter(|hour| wear.may_write("default", hour * APART_MS)).count();
        assert_eq!(hours, A_DAY - 2);
        assert!(wear.may_write("default", 25 * APART_MS));
    }
}
