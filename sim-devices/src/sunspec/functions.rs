//! Registers of what an inverter does by itself at its grid (705 to 712), of its DC port (714) and of who is in charge
//! of it (715), by their access rules: the first curve or set is the one in force and read only, the second is
//! written, and adopted on request where it can be. Each has its reversion timer, where its model has one.

use super::map::{watts, Map, Value};
use super::models::curves::{
    DER_CTL, FREQ_DROOP, MEASURE_DC, TRIP_HF, TRIP_HV, TRIP_LF, TRIP_LV, VOLT_VAR, VOLT_WATT, WATT_VAR,
};
use super::models::Model;
use super::server::Refusal;
use crate::physics::functions::{Curve, Droop, Functions, Trip, SIDES};
use crate::physics::pv::Pv;
use market::interval::UnixSeconds;
use market::units::MILLIJOULE_PER_WH;
use std::collections::BTreeMap;

/// Points a curve has room for, and curves or sets there are.
const POINTS: i64 = 4;
const CURVES: i64 = 2;
/// `AdptCrvRslt`: done, and failed.
const COMPLETED: i64 = 1;
const FAILED: i64 = 2;
/// Of the most reactive power (705, 712).
const OF_VAR_MAX: i64 = 1;
/// Longest reversion timer.
const REVERT_MAX_S: i64 = 0xFFFF_FFFE;
/// Voltage of the DC port, in tenths of a volt, and what of its power comes out as AC, in thousandths.
const DC_VOLTAGE: i64 = 6_000;
const DC_EFFICIENCY: i64 = 970;

/// How a model's curve is called: where its points begin, and what is told by what.
struct Shape {
    model: &'static Model,
    /// What stands before a curve's points in the first curve or set.
    curve: &'static str,
    x: &'static str,
    y: &'static str,
    /// The curve it has as delivered.
    points: &'static [(i64, i64)],
    /// Whether it is switched on then.
    on: bool,
    /// What else it says, in each curve and beside them.
    each: &'static [(&'static str, i64)],
    beside: &'static [(&'static str, i64)],
}

const fn trip(model: &'static Model, x: &'static str, points: &'static [(i64, i64)]) -> Shape {
    let beside: &[(&str, i64)] = match x.as_bytes() {
        b"V" => &[("V_SF", -2), ("Tms_SF", -2)],
        _ => &[("Hz_SF", -3), ("Tms_SF", -2)],
    };
    let each = &[("MayTrip.ActPt", 0), ("MomCess.ActPt", 0)];
    Shape { model, curve: "MustTrip.", x, y: "Tms", points, on: true, each, beside }
}

/// Every model with curves, with the defaults of IEEE 1547-2018, category B and II, and EN 50549-1 for frequencies.
const SHAPES: [Shape; 7] = [
    Shape {
        model: &VOLT_VAR,
        curve: "",
        x: "V",
        y: "Var",
        points: &[(9_200, 10_000), (9_800, 0), (10_200, 0), (10_800, -10_000)],
        on: false,
        each: &[("DeptRef", OF_VAR_MAX), ("Pri", 1), ("VRef", 10_000), ("VRefAutoEna", 0), ("RspTms", 5)],
        beside: &[("V_SF", -2), ("DeptRef_SF", -2), ("RspTms_SF", 0), ("RvrtCrv", 1)],
    },
    Shape {
        model: &VOLT_WATT,
        curve: "",
        x: "V",
        y: "W",
        points: &[(10_600, 10_000), (11_000, 2_000)],
        on: false,
        each: &[("DeptRef", 0), ("RspTms", 10)],
        beside: &[("V_SF", -2), ("DeptRef_SF", -2), ("RspTms_SF", 0), ("RvrtCrv", 1)],
    },
    trip(&TRIP_LV, "V", &[(4_500, 16), (7_000, 1_000)]),
    trip(&TRIP_HV, "V", &[(11_000, 200), (12_000, 16)]),
    trip(&TRIP_LF, "Hz", &[(47_000, 16), (47_500, 30_000)]),
    trip(&TRIP_HF, "Hz", &[(51_500, 50), (52_000, 16)]),
    Shape {
        model: &WATT_VAR,
        curve: "",
        x: "W",
        y: "Var",
        points: &[(2_000, 0), (5_000, 0), (10_000, -10_000)],
        on: false,
        each: &[("DeptRef", OF_VAR_MAX), ("Pri", 1)],
        beside: &[("W_SF", -2), ("DeptRef_SF", -2), ("RvrtCrv", 1)],
    },
];

/// What each control of 711 has as delivered.
const DROOP: [(&str, i64); 6] =
    [("DbOf", 36), ("DbUf", 36), ("KOf", 50), ("KUf", 50), ("RspTms", 5), ("PMin", 0)];

type Written = BTreeMap<&'static str, i64>;

