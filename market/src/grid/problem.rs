//! What is cleared: a feeder, what its parties offer, what the transmission side supplies, and the
//! weights of the objective. Plain figures; nothing here decides.
//!
//! Real power in kW, reactive power in kvar, prices in EUR/MWh, squared voltages in p.u. Import,
//! consumption and absorbed vars are positive. Buses are named by *place*: parents come before their
//! children and place 0 is the grid supply point ([`crate::feeder::Tree`]). A limit that does not
//! exist is infinite. A carbon price is already in the prices of those who emit.

/// One interval's market on one feeder.
#[derive(Clone, Debug, PartialEq)]
pub struct GridProblem {
    /// The feeder.
    pub network: Network,
    /// What parties at its buses ask for.
    pub offers: Vec<Offer>,
    /// What comes from the transmission side.
    pub supply: Supply,
    /// What is weighed against the parties' value.
    pub objective: Objective,
}

/// A radial feeder by place. Every list has one element for each place.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Place of each place's parent, less than its own; the root's is 0.
    pub parent: Vec<usize>,
    /// The line that feeds each place; the root's is not read.
    pub branches: Vec<Branch>,
    /// Limits of voltage; the root's is not read.
    pub bands: Vec<VoltageBand>,
    /// Squared voltage at the root.
    pub root_voltage_square_pu: f64,
    /// Whether losses are part of the balance.
    pub losses: Losses,
}

/// A line or transformer from parent to child.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Resistance in p.u. divided by the base in kVA: `2 r P` is the drop of squared voltage.
    pub resistance_pu_per_kva: f64,
    /// Reactance in p.u. divided by the base in kVA.
    pub reactance_pu_per_kva: f64,
    /// Square of a transformer's ratio: the child's squared voltage is the parent's times this, less
    /// the drop; 1 for a line.
    pub ratio_square: f64,
    /// Least real power from parent into child.
    pub power_min_kw: f64,
    /// Most real power from parent into child.
    pub power_max_kw: f64,
    /// Most apparent power.
    pub apparent_max_kva: f64,
}

/// Limits of a bus's squared voltage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoltageBand {
    /// Least.
    pub min_square_pu: f64,
    /// Most.
    pub max_square_pu: f64,
}

/// Whether losses are part of the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    /// LinDistFlow: what flows into a line flows out of it (Baran and Wu, 1989).
    Neglected,
    /// Branch flow: a line takes `r l` and `x l` of what flows in, with `l V = P^2 + Q^2` at its
    /// sending end (Farivar and Low, 2013).
    Carried,
    /// The same relaxed to `l V >= P^2 + Q^2`: a line may lose more than its current makes it, which
    /// no real line does. Where that is worth nothing, both are one problem.
    Relaxed,
}

impl Losses {
    /// Whether losses are in the balance.
    pub fn carries(self) -> bool {
        self != Self::Neglected
    }
}

/// What one party, or several alike, takes at a bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Where.
    pub place: usize,
    /// What is taken at any price, however high.
    pub power_min_kw: f64,
    /// What is taken besides, the most valued first: `price_low` of one is at least `price_high` of
    /// the next.
    pub pieces: Vec<Piece>,
    /// Reactive power.
    pub reactive: Reactive,
    /// Power this party can take less of on call, up to `power - power_min_kw`.
    pub reserve_up: Option<ReserveOffer>,
    /// Power this party can take more of on call, up to what its pieces leave.
    pub reserve_down: Option<ReserveOffer>,
}

/// A stretch of a curve along which the value of one more kW falls linearly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Its length; more than 0.
    pub width_kw: f64,
    /// Value where it begins.
    pub price_high: f64,
    /// Value where it ends, at most `price_high`; equal for a vertical step.
    pub price_low: f64,
}

/// A party's reactive power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reactive {
    /// The same at any price.
    Fixed {
        /// How much.
        reactive_kvar: f64,
    },
    /// In proportion to its real power.
    Proportional {
        /// Reactive power per real power.
        tan_phi: f64,
    },
    /// Cleared with the real power (volt-var).
    Range {
        /// Least.
        min_kvar: f64,
        /// Most.
        max_kvar: f64,
        /// Cost in EUR/h per Mvar squared.
        cost_eur_per_mvar2_h: f64,
    },
}

/// An offer to stand ready.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReserveOffer {
    /// Most power kept ready.
    pub max_kw: f64,
    /// Price of keeping it ready for an hour, per MW.
    pub price: f64,
}

/// What the transmission side delivers: nothing below `import_min_kw` or above all pieces together.
#[derive(Clone, Debug, PartialEq)]
pub struct Supply {
    /// Least import; negative where export is allowed.
    pub import_min_kw: f64,
    /// Import beyond it, cheapest first; here `price_low` is where a piece begins.
    pub pieces: Vec<Piece>,
}

/// What is weighed against the parties' value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// Price in EUR/MWh of `r (P^2 + Q^2)` on every line, whether or not losses are in the balance.
    pub loss_price: f64,
    /// EUR/h for each bus and p.u.^4 of `(V - 1)^2`, V its squared voltage.
    pub voltage_deviation_price: f64,
    /// Reserve up that must stand ready.
    pub reserve_up_kw: f64,
    /// Reserve down that must stand ready.
    pub reserve_down_kw: f64,
}
