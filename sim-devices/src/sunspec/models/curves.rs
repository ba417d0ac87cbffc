//! Models of functions that follow the grid (705 to 712), of DC ports (714) and of who is in charge (715), with two
//! curves or sets of four points each. Data only, from the SunSpec models (github.com/sunspec/models, Apache-2.0).

use super::Kind::{Int16, Text, Uint16, Uint32, Uint64};
use super::Model;

/// 705: DER volt-var.
#[rustfmt::skip]
pub const VOLT_VAR: Model = Model {
    id: 705,
    points: &[
        ("Ena", Uint16), ("AdptCrvReq", Uint16), ("AdptCrvRslt", Uint16), ("NPt", Uint16), ("NCrv", Uint16),
        ("RvrtTms", Uint32), ("RvrtRem", Uint32), ("RvrtCrv", Uint16), ("V_SF", Int16),
        ("DeptRef_SF", Int16), ("RspTms_SF", Int16), ("Crv1.ActPt", Uint16), ("Crv1.DeptRef", Uint16),
        ("Crv1.Pri", Uint16), ("Crv1.VRef", Uint16), ("Crv1.VRefAuto", Uint16),
        ("Crv1.VRefAutoEna", Uint16), ("Crv1.VRefAutoTms", Uint16), ("Crv1.RspTms", Uint32),
        ("Crv1.ReadOnly", Uint16), ("Crv1.Pt1.V", Uint16), ("Crv1.Pt1.Var", Int16), ("Crv1.Pt2.V", Uint16),
        ("Crv1.Pt2.Var", Int16), ("Crv1.Pt3.V", Uint16), ("Crv1.Pt3.Var", Int16), ("Crv1.Pt4.V", Uint16),
        ("Crv1.Pt4.Var", Int16), ("Crv2.ActPt", Uint16), ("Crv2.DeptRef", Uint16), ("Crv2.Pri", Uint16),
        ("Crv2.VRef", Uint16), ("Crv2.VRefAuto", Uint16), ("Crv2.VRefAutoEna", Uint16),
        ("Crv2.VRefAutoTms", Uint16), ("Crv2.RspTms", Uint32), ("Crv2.ReadOnly", Uint16),
        ("Crv2.Pt1.V", Uint16), ("Crv2.Pt1.Var", Int16), ("Crv2.Pt2.V", Uint16), ("Crv2.Pt2.Var", Int16),
        ("Crv2.Pt3.V", Uint16), ("Crv2.Pt3.Var", Int16), ("Crv2.Pt4.V", Uint16), ("Crv2.Pt4.Var", Int16),
    ],
};

/// 706: DER volt-watt.
#[rustfmt::skip]
pub const VOLT_WATT: Model = Model {
    id: 706,
    points: &[
        ("Ena", Uint16), ("AdptCrvReq", Uint16), ("AdptCrvRslt", Uint16), ("NPt", Uint16), ("NCrv", Uint16),
        ("RvrtTms", Uint32), ("RvrtRem", Uint32), ("RvrtCrv", Uint16), ("V_SF", Int16),
        ("DeptRef_SF", Int16), ("RspTms_SF", Int16), ("Crv1.ActPt", Uint16), ("Crv1.DeptRef", Uint16),
        ("Crv1.RspTms", Uint32), ("Crv1.ReadOnly", Uint16), ("Crv1.Pt1.V", Uint16), ("Crv1.Pt1.W", Int16),
        ("Crv1.Pt2.V", Uint16), ("Crv1.Pt2.W", Int16), ("Crv1.Pt3.V", Uint16), ("Crv1.Pt3.W", Int16),
        ("Crv1.Pt4.V", Uint16), ("Crv1.Pt4.W", Int16), ("Crv2.ActPt", Uint16), ("Crv2.DeptRef", Uint16),
        ("Crv2.RspTms", Uint32), ("Crv2.ReadOnly", Uint16), ("Crv2.Pt1.V", Uint16), ("Crv2.Pt1.W", Int16),
        ("Crv2.Pt2.V", Uint16), ("Crv2.Pt2.W", Int16), ("Crv2.Pt3.V", Uint16), ("Crv2.Pt3.W", Int16),
        ("Crv2.Pt4.V", Uint16), ("Crv2.Pt4.W", Int16),
    ],
};

