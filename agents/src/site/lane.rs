//! One device's own task: what is asked of it is done in order, and a device that hangs holds up
//! nobody but itself. What its asker has given up waiting for is not done any more.

use super::schedule::Setpoint;
use crate::device::Reading;
use hw_adapters::device::{Device, DeviceError, MeterState};
use market::units::Milliwatt;
use std::future::Future;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, Instant};

/// Requests waiting for one device.
const QUEUE: usize = 4;
/// A reading older than this is none, whatever its adapter makes of it: an interval's length.
const AGE_MAX: Duration = Duration::from_secs(900);

type Reply<T> = oneshot::Sender<Result<T, String>>;

enum Job {
    ReadMeter(Reply<MeterState>),
    Read(Reply<Reading>),
    ReadSettled(Reply<Reading>),
    Write { setpoint: Setpoint, hold_s: u32, done: Reply<()> },
    GiveBack(Reply<()>),
}

/// A handle to one device's task, which ends with its last handle.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    jobs: mpsc::Sender<Job>,
    answer_within: Duration,
}

impl Lane {
    /// Starts the task on the current runtime. Adapters bound the time of each request themselves;
    /// `answer_within` bounds how long an asker waits, for requests before its own as well.
    pub fn start(device: Device, answer_within: Duration) -> Self {
        let (jobs, jobs_out) = mpsc::channel(QUEUE);
        tokio::spawn(work(device, jobs_out));
        Self { jobs, answer_within }
    }

    /// The meter's counters and power.
    pub async fn read_meter(&self) -> Result<MeterState, String> {
        self.ask(Job::ReadMeter).await
    }

    /// The device's state.
    pub async fn read(&self) -> Result<Reading, String> {
        self.ask(Job::Read).await
    }

    /// The device's state, unless a ramp is still taking it to its setpoint: then nobody can say whether it obeys.
    pub async fn read_settled(&self) -> Result<Reading, String> {
        self.ask(Job::ReadSettled).await
    }

    /// Writes a setpoint; it counts as written when it was read back, or with a ramp when its first step was.
    pub async fn write(&self, setpoint: Setpoint, hold_s: u32) -> Result<(), String> {
        self.ask(|done| Job::Write { setpoint, hold_s, done }).await
    }

    /// Gives the device back as it was found, after what was asked before.
    pub async fn give_back(&self) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        let given = async {
            self.jobs.send(Job::GiveBack(reply)).await.map_err(|_| "its task has ended".to_owned())?;
            answer.await.unwrap_or_else(|_| Err("its task has ended".to_owned()))
        };
        let late = |_| Err(format!("not given back within {} ms", self.answer_within.as_millis()));
        tokio::time::timeout(self.answer_within, given).await.unwrap_or_else(late)
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, String> {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(job(reply)).map_err(|_| "still busy with earlier requests".to_owned())?;
        match tokio::time::timeout(self.answer_within, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("its task has ended".to_owned()),
            Err(_) => Err(format!("no answer within {} ms", self.answer_within.as_millis())),
        }
    }
}

/// A setpoint that a ramp is taking the device to.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    setpoint: Setpoint,
    next: Instant,
    /// Until when it holds, should nothing more be heard.
    until: Instant,
}

impl UnderWay {
    /// What is to be done about `setpoint` once a step of it is written; nothing where it has been reached.
    fn after(device: &Device, setpoint: Setpoint, until: Instant) -> Option<Self> {
        let now = Instant::now();
        let next = now + device.next_step()?;
        (next < until).then_some(Self { setpoint, next, until })
    }

    /// Writes the next step, for as long as the setpoint holds.
    async fn go_on(self, device: &mut Device) -> Option<Self> {
        let left_s = self.until.saturating_duration_since(Instant::now()).as_secs();
        let hold_s = u32::try_from(left_s).unwrap_or(u32::MAX).max(1);
        match in_words(write(device, self.setpoint, hold_s)).await {
            Ok(()) => Self::after(device, self.setpoint, self.until),
            Err(reason) => {
                tracing::debug!(reason, "a step of a ramp was not taken; tried again");
                Some(Self { next: Instant::now() + hw_adapters::ramp::STEP, ..self })
                    .filter(|under_way| under_way.next < self.until)
            }
        }
    }
}

async fn work(mut device: Device, mut jobs: mpsc::Receiver<Job>) {
    let mut under_way: Option<UnderWay> = None;
    loop {
        let next = under_way.map_or_else(Instant::now, |under_way| under_way.next);
        let job = tokio::select! {
            job = jobs.recv() => job,
            () = sleep_until(next), if under_way.is_some() => {
                under_way = match under_way {
                    Some(step) => step.go_on(&mut device).await,
                    None => None,
                };
                continue;
            }
        };
        match job {
            Some(Job::ReadMeter(reply)) => answer(reply, fresh_meter(&mut device)).await,
            Some(Job::ReadSettled(reply)) if under_way.is_some() => {
                answer(reply, async { Err("it is still on its way to its setpoint".to_owned()) }).await;
            }
            Some(Job::Read(reply) | Job::ReadSettled(reply)) => answer(reply, fresh(&mut device)).await,
            Some(Job::Write { setpoint, hold_s, done }) => {
                if done.is_closed() {
                    continue;
                }
                let until = Instant::now() + Duration::from_secs(hold_s.into());
                answer(done, in_words(write(&mut device, setpoint, hold_s))).await;
                if !matches!(setpoint, Setpoint::Reactive(_)) {
                    under_way = UnderWay::after(&device, setpoint, until);
                }
            }
            Some(Job::GiveBack(done)) => {
                under_way = None;
                answer(done, in_words(device.give_back())).await;
            }
            None => return,
        }
    }
}

