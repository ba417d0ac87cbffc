"""The street of deploy/compose.yaml as processes on this machine: each service has an address of loopback for its host, and
runs the command that the compose file gives it, with the files that `gridpact provision` makes of the compose file's plan."""

import datetime
import glob
import os
import pathlib
import re
import subprocess
import sys
import time

import yaml

from monitoring import DEPLOY
from processes import say

# A market's interval in the test, bids' opening and gate's closure before it, in seconds.
INTERVAL_S, OPEN_S, CLOSURE_S = 20, 14, 7
# A third home whose battery takes setpoints and acts on none.
LIAR = """
[[site]]
id = "s3"
machine = "homes"
bus = "street"
aggregator = "a1"
connection_kw = 20.0
[site.options]
meter = {{ kind = "sunspec-meter", name = "meter", address = "{meter}:5020" }}
[[site.options.devices]]
config = {{ kind = "sunspec-battery", name = "battery", address = "{battery}:5020" }}
preferences = {{ kind = "battery", reserve_percent = 0.0, wear_eur_per_mwh = 1.0, efficiency = 0.95 }}
"""


class Street:
    """The street in `folder`, with `gridpact` as its program."""

    def __init__(self, processes, gridpact, folder):
        self.processes, self.gridpact, self.folder = processes, gridpact, pathlib.Path(folder)
        self.services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
        others = ["meter-3", "battery-3"]
        network = f"127.{os.getpid() % 199 + 20}.{os.getpid() // 199 % 250}"
        names = list(self.services) + others
        self.address = {name: f"{network}.{place + 1}" for place, name in enumerate(names)}
        self.out = self.folder / "out"
        self.plan = self.folder / "plan.toml"
        self.mounted = None

    def machine(self, name):
        return self.out / "machines" / name

    def roles(self):
        """Services that run roles: those whose targets Prometheus has."""
        targets = yaml.safe_load((DEPLOY / "prometheus/targets/compose.yml").read_text())
        return [target.split(":")[0] for group in targets for target in group["targets"]]

    def targets(self):
        return [f"{self.address[name]}:9464" for name in self.roles()]

    def lay_out(self):
        """Writes the plan with this machine's addresses and short intervals, and makes the deployment of it."""
        self.folder.mkdir(parents=True)
        text = (DEPLOY / "compose.plan.toml").read_text()
        for name, address in self.address.items():
            text = text.replace(f'host = "{name}"', f'host = "{address}"\nlisten = "{address}"')
            text = text.replace(f'address = "{name}:', f'address = "{address}:')
        blocks = re.split(r"(?=^\[\[)", text, flags=re.MULTILINE)
        for place, block in enumerate(blocks):
            listen = re.search(r'^listen = "(.*)"', block, re.MULTILINE)
            if block.startswith("[[machine]]") and listen:
                blocks[place] = block.replace('"0.0.0.0:', f'"{listen[1]}:')
        text = "".join(blocks)
        for pattern, value in [
            (r'listen = "0\.0\.0\.0:8180"', f'listen = "{self.address["homes"]}:8180"'),
            (r'directory = ".*"', f'directory = "{self.machine("mosquitto")}/broker-b1"'),
            (r"interval_s = \d+", f"interval_s = {INTERVAL_S}"),
            (r"bids_open_s = \d+", f"bids_open_s = {OPEN_S}"),
            (r"gate_closure_s = \d+", f"gate_closure_s = {CLOSURE_S}"),
            (r'prices = ".*"\nrepeat = \d+', 'prices = "prices.csv"\nrepeat = 1'),
            (r'id = "a1"\nmachine = "street"\n', 'id = "a1"\nmachine = "street"\nreadings_grace_ms = 3000\n'),
        ]:
            text, count = re.subn(pattern, value, text, count=1)
            if count != 1:
                sys.exit(f"deploy/compose.plan.toml has nothing like {pattern}")
        text += LIAR.format(meter=self.address["meter-3"], battery=self.address["battery-3"])
        self.plan.write_text(text)
        first = int(time.time()) // INTERVAL_S * INTERVAL_S - INTERVAL_S
        rows = ["interval_start_utc,price_eur_per_mwh"]
        for number in range(200):
            at = datetime.datetime.fromtimestamp(first + number * INTERVAL_S, datetime.timezone.utc)
            rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{[40, 120, 200, 80][number % 4]}")
        (self.folder / "prices.csv").write_text("\n".join(rows) + "\n")
        self.provision()
        for name in self.services:
            for volume in self.services[name].get("volumes", []):
                source = volume.split(":")[0].removeprefix("./")
                if source.startswith("deployment/") and not (self.out / source.removeprefix("deployment/")).is_dir():
                    sys.exit(f"compose.yaml mounts {source} into {name}, and provision makes no such folder")

    def provision(self, *words):
        command = [self.gridpact, "provision", *words, self.plan, "--out", self.out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def command(self, name):
        """What the compose file says this service runs, with this machine's paths and addresses."""
        words = self.services[name]["command"]
        if self.services[name]["image"].startswith("eclipse-mosquitto"):
            words = ["/usr/sbin/mosquitto", *words[1:]]
        else:
            words = [self.gridpact, *words]
        changed = []
        for word in map(str, words):
            word = word.replace("/gridpact/", f"{self.machine(name)}/").replace("0.0.0.0", self.address[name])
            changed.append(re.sub(r"//([a-z0-9-]+):", lambda m: f"//{self.address.get(m[1], m[1])}:", word))
        return changed

    def start(self, name, **environment):
        self.processes.start(name, self.command(name), **environment)

    def start_meter(self, number, load_w):
        """A meter whose house takes this much, in place of the one there was."""
        name = f"meter-{number}"
        if name in self.processes.running:
            self.processes.kill(name)
        address = self.address[name]
        words = ["sim", "meter", "--listen", address, "--port", "5020", "--load-w", load_w]
        self.processes.start(name, [self.gridpact, *words])

    def start_all(self):
        self.start_meter(3, 1000)
        words = ["sim", "battery", "--listen", self.address["battery-3"], "--port", "5020", "--fault", "lying"]
        self.processes.start("battery-3", [self.gridpact, *words, "--load-w", "1"])
        for name in ["meter-1", "meter-2", "mosquitto", *[r for r in self.roles() if r.startswith("validator")]]:
            self.start(name)
        time.sleep(1)
        for name in [role for role in self.roles() if not role.startswith("validator")]:
            self.start(name)
        self.start("charger")

    def small_disk(self, name):
        """A small file system of its own for a machine's data. False where this user may not mount."""
        data = self.machine(name) / "data"
        data.mkdir(exist_ok=True)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", data], capture_output=True)
        if mount.returncode:
            say(f"NOT TESTED FOR REAL: a full disk, as nothing can be mounted here ({mount.stderr.decode().strip()})")
            return False
        self.mounted = data
        return True

    def fill_disk(self):
        about = os.statvfs(self.mounted)
        free = about.f_bavail * about.f_frsize
        (self.mounted / "filler").write_bytes(bytes(free - about.f_blocks * about.f_frsize // 20))

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.mounted], check=False)
            self.mounted = None


def wrong_clock(ahead_s):
    """The environment in which a program's clock is ahead. Nothing where libfaketime is not installed."""
    library = sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))
    if not library:
        return None
    return {
        "LD_PRELOAD": library[0],
        "FAKETIME": f"+{ahead_s}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
