"""What watches gridpact, checked with the real Prometheus and Alertmanager and real processes:

  files    promtool, amtool and docker-compose take them; rules pass their unit tests; what they name exists
  demo     Prometheus scrapes a running demo: `promtool check metrics` has nothing to say, every metric has help, unit and
           a bound, every query of every dashboard's panels and every recording rule gives data
  street   the processes of deploy/compose.yaml run, nothing alerts, and then every alert fires on its cause

    python3 deploy/tests/watched.py target/debug/gridpact [files] [demo] [street]

It needs PyYAML, Debian's prometheus, prometheus-alertmanager, mosquitto, docker-compose and libfaketime. It takes about five
minutes on two cores; no verdict depends on how long anything takes.
"""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import yaml

from monitoring import DEPLOY, Monitoring, get, panels
from processes import Processes, free_port, say
from street import Street, wrong_clock

ROOT = DEPLOY.parent
# How many times shorter than in the files the rules' waiting times and windows are while the street is watched; its market's
# intervals are 45 times shorter.
FACTOR = 12
# Alerts that have a cause made for real below.
REAL = {
    "NoFirmPrice",
    "TransformerNearLimit",
    "DeviceDisobeying",
    "FinalitySlow",
    "LedgerStalled",
    "ValidatorMissing",
    "ProcessDown",
    "CertificateNearExpiry",
    "ClockSkew",
    "PeerClockSkew",
    "DiskLow",
}


def run(*command, text=None):
    """Runs a checking tool and gives what it prints, which is shown where it finds something wrong."""
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def check_files():
    rules = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
    run("promtool", "check", "config", DEPLOY / "prometheus/prometheus.yml")
    run("promtool", "check", "rules", *rules)
    run("promtool", "test", "rules", *sorted((DEPLOY / "prometheus/tests").glob("*.yml")))
    run("amtool", "check-config", DEPLOY / "alertmanager/alertmanager.yml")
    run("docker-compose", "--file", DEPLOY / "compose.yaml", "config", "--quiet")
    compose = run("docker-compose", "version", "--short").strip()
    say(f"promtool, amtool and docker-compose {compose} take the files, and the rules pass their tests")
    check_compose()
    check_alerts(rules)
    known = set(re.findall(r"`([a-z_]+)[`{]", (ROOT / "docs/METRICS.md").read_text())) | {"up", "ALERTS"}
    recorded = {rule["record"] for path in rules for rule in groups(path) if "record" in rule}
    used = " ".join([expression for _, expression in panels()] + [rule["expr"] for path in rules for rule in groups(path)])
    for name in re.findall(r"\b((?:gridpact|process|peer|instance)[a-z0-9_]*(?::[a-z0-9_:]+)?)\b(?!\s*[=!]~?\")", used):
        base = re.sub(r"_bucket$", "", name)
        if "_" in name and name not in recorded and base not in known and not name.endswith("transformer_"):
            sys.exit(f"{name} is used, and neither docs/METRICS.md nor a recording rule has it")
    say("every metric that rules and dashboards use is known")


