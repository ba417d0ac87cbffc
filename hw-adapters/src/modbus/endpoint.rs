//! Where a Modbus unit is: behind a TCP address, or on a serial line. Opens nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Parity of a serial line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// None, which most devices are set to.
    #[default]
    None,
    /// Even, the standard's own default.
    Even,
    /// Odd.
    Odd,
}

/// How a serial line is set: always eight data bits, as RTU has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SerialLine {
    /// Bits a second, 1200 to 115200.
    #[serde(default = "usual_baud")]
    #[schemars(range(min = 1200, max = 115_200))]
    pub baud: u32,
    /// Parity: `none`, `even` or `odd`.
    #[serde(default)]
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub stop_bits: u8,
}

fn usual_baud() -> u32 {
    9600
}

fn one() -> u8 {
    1
}

impl Default for SerialLine {
    /// 9600 8N1.
    fn default() -> Self {
        Self { baud: usual_baud(), parity: Parity::None, stop_bits: one() }
    }
}

impl SerialLine {
    /// The silence that ends a frame: three and a half characters, and never below 1.75 ms (Modbus over
    /// Serial Line V1.02, 2.5.1.1).
    pub fn silence(&self) -> Duration {
        let character_us = 11_000_000 / u64::from(self.baud.max(1));
        Duration::from_micros((character_us * 7 / 2).max(1_750))
    }
}

impl fmt::Display for SerialLine {
    /// As installers say it: `9600-8N1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{}-8{parity}{}", self.baud, self.stop_bits)
    }
}

impl FromStr for SerialLine {
    type Err = EndpointError;

    /// From how installers say it: `9600-8N1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || EndpointError::Said(text.to_owned());
        let (baud, frame) = text.split_once('-').ok_or_else(wrong)?;
        let baud = baud.parse().map_err(|_| wrong())?;
        let ["8", parity, stop_bits] =
            [frame.get(..1), frame.get(1..2), frame.get(2..)].map(Option::unwrap_or_default)
        else {
            return Err(wrong());
        };
        let parity = match parity {
            "N" | "n" => Parity::None,
            "E" | "e" => Parity::Even,
            "O" | "o" => Parity::Odd,
            _ => return Err(wrong()),
        };
        let line = Self { baud, parity, stop_bits: stop_bits.parse().map_err(|_| wrong())? };
        check_line(line).map(|()| line)
    }
}

/// Where a unit is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Modbus TCP at `host:port`.
    Tcp(String),
    /// Modbus RTU on this serial device.
    Rtu {
        /// Its path, as in `/dev/ttyUSB0`.
        path: String,
        /// How it is set.
        line: SerialLine,
    },
}

/// An address that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Neither `host:port` nor a path.
    #[error("address {0:?} is neither host:port nor the path of a serial device")]
    Address(String),
    /// A line setting that can't be.
    #[error("{what} is {given}, {must}")]
    Line {
        /// Which key.
        what: &'static str,
        /// What stands there.
        given: u32,
        /// What it must be.
        must: &'static str,
    },
    /// No way to set a serial line.
    #[error("{0:?} is no setting of a serial line like 9600-8N1")]
    Said(String),
    /// Settings of a serial line beside a TCP address.
    #[error("address {0:?} is no serial device, so `serial` can't be set")]
    SerialWithoutPath(String),
}

impl Endpoint {
    /// From an address as configured: a path beginning with `/` is a serial device, set as `line` says or
    /// 9600 8N1; everything else is `host:port`.
    ///
    /// # Errors
    /// Why it can't be reached so.
    pub fn parse(address: &str, line: Option<SerialLine>) -> Result<Self, EndpointError> {
        if address.starts_with('/') {
            let line = line.unwrap_or_default();
            check_line(line)?;
            return Ok(Self::Rtu { path: address.to_owned(), line });
        }
        if line.is_some() {
            return Err(EndpointError::SerialWithoutPath(address.to_owned()));
        }
        let sound = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        sound.then(|| Self::Tcp(address.to_owned())).ok_or_else(|| EndpointError::Address(address.to_owned()))
    }
}

fn check_line(line: SerialLine) -> Result<(), EndpointError> {
    if !(1_200..=115_200).contains(&line.baud) {
        return Err(EndpointError::Line {
            what: "baud",
            given: line.baud,
            must: "not within 1200 to 115200",
        });
    }
    if !(1..=2).contains(&line.stop_bits) {
        let given = u32::from(line.stop_bits);
        return Err(EndpointError::Line { what: "stop_bits", given, must: "neither 1 nor 2" });
    }
    Ok(())
}

impl From<String> for Endpoint {
    /// `host:port`, unchecked.
    fn from(address: String) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Rtu { path, .. } => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, line: Option<SerialLine>, expected: Result<Endpoint, &str>) {
        match (Endpoint::parse(address, line), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{e}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn an_address_is_a_host_with_a_port_or_a_serial_device() {
        let line = SerialLine { baud: 19_200, parity: Parity::Even, stop_bits: 1 };
        let rtu = |line| Endpoint::Rtu { path: "/dev/ttyUSB0".into(), line };
        check("a:502", None, Ok(Endpoint::Tcp("a:502".into())));
        check("/dev/ttyUSB0", None, Ok(rtu(SerialLine::default())));
        check("/dev/ttyUSB0", Some(line), Ok(rtu(line)));
        check("a", None, Err("host:port"));
        check(":502", None, Err("host:port"));
        check("a:70000", None, Err("host:port"));
        check("a:502", Some(line), Err("no serial device"));
        check("/dev/x", Some(SerialLine { baud: 300, ..line }), Err("baud is 300"));
        check("/dev/x", Some(SerialLine { stop_bits: 3, ..line }), Err("stop_bits is 3"));
    }

    #[test]
    fn a_line_is_said_as_installers_say_it() {
        for text in ["9600-8N1", "19200-8E1", "115200-8O2"] {
            assert_eq!(text.parse::<SerialLine>().unwrap().to_string(), text);
        }
        for wrong in ["", "9600", "9600-7N1", "9600-8X1", "9600-8N3", "300-8N1", "9600-8N", "9600-é"] {
            assert!(wrong.parse::<SerialLine>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn frames_are_parted_by_three_and_a_half_characters() {
        let of = |baud| SerialLine { baud, ..SerialLine::default() }.silence().as_micros();
        assert_eq!((of(9_600), of(115_200)), (4_007, 1_750));
    }
}
