//! SunSpec models as data: every point of a model in order, after its ID and length, from the
//! SunSpec Device Information Model Reference (github.com/sunspec/models, Apache-2.0).

pub mod curves;
pub mod der;

use Kind::{Acc32, Acc64, Float32, Int16, Int32, Pad, Text, Uint16, Uint32, Uint64};

/// How a point's registers are understood, and with that how "not implemented" looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned, enumeration or bit field of one register.
    Uint16,
    /// Signed or scale factor.
    Int16,
    /// Unsigned or bit field of two registers.
    Uint32,
    /// Signed of two registers.
    Int32,
    /// Unsigned of four registers.
    Uint64,
    /// Floating-point number of two registers.
    Float32,
    /// Counter of two registers.
    Acc32,
    /// Counter of four registers.
    Acc64,
    /// Text of so many registers.
    Text(u16),
    /// A register without meaning.
    Pad,
}

impl Kind {
    /// Registers it takes.
    pub const fn size(self) -> u16 {
        match self {
            Uint16 | Int16 | Pad => 1,
            Uint32 | Int32 | Float32 | Acc32 => 2,
            Uint64 | Acc64 => 4,
            Text(size) => size,
        }
    }

    /// What its registers read when it is not implemented.
    pub fn absent(self) -> Vec<u16> {
        match self {
            Uint16 => vec![0xFFFF],
            Int16 | Pad => vec![0x8000],
            Uint32 => vec![0xFFFF; 2],
            Int32 => vec![0x8000, 0],
            Uint64 => vec![0xFFFF; 4],
            Float32 => vec![0x7FC0, 0],
            Acc32 | Acc64 | Text(_) => vec![0; usize::from(self.size())],
        }
    }

    /// The number that `words`, this point's own, are written as; signed where it is signed.
    pub fn number(self, words: &[u16]) -> i64 {
        let bits = words.iter().take(4).fold(0u64, |bits, word| bits << 16 | u64::from(*word));
        match self {
            Int16 => i64::from(bits as u16 as i16),
            Int32 => i64::from(bits as u32 as i32),
            _ => i64::try_from(bits).unwrap_or(i64::MAX),
        }
    }
}

/// A model.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// Its identifier.
    pub id: u16,
    /// Its points by name.
    pub points: &'static [(&'static str, Kind)],
}

impl Model {
    /// Registers after the header.
    pub fn length(&self) -> u16 {
        self.points.iter().map(|(_, kind)| kind.size()).sum()
    }
}

/// 1: common, 66 registers.
#[rustfmt::skip]
pub const COMMON: Model = Model {
    id: 1,
    points: &[
        ("Mn", Text(16)), ("Md", Text(16)), ("Opt", Text(8)), ("Vr", Text(8)), ("SN", Text(16)),
        ("DA", Uint16), ("Pad", Pad),
    ],
};

/// 103: three-phase inverter, 50 registers.
#[rustfmt::skip]
pub const INVERTER: Model = Model {
    id: 103,
    points: &[
        ("A", Uint16), ("AphA", Uint16), ("AphB", Uint16), ("AphC", Uint16), ("A_SF", Int16),
        ("PPVphAB", Uint16), ("PPVphBC", Uint16), ("PPVphCA", Uint16), ("PhVphA", Uint16),
        ("PhVphB", Uint16), ("PhVphC", Uint16), ("V_SF", Int16), ("W", Int16), ("W_SF", Int16),
        ("Hz", Uint16), ("Hz_SF", Int16), ("VA", Int16), ("VA_SF", Int16), ("VAr", Int16),
        ("VAr_SF", Int16), ("PF", Int16), ("PF_SF", Int16), ("WH", Acc32), ("WH_SF", Int16),
        ("DCA", Uint16), ("DCA_SF", Int16), ("DCV", Uint16), ("DCV_SF", Int16), ("DCW", Int16),
        ("DCW_SF", Int16), ("TmpCab", Int16), ("TmpSnk", Int16), ("TmpTrns", Int16), ("TmpOt", Int16),
        ("Tmp_SF", Int16), ("St", Uint16), ("StVnd", Uint16), ("Evt1", Uint32), ("Evt2", Uint32),
        ("EvtVnd1", Uint32), ("EvtVnd2", Uint32), ("EvtVnd3", Uint32), ("EvtVnd4", Uint32),
    ],
};

/// 120: nameplate, 26 registers.
#[rustfmt::skip]
pub const NAMEPLATE: Model = Model {
    id: 120,
    points: &[
        ("DERTyp", Uint16), ("WRtg", Uint16), ("WRtg_SF", Int16), ("VARtg", Uint16), ("VARtg_SF", Int16),
        ("VArRtgQ1", Int16), ("VArRtgQ2", Int16), ("VArRtgQ3", Int16), ("VArRtgQ4", Int16),
        ("VArRtg_SF", Int16), ("ARtg", Uint16), ("ARtg_SF", Int16), ("PFRtgQ1", Int16), ("PFRtgQ2", Int16),
        ("PFRtgQ3", Int16), ("PFRtgQ4", Int16), ("PFRtg_SF", Int16), ("WHRtg", Uint16), ("WHRtg_SF", Int16),
        ("AhrRtg", Uint16), ("AhrRtg_SF", Int16), ("MaxChaRte", Uint16), ("MaxChaRte_SF", Int16),
        ("MaxDisChaRte", Uint16), ("MaxDisChaRte_SF", Int16), ("Pad", Pad),
    ],
};

