//! One simulated device behind a Modbus TCP listener of its own. Registers are made from the world's
//! state at each read; a write goes into that state or is refused whole.

use super::fault::{FaultSwitch, FaultyStream, ModbusFault};
use super::map::Map;
use super::{battery, meter, pv};
use crate::world::{lock, SharedWorld, Site, World};
use futures::future::{BoxFuture, FutureExt};
use market::interval::UnixSeconds;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::server::Service;
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

/// The Modbus unit every simulated device answers as.
pub const UNIT: u8 = 1;
/// Most registers a request may read (Modbus Application Protocol V1.1b3, 6.3).
const READ_MAX: u16 = 125;

/// Which of a site's devices is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its meter (1, 203).
    Meter,
    /// Its PV inverter (1, 103, 120, 122, 123).
    Pv,
    /// Its battery (1, 103, 120, 124).
    Battery,
}

/// Why a write is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A register that does not exist or can't be written.
    Address,
    /// A value out of range.
    Value,
}

/// A device being served. Dropping it closes its listener and connections.
#[derive(Debug)]
pub struct SunSpecServer {
    address: SocketAddr,
    fault: FaultSwitch,
    serving: JoinHandle<()>,
}

impl SunSpecServer {
    /// Serves the device `role` of the site at `index` on `listen` (port 0 takes a free one).
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn start(
        world: SharedWorld,
        index: usize,
        role: Role,
        listen: SocketAddr,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let fault = FaultSwitch::default();
        let device = Device { world, index, role, fault: fault.clone(), pretended: Arc::default() };
        let serving = tokio::spawn(serve(listener, device));
        Ok(Self { address, fault, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes it misbehave.
    pub fn fault(&self) -> &FaultSwitch {
        &self.fault
    }
}

impl Drop for SunSpecServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, device: Device) {
    let on_connected = |stream: tokio::net::TcpStream, _| {
        let device = device.clone();
        async move {
            stream.set_nodelay(true)?;
            let stream = FaultyStream::new(stream, device.fault.clone());
            Ok(Some((device, stream)))
        }
    };
    let broken = |error: std::io::Error| tracing::debug!(%error, "a connection to a simulated device broke");
    let server = Server::new(listener);
    // It ends only when accepting or configuring one connection fails; after a pause the next may do.
    while let Err(error) = server.serve(&on_connected, broken).await {
        tracing::warn!(%error, "accepting for a simulated device");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[derive(Clone)]
struct Device {
    world: SharedWorld,
    index: usize,
    role: Role,
    fault: FaultSwitch,
    /// Registers written under [`ModbusFault::Pretends`], which read back and do nothing.
    pretended: Arc<Mutex<BTreeMap<u16, u16>>>,
}

impl Service for Device {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Exception>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let device = self.clone();
        async move {
            match device.fault.get() {
                ModbusFault::Silent => return Ok(None),
                ModbusFault::Busy => return Err(ExceptionCode::ServerDeviceBusy),
                ModbusFault::Late(delay) => tokio::time::sleep(delay).await,
                ModbusFault::None
                | ModbusFault::HalfFrames
                | ModbusFault::Forgets
                | ModbusFault::Pretends => {}
            }
            device.answer(request).map(Some)
        }
        .boxed()
    }
}

impl Device {
    fn answer(&self, request: SlaveRequest<'static>) -> Result<Response, ExceptionCode> {
        if request.slave != UNIT {
            return Err(ExceptionCode::GatewayPathUnavailable);
        }
        match request.request {
            Request::ReadHoldingRegisters(start, count) => {
                self.read(start, count).map(Response::ReadHoldingRegisters)
            }
            Request::WriteSingleRegister(address, word) => {
                self.write(address, &[word])?;
                Ok(Response::WriteSingleRegister(address, word))
            }
            Request::WriteMultipleRegisters(address, words) => {
                self.write(address, &words)?;
                Ok(Response::WriteMultipleRegisters(address, words.len() as u16))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }

    fn read(&self, start: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        if !(1..=READ_MAX).contains(&count) {
            return Err(ExceptionCode::IllegalDataValue);
        }
        let map = self.map(&lock(&self.world))?;
        let mut words = map.read(start, count).ok_or(ExceptionCode::IllegalDataAddress)?;
        if self.fault.get() == ModbusFault::Pretends {
            let pretended = lock(&self.pretended);
            for (address, word) in pretended.range(start..start.saturating_add(count)) {
                words[usize::from(address - start)] = *word;
            }
        }
        Ok(words)
    }

    fn write(&self, start: u16, words: &[u16]) -> Result<(), ExceptionCode> {
        let mut world = lock(&self.world);
        let map = self.map(&world)?;
        let points = (start..)
            .zip(words)
            .map(|(address, word)| map.point(address).map(|(model, name)| (model.id, name, *word)));
        let points = points.collect::<Option<Vec<_>>>().ok_or(ExceptionCode::IllegalDataAddress)?;
        match self.fault.get() {
            ModbusFault::Forgets => Ok(()),
            ModbusFault::Pretends => {
                lock(&self.pretended).extend((start..).zip(words.iter().copied()));
                Ok(())
            }
            _ => self.apply(&mut world, &points).map_err(|refusal| match refusal {
                Refusal::Address => ExceptionCode::IllegalDataAddress,
                Refusal::Value => ExceptionCode::IllegalDataValue,
            }),
        }
    }

    fn map(&self, world: &World) -> Result<Map, ExceptionCode> {
        let site = world.sites().get(self.index);
        site.and_then(|site| map_of(self.role, site, world.now())).ok_or(ExceptionCode::ServerDeviceFailure)
    }

    fn apply(&self, world: &mut World, points: &[(u16, &'static str, u16)]) -> Result<(), Refusal> {
        let now = world.now();
        let site = world.site_mut(self.index).ok_or(Refusal::Address)?;
        match self.role {
            Role::Meter => Err(Refusal::Address),
            Role::Pv => pv::write(site.pv.as_mut().ok_or(Refusal::Address)?, now, points),
            Role::Battery => battery::write(site.battery.as_mut().ok_or(Refusal::Address)?, now, points),
        }
    }
}

/// The registers of a site's device; none where the site hasn't got it.
fn map_of(role: Role, site: &Site, now: UnixSeconds) -> Option<Map> {
    match role {
        Role::Meter => Some(meter::map(site)),
        Role::Pv => site.pv.as_ref().map(|pv| pv::map(site, pv, now)),
        Role::Battery => site.battery.as_ref().map(|battery| battery::map(site, battery, now)),
    }
}
