//! Points of the models that came with IEEE 1547-2018 (701 to 713), and of batteries (802). Data only.

use super::{plain, point, Model, Point};
use crate::sunspec::registers::Kind;

/// 701: measurement. Read as far as its scale factors, short of a text behind them.
pub mod measurement {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "DER measurement (701)", ids: &[701], span: 123 };
    /// AC power in W, positive out of the device.
    pub const W: Point = point("W", 10, Kind::Int16, 116);
    /// Voltage of a phase against neutral, in V.
    pub const LNV: Point = point("LNV", 16, Kind::Uint16, 114);
    /// Frequency in Hz.
    pub const HZ: Point = point("Hz", 17, Kind::Uint32, 115);
    /// Energy given over its life, in Wh.
    pub const TOT_WH_INJ: Point = point("TotWhInj", 19, Kind::Uint64, 120);
    /// Energy taken over its life, in Wh.
    pub const TOT_WH_ABS: Point = point("TotWhAbs", 23, Kind::Uint64, 120);
}

/// 702: capacity, by nameplate and as set.
pub mod capacity {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "DER capacity (702)", ids: &[702], span: 52 };
    /// Continuous power output by nameplate, in W.
    pub const W_MAX_RTG: Point = point("WMaxRtg", 2, Kind::Uint16, 45);
    /// Reactive power it can give, in var.
    pub const VAR_MAX_INJ_RTG: Point = point("VarMaxInjRtg", 8, Kind::Uint16, 48);
    /// Reactive power it can absorb, in var.
    pub const VAR_MAX_ABS_RTG: Point = point("VarMaxAbsRtg", 9, Kind::Uint16, 48);
    /// Most charging power, in W.
    pub const W_CHA_RTE_MAX_RTG: Point = point("WChaRteMaxRtg", 10, Kind::Uint16, 45);
    /// Most discharging power, in W.
    pub const W_DIS_CHA_RTE_MAX_RTG: Point = point("WDisChaRteMaxRtg", 11, Kind::Uint16, 45);
    /// Nominal voltage, in V.
    pub const V_NOM_RTG: Point = point("VNomRtg", 14, Kind::Uint16, 49);
    /// Most power output as set, in W: what percentages of model 704 are of.
    pub const W_MAX: Point = point("WMax", 26, Kind::Uint16, 45);
    /// Most charging power as set, in W.
    pub const W_CHA_RTE_MAX: Point = point("WChaRteMax", 34, Kind::Uint16, 45);
    /// Most discharging power as set, in W.
    pub const W_DIS_CHA_RTE_MAX: Point = point("WDisChaRteMax", 35, Kind::Uint16, 45);
}

/// 703: entering service.
pub mod enter_service {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "DER enter service (703)", ids: &[703], span: 19 };
    /// Whether entering service is permitted: 0 or 1.
    pub const ES: Point = plain("ES", 2, Kind::Enum16);
    /// Highest voltage to enter service at, in percent of nominal.
    pub const ES_V_HI: Point = point("ESVHi", 3, Kind::Uint16, 17);
    /// Lowest voltage to enter service at, in percent of nominal.
    pub const ES_V_LO: Point = point("ESVLo", 4, Kind::Uint16, 17);
    /// Highest frequency to enter service at, in Hz.
    pub const ES_HZ_HI: Point = point("ESHzHi", 5, Kind::Uint32, 18);
    /// Lowest frequency to enter service at, in Hz.
    pub const ES_HZ_LO: Point = point("ESHzLo", 7, Kind::Uint32, 18);
    /// Delay before it enters service, in seconds.
    pub const ES_DLY_TMS: Point = plain("ESDlyTms", 9, Kind::Uint32);
    /// How long it takes to ramp up to its full power once it has entered, in seconds.
    pub const ES_RMP_TMS: Point = plain("ESRmpTms", 13, Kind::Uint32);
}

