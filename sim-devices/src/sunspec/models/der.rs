//! Models that came with IEEE 1547-2018 (701 to 704, 713), of batteries (802), of settings (121), and those in
//! floating-point numbers (113, 213), as data. Data only, from the SunSpec models (github.com/sunspec/models,
//! Apache-2.0).

use super::Kind::{Float32, Int16, Int32, Text, Uint16, Uint32, Uint64};
use super::Model;

/// 121: basic settings.
#[rustfmt::skip]
pub const SETTINGS: Model = Model {
    id: 121,
    points: &[
        ("WMax", Uint16), ("VRef", Uint16), ("VRefOfs", Int16), ("VMax", Uint16), ("VMin", Uint16),
        ("VAMax", Uint16), ("VArMaxQ1", Int16), ("VArMaxQ2", Int16), ("VArMaxQ3", Int16),
        ("VArMaxQ4", Int16), ("WGra", Uint16), ("PFMinQ1", Int16), ("PFMinQ2", Int16),
        ("PFMinQ3", Int16), ("PFMinQ4", Int16), ("VArAct", Uint16), ("ClcTotVA", Uint16),
        ("MaxRmpRte", Uint16), ("ECPNomHz", Uint16), ("ConnPh", Uint16), ("WMax_SF", Int16),
        ("VRef_SF", Int16), ("VRefOfs_SF", Int16), ("VMinMax_SF", Int16), ("VAMax_SF", Int16),
        ("VArMax_SF", Int16), ("WGra_SF", Int16), ("PFMin_SF", Int16), ("MaxRmpRte_SF", Int16),
        ("ECPNomHz_SF", Int16),
    ],
};

/// 113: three-phase inverter in floating-point numbers.
#[rustfmt::skip]
pub const FLOAT_INVERTER: Model = Model {
    id: 113,
    points: &[
        ("A", Float32), ("AphA", Float32), ("AphB", Float32), ("AphC", Float32), ("PPVphAB", Float32),
        ("PPVphBC", Float32), ("PPVphCA", Float32), ("PhVphA", Float32), ("PhVphB", Float32),
        ("PhVphC", Float32), ("W", Float32), ("Hz", Float32), ("VA", Float32), ("VAr", Float32),
        ("PF", Float32), ("WH", Float32), ("DCA", Float32), ("DCV", Float32), ("DCW", Float32),
        ("TmpCab", Float32), ("TmpSnk", Float32), ("TmpTrns", Float32), ("TmpOt", Float32),
        ("St", Uint16), ("StVnd", Uint16), ("Evt1", Uint32), ("Evt2", Uint32), ("EvtVnd1", Uint32),
        ("EvtVnd2", Uint32), ("EvtVnd3", Uint32), ("EvtVnd4", Uint32),
    ],
};

/// 213: three-phase meter in floating-point numbers.
#[rustfmt::skip]
pub const FLOAT_METER: Model = Model {
    id: 213,
    points: &[
        ("A", Float32), ("AphA", Float32), ("AphB", Float32), ("AphC", Float32), ("PhV", Float32),
        ("PhVphA", Float32), ("PhVphB", Float32), ("PhVphC", Float32), ("PPV", Float32),
        ("PPVphAB", Float32), ("PPVphBC", Float32), ("PPVphCA", Float32), ("Hz", Float32),
        ("W", Float32), ("WphA", Float32), ("WphB", Float32), ("WphC", Float32), ("VA", Float32),
        ("VAphA", Float32), ("VAphB", Float32), ("VAphC", Float32), ("VAR", Float32),
        ("VARphA", Float32), ("VARphB", Float32), ("VARphC", Float32), ("PF", Float32),
        ("PFphA", Float32), ("PFphB", Float32), ("PFphC", Float32), ("TotWhExp", Float32),
        ("TotWhExpPhA", Float32), ("TotWhExpPhB", Float32), ("TotWhExpPhC", Float32),
        ("TotWhImp", Float32), ("TotWhImpPhA", Float32), ("TotWhImpPhB", Float32),
        ("TotWhImpPhC", Float32), ("TotVAhExp", Float32), ("TotVAhExpPhA", Float32),
        ("TotVAhExpPhB", Float32), ("TotVAhExpPhC", Float32), ("TotVAhImp", Float32),
        ("TotVAhImpPhA", Float32), ("TotVAhImpPhB", Float32), ("TotVAhImpPhC", Float32),
        ("TotVArhImpQ1", Float32), ("TotVArhImpQ1phA", Float32), ("TotVArhImpQ1phB", Float32),
        ("TotVArhImpQ1phC", Float32), ("TotVArhImpQ2", Float32), ("TotVArhImpQ2phA", Float32),
        ("TotVArhImpQ2phB", Float32), ("TotVArhImpQ2phC", Float32), ("TotVArhExpQ3", Float32),
        ("TotVArhExpQ3phA", Float32), ("TotVArhExpQ3phB", Float32), ("TotVArhExpQ3phC", Float32),
        ("TotVArhExpQ4", Float32), ("TotVArhExpQ4phA", Float32), ("TotVArhExpQ4phB", Float32),
        ("TotVArhExpQ4phC", Float32), ("Evt", Uint32),
    ],
};

