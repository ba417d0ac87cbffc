"""A street of two machines: a laptop, which is this one, and a Raspberry Pi in a network namespace of its own. Between them
lies one cable, which can be pulled."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

from card import sh

NAMESPACE = "gridpact-pi"
LAPTOP, PI = "10.177.5.1", "10.177.5.2"
METRICS = "127.0.0.1:9464"
FIRM = re.compile(r'(-?[\d.]+) kW in the interval starting at (\d+) s at (-?[\d.]+) EUR/MWh.*event="firm"')


class Cable:
    """Laptop and Pi, and the cable between them."""

    def __init__(self):
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)
        sh("ip", "netns", "add", NAMESPACE)
        sh("ip", "link", "add", "gridpact-lap", "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
        sh("ip", "address", "add", f"{LAPTOP}/24", "dev", "gridpact-lap")
        sh("ip", "link", "set", "gridpact-lap", "up")
        for words in (["address", "add", f"{PI}/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                      ["link", "set", "lo", "up"]):
            sh("ip", "-n", NAMESPACE, *words)

    def pull(self):
        """Nothing gets through any more."""
        sh("ip", "link", "set", "gridpact-lap", "down")

    def plug(self):
        """It does again."""
        sh("ip", "link", "set", "gridpact-lap", "up")

    def close(self):
        """Takes both away."""
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)


class Process:
    """A process and what it says, line by line."""

    def __init__(self, name, words, log, on_pi=False, **more):
        if on_pi:
            words = ["ip", "netns", "exec", NAMESPACE, *words]
        self.name, self.log = name, log
        self.out = log.open("ab")
        self.child = subprocess.Popen(list(map(str, words)), stdout=self.out, stderr=subprocess.STDOUT, **more)

    def said(self):
        """All of it."""
        return self.log.read_text(errors="replace")

    def alive(self):
        """Ends everything where it ended by itself."""
        if self.child.poll() is not None:
            raise SystemExit(f"{self.name} ended with {self.child.returncode}:\n{self.said()[-3000:]}")

    def end(self, how=signal.SIGINT, within=60):
        """Ends it, and says in how many seconds it did."""
        begun = time.monotonic()
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(within)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                if how != signal.SIGKILL:
                    raise SystemExit(f"{self.name} did not end within {within} s") from None
        self.out.close()
        return time.monotonic() - begun


class Notices:
    """The socket by which a service tells its manager that it is ready and alive (sd_notify(3))."""

    def __init__(self, path):
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Remembers what comes."""
        while True:
            text = self.socket.recv(4096).decode(errors="replace")
            self.heard += [(time.monotonic(), line) for line in text.splitlines()]

    def times(self, word):
        """When it was said."""
        return [at for at, line in self.heard if line == word]


def firm(text):
    """The firm prices in what a site said: power in kW, the interval's start, price."""
    return [(float(kw), int(start), float(price)) for kw, start, price in FIRM.findall(text)]


def until(what, there, processes, patience_s):
    """Waits for something; ends everything where it doesn't come."""
    deadline = time.monotonic() + patience_s
    while not (found := there()):
        for process in processes:
            process.alive()
        if time.monotonic() > deadline:
            said = "\n".join(f"--- {process.name}\n{process.said()[-3000:]}" for process in processes)
            raise SystemExit(f"{what} did not come within {patience_s} s\n{said}")
        time.sleep(0.2)
    return found


def house_now(house):
    """What the simulated house does this second."""
    lines = [line for line in house.said().splitlines() if line.startswith("{") and "meter_power_w" in line]
    return json.loads(lines[-1]) if lines else {}


def counters(name, event=None):
    """The sum of a counter of the site's, asked of it where it runs."""
    script = f"import urllib.request as u; print(u.urlopen('http://{METRICS}/metrics', timeout=20).read().decode())"
    text = sh("ip", "netns", "exec", NAMESPACE, "python3", "-c", script)
    total = 0.0
    for line in text.splitlines():
        if line.startswith(name) and (event is None or f'event="{event}"' in line):
            total += float(line.rsplit(" ", 1)[1])
    return total


def prices(path, interval_s, count):
    """A file of prices from two intervals ago on."""
    now = int(time.time())
    first = datetime.fromtimestamp(now - now % interval_s - 2 * interval_s, timezone.utc)
    rows = ["interval_start_utc,price_eur_per_mwh"]
    for place in range(count):
        at = first + timedelta(seconds=interval_s * place)
        rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{(40, 150, 60, 110)[place % 4]}")
    path.write_text("\n".join(rows) + "\n")
