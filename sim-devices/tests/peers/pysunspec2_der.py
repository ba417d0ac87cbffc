"""Reads and steers a simulated site by the models that came with IEEE 1547-2018, with pysunspec2, which is not ours.

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


def refused(what, point, value, model, code):
    before = point.cvalue
    point.cvalue = value
    try:
        model.write()
        sys.exit(f"{what} was taken")
    except ModbusClientException as refusal:
        same(what, str(refusal), f"Modbus exception: {code}")
    model.read()
    same(f"{what} afterwards", point.cvalue, before)


def models(device):
    return [key for key in device.models if isinstance(key, int)]


step(3600)
meter, pv, battery = (open_device(name) for name in ("meter", "pv", "battery"))
same("the meter's models", models(meter), [1, 213])
same("the inverter's models", models(pv), [1, *range(701, 713), 714, 715])
same("the battery's models", models(battery), [1, 701, 702, 703, 704, 713, 802])
for device in (meter, pv, battery):
    for model in [device.models[key][0] for key in models(device)]:
        same(f"errors in model {model.model_id}", model.error_info, "")

flow, capacity, service, control = (pv.models[key][0] for key in (701, 702, 703, 704))
same("the sun's power", (flow.W.cvalue, flow.InvSt.cvalue, flow.Hz.cvalue), (6000, 3, 50.0))
same("the nameplate", (capacity.WMaxRtg.cvalue, capacity.WMax.cvalue), (10000, 10000))
same("what is not implemented", flow.TmpCab.cvalue, None)
stored, held, power = (battery.models[key][0] for key in (713, 802, 704))
same("the charge", (stored.SoC.cvalue, held.SoC.cvalue), (97.5, 97.5))
same("the battery's capacity", (stored.WHRtg.cvalue, held.WHRtg.cvalue), (10000, 10000))
same("the meter's power", meter.models[213][0].W.cvalue, 0.0)

# Timer, value, switch.
control.WMaxLimPctRvrtTms.cvalue = 900
control.WMaxLimPct.cvalue = 25.0
control.write()
control.WMaxLimPctEna.cvalue = 1
control.write()
control.VarSetRvrtTms.cvalue = 900
control.VarSet.cvalue = -1200
control.VarSetEna.cvalue = 1
control.write()
power.WSetRvrtTms.cvalue = 900
power.WSet.cvalue = 1500
power.WSetEna.cvalue = 1
power.write()
step(600)
for model in (control, power, flow, battery.models[701][0], meter.models[213][0]):
    model.read()
same("limit", (control.WMaxLimPct.cvalue, control.WMaxLimPctEna.cvalue), (25.0, 1))
same("seconds left", control.WMaxLimPctRvrtRem.cvalue, 300)
same("limited power", (flow.W.cvalue, flow.Var.cvalue, flow.InvSt.cvalue), (2500, -1200, 4))
same("the battery gives", (power.WSet.cvalue, battery.models[701][0].W.cvalue), (1500, 1500))
same("the meter shows", meter.models[213][0].W.cvalue, 1000.0 - 2500.0 - 1500.0)

step(360)
for model in (control, power, flow):
    model.read()
same("the limit has lapsed", (control.WMaxLimPctEna.cvalue, flow.W.cvalue, flow.Var.cvalue), (0, 6000, 0))
same("the power set has lapsed", power.WSetEna.cvalue, 0)

# What holds after reversion.
control.WMaxLimPctEnaRvrt.cvalue = 1
control.write()
control.WMaxLimPctRvrt.cvalue = 50.0
control.write()
control.WMaxLimPctRvrtTms.cvalue = 60
control.WMaxLimPct.cvalue = 10.0
control.WMaxLimPctEna.cvalue = 1
control.write()
step(60)
step(60)
for model in (control, flow):
    model.read()
same("the limit has reverted", (control.WMaxLimPct.cvalue, control.WMaxLimPctEna.cvalue, flow.W.cvalue), (50.0, 1, 5000))

# Entering service.
service.ESDlyTms.cvalue = 300
service.ES.cvalue = 0
service.write()
step(60)
flow.read()
same("out of service", (flow.W.cvalue, flow.InvSt.cvalue), (0, 0))
service.ES.cvalue = 1
service.write()
step(240)
for model in (flow, service):
    model.read()
same("waiting", (flow.W.cvalue, service.ESDlyRemTms.cvalue), (0, 60))
step(60)
step(60)
flow.read()
same("in service", flow.W.cvalue, 5000)

refused("a limit of 120 %", control.WMaxLimPct, 120.0, control, 3)
refused("another nameplate", capacity.WMax, 5000, capacity, 2)
refused("a power factor", control.PFWInjEna, 1, control, 2)
print("done", flush=True)
