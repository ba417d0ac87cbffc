"""Devices as other people make them, on a broker: what a Shelly of either generation, Tasmota, zigbee2mqtt, ESPHome and
a device that announces itself for Home Assistant publish, and how they take commands. Speaks MQTT by paho-mqtt.

Arguments: host port. Says "ready" when all are there. Each line on standard input is a device and what it does from
then on: "plain", "lie" (acknowledges a command and does nothing), "silent", "gone" (its last will is published),
"frozen" (repeats itself), "wild" (a power that can't be).
"""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt

HOST, PORT = sys.argv[1], int(sys.argv[2])


class Device:
    """A plug with something of 1,000 W behind it."""

    will = None
    follows = ()

    def __init__(self):
        self.on, self.manner, self.energy_wh = True, "plain", 1000.0
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=type(self).__name__)
        if self.will:
            self.client.will_set(*self.will, qos=1, retain=True)
        self.client.on_connect = self.connected
        self.client.on_message = lambda _client, _data, message: self.told(message.topic, message.payload.decode())
        self.client.connect(HOST, PORT, keepalive=10)
        self.client.loop_start()

    def connected(self, *_):
        for topic in self.follows:
            self.client.subscribe(topic, qos=1)
        self.announce()
        self.say()

    def announce(self):
        pass

    @property
    def power(self):
        return 1e9 if self.manner == "wild" else 1000.0 * self.on

    def put(self, topic, payload, retain=False):
        if self.manner not in ("silent", "gone"):
            payload = payload if isinstance(payload, str) else json.dumps(payload)
            self.client.publish(topic, payload, qos=0, retain=retain)

    def switch(self, on):
        if self.manner != "lie":
            self.on = on
        self.say()

    def tick(self, seconds):
        if self.manner != "frozen":
            self.energy_wh += 1000.0 * self.on * seconds / 3600
        self.say()

    def become(self, manner):
        if manner == "gone":
            # Without DISCONNECT, so that the broker publishes the last will.
            self.client._sock_close()
            self.client.loop_stop()
        self.manner = manner


class Shelly1(Device):
    base = "shellies/shellyplug-s-1"
    will = (f"{base}/online", "false")
    follows = (f"{base}/relay/0/command", f"{base}/command", "shellies/command")

    def announce(self):
        self.put(f"{self.base}/online", "true", retain=True)

    def told(self, topic, payload):
        self.switch(payload == "on") if topic.endswith("/relay/0/command") else self.say()

    def say(self):
        self.put(f"{self.base}/relay/0", "on" if self.on else "off")
        self.put(f"{self.base}/relay/0/power", f"{self.power:.2f}")
        self.put(f"{self.base}/relay/0/energy", str(int(self.energy_wh * 60)))


class Shelly2(Device):
    base = "shellyplusplugs-2"
    will = (f"{base}/online", "false")
    follows = (f"{base}/rpc", f"{base}/command")

    def announce(self):
        self.put(f"{self.base}/online", "true", retain=True)

    def told(self, topic, payload):
        if topic.endswith("/command"):
            return self.say()
        call = json.loads(payload)
        assert call["method"] == "Switch.Set" and call["params"]["id"] == 0, call
        was = self.on
        self.put(f"{call['src']}/rpc", {"id": call["id"], "src": self.base, "result": {"was_on": was}})
        self.switch(call["params"]["on"])

    def say(self):
        status = {"id": 0, "source": "MQTT", "output": self.on, "apower": self.power, "voltage": 230.1, "current": 4.3}
        status["aenergy"] = {"total": round(self.energy_wh, 3), "by_minute": [0, 0, 0], "minute_ts": int(time.time())}
        self.put(f"{self.base}/status/switch:0", status)
        self.put(f"{self.base}/events/rpc", {"method": "NotifyStatus", "params": {"switch:0": {"id": 0}}})


