//! A device on a serial line: Modbus RTU frames, found among whatever else is on the line, and answers to those that
//! are for its unit. Framing is pure; what it is served over is a stream.

use super::fault::{FaultSwitch, ModbusFault};
use super::server::UNIT;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_modbus::server::Service;
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_serial::SerialPortBuilderExt;

/// Longest frame (Modbus over Serial Line V1.02, 2.5.1).
const FRAME_MAX: usize = 256;
/// Registers one request may write (Modbus Application Protocol V1.1b3, 6.12).
const WRITE_MAX: usize = 123;
/// Function codes answered.
const READ: u8 = 3;
const READ_INPUT: u8 = 4;
const WRITE_ONE: u8 = 6;
const WRITE: u8 = 16;
/// Within a frame no silence is longer, however slow the line and busy the machine.
const SILENCE: Duration = Duration::from_millis(100);
/// Between a request and its answer at least.
const TURNAROUND: Duration = Duration::from_millis(2);

/// How a serial line is set; always eight data bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The serial device's path.
    pub path: String,
    /// Bits a second.
    pub baud: u32,
    /// Whether there is a parity bit, and whether it is even.
    pub even_parity: Option<bool>,
    /// Two stop bits, not one.
    pub two_stop_bits: bool,
}

impl Line {
    pub(super) fn open(&self) -> std::io::Result<tokio_serial::SerialStream> {
        let parity = match self.even_parity {
            None => tokio_serial::Parity::None,
            Some(true) => tokio_serial::Parity::Even,
            Some(false) => tokio_serial::Parity::Odd,
        };
        let stop_bits =
            if self.two_stop_bits { tokio_serial::StopBits::Two } else { tokio_serial::StopBits::One };
        let builder = tokio_serial::new(&self.path, self.baud).parity(parity).stop_bits(stop_bits);
        Ok(builder.open_native_async()?)
    }
}

/// Bytes from a line, on their way to requests.
#[derive(Clone, Debug, Default)]
struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Takes what came, and gives each request to our unit. What is no frame is passed over byte by byte.
    fn feed(&mut self, bytes: &[u8]) -> Vec<Request<'static>> {
        self.bytes.extend_from_slice(bytes);
        let mut requests = Vec::new();
        while let Some(length) = length(&self.bytes) {
            if length > FRAME_MAX {
                self.bytes.remove(0);
                continue;
            }
            if self.bytes.len() < length {
                break;
            }
            let frame = &self.bytes[..length];
            let (body, check) = frame.split_at(length - 2);
            if crc(body).to_le_bytes() != check {
                self.bytes.remove(0);
                continue;
            }
            if body[0] == UNIT {
                requests.extend(request(&body[1..]));
            }
            self.bytes.drain(..length);
        }
        requests
    }

    /// The line has been silent: what has come of a frame will not be one any more.
    fn silence(&mut self) {
        self.bytes.clear();
    }
}

/// How long the frame that begins here is, if it is one; none where too little is there to tell.
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        &WRITE => Some(usize::from(*bytes.get(6)?) + 9),
        _ => Some(8),
    }
}

/// A request by its function and data; none where it is no sound one.
fn request(data: &[u8]) -> Option<Request<'static>> {
    let word = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let (function, first, second) = (*data.first()?, word(1)?, word(3)?);
    match function {
        READ => Some(Request::ReadHoldingRegisters(first, second)),
        READ_INPUT => Some(Request::ReadInputRegisters(first, second)),
        WRITE_ONE => Some(Request::WriteSingleRegister(first, second)),
        WRITE => {
            let words: Vec<u16> =
                data.get(6..)?.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            let sound = words.len() == usize::from(second) && (1..=WRITE_MAX).contains(&words.len());
            sound.then(|| Request::WriteMultipleRegisters(first, words.into()))
        }
        function => Some(Request::Custom(function, Vec::new().into())),
    }
}

/// The frame that answers a request of this function.
fn answer(function: u8, answer: Result<Response, ExceptionCode>) -> Vec<u8> {
    let mut frame = vec![UNIT];
    match answer {
        Ok(Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words)) => {
            frame.extend([function, (words.len() * 2) as u8]);
            frame.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
        Ok(Response::WriteSingleRegister(address, word)) => {
            frame.push(WRITE_ONE);
            frame.extend([address, word].iter().flat_map(|word| word.to_be_bytes()));
        }
        Ok(Response::WriteMultipleRegisters(address, count)) => {
            frame.push(WRITE);
            frame.extend([address, count].iter().flat_map(|word| word.to_be_bytes()));
        }
        Ok(_) => frame.extend([function | 0x80, ExceptionCode::ServerDeviceFailure.into()]),
        Err(exception) => frame.extend([function | 0x80, exception.into()]),
    }
    let check = crc(&frame).to_le_bytes();
    frame.extend(check);
    frame
}

