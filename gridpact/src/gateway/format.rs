//! Figures and files as others read them: decimals from integers without a rounding of ours, times in RFC 3339.

use super::args::RowFormat;
use super::GatewayError;
use crate::run::price_file::rfc3339;
use market::interval::UnixSeconds;
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

const MILLIJOULES_PER_KWH: i128 = 3_600_000_000;
/// Decimals a kilowatt-hour is shown with: to the milliwatt-hour.
const KWH_PLACES: u32 = 6;

/// An integer of 10 to the minus `places`, exactly.
pub(super) fn decimal(value: i128, places: u32) -> String {
    let unit = 10u128.pow(places);
    let (sign, value) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    format!("{sign}{}.{:0width$}", value / unit, value % unit, width = places as usize)
}

/// Energy in kilowatt-hours, rounded half away from zero to the milliwatt-hour.
pub(super) fn kwh(energy_millijoule: i128) -> String {
    let scaled = energy_millijoule * 10i128.pow(KWH_PLACES);
    let half = MILLIJOULES_PER_KWH / 2 * energy_millijoule.signum();
    decimal((scaled + half) / MILLIJOULES_PER_KWH, KWH_PLACES)
}

/// Nano-euros in euros.
pub(super) fn eur(amount_nano_eur: i128) -> String {
    decimal(amount_nano_eur, 9)
}

/// Seconds since 1970 in RFC 3339.
pub(super) fn utc(seconds: i64) -> String {
    rfc3339(UnixSeconds(seconds))
}

/// Milliseconds since 1970 in RFC 3339.
pub(super) fn utc_ms(milliseconds: u64) -> String {
    let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok();
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{milliseconds} ms"))
}

/// Rows as a file: CSV as RFC 4180 has it, or `document` as JSON.
pub(crate) fn rendered<R: Serialize>(
    format: RowFormat,
    rows: impl Iterator<Item = R>,
    document: &impl Serialize,
) -> Result<Vec<u8>, GatewayError> {
    match format {
        RowFormat::Csv => {
            let mut writer =
                csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
            for row in rows {
                writer.serialize(row)?;
            }
            writer.into_inner().map_err(|error| GatewayError::Print(error.into_error()))
        }
        RowFormat::Json => {
            let mut text = serde_json::to_vec_pretty(document)?;
            text.push(b'\n');
            Ok(text)
        }
    }
}

/// Writes a whole file, or to `out`.
pub(super) fn put(output: Option<&Path>, bytes: &[u8], out: &mut dyn Write) -> Result<(), GatewayError> {
    match output {
        Some(path) => std::fs::write(path, bytes)
            .map_err(|source| GatewayError::Write { path: path.to_owned(), source }),
        None => Ok(out.write_all(bytes)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_shown_without_rounding() {
        assert_eq!(eur(-1), "-0.000000001");
        assert_eq!(eur(12_345_678_901), "12.345678901");
        assert_eq!(eur(i128::from(i64::MIN)), "-9223372036.854775808");
        assert_eq!(decimal(0, 6), "0.000000");
    }

    #[test]
    fn energy_is_rounded_to_the_milliwatt_hour() {
        assert_eq!(kwh(3_600_000_000), "1.000000");
        assert_eq!(kwh(1_800), "0.000001");
        assert_eq!(kwh(1_799), "0.000000");
        assert_eq!(kwh(-1_800), "-0.000001");
        assert_eq!(kwh(-5_400_000_000), "-1.500000");
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(utc(1_700_000_100), "2023-11-14T22:15:00Z");
        assert_eq!(utc_ms(1_700_000_100_250), "2023-11-14T22:15:00.25Z");
    }
}