/// 701: DER measurement.
#[rustfmt::skip]
pub const MEASUREMENT: Model = Model {
    id: 701,
    points: &[
        ("ACType", Uint16), ("St", Uint16), ("InvSt", Uint16), ("ConnSt", Uint16), ("Alrm", Uint32),
        ("DERMode", Uint32), ("W", Int16), ("VA", Int16), ("Var", Int16), ("PF", Int16), ("A", Int16),
        ("LLV", Uint16), ("LNV", Uint16), ("Hz", Uint32), ("TotWhInj", Uint64), ("TotWhAbs", Uint64),
        ("TotVarhInj", Uint64), ("TotVarhAbs", Uint64), ("TmpAmb", Int16), ("TmpCab", Int16),
        ("TmpSnk", Int16), ("TmpTrns", Int16), ("TmpSw", Int16), ("TmpOt", Int16), ("WL1", Int16),
        ("VAL1", Int16), ("VarL1", Int16), ("PFL1", Int16), ("AL1", Int16), ("VL1L2", Uint16),
        ("VL1", Uint16), ("TotWhInjL1", Uint64), ("TotWhAbsL1", Uint64), ("TotVarhInjL1", Uint64),
        ("TotVarhAbsL1", Uint64), ("WL2", Int16), ("VAL2", Int16), ("VarL2", Int16), ("PFL2", Int16),
        ("AL2", Int16), ("VL2L3", Uint16), ("VL2", Uint16), ("TotWhInjL2", Uint64),
        ("TotWhAbsL2", Uint64), ("TotVarhInjL2", Uint64), ("TotVarhAbsL2", Uint64), ("WL3", Int16),
        ("VAL3", Int16), ("VarL3", Int16), ("PFL3", Int16), ("AL3", Int16), ("VL3L1", Uint16),
        ("VL3", Uint16), ("TotWhInjL3", Uint64), ("TotWhAbsL3", Uint64), ("TotVarhInjL3", Uint64),
        ("TotVarhAbsL3", Uint64), ("ThrotPct", Uint16), ("ThrotSrc", Uint32), ("A_SF", Int16),
        ("V_SF", Int16), ("Hz_SF", Int16), ("W_SF", Int16), ("PF_SF", Int16), ("VA_SF", Int16),
        ("Var_SF", Int16), ("TotWh_SF", Int16), ("TotVarh_SF", Int16), ("Tmp_SF", Int16),
        ("MnAlrmInfo", Text(32)),
    ],
};

/// 702: DER capacity.
#[rustfmt::skip]
pub const CAPACITY: Model = Model {
    id: 702,
    points: &[
        ("WMaxRtg", Uint16), ("WOvrExtRtg", Uint16), ("WOvrExtRtgPF", Uint16), ("WUndExtRtg", Uint16),
        ("WUndExtRtgPF", Uint16), ("VAMaxRtg", Uint16), ("VarMaxInjRtg", Uint16),
        ("VarMaxAbsRtg", Uint16), ("WChaRteMaxRtg", Uint16), ("WDisChaRteMaxRtg", Uint16),
        ("VAChaRteMaxRtg", Uint16), ("VADisChaRteMaxRtg", Uint16), ("VNomRtg", Uint16),
        ("VMaxRtg", Uint16), ("VMinRtg", Uint16), ("AMaxRtg", Uint16), ("PFOvrExtRtg", Uint16),
        ("PFUndExtRtg", Uint16), ("ReactSusceptRtg", Uint16), ("NorOpCatRtg", Uint16),
        ("AbnOpCatRtg", Uint16), ("CtrlModes", Uint32), ("IntIslandCatRtg", Uint16), ("WMax", Uint16),
        ("WMaxOvrExt", Uint16), ("WOvrExtPF", Uint16), ("WMaxUndExt", Uint16), ("WUndExtPF", Uint16),
        ("VAMax", Uint16), ("VarMaxInj", Uint16), ("VarMaxAbs", Uint16), ("WChaRteMax", Uint16),
        ("WDisChaRteMax", Uint16), ("VAChaRteMax", Uint16), ("VADisChaRteMax", Uint16), ("VNom", Uint16),
        ("VMax", Uint16), ("VMin", Uint16), ("AMax", Uint16), ("PFOvrExt", Uint16), ("PFUndExt", Uint16),
        ("IntIslandCat", Uint16), ("W_SF", Int16), ("PF_SF", Int16), ("VA_SF", Int16), ("Var_SF", Int16),
        ("V_SF", Int16), ("A_SF", Int16), ("S_SF", Int16),
    ],
};

/// 703: DER enter service.
#[rustfmt::skip]
pub const ENTER_SERVICE: Model = Model {
    id: 703,
    points: &[
        ("ES", Uint16), ("ESVHi", Uint16), ("ESVLo", Uint16), ("ESHzHi", Uint32), ("ESHzLo", Uint32),
        ("ESDlyTms", Uint32), ("ESRndTms", Uint32), ("ESRmpTms", Uint32), ("ESDlyRemTms", Uint32),
        ("V_SF", Int16), ("Hz_SF", Int16),
    ],
};

