//! Point tables against the `sunspec` crate's account of the same models, and against our own catalogue of every point.

use hw_adapters::sunspec::catalog;
use hw_adapters::sunspec::points::{
    controls, der, inverter, inverter_float, meter, meter_float, nameplate, settings, status, storage, Model,
    Point,
};

/// A point of ours and the crate's own for the same, with the crate's scale factor.
macro_rules! agree {
    ($crate_model:ty, $($ours:path = $theirs:ident $(/ $scale:ident)?),+) => {
        $(
            let theirs = &<$crate_model>::$theirs;
            let scale: Option<u16> = [$(<$crate_model>::$scale.offset + 2)?].first().copied();
            agree($ours, theirs.offset + 2, theirs.length, scale);
        )+
    };
}

fn agree(ours: Point, offset: u16, length: u16, scale: Option<u16>) {
    assert_eq!((ours.offset, ours.kind.size(), ours.scale), (offset, length, scale), "{}", ours.name);
}

#[test]
fn our_points_lie_where_the_sunspec_crate_has_them() {
    use ::sunspec::models::*;
    agree!(model101::Model101, inverter::W = W / W_SF, inverter::WH = WH / WH_SF);
    agree!(model102::Model102, inverter::W = W / W_SF, inverter::WH = WH / WH_SF);
    agree!(model103::Model103, inverter::W = W / W_SF, inverter::WH = WH / WH_SF);
    agree!(
        model120::Model120,
        nameplate::W_RTG = W_RTG / W_RTG_SF,
        nameplate::WH_RTG = WH_RTG / WH_RTG_SF,
        nameplate::MAX_CHA_RTE = MAX_CHA_RTE / MAX_CHA_RTE_SF,
        nameplate::MAX_DIS_CHA_RTE = MAX_DIS_CHA_RTE / MAX_DIS_CHA_RTE_SF
    );
    agree!(model121::Model121, settings::W_MAX = W_MAX / W_MAX_SF);
    agree!(model122::Model122, status::W_AVAL = W_AVAL / W_AVAL_SF);
    agree!(
        model123::Model123,
        controls::W_MAX_LIM_PCT = W_MAX_LIM_PCT / W_MAX_LIM_PCT_SF,
        controls::W_MAX_LIM_PCT_RVRT_TMS = W_MAX_LIM_PCT_RVRT_TMS,
        controls::W_MAX_LIM_ENA = W_MAX_LIM_ENA
    );
    agree!(
        model124::Model124,
        storage::W_CHA_MAX = W_CHA_MAX / W_CHA_MAX_SF,
        storage::STOR_CTL_MOD = STOR_CTL_MOD,
        storage::MIN_RSV_PCT = MIN_RSV_PCT / MIN_RSV_PCT_SF,
        storage::CHA_STATE = CHA_STATE / CHA_STATE_SF,
        storage::OUT_W_RTE = OUT_W_RTE / IN_OUT_W_RTE_SF,
        storage::IN_W_RTE = IN_W_RTE / IN_OUT_W_RTE_SF,
        storage::IN_OUT_W_RTE_RVRT_TMS = IN_OUT_W_RTE_RVRT_TMS
    );
    macro_rules! meters {
        ($($model:ty),+) => {$(
            agree!(
                $model,
                meter::W = W / W_SF,
                meter::TOT_WH_EXP = TOT_WH_EXP / TOT_WH_SF,
                meter::TOT_WH_IMP = TOT_WH_IMP / TOT_WH_SF
            );
        )+};
    }
    meters!(model201::Model201, model202::Model202, model203::Model203, model204::Model204);
}