/// 707: DER trip at low voltage.
#[rustfmt::skip]
pub const TRIP_LV: Model = Model {
    id: 707,
    points: &[
        ("Ena", Uint16), ("AdptCrvReq", Uint16), ("AdptCrvRslt", Uint16), ("NPt", Uint16),
        ("NCrvSet", Uint16), ("V_SF", Int16), ("Tms_SF", Int16), ("Crv1.ReadOnly", Uint16),
        ("Crv1.MustTrip.ActPt", Uint16), ("Crv1.MustTrip.Pt1.V", Uint16), ("Crv1.MustTrip.Pt1.Tms", Uint32),
        ("Crv1.MustTrip.Pt2.V", Uint16), ("Crv1.MustTrip.Pt2.Tms", Uint32), ("Crv1.MustTrip.Pt3.V", Uint16),
        ("Crv1.MustTrip.Pt3.Tms", Uint32), ("Crv1.MustTrip.Pt4.V", Uint16),
        ("Crv1.MustTrip.Pt4.Tms", Uint32), ("Crv1.MayTrip.ActPt", Uint16), ("Crv1.MayTrip.Pt1.V", Uint16),
        ("Crv1.MayTrip.Pt1.Tms", Uint32), ("Crv1.MayTrip.Pt2.V", Uint16), ("Crv1.MayTrip.Pt2.Tms", Uint32),
        ("Crv1.MayTrip.Pt3.V", Uint16), ("Crv1.MayTrip.Pt3.Tms", Uint32), ("Crv1.MayTrip.Pt4.V", Uint16),
        ("Crv1.MayTrip.Pt4.Tms", Uint32), ("Crv1.MomCess.ActPt", Uint16), ("Crv1.MomCess.Pt1.V", Uint16),
        ("Crv1.MomCess.Pt1.Tms", Uint32), ("Crv1.MomCess.Pt2.V", Uint16), ("Crv1.MomCess.Pt2.Tms", Uint32),
        ("Crv1.MomCess.Pt3.V", Uint16), ("Crv1.MomCess.Pt3.Tms", Uint32), ("Crv1.MomCess.Pt4.V", Uint16),
        ("Crv1.MomCess.Pt4.Tms", Uint32), ("Crv2.ReadOnly", Uint16), ("Crv2.MustTrip.ActPt", Uint16),
        ("Crv2.MustTrip.Pt1.V", Uint16), ("Crv2.MustTrip.Pt1.Tms", Uint32), ("Crv2.MustTrip.Pt2.V", Uint16),
        ("Crv2.MustTrip.Pt2.Tms", Uint32), ("Crv2.MustTrip.Pt3.V", Uint16),
        ("Crv2.MustTrip.Pt3.Tms", Uint32), ("Crv2.MustTrip.Pt4.V", Uint16),
        ("Crv2.MustTrip.Pt4.Tms", Uint32), ("Crv2.MayTrip.ActPt", Uint16), ("Crv2.MayTrip.Pt1.V", Uint16),
        ("Crv2.MayTrip.Pt1.Tms", Uint32), ("Crv2.MayTrip.Pt2.V", Uint16), ("Crv2.MayTrip.Pt2.Tms", Uint32),
        ("Crv2.MayTrip.Pt3.V", Uint16), ("Crv2.MayTrip.Pt3.Tms", Uint32), ("Crv2.MayTrip.Pt4.V", Uint16),
        ("Crv2.MayTrip.Pt4.Tms", Uint32), ("Crv2.MomCess.ActPt", Uint16), ("Crv2.MomCess.Pt1.V", Uint16),
        ("Crv2.MomCess.Pt1.Tms", Uint32), ("Crv2.MomCess.Pt2.V", Uint16), ("Crv2.MomCess.Pt2.Tms", Uint32),
        ("Crv2.MomCess.Pt3.V", Uint16), ("Crv2.MomCess.Pt3.Tms", Uint32), ("Crv2.MomCess.Pt4.V", Uint16),
        ("Crv2.MomCess.Pt4.Tms", Uint32),
    ],
};

