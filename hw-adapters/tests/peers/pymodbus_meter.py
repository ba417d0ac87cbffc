"""An Eastron SDM630 by pymodbus: its input registers as 32-bit floats, over TCP or on a serial line.

Arguments: a port or "rtu"; then watts, kWh imported, kWh exported; nan is said as such. Says "ready" and where it is,
and serves until its standard input ends. Its unit is 7, and its holding registers say something else.
"""

import asyncio
import logging
import os
import struct
import sys
import threading
import tty

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

# That nobody is unit 1 is what the test asks for.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

where, watts, imported, exported = sys.argv[-4:]
words = [0] * 400
for address, value in ((0x34, watts), (0x48, imported), (0x4A, exported)):
    words[address : address + 2] = struct.unpack(">HH", struct.pack(">f", float(value)))


def registers(values):
    return [SimData(0, values=values, datatype=DataType.REGISTERS)]


bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
meter = SimDevice(id=7, simdata=(bits, bits, registers([9] * 400), registers(words)))


def relay(source, sink):
    while data := os.read(source, 512):
        os.write(sink, data)


def line():
    """A serial line with two ends, and their paths."""
    (one, one_end), (other, other_end) = os.openpty(), os.openpty()
    for end in (one, one_end, other, other_end):
        tty.setraw(end)
    threading.Thread(target=relay, args=(one, other), daemon=True).start()
    threading.Thread(target=relay, args=(other, one), daemon=True).start()
    return os.ttyname(one_end), os.ttyname(other_end)


async def main():
    if where == "rtu":
        ours, theirs = line()
        server = ModbusSerialServer([meter], framer=FramerType.RTU, port=ours, baudrate=9600)
    else:
        theirs = f"127.0.0.1:{where}"
        server = ModbusTcpServer([meter], framer=FramerType.SOCKET, address=("127.0.0.1", int(where)))
    await server.serve_forever(background=True)
    print("ready", theirs, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