/// Every point of ours is the catalogue's, in each of the models that share it.
#[test]
fn our_points_are_the_catalogues() {
    use der::{battery, capacity, control, enter_service, measurement, storage as der_storage, volt_var};
    let check = |model: Model, points: &[Point]| {
        for id in model.ids {
            let def = catalog::model(*id).unwrap();
            let located = def.locate(&[0; 200]);
            for point in points {
                let theirs = located.iter().find(|theirs| theirs.path == point.name).unwrap();
                let scale = match &theirs.def.scale {
                    catalog::Scale::Point(name) => located.iter().find(|scale| scale.path == *name),
                    _ => None,
                };
                // Enumerations and flags of one register are read like numbers.
                let found = (theirs.offset, theirs.def.kind.size(), scale.map(|scale| scale.offset));
                assert_eq!((point.offset, point.kind.size(), point.scale), found, "{} of {id}", point.name);
                assert!(point.offset + point.kind.size() <= model.span, "{} of {id}", point.name);
            }
        }
    };
    check(inverter::MODEL, &[inverter::W, inverter::WH, inverter::PH_V_A, inverter::HZ]);
    let float = [inverter_float::W, inverter_float::WH, inverter_float::PH_V_A, inverter_float::HZ];
    check(inverter_float::MODEL, &float);
    check(settings::MODEL, &[settings::W_MAX, settings::V_REF]);
    check(controls::MODEL, &[controls::CONN, controls::VAR_PCT_MOD, controls::VAR_W_MAX_PCT]);
    check(meter_float::MODEL, &[meter_float::W, meter_float::TOT_WH_EXP, meter_float::TOT_WH_IMP]);
    let points =
        [measurement::W, measurement::LNV, measurement::HZ, measurement::TOT_WH_INJ, measurement::TOT_WH_ABS];
    check(measurement::MODEL, &points);
    let points = [
        capacity::W_MAX_RTG,
        capacity::VAR_MAX_INJ_RTG,
        capacity::VAR_MAX_ABS_RTG,
        capacity::W_CHA_RTE_MAX_RTG,
        capacity::W_DIS_CHA_RTE_MAX_RTG,
        capacity::V_NOM_RTG,
        capacity::W_MAX,
        capacity::W_CHA_RTE_MAX,
        capacity::W_DIS_CHA_RTE_MAX,
    ];
    check(capacity::MODEL, &points);
    let points = [
        enter_service::ES,
        enter_service::ES_V_HI,
        enter_service::ES_V_LO,
        enter_service::ES_HZ_HI,
        enter_service::ES_HZ_LO,
        enter_service::ES_DLY_TMS,
    ];
    check(enter_service::MODEL, &points);
    let points = [
        control::LIMIT_ENA,
        control::LIMIT,
        control::LIMIT_RVRT,
        control::LIMIT_ENA_RVRT,
        control::LIMIT_RVRT_TMS,
        control::SET_ENA,
        control::SET_MOD,
        control::SET,
        control::SET_ENA_RVRT,
        control::SET_RVRT_TMS,
        control::VAR_ENA,
        control::VAR_MOD,
        control::VAR,
        control::VAR_ENA_RVRT,
        control::VAR_RVRT_TMS,
    ];
    check(control::MODEL, &points);
    let points = [volt_var::ENA, volt_var::ADPT_CRV_REQ, volt_var::ADPT_CRV_RSLT, volt_var::N_PT];
    check(volt_var::MODEL, &points);
    check(volt_var::MODEL, &[volt_var::N_CRV, volt_var::RVRT_TMS]);
    check(der_storage::MODEL, &[der_storage::WH_RTG, der_storage::SOC]);
    let points = [battery::WH_RTG, battery::W_CHA_RTE_MAX, battery::W_DIS_CHA_RTE_MAX, battery::SOC];
    check(battery::MODEL, &points);
    check(battery::MODEL, &[battery::SOC_RSV_MIN]);
}

#[test]
fn every_model_is_read_whole_in_one_request() {
    for model in [
        inverter::MODEL,
        inverter_float::MODEL,
        nameplate::MODEL,
        settings::MODEL,
        status::MODEL,
        controls::MODEL,
        storage::MODEL,
        meter::MODEL,
        meter_float::MODEL,
        der::measurement::MODEL,
        der::capacity::MODEL,
        der::control::MODEL,
        der::storage::MODEL,
        der::battery::MODEL,
    ] {
        assert!(model.span <= hw_adapters::modbus::READ_MAX, "{}", model.name);
    }
}
