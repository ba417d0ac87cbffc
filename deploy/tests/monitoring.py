"""The real Prometheus and Alertmanager with this folder's configuration, and what can be asked of them."""

import json
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request

import yaml

from processes import free_port

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
# Units of Prometheus' durations, in seconds.
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def get(url):
    """What a URL answers; nothing where it doesn't."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def faster(text, factor):
    """A rule file in which waiting times (`for: 5m`) and windows (`[10m]`) are so many times shorter. Thresholds stay."""

    def shorter(match):
        seconds = int(match[2]) * SECONDS[match[3]] / factor
        return f"{match[1]}{max(round(seconds), 4)}s"

    return re.sub(r"(\bfor: |\[)(\d+)([smhd])\b", shorter, text)


class Monitoring:
    """Prometheus, with an Alertmanager where wanted, scraping `targets` each second."""

    def __init__(self, processes, folder, targets, factor=1, alertmanager=False):
        self.processes, self.folder = processes, pathlib.Path(folder)
        (self.folder / "rules").mkdir(parents=True)
        (self.folder / "targets").mkdir()
        config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        self.alertmanager = f"http://127.0.0.1:{free_port()}" if alertmanager else None
        address = (self.alertmanager or "http://127.0.0.1:9").removeprefix("http://")
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [address]
        self.prometheus = f"http://127.0.0.1:{free_port()}"
        own = next(job for job in config["scrape_configs"] if job["job_name"] == "prometheus")
        own["static_configs"][0]["targets"] = [self.prometheus.removeprefix("http://")]
        for rules in (DEPLOY / "prometheus/rules").glob("*.yml"):
            (self.folder / "rules" / rules.name).write_text(faster(rules.read_text(), factor))
        (self.folder / "targets/test.yml").write_text(json.dumps([{"targets": targets}]))
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def start(self):
        if self.alertmanager:
            self.processes.start(
                "alertmanager",
                [
                    "prometheus-alertmanager",
                    f"--config.file={DEPLOY}/alertmanager/alertmanager.yml",
                    f"--storage.path={self.folder}/alertmanager",
                    f"--web.listen-address={self.alertmanager.removeprefix('http://')}",
                    "--cluster.listen-address=",
                ],
            )
        self.processes.start(
            "prometheus",
            [
                "prometheus",
                f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/tsdb",
                f"--web.listen-address={self.prometheus.removeprefix('http://')}",
            ],
        )
        self.processes.wait("Prometheus to be ready", lambda: get(f"{self.prometheus}/-/ready"))

    def query(self, expression):
        """What an instant query gives: a list of (labels, value)."""
        url = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        answer = json.loads(get(url) or "{}")
        assert answer.get("status") == "success", f"{expression}: {answer or 'no answer'}"
        return [(sample["metric"], float(sample["value"][1])) for sample in answer["data"]["result"]]

    def value(self, expression):
        """The one value of a query; nothing where there is none."""
        samples = self.query(expression)
        return samples[0][1] if samples else None

    def firing(self):
        """Names of alerts that Alertmanager has."""
        alerts = json.loads(get(f"{self.alertmanager}/api/v2/alerts") or "[]")
        return {alert["labels"]["alertname"] for alert in alerts}

    def rules(self):
        """All rules with their health, as Prometheus evaluates them."""
        groups = json.loads(get(f"{self.prometheus}/api/v1/rules") or "{}")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


def panels():
    """Every query of every dashboard's panels, with where it stands, variables put in."""
    found = []
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        variables = {one["name"]: one["allValue"] for one in dashboard["templating"]["list"]}
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                expression = target["expr"]
                for name, value in variables.items():
                    expression = expression.replace(f"${name}", value)
                found.append((f"{dashboard['title']} / {panel['title']} / {target['refId']}", expression))
    return found