/// One model's registers.
#[derive(Clone, Debug)]
struct Registers {
    model: &'static Model,
    values: Written,
    /// Since when its reversion timer runs.
    since: Option<UnixSeconds>,
}

/// All of them, and what 715 was told.
#[derive(Clone, Debug)]
pub(super) struct FunctionRegisters {
    models: Vec<Registers>,
    controller_heartbeat: i64,
    started: UnixSeconds,
}

impl FunctionRegisters {
    /// As delivered.
    pub fn new(now: UnixSeconds) -> Self {
        let mut models: Vec<Registers> = SHAPES.iter().map(of_shape).collect();
        models.insert(6, of_droop());
        Self { models, controller_heartbeat: 0, started: now }
    }

    /// A map with all of them.
    pub fn add_to(&self, mut map: Map, pv: &Pv, now: UnixSeconds, scale: i16) -> Map {
        for registers in &self.models {
            let mut values: Vec<_> =
                registers.values.iter().map(|(name, value)| (*name, Value::Number(*value))).collect();
            if registers.values.contains_key("RvrtTms") {
                values.push(("RvrtRem", registers.remaining_s(now).into()));
            }
            map = map.with(registers.model, &values);
        }
        let power = -pv.power().0 * 1_000 / DC_EFFICIENCY;
        let current = power / 10 / DC_VOLTAGE;
        let energy = pv.fed_in().0 / MILLIJOULE_PER_WH * 1_000 / DC_EFFICIENCY;
        let watts = watts(market::units::Milliwatt(power), scale);
        map.with(
            &MEASURE_DC,
            &[
                ("PrtAlrms", 0.into()),
                ("NPrt", 1.into()),
                ("DCA", current.into()),
                ("DCW", watts.into()),
                ("DCWhInj", energy.into()),
                ("DCA_SF", (-1).into()),
                ("DCV_SF", (-1).into()),
                ("DCW_SF", scale.into()),
                ("DCWH_SF", 0.into()),
                ("Prt1.PrtTyp", 0.into()),
                ("Prt1.ID", 1.into()),
                ("Prt1.IDStr", Value::Text("string 1")),
                ("Prt1.DCA", current.into()),
                ("Prt1.DCV", DC_VOLTAGE.into()),
                ("Prt1.DCW", watts.into()),
                ("Prt1.DCWhInj", energy.into()),
                ("Prt1.DCSta", 1.into()),
                ("Prt1.DCAlrm", 0.into()),
            ],
        )
        .with(
            &DER_CTL,
            &[
                ("LocRemCtl", 0.into()),
                ("DERHb", ((now.0 - self.started.0).rem_euclid(0xFFFF_FFFF)).into()),
                ("ControllerHb", self.controller_heartbeat.into()),
                ("AlarmReset", 0.into()),
                ("OpCtl", i64::from(pv.running).into()),
            ],
        )
    }

    /// Whether a model's registers are these.
    pub fn has(model: u16) -> bool {
        (705..=712).contains(&model) || model == DER_CTL.id
    }

