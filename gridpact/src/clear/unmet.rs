//! The limit that no dispatch meets, in the case's own names, as JSON and in words.

use super::case::Case;
use super::refusal::Refusal;
use market::clearing::Infeasible;
use market::feeder::Tree;
use market::grid::error::Limit;
use market::grid::GridError;
use serde_json::{json, Value};

/// What cannot be met: the dispatch that comes nearest needs one figure, another is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmet {
    limit: Limit,
    /// The line or node it belongs to; none for import and reserve.
    name: Option<String>,
    /// In kW, kVA or p.u.
    needed: f64,
    allowed: f64,
}

impl Unmet {
    /// From the exact engine's, with its figures in kW.
    pub fn of_exact(infeasible: &Infeasible, (needed, allowed): (f64, f64)) -> Self {
        let (limit, name) = match infeasible {
            Infeasible::LineMax { line, .. } => (Limit::PowerMax, Some(line.clone())),
            Infeasible::LineMin { line, .. } => (Limit::PowerMin, Some(line.clone())),
            Infeasible::SupplyMax { .. } => (Limit::ImportMax, None),
            Infeasible::SupplyMin { .. } => (Limit::ImportMin, None),
        };
        Self { limit, name, needed, allowed }
    }

    /// From why a problem was not cleared.
    ///
    /// # Errors
    /// The refusal itself where that is anything but a limit.
    pub fn of_grid(case: &Case, tree: &Tree, refusal: Refusal) -> Result<Self, Refusal> {
        match refusal {
            Refusal::NotCleared(GridError::Infeasible { limit, place, needed, allowed }) => {
                Ok(Self::of_place(case, tree, limit, place, (needed, allowed)))
            }
            other => Err(other),
        }
    }

    /// From a limit at a place; squares of voltage become voltages.
    pub fn of_place(case: &Case, tree: &Tree, limit: Limit, place: usize, figures: (f64, f64)) -> Self {
        let line = || Some(case.lines[tree.line[place]].id.clone());
        let node = || Some(case.nodes[tree.order[place]].id.clone());
        let voltage = |square: f64| square.max(0.0).sqrt();
        let (needed, allowed) = figures;
        match limit {
            Limit::PowerMax | Limit::PowerMin | Limit::Apparent => {
                Self { limit, name: line(), needed, allowed }
            }
            Limit::VoltageMin | Limit::VoltageMax => {
                Self { limit, name: node(), needed: voltage(needed), allowed: voltage(allowed) }
            }
            Limit::ImportMax | Limit::ImportMin | Limit::ReserveUp | Limit::ReserveDown => {
                Self { limit, name: None, needed, allowed }
            }
        }
    }

    /// The result of an infeasible case.
    pub fn result(&self, case: &Case) -> Value {
        let (kind, unit) = match self.limit {
            Limit::Apparent => ("line", "kva"),
            Limit::PowerMax | Limit::PowerMin => ("line", "kw"),
            Limit::VoltageMin | Limit::VoltageMax => ("node", "pu"),
            Limit::ImportMax | Limit::ImportMin | Limit::ReserveUp | Limit::ReserveDown => ("line", "kw"),
        };
        let mut named = json!({ "limit": self.key() });
        named[kind] = json!(self.name);
        named[format!("needed_{unit}")] = json!(self.needed);
        named[format!("allowed_{unit}")] = json!(self.allowed);
        json!({"id": case.id, "status": "infeasible", "infeasible": named})
    }

    fn key(&self) -> &'static str {
        match self.limit {
            Limit::PowerMax => "p_max_kw",
            Limit::PowerMin => "p_min_kw",
            Limit::Apparent => "s_max_kva",
            Limit::VoltageMin => "v_min_pu",
            Limit::VoltageMax => "v_max_pu",
            Limit::ImportMax => "most import of the TSO curve",
            Limit::ImportMin => "least import of the TSO curve",
            Limit::ReserveUp => "reserve_up_kw",
            Limit::ReserveDown => "reserve_down_kw",
        }
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let (needed, allowed, key) = (self.needed, self.allowed, self.key());
        let name = self.name.as_deref().unwrap_or_default();
        match self.limit {
            Limit::PowerMax => {
                format!("line {name:?}: at least {needed} kW must flow, and {key} is {allowed}")
            }
            Limit::PowerMin => format!("line {name:?}: at most {needed} kW can flow, and {key} is {allowed}"),
            Limit::Apparent => {
                format!("line {name:?}: at least {needed} kVA must flow, and {key} is {allowed}")
            }
            Limit::VoltageMin => {
                format!("node {name:?}: at most {needed} p.u. can be reached, and {key} is {allowed}")
            }
            Limit::VoltageMax => {
                format!("node {name:?}: at least {needed} p.u. is reached, and {key} is {allowed}")
            }
            Limit::ImportMax => {
                format!("tso: at least {needed} kW must be imported, and at most {allowed} kW may be")
            }
            Limit::ImportMin => {
                format!("tso: at most {needed} kW can be imported, and at least {allowed} kW must be")
            }
            Limit::ReserveUp | Limit::ReserveDown => {
                format!("policy: {key} is {needed}, and at most {allowed} kW can stand ready")
            }
        }
    }
}
