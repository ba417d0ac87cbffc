"""Processes of a test: started by name, stopped by process id, none left behind."""

import atexit
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

STARTED = time.monotonic()


def say(text):
    """One line of progress."""
    print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", flush=True)


def free_port():
    """A port that nobody has now, on any address."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        return taken.getsockname()[1]


class Processes:
    """What a test started."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.running = {}
        atexit.register(self.stop_all)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped from outside"))

    def start(self, name, command, **environment):
        """Starts a program; what it says goes to NAME.log."""
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )

    def signal(self, name, number):
        self.running[name].send_signal(number)

    def kill(self, name):
        """As power loss does."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name, patience=20):
        """As a service manager does."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self):
        for name in reversed(list(self.running)):
            self.stop(name, patience=2)

    def ended(self):
        """Names of those that ended by themselves."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def log(self, name, lines=15):
        text = (self.folder / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def wait(self, what, found, patience=600, look=1.0):
        """Waits until `found` says something true, and gives it back; ends the test where a process ended or time is up.
        Time is only against hanging for ever."""
        deadline, told = time.monotonic() + patience, None
        while True:
            for name in self.ended():
                sys.exit(f"{name} ended by itself while waiting for {what}:\n{self.log(name)}")
            result = found()
            if result:
                say(f"{what}: yes")
                return result
            if time.monotonic() > deadline:
                sys.exit(f"waited {patience} s in vain for {what}")
            if told is None or time.monotonic() - told > 15:
                told = time.monotonic()
                say(f"waiting for {what}")
            time.sleep(look)
