//! What the packages bring: examples that are configurations, and services that keep what is promised of them.

use gridpact::configuration::{self, RoleFile};
use std::path::{Path, PathBuf};

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

#[test]
fn the_example_of_each_role_is_its_configuration() {
    let check = |role: &str, is: fn(&RoleFile) -> bool| {
        let file = configuration::load(&deploy(&format!("debian/{role}.toml"))).unwrap();
        assert!(is(&file), "{role}: {file:?}");
        let RoleFile::Site(site) = file else { return };
        site.site.validate().unwrap();
    };
    check("site", |file| matches!(file, RoleFile::Site(_)));
    check("aggregator", |file| matches!(file, RoleFile::Aggregator(_)));
    check("dso", |file| matches!(file, RoleFile::Dso(_)));
    check("validator", |file| matches!(file, RoleFile::Validator(file) if file.mesh.is_some()));
}

/// A service's lines, comments left out.
fn service(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(deploy(&format!("systemd/{name}.service"))).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_service_is_hardened_watched_and_waits_for_nothing() {
    for role in ["-site", "-aggregator", "-dso", "-validator", "@"] {
        let lines = service(&format!("gridpact{role}"));
        let file = format!("/etc/gridpact/{}.toml", role.strip_prefix('-').unwrap_or("%i"));
        for line in [
            "Type=notify",
            "WatchdogSec=30",
            "Restart=always",
            "StartLimitIntervalSec=0",
            "User=gridpact",
            "StateDirectory=gridpact",
            "ProtectSystem=strict",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "MemoryDenyWriteExecute=yes",
            "SystemCallFilter=@system-service",
            &format!("ExecStart=/usr/bin/gridpact run {file}"),
        ] {
            assert!(lines.iter().any(|it| it == line), "gridpact{role}.service has no {line:?}");
        }
        // Neither may be there for hours, and the program works without.
        let waits = |line: &&String| line.contains("network-online") || line.contains("time-sync");
        assert_eq!(lines.iter().find(waits), None, "gridpact{role}.service");
    }
}