async fn answer<T>(reply: Reply<T>, work: impl Future<Output = Result<T, String>>) {
    if !reply.is_closed() {
        // Fails where the asker has given up meanwhile.
        let _ = reply.send(work.await);
    }
}

async fn in_words<T>(work: impl Future<Output = Result<T, DeviceError>>) -> Result<T, String> {
    work.await.map_err(|error| error.to_string())
}

async fn fresh_meter(device: &mut Device) -> Result<MeterState, String> {
    let state = in_words(read_meter(device)).await?;
    still_true(state, device.age())
}

async fn fresh(device: &mut Device) -> Result<Reading, String> {
    let reading = in_words(read(device)).await?;
    still_true(reading, device.age())
}

/// What was so long ago is not what is so now.
fn still_true<T>(state: T, age: Duration) -> Result<T, String> {
    if age > AGE_MAX {
        return Err(format!("what it says is {} s old", age.as_secs()));
    }
    Ok(state)
}

async fn read_meter(device: &mut Device) -> Result<MeterState, DeviceError> {
    match device {
        Device::Meter(meter) => meter.read().await,
        _ => Err(no_such("reading the meter")),
    }
}

async fn read(device: &mut Device) -> Result<Reading, DeviceError> {
    match device {
        Device::Battery(battery) => battery.read().await.map(Reading::Battery),
        Device::Generator(generator) => generator.read().await.map(Reading::Generator),
        Device::Charger(charger) => charger.read().await.map(Reading::Charger),
        Device::HeatPump(pump) => pump.read().await.map(Reading::HeatPump),
        Device::Plug(plug) => plug.read().await.map(Reading::Plug),
        Device::Meter(_) => Err(no_such("reading the device")),
    }
}

async fn write(device: &mut Device, setpoint: Setpoint, hold_s: u32) -> Result<(), DeviceError> {
    match (device, setpoint) {
        (Device::Battery(battery), Setpoint::Power(power)) => {
            battery.set_power(power, hold_s).await.map(drop)
        }
        (Device::Battery(battery), Setpoint::OwnDefault) => battery.give_back().await,
        (Device::Generator(generator), Setpoint::Power(power)) => {
            generator.limit(Some(power), hold_s).await.map(drop)
        }
        (Device::Generator(generator), Setpoint::OwnDefault) => generator.limit(None, hold_s).await.map(drop),
        (Device::Generator(generator), Setpoint::Reactive(reactive)) => {
            generator.set_reactive(reactive, hold_s).await.map(drop)
        }
        (Device::Charger(charger), Setpoint::Power(power)) => charger.limit(power).await.map(drop),
        (Device::Charger(charger), Setpoint::OwnDefault) => {
            let power_max = charger.read().await?.power_max;
            charger.limit(power_max).await.map(drop)
        }
        (Device::HeatPump(pump), Setpoint::Power(power)) => pump.set_power(Some(power)).await.map(drop),
        (Device::HeatPump(pump), Setpoint::OwnDefault) => pump.set_power(None).await.map(drop),
        (Device::Plug(plug), Setpoint::Power(power)) => {
            plug.switch(Some(power > Milliwatt::ZERO)).await.map(drop)
        }
        (Device::Plug(plug), Setpoint::OwnDefault) => plug.switch(None).await.map(drop),
        (_, Setpoint::Reactive(_)) | (Device::Meter(_), _) => Err(no_such("writing a setpoint")),
    }
}

