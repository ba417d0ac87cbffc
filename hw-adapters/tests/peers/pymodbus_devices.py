"""Serves register images with pymodbus, which is not ours, and lets its answers go wrong on the way.

Argument: a JSON file, a list of {"registers": {address: word}, "line": "tcp" or "rtu", "fault": name}. Prints one
JSON list with the address of each (host:port, or the path of a serial device), and serves until its standard input
ends. Started by tests/it/pymodbus.rs.
"""
import asyncio
import json
import logging
import os
import socket
import sys
import threading
import time
import tty

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

# What its clients make of its answers is theirs to say.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


def device(registers):
    words = {int(address): word for address, word in registers.items()}
    blocks, start = [], None
    for address in sorted(words):
        if start is None or address != start + len(blocks[-1][1]):
            start = address
            blocks.append((start, []))
        blocks[-1][1].append(words[address])
    return SimDevice(
        id=1, simdata=[SimData(start, values=values, datatype=DataType.REGISTERS) for start, values in blocks]
    )


def tcp_fault(name):
    """What becomes of an answer on its way."""
    count = [0]
    last = [b""]

    def change(sending, frame):
        if not sending:
            return frame
        count[0] += 1
        before, last[0] = last[0], frame
        if name == "late":
            time.sleep(0.6)
        return {
            "wrong transaction": bytes([frame[0] ^ 0x55]) + frame[1:],
            "wrong protocol": frame[:2] + b"\x00\x07" + frame[4:],
            "wrong unit": frame[:6] + bytes([frame[6] + 1]) + frame[7:],
            "wrong function": frame[:7] + b"\x04" + frame[8:],
            "length zero": frame[:4] + b"\x00\x00" + frame[6:],
            "length too large": frame[:4] + b"\xff\xff" + frame[6:],
            "length one short": frame[:4] + (len(frame) - 7).to_bytes(2, "big") + frame[6:],
            "byte count too large": frame[:8] + b"\xfe" + frame[9:],
            "byte count zero": frame[:8] + b"\x00" + frame[9:],
            "byte count odd": frame[:8] + bytes([frame[8] - 1]) + frame[9:],
            "short pdu": frame[:4] + b"\x00\x02" + frame[6:8],
            "long pdu": frame[:4] + (len(frame) - 4).to_bytes(2, "big") + frame[6:] + b"\x00\x00",
            "half": frame[: len(frame) // 2],
            "header only": frame[:7],
            "one byte": frame[:1],
            "nothing": b"",
            "twice": frame + frame,
            "the one before": before,
            "the one before and this": before + frame,
            "this and noise": frame + b"\xde\xad\xbe\xef",
            "noise": b"\xde\xad\xbe\xef" * 8,
            "flood": frame + b"\x00" * 200_000,
            "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
        }.get(name, frame)

    return change


def exception_for(code):
    def change(sending, frame):
        return frame[:4] + b"\x00\x03" + frame[6:7] + bytes([frame[7] | 0x80, code]) if sending else frame

    return change


async def serve_tcp(case):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fault = case.get("fault") or ""
    trace = exception_for(int(fault.split()[1])) if fault.startswith("exception ") else tcp_fault(fault)

    def closing(sending, frame):
        # A server that goes in the middle of a frame.
        if sending:
            half = frame[: len(frame) // 2]
            asyncio.get_running_loop().call_soon(lambda: [c.close() for c in list(server.active_connections.values())])
            return half
        return frame

    if fault == "close in the middle":
        trace = closing
    server = ModbusTcpServer(device(case["registers"]), address=("127.0.0.1", port), trace_packet=trace)
    await server.serve_forever(background=True)
    return server, f"127.0.0.1:{port}"


def bridge(server_side, adapter_side, fault):
    """Carries bytes between two serial lines, as a line would that has this fault."""
    count = [0]

    def answers():
        while True:
            frame = os.read(server_side, 512)
            time.sleep(0.005)
            count[0] += 1
            if fault == "noise" or (fault == "some noise" and count[0] % 3 == 0):
                frame = frame[:4] + bytes([frame[4] ^ 0x10]) + frame[5:]
            elif fault == "wrong checksum":
                frame = frame[:-1] + bytes([frame[-1] ^ 0xFF])
            elif fault == "half":
                frame = frame[: len(frame) // 2]
            elif fault == "noise before":
                frame = b"\x00\xff" + frame
            elif fault == "late":
                time.sleep(0.6)
            elif fault == "silent":
                continue
            elif fault == "wrong unit":
                frame = b"\x02" + frame[1:]
            elif fault == "in pieces":
                for byte in frame[:-2]:
                    os.write(adapter_side, bytes([byte]))
                    time.sleep(0.001)
                frame = frame[-2:]
            os.write(adapter_side, frame)

    def requests():
        while True:
            frame = os.read(adapter_side, 512)
            if fault == "echo":
                os.write(adapter_side, frame)
            if fault == "echo only":
                os.write(adapter_side, frame)
                continue
            os.write(server_side, frame)

    for work in (answers, requests):
        threading.Thread(target=work, daemon=True).start()


kept = []


async def serve_rtu(case):
    server_master, server_slave = os.openpty()
    adapter_master, adapter_slave = os.openpty()
    for slave in (server_slave, adapter_slave):
        tty.setraw(slave)
    kept.extend([server_slave, adapter_slave])
    bridge(server_master, adapter_master, case.get("fault"))
    server = ModbusSerialServer(
        device(case["registers"]), framer=FramerType.RTU, port=os.ttyname(server_slave), baudrate=115200
    )
    await server.serve_forever(background=True)
    return server, os.ttyname(adapter_slave)


async def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    addresses = []
    for case in cases:
        server, address = await (serve_rtu if case["line"] == "rtu" else serve_tcp)(case)
        kept.append(server)
        addresses.append(address)
    print(json.dumps(addresses), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