class Tasmota(Device):
    will = ("tele/tasmota_3/LWT", "Offline")
    follows = ("cmnd/tasmota_3/+",)

    def announce(self):
        self.put("tele/tasmota_3/LWT", "Online", retain=True)

    def told(self, topic, payload):
        if topic.endswith("/POWER"):
            self.switch(payload.upper() in ("ON", "1"))
            word = "ON" if self.on else "OFF"
            self.put("stat/tasmota_3/RESULT", {"POWER": word})
            self.put("stat/tasmota_3/POWER", word)
        elif topic.endswith("/TelePeriod"):
            self.say()

    def say(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%S")
        self.put("tele/tasmota_3/STATE", {"Time": now, "Uptime": "0T01:02:03", "POWER": "ON" if self.on else "OFF"})
        energy = {"TotalStartTime": "2025-01-01T00:00:00", "Total": round(self.energy_wh / 1000, 3), "Yesterday": 0.1}
        energy |= {"Today": 0.2, "Power": int(self.power), "Factor": 0.9, "Voltage": 230, "Current": 4.3}
        self.put("tele/tasmota_3/SENSOR", {"Time": now, "ENERGY": energy})


class Zigbee2mqtt(Device):
    base = "zigbee2mqtt/Water heater"
    will = (f"{base}/availability", '{"state":"offline"}')
    follows = (f"{base}/set", f"{base}/get")

    def announce(self):
        self.put(f"{self.base}/availability", {"state": "online"}, retain=True)

    def told(self, topic, payload):
        payload = json.loads(payload)
        self.switch(payload["state"] == "ON") if topic.endswith("/set") else self.say()

    def say(self):
        state = {"state": "ON" if self.on else "OFF", "power": self.power, "energy": round(self.energy_wh / 1000, 2)}
        self.put(self.base, state | {"current": 4.3, "voltage": 230, "linkquality": 120, "update": {"state": "idle"}})


class Esphome(Device):
    will = ("boiler/status", "offline")
    follows = ("boiler/switch/relay/command",)

    def announce(self):
        self.put("boiler/status", "online", retain=True)
        self.put("boiler/switch/relay/state", "ON", retain=True)

    def told(self, _topic, payload):
        self.switch(payload == "ON")
        self.put("boiler/switch/relay/state", "ON" if self.on else "OFF", retain=True)

    def say(self):
        self.put("boiler/sensor/power/state", f"{self.power:.1f}", retain=True)
        self.put("boiler/sensor/energy/state", f"{self.energy_wh / 1000:.3f}", retain=True)
        self.put("boiler/debug", "[D][sensor:094]: 'power': Sending state")


class HomeAssistant(Device):
    will = ("ha5/status", "offline")
    follows = ("ha5/relay/set",)

    def announce(self):
        device = {"identifiers": ["ha5"], "name": "Water heater", "manufacturer": "Nobody"}
        shared = {"~": "ha5", "avty_t": "~/status", "dev": device}
        relay = {"name": "Relay", "uniq_id": "ha5_relay", "stat_t": "~/relay", "cmd_t": "~/relay/set"}
        power = {"name": "Power", "uniq_id": "ha5_power", "dev_cla": "power", "unit_of_meas": "W", "stat_t": "~/state"}
        power["val_tpl"] = "{{ value_json.power | float(0) | round(1) }}"
        self.put("homeassistant/switch/ha5/relay/config", shared | relay, retain=True)
        self.put("homeassistant/sensor/ha5/power/config", shared | power, retain=True)
        self.put("ha5/status", "online", retain=True)

    def told(self, _topic, payload):
        self.switch(payload == "ON")

    def say(self):
        self.put("ha5/relay", "ON" if self.on else "OFF", retain=True)
        self.put("ha5/state", {"power": self.power, "rssi": -60})


devices = {kind.__name__: kind() for kind in (Shelly1, Shelly2, Tasmota, Zigbee2mqtt, Esphome, HomeAssistant)}


def tick():
    while True:
        time.sleep(0.2)
        for device in devices.values():
            device.tick(0.2)


threading.Thread(target=tick, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    name, manner = line.split()
    if name == "end":
        break
    devices[name].become(manner)
    print("done", flush=True)