/// 708: DER trip at high voltage.
#[rustfmt::skip]
pub const TRIP_HV: Model = Model {
    id: 708,
    points: &[
        ("Ena", Uint16), ("AdptCrvReq", Uint16), ("AdptCrvRslt", Uint16), ("NPt", Uint16),
        ("NCrvSet", Uint16), ("V_SF", Int16), ("Tms_SF", Int16), ("Crv1.ReadOnly", Uint16),
        ("Crv1.MustTrip.ActPt", Uint16), ("Crv1.MustTrip.Pt1.V", Uint16), ("Crv1.MustTrip.Pt1.Tms", Uint32),
        ("Crv1.MustTrip.Pt2.V", Uint16), ("Crv1.MustTrip.Pt2.Tms", Uint32), ("Crv1.MustTrip.Pt3.V", Uint16),
        ("Crv1.MustTrip.Pt3.Tms", Uint32), ("Crv1.MustTrip.Pt4.V", Uint16),
        ("Crv1.MustTrip.Pt4.Tms", Uint32), ("Crv1.MayTrip.ActPt", Uint16), ("Crv1.MayTrip.Pt1.V", Uint16),
        ("Crv1.MayTrip.Pt1.Tms", Uint32), ("Crv1.MayTrip.Pt2.V", Uint16), ("Crv1.MayTrip.Pt2.Tms", Uint32),
        ("Crv1.MayTrip.Pt3.V", Uint16), ("Crv1.MayTrip.Pt3.Tms", Uint32), ("Crv1.MayTrip.Pt4.V", Uint16),
        ("Crv1.MayTrip.Pt4.Tms", Uint32), ("Crv1.MomCess.ActPt", Uint16), ("Crv1.MomCess.Pt1.V", Uint16),
        ("Crv1.MomCess.Pt1.Tms", Uint32), ("Crv1.MomCess.Pt2.V", Uint16), ("Crv1.MomCess.Pt2.Tms", Uint32),
        ("Crv1.MomCess.Pt3.V", Uint16), ("Crv1.MomCess.Pt3.Tms", Uint32), ("Crv1.MomCess.Pt4.V", Uint16),
        ("Crv1.MomCess.Pt4.Tms", Uint32), ("Crv2.ReadOnly", Uint16), ("Crv2.MustTrip.ActPt", Uint16),
        ("Crv2.MustTrip.Pt1.V", Uint16), ("Crv2.MustTrip.Pt1.Tms", Uint32), ("Crv2.MustTrip.Pt2.V", Uint16),
        ("Crv2.MustTrip.Pt2.Tms", Uint32), ("Crv2.MustTrip.Pt3.V", Uint16),
        ("Crv2.MustTrip.Pt3.Tms", Uint32), ("Crv2.MustTrip.Pt4.V", Uint16),
        ("Crv2.MustTrip.Pt4.Tms", Uint32), ("Crv2.MayTrip.ActPt", Uint16), ("Crv2.MayTrip.Pt1.V", Uint16),
        ("Crv2.MayTrip.Pt1.Tms", Uint32), ("Crv2.MayTrip.Pt2.V", Uint16), ("Crv2.MayTrip.Pt2.Tms", Uint32),
        ("Crv2.MayTrip.Pt3.V", Uint16), ("Crv2.MayTrip.Pt3.Tms", Uint32), ("Crv2.MayTrip.Pt4.V", Uint16),
        ("Crv2.MayTrip.Pt4.Tms", Uint32), ("Crv2.MomCess.ActPt", Uint16), ("Crv2.MomCess.Pt1.V", Uint16),
        ("Crv2.MomCess.Pt1.Tms", Uint32), ("Crv2.MomCess.Pt2.V", Uint16), ("Crv2.MomCess.Pt2.Tms", Uint32),
        ("Crv2.MomCess.Pt3.V", Uint16), ("Crv2.MomCess.Pt3.Tms", Uint32), ("Crv2.MomCess.Pt4.V", Uint16),
        ("Crv2.MomCess.Pt4.Tms", Uint32),
    ],
};

