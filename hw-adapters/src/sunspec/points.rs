//! Where the points lie that are read and written, from the SunSpec Device Information Model
//! Reference. Offsets count registers from the model's ID register. Data only.

/// How a point's registers are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointType {
    /// Unsigned, 0xFFFF when not implemented. Also enumerations and bit fields of one register.
    Uint16,
    /// Signed, 0x8000 when not implemented.
    Int16,
    /// Counter of two registers.
    Acc32,
}

impl PointType {
    /// Registers it takes.
    pub const fn size(self) -> u16 {
        match self {
            Self::Uint16 | Self::Int16 => 1,
            Self::Acc32 => 2,
        }
    }
}

/// One point of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name in the specification.
    pub name: &'static str,
    /// Registers from the model's ID register.
    pub offset: u16,
    /// Its type.
    pub kind: PointType,
    /// Offset of its scale factor; none where the value stands for itself.
    pub scale: Option<u16>,
}

const fn point(name: &'static str, offset: u16, kind: PointType, scale: u16) -> Point {
    Point { name, offset, kind, scale: Some(scale) }
}

const fn plain(name: &'static str, offset: u16) -> Point {
    Point { name, offset, kind: PointType::Uint16, scale: None }
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
    pub const W: Point = point("W", 14, PointType::Int16, 15);
    /// Energy fed in over its life, in Wh.
    pub const WH: Point = point("WH", 24, PointType::Acc32, 26);
}

/// 120: nameplate.
pub mod nameplate {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "nameplate (120)", ids: &[120], span: 28 };
    /// Continuous power output in W.
    pub const W_RTG: Point = point("WRtg", 3, PointType::Uint16, 4);
    /// Continuous reactive power, in var, given beside real power out (quadrant 1).
    pub const VAR_RTG_Q1: Point = point("VArRtgQ1", 7, PointType::Int16, 11);
    /// The same absorbed (quadrant 4), as a rule negative.
    pub const VAR_RTG_Q4: Point = point("VArRtgQ4", 10, PointType::Int16, 11);
    /// Nominal energy stored, in Wh.
    pub const WH_RTG: Point = point("WHRtg", 19, PointType::Uint16, 20);
    /// Most charging power in W.
    pub const MAX_CHA_RTE: Point = point("MaxChaRte", 23, PointType::Uint16, 24);
    /// Most discharging power in W.
    pub const MAX_DIS_CHA_RTE: Point = point("MaxDisChaRte", 25, PointType::Uint16, 26);
}

/// 121: basic settings.
pub mod settings {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "basic settings (121)", ids: &[121], span: 32 };
    /// Most power output as set, in W: what percentages of model 123 are of.
    pub const W_MAX: Point = point("WMax", 2, PointType::Uint16, 22);
}

/// 122: measurements and status.
pub mod status {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "status (122)", ids: &[122], span: 46 };
    /// Power available now, in W.
    pub const W_AVAL: Point = point("WAval", 31, PointType::Uint16, 32);
}

/// 123: immediate controls.
pub mod controls {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "immediate controls (123)", ids: &[123], span: 26 };
    /// Limit on output, in percent of WMax.
    pub const W_MAX_LIM_PCT: Point = point("WMaxLimPct", 5, PointType::Uint16, 23);
    /// Seconds until the limit lapses.
    pub const W_MAX_LIM_PCT_RVRT_TMS: Point = plain("WMaxLimPct_RvrtTms", 7);
    /// Whether the limit holds: 0 or 1.
    pub const W_MAX_LIM_ENA: Point = plain("WMaxLim_Ena", 9);
    /// Reactive power in percent of WMax; given positive.
    pub const VAR_W_MAX_PCT: Point = point("VArWMaxPct", 15, PointType::Int16, 25);
    /// Seconds until it lapses.
    pub const VAR_PCT_RVRT_TMS: Point = plain("VArPct_RvrtTms", 19);
    /// What the percentage in force is of: 1 for WMax.
    pub const VAR_PCT_MOD: Point = plain("VArPct_Mod", 21);
    /// Whether it holds: 0 or 1.
    pub const VAR_PCT_ENA: Point = plain("VArPct_Ena", 22);
}

/// 124: storage.
pub mod storage {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "storage (124)", ids: &[124], span: 26 };
    /// Most charging power in W; what both rates are percentages of.
    pub const W_CHA_MAX: Point = point("WChaMax", 2, PointType::Uint16, 18);
    /// Which limits hold: bit 0 charging, bit 1 discharging.
    pub const STOR_CTL_MOD: Point = plain("StorCtl_Mod", 5);
    /// Reserve not to be discharged, in percent of the capacity.
    pub const MIN_RSV_PCT: Point = point("MinRsvPct", 7, PointType::Uint16, 21);
    /// State of charge in percent.
    pub const CHA_STATE: Point = point("ChaState", 8, PointType::Uint16, 22);
    /// Limit on discharging; negative forces charging.
    pub const OUT_W_RTE: Point = point("OutWRte", 12, PointType::Int16, 25);
    /// Limit on charging; negative forces discharging.
    pub const IN_W_RTE: Point = point("InWRte", 13, PointType::Int16, 25);
    /// Seconds until the rates lapse.
    pub const IN_OUT_W_RTE_RVRT_TMS: Point = plain("InOutWRte_RvrtTms", 15);
}

/// 201 to 204: meters of one, split and three phases, integers with scale factors.
pub mod meter {
    use super::*;
    /// The models.
    pub const MODEL: Model = Model { name: "meter (201 to 204)", ids: &[201, 202, 203, 204], span: 107 };
    /// Net power in W, import positive.
    pub const W: Point = point("W", 18, PointType::Int16, 22);
    /// Energy exported, in Wh.
    pub const TOT_WH_EXP: Point = point("TotWhExp", 38, PointType::Acc32, 54);
    /// Energy imported, in Wh.
    pub const TOT_WH_IMP: Point = point("TotWhImp", 46, PointType::Acc32, 54);
}
