//! What of a clearing does not hold. Figures are integers, so that two machines' refusals can be
//! compared as they stand.

use crate::share::Demand;
use crate::units::{Millivar, Milliwatt, PicoEurPerWh};
use thiserror::Error;

/// The first condition that fails.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The feeder or the objective is no convex problem with figures that can be computed with.
    #[error("{what} {place} cannot be checked against")]
    Terms {
        /// Which of the terms.
        what: &'static str,
        /// The place concerned; 0 where it is not about one.
        place: usize,
    },
    /// Not one figure for each place.
    #[error("{what}: {count} figures, {expected} needed")]
    Shape {
        /// Which list.
        what: &'static str,
        /// Figures given.
        count: usize,
        /// Figures needed.
        expected: usize,
    },
    /// A figure beyond the market's bounds.
    #[error("{what} {index} is out of bounds")]
    OutOfBounds {
        /// Which figure.
        what: &'static str,
        /// The place or party concerned.
        index: usize,
    },
    /// The root has a line's figures, or a reactive price.
    #[error("the root has a flow, a multiplier or a reactive price, and must have none")]
    Root,
    /// A party at a place that does not exist.
    #[error("party {party} is at place {place}, which does not exist")]
    UnknownPlace {
        /// Index of the party in the list.
        party: usize,
        /// The place it names.
        place: usize,
    },
    /// A party answered another price than its own.
    #[error("party {party} answered {answered}, and its price is {price}")]
    OtherPrice {
        /// Index of the party in the list.
        party: usize,
        /// The price it answered.
        answered: PicoEurPerWh,
        /// Its price.
        price: PicoEurPerWh,
    },
    /// A party was given what it does not ask for at its price.
    #[error("party {party} was given {allocation}, and asks for {} to {}", range.low, range.high)]
    Allocation {
        /// Index of the party in the list.
        party: usize,
        /// What it was given.
        allocation: Milliwatt,
        /// What it asks for.
        range: Demand,
    },
    /// A party's reactive power does not follow from its terms.
    #[error("party {party} was given {given}, and its terms and price make it {low} to {high}")]
    Reactive {
        /// Index of the party in the list.
        party: usize,
        /// What it was given.
        given: Millivar,
        /// The least that follows.
        low: Millivar,
        /// The most that follows.
        high: Millivar,
    },
    /// A party's reserve does not follow from its terms.
    #[error("party {party} keeps {award} ready, and its terms and price make it {} to {}", range.low, range.high)]
    Standby {
        /// Index of the party in the list.
        party: usize,
        /// What it was awarded.
        award: Milliwatt,
        /// What follows.
        range: Demand,
    },
    /// The real power into a line is not what is taken beyond it.
    #[error("line to place {place}: {below} mW are taken beyond it, and its flow is {flow}")]
    Flow {
        /// The place it feeds.
        place: usize,
        /// What is taken beyond it.
        below: i128,
        /// What the clearing says.
        flow: Milliwatt,
    },
    /// The reactive power into a line is not what is taken beyond it.
    #[error("line to place {place}: {below} mvar are taken beyond it, and its flow is {flow}")]
    ReactiveFlow {
        /// The place it feeds.
        place: usize,
        /// What is taken beyond it.
        below: i128,
        /// What the clearing says.
        flow: Millivar,
    },
    /// What a line loses is not what its current makes it lose.
    #[error(
        "line to place {place}: its current makes it lose {made}, and {lost} are lost, or vars to match"
    )]
    Loss {
        /// The place it feeds.
        place: usize,
        /// What follows from its flow and voltage.
        made: Milliwatt,
        /// What does not arrive at its far end.
        lost: Milliwatt,
    },
    /// The import is not what is taken together.
    #[error("{taken} are taken, and {import} mW or mvar are imported")]
    Import {
        /// What is taken together.
        taken: i128,
        /// What the clearing says.
        import: i64,
    },
    /// A line's real power is beyond its limits.
    #[error("line to place {place}: its flow {flow} is beyond its limits")]
    Limit {
        /// The place it feeds.
        place: usize,
        /// Its flow.
        flow: Milliwatt,
    },
    /// A line's apparent power is beyond its limit.
    #[error("line to place {place}: its flow {power}, {reactive} is beyond its apparent-power limit")]
    ApparentLimit {
        /// The place it feeds.
        place: usize,
        /// Its real power.
        power: Milliwatt,
        /// Its reactive power.
        reactive: Millivar,
    },
    /// A bus's voltage is beyond its limits.
    #[error("place {place}: its squared voltage, {square_nano_pu}e-9 p.u., is beyond its limits")]
    Voltage {
        /// The place.
        place: usize,
        /// Its squared voltage in 1e-9 p.u.
        square_nano_pu: i64,
    },
    /// A multiplier where no limit binds, or of the wrong sign.
    #[error("place {place}: its {what} multiplier is {figure}, and no limit binds that way")]
    Multiplier {
        /// The place.
        place: usize,
        /// Which one.
        what: &'static str,
        /// Its figure.
        figure: i64,
    },
    /// More losses would be worth having, so that a line's losses being what its current makes them
    /// is no longer implied, and nothing is proven.
    #[error("line to place {place}: more losses on it would be worth having")]
    LossesWelcome {
        /// The place it feeds.
        place: usize,
    },
    /// More is lost than a line's current makes, and less would be worth having.
    #[error(
        "line to place {place}: more is lost on it than its current makes, and less would be worth having"
    )]
    LossesIdle {
        /// The place it feeds.
        place: usize,
    },
    /// A price that does not follow from the root's and the multipliers.
    #[error("place {place}: its price is {price}, and {expected} follows from the root's")]
    Price {
        /// The place.
        place: usize,
        /// Its price.
        price: PicoEurPerWh,
        /// What follows.
        expected: PicoEurPerWh,
    },
    /// A reactive price that does not follow from the multipliers.
    #[error("place {place}: its reactive price is {price}, and {expected} follows")]
    ReactivePrice {
        /// The place.
        place: usize,
        /// Its reactive price.
        price: PicoEurPerWh,
        /// What follows.
        expected: PicoEurPerWh,
    },
    /// The import is not on offer at the root's price.
    #[error("{import} are imported, and {} to {} are on offer at {price}", offer.low, offer.high)]
    Supply {
        /// The import.
        import: Milliwatt,
        /// What is on offer.
        offer: Demand,
        /// The root's price.
        price: PicoEurPerWh,
    },
    /// Less reserve than must stand ready, or a price for more than must.
    #[error("{given} mW of reserve {direction} stand ready at {price}, and {required} must")]
    Reserve {
        /// up or down.
        direction: &'static str,
        /// What stands ready.
        given: i128,
        /// What must.
        required: Milliwatt,
        /// Its price.
        price: PicoEurPerWh,
    },
}
