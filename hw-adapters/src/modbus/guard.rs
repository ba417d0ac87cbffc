//! What may be an answer to the request under way: one frame, whole, sound and of the right kind, or none.
//!
//! The library's own decoders are lenient where a house must not be: they take a frame with bytes to
//! spare, hunt on after a wrong checksum for anything that looks like a frame, and know no adapters that
//! echo what they send. Here the first byte that can't belong to the answer ends the exchange. Pure: fed
//! with bytes, it gives back whole frames. Frames follow the Modbus Messaging Guide V1.0b (TCP) and Modbus
//! over Serial Line V1.02 (RTU).

use thiserror::Error;

/// Least and most an MBAP header may say of what follows its length: unit and function, to unit and 253 bytes.
const TCP_LENGTHS: std::ops::RangeInclusive<usize> = 2..=254;
const TCP_HEADER_LEN: usize = 6;
const EXCEPTION: u8 = 0x80;
const READS: [u8; 2] = [3, 4];
const WRITE: u8 = 16;

/// How frames are laid out on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A header with transaction number and length.
    Tcp,
    /// Unit, function, data, checksum.
    Rtu,
}

/// Why what came is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GuardError {
    /// A header that is none of Modbus.
    #[error("protocol {protocol} and length {length} in a header")]
    Header {
        /// Zero for Modbus.
        protocol: u16,
        /// Bytes that follow.
        length: usize,
    },
    /// An answer to another request.
    #[error("transaction {read} where {asked} was asked")]
    Transaction {
        /// What was asked.
        asked: u16,
        /// What came.
        read: u16,
    },
    /// An answer by another unit.
    #[error("an answer of unit {read} where unit {asked} was asked")]
    Unit {
        /// What was asked.
        asked: u8,
        /// What came.
        read: u8,
    },
    /// An answer to another kind of request.
    #[error("an answer of function {read} where {asked} was asked")]
    Function {
        /// What was asked.
        asked: u8,
        /// What came.
        read: u8,
    },
    /// A frame of another length than its content.
    #[error("{read} bytes in an answer that takes {expected}")]
    Length {
        /// What the request asks for.
        expected: usize,
        /// What the answer says.
        read: usize,
    },
    /// A write confirmed as another than was asked.
    #[error("a write was confirmed as another than was asked")]
    Confirmation,
    /// A wrong checksum.
    #[error("checksum {read:04x}, expected {expected:04x}")]
    Checksum {
        /// What the frame's bytes give.
        expected: u16,
        /// What it carries.
        read: u16,
    },
    /// Bytes when nothing was asked.
    #[error("bytes that nobody asked for")]
    Unasked,
}

/// The exchange under way on one connection.
#[derive(Clone, Debug)]
pub struct Guard {
    framing: Framing,
    /// The request as it went out; empty where none is under way.
    request: Vec<u8>,
    /// What came since, echo included.
    came: Vec<u8>,
    echoed: bool,
}

impl Guard {
    /// Nothing under way.
    pub fn new(framing: Framing) -> Self {
        Self { framing, request: Vec::new(), came: Vec::new(), echoed: false }
    }

    /// A request goes out; what came before is of no meaning any more.
    pub fn asked(&mut self, frame: &[u8]) {
        self.request = frame.to_vec();
        self.came.clear();
        self.echoed = false;
    }