/// 704: controls. Of each, values stand before what they revert to; the timer restarts when written.
pub mod control {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "DER controls (704)", ids: &[704], span: 59 };
    /// Whether the limit holds: 0 or 1.
    pub const LIMIT_ENA: Point = plain("WMaxLimPctEna", 14, Kind::Enum16);
    /// Limit on output, in percent of WMax.
    pub const LIMIT: Point = point("WMaxLimPct", 15, Kind::Uint16, 54);
    /// The limit after reversion.
    pub const LIMIT_RVRT: Point = point("WMaxLimPctRvrt", 16, Kind::Uint16, 54);
    /// Whether a limit holds after reversion: 0 or 1.
    pub const LIMIT_ENA_RVRT: Point = plain("WMaxLimPctEnaRvrt", 17, Kind::Enum16);
    /// Seconds until the limit reverts.
    pub const LIMIT_RVRT_TMS: Point = plain("WMaxLimPctRvrtTms", 18, Kind::Uint32);
    /// Whether the power set holds: 0 or 1.
    pub const SET_ENA: Point = plain("WSetEna", 22, Kind::Enum16);
    /// What holds of it: 0 for a percentage, 1 for watts.
    pub const SET_MOD: Point = plain("WSetMod", 23, Kind::Enum16);
    /// Power to give (negative: take), in W.
    pub const SET: Point = point("WSet", 24, Kind::Int32, 55);
    /// Whether a power set holds after reversion: 0 or 1.
    pub const SET_ENA_RVRT: Point = plain("WSetEnaRvrt", 30, Kind::Enum16);
    /// Seconds until the power set reverts.
    pub const SET_RVRT_TMS: Point = plain("WSetRvrtTms", 31, Kind::Uint32);
    /// Whether the reactive power set holds: 0 or 1.
    pub const VAR_ENA: Point = plain("VarSetEna", 35, Kind::Enum16);
    /// What holds of it: 4 for vars.
    pub const VAR_MOD: Point = plain("VarSetMod", 36, Kind::Enum16);
    /// Reactive power to give (negative: absorb), in var.
    pub const VAR: Point = point("VarSet", 38, Kind::Int32, 57);
    /// Whether reactive power set holds after reversion: 0 or 1.
    pub const VAR_ENA_RVRT: Point = plain("VarSetEnaRvrt", 44, Kind::Enum16);
    /// Seconds until it reverts.
    pub const VAR_RVRT_TMS: Point = plain("VarSetRvrtTms", 45, Kind::Uint32);
    /// How fast its power may change, in percent of WMax a second.
    pub const W_RMP: Point = plain("WRmp", 49, Kind::Uint16);
}

/// 705: volt-var, its curves behind these points.
pub mod volt_var {
    use super::*;
    /// The model; its curves are read as far as one request reaches.
    pub const MODEL: Model = Model { name: "DER volt-var (705)", ids: &[705], span: 125 };
    /// Whether volt-var holds: 0 or 1.
    pub const ENA: Point = plain("Ena", 2, Kind::Enum16);
    /// Which stored curve to adopt, 2 or higher: the first is the one in force.
    pub const ADPT_CRV_REQ: Point = plain("AdptCrvReq", 3, Kind::Uint16);
    /// What came of it: 0 in progress, 1 done, 2 failed.
    pub const ADPT_CRV_RSLT: Point = plain("AdptCrvRslt", 4, Kind::Enum16);
    /// Points a curve has room for.
    pub const N_PT: Point = plain("NPt", 5, Kind::Uint16);
    /// Curves there are.
    pub const N_CRV: Point = plain("NCrv", 6, Kind::Uint16);
    /// Seconds until it reverts.
    pub const RVRT_TMS: Point = plain("RvrtTms", 7, Kind::Uint32);
    /// Offset of the scale factor of voltages.
    pub const V_SF: u16 = 12;
    /// Offset of the scale factor of reactive powers.
    pub const DEPT_REF_SF: u16 = 13;
    /// Where the curves begin.
    pub const CURVES: u16 = 15;
    /// Registers of a curve before its points; each point then has two.
    pub const CURVE_HEAD: u16 = 10;
}

/// 713: storage.
pub mod storage {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "DER storage (713)", ids: &[713], span: 9 };
    /// Nominal energy stored, in Wh.
    pub const WH_RTG: Point = point("WHRtg", 2, Kind::Uint16, 7);
    /// State of charge in percent.
    pub const SOC: Point = point("SoC", 4, Kind::Uint16, 8);
}

/// 802: battery.
pub mod battery {
    use super::*;
    /// The model.
    pub const MODEL: Model = Model { name: "battery (802)", ids: &[802], span: 64 };
    /// Nominal energy stored, in Wh.
    pub const WH_RTG: Point = point("WHRtg", 3, Kind::Uint16, 53);
    /// Most charging power, in W.
    pub const W_CHA_RTE_MAX: Point = point("WChaRteMax", 4, Kind::Uint16, 54);
    /// Most discharging power, in W.
    pub const W_DIS_CHA_RTE_MAX: Point = point("WDisChaRteMax", 5, Kind::Uint16, 54);
    /// Reserve not to be discharged, in percent.
    pub const SOC_RSV_MIN: Point = point("SoCRsvMin", 10, Kind::Uint16, 56);
    /// State of charge in percent.
    pub const SOC: Point = point("SoC", 11, Kind::Uint16, 56);
}
