//! What a curve's pieces are worth, and what a party forgoes by standing where its price would not have
//! it. In EUR/MWh times kW, thousandths of EUR/h.

use crate::grid::problem::Piece;

/// What is used of each piece when `power_kw` is taken, the first one first.
fn filled(pieces: &[Piece], power_kw: f64) -> impl Iterator<Item = (&Piece, f64)> {
    let mut left = power_kw;
    pieces.iter().map(move |piece| {
        let used = if left < piece.width_kw { left.max(0.0) } else { piece.width_kw };
        left -= used;
        (piece, used)
    })
}

/// Price after `used` of a piece, from the price where it begins to that where it ends.
fn price_after(width_kw: f64, begin: f64, end: f64, used: f64) -> f64 {
    begin + (end - begin) * (used / width_kw)
}

/// Area below a party's pieces from nothing to `power_kw`.
pub fn value(pieces: &[Piece], power_kw: f64) -> f64 {
    let area = |(piece, used): (&Piece, f64)| {
        let last = price_after(piece.width_kw, piece.price_high, piece.price_low, used);
        used * (piece.price_high + last) / 2.0
    };
    filled(pieces, power_kw).map(area).sum()
}

/// Area below a supply's pieces from the least import to `power_kw` beyond it.
pub fn cost(pieces: &[Piece], power_kw: f64) -> f64 {
    let area = |(piece, used): (&Piece, f64)| {
        let last = price_after(piece.width_kw, piece.price_low, piece.price_high, used);
        used * (piece.price_low + last) / 2.0
    };
    filled(pieces, power_kw).map(area).sum()
}

/// What a party that takes `power_kw` forgoes at a price: its best surplus less its own.
pub fn forgone_by_party(pieces: &[Piece], power_kw: f64, price: f64) -> f64 {
    filled(pieces, power_kw).map(|(piece, used)| forgone(piece, used, piece.price_high - price)).sum()
}

/// What a supply that delivers `power_kw` beyond its least forgoes at a price.
pub fn forgone_by_supply(pieces: &[Piece], power_kw: f64, price: f64) -> f64 {
    filled(pieces, power_kw).map(|(piece, used)| forgone(piece, used, price - piece.price_low)).sum()
}

/// Surplus of the best use of a piece less that of `used`, where the first kW gains `gain`.
fn forgone(piece: &Piece, used: f64, gain: f64) -> f64 {
    let (width, fall) = (piece.width_kw, piece.price_high - piece.price_low);
    let best = if gain <= 0.0 {
        0.0
    } else if gain >= fall {
        width
    } else {
        width * (gain / fall)
    };
    // The mean gain between the two, so that nothing large is subtracted.
    let mean = gain - fall * ((used + best) / 2.0 / width);
    ((best - used) * mean).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES: [Piece; 3] = [
        Piece { width_kw: 4.0, price_high: 100.0, price_low: 60.0 },
        Piece { width_kw: 2.0, price_high: 50.0, price_low: 50.0 },
        Piece { width_kw: 5.0, price_high: 40.0, price_low: -10.0 },
    ];

    #[test]
    fn a_curve_is_worth_the_area_below_it() {
        let check = |power: f64, expected: f64| assert_eq!(value(&PIECES, power), expected, "{power}");
        check(0.0, 0.0);
        check(2.0, 180.0);
        check(5.0, 370.0);
        check(8.5, 320.0 + 100.0 + 2.5 * 27.5);
        let mut supply = PIECES;
        supply.reverse();
        assert_eq!(cost(&supply, 6.0), 75.0 + 50.0);
    }

    #[test]
    fn nothing_is_forgone_where_the_price_would_have_one() {
        let check = |power: f64, price: f64, expected: f64| {
            assert_eq!(forgone_by_party(&PIECES, power, price), expected, "{power} at {price}");
        };
        check(2.0, 80.0, 0.0);
        check(4.7, 50.0, 0.0);
        check(4.0, 55.0, 0.0);
        check(0.0, 120.0, 0.0);
        check(11.0, -20.0, 0.0);
        // One kW too much at 80 loses half of 10; two missing at 50 lose nothing, at 45 five each.
        check(3.0, 80.0, 5.0);
        check(4.0, 45.0, 10.0);
        let mut supply = PIECES;
        supply.reverse();
        assert_eq!(forgone_by_supply(&supply, 5.0, 50.0), 0.0);
        assert_eq!(forgone_by_supply(&supply, 6.0, 40.0), 10.0);
    }
}
