//! Judges a result by its case, knowing nothing of how it was cleared: physics, limits, and that prices
//! and multipliers make everyone's share the best there is (Karush, Kuhn and Tucker; the problem is
//! convex, so that suffices). In its own floating point, from the two JSON documents alone.

use serde_json::Value;
use std::collections::HashMap;

/// Tolerance of prices in EUR/MWh.
pub const PRICE: f64 = 5e-3;
/// Tolerance of squared voltages, and of powers in proportion to the largest.
const RELATIVE: f64 = 5e-6;

/// What is wrong with a result that says it is optimal; nothing if it is. Losses that are more than their current
/// makes by less than the tolerance may be so by rounding, or be a relaxation's, which along a line of great
/// impedance is another voltage: the result is right where either reading is.
pub fn faults(case: &Value, result: &Value) -> Vec<String> {
    faults_within(PRICE, case, result)
}

/// The same with prices to another tolerance.
pub fn faults_within(price: f64, case: &Value, result: &Value) -> Vec<String> {
    let read = |rounded: bool| {
        let mut judge = Judge { price, ..Judge::new(case, result, rounded) };
        judge.sites();
        judge.lines();
        judge.supply();
        judge.prices();
        judge.faults
    };
    let faults = read(true);
    if faults.is_empty() || read(false).is_empty() {
        return Vec::new();
    }
    faults
}

struct Line<'a> {
    case: &'a Value,
    id: &'a str,
    parent: usize,
    r: f64,
    x: f64,
    ratio_square: f64,
    p: f64,
    q: f64,
    /// Squared current, as what does not arrive tells it, and as flow and voltage need it.
    current: f64,
    needed: f64,
}

struct Judge<'a> {
    case: &'a Value,
    result: &'a Value,
    nodes: Vec<&'a str>,
    /// By node, parents first; none for the root, which is the first.
    lines: Vec<Option<Line<'a>>>,
    square: Vec<f64>,
    tolerance_kw: f64,
    /// Tolerance of prices.
    price: f64,
    /// Whether losses that are too many by little are so by rounding, however much they lift a voltage.
    rounded: bool,
    faults: Vec<String>,
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn or(value: &Value, default: f64) -> f64 {
    value.as_f64().unwrap_or(default)
}

fn corners(value: &Value) -> Vec<(f64, f64)> {
    list(value).iter().map(|corner| (or(&corner[0], 0.0), or(&corner[1], 0.0))).collect()
}

/// Least and most a falling curve asks for at prices from `price` less a tolerance to as much above.
fn asked(curve: &[(f64, f64)], price: f64, tolerance: f64) -> (f64, f64) {
    let at = |price: f64, above: bool| {
        let mut power = curve[0].1;
        for pair in curve.windows(2) {
            let ((from, high), (to, low)) = (pair[0], pair[1]);
            if price > to || (above && price == to) {
                power = low;
            } else if price > from && to > from {
                power = high + (low - high) * (price - from) / (to - from);
            }
        }
        power
    };
    (at(price + tolerance, true), at(price - tolerance, false))
}

