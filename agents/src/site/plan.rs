//! The split of a site's allocation over its devices, by the same rule as everywhere in the market:
//! each takes its own demand at the price, and of its step there the same share.

use super::bidding::OwnBid;
use crate::device::ladder::PriceRange;
use crate::device::Block;
use market::curve::FlexCurve;
use market::share::{split, Demand};
use market::units::{Milliwatt, PicoEurPerWh};
use wire::hash::Hash32;

/// What a site takes over one interval, at which price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Price at the site's bus.
    pub price: PicoEurPerWh,
    /// Net power at the connection.
    pub power: Milliwatt,
    /// Whether the price here is below the grid supply point's: what carries export away is full.
    pub export_full: bool,
}

/// What bounds a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Prices the market can clear at.
    pub range: PriceRange,
    /// What a deviation costs more or earns less than the price.
    pub imbalance_spread: PicoEurPerWh,
    /// Draws for power that comes whole or not at all: different at every site and interval.
    pub draw: Hash32,
}

/// Each device's power, in order of device; none for those that were left out of the bid.
///
/// A connection limit that binds makes a price of its own behind it: the one at which the parts
/// take what was allocated. Where rounding leaves no such price, the nearest power is taken.
///
/// Of a [`Block`] allocated in part, all or nothing is taken, all with the probability of the part,
/// so that over many sites and intervals the sum is right. Drawn from a hash, so it can be replayed.
/// What that leaves is moved to the site's other devices as long as it costs less than deviating.
pub fn plan(bid: &OwnBid, allocation: Allocation, rules: &Rules) -> Vec<Option<Milliwatt>> {
    let curves: Vec<&FlexCurve> =
        std::iter::once(&bid.base).chain(bid.devices.iter().flatten().map(|device| &device.curve)).collect();
    let blocks: Vec<Option<Block>> =
        std::iter::once(None).chain(bid.devices.iter().flatten().map(|device| device.block)).collect();
    let mut parts = Parts { curves, fixed: vec![None; blocks.len()] };
    let price = parts.price_of(allocation, rules.range);
    let spread = rules.imbalance_spread;
    let window = PriceRange { min: price - spread, max: price + spread };
    let mut powers = parts.powers(allocation.power, price);
    while let Some((place, block)) = in_gap(&powers, &blocks) {
        let whole = draws_whole(powers[place], block, place, &rules.draw);
        parts.fixed[place] = Some(if whole { block.height } else { Milliwatt::ZERO });
        let inner = parts.price_of(Allocation { price, ..allocation }, window);
        powers = parts.powers(allocation.power, inner);
    }
    let mut powers = powers.into_iter().skip(1);
    bid.devices.iter().map(|device| device.as_ref().and_then(|_| powers.next())).collect()
}

/// The parts of a site; one that is fixed takes the same at any price.
struct Parts<'a> {
    curves: Vec<&'a FlexCurve>,
    fixed: Vec<Option<Milliwatt>>,
}

impl Parts<'_> {
    fn demands(&self, price: PicoEurPerWh) -> Vec<Demand> {
        let demand = |(curve, fixed): (&&FlexCurve, &Option<Milliwatt>)| match fixed {
            Some(power) => Demand { low: *power, high: *power },
            None => curve.demand_at(price),
        };
        self.curves.iter().zip(&self.fixed).map(demand).collect()
    }

    fn total(&self, price: PicoEurPerWh) -> Demand {
        let demands = self.demands(price);
        Demand { low: demands.iter().map(|d| d.low).sum(), high: demands.iter().map(|d| d.high).sum() }
    }

    /// The price within `range` at which the parts take the allocation: its own price where they do,
    /// else the highest at which they take so much.
    fn price_of(&self, allocation: Allocation, range: PriceRange) -> PicoEurPerWh {
        if self.total(allocation.price).contains(allocation.power) {
            return allocation.price;
        }
        let (mut takes, mut leaves) = (range.min.0, range.max.0 + 1);
        while leaves - takes > 1 {
            let middle = takes + (leaves - takes) / 2;
            if self.total(PicoEurPerWh(middle)).high >= allocation.power {
                takes = middle;
            } else {
                leaves = middle;
            }
        }
        PicoEurPerWh(takes)
    }

    fn powers(&self, total: Milliwatt, price: PicoEurPerWh) -> Vec<Milliwatt> {
        let demands = self.demands(price);
        let Demand { low, high } = self.total(price);
        // Within its bounds a total can always be split; the fallback can't be reached.
        split(total.max(low).min(high), &demands)
            .unwrap_or_else(|| demands.iter().map(|demand| demand.low).collect())
    }
}

/// The first device given part of what only comes whole.
fn in_gap(powers: &[Milliwatt], blocks: &[Option<Block>]) -> Option<(usize, Block)> {
    let gap = |(place, block): (usize, &Option<Block>)| {
        block
            .filter(|block| Milliwatt::ZERO < powers[place] && powers[place] < block.height)
            .map(|block| (place, block))
    };
    blocks.iter().enumerate().find_map(gap)
}