fn no_such(act: &'static str) -> DeviceError {
    DeviceError::Refused {
        device: "device".to_owned(),
        act,
        reason: "this kind of device can't do that".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::{BoxFuture, FutureExt};
    use hw_adapters::device::{Aged, Battery, BatteryState, GiveBack, HeatPump, HeatPumpState, Paced};
    use market::units::Millijoule;
    use std::sync::{Arc, Mutex};
    use tokio::sync::Semaphore;

    /// A heat pump that answers a request for each permit, and remembers what it was told.
    struct Sluggish {
        permits: Arc<Semaphore>,
        told: Arc<Mutex<Vec<Option<i64>>>>,
    }

    impl Aged for Sluggish {}

    impl GiveBack for Sluggish {}

    impl HeatPump for Sluggish {
        fn read(&mut self) -> BoxFuture<'_, Result<HeatPumpState, DeviceError>> {
            async {
                self.permits.acquire().await.unwrap().forget();
                Ok(HeatPumpState {
                    power: Milliwatt::ZERO,
                    power_max: Milliwatt(2_000_000),
                    room_millicelsius: 20_000,
                    outdoor_millicelsius: 0,
                })
            }
            .boxed()
        }
        fn set_power(
            &mut self,
            power: Option<Milliwatt>,
        ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>> {
            async move {
                self.permits.acquire().await.unwrap().forget();
                self.told.lock().unwrap().push(power.map(|p| p.0));
                Ok(power)
            }
            .boxed()
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_done() {
        let (permits, told) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let device = Sluggish { permits: permits.clone(), told: told.clone() };
        let lane = Lane::start(Device::HeatPump(Box::new(device)), Duration::from_secs(2));
        // Without a permit the first reading hangs; the write behind it is given up as well.
        let (reading, stale) = tokio::join!(lane.read(), lane.write(Setpoint::Power(Milliwatt(7)), 60));
        assert!(reading.is_err() && stale.is_err(), "{reading:?} {stale:?}");
        permits.add_permits(2);
        assert_eq!(lane.write(Setpoint::OwnDefault, 60).await, Ok(()));
        assert_eq!(*told.lock().unwrap(), [None]);
    }

    #[test]
    fn what_was_said_an_hour_ago_is_not_passed_on() {
        assert_eq!(still_true(7, AGE_MAX), Ok(7));
        assert_eq!(still_true(7, Duration::from_secs(3_600)), Err("what it says is 3600 s old".to_owned()));
    }

    #[tokio::test]
    async fn a_device_is_asked_only_for_what_its_kind_can() {
        let permits = Arc::new(Semaphore::new(0));
        let device = Sluggish { permits, told: Arc::default() };
        let lane = Lane::start(Device::HeatPump(Box::new(device)), Duration::from_secs(60));
        assert!(lane.read_meter().await.unwrap_err().contains("can't do that"));
    }

    /// A battery that remembers what was done with it.
    struct Remembering(Arc<Mutex<Vec<String>>>);

    impl GiveBack for Remembering {
        fn give_back(&mut self) -> BoxFuture<'_, Result<(), DeviceError>> {
            self.0.lock().unwrap().push("given back".to_owned());
            async { Ok(()) }.boxed()
        }
    }

    impl Aged for Remembering {}

    impl Battery for Remembering {
        fn read(&mut self) -> BoxFuture<'_, Result<BatteryState, DeviceError>> {
            async { Err(no_such("reading")) }.boxed()
        }
        fn set_power(
            &mut self,
            power: Milliwatt,
            hold_s: u32,
        ) -> BoxFuture<'_, Result<Milliwatt, DeviceError>> {
            self.0.lock().unwrap().push(format!("{} for {hold_s} s", power.0));
            async move { Ok(power) }.boxed()
        }
    }

    impl Paced for Remembering {}

    /// A battery that comes to a setpoint in three steps.
    struct Slow(Arc<Mutex<Vec<i64>>>, i64);

    impl GiveBack for Slow {}

    impl Aged for Slow {}

    impl Paced for Slow {
        fn next_step(&self) -> Option<Duration> {
            (self.0.lock().unwrap().last() != Some(&self.1)).then_some(Duration::from_secs(1))
        }
    }

    impl Battery for Slow {
        fn read(&mut self) -> BoxFuture<'_, Result<BatteryState, DeviceError>> {
            let (stored, most) = (Millijoule::ZERO, Milliwatt(self.1));
            async move {
                Ok(BatteryState {
                    power: most,
                    stored,
                    capacity: stored,
                    charge_max: most,
                    discharge_max: most,
                })
            }
            .boxed()
        }
        fn set_power(
            &mut self,
            power: Milliwatt,
            _hold_s: u32,
        ) -> BoxFuture<'_, Result<Milliwatt, DeviceError>> {
            self.1 = power.0;
            let mut told = self.0.lock().unwrap();
            let next = told.last().map_or(power.0 / 3, |last| (last + power.0 / 3).min(power.0));
            told.push(next);
            async move { Ok(Milliwatt(next)) }.boxed()
        }
    }

    #[tokio::test]
    async fn a_ramp_is_walked_to_its_end_and_nobody_is_judged_on_the_way() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let lane = Lane::start(Device::Battery(Box::new(Slow(told.clone(), 0))), Duration::from_secs(60));
        assert_eq!(lane.write(Setpoint::Power(Milliwatt(9)), 60).await, Ok(()));
        assert!(lane.read_settled().await.unwrap_err().contains("on its way"));
        assert!(lane.read().await.is_ok());
        while told.lock().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(lane.read_settled().await.is_ok());
        assert_eq!(*told.lock().unwrap(), [3, 6, 9]);
    }

    #[tokio::test]
    async fn a_battery_left_to_itself_is_given_back_as_it_was_found() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let lane = Lane::start(Device::Battery(Box::new(Remembering(done.clone()))), Duration::from_secs(60));
        assert_eq!(lane.write(Setpoint::Power(Milliwatt(7)), 60).await, Ok(()));
        assert_eq!(lane.write(Setpoint::OwnDefault, 60).await, Ok(()));
        assert_eq!(lane.give_back().await, Ok(()));
        assert_eq!(*done.lock().unwrap(), ["7 for 60 s", "given back", "given back"]);
    }
}
