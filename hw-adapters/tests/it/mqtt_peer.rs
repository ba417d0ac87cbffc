//! Plugs as other people make them, on Mosquitto, against our adapters: six families, each read, switched and read back,
//! then lying, gone, silent and wild. Runs where there are `mosquitto` and a Python interpreter named by `PEERS_PYTHON`
//! with `paho-mqtt` (`pip install paho-mqtt`), and says plainly where there aren't.

use hw_adapters::by_template::TemplateDevice;
use hw_adapters::config::{open, DeviceConfig};
use hw_adapters::device::{Device, DeviceError, Plug, PlugState};
use hw_adapters::metrics::DeviceMetrics;
use market::units::Milliwatt;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Against hanging only.
const PATIENCE: Duration = Duration::from_secs(60);

/// Mosquitto on a port of its own.
pub struct Broker {
    child: Child,
    pub port: u16,
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Fails where it has ended by itself, and then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one that lets everybody in; none where Mosquitto isn't installed.
pub fn mosquitto() -> Option<Broker> {
    mosquitto_with("allow_anonymous true\n")
}

/// Starts one with these settings of its listener.
pub fn mosquitto_with(settings: &str) -> Option<Broker> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = std::env::temp_dir().join(format!("gridpact-mosquitto-{port}.conf"));
    std::fs::write(&file, format!("listener {port} 127.0.0.1\n{settings}")).unwrap();
    let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"]
        .into_iter()
        .find(|program| std::path::Path::new(program).exists())?;
    let child = Command::new(program).arg("-c").arg(&file).stderr(Stdio::null()).spawn().ok()?;
    let broker = Broker { child, port };
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::fs::remove_file(file).unwrap();
    Some(broker)
}

struct Peers {
    child: Child,
    tell: ChildStdin,
    hear: Lines<BufReader<ChildStdout>>,
}

impl Peers {
    fn start(python: &str, port: u16) -> Self {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/mqtt_devices.py"))
            .args(["127.0.0.1", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let hear = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut peers = Self { tell: child.stdin.take().unwrap(), hear, child };
        assert_eq!(peers.hear.next().unwrap().unwrap(), "ready");
        peers
    }

    fn turns(&mut self, device: &str, manner: &str) {
        writeln!(self.tell, "{device} {manner}").unwrap();
        assert_eq!(self.hear.next().unwrap().unwrap(), "done");
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = writeln!(self.tell, "end end");
        let _ = self.child.wait();
    }
}

async fn plug(template: &str, setting: (&str, &str), port: u16, metrics: &DeviceMetrics) -> Box<dyn Plug> {
    let config = DeviceConfig::Template(Box::new(TemplateDevice {
        name: template.to_owned(),
        template: template.to_owned(),
        broker: Some(format!("127.0.0.1:{port}")),
        settings: [(setting.0.to_owned(), setting.1.to_owned())].into(),
        power_max_w: Some(2_000),
        answer_within_ms: Some(5_000),
        stale_after_ms: Some(2_000),
        ..TemplateDevice::default()
    }));
    match open(&config, metrics).await.unwrap() {
        Device::Plug(plug) => plug,
        _ => panic!("{template} is no plug"),
    }
}

async fn until(plug: &mut dyn Plug, what: &str, wanted: impl Fn(&Result<PlugState, DeviceError>) -> bool) {
    let mut last = None;
    let reading = async {
        loop {
            let read = plug.read().await;
            if wanted(&read) {
                return;
            }
            last = Some(read);
            sleep(Duration::from_millis(20)).await;
        }
    };
    let done = timeout(PATIENCE, reading).await;
    assert!(done.is_ok(), "never {what}: {last:?}");
}

/// Whether it is read, obeys, and is told apart when it lies, says nonsense, falls silent or goes.
async fn check(name: &str, peer: &str, setting: (&str, &str), peers: &mut Peers, port: u16) {
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let mut plug = plug(name, setting, port, &metrics).await;
    until(&mut *plug, "on", |read| read.as_ref().is_ok_and(|s| s.on && s.power == Milliwatt(1_000_000)))
        .await;
    assert_eq!(plug.switch(Some(false)).await, Ok(false), "{name}");
    until(&mut *plug, "off", |read| read.as_ref().is_ok_and(|s| !s.on && s.power == Milliwatt::ZERO)).await;

    peers.turns(peer, "lie");
    let lie = plug.switch(Some(true)).await;
    assert!(matches!(lie, Err(DeviceError::Disobeyed { .. })), "{name}: {lie:?}");
    assert_eq!(metrics.errors.with_label_values(&["plug", "on", "disobeyed"]).get(), 1);
    peers.turns(peer, "plain");
    // As it was found.
    assert_eq!(plug.switch(None).await, Ok(true), "{name}");

    peers.turns(peer, "wild");
    until(&mut *plug, "refused", |read| matches!(read, Err(DeviceError::BadAnswer { .. }))).await;
    assert!(metrics.refused.with_label_values(&[name, "out_of_range"]).get() > 0);
    peers.turns(peer, "silent");
    until(&mut *plug, "silent", |read| matches!(read, Err(DeviceError::Silent { .. }))).await;
    peers.turns(peer, "plain");
    until(&mut *plug, "back", Result::is_ok).await;
    peers.turns(peer, "gone");
    until(&mut *plug, "gone", |read| matches!(read, Err(DeviceError::Silent { .. }))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plugs_of_six_families_are_read_switched_and_seen_through() {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let Some(broker) = mosquitto() else {
        println!("skipped: mosquitto is not installed");
        return;
    };
    let mut peers = Peers::start(&python, broker.port);
    for (template, peer, setting) in [
        ("shelly-gen1-plug", "Shelly1", ("id", "shellyplug-s-1")),
        ("shelly-gen2-plug", "Shelly2", ("id", "shellyplusplugs-2")),
        ("tasmota-plug", "Tasmota", ("topic", "tasmota_3")),
        ("zigbee2mqtt-plug", "Zigbee2mqtt", ("name", "Water heater")),
        ("esphome-plug", "Esphome", ("node", "boiler")),
        ("homeassistant-plug", "HomeAssistant", ("device", "Water heater")),
    ] {
        check(template, peer, setting, &mut peers, broker.port).await;
    }
}