    /// Takes one point as written at `now`.
    pub fn write(
        &mut self,
        pv: &mut Pv,
        now: UnixSeconds,
        (model, name, value): (u16, &'static str, i64),
    ) -> Result<(), Refusal> {
        if model == DER_CTL.id {
            return self.control(pv, name, value);
        }
        let registers = self.models.iter_mut().find(|registers| registers.model.id == model);
        registers.ok_or(Refusal::Address)?.write(now, name, value)
    }

    fn control(&mut self, pv: &mut Pv, name: &str, value: i64) -> Result<(), Refusal> {
        match (name, value) {
            ("ControllerHb", _) => self.controller_heartbeat = value,
            ("AlarmReset", 0 | 1) => {}
            // Stop and start; a standby, into it and out of it, is the same to a simulated inverter.
            ("OpCtl", 0 | 2) => pv.running = false,
            ("OpCtl", 1 | 3) => pv.running = true,
            ("AlarmReset" | "OpCtl", _) => return Err(Refusal::Value),
            _ => return Err(Refusal::Address),
        }
        Ok(())
    }

    /// Lets timers end by `now`, and gives what is switched on then.
    pub fn settle(&mut self, now: UnixSeconds) -> Functions {
        self.models.iter_mut().for_each(|registers| registers.lapse(now));
        let curve = |model: &Model| {
            let shape = SHAPES.iter().find(|shape| shape.model.id == model.id)?;
            let registers = self.models.iter().find(|registers| registers.model.id == model.id)?;
            (registers.get("Ena") == 1).then(|| registers.curve(shape, 1))
        };
        let trips = [&TRIP_LV, &TRIP_HV, &TRIP_LF, &TRIP_HF];
        let trip = |(side, model): (_, &&Model)| Trip { side, points: curve(model).unwrap_or_default() };
        let droop = self.models.iter().find(|registers| registers.model.id == FREQ_DROOP.id);
        Functions {
            volt_var: curve(&VOLT_VAR),
            volt_watt: curve(&VOLT_WATT),
            watt_var: curve(&WATT_VAR),
            droop: droop.filter(|registers| registers.get("Ena") == 1).map(|registers| Droop {
                dead_band: registers.get("Ctl1.DbOf"),
                slope: registers.get("Ctl1.KOf"),
            }),
            trips: SIDES.into_iter().zip(&trips).map(trip).collect(),
        }
    }
}

fn of_shape(shape: &Shape) -> Registers {
    let mut registers = Registers { model: shape.model, values: Written::new(), since: None };
    for (name, value) in shape.beside {
        registers.put(name, *value);
    }
    registers.put("NPt", POINTS);
    let adapted = [("NCrv", CURVES), ("NCrvSet", CURVES), ("AdptCrvReq", 1), ("AdptCrvRslt", COMPLETED)];
    adapted.into_iter().for_each(|(name, value)| registers.put(name, value));
    registers.put("Ena", i64::from(shape.on));
    registers.put("RvrtTms", 0);
    for number in 1..=CURVES {
        registers.put(&format!("Crv{number}.ReadOnly"), i64::from(number == 1));
        for (name, value) in shape.each {
            registers.put(&format!("Crv{number}.{name}"), *value);
        }
        registers.put(&format!("Crv{number}.{}ActPt", shape.curve), shape.points.len() as i64);
        for (place, (x, y)) in (1..).zip(shape.points) {
            let point = format!("Crv{number}.{}Pt{place}.", shape.curve);
            registers.put(&format!("{point}{}", shape.x), *x);
            registers.put(&format!("{point}{}", shape.y), *y);
        }
    }
    registers
}

fn of_droop() -> Registers {
    let mut registers = Registers { model: &FREQ_DROOP, values: Written::new(), since: None };
    let beside = [("Db_SF", -3), ("K_SF", -3), ("RspTms_SF", 0), ("NCtl", CURVES), ("AdptCtlReq", 1)];
    beside.into_iter().for_each(|(name, value)| registers.put(name, value));
    let adapted = [("AdptCtlRslt", COMPLETED), ("Ena", 1), ("RvrtTms", 0), ("RvrtCtl", 1)];
    adapted.into_iter().for_each(|(name, value)| registers.put(name, value));
    for number in 1..=CURVES {
        DROOP.into_iter().for_each(|(name, value)| registers.put(&format!("Ctl{number}.{name}"), value));
        registers.put(&format!("Ctl{number}.ReadOnly"), i64::from(number == 1));
    }
    registers
}

impl Registers {
    /// Puts a value where the model has a point of that name.
    fn put(&mut self, name: &str, value: i64) {
        if let Some((name, _)) = self.model.points.iter().find(|(point, _)| *point == name) {
            self.values.insert(name, value);
        }
    }

    fn get(&self, name: &str) -> i64 {
        self.values.get(name).copied().unwrap_or_default()
    }

    fn write(&mut self, now: UnixSeconds, name: &'static str, value: i64) -> Result<(), Refusal> {
        match name {
            "Ena" if (0..=1).contains(&value) => self.since = (value == 1).then_some(now),
            "AdptCrvReq" | "AdptCtlReq" if (1..=CURVES).contains(&value) => {
                let adopted = self.adopt(value);
                self.put("AdptCrvRslt", if adopted { COMPLETED } else { FAILED });
                self.put("AdptCtlRslt", if adopted { COMPLETED } else { FAILED });
            }
            "RvrtTms" if (0..=REVERT_MAX_S).contains(&value) => {
                self.since = (self.get("Ena") == 1).then_some(now);
            }
            "RvrtCrv" | "RvrtCtl" if (1..=CURVES).contains(&value) => {}
            "Ena" | "AdptCrvReq" | "AdptCtlReq" | "RvrtTms" | "RvrtCrv" | "RvrtCtl" => {
                return Err(Refusal::Value);
            }
            _ if !(name.starts_with("Crv2.") || name.starts_with("Ctl2.")) => return Err(Refusal::Address),
            _ if name.ends_with(".ReadOnly") || name.ends_with(".VRefAuto") => return Err(Refusal::Address),
            _ if name.ends_with("ActPt") && !(0..=POINTS).contains(&value) => return Err(Refusal::Value),
            _ if name.ends_with(".DeptRef") && self.values.get(name) != Some(&value) => {
                return Err(Refusal::Value);
            }
            _ => {}
        }
        self.values.insert(name, value);
        Ok(())
    }