fn function(request: &Request<'_>) -> u8 {
    request.function_code().value()
}

/// CRC-16/MODBUS (Modbus over Serial Line V1.02, 6.2.2).
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 })
    })
}

/// Answers on the line until it ends.
pub(super) async fn serve<S>(mut line: impl AsyncRead + AsyncWrite + Unpin, device: S, fault: FaultSwitch)
where
    S: Service<Request = SlaveRequest<'static>, Response = Option<Response>, Exception = ExceptionCode>,
{
    let mut frames = Frames::default();
    let mut chunk = [0; FRAME_MAX];
    loop {
        let reading = line.read(&mut chunk);
        let read = match frames.bytes.is_empty() {
            true => reading.await,
            false => match tokio::time::timeout(SILENCE, reading).await {
                Ok(read) => read,
                Err(_) => {
                    frames.silence();
                    continue;
                }
            },
        };
        let read = match read {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) => {
                // The other end of a pseudo-terminal may not be there yet, or not any more.
                tracing::debug!(%error, "a simulated device's line");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        for request in frames.feed(&chunk[..read]) {
            if fault.is_down() {
                continue;
            }
            let function = function(&request);
            let answered = match device.call(SlaveRequest { slave: UNIT, request }).await {
                Ok(None) => continue,
                Ok(Some(response)) => Ok(response),
                Err(exception) => Err(exception),
            };
            let frame = answer(function, answered);
            let told = match fault.get() {
                ModbusFault::HalfFrames => &frame[..frame.len() / 2],
                ModbusFault::Rebooting(_) => &[],
                _ => &frame[..],
            };
            tokio::time::sleep(TURNAROUND).await;
            if let Err(error) = line.write_all(told).await {
                tracing::debug!(%error, "a simulated device's line");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        [body, &crc(body).to_le_bytes()].concat()
    }

    #[test]
    fn the_checksum_is_the_standards() {
        // Modbus over Serial Line V1.02, 6.2.2: the check value of this polynomial and start.
        assert_eq!(crc(b"123456789"), 0x4B37);
    }

    #[test]
    fn requests_are_found_among_noise_other_units_and_pieces() {
        let read = framed(&[UNIT, READ, 0x9C, 0x40, 0, 2]);
        let write = framed(&[UNIT, WRITE, 0x9C, 0x50, 0, 1, 2, 0x12, 0x34]);
        let other = framed(&[UNIT + 1, READ, 0, 0, 0, 1]);
        let expected = [
            Request::ReadHoldingRegisters(0x9C40, 2),
            Request::WriteMultipleRegisters(0x9C50, vec![0x1234].into()),
        ];
        let check = |bytes: &[u8], piece: usize| {
            let mut frames = Frames::default();
            let found: Vec<_> = bytes.chunks(piece).flat_map(|piece| frames.feed(piece)).collect();
            assert_eq!(found, expected, "{piece} at a time");
        };
        for piece in [1, 3, 7, 100] {
            check(&[&read[..], &write].concat(), piece);
            check(&[&other[..], &read, &other, &write].concat(), piece);
        }
        check(&[&[0xFF, 0x00][..], &read, &write].concat(), 100);
        // The beginning of a frame that never ends.
        let mut frames = Frames::default();
        assert_eq!(frames.feed(&write[..8]), []);
        frames.silence();
        assert_eq!(frames.feed(&read), expected[..1]);
    }

    #[test]
    fn answers_are_framed_as_the_standard_has_them() {
        let check = |answered, expected: &[u8]| assert_eq!(answer(READ, answered), framed(expected));
        check(Ok(Response::ReadHoldingRegisters(vec![1, 2])), &[UNIT, READ, 4, 0, 1, 0, 2]);
        check(Ok(Response::WriteMultipleRegisters(7, 2)), &[UNIT, WRITE, 0, 7, 0, 2]);
        check(Err(ExceptionCode::IllegalDataAddress), &[UNIT, READ | 0x80, 2]);
    }
}
