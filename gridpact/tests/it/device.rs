//! `gridpact device` and `gridpact sim` as an installer uses them: a simulated plug and a heat pump on Mosquitto are found,
//! read and set. Says plainly where Mosquitto isn't installed.

use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails where it has ended by itself, and then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn gridpact(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.args(line.split(' ')).stdin(Stdio::null());
    command
}

fn broker() -> Option<(Running, u16)> {
    let program =
        ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].into_iter().find(|path| Path::new(path).exists())?;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mosquitto.conf");
    std::fs::write(&file, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).unwrap();
    let child = Command::new(program).arg("-c").arg(&file).stderr(Stdio::null()).spawn().unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    Some((Running(child), port))
}

fn run(line: &str, code: i32) -> (Value, String) {
    let Output { status, stdout, stderr } = gridpact(line).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(code), "{line}: {stderr}");
    (serde_json::from_slice(&stdout).unwrap_or_default(), stderr)
}

/// The templates that a scan suggests for the device of this name.
fn suggested(found: &Value, what: &str) -> Vec<String> {
    let all = found["found"].as_array().into_iter().flatten();
    let templates =
        all.filter(|finding| finding["what"] == what).flat_map(|finding| finding["templates"].as_array());
    templates.flatten().map(|template| template["template"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn simulated_devices_on_a_broker_are_found_read_and_set() {
    let Some((_broker, port)) = broker() else {
        println!("skipped: mosquitto is not installed");
        return;
    };
    let at = format!("127.0.0.1:{port}");
    let start = |line: &str| {
        Running(
            gridpact(&format!("{line} --broker {at} --every-ms 200")).stderr(Stdio::null()).spawn().unwrap(),
        )
    };
    let _plug = start("sim plug --name boiler --power-w 1500");
    let _meter = start("sim powermeter --speed 60");
    let _pump = start("sim heatpump --speed 60");

    let read =
        format!("device read homeassistant-plug {at} -s device=boiler --answer-within-ms 20000 --json");
    let (plug, _) = run(&read, 0);
    assert_eq!((&plug["on"], &plug["power_w"]), (&Value::from(true), &Value::from(1500.0)));
    let (found, _) = run(&format!("device scan {at} --broker --listen-s 2 --json"), 0);
    assert_eq!(suggested(&found, "boiler"), ["homeassistant-meter", "homeassistant-plug"]);
    assert_eq!(suggested(&found, "sim-powermeter"), ["homeassistant-meter"]);
    assert!(suggested(&found, "sim-heatpump").contains(&"homeassistant-thermostat".to_owned()), "{found}");

    let set =
        format!("device set homeassistant-plug {at} -s device=boiler --answer-within-ms 20000 --json --off");
    let (_, unasked) = run(&set, 1);
    assert!(unasked.contains("--yes"), "{unasked}");
    let (held, _) = run(&format!("{set} --yes"), 0);
    assert_eq!(held["holds"], "off");

    let pump =
        format!("heat-pump-json {at} -s prefix=gridpact-sim/sim-heatpump --answer-within-ms 20000 --json");
    let (held, _) = run(&format!("device set {pump} --power-w 800 --yes"), 0);
    assert_eq!(held["holds"], "800 W");
    let (state, _) = run(&format!("device read {pump}"), 0);
    assert_eq!((&state["kind"], &state["power_max_w"]), (&Value::from("heat-pump"), &Value::from(2000.0)));
    let (meter, _) = run(
        &format!(
            "device read homeassistant-meter {at} -s device=sim-powermeter --answer-within-ms 20000 --json"
        ),
        0,
    );
    assert!(meter["imported_wh"].as_f64() >= Some(0.0) && meter["age_ms"].is_u64(), "{meter}");
}

#[test]
fn what_cannot_be_is_said_with_what_to_do_and_an_exit_code() {
    let check = |line: &str, code: i32, named: &[&str]| {
        let (_, stderr) = run(line, code);
        for part in named {
            assert!(stderr.contains(part), "{line}: {stderr} without {part}");
        }
    };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check("device read toaster 127.0.0.1", 1, &["toaster", "eastron-sdm630", "device templates"]);
    check(&format!("device read eastron-sdm630 {closed}"), 6, &["no answer", "Check its address"]);
    check(&format!("device scan {closed} --units 1,2"), 6, &["switched on"]);
    check("device read shelly-gen2-plug 127.0.0.1:1", 1, &["settings.id", "MQTT prefix"]);
    check("device set sunspec-meter 127.0.0.1:1 --power-w 5", 1, &["meter", "--power-w"]);
    check("device read --site nowhere.toml battery", 1, &["nowhere.toml"]);
    let (all, _) = run("device templates --json", 0);
    assert!(all["templates"].as_array().unwrap().len() > 20);
}