/// 709: DER trip at low frequency.
#[rustfmt::skip]
pub const TRIP_LF: Model = Model {
    id: 709,
    points: &[
        ("Ena", Uint16), ("AdptCrvReq", Uint16), ("AdptCrvRslt", Uint16), ("NPt", Uint16),
        ("NCrvSet", Uint16), ("Hz_SF", Int16), ("Tms_SF", Int16), ("Crv1.ReadOnly", Uint16),
        ("Crv1.MustTrip.ActPt", Uint16), ("Crv1.MustTrip.Pt1.Hz", Uint32),
        ("Crv1.MustTrip.Pt1.Tms", Uint32), ("Crv1.MustTrip.Pt2.Hz", Uint32),
        ("Crv1.MustTrip.Pt2.Tms", Uint32), ("Crv1.MustTrip.Pt3.Hz", Uint32),
        ("Crv1.MustTrip.Pt3.Tms", Uint32), ("Crv1.MustTrip.Pt4.Hz", Uint32),
        ("Crv1.MustTrip.Pt4.Tms", Uint32), ("Crv1.MayTrip.ActPt", Uint16), ("Crv1.MayTrip.Pt1.Hz", Uint32),
        ("Crv1.MayTrip.Pt1.Tms", Uint32), ("Crv1.MayTrip.Pt2.Hz", Uint32), ("Crv1.MayTrip.Pt2.Tms", Uint32),
        ("Crv1.MayTrip.Pt3.Hz", Uint32), ("Crv1.MayTrip.Pt3.Tms", Uint32), ("Crv1.MayTrip.Pt4.Hz", Uint32),
        ("Crv1.MayTrip.Pt4.Tms", Uint32), ("Crv1.MomCess.ActPt", Uint16), ("Crv1.MomCess.Pt1.Hz", Uint32),
        ("Crv1.MomCess.Pt1.Tms", Uint32), ("Crv1.MomCess.Pt2.Hz", Uint32), ("Crv1.MomCess.Pt2.Tms", Uint32),
        ("Crv1.MomCess.Pt3.Hz", Uint32), ("Crv1.MomCess.Pt3.Tms", Uint32), ("Crv1.MomCess.Pt4.Hz", Uint32),
        ("Crv1.MomCess.Pt4.Tms", Uint32), ("Crv2.ReadOnly", Uint16), ("Crv2.MustTrip.ActPt", Uint16),
        ("Crv2.MustTrip.Pt1.Hz", Uint32), ("Crv2.MustTrip.Pt1.Tms", Uint32),
        ("Crv2.MustTrip.Pt2.Hz", Uint32), ("Crv2.MustTrip.Pt2.Tms", Uint32),
        ("Crv2.MustTrip.Pt3.Hz", Uint32), ("Crv2.MustTrip.Pt3.Tms", Uint32),
        ("Crv2.MustTrip.Pt4.Hz", Uint32), ("Crv2.MustTrip.Pt4.Tms", Uint32), ("Crv2.MayTrip.ActPt", Uint16),
        ("Crv2.MayTrip.Pt1.Hz", Uint32), ("Crv2.MayTrip.Pt1.Tms", Uint32), ("Crv2.MayTrip.Pt2.Hz", Uint32),
        ("Crv2.MayTrip.Pt2.Tms", Uint32), ("Crv2.MayTrip.Pt3.Hz", Uint32), ("Crv2.MayTrip.Pt3.Tms", Uint32),
        ("Crv2.MayTrip.Pt4.Hz", Uint32), ("Crv2.MayTrip.Pt4.Tms", Uint32), ("Crv2.MomCess.ActPt", Uint16),
        ("Crv2.MomCess.Pt1.Hz", Uint32), ("Crv2.MomCess.Pt1.Tms", Uint32), ("Crv2.MomCess.Pt2.Hz", Uint32),
        ("Crv2.MomCess.Pt2.Tms", Uint32), ("Crv2.MomCess.Pt3.Hz", Uint32), ("Crv2.MomCess.Pt3.Tms", Uint32),
        ("Crv2.MomCess.Pt4.Hz", Uint32), ("Crv2.MomCess.Pt4.Tms", Uint32),
    ],
};

