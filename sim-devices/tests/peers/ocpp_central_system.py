"""A central system from the PyPI package `ocpp` (mobilityhouse/ocpp), which checks every message it
sends and receives against the OCA's JSON schemas.

Says `port N`, steers the charge point that connects through everything it should understand, says
`car N` where so many seconds are to pass, and `done` at the end."""

import asyncio
import sys

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action

NOW = "2024-01-01T00:00:00Z"


class Peer(ChargePoint):
    def __init__(self, *args):
        super().__init__(*args)
        self.seen = asyncio.Queue()
        self.meter = None

    async def until(self, wanted):
        while (event := await asyncio.wait_for(self.seen.get(), 60)) != wanted:
            pass

    @on(Action.boot_notification)
    def boot(self, **_):
        return call_result.BootNotification(current_time=NOW, interval=60, status="Accepted")

    @on(Action.heartbeat)
    def heartbeat(self):
        return call_result.Heartbeat(current_time=NOW)

    @on(Action.status_notification)
    def status(self, connector_id, error_code, status, **_):
        self.seen.put_nowait(status)
        return call_result.StatusNotification()

    @on(Action.start_transaction)
    def started(self, connector_id, id_tag, meter_start, timestamp):
        self.seen.put_nowait("start")
        return call_result.StartTransaction(transaction_id=7, id_tag_info={"status": "Accepted"})

    @on(Action.stop_transaction)
    def stopped(self, transaction_id, meter_stop, **_):
        assert transaction_id == 7
        self.seen.put_nowait("stop")
        return call_result.StopTransaction()

    @on(Action.meter_values)
    def metered(self, meter_value, **_):
        self.meter = {v["measurand"]: float(v["value"]) for v in meter_value[0]["sampled_value"]}
        self.seen.put_nowait("meter")
        return call_result.MeterValues()

    async def ask(self, request):
        answer = await self.call(request, suppress=False)
        return answer

    async def power(self):
        assert (await self.ask(call.TriggerMessage("MeterValues"))).status == "Accepted"
        await self.until("meter")
        return self.meter["Power.Active.Import"]

    async def profile(self, purpose, unit, limit, **more):
        period = {"start_period": 0, "limit": limit}
        schedule = {"charging_rate_unit": unit, "charging_schedule_period": [period]}
        kind = {"charging_profile_kind": "Relative", "charging_schedule": schedule}
        profile = {"charging_profile_id": 3, "stack_level": 1, "charging_profile_purpose": purpose}
        request = call.SetChargingProfile(1, {**profile, **kind, **more})
        return (await self.ask(request)).status

    async def judge(self):
        await self.until("Available")
        assert await self.profile("TxDefaultProfile", "A", 10) == "Accepted"
        assert await self.profile("TxProfile", "W", 5000.0) == "Rejected"
        keys = await self.ask(call.GetConfiguration(["ChargeProfileMaxStackLevel", "Colour"]))
        assert keys.unknown_key == ["Colour"], keys
        change = call.ChangeConfiguration("MeterValueSampleInterval", "30")
        assert (await self.ask(change)).status == "Accepted"
        assert (await self.ask(call.ClearCache())).status == "Accepted"
        assert (await self.ask(call.UnlockConnector(1))).status == "NotSupported"
        assert (await self.ask(call.ChangeAvailability(0, "Inoperative"))).status == "Rejected"
        assert (await self.ask(call.DataTransfer("vendor"))).status == "UnknownVendorId"
        print("car 600", flush=True)
        await self.until("start")
        await self.until("Charging")
        assert await self.power() == 6900.0
        assert await self.profile("TxProfile", "W", 5000.5, transaction_id=7) == "Accepted"
        assert await self.power() == 5000.5
        schedule = await self.ask(call.GetCompositeSchedule(1, 600, "A"))
        period = schedule.charging_schedule["charging_schedule_period"][0]
        assert float(period["limit"]) == 7.2, schedule
        assert (await self.ask(call.ClearChargingProfile(id=3))).status == "Accepted"
        assert (await self.ask(call.ClearChargingProfile(id=3))).status == "Unknown"
        assert await self.power() == 11040.0
        assert (await self.ask(call.RemoteStopTransaction(7))).status == "Accepted"
        await self.until("stop")
        await self.until("Finishing")
        assert await self.power() == 0.0
        assert (await self.ask(call.RemoteStartTransaction("A", connector_id=1))).status == "Accepted"
        await self.until("start")
        await self.until("Charging")
        print("car 36000", flush=True)
        await self.until("stop")
        await self.until("Available")
        print("done", flush=True)


async def main():
    finished = asyncio.get_running_loop().create_future()

    async def serve(socket):
        peer = Peer("CP-1", socket)
        serving = asyncio.create_task(peer.start())
        try:
            await peer.judge()
            finished.set_result(None)
        except Exception as error:
            finished.set_exception(error)
        serving.cancel()

    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.wait_for(finished, 120)


asyncio.run(main())
