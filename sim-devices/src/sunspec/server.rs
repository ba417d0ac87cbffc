//! One simulated device behind a Modbus TCP listener of its own. Registers are made from the world's
//! state at each read; a write goes into that state or is refused whole.

use super::fault::{FaultSwitch, FaultyStream, ModbusFault};
use super::functions::FunctionRegisters;
use super::map::Map;
use super::rtu::{self, Line};
use super::{battery, der, meter, pv};
use crate::physics::pv::Pv;
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
    /// Its meter.
    Meter,
    /// Its PV inverter.
    Pv,
    /// Its battery.
    Battery,
}

/// By which models a device is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// A meter's: 201 to 204, or 211 to 214 for floating-point numbers.
    pub meter: u16,
    /// An inverter's: 101 to 103 or 111 to 113 with 120 to 124, or 701 with 702 to 704.
    pub inverter: u16,
}

/// Meter models there are.
pub const METERS: [u16; 8] = [201, 202, 203, 204, 211, 212, 213, 214];
/// Inverter models there are.
pub const INVERTERS: [u16; 7] = [101, 102, 103, 111, 112, 113, DER];
/// The measuring model of those that came with IEEE 1547-2018.
const DER: u16 = 701;

impl Default for Dialect {
    /// Three phases, integers with scale factors.
    fn default() -> Self {
        Self { meter: 203, inverter: 103 }
    }
}

/// Why a write is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A register that does not exist or can't be written.
    Address,
    /// A value out of range.
    Value,
}

/// A device being served. Dropping it closes its listener and connections, or its line.
#[derive(Debug)]
pub struct SunSpecServer {
    address: Option<SocketAddr>,
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
        Self::start_as(world, index, (role, Dialect::default()), listen).await
    }

    /// The same by other models. A model that is none of [`METERS`] or [`INVERTERS`] makes a map without sense.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn start_as(
        world: SharedWorld,
        index: usize,
        (role, dialect): (Role, Dialect),
        listen: SocketAddr,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let fault = FaultSwitch::default();
        let fault_of = fault.clone();
        let device = Device::new(world, index, (role, dialect), fault_of);
        let serving = tokio::spawn(serve(listener, device));
        Ok(Self { address: Some(address), fault, serving })
    }

    /// The same on a serial line, by Modbus RTU.
    ///
    /// # Errors
    /// Where the line can't be opened.
    pub fn start_on(
        world: SharedWorld,
        index: usize,
        (role, dialect): (Role, Dialect),
        line: &Line,
    ) -> std::io::Result<Self> {
        let port = line.open()?;
        let fault = FaultSwitch::default();
        let device = Device::new(world, index, (role, dialect), fault.clone());
        let serving = tokio::spawn(rtu::serve(port, device, fault.clone()));
        Ok(Self { address: None, fault, serving })
    }

    /// Where it listens; the unspecified address where it is on a serial line.
    pub fn address(&self) -> SocketAddr {
        self.address.unwrap_or_else(|| SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0))
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
            if device.fault.is_down() {
                return Ok(None);
            }
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
    dialect: Dialect,
    fault: FaultSwitch,
    /// Registers written under [`ModbusFault::Pretends`], which read back and do nothing.
    pretended: Arc<Mutex<BTreeMap<u16, u16>>>,
    /// The map as it was when [`ModbusFault::Frozen`] began.
    frozen: Arc<Mutex<Option<Map>>>,
    /// What a DER does by itself at its grid.
    functions: Arc<Mutex<FunctionRegisters>>,
}

impl Service for Device {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Exception>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let device = self.clone();
        async move {
            let fault = device.fault.next();
            match fault {
                ModbusFault::Silent => return Ok(None),
                ModbusFault::Busy => return Err(ExceptionCode::ServerDeviceBusy),
                ModbusFault::Late(delay) => tokio::time::sleep(delay).await,
                ModbusFault::None
                | ModbusFault::HalfFrames
                | ModbusFault::Forgets
                | ModbusFault::Pretends
                | ModbusFault::Frozen
                | ModbusFault::Rebooting(_) => {}
            }
            device.answer(request).map(Some)
        }
        .boxed()
    }
}