    /// Takes what came; gives the answer once it is whole.
    ///
    /// # Errors
    /// Why it can't be the answer; the connection is of no use any more.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, GuardError> {
        if self.request.is_empty() {
            return Err(GuardError::Unasked);
        }
        self.came.extend_from_slice(bytes);
        if self.framing == Framing::Rtu && !self.echoed {
            if self.came.len() < self.request.len() && self.request.starts_with(&self.came) {
                // Perhaps an echo; but a confirmed write begins like its request, and is complete here.
                return Ok(self.confirmed().then(|| self.done(self.came.len())));
            }
            if self.came.starts_with(&self.request) {
                self.came.drain(..self.request.len());
                self.echoed = true;
            }
        }
        let Some(len) = self.answer_len()? else { return Ok(None) };
        if self.came.len() < len {
            return Ok(None);
        }
        if self.came.len() > len {
            return Err(GuardError::Length { expected: len, read: self.came.len() });
        }
        self.check_end(len)?;
        Ok(Some(self.done(len)))
    }

    fn done(&mut self, len: usize) -> Vec<u8> {
        self.request.clear();
        self.came.drain(..len).collect()
    }

    /// Whether what came is a whole and sound confirmation of a write, though it looks like the echo's beginning.
    fn confirmed(&self) -> bool {
        self.came.len() == 8 && self.came.get(1) == Some(&WRITE) && checksum_of(&self.came).is_ok()
    }

    /// The whole answer's length, as far as its first bytes say it.
    fn answer_len(&self) -> Result<Option<usize>, GuardError> {
        let pdu_at = match self.framing {
            Framing::Tcp => TCP_HEADER_LEN + 1,
            Framing::Rtu => 1,
        };
        let said = match self.framing {
            Framing::Tcp => self.header()?,
            Framing::Rtu => None,
        };
        if let Some(unit) = self.came.get(pdu_at - 1) {
            let asked = self.request.get(pdu_at - 1).copied().unwrap_or_default();
            if *unit != asked {
                return Err(GuardError::Unit { asked, read: *unit });
            }
        }
        let Some(pdu) = pdu_len(
            self.request.get(pdu_at..).unwrap_or_default(),
            self.came.get(pdu_at..).unwrap_or_default(),
        )?
        else {
            return Ok(None);
        };
        let expected = pdu_at + pdu;
        match (self.framing, said) {
            (Framing::Rtu, _) => Ok(Some(expected + 2)),
            (Framing::Tcp, Some(read)) if read != expected => Err(GuardError::Length { expected, read }),
            (Framing::Tcp, _) => Ok(Some(expected)),
        }
    }

    /// The frame's length as its header says; none while the header is not whole.
    fn header(&self) -> Result<Option<usize>, GuardError> {
        let word = |bytes: &[u8], at: usize| bytes.get(at..at + 2).map(|w| u16::from_be_bytes([w[0], w[1]]));
        let (Some(read), Some(protocol), Some(length)) =
            (word(&self.came, 0), word(&self.came, 2), word(&self.came, 4))
        else {
            return Ok(None);
        };
        let length = usize::from(length);
        if protocol != 0 || !TCP_LENGTHS.contains(&length) {
            return Err(GuardError::Header { protocol, length });
        }
        let asked = word(&self.request, 0).unwrap_or_default();
        if read != asked {
            return Err(GuardError::Transaction { asked, read });
        }
        Ok(Some(TCP_HEADER_LEN + length))
    }

    fn check_end(&self, len: usize) -> Result<(), GuardError> {
        let frame = &self.came[..len];
        let pdu_at = match self.framing {
            Framing::Tcp => TCP_HEADER_LEN + 1,
            Framing::Rtu => {
                checksum_of(frame)?;
                1
            }
        };
        let function = frame.get(pdu_at).copied();
        if function == Some(WRITE) && frame.get(pdu_at..pdu_at + 5) != self.request.get(pdu_at..pdu_at + 5) {
            return Err(GuardError::Confirmation);
        }
        Ok(())
    }
}

/// The length of the answer's part after the unit, by the request's; none while too little has come.
fn pdu_len(request: &[u8], answer: &[u8]) -> Result<Option<usize>, GuardError> {
    let asked = request.first().copied().unwrap_or_default();
    let Some(function) = answer.first().copied() else { return Ok(None) };
    if function == asked | EXCEPTION {
        return Ok(Some(2));
    }
    if function != asked {
        return Err(GuardError::Function { asked, read: function });
    }
    if !READS.contains(&function) {
        return Ok(Some(5));
    }
    let count = request.get(3..5).map_or(0, |w| usize::from(u16::from_be_bytes([w[0], w[1]])));
    match answer.get(1) {
        None => Ok(None),
        Some(bytes) if usize::from(*bytes) == 2 * count => Ok(Some(2 + 2 * count)),
        Some(bytes) => Err(GuardError::Length { expected: 2 * count, read: usize::from(*bytes) }),
    }
}

fn checksum_of(frame: &[u8]) -> Result<(), GuardError> {
    let (content, sum) = frame.split_at(frame.len().saturating_sub(2));
    let read = sum.iter().rev().fold(0, |sum, byte| sum << 8 | u16::from(*byte));
    let expected = crc16(content);
    (read == expected).then_some(()).ok_or(GuardError::Checksum { expected, read })
}

/// The checksum of RTU frames (Modbus over Serial Line V1.02, 6.2.2); sent low byte first.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests;