/// 710: DER trip at high frequency.
#[rustfmt::skip]
pub const TRIP_HF: Model = Model {
    id: 710,
    points: &[
        ("Ena", Uint16), ("AdptCrvReq", Uint16), ("AdptCrvRslt", Uint16), ("NPt", Uint16),
        ("NCrvSet", Uint16), ("Hz_SF", Int16), ("Tms_SF", Int16), ("Crv1.ReadOnly", Uint16),
        ("Crv1.MustTrip.ActPt", Uint16), ("Crv1.MustTrip.Pt1.Hz", Uint32),
        ("Crv1.MustTrip.Pt1.Tms", Uint32), ("Crv1.MustTrip.Pt2.Hz", Uint32),
        ("Crv1.MustTrip.Pt2.Tms", Uint32), ("Crv1.MustTrip.Pt3.Hz", Uint32),
        ("Crv1.MustTrip.Pt3.Tms", Uint32), ("Crv1.MustTrip.Pt4.Hz", Uint32),
        ("Crv1.MustTrip.Pt4.Tms", Uint32), ("Crv1.MayTrip.ActPt", Uint16), ("Crv1.MayTrip.Pt1.Hz", Uint32),
        ("Crv1.MayTrip.Pt1.Tms", Uint32), ("Crv1.MayTrip.Pt2.Hz", Uint32), ("Crv1.MayTrip.Pt2.Tms", Uint32),
        ("Crv1.MayTrip.Pt3.Hz", Uint32), ("Crv1.MayTrip.Pt3.Tms", Uint32), ("Crv1.MayTrip.Pt4.Hz", Uint32),
        ("Crv1.MayTrip.Pt4.Tms", Uint32), ("Crv1.MomCess.ActPt", Uint16), ("Crv1.MomCess.Pt1.Hz", Uint32),
        ("Crv1.MomCess.Pt1.Tms", Uint32), ("Crv1.MomCess.Pt2.Hz", Uint32), ("Crv1.MomCess.Pt2.Tms", Uint32),
        ("Crv1.MomCess.Pt3.Hz", Uint32), ("Crv1.MomCess.Pt3.Tms", Uint32), ("Crv1.MomCess.Pt4.Hz", Uint32),
        ("Crv1.MomCess.Pt4.Tms", Uint32), ("Crv2.ReadOnly", Uint16), ("Crv2.MustTrip.ActPt", Uint16),
        ("Crv2.MustTrip.Pt1.Hz", Uint32), ("Crv2.MustTrip.Pt1.Tms", Uint32),
        ("Crv2.MustTrip.Pt2.Hz", Uint32), ("Crv2.MustTrip.Pt2.Tms", Uint32),
        ("Crv2.MustTrip.Pt3.Hz", Uint32), ("Crv2.MustTrip.Pt3.Tms", Uint32),
        ("Crv2.MustTrip.Pt4.Hz", Uint32), ("Crv2.MustTrip.Pt4.Tms", Uint32), ("Crv2.MayTrip.ActPt", Uint16),
        ("Crv2.MayTrip.Pt1.Hz", Uint32), ("Crv2.MayTrip.Pt1.Tms", Uint32), ("Crv2.MayTrip.Pt2.Hz", Uint32),
        ("Crv2.MayTrip.Pt2.Tms", Uint32), ("Crv2.MayTrip.Pt3.Hz", Uint32), ("Crv2.MayTrip.Pt3.Tms", Uint32),
        ("Crv2.MayTrip.Pt4.Hz", Uint32), ("Crv2.MayTrip.Pt4.Tms", Uint32), ("Crv2.MomCess.ActPt", Uint16),
        ("Crv2.MomCess.Pt1.Hz", Uint32), ("Crv2.MomCess.Pt1.Tms", Uint32), ("Crv2.MomCess.Pt2.Hz", Uint32),
        ("Crv2.MomCess.Pt2.Tms", Uint32), ("Crv2.MomCess.Pt3.Hz", Uint32), ("Crv2.MomCess.Pt3.Tms", Uint32),
        ("Crv2.MomCess.Pt4.Hz", Uint32), ("Crv2.MomCess.Pt4.Tms", Uint32),
    ],
};

