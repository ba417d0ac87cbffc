//! Where the points lie that are read and written, from the SunSpec Device Information Model
//! Reference. Offsets count registers from the model's ID register. Data only.

use super::registers::Kind;

pub mod der;

/// One point of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name in the specification.
    pub name: &'static str,
    /// Registers from the model's ID register.
    pub offset: u16,
    /// Its type.
    pub kind: Kind,
    /// Offset of its scale factor; none where the value stands for itself.
    pub scale: Option<u16>,
}

const fn point(name: &'static str, offset: u16, kind: Kind, scale: u16) -> Point {
    Point { name, offset, kind, scale: Some(scale) }
}

const fn plain(name: &'static str, offset: u16, kind: Kind) -> Point {
    Point { name, offset, kind, scale: None }
}

/// A model, or several that agree on the points used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// What it is, for messages.
    pub name: &'static str,
    /// Identifiers that share the layout.
    pub ids: &'static [u16],
    /// Registers to read from the ID register on, so that every point used lies in one read.
    pub span: u16,
}

/// 101, 102, 103: inverter of one, split and three phases, integers with scale factors.
pub mod inverter {
    use super::*;
    /// The models.
    pub const MODEL: Model = Model { name: "inverter (101, 102, 103)", ids: &[101, 102, 103], span: 52 };
    /// AC power in W, positive out of the inverter.
    pub const W: Point = point("W", 14, Kind::Int16, 15);
    /// Energy fed in over its life, in Wh.
    pub const WH: Point = point("WH", 24, Kind::Acc32, 26);
    /// Voltage of phase A against neutral, in V.
    pub const PH_V_A: Point = point("PhVphA", 10, Kind::Uint16, 13);
    /// Frequency in Hz.
    pub const HZ: Point = point("Hz", 16, Kind::Uint16, 17);
}

/// 111, 112, 113: the same in floating-point numbers.
pub mod inverter_float {
    use super::*;
    /// The models.
    pub const MODEL: Model = Model { name: "inverter (111, 112, 113)", ids: &[111, 112, 113], span: 62 };
    /// AC power in W, positive out of the inverter.
    pub const W: Point = plain("W", 22, Kind::Float32);
    /// Energy fed in over its life, in Wh.
    pub const WH: Point = plain("WH", 32, Kind::Float32);
    /// Voltage of phase A against neutral, in V.
    pub const PH_V_A: Point = plain("PhVphA", 16, Kind::Float32);
    /// Frequency in Hz.
    pub const HZ: Point = plain("Hz", 24, Kind::Float32);
}

/// 120: nameplate.
pub mod nameplate {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "nameplate (120)", ids: &[120], span: 28 };
    /// Continuous power output in W.
    pub const W_RTG: Point = point("WRtg", 3, Kind::Uint16, 4);
    /// Continuous reactive power, in var, given beside real power out (quadrant 1).
    pub const VAR_RTG_Q1: Point = point("VArRtgQ1", 7, Kind::Int16, 11);
    /// The same absorbed (quadrant 4), as a rule negative.
    pub const VAR_RTG_Q4: Point = point("VArRtgQ4", 10, Kind::Int16, 11);
    /// Nominal energy stored, in Wh.
    pub const WH_RTG: Point = point("WHRtg", 19, Kind::Uint16, 20);
    /// Most charging power in W.
    pub const MAX_CHA_RTE: Point = point("MaxChaRte", 23, Kind::Uint16, 24);
    /// Most discharging power in W.
    pub const MAX_DIS_CHA_RTE: Point = point("MaxDisChaRte", 25, Kind::Uint16, 26);
}

/// 121: basic settings.
pub mod settings {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "basic settings (121)", ids: &[121], span: 32 };
    /// Most power output as set, in W: what percentages of model 123 are of.
    pub const W_MAX: Point = point("WMax", 2, Kind::Uint16, 22);
    /// Nominal voltage at its connection, in V.
    pub const V_REF: Point = point("VRef", 3, Kind::Uint16, 23);
    /// How fast its power may change, in percent of WMax a second.
    pub const W_GRA: Point = point("WGra", 12, Kind::Uint16, 28);
}

/// 122: measurements and status.
pub mod status {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "status (122)", ids: &[122], span: 46 };
    /// Power available now, in W.
    pub const W_AVAL: Point = point("WAval", 31, Kind::Uint16, 32);
}