impl<'a> Judge<'a> {
    fn new(case: &'a Value, result: &'a Value, rounded: bool) -> Self {
        let mut lines_to: HashMap<&str, Vec<&Value>> = HashMap::new();
        for line in list(&case["lines"]) {
            lines_to.entry(text(&line["from"])).or_default().push(line);
        }
        let (mut nodes, mut lines) = (vec![text(&case["root"])], vec![None]);
        let s_kva = or(&case["base"]["s_kva"], 1.0);
        let per_ohm = s_kva / (or(&case["base"]["v_kv"], 1.0).powi(2) * 1e3);
        let mut at = 0;
        while at < nodes.len() {
            for line in lines_to.get(nodes[at]).into_iter().flatten() {
                // No impedance is none by whatever base.
                let ohm = |ohm: f64| if ohm == 0.0 { 0.0 } else { ohm * per_ohm };
                let pu = |pu: &str, key: &str| or(&line[pu], ohm(or(&line[key], 0.0))) / s_kva;
                let id = text(&line["id"]);
                lines.push(Some(Line {
                    case: line,
                    id,
                    parent: at,
                    r: pu("r_pu", "r_ohm"),
                    x: pu("x_pu", "x_ohm"),
                    ratio_square: or(&line["tap_ratio"], 1.0).powi(2),
                    p: or(&result["line_p_kw"][id], f64::NAN),
                    q: or(&result["line_q_kvar"][id], f64::NAN),
                    current: 0.0,
                    needed: 0.0,
                }));
                nodes.push(text(&line["to"]));
            }
            at += 1;
        }
        let powers = ["site_p_kw", "site_q_kvar", "line_p_kw", "line_q_kvar"];
        let figures = powers.iter().flat_map(|key| result[key].as_object().into_iter().flatten());
        let largest = figures.map(|(_, figure)| or(figure, 0.0).abs()).fold(0.0, f64::max);
        let square = vec![or(&case["v_root_pu"], 1.0).powi(2); nodes.len()];
        let tolerance_kw = 2e-3 + RELATIVE * largest;
        Self { case, result, nodes, lines, square, tolerance_kw, price: PRICE, rounded, faults: Vec::new() }
    }

    fn near(&mut self, what: &str, figure: f64, expected: f64, tolerance: f64) {
        self.within(what, figure, (expected, expected), tolerance);
    }

    // A figure that is no number is within nothing.
    fn within(&mut self, what: &str, figure: f64, (least, most): (f64, f64), tolerance: f64) {
        let fits = figure >= least - tolerance && figure <= most + tolerance;
        if !fits {
            self.faults.push(format!("{what}: {figure} is not within {least} to {most}"));
        }
    }

    fn carried(&self) -> bool {
        self.case["model"] == "branchflow_socp"
    }

    /// Every site takes what it asks for at its price.
    fn sites(&mut self) {
        let carbon = or(&self.case["policy"]["carbon_price"], 0.0);
        let reserve = ["reserve_up", "reserve_down"]
            .map(|key| (key, or(&self.case["policy"][format!("{key}_kw")], 0.0)));
        for site in list(&self.case["sites"]) {
            let (id, node) = (text(&site["id"]), text(&site["node"]));
            let p = or(&self.result["site_p_kw"][id], f64::NAN);
            let q = or(&self.result["site_q_kvar"][id], f64::NAN);
            let price = or(&self.result["node_price"][node], f64::NAN);
            let q_price = or(&self.result["node_q_price"][node], f64::NAN);
            let curve = corners(&site["curve"]);
            let tan = match text(&site["q"]["mode"]) {
                "tan" => or(&site["q"]["tan_phi"], 0.0),
                _ => 0.0,
            };
            let effective = price + tan * q_price - carbon * or(&site["emission_t_per_mwh"], 0.0);
            let ends = (curve[curve.len() - 1].1, curve[0].1);
            let offers = reserve.iter().any(|(key, needed)| *needed > 0.0 && site[key].is_object());
            let range = if offers { ends } else { asked(&curve, effective, self.price) };
            self.within(&format!("site {id}"), p, range, self.tolerance_kw * (1.0 + tan.abs()));
            match text(&site["q"]["mode"]) {
                "fixed" => {
                    self.near(&format!("q of {id}"), q, or(&site["q"]["q_kvar"], 0.0), self.tolerance_kw)
                }
                "tan" => self.near(&format!("q of {id}"), q, tan * p, self.tolerance_kw * (1.0 + tan.abs())),
                "range" => self.range(id, &site["q"], q, q_price),
                _ => self.near(&format!("q of {id}"), q, 0.0, self.tolerance_kw),
            }
        }
    }

    /// An inverter's reactive power costs least at its price.
    fn range(&mut self, id: &str, terms: &Value, q: f64, q_price: f64) {
        let (least, most) = (or(&terms["q_min_kvar"], 0.0), or(&terms["q_max_kvar"], 0.0));
        let cost = or(&terms["cost_eur_per_mvarh2"], 0.0);
        let best = |price: f64, free: f64| match cost > 0.0 {
            true => (-price * 1e3 / (2.0 * cost)).clamp(least, most),
            false if price > 0.0 => least,
            false if price < 0.0 => most,
            false => free,
        };
        let range = (best(q_price + self.price, least), best(q_price - self.price, most));
        self.within(&format!("q of {id}"), q, range, self.tolerance_kw);
    }