/// 711: DER frequency droop.
#[rustfmt::skip]
pub const FREQ_DROOP: Model = Model {
    id: 711,
    points: &[
        ("Ena", Uint16), ("AdptCtlReq", Uint16), ("AdptCtlRslt", Uint16), ("NCtl", Uint16),
        ("RvrtTms", Uint32), ("RvrtRem", Uint32), ("RvrtCtl", Uint16), ("Db_SF", Int16), ("K_SF", Int16),
        ("RspTms_SF", Int16), ("Ctl1.DbOf", Uint32), ("Ctl1.DbUf", Uint32), ("Ctl1.KOf", Uint16),
        ("Ctl1.KUf", Uint16), ("Ctl1.RspTms", Uint32), ("Ctl1.PMin", Int16), ("Ctl1.ReadOnly", Uint16),
        ("Ctl2.DbOf", Uint32), ("Ctl2.DbUf", Uint32), ("Ctl2.KOf", Uint16), ("Ctl2.KUf", Uint16),
        ("Ctl2.RspTms", Uint32), ("Ctl2.PMin", Int16), ("Ctl2.ReadOnly", Uint16),
    ],
};

/// 712: DER watt-var.
#[rustfmt::skip]
pub const WATT_VAR: Model = Model {
    id: 712,
    points: &[
        ("Ena", Uint16), ("AdptCrvReq", Uint16), ("AdptCrvRslt", Uint16), ("NPt", Uint16), ("NCrv", Uint16),
        ("RvrtTms", Uint32), ("RvrtRem", Uint32), ("RvrtCrv", Uint16), ("W_SF", Int16),
        ("DeptRef_SF", Int16), ("Crv1.ActPt", Uint16), ("Crv1.DeptRef", Uint16), ("Crv1.Pri", Uint16),
        ("Crv1.ReadOnly", Uint16), ("Crv1.Pt1.W", Int16), ("Crv1.Pt1.Var", Int16), ("Crv1.Pt2.W", Int16),
        ("Crv1.Pt2.Var", Int16), ("Crv1.Pt3.W", Int16), ("Crv1.Pt3.Var", Int16), ("Crv1.Pt4.W", Int16),
        ("Crv1.Pt4.Var", Int16), ("Crv2.ActPt", Uint16), ("Crv2.DeptRef", Uint16), ("Crv2.Pri", Uint16),
        ("Crv2.ReadOnly", Uint16), ("Crv2.Pt1.W", Int16), ("Crv2.Pt1.Var", Int16), ("Crv2.Pt2.W", Int16),
        ("Crv2.Pt2.Var", Int16), ("Crv2.Pt3.W", Int16), ("Crv2.Pt3.Var", Int16), ("Crv2.Pt4.W", Int16),
        ("Crv2.Pt4.Var", Int16),
    ],
};

/// 714: DER DC measurement.
#[rustfmt::skip]
pub const MEASURE_DC: Model = Model {
    id: 714,
    points: &[
        ("PrtAlrms", Uint32), ("NPrt", Uint16), ("DCA", Int16), ("DCW", Int16), ("DCWhInj", Uint64),
        ("DCWhAbs", Uint64), ("DCA_SF", Int16), ("DCV_SF", Int16), ("DCW_SF", Int16), ("DCWH_SF", Int16),
        ("Tmp_SF", Int16), ("Prt1.PrtTyp", Uint16), ("Prt1.ID", Uint16), ("Prt1.IDStr", Text(8)),
        ("Prt1.DCA", Int16), ("Prt1.DCV", Uint16), ("Prt1.DCW", Int16), ("Prt1.DCWhInj", Uint64),
        ("Prt1.DCWhAbs", Uint64), ("Prt1.Tmp", Int16), ("Prt1.DCSta", Uint16), ("Prt1.DCAlrm", Uint32),
    ],
};

/// 715: DER control.
#[rustfmt::skip]
pub const DER_CTL: Model = Model {
    id: 715,
    points: &[
        ("LocRemCtl", Uint16), ("DERHb", Uint32), ("ControllerHb", Uint32), ("AlarmReset", Uint16),
        ("OpCtl", Uint16),
    ],
};