/// 122: measurements and status, 44 registers.
#[rustfmt::skip]
pub const STATUS: Model = Model {
    id: 122,
    points: &[
        ("PVConn", Uint16), ("StorConn", Uint16), ("ECPConn", Uint16), ("ActWh", Acc64), ("ActVAh", Acc64),
        ("ActVArhQ1", Acc64), ("ActVArhQ2", Acc64), ("ActVArhQ3", Acc64), ("ActVArhQ4", Acc64),
        ("VArAval", Int16), ("VArAval_SF", Int16), ("WAval", Uint16), ("WAval_SF", Int16),
        ("StSetLimMsk", Uint32), ("StActCtl", Uint32), ("TmSrc", Text(4)), ("Tms", Uint32),
        ("RtSt", Uint16), ("Ris", Uint16), ("Ris_SF", Int16),
    ],
};

/// 123: immediate controls, 24 registers.
#[rustfmt::skip]
pub const CONTROLS: Model = Model {
    id: 123,
    points: &[
        ("Conn_WinTms", Uint16), ("Conn_RvrtTms", Uint16), ("Conn", Uint16), ("WMaxLimPct", Uint16),
        ("WMaxLimPct_WinTms", Uint16), ("WMaxLimPct_RvrtTms", Uint16), ("WMaxLimPct_RmpTms", Uint16),
        ("WMaxLim_Ena", Uint16), ("OutPFSet", Int16), ("OutPFSet_WinTms", Uint16),
        ("OutPFSet_RvrtTms", Uint16), ("OutPFSet_RmpTms", Uint16), ("OutPFSet_Ena", Uint16),
        ("VArWMaxPct", Int16), ("VArMaxPct", Int16), ("VArAvalPct", Int16), ("VArPct_WinTms", Uint16),
        ("VArPct_RvrtTms", Uint16), ("VArPct_RmpTms", Uint16), ("VArPct_Mod", Uint16),
        ("VArPct_Ena", Uint16), ("WMaxLimPct_SF", Int16), ("OutPFSet_SF", Int16), ("VArPct_SF", Int16),
    ],
};

/// 124: storage, 24 registers.
#[rustfmt::skip]
pub const STORAGE: Model = Model {
    id: 124,
    points: &[
        ("WChaMax", Uint16), ("WChaGra", Uint16), ("WDisChaGra", Uint16), ("StorCtl_Mod", Uint16),
        ("VAChaMax", Uint16), ("MinRsvPct", Uint16), ("ChaState", Uint16), ("StorAval", Uint16),
        ("InBatV", Uint16), ("ChaSt", Uint16), ("OutWRte", Int16), ("InWRte", Int16),
        ("InOutWRte_WinTms", Uint16), ("InOutWRte_RvrtTms", Uint16), ("InOutWRte_RmpTms", Uint16),
        ("ChaGriSet", Uint16), ("WChaMax_SF", Int16), ("WChaDisChaGra_SF", Int16), ("VAChaMax_SF", Int16),
        ("MinRsvPct_SF", Int16), ("ChaState_SF", Int16), ("StorAval_SF", Int16), ("InBatV_SF", Int16),
        ("InOutWRte_SF", Int16),
    ],
};

/// 203: three-phase meter, 105 registers.
#[rustfmt::skip]
pub const METER: Model = Model {
    id: 203,
    points: &[
        ("A", Int16), ("AphA", Int16), ("AphB", Int16), ("AphC", Int16), ("A_SF", Int16), ("PhV", Int16),
        ("PhVphA", Int16), ("PhVphB", Int16), ("PhVphC", Int16), ("PPV", Int16), ("PhVphAB", Int16),
        ("PhVphBC", Int16), ("PhVphCA", Int16), ("V_SF", Int16), ("Hz", Int16), ("Hz_SF", Int16),
        ("W", Int16), ("WphA", Int16), ("WphB", Int16), ("WphC", Int16), ("W_SF", Int16), ("VA", Int16),
        ("VAphA", Int16), ("VAphB", Int16), ("VAphC", Int16), ("VA_SF", Int16), ("VAR", Int16),
        ("VARphA", Int16), ("VARphB", Int16), ("VARphC", Int16), ("VAR_SF", Int16), ("PF", Int16),
        ("PFphA", Int16), ("PFphB", Int16), ("PFphC", Int16), ("PF_SF", Int16), ("TotWhExp", Acc32),
        ("TotWhExpPhA", Acc32), ("TotWhExpPhB", Acc32), ("TotWhExpPhC", Acc32), ("TotWhImp", Acc32),
        ("TotWhImpPhA", Acc32), ("TotWhImpPhB", Acc32), ("TotWhImpPhC", Acc32), ("TotWh_SF", Int16),
        ("TotVAhExp", Acc32), ("TotVAhExpPhA", Acc32), ("TotVAhExpPhB", Acc32), ("TotVAhExpPhC", Acc32),
        ("TotVAhImp", Acc32), ("TotVAhImpPhA", Acc32), ("TotVAhImpPhB", Acc32), ("TotVAhImpPhC", Acc32),
        ("TotVAh_SF", Int16), ("TotVArhImpQ1", Acc32), ("TotVArhImpQ1PhA", Acc32),
        ("TotVArhImpQ1PhB", Acc32), ("TotVArhImpQ1PhC", Acc32), ("TotVArhImpQ2", Acc32),
        ("TotVArhImpQ2PhA", Acc32), ("TotVArhImpQ2PhB", Acc32), ("TotVArhImpQ2PhC", Acc32),
        ("TotVArhExpQ3", Acc32), ("TotVArhExpQ3PhA", Acc32), ("TotVArhExpQ3PhB", Acc32),
        ("TotVArhExpQ3PhC", Acc32), ("TotVArhExpQ4", Acc32), ("TotVArhExpQ4PhA", Acc32),
        ("TotVArhExpQ4PhB", Acc32), ("TotVArhExpQ4PhC", Acc32), ("TotVArh_SF", Int16), ("Evt", Uint32),
    ],
};
