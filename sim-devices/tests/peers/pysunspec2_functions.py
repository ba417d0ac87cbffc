"""Reads and writes what a simulated DER does by itself at its grid (705 to 712, 714, 715), with pysunspec2, which is not
ours.

Arguments: pv=HOST:PORT among others. Prints a number of seconds to let pass and waits for a line in answer; prints
"done" when all was as expected. Started by tests/it/peers.rs, which lets the grid go elsewhere: to 105 % after 2 h for
a minute, to 60 % after 7300 s for 30 s, to 51.2 Hz after 7600 s for 30 s.
"""
import sys

import sunspec2.modbus.client as client
from sunspec2.modbus.modbus import ModbusClientException

addresses = dict(argument.split("=") for argument in sys.argv[1:])
host, port = addresses["pv"].split(":")
pv = client.SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr=host, ipport=int(port), timeout=30)
passed = 0


def until(seconds):
    """Lets time pass until so long after the start."""
    global passed
    print(seconds - passed, flush=True)
    sys.stdin.readline()
    passed = seconds


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


until(3600)
pv.scan()
same("its models", [key for key in pv.models if isinstance(key, int)], [1, *range(701, 713), 714, 715])
flow, service = pv.models[701][0], pv.models[703][0]
var, watt, low, high, slow, fast, droop, by_power = (pv.models[key][0] for key in range(705, 713))
dc, control = pv.models[714][0], pv.models[715][0]
for model in (var, watt, low, high, slow, fast, droop, by_power, dc, control):
    same(f"errors in model {model.model_id}", model.error_info, "")

# The curve in force is read only; the other is written, adopted and switched on.
same("volt-var", [(p.V.cvalue, p.Var.cvalue) for p in var.Crv[0].Pt], [(92.0, 100.0), (98.0, 0.0), (102.0, 0.0), (108.0, -100.0)])
same("who may write", (var.Crv[0].ReadOnly.cvalue, var.Crv[1].ReadOnly.cvalue, var.Ena.cvalue), (1, 0, 0))
refused("the curve in force", var.Crv[0].Pt[0].V, 90.0, var, 2)
refused("five points of four", var.Crv[1].ActPt, 5, var, 3)
refused("a third curve", var.AdptCrvReq, 3, var, 3)
var.Crv[1].Pt[3].V.cvalue = 107.0
var.Crv[1].Pt[3].Var.cvalue = -50.0
var.write()
var.AdptCrvReq.cvalue = 2
var.write()
var.read()
same("adopted", (var.AdptCrvRslt.cvalue, var.Crv[0].Pt[3].V.cvalue, var.Crv[0].Pt[3].Var.cvalue), (1, 107.0, -50.0))
var.RvrtTms.cvalue = 3680
var.Ena.cvalue = 1
var.write()

# One that does not ascend is not adopted.
low.Crv[1].MustTrip.Pt[0].V.cvalue = 90.0
low.write()
low.AdptCrvReq.cvalue = 2
low.write()
low.read()
same("not adopted", (low.AdptCrvRslt.cvalue, low.Crv[0].MustTrip.Pt[0].V.cvalue), (2, 45.0))

# Every other model's stored curve can be written, and read again.
watt.Crv[1].Pt[0].V.cvalue = 107.0
high.Crv[1].MustTrip.Pt[0].Tms.cvalue = 3.0
slow.Crv[1].MustTrip.Pt[0].Hz.cvalue = 46.5
fast.Crv[1].MayTrip.ActPt.cvalue = 1
fast.Crv[1].MayTrip.Pt[0].Hz.cvalue = 51.4
by_power.Crv[1].Pt[0].W.cvalue = 30.0
droop.Ctl[1].DbOf.cvalue = 0.1
for model in (watt, high, slow, fast, by_power, droop):
    model.write()
    model.read()
same("stored", watt.Crv[1].Pt[0].V.cvalue, 107.0)
same("stored", high.Crv[1].MustTrip.Pt[0].Tms.cvalue, 3.0)
same("stored", slow.Crv[1].MustTrip.Pt[0].Hz.cvalue, 46.5)
same("stored", fast.Crv[1].MayTrip.Pt[0].Hz.cvalue, 51.4)
same("stored", by_power.Crv[1].Pt[0].W.cvalue, 30.0)
same("stored", (droop.Ctl[1].DbOf.cvalue, droop.Ctl[0].DbOf.cvalue), (0.1, 0.036))
refused("a control in force", droop.Ctl[0].KOf, 0.02, droop, 2)

# The DC side, and who is in charge.
same("the string", (dc.NPrt.cvalue, dc.Prt[0].IDStr.cvalue, dc.DCW.cvalue), (1, "string 1", 6186))
beat = control.DERHb.cvalue
refused("its heartbeat", control.DERHb, 1, control, 2)
control.ControllerHb.cvalue = 17
control.OpCtl.cvalue = 0
control.write()
until(3610)
for model in (control, flow):
    model.read()
same("stopped", (flow.W.cvalue, control.OpCtl.cvalue, control.ControllerHb.cvalue), (0, 0, 17))
same("its heart", control.DERHb.cvalue - beat, 10)
control.OpCtl.cvalue = 1
control.write()
service.ESDlyTms.cvalue = 60
service.ESRmpTms.cvalue = 100
service.write()

# 105 %: three fifths of the way from 102 to 107, so 30 % of 4400 var.
until(7230)
flow.read()
same("volt-var acts", (flow.LNV.cvalue, flow.Var.cvalue, flow.W.cvalue), (241.5, -1320, 6000))
until(7290)
var.read()
flow.read()
same("its timer has ended", (var.Ena.cvalue, flow.Var.cvalue), (0, 0))

# 60 %: it may stay for 10 s.
until(7309)
flow.read()
same("a sag", (flow.LNV.cvalue, flow.W.cvalue, flow.ConnSt.cvalue), (138.0, 6000, 1))
until(7320)
flow.read()
same("tripped", (flow.W.cvalue, flow.ConnSt.cvalue, flow.InvSt.cvalue, flow.Alrm.cvalue), (0, 0, 0, 1 << 4 | 1 << 11))
until(7350)
for model in (flow, service):
    model.read()
same("waiting", (flow.W.cvalue, service.ESDlyRemTms.cvalue, flow.Alrm.cvalue), (0, 40, 0))
until(7441)
flow.read()
same("half way up its ramp", flow.W.cvalue, 5000)
until(7500)
flow.read()
same("back", (flow.W.cvalue, flow.ConnSt.cvalue), (6000, 1))

# 51.2 Hz, of which 36 mHz are the dead band, and 2.5 Hz all of its power.
until(7620)
flow.read()
same("droop", (flow.Hz.cvalue, flow.W.cvalue), (51.2, 5344))
until(7660)
flow.read()
same("over", (flow.Hz.cvalue, flow.W.cvalue), (50.0, 6000))
print("done", flush=True)