    /// Flows are what is taken beyond them, and lines and voltages keep their limits.
    fn lines(&mut self) {
        let mut taken = vec![(0.0, 0.0); self.nodes.len()];
        for site in list(&self.case["sites"]) {
            let id = text(&site["id"]);
            if let Some(place) = self.nodes.iter().position(|node| *node == text(&site["node"])) {
                taken[place].0 += or(&self.result["site_p_kw"][id], f64::NAN);
                taken[place].1 += or(&self.result["site_q_kvar"][id], f64::NAN);
            }
        }
        for place in (1..self.nodes.len()).rev() {
            let mut line = self.lines[place].take().unwrap();
            let lost = (line.p - taken[place].0, line.q - taken[place].1);
            if self.carried() && line.r.max(line.x.abs()) > 0.0 {
                line.current = if line.r >= line.x.abs() { lost.0 / line.r } else { lost.1 / line.x };
            }
            self.near(&format!("line {}", line.id), lost.0, line.r * line.current, self.tolerance_kw);
            self.near(&format!("q of line {}", line.id), lost.1, line.x * line.current, self.tolerance_kw);
            taken[line.parent].0 += line.p;
            taken[line.parent].1 += line.q;
            let limit = |key: &str, none: f64| or(&line.case[key], none);
            let limits = (limit("p_min_kw", f64::NEG_INFINITY), limit("p_max_kw", f64::INFINITY));
            self.within(&format!("line {}", line.id), line.p, limits, self.tolerance_kw);
            let most = limit("s_max_kva", f64::INFINITY);
            let apparent = line.p.hypot(line.q);
            self.within(&format!("kVA of {}", line.id), apparent, (0.0, most), self.tolerance_kw);
            self.lines[place] = Some(line);
        }
        self.voltages();
        let import = or(&self.result["import_kw"], f64::NAN);
        self.near("import", import, taken[0].0, self.tolerance_kw);
    }

    fn voltages(&mut self) {
        for place in 1..self.nodes.len() {
            let mut line = self.lines[place].take().unwrap();
            let above = self.square[line.parent];
            let z_square = line.r * line.r + line.x * line.x;
            if self.carried() {
                line.needed = (line.p * line.p + line.q * line.q) / above;
                // No line loses less than its current makes it. One may lose more: a relaxation's.
                let z = line.r.max(line.x.abs());
                let over = z * (line.current - line.needed);
                self.within(&format!("losses of {}", line.id), over, (0.0, f64::INFINITY), self.tolerance_kw);
                let lifts = !self.rounded && z_square * (line.current - line.needed) > RELATIVE;
                if over <= self.tolerance_kw && !lifts {
                    line.current = line.needed;
                }
            }
            let lift = z_square * line.current;
            self.square[place] = line.ratio_square * above - 2.0 * (line.r * line.p + line.x * line.q) + lift;
            self.lines[place] = Some(line);
            let node = list(&self.case["nodes"]).iter().find(|node| node["id"] == self.nodes[place]).unwrap();
            let limits = (
                node["v_min_pu"].as_f64().map_or(f64::NEG_INFINITY, |v| v * v),
                node["v_max_pu"].as_f64().map_or(f64::INFINITY, |v| v * v),
            );
            self.within(
                &format!("voltage of {}", self.nodes[place]),
                self.square[place],
                limits,
                2.0 * RELATIVE,
            );
        }
    }

    /// The import is what the supply delivers at the root's price.
    fn supply(&mut self) {
        let policy = &self.case["policy"];
        let carbon = or(&policy["carbon_price"], 0.0) * or(&self.case["tso"]["emission_t_per_mwh"], 0.0);
        let price = or(&self.result["node_price"][self.nodes[0]], f64::NAN) - carbon;
        let mirrored: Vec<(f64, f64)> =
            corners(&self.case["tso"]["curve"]).into_iter().map(|(price, kw)| (price, -kw)).collect();
        let (low, high) = asked(&mirrored, price, self.price);
        let import = or(&self.result["import_kw"], f64::NAN);
        self.within("import", import, (-high, -low), self.tolerance_kw);
    }

