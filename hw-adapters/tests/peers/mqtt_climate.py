"""Thermostats and meters as other people make them, on a broker: what zigbee2mqtt, ESPHome and a climate entity of Home
Assistant's discovery publish and how they take commands, and what Shelly meters of either generation, Tasmota and
ESPHome publish. Speaks MQTT by paho-mqtt.

Arguments: host port. Says "ready" when all are there, and publishes until standard input ends.
"""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt

HOST, PORT = sys.argv[1], int(sys.argv[2])


class Device:
    will = None
    follows = ()

    def __init__(self):
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=type(self).__name__)
        if self.will:
            self.client.will_set(self.will[0], self.will[1], qos=1, retain=True)
        self.client.on_connect = self.connected
        self.client.on_message = lambda _client, _data, message: self.told(message.topic, message.payload.decode())
        self.client.connect(HOST, PORT, keepalive=10)
        self.client.loop_start()

    def connected(self, *_):
        for topic in self.follows:
            self.client.subscribe(topic, qos=1)
        if self.will:
            self.put(self.will[0], self.will[2], retain=True)
        self.announce()
        self.say()

    def announce(self):
        pass

    def told(self, topic, payload):
        pass

    def put(self, topic, payload, retain=False):
        self.client.publish(topic, payload if isinstance(payload, str) else json.dumps(payload), retain=retain)


class Thermostat(Device):
    """Heats where the room is colder than it is set to."""

    def __init__(self):
        self.room, self.setpoint, self.mode = 20.5, 21.0, "heat"
        super().__init__()

    @property
    def heats(self):
        return self.mode == "heat" and self.room < self.setpoint


class Zigbee2mqtt(Thermostat):
    base = "zigbee2mqtt/Living room"
    will = (base + "/availability", '{"state":"offline"}', '{"state":"online"}')
    follows = (base + "/set", base + "/get")

    def told(self, topic, payload):
        if topic.endswith("/set"):
            told = json.loads(payload)
            self.setpoint = told.get("occupied_heating_setpoint", self.setpoint)
            self.mode = told.get("system_mode", self.mode)
        self.say()

    def say(self):
        self.put(
            self.base,
            {
                "battery": 87,
                "linkquality": 120,
                "local_temperature": self.room,
                "local_temperature_calibration": 0,
                "occupied_heating_setpoint": self.setpoint,
                "pi_heating_demand": 40 * self.heats,
                "running_state": "heat" if self.heats else "idle",
                "system_mode": self.mode,
                "update": {"state": "idle"},
            },
        )


class EsphomeClimate(Thermostat):
    base = "hallway/climate/thermostat"
    will = ("hallway/status", "offline", "online")
    follows = (base + "/target_temperature/command", base + "/mode/command")

    def told(self, topic, payload):
        if "/mode/" in topic:
            self.mode = payload
        else:
            self.setpoint = float(payload)
        self.say()

    def say(self):
        self.put(self.base + "/current_temperature/state", f"{self.room:.1f}")
        self.put(self.base + "/target_temperature/state", f"{self.setpoint:.1f}", retain=True)
        self.put(self.base + "/mode/state", self.mode, retain=True)
        self.put(self.base + "/action/state", "heating" if self.heats else "idle", retain=True)


class HomeAssistantClimate(Thermostat):
    base = "pump"
    follows = ("pump/temperature/set", "pump/mode/set")

    def announce(self):
        about = {"identifiers": ["pump-7"], "name": "Heat pump", "manufacturer": "ACME", "model": "HP 7"}
        climate = {
            "name": "Heat pump",
            "unique_id": "pump-7-climate",
            "current_temperature_topic": "pump/state",
            "current_temperature_template": "{{ value_json.room }}",
            "temperature_state_topic": "pump/state",
            "temperature_state_template": "{{ value_json.setpoint }}",
            "temperature_command_topic": "pump/temperature/set",
            "mode_state_topic": "pump/state",
            "mode_state_template": "{{ value_json.mode }}",
            "mode_command_topic": "pump/mode/set",
            "action_topic": "pump/state",
            "action_template": "{{ value_json.action }}",
            "modes": ["off", "heat"],
            "min_temp": 10,
            "max_temp": 28,
            "temp_step": 0.5,
            "device": about,
        }
        power = {
            "name": "Power",
            "unique_id": "pump-7-power",
            "device_class": "power",
            "unit_of_measurement": "W",
            "state_topic": "pump/state",
            "value_template": "{{ value_json.power }}",
            "device": about,
        }
        self.put("homeassistant/climate/pump-7/config", climate, retain=True)
        self.put("homeassistant/sensor/pump-7/power/config", power, retain=True)

    def told(self, topic, payload):
        if topic == "pump/mode/set":
            self.mode = payload
        else:
            self.setpoint = float(payload)
        self.say()

    def say(self):
        self.put(
            "pump/state",
            {
                "room": self.room,
                "setpoint": self.setpoint,
                "mode": self.mode,
                "action": "heating" if self.heats else "idle",
                "power": 1800 * self.heats,
            },
        )


class Shelly3em(Device):
    will = ("shellies/shellyem3-1/online", "false", "true")

    def say(self):
        for phase, power in enumerate((-600.5, -500.25, -399.25)):
            base = f"shellies/shellyem3-1/emeter/{phase}"
            self.put(base + "/power", f"{power:.2f}")
            self.put(base + "/pf", "-0.98")
            self.put(base + "/voltage", "231.40")
            self.put(base + "/total", "4000.0")
            self.put(base + "/total_returned", "1000.0")


class ShellyPro3em(Device):
    will = ("shellypro3em-2/online", "false", "true")

    def say(self):
        self.put(
            "shellypro3em-2/status/em:0",
            {"id": 0, "a_act_power": -600.5, "b_act_power": -500.3, "c_act_power": -399.2, "total_act_power": -1500.0},
        )
        self.put("shellypro3em-2/status/emdata:0", {"id": 0, "total_act": 12000.0, "total_act_ret": 3000.0})


class TasmotaMeter(Device):
    will = ("tele/meter_3/LWT", "Offline", "Online")

    def say(self):
        clock = time.strftime("%Y-%m-%dT%H:%M:%S") + f".{time.monotonic_ns() % 1000:03}"
        sensor = {"Time": clock, "MT": {"Total_in": 12.0, "Total_out": 3.0, "Power": -1500, "Meter_Number": "0a01"}}
        self.put("tele/meter_3/SENSOR", sensor)


class EsphomeMeter(Device):
    will = ("cellar/status", "offline", "online")

    def say(self):
        for name, value in (("power", "-1500.0"), ("energy_import", "12.000"), ("energy_export", "3.000")):
            self.put(f"cellar/sensor/{name}/state", value)


devices = [
    kind()
    for kind in (
        Zigbee2mqtt, EsphomeClimate, HomeAssistantClimate, Shelly3em, ShellyPro3em, TasmotaMeter, EsphomeMeter,
    )
]


def go_on():
    while True:
        time.sleep(0.2)
        for device in devices:
            device.say()


threading.Thread(target=go_on, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