def groups(path):
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def check_compose():
    """Every path is there, or is what provision makes; every image has a version; addresses that containers name exist."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        if not re.fullmatch(r"[a-z/-]+:(\d+\.\d+\.\d+|v\d+\.\d+\.\d+|local)", service["image"]):
            sys.exit(f"{name}: the image {service['image']} has no version")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            made = source.startswith("./deployment/") or source in compose["volumes"]
            if not made and not (DEPLOY / source).exists():
                sys.exit(f"{name}: there is no {source}")
        for other in service.get("depends_on", []):
            assert other in compose["services"], other
    named = (DEPLOY / "compose.plan.toml").read_text() + (DEPLOY / "prometheus/targets/compose.yml").read_text()
    for host in re.findall(r'(?:host = "|address = "|    - )([a-z]+(?:-\d)?)', named):
        assert host in compose["services"], f"{host} is no service of compose.yaml"
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    for path in (DEPLOY / "grafana/dashboards").glob("*.json"):
        for uid in re.findall(r'"uid": "(gridpact-prometheus[^"]*)"', path.read_text()):
            assert uid == sources[0]["uid"], path
    say("compose.yaml names nothing that is not there")


def check_alerts(rules):
    """Every alert says what it means, has a page, a unit test, and a real cause here."""
    page = (ROOT / "docs/ALERTS.md").read_text()
    tests = "".join(path.read_text() for path in (DEPLOY / "prometheus/tests").glob("*.yml"))
    alerts = {rule["alert"]: rule for path in rules for rule in groups(path) if "alert" in rule}
    for name, rule in alerts.items():
        notes = rule["annotations"]
        assert notes["summary"] and notes["description"] and rule["labels"]["severity"], name
        assert notes["runbook_url"] == f"docs/ALERTS.md#{name.lower()}", name
        assert f"\n## {name}\n" in page, f"docs/ALERTS.md has no section {name}"
        assert f"alertname: {name}\n" in tests, f"no unit test shows {name} firing"
    assert set(alerts) == REAL, set(alerts) ^ REAL
    say(f"{len(alerts)} alerts have a page, a unit test and a cause")


def check_metrics(text, parties):
    """What Prometheus' own linter says, and that every metric has help, unit and few series."""
    run("promtool", "check", "metrics", text=text)
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\S+) (.*)$", text, re.MULTILINE))
    series = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name = re.match(r"[a-z0-9_]+", line)[0]
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            base = base if kinds.get(base) == "histogram" else name
            series[base] = series.get(base, 0) + 1
    documented = (ROOT / "docs/METRICS.md").read_text()
    for name, count in series.items():
        assert " Unit: " in helps.get(name, ""), f"{name} has no help with a unit"
        assert f"`{name}`" in documented or f"`{name}{{" in documented, f"{name} is not in docs/METRICS.md"
        assert count <= 500 * 4, f"{name} has {count} series"
    say(f"{len(series)} metrics, {sum(series.values())} series of {parties} parties: all with help, unit and bound")


def check_demo(gridpact, folder):
    processes = Processes(folder / "demo-logs")
    address = f"127.0.0.1:{free_port()}"
    words = ["demo", "--intervals", "6", "--serve", "--json", "--metrics-listen", address]
    processes.start("demo", [gridpact, *words, "--data-dir", folder / "demo"])
    monitoring = Monitoring(processes, folder / "demo-prometheus", [address])
    monitoring.start()
    wanted = panels() + [(f"recording rule {r['record']}", r["record"]) for p in (DEPLOY / "prometheus/rules").glob("*.yml")
                         for r in groups(p) if "record" in r]
    empty = dict(wanted)

    def all_give_data():
        for name, expression in list(empty.items()):
            if monitoring.query(expression):
                del empty[name]
        return not empty

    try:
        processes.wait("every panel and recording rule of the demo to give data", all_give_data, look=2)
    except SystemExit as end:
        sys.exit(f"{end}; nothing comes of {json.dumps(empty, indent=2)}\n{processes.log('demo')}")
    say(f"{len(wanted)} queries give data")
    for rule in monitoring.rules():
        assert rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError')}"
    check_metrics(get(f"http://{address}/metrics"), 25)
    processes.stop_all()


def check_street(gridpact, folder):
    processes = Processes(folder / "street-logs")
    street = Street(processes, gridpact, folder / "street")
    street.lay_out()
    disk = street.small_disk("homes")
    monitoring = Monitoring(processes, folder / "street-prometheus", street.targets(), FACTOR, alertmanager=True)
    try:
        monitoring.start()
        street.start_all()
        play(street, processes, monitoring, disk)
    finally:
        processes.stop_all()
        street.unmount()


