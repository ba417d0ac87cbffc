//! Looking for SunSpec devices behind one Modbus address: a chain of models under each unit, and what the common model
//! says.

use super::{Finding, ScanError};
use crate::modbus::{LinkError, ModbusLink};
use crate::sunspec::{Discovery, ModelPlace, Step};
use crate::template::{Catalogue, DeviceKind};
use std::collections::BTreeMap;

/// The common model, and how many of its registers name maker, model, options, version and serial number.
const COMMON: u16 = 1;
const COMMON_NAMES: u16 = 66;
/// Most model headers followed.
const STEPS_MAX: usize = 200;

/// How far a scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitProgress {
    /// The unit looked at next.
    pub unit: u8,
    /// How many were looked at.
    pub done: usize,
    /// How many there are to look at.
    pub of: usize,
}

/// Looks under each of `units` at `address`; `link` opens a link to one of them, `progress` is told before each.
///
/// # Errors
/// Where nothing can be reached there at all, so that other units need not be tried, or none of them answers.
pub async fn scan_units(
    (address, units): (&str, &[u8]),
    link: impl Fn(u8) -> ModbusLink,
    catalogue: &Catalogue,
    mut progress: impl FnMut(UnitProgress),
) -> Result<Vec<Finding>, ScanError> {
    let (mut found, mut answered, mut silence) = (Vec::new(), false, None);
    for (done, unit) in units.iter().enumerate() {
        progress(UnitProgress { unit: *unit, done, of: units.len() });
        let mut link = link(*unit);
        let models = match chain(&mut link).await {
            Ok(models) => models,
            Err(Nothing::Unreachable(reason)) => {
                return Err(ScanError { address: address.to_owned(), reason });
            }
            // Behind a gateway, or on a line, the next unit may be there.
            Err(Nothing::Silent(reason)) => {
                silence = silence.or(Some(reason));
                continue;
            }
            Err(Nothing::NoMap) => {
                answered = true;
                continue;
            }
        };
        let names = names(&mut link, &models).await;
        let ids: Vec<u16> = models.iter().map(|place| place.id).collect();
        let maker = names.first().cloned().unwrap_or_default();
        found.push(Finding {
            protocol: "sunspec",
            address: address.to_owned(),
            line: None,
            unit: Some(*unit),
            what: names.join(" "),
            templates: fitting(catalogue, &ids, &maker),
            models: ids,
        });
    }
    match silence {
        Some(reason) if found.is_empty() && !answered => {
            Err(ScanError { address: address.to_owned(), reason })
        }
        _ => Ok(found),
    }
}

enum Nothing {
    /// No connection.
    Unreachable(String),
    /// Connected, and no answer.
    Silent(String),
    /// No SunSpec map under this unit.
    NoMap,
}

async fn chain(link: &mut ModbusLink) -> Result<Vec<ModelPlace>, Nothing> {
    let mut discovery = Discovery::default();
    let mut step = discovery.start();
    let mut silence = None;
    for _ in 0..STEPS_MAX {
        let address = match step {
            Step::Read(address) => address,
            Step::Found(models) => return Ok(models),
        };
        let words = match link.read(address, 2).await {
            Ok(words) => words.first_chunk().copied(),
            Err(LinkError::Exception(_)) => None,
            Err(LinkError::Unanswered(reason)) if discovery.looks_for_marker() => {
                silence = silence.or(Some(reason));
                None
            }
            Err(LinkError::Silent(reason)) => {
                return Err(silence.map_or(Nothing::Unreachable(reason), Nothing::Silent));
            }
            Err(LinkError::Unanswered(reason)) => return Err(Nothing::Silent(reason)),
            Err(LinkError::BadAnswer(_)) => return Err(Nothing::NoMap),
        };
        step = match (discovery.answer(words), &silence) {
            (Ok(step), _) => step,
            (Err(_), Some(reason)) => return Err(Nothing::Silent(reason.clone())),
            (Err(_), None) => return Err(Nothing::NoMap),
        };
    }
    Err(Nothing::NoMap)
}

/// Maker, model, version and serial number, as far as they are there.
async fn names(link: &mut ModbusLink, models: &[ModelPlace]) -> Vec<String> {
    let Some(common) = models.iter().find(|place| place.id == COMMON) else { return Vec::new() };
    let count = COMMON_NAMES.min(common.length.saturating_add(2));
    let Ok(words) = link.read(common.address, count).await else { return Vec::new() };
    // SunSpec model 1: Mn at 2, Md at 18, Opt at 34, Vr at 42, SN at 50, each a text.
    let texts = [(2, 16), (18, 16), (42, 8), (50, 16)].map(|(at, length): (usize, usize)| {
        let bytes: Vec<u8> = words
            .iter()
            .skip(at)
            .take(length)
            .flat_map(|word| word.to_be_bytes())
            .take_while(|byte| *byte != 0)
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
    });
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// What its models make of it.
fn kinds(models: &[u16]) -> Vec<DeviceKind> {
    let has = |ids: &[u16]| models.iter().any(|model| ids.contains(model));
    let mut kinds = Vec::new();
    if has(&[124, 713, 802, 803, 804]) {
        kinds.push(DeviceKind::Battery);
    }
    if has(&[101, 102, 103, 111, 112, 113, 701]) {
        kinds.push(DeviceKind::Generator);
    }
    if has(&[201, 202, 203, 204, 211, 212, 213, 214]) {
        kinds.push(DeviceKind::Meter);
    }
    kinds
}

/// Templates for its kinds: those that name its maker, then those that name none.
fn fitting(catalogue: &Catalogue, models: &[u16], maker: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let begins =
        |name: &String| maker.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let kinds = kinds(models);
    let mut fitting: Vec<(bool, usize, String)> = catalogue
        .iter()
        .filter_map(|(name, template)| {
            let sunspec = template.sunspec.as_ref()?;
            let kind = kinds.iter().position(|kind| *kind == template.device)?;
            let general = sunspec.makers.is_empty();
            (general || sunspec.makers.iter().any(begins)).then(|| (general, kind, name.to_owned()))
        })
        .collect();
    fitting.sort();
    fitting.into_iter().map(|(_, _, name)| (name, BTreeMap::new())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(models: &[u16], maker: &str, expected: &[&str]) {
        let fitting = fitting(&Catalogue::built_in().unwrap(), models, maker);
        assert_eq!(fitting.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_maker_and_its_models_say_which_templates_fit() {
        check(&[1, 103, 120, 123], "SMA", &["sma-sunny-tripower", "sunspec-inverter"]);
        check(&[1, 103, 120, 123], "sma technology", &["sma-sunny-tripower", "sunspec-inverter"]);
        check(
            &[1, 103, 120, 124],
            "Fronius",
            &["fronius-gen24-storage", "fronius-gen24", "sunspec-storage", "sunspec-inverter"],
        );
        check(&[1, 203], "SolarEdge", &["solaredge-meter", "sunspec-meter"]);
        check(&[1, 203], "Ä", &["sunspec-meter"]);
        check(&[1], "SMA", &[]);
    }
}
