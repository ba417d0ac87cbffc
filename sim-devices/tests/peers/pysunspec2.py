"""Reads and steers a simulated site with pysunspec2, which is not ours.

Arguments: meter=HOST:PORT pv=HOST:PORT battery=HOST:PORT. Prints a number of seconds to let pass and
waits for a line in answer; prints "done" when all was as expected. Started by tests/it/peers.rs.
"""
import sys

import sunspec2.modbus.client as client
from sunspec2.modbus.modbus import ModbusClientException

addresses = dict(argument.split("=") for argument in sys.argv[1:])


def open_device(name):
    host, port = addresses[name].split(":")
    device = client.SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr=host, ipport=int(port), timeout=30)
    device.scan()
    return device


def step(seconds):
    print(seconds, flush=True)
    sys.stdin.readline()


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found}, expected {expected}")


def models(device):
    return [key for key in device.models if isinstance(key, int)]


step(3600)
meter, pv, battery = (open_device(name) for name in ("meter", "pv", "battery"))
same("the meter's models", models(meter), [1, 203])
same("the inverter's models", models(pv), [1, 103, 120, 121, 122, 123])
same("the battery's models", models(battery), [1, 103, 120, 124, 802])
for device in (meter, pv, battery):
    for model in [device.models[key][0] for key in models(device)]:
        same(f"errors in model {model.model_id}", model.error_info, "")
    same("maker", device.common[0].Mn.value, "gridpact")

net, output, status = meter.models[203][0], pv.models[103][0], pv.models[122][0]
controls, storage, flow = pv.models[123][0], battery.models[124][0], battery.models[103][0]
same("the sun's power", (output.W.cvalue, status.WAval.cvalue), (6000, 6000))
same("what is not implemented", output.TmpCab.cvalue, None)
same("the battery takes the surplus", (flow.W.cvalue, net.W.cvalue), (-5000, 0))

controls.WMaxLimPct_RvrtTms.cvalue = 900
controls.WMaxLimPct.cvalue = 25.0
controls.write()
controls.WMaxLim_Ena.cvalue = 1
controls.write()
storage.InOutWRte_RvrtTms.cvalue = 900
storage.OutWRte.cvalue = 40.0
storage.InWRte.cvalue = -40.0
storage.StorCtl_Mod.cvalue = 3
storage.write()
step(600)
for model in (controls, storage, output, flow, net):
    model.read()
same("limit", (controls.WMaxLimPct.cvalue, controls.WMaxLim_Ena.cvalue), (25.0, 1))
same("rates", (storage.OutWRte.cvalue, storage.InWRte.cvalue, storage.StorCtl_Mod.cvalue), (40.0, -40.0, 3))
same("limited power", (output.W.cvalue, flow.W.cvalue, net.W.cvalue), (2500, 2000, -3500))

step(360)
for model in (controls, storage, output, net):
    model.read()
same("the limit has lapsed", (controls.WMaxLim_Ena.cvalue, output.W.cvalue), (0, 6000))
same("the rates have lapsed", (storage.StorCtl_Mod.cvalue, net.W.cvalue), (0, 0))

controls.WMaxLimPct.cvalue = 120.0
try:
    controls.write()
    sys.exit("a limit of 120 % was taken")
except ModbusClientException as refusal:
    same("refusal", str(refusal), "Modbus exception: 3")
print("done", flush=True)