/// 123: immediate controls.
pub mod controls {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "immediate controls (123)", ids: &[123], span: 26 };
    /// Seconds until it connects again by itself, or disconnects.
    pub const CONN_RVRT_TMS: Point = plain("Conn_RvrtTms", 3, Kind::Uint16);
    /// Whether it is connected: 0 or 1.
    pub const CONN: Point = plain("Conn", 4, Kind::Enum16);
    /// Limit on output, in percent of WMax.
    pub const W_MAX_LIM_PCT: Point = point("WMaxLimPct", 5, Kind::Uint16, 23);
    /// Seconds until the limit lapses.
    pub const W_MAX_LIM_PCT_RVRT_TMS: Point = plain("WMaxLimPct_RvrtTms", 7, Kind::Uint16);
    /// Whether the limit holds: 0 or 1.
    pub const W_MAX_LIM_ENA: Point = plain("WMaxLim_Ena", 9, Kind::Uint16);
    /// Reactive power in percent of WMax; given positive.
    pub const VAR_W_MAX_PCT: Point = point("VArWMaxPct", 15, Kind::Int16, 25);
    /// Seconds until it lapses.
    pub const VAR_PCT_RVRT_TMS: Point = plain("VArPct_RvrtTms", 19, Kind::Uint16);
    /// What the percentage in force is of: 1 for WMax.
    pub const VAR_PCT_MOD: Point = plain("VArPct_Mod", 21, Kind::Uint16);
    /// Whether it holds: 0 or 1.
    pub const VAR_PCT_ENA: Point = plain("VArPct_Ena", 22, Kind::Uint16);
}

/// 124: storage.
pub mod storage {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "storage (124)", ids: &[124], span: 26 };
    /// Most charging power in W; what both rates are percentages of.
    pub const W_CHA_MAX: Point = point("WChaMax", 2, Kind::Uint16, 18);
    /// Which limits hold: bit 0 charging, bit 1 discharging.
    pub const STOR_CTL_MOD: Point = plain("StorCtl_Mod", 5, Kind::Uint16);
    /// Reserve not to be discharged, in percent of the capacity.
    pub const MIN_RSV_PCT: Point = point("MinRsvPct", 7, Kind::Uint16, 21);
    /// State of charge in percent.
    pub const CHA_STATE: Point = point("ChaState", 8, Kind::Uint16, 22);
    /// Limit on discharging; negative forces charging.
    pub const OUT_W_RTE: Point = point("OutWRte", 12, Kind::Int16, 25);
    /// Limit on charging; negative forces discharging.
    pub const IN_W_RTE: Point = point("InWRte", 13, Kind::Int16, 25);
    /// Seconds until the rates lapse.
    pub const IN_OUT_W_RTE_RVRT_TMS: Point = plain("InOutWRte_RvrtTms", 15, Kind::Uint16);
}

/// 201 to 204: meters of one, split and three phases, integers with scale factors.
pub mod meter {
    use super::*;
    /// The models.
    pub const MODEL: Model = Model { name: "meter (201 to 204)", ids: &[201, 202, 203, 204], span: 107 };
    /// Net power in W, import positive.
    pub const W: Point = point("W", 18, Kind::Int16, 22);
    /// Energy exported, in Wh.
    pub const TOT_WH_EXP: Point = point("TotWhExp", 38, Kind::Acc32, 54);
    /// Energy imported, in Wh.
    pub const TOT_WH_IMP: Point = point("TotWhImp", 46, Kind::Acc32, 54);
}

/// 211 to 214: the same in floating-point numbers. Read as far as these points reach: whole, a model would not
/// fit one request.
pub mod meter_float {
    use super::*;
    /// The models.
    pub const MODEL: Model = Model { name: "meter (211 to 214)", ids: &[211, 212, 213, 214], span: 70 };
    /// Net power in W, import positive.
    pub const W: Point = plain("W", 28, Kind::Float32);
    /// Energy exported, in Wh.
    pub const TOT_WH_EXP: Point = plain("TotWhExp", 60, Kind::Float32);
    /// Energy imported, in Wh.
    pub const TOT_WH_IMP: Point = plain("TotWhImp", 68, Kind::Float32);
}
