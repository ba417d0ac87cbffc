//! Any device, with its failures counted. What the failure means is for whoever called.

use crate::device::{
    Aged, Battery, BatteryState, Charger, ChargerState, DeviceError, Generator, GeneratorState, GiveBack,
    HeatPump, HeatPumpState, Meter, MeterState, Paced, Plug, PlugState, Reactive,
};
use crate::metrics::DeviceMetrics;
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millivar, Milliwatt};
use std::future::Future;
use std::time::Duration;

/// A device that counts each failed reading and writing in [`DeviceMetrics::errors`].
pub struct Counted<T> {
    device: T,
    kind: &'static str,
    metrics: DeviceMetrics,
}

impl<T> Counted<T> {
    /// Counts the failures of `device` under `kind`.
    pub fn new(device: T, kind: &'static str, metrics: DeviceMetrics) -> Self {
        Self { device, kind, metrics }
    }
}

async fn count<S>(
    metrics: &DeviceMetrics,
    kind: &'static str,
    act: impl Future<Output = Result<S, DeviceError>>,
) -> Result<S, DeviceError> {
    act.await.inspect_err(|error| metrics.count_error(kind, error))
}

impl<T: Aged> Aged for Counted<T> {
    fn age(&self) -> Duration {
        self.device.age()
    }
}

impl<T: Paced> Paced for Counted<T> {
    fn next_step(&self) -> Option<Duration> {
        self.device.next_step()
    }
}

impl<T: Meter> Meter for Counted<T> {
    fn read(&mut self) -> BoxFuture<'_, Result<MeterState, DeviceError>> {
        count(&self.metrics, self.kind, self.device.read()).boxed()
    }
}

impl<T: GiveBack> GiveBack for Counted<T> {
    fn give_back(&mut self) -> BoxFuture<'_, Result<(), DeviceError>> {
        count(&self.metrics, self.kind, self.device.give_back()).boxed()
    }
}

impl<T: Battery> Battery for Counted<T> {
    fn read(&mut self) -> BoxFuture<'_, Result<BatteryState, DeviceError>> {
        count(&self.metrics, self.kind, self.device.read()).boxed()
    }
    fn set_power(&mut self, power: Milliwatt, hold_s: u32) -> BoxFuture<'_, Result<Milliwatt, DeviceError>> {
        count(&self.metrics, self.kind, self.device.set_power(power, hold_s)).boxed()
    }
}

impl<T: Generator> Generator for Counted<T> {
    fn read(&mut self) -> BoxFuture<'_, Result<GeneratorState, DeviceError>> {
        count(&self.metrics, self.kind, self.device.read()).boxed()
    }
    fn limit(
        &mut self,
        power: Option<Milliwatt>,
        hold_s: u32,
    ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>> {
        count(&self.metrics, self.kind, self.device.limit(power, hold_s)).boxed()
    }
}

impl<T: Reactive> Reactive for Counted<T> {
    fn set_reactive(
        &mut self,
        reactive: Millivar,
        hold_s: u32,
    ) -> BoxFuture<'_, Result<Millivar, DeviceError>> {
        count(&self.metrics, self.kind, self.device.set_reactive(reactive, hold_s)).boxed()
    }
}

impl<T: Charger> Charger for Counted<T> {
    fn read(&mut self) -> BoxFuture<'_, Result<ChargerState, DeviceError>> {
        count(&self.metrics, self.kind, self.device.read()).boxed()
    }
    fn limit(&mut self, power: Milliwatt) -> BoxFuture<'_, Result<Milliwatt, DeviceError>> {
        count(&self.metrics, self.kind, self.device.limit(power)).boxed()
    }
}

impl<T: HeatPump> HeatPump for Counted<T> {
    fn read(&mut self) -> BoxFuture<'_, Result<HeatPumpState, DeviceError>> {
        count(&self.metrics, self.kind, self.device.read()).boxed()
    }
    fn set_power(
        &mut self,
        power: Option<Milliwatt>,
    ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>> {
        count(&self.metrics, self.kind, self.device.set_power(power)).boxed()
    }
}

impl<T: Plug> Plug for Counted<T> {
    fn read(&mut self) -> BoxFuture<'_, Result<PlugState, DeviceError>> {
        count(&self.metrics, self.kind, self.device.read()).boxed()
    }
    fn switch(&mut self, on: Option<bool>) -> BoxFuture<'_, Result<bool, DeviceError>> {
        count(&self.metrics, self.kind, self.device.switch(on)).boxed()
    }
}
