//! Where a demand that falls with price meets a value, from a price that is likely near.

/// How far the first look beyond a start is; each further one goes eight times as far.
const FIRST_STEP: i64 = 64;

/// Every so many looks the gap is halved, however straight demand seems.
const HALVE_EVERY: u32 = 4;

/// The prices `t` at which `demand(t + 1) <= value <= demand(t)`, from the lowest to the highest. None
/// where demand is not above the value at `low`, or not below it at `high`, or where it can't be told.
pub(super) fn meet(
    demand: impl Fn(i64) -> Option<i64>,
    value: i64,
    start: i64,
    (low, high): (i64, i64),
) -> Option<(i64, i64)> {
    let excess = |tick: i64| Some(demand(tick)?.saturating_sub(value));
    let met = first(excess, start, (low, high))?;
    let passed = match excess(met)? {
        0 => first(|tick| Some(excess(tick)?.saturating_add(1)), met, (met - 1, high))?,
        _ => met,
    };
    Some((met - 1, passed - 1))
}

/// The lowest tick at which a falling excess is no more than zero. None where it is so at `low` already,
/// or not even at `high`.
fn first(excess: impl Fn(i64) -> Option<i64>, start: i64, (low, high): (i64, i64)) -> Option<i64> {
    let start = start.clamp(low, high);
    let (mut above, mut below) = bracket(&excess, start, (low, high))?;
    let mut looks = 0;
    while below.0 - above.0 > 1 {
        let width = below.0 - above.0;
        looks += 1;
        let ahead = if looks % HALVE_EVERY == 0 {
            width / 2
        } else {
            let fall = above.1 as i128 - below.1 as i128;
            (width as i128 * above.1 as i128 / fall) as i64
        };
        let tick = above.0 + ahead.clamp(1, width - 1);
        match excess(tick)? {
            more if more > 0 => above = (tick, more),
            less => below = (tick, less),
        }
    }
    Some(below.0)
}

/// A tick with its excess.
type Look = (i64, i64);

/// A tick whose excess lies above zero, and a later one whose excess doesn't.
fn bracket(
    excess: &impl Fn(i64) -> Option<i64>,
    start: i64,
    (low, high): (i64, i64),
) -> Option<(Look, Look)> {
    let mut here = (start, excess(start)?);
    let up = here.1 > 0;
    let mut step = FIRST_STEP;
    loop {
        let end = if up { high } else { low };
        if here.0 == end {
            return None;
        }
        let tick =
            if up { here.0.saturating_add(step).min(high) } else { here.0.saturating_sub(step).max(low) };
        let there = (tick, excess(tick)?);
        match (up, there.1 > 0) {
            (true, false) => return Some((here, there)),
            (false, true) => return Some((there, here)),
            _ => here = there,
        }
        step = step.saturating_mul(8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn meets_where_a_look_at_every_tick_does(
            falls in prop::collection::vec(prop_oneof![3 => Just(0i64), 2 => 1..4i64, 1 => 1..900i64], 1..400),
            from_top in 0i64..2_000, start in -50i64..450,
        ) {
            let mut demand = vec![1_000i64];
            falls.iter().for_each(|fall| demand.push(demand[demand.len() - 1] - fall));
            let value = 1_000 - from_top;
            let (low, high) = (0, falls.len() as i64);
            let at = |tick: i64| demand[tick as usize];
            let prices: Vec<i64> = (low..high).filter(|t| at(t + 1) <= value && value <= at(*t)).collect();
            let inner = at(low) > value && at(high) < value;
            let expected = inner.then(|| (prices[0], prices[prices.len() - 1]));
            prop_assert_eq!(meet(|tick| Some(at(tick)), value, start, (low, high)), expected);
        }
    }
}
