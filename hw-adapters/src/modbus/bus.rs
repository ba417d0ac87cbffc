//! One serial line, shared by every unit on it: one request at a time, a silence between frames, and a rest
//! after a failure long enough that a late answer is thrown away and not taken for the next one.

use super::endpoint::{Parity, SerialLine};
use super::guard::Framing;
use super::link::{ask, within, LinkError, Timeouts};
use super::stream::GuardedStream;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{sleep_until, Instant};
use tokio_modbus::client::{rtu, Context};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{Request, Response};
use tokio_serial::{ClearBuffer, SerialPort, SerialPortBuilderExt};

/// How long the rest of a bad answer may take: 256 characters at 19200 bits a second.
const TAIL: Duration = Duration::from_millis(150);

/// A serial line.
pub(super) struct Bus {
    path: String,
    line: SerialLine,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Taken out while a request is under way, so that abandoning it closes the line.
    context: Option<Context>,
    /// No frame may go out before.
    quiet_until: Option<Instant>,
}

/// Lines in use. A line can be opened only once, however many units are on it.
static LINES: OnceLock<Mutex<HashMap<String, Weak<Bus>>>> = OnceLock::new();

impl Bus {
    /// The line at `path`; the first to use it says how it is set.
    pub fn of(path: &str, line: SerialLine) -> Arc<Self> {
        let mut lines = LINES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, bus| bus.strong_count() > 0);
        if let Some(bus) = lines.get(path).and_then(Weak::upgrade) {
            return bus;
        }
        let bus = Arc::new(Self { path: path.to_owned(), line, state: tokio::sync::Mutex::default() });
        lines.insert(path.to_owned(), Arc::downgrade(&bus));
        bus
    }

    /// Asks `unit`, when its turn has come.
    pub async fn call(
        &self,
        unit: u8,
        request: Request<'static>,
        timeouts: Timeouts,
    ) -> Result<Response, LinkError> {
        let mut state = within(timeouts.operation, "no turn on the line", self.state.lock()).await?;
        if let Some(quiet_until) = state.quiet_until {
            sleep_until(quiet_until).await;
        }
        let mut context = match state.context.take() {
            Some(context) => context,
            None => self.open()?,
        };
        // Whoever gives up waiting from here on leaves an answer that may still come.
        state.quiet_until = Some(Instant::now() + 3 * timeouts.request);
        context.set_slave(Slave(unit));
        let answer = ask(&mut context, request, timeouts.request).await;
        if matches!(answer, Ok(_) | Err(LinkError::Exception(_))) {
            state.quiet_until = Some(Instant::now() + self.line.silence());
            state.context = Some(context);
        } else {
            // A bad answer may have a tail; one that has not come may come late.
            let rest = match answer {
                Err(LinkError::BadAnswer(_)) => TAIL.min(timeouts.request),
                _ => 2 * timeouts.request,
            };
            state.quiet_until = Some(Instant::now() + self.line.silence() + rest);
        }
        answer
    }

    /// Closes the line, should an answer to come be doubtful.
    pub async fn close(&self) {
        self.state.lock().await.context = None;
    }

    /// Opens it, and throws away what had come.
    fn open(&self) -> Result<Context, LinkError> {
        let silent = |e: tokio_serial::Error| LinkError::Silent(format!("{}: {e}", self.path));
        let parity = match self.line.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        };
        let stop_bits = match self.line.stop_bits {
            2 => tokio_serial::StopBits::Two,
            _ => tokio_serial::StopBits::One,
        };
        let port = tokio_serial::new(&self.path, self.line.baud)
            .data_bits(tokio_serial::DataBits::Eight)
            .parity(parity)
            .stop_bits(stop_bits)
            .open_native_async()
            .map_err(silent)?;
        port.clear(ClearBuffer::Input).map_err(silent)?;
        let stream = GuardedStream::new(Box::new(port), Framing::Rtu);
        Ok(rtu::attach_slave(stream, Slave::broadcast()))
    }
}