impl Device {
    fn new(world: SharedWorld, index: usize, (role, dialect): (Role, Dialect), fault: FaultSwitch) -> Self {
        let functions = Arc::new(Mutex::new(FunctionRegisters::new(lock(&world).now())));
        let (pretended, frozen) = (Arc::default(), Arc::default());
        let device = Self { world, index, role, dialect, fault, pretended, frozen, functions };
        device.settle(&mut lock(&device.world));
        device
    }

    /// Lets timers of a DER's functions end, and the inverter do as they say.
    fn settle(&self, world: &mut World) {
        let now = world.now();
        if self.role == Role::Pv && self.dialect.inverter == DER {
            if let Some(pv) = world.site_mut(self.index).and_then(|site| site.pv.as_mut()) {
                pv.functions = lock(&self.functions).settle(now);
            }
        }
    }

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
        let mut map = {
            let mut world = lock(&self.world);
            self.settle(&mut world);
            self.map(&world)?
        };
        let mut frozen = lock(&self.frozen);
        if self.fault.get() == ModbusFault::Frozen {
            map = frozen.get_or_insert(map).clone();
        } else {
            *frozen = None;
        }
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
        let points = map.written(start, words).ok_or(ExceptionCode::IllegalDataAddress)?;
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
        let functions = lock(&self.functions);
        site.and_then(|site| map_of((self.role, self.dialect), site, &functions, world.now()))
            .ok_or(ExceptionCode::ServerDeviceFailure)
    }

    fn apply(&self, world: &mut World, points: &[(u16, &'static str, i64)]) -> Result<(), Refusal> {
        let now = world.now();
        let site = world.site_mut(self.index).ok_or(Refusal::Address)?;
        let is_der = self.dialect.inverter == DER;
        match self.role {
            Role::Meter => Err(Refusal::Address),
            Role::Pv => {
                let pv = site.pv.as_mut().ok_or(Refusal::Address)?;
                if is_der {
                    let done = write_der(pv, &mut lock(&self.functions), now, points);
                    if done.is_ok() {
                        pv.functions = lock(&self.functions).settle(now);
                    }
                    done
                } else {
                    pv::write(pv, now, points)
                }
            }
            Role::Battery => {
                let battery = site.battery.as_mut().ok_or(Refusal::Address)?;
                if is_der {
                    der::write_battery(battery, now, points)
                } else {
                    battery::write(battery, now, points)
                }
            }
        }
    }
}

/// Takes a whole write or refuses it whole.
fn write_der(
    pv: &mut Pv,
    functions: &mut FunctionRegisters,
    now: UnixSeconds,
    points: &[(u16, &'static str, i64)],
) -> Result<(), Refusal> {
    let (mut next, mut pv_next) = (functions.clone(), pv.clone());
    let (of_functions, others): (Vec<_>, Vec<_>) =
        points.iter().copied().partition(|(model, ..)| FunctionRegisters::has(*model));
    of_functions.into_iter().try_for_each(|point| next.write(&mut pv_next, now, point))?;
    der::write_pv(&mut pv_next, now, &others)?;
    (*functions, *pv) = (next, pv_next);
    Ok(())
}

/// The registers of a site's device; none where the site hasn't got it.
fn map_of(
    (role, dialect): (Role, Dialect),
    site: &Site,
    functions: &FunctionRegisters,
    now: UnixSeconds,
) -> Option<Map> {
    let id = dialect.inverter;
    Some(match role {
        Role::Meter => meter::map(site, dialect.meter),
        Role::Pv if id == DER => der::pv_map(site, site.pv.as_ref()?, functions, now),
        Role::Pv => pv::map(site, site.pv.as_ref()?, now, id),
        Role::Battery if id == DER => der::battery_map(site, site.battery.as_ref()?, now),
        Role::Battery => battery::map(site, site.battery.as_ref()?, now, id),
    })
}