    /// Puts a stored curve or set in force; whether it can be.
    fn adopt(&mut self, number: i64) -> bool {
        let shape = SHAPES.iter().find(|shape| shape.model.id == self.model.id);
        if shape.is_some_and(|shape| !can_be(&self.curve(shape, number))) {
            return false;
        }
        if shape.is_none() && self.get(&format!("Ctl{number}.KOf")) == 0 {
            return false;
        }
        for kind in ["Crv", "Ctl"] {
            let from = format!("{kind}{number}.");
            let stored: Vec<(String, i64)> = self
                .values
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix(&from)?.to_owned(), *value)))
                .filter(|(name, _)| name != "ReadOnly")
                .collect();
            stored.into_iter().for_each(|(name, value)| self.put(&format!("{kind}1.{name}"), value));
        }
        true
    }

    /// The points of a stored curve that count.
    fn curve(&self, shape: &Shape, number: i64) -> Curve {
        let curve = format!("Crv{number}.{}", shape.curve);
        let count = self.get(&format!("{curve}ActPt")).clamp(0, POINTS);
        let get = |place: i64, of: &str| self.get(&format!("{curve}Pt{place}.{of}"));
        (1..=count).map(|place| (get(place, shape.x), get(place, shape.y))).collect()
    }

    /// Ends what its timer has ended.
    fn lapse(&mut self, now: UnixSeconds) {
        let left = self.since.is_some() && self.get("RvrtTms") > 0 && self.remaining_s(now) == 0;
        if !left {
            return;
        }
        self.since = None;
        match self.get("RvrtCrv").max(self.get("RvrtCtl")) {
            number if number > 1 => drop(self.adopt(number)),
            _ => self.put("Ena", 0),
        }
    }

    fn remaining_s(&self, now: UnixSeconds) -> i64 {
        let left = |since: UnixSeconds| (since.0 + self.get("RvrtTms") - now.0).max(0);
        self.since.map_or(0, left)
    }
}

/// A curve needs points, and they must ascend.
fn can_be(curve: &Curve) -> bool {
    !curve.is_empty() && curve.windows(2).all(|pair| pair[0].0 < pair[1].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(steps: &[(u16, &'static str, i64)]) -> (FunctionRegisters, Vec<Result<(), Refusal>>) {
        use crate::physics::profile::Profile;
        use crate::physics::pv::PvSpec;
        let spec = PvSpec { nameplate: market::units::Milliwatt(10_000_000), sun: Profile::constant(0.5) };
        let mut pv = Pv::new(spec, UnixSeconds(0));
        let mut registers = FunctionRegisters::new(UnixSeconds(0));
        let done = steps.iter().map(|step| registers.write(&mut pv, UnixSeconds(10), *step)).collect();
        (registers, done)
    }

    #[test]
    fn the_curve_in_force_is_read_only_and_the_other_is_adopted_where_it_can_be() {
        let (mut registers, done) = written(&[
            (705, "Crv1.Pt1.V", 9_000),
            (705, "Crv2.ReadOnly", 1),
            (705, "Crv2.ActPt", 5),
            (705, "Crv2.Pt1.V", 9_000),
            (705, "AdptCrvReq", 3),
            (705, "AdptCrvReq", 2),
            (705, "RvrtTms", 60),
            (705, "Ena", 1),
        ]);
        let (no, out) = (Err(Refusal::Address), Err(Refusal::Value));
        assert_eq!(done, [no, no, out, Ok(()), out, Ok(()), Ok(()), Ok(())]);
        let of = |registers: &mut FunctionRegisters, now| registers.settle(UnixSeconds(now)).volt_var;
        let curve = vec![(9_000, 10_000), (9_800, 0), (10_200, 0), (10_800, -10_000)];
        assert_eq!(of(&mut registers, 10), Some(curve.clone()));
        assert_eq!(of(&mut registers, 69), Some(curve));
        assert_eq!(of(&mut registers, 70), None);
    }

    #[test]
    fn a_curve_that_does_not_ascend_is_not_adopted() {
        let (mut registers, _) = written(&[(708, "Crv2.MustTrip.Pt1.V", 13_000), (708, "AdptCrvReq", 2)]);
        let trips = registers.settle(UnixSeconds(10)).trips;
        assert_eq!(trips[1].points, [(11_000, 200), (12_000, 16)]);
        let high = registers.models.iter().find(|registers| registers.model.id == 708).unwrap();
        assert_eq!(high.get("AdptCrvRslt"), FAILED);
    }

    #[test]
    fn a_controller_stops_and_starts_it() {
        let (_, done) = written(&[
            (715, "ControllerHb", 7),
            (715, "OpCtl", 0),
            (715, "OpCtl", 4),
            (715, "DERHb", 1),
            (711, "Ctl2.KOf", 20),
            (711, "AdptCtlReq", 2),
        ]);
        assert_eq!(done, [Ok(()), Ok(()), Err(Refusal::Value), Err(Refusal::Address), Ok(()), Ok(())]);
    }
}