def play(street, processes, monitoring, disk):
    fired = set()

    def fires(*names):
        """Waits until Alertmanager has had each of these from now on."""
        seen = set()

        def look():
            seen.update(monitoring.firing())
            return seen.issuperset(names)

        processes.wait(f"{', '.join(names)} to fire", look)
        fired.update(names)

    up = len(street.targets())
    processes.wait(f"{up} processes to answer", lambda: monitoring.value('sum(up{job="gridpact"})') == up)
    market = "sum(gridpact_site_committed_watts) and sum(gridpact_site_firm_price_missing) == 0 and sum(gridpact_clearings_total) >= 2"
    processes.wait("all sites to have a firm price", lambda: monitoring.query(market))
    deliveries = "sum(gridpact_metered_import_watts) > 0"
    processes.wait("meters to be settled", lambda: monitoring.query(deliveries))
    # The liar lies from the start. Everybody else has done nothing wrong since all had a firm price.
    # How full this machine's own disks are is not the test's business.
    calm = 'ALERTS{alertstate="firing", alertname!~"DeviceDisobeying|DiskLow"} or ALERTS{alertname="DiskLow", party=~"site/.*"}'
    processes.wait("nothing else to alert", lambda: not monitoring.query(calm))
    fires("DeviceDisobeying")

    say("causes: two houses take nearly all the transformer carries; a certificate for five days; validator-4 is killed")
    street.start_meter(1, 5500)
    street.start_meter(2, 17000)
    street.plan.write_text(street.plan.read_text() + "\n[certificates]\nparty_days = 5\n")
    street.provision("rotate", "--certificate-only", "--party", "site/s1")
    processes.kill("validator-4")
    if disk:
        say("cause: a disk fills")
        street.fill_disk()
    fires("TransformerNearLimit", "CertificateNearExpiry", "ProcessDown", "ValidatorMissing", *(["DiskLow"] if disk else []))
    if disk:
        full = 'ALERTS{alertstate="firing", alertname="DiskLow", party=~"site/.*"}'
        processes.wait("it to be the sites' disk", lambda: monitoring.query(full))

    clock = wrong_clock(8)
    if clock:
        say("cause: validator-4 comes back with a clock that is eight seconds ahead")
        street.start("validator-4", **clock)
        fires("ClockSkew", "PeerClockSkew")
        silent = 'ALERTS{alertstate="firing", alertname="ValidatorMissing"}'
        processes.wait("validator-4 not to be missed any more", lambda: not monitoring.query(silent))
        processes.kill("validator-4")
    else:
        say("NOT TESTED FOR REAL: a wrong clock, as libfaketime is not installed")

    say("cause: validator-3 is stopped as well, so that two of four are left, and goes on later")
    processes.signal("validator-3", signal.SIGSTOP)
    fires("LedgerStalled")
    processes.signal("validator-3", signal.SIGCONT)
    fires("FinalitySlow")

    back = lambda: monitoring.query(market) and "NoFirmPrice" not in monitoring.firing()
    processes.wait("all sites to have a firm price again", back)

    say("cause: the DSO is killed")
    processes.kill("grid")
    without = "sum(gridpact_site_firm_price_missing) == 3"
    processes.wait("all sites to be without a firm price", lambda: monitoring.query(without))
    fires("NoFirmPrice")
    expected = REAL - (set() if disk else {"DiskLow"}) - (set() if clock else {"ClockSkew", "PeerClockSkew"})
    assert fired >= expected, expected - fired
    say(f"{len(expected)} of {len(REAL)} alerts fired on real causes; all {len(REAL)} do in unit tests")


def main(gridpact, parts):
    gridpact = pathlib.Path(gridpact).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gridpact-watched-"))
    began, passed = time.monotonic(), 0
    for name, check in [
        ("files", check_files),
        ("demo", lambda: check_demo(gridpact, folder)),
        ("street", lambda: check_street(gridpact, folder)),
    ]:
        if not parts or name in parts:
            say(f"--- {name}")
            check()
            passed += 1
    # Kept where something failed: its logs say why.
    shutil.rmtree(folder)
    say(f"done in {time.monotonic() - began:.0f} s")
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