/// 704: DER controls.
#[rustfmt::skip]
pub const DER_CONTROL: Model = Model {
    id: 704,
    points: &[
        ("PFWInjEna", Uint16), ("PFWInjEnaRvrt", Uint16), ("PFWInjRvrtTms", Uint32),
        ("PFWInjRvrtRem", Uint32), ("PFWAbsEna", Uint16), ("PFWAbsEnaRvrt", Uint16),
        ("PFWAbsRvrtTms", Uint32), ("PFWAbsRvrtRem", Uint32), ("WMaxLimPctEna", Uint16),
        ("WMaxLimPct", Uint16), ("WMaxLimPctRvrt", Uint16), ("WMaxLimPctEnaRvrt", Uint16),
        ("WMaxLimPctRvrtTms", Uint32), ("WMaxLimPctRvrtRem", Uint32), ("WSetEna", Uint16),
        ("WSetMod", Uint16), ("WSet", Int32), ("WSetRvrt", Int32), ("WSetPct", Int16),
        ("WSetPctRvrt", Int16), ("WSetEnaRvrt", Uint16), ("WSetRvrtTms", Uint32),
        ("WSetRvrtRem", Uint32), ("VarSetEna", Uint16), ("VarSetMod", Uint16), ("VarSetPri", Uint16),
        ("VarSet", Int32), ("VarSetRvrt", Int32), ("VarSetPct", Int16), ("VarSetPctRvrt", Int16),
        ("VarSetEnaRvrt", Uint16), ("VarSetRvrtTms", Uint32), ("VarSetRvrtRem", Uint32),
        ("WRmp", Uint16), ("WRmpRef", Uint16), ("VarRmp", Uint16), ("AntiIslEna", Uint16),
        ("PF_SF", Int16), ("WMaxLimPct_SF", Int16), ("WSet_SF", Int16), ("WSetPct_SF", Int16),
        ("VarSet_SF", Int16), ("VarSetPct_SF", Int16), ("PFWInj.PF", Uint16), ("PFWInj.Ext", Uint16),
        ("PFWInjRvrt.PF", Uint16), ("PFWInjRvrt.Ext", Uint16), ("PFWAbs.PF", Uint16),
        ("PFWAbs.Ext", Uint16), ("PFWAbsRvrt.PF", Uint16), ("PFWAbsRvrt.Ext", Uint16),
    ],
};

/// 713: DER storage.
#[rustfmt::skip]
pub const DER_STORAGE: Model = Model {
    id: 713,
    points: &[
        ("WHRtg", Uint16), ("WHAvail", Uint16), ("SoC", Uint16), ("SoH", Uint16), ("Sta", Uint16),
        ("WH_SF", Int16), ("Pct_SF", Int16),
    ],
};

/// 802: battery.
#[rustfmt::skip]
pub const BATTERY: Model = Model {
    id: 802,
    points: &[
        ("AHRtg", Uint16), ("WHRtg", Uint16), ("WChaRteMax", Uint16), ("WDisChaRteMax", Uint16),
        ("DisChaRte", Uint16), ("SoCMax", Uint16), ("SoCMin", Uint16), ("SocRsvMax", Uint16),
        ("SoCRsvMin", Uint16), ("SoC", Uint16), ("DoD", Uint16), ("SoH", Uint16), ("NCyc", Uint32),
        ("ChaSt", Uint16), ("LocRemCtl", Uint16), ("Hb", Uint16), ("CtrlHb", Uint16), ("AlmRst", Uint16),
        ("Typ", Uint16), ("State", Uint16), ("StateVnd", Uint16), ("WarrDt", Uint32), ("Evt1", Uint32),
        ("Evt2", Uint32), ("EvtVnd1", Uint32), ("EvtVnd2", Uint32), ("V", Uint16), ("VMax", Uint16),
        ("VMin", Uint16), ("CellVMax", Uint16), ("CellVMaxStr", Uint16), ("CellVMaxMod", Uint16),
        ("CellVMin", Uint16), ("CellVMinStr", Uint16), ("CellVMinMod", Uint16), ("CellVAvg", Uint16),
        ("A", Int16), ("AChaMax", Uint16), ("ADisChaMax", Uint16), ("W", Int16), ("ReqInvState", Uint16),
        ("ReqW", Int16), ("SetOp", Uint16), ("SetInvState", Uint16), ("AHRtg_SF", Int16),
        ("WHRtg_SF", Int16), ("WChaDisChaMax_SF", Int16), ("DisChaRte_SF", Int16), ("SoC_SF", Int16),
        ("DoD_SF", Int16), ("SoH_SF", Int16), ("V_SF", Int16), ("CellV_SF", Int16), ("A_SF", Int16),
        ("AMax_SF", Int16), ("W_SF", Int16),
    ],
};
