//! `gridpact check` over the network: brokers that are not the one meant, or don't take us, and devices that are silent, bad or
//! another product, each told apart.

use super::scene::{Kind, Scene, PATIENCE};
use gridpact::demo::ports::FreePorts;
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Findings of one area, as `severity what`.
fn findings(file: &Path, area: &str, brokers: Option<&str>) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.arg("check").arg(file).arg("--json");
    brokers.into_iter().for_each(|brokers| {
        command.env("GRIDPACT_PARTY__BROKERS", brokers);
    });
    let output = command.output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = found["findings"].as_array().unwrap().iter().filter(|finding| finding["area"] == area);
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    all.map(|it| format!("{} {} {}", word(it, "severity"), word(it, "subject"), word(it, "what"))).collect()
}

fn listens(address: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nobody listens at {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn made() -> Scene {
    let scene = Scene::new(Kind { mosquitto: false, simulated: true }, &[]);
    scene.provision("").unwrap();
    scene
}

#[test]
fn brokers_are_told_apart_by_what_is_wrong_with_them() {
    let (scene, other) = (made(), made());
    let _nodes = [scene.start("grid"), other.start("grid")];
    let metrics = scene.metrics["grid"];
    [scene.broker, other.broker, metrics].into_iter().for_each(listens);
    let site = scene.at("machines/home/site-s1.toml");
    let check = |brokers: &str, severity: &str, part: &str| {
        let found = findings(&site, "broker", Some(brokers));
        let one =
            found.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{brokers}: {found:?}"));
        assert!(one.starts_with(severity), "{one}");
    };
    let (right, port) = (format!("mqtts://{}", scene.broker), scene.broker.port());
    check(&right, "good", "takes site/s1, and lets it hear");
    check(&format!("mqtts://localhost:{port}"), "fault", "names another host");
    check(&format!("mqtts://{}", other.broker), "fault", "signed by another authority");
    check(&format!("mqtts://{metrics}"), "fault", "speaks no TLS");
    check(&metrics.to_string(), "fault", "is no MQTT broker");
    check(&scene.broker.to_string(), "fault", "is no MQTT broker");
    check("mqtts://127.0.0.1:1", "fault", "can't be reached");
    check("mqtts://nowhere.invalid:8883", "fault", "resolves to nothing");
    check("mqtts//127.0.0.1", "fault", "is no host:port");
    check(&format!("mqtts://127.0.0.1:1,{right}"), "warning", "another of site/s1's answers");

    // The broker hears of a revocation before the site has its new certificate.
    let papers = ["crt", "key"].map(|kind| scene.at(&format!("machines/home/tls/site-s1.{kind}")));
    let before = papers.clone().map(|path| fs::read(path).unwrap());
    scene.provision("rotate --party site/s1 --certificate-only").unwrap();
    papers.iter().zip(before).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = findings(&site, "broker", None);
        if found
            .iter()
            .any(|line| line.starts_with("fault") && line.contains("refuses site/s1's certificate"))
        {
            break;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A simulated device.
struct Device(Child);

impl Drop for Device {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn device(kind: &str, address: SocketAddr) -> Device {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.args(["sim", kind, "--port", &address.port().to_string()]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let device = Device(child);
    listens(address);
    device
}

#[test]
fn devices_are_told_apart_by_how_they_answer() {
    let scene = made();
    let mut ports = FreePorts::new().unwrap();
    let (meter, inverter) = (ports.take().unwrap(), ports.take().unwrap());
    let _devices = [device("meter", meter), device("inverter", inverter)];
    let file = scene.at("machines/home/site-s1.toml");
    let text = fs::read_to_string(&file).unwrap();
    let before = text.split("[site").next().unwrap();
    let generator = |name: &str, config: &str| {
        format!("[[site.devices]]\nconfig = {{ name = '{name}', {config} }}\npreferences = {{ kind = 'generator' }}\n")
    };
    let sites = [
        generator(
            "right",
            &format!("kind = 'template', template = 'sunspec-inverter', address = '{inverter}'"),
        ),
        generator(
            "other",
            &format!("kind = 'template', template = 'sma-sunny-tripower', unit = 1, address = '{inverter}'"),
        ),
        generator("unknown", "kind = 'template', template = 'toaster', address = '127.0.0.1:9'"),
        generator("silent", "kind = 'sunspec-generator', address = '127.0.0.1:9'"),
        generator("bad", &format!("kind = 'sunspec-generator', address = '{meter}'")),
        "[site.meter]\nkind = 'sunspec-meter'\nname = 'meter'\n".to_owned()
            + &format!("address = '{meter}'\n"),
    ];
    fs::write(&file, format!("{before}{}", sites.concat())).unwrap();
    let found = findings(&file, "devices", None);
    let check = |name: &str, severity: &str, part: &str| {
        let one = found.iter().find(|line| line.contains(&format!(" site/s1: {name} ")));
        let one = one.unwrap_or_else(|| panic!("{name}: {found:?}"));
        assert!(one.starts_with(severity) && one.contains(part), "{one}");
    };
    check("meter", "good", "power_w");
    check("right", "good", "power_w");
    check("other", "fault", "is configured as sma-sunny-tripower, and says that it is \"gridpact");
    check("unknown", "fault", "toaster");
    check("silent", "warning", "no answer");
    check("bad", "fault", "");
}