    /// Prices follow from the root's and from multipliers, which only limits that bind have.
    fn prices(&mut self) {
        let (policy, tolerance) = (&self.case["policy"], self.price);
        let (loss, deviation) = (or(&policy["loss_price"], 0.0), or(&policy["voltage_deviation_price"], 0.0));
        let multiplier = |key: &str, name: &str| or(&self.result["multipliers"][key][name], 0.0);
        let price = |place: usize| or(&self.result["node_price"][self.nodes[place]], f64::NAN);
        let q_price = |place: usize| or(&self.result["node_q_price"][self.nodes[place]], f64::NAN);
        let mut worth: Vec<f64> = (0..self.nodes.len())
            .map(|place| {
                let of = |key: &str| multiplier(key, self.nodes[place]);
                of("v_min") - of("v_max") - 2e3 * deviation * (self.square[place] - 1.0)
            })
            .collect();
        let mut found = Vec::new();
        for place in (1..self.nodes.len()).rev() {
            let line = self.lines[place].as_ref().unwrap();
            let above = self.square[line.parent];
            let apparent = line.p.hypot(line.q);
            let z = line.r * line.r + line.x * line.x;
            // A current's price by the squared voltage it flows at.
            let mut current_price = match self.carried() {
                true => (line.r * price(place) + line.x * q_price(place) - z * worth[place]) / above,
                false => 0.0,
            };
            let size = tolerance * (line.r + line.x.abs()) / above;
            found.push((
                format!("losses of {}", line.id),
                current_price.min(0.0) * tolerance / size.max(f64::MIN_POSITIVE),
                0.0,
                0.0,
            ));
            if line.current > line.needed {
                found.push((
                    format!("idle losses of {}", line.id),
                    current_price * tolerance / size.max(f64::MIN_POSITIVE),
                    0.0,
                    0.0,
                ));
                current_price = 0.0;
            }
            worth[line.parent] += line.ratio_square * worth[place] + current_price * line.current;
            let along = multiplier("line_kva", line.id) / apparent.max(1e-9);
            let (up, down) = (multiplier("line_max", line.id), multiplier("line_min", line.id));
            let step = |flow: f64, impedance: f64| {
                along * flow + 2.0 * impedance * worth[place] + 2.0 * (loss * line.r + current_price) * flow
            };
            let expected = price(line.parent) + up - down + step(line.p, line.r);
            let expected_q = q_price(line.parent) + step(line.q, line.x);
            let most = or(&line.case["s_max_kva"], f64::INFINITY);
            // A flow that is off by little turns the multiplier of apparent power by as much; that of a line
            // that may carry nothing has no direction that a flow shows.
            if most > self.tolerance_kw {
                // So does a voltage with what its deviation costs. A power off by a tenth of its tolerance is one.
                let voltage = RELATIVE.max(0.2 * self.tolerance_kw * (line.r + line.x.abs()));
                let off =
                    |impedance: f64| along * self.tolerance_kw + 4e3 * deviation * voltage * impedance.abs();
                let name = self.nodes[place];
                found.push((format!("price of {name}"), price(place), expected, off(line.r)));
                found.push((format!("q price of {name}"), q_price(place), expected_q, off(line.x)));
            }
            let slack = [
                (up, or(&line.case["p_max_kw"], f64::INFINITY) - line.p),
                (down, line.p - or(&line.case["p_min_kw"], f64::NEG_INFINITY)),
                (multiplier("line_kva", line.id), most - apparent),
            ];
            for (multiplier, slack) in slack {
                if multiplier > tolerance && slack.min(multiplier) > tolerance.max(self.tolerance_kw) {
                    found.push((format!("multiplier of {} at slack {slack}", line.id), multiplier, 0.0, 0.0));
                }
            }
        }
        for (what, figure, expected, turned) in found {
            self.near(&what, figure, expected, tolerance + turned + 1e-6 * expected.abs());
        }
    }
}