fn draws_whole(power: Milliwatt, block: Block, place: usize, draw: &Hash32) -> bool {
    let drawn = Hash32::of("gridpact block draw", &[&draw.0, &(place as u64).to_be_bytes()]);
    let drawn = drawn.0.iter().take(8).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    // Both are positive: a gap lies between zero and the block's height.
    (power.0.unsigned_abs() as u128) << 64 > drawn * block.height.0.unsigned_abs() as u128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceBid;
    use market::curve::Breakpoint;
    use market::interval::Interval;
    use proptest::prelude::*;

    fn curve(points: &[(i64, i64)]) -> FlexCurve {
        let point = |(price, power): &(i64, i64)| Breakpoint {
            price: PicoEurPerWh(*price),
            power: Milliwatt(*power),
        };
        FlexCurve::new(points.iter().map(point).collect()).unwrap()
    }

    fn rules(draw: u8) -> Rules {
        Rules {
            range: PriceRange { min: PicoEurPerWh(-500), max: PicoEurPerWh(4_000) },
            imbalance_spread: PicoEurPerWh(10),
            draw: Hash32([draw; 32]),
        }
    }

    fn bid(base: i64, devices: &[Option<DeviceBid>]) -> OwnBid {
        OwnBid {
            interval: Interval::default(),
            curve: curve(&[(0, 0)]),
            base: curve(&[(0, base)]),
            devices: devices.to_vec(),
            reactive: Vec::new(),
            envelope: None,
            taken: false,
        }
    }

    fn device(points: &[(i64, i64)]) -> Option<DeviceBid> {
        Some(curve(points).into())
    }

    fn car(worth: i64, height: i64, most: i64) -> Option<DeviceBid> {
        let points = [(20, most), (20, height), (worth, height), (worth, 0)];
        let block = Block { height: Milliwatt(height), setpoint_min: Milliwatt(height) };
        Some(DeviceBid { curve: curve(&points), block: Some(block) })
    }

    fn check(bid: &OwnBid, price: i64, power: i64, expected: &[Option<i64>]) {
        let allocation =
            Allocation { price: PicoEurPerWh(price), power: Milliwatt(power), export_full: false };
        let got: Vec<Option<i64>> =
            plan(bid, allocation, &rules(1)).iter().map(|power| power.map(|p| p.0)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn each_takes_its_demand_and_the_same_share_of_its_step() {
        let battery = device(&[(50, 400), (50, -400)]);
        let pump = device(&[(50, 200), (50, 0)]);
        check(&bid(100, &[battery.clone(), pump.clone()]), 40, 700, &[Some(400), Some(200)]);
        check(&bid(100, &[battery.clone(), pump]), 50, 200, &[Some(0), Some(100)]);
        check(&bid(100, &[None, battery]), 50, 200, &[None, Some(100)]);
    }

    #[test]
    fn behind_a_binding_connection_the_dearest_device_yields_first() {
        let keen = device(&[(90, 400), (90, 0)]);
        let patient = device(&[(60, 400), (60, 0)]);
        // At 50 both would take 400, and the connection allows 500 of the 800.
        check(&bid(0, &[keen, patient]), 50, 500, &[Some(400), Some(100)]);
    }

    #[test]
    fn what_no_price_makes_them_take_is_approached_as_near_as_can_be() {
        check(&bid(100, &[device(&[(50, 400), (50, 0)])]), 50, 900, &[Some(400)]);
        check(&bid(100, &[device(&[(50, 400), (50, 0)])]), 50, 20, &[Some(0)]);
    }

    #[test]
    fn a_block_is_taken_whole_or_not_and_others_make_up_for_it() {
        // A battery worth 55 can move for less than the spread of 10; one worth 80 can't.
        for (worth, makes_up) in [(55, true), (80, false)] {
            let site = bid(0, &[car(50, 1_000, 3_000), device(&[(worth, 800), (worth, -800)])]);
            let taken = if worth > 50 { 800 } else { 0 };
            let allocation =
                Allocation { price: PicoEurPerWh(50), power: Milliwatt(taken + 400), export_full: false };
            for draw in 0..20 {
                let powers: Vec<i64> =
                    plan(&site, allocation, &rules(draw)).iter().map(|power| power.unwrap().0).collect();
                match powers[0] {
                    0 => assert_eq!(powers[1], 800),
                    whole => assert_eq!((whole, powers[1]), (1_000, if makes_up { 200 } else { 800 })),
                }
            }
        }
    }

    #[test]
    fn blocks_are_drawn_in_proportion() {
        let site = bid(0, &[car(50, 1_000, 3_000)]);
        let allocation = Allocation { price: PicoEurPerWh(50), power: Milliwatt(300), export_full: false };
        let whole =
            (0..=255u8).filter(|draw| plan(&site, allocation, &rules(*draw))[0] == Some(Milliwatt(1_000)));
        // Of 256 draws at 30 %, 77 are expected with a standard deviation of 7.
        assert!((56..=98).contains(&whole.count()));
    }

    proptest! {
        #[test]
        fn what_the_parts_can_take_they_take_in_full(
            steps in prop::collection::vec((-100i64..200, -3_000i64..3_000, 0i64..3_000), 1..6),
            price in -100i64..200,
            share in 0i64..=1_000,
        ) {
            let devices: Vec<_> =
                steps.iter().map(|(at, low, step)| device(&[(*at, low + step), (*at, *low)])).collect();
            let demands = devices.iter().flatten().map(|d| d.curve.demand_at(PicoEurPerWh(price)));
            let (low, high) = demands.fold((0, 0), |(low, high), d| (low + d.low.0, high + d.high.0));
            let power = Milliwatt(low + (high - low) * share / 1_000);
            let powers = plan(&bid(0, &devices), Allocation { price: PicoEurPerWh(price), power, export_full: false }, &rules(0));
            prop_assert_eq!(powers.iter().flatten().copied().sum::<Milliwatt>(), power);
        }
    }
}
