//! Templates as people write them: those built in, and what is wrong in others, by name.

use super::*;

#[test]
fn every_built_in_template_is_sound_and_what_the_project_promises_is_there() {
    let catalogue = Catalogue::built_in().unwrap();
    let promised = [
        "sma-sunny-tripower",
        "fronius-gen24",
        "solaredge",
        "fimer-uno-trio",
        "sunspec-inverter",
        "sunspec-storage",
        "sunspec-meter",
        "eastron-sdm630",
        "ocpp-charger",
        "homeassistant-plug",
        "shelly-gen1-plug",
        "shelly-gen2-plug",
        "tasmota-plug",
        "zigbee2mqtt-plug",
        "esphome-plug",
    ];
    for name in promised {
        assert!(catalogue.get(name).is_ok(), "{name}");
    }
    let unknown = catalogue.get("toaster").unwrap_err().to_string();
    assert!(unknown.contains("toaster") && unknown.contains("eastron-sdm630"), "{unknown}");
}

/// Names that must all stand in the error about a changed text.
fn check(text: &str, (from, to): (&str, &str), named: &[&str]) {
    assert!(text.contains(from), "{from} is not in the text");
    let error = Template::parse("my.toml", &text.replace(from, to)).unwrap_err().to_string();
    for part in ["my.toml"].iter().chain(named) {
        assert!(error.contains(part), "{error}\nwithout {part}");
    }
}

const PLUG: &str = include_str!("../../templates/shelly-gen2-plug.toml");
const METER: &str = include_str!("../../templates/eastron-sdm630.toml");
const THERMOSTAT: &str = include_str!("../../templates/zigbee2mqtt-thermostat.toml");
const INVERTER: &str = include_str!("../../templates/sunspec-inverter.toml");

#[test]
fn an_unknown_key_is_named_with_file_and_value() {
    check(PLUG, ("stale_after_s = 120", "stale_after = 77"), &["stale_after", "77"]);
    check(PLUG, ("path = \"apower\"", "pfad = \"apower\""), &["pfad", "apower"]);
    check(PLUG, ("[mqtt.points]\non", "[mqtt.points]\nonn"), &["onn", "unknown variant"]);
    check(METER, ("address = 0x34", "adress = 0x34"), &["adress", "0x34"]);
    check(INVERTER, ("port = 502", "ports = 502"), &["ports", "502"]);
    check(INVERTER, ("device = \"generator\"", "device = \"windmill\""), &["windmill"]);
    check(INVERTER, ("parity = \"none\"", "parity = \"mark\""), &["mark"]);
    check(METER, ("baud = 9600", "bauds = 9600"), &["bauds"]);
    check(PLUG, ("product", "produkt"), &["produkt"]);
}

#[test]
fn a_value_out_of_range_is_named_with_file_and_key() {
    check(PLUG, ("stale_after_s = 120", "stale_after_s = 0"), &["mqtt.stale_after_s", "is 0", "1 to 86400"]);
    check(PLUG, ("power_max_w = 2500", "power_max_w = 0"), &["power_max_w", "is 0"]);
    check(PLUG, ("unit = \"Wh\"", "unit = \"W\""), &["mqtt.points.imported.unit", "W"]);
    check(PLUG, ("path = \"apower\"", "path = \"a..b\""), &["mqtt.points.power.path", "a..b"]);
    check(
        PLUG,
        ("topic = \"{id}/rpc\"", "topic = \"{di}/rpc\""),
        &["mqtt.commands.switch.topic", "{di}/rpc"],
    );
    check(PLUG, ("topic = \"{id}/command\"", "topic = \"{id}/#\""), &["mqtt.ask.topic", "#"]);
    check(PLUG, ("stale_after_s = 120", "stale_after_s = 99999999999"), &["99999999999"]);
    check(METER, ("read_max = 80", "read_max = 126"), &["registers.read_max", "126", "4 to 125"]);
    check(METER, ("unit = 1", "unit = 248"), &["registers.unit", "248"]);
    check(METER, ("0x34", "0xFFFF"), &["registers.points.power.address", "65535"]);
    check(METER, ("baud = 9600", "baud = 96"), &["registers.serial.baud", "96"]);
    check(THERMOSTAT, ("min = 5.0", "min = 31.0"), &["mqtt.commands.setpoint.min", "31"]);
    check(THERMOSTAT, ("setpoint_celsius = 22.0", "setpoint_celsius = 220.0"), &["thermostat.high", "220"]);
    check(THERMOSTAT, ("setpoint_celsius = 22.0", "setpoint_celsius = nan"), &["thermostat.high", "NaN"]);
    check(INVERTER, ("port = 502", "port = 0"), &["sunspec.port", "is 0"]);
    check(INVERTER, ("port = 502", "port = 70000"), &["70000"]);
}

#[test]
fn what_does_not_go_together_is_named() {
    check(INVERTER, ("device = \"generator\"", "device = \"plug\""), &["sunspec.device", "plug"]);
    check(INVERTER, ("[sunspec]", "[ocpp]\nphases = 3\n[sunspec]"), &["sunspec and ocpp", "exactly one"]);
    check(
        INVERTER,
        ("[sunspec]\nport = 502\nunit = 1\nserial = { baud = 9600, parity = \"none\" }", ""),
        &["none"],
    );
    check(METER, ("power = {", "room = {"), &["registers.points.room"]);
    let without_command =
        PLUG.replace("[mqtt.commands.switch]", "[mqtt.commands.mode]").replace("on = '", "# '");
    let without_command = without_command.replace("off = '", "value = '{value}");
    check(&without_command, ("product", "product"), &["mqtt.commands.switch", "missing"]);
    check(THERMOSTAT, ("setpoint = {", "outdoor = {"), &["mqtt.commands.setpoint", "missing"]);
}

#[test]
fn a_folder_adds_to_the_built_in_ones_and_goes_before_them() {
    let folder = std::env::temp_dir().join(format!("gridpact-templates-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("my-inverter.toml"), INVERTER.replace("unit = 1", "unit = 7")).unwrap();
    std::fs::write(folder.join("eastron-sdm630.toml"), METER.replace("unit = 1", "unit = 9")).unwrap();
    std::fs::write(folder.join("readme.md"), "no template").unwrap();
    let both = Catalogue::built_in().unwrap().with_folder(&folder).unwrap();
    assert_eq!(both.get("my-inverter").unwrap().sunspec.as_ref().unwrap().unit, 7);
    assert_eq!(both.get("eastron-sdm630").unwrap().registers.as_ref().unwrap().unit, 9);
    std::fs::write(folder.join("broken.toml"), "colour = 'red'").unwrap();
    let error = Catalogue::built_in().unwrap().with_folder(&folder).unwrap_err().to_string();
    assert!(error.contains("broken.toml") && error.contains("colour"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}
