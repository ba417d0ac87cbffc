"""A charge point from the PyPI package `ocpp` (mobilityhouse/ocpp), which checks every message it
sends and receives against the OCA's JSON schemas. Arguments: the central system's URL, and the value of
ChargingScheduleAllowedChargingRateUnit.

Says `ready` once its car charges. On `stop` it ends the session and says `done`."""

import asyncio
import sys

import websockets
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, ChargePointStatus

NOW = "2024-01-01T00:00:00Z"


class Peer(ChargePoint):
    def __init__(self, *args):
        super().__init__(*args)
        self.limits = {}
        self.unit = "W"
        self.transaction = None
        self.state = ChargePointStatus.available
        # What it says of its connector goes out in the order in which it happens.
        self.says = asyncio.Lock()

    def limit(self):
        return self.limits.get("TxProfile", self.limits.get("TxDefaultProfile", 11040.0))

    @on(Action.get_configuration)
    def configuration(self, key=None, **_):
        known = {
            "ChargingScheduleAllowedChargingRateUnit": self.unit_key,
            "ChargeProfileMaxStackLevel": "3",
            "MeterValuesSampledData": "Energy.Active.Import.Register",
        }
        entries = [{"key": k, "readonly": False, "value": known[k]} for k in key if k in known]
        return call_result.GetConfiguration(
            configuration_key=entries, unknown_key=[k for k in key if k not in known]
        )

    @on(Action.change_configuration)
    def change(self, key, value):
        assert key == "MeterValuesSampledData", key
        return call_result.ChangeConfiguration(status="Accepted")

    @on(Action.trigger_message)
    def trigger(self, requested_message, **_):
        return call_result.TriggerMessage(status="Accepted")

    @after(Action.trigger_message)
    async def triggered(self, requested_message, **_):
        if requested_message == "StatusNotification":
            async with self.says:
                await self.tell()
        else:
            await self.meter()

    @on(Action.set_charging_profile)
    def set_profile(self, connector_id, cs_charging_profiles):
        schedule = cs_charging_profiles["charging_schedule"]
        purpose = cs_charging_profiles["charging_profile_purpose"]
        assert cs_charging_profiles["stack_level"] == 3
        if purpose == "TxProfile":
            assert cs_charging_profiles["transaction_id"] == self.transaction
            assert 0 < schedule["duration"] < 100_000, "it ends by itself"
        else:
            assert purpose == "TxDefaultProfile" and "duration" not in schedule
        watt = 690 if schedule["charging_rate_unit"] == "A" else 1
        self.limits[purpose] = float(schedule["charging_schedule_period"][0]["limit"]) * watt
        return call_result.SetChargingProfile(status="Accepted")

    @on(Action.clear_charging_profile)
    def clear(self, id, **_):
        purpose = {67790002: "TxDefaultProfile", 67790003: "TxProfile"}.get(id)
        held = self.limits.pop(purpose, None)
        return call_result.ClearChargingProfile(status="Unknown" if held is None else "Accepted")

    @on(Action.get_composite_schedule)
    def composite(self, connector_id, duration, charging_rate_unit=None):
        limit = self.limit() / (690 if charging_rate_unit == "A" else 1)
        period = {"start_period": 0, "limit": round(limit, 1), "number_phases": 3}
        schedule = {"charging_rate_unit": charging_rate_unit, "charging_schedule_period": [period]}
        return call_result.GetCompositeSchedule(
            status="Accepted", connector_id=1, schedule_start=NOW, charging_schedule=schedule
        )

    async def status(self, status):
        async with self.says:
            self.state = status
            await self.tell()

    async def tell(self):
        await self.call(
            call.StatusNotification(connector_id=1, error_code="NoError", status=self.state, timestamp=NOW)
        )

    async def meter(self):
        watt = self.limit()
        sampled = [
            {"value": "1.5", "measurand": "Energy.Active.Import.Register", "unit": "kWh"},
            {"value": str(watt / 3), "measurand": "Power.Active.Import", "unit": "W", "phase": "L1"},
            {"value": str(watt / 3), "measurand": "Power.Active.Import", "unit": "W", "phase": "L2"},
            {"value": str(watt / 3), "measurand": "Power.Active.Import", "unit": "W", "phase": "L3"},
        ]
        value = {"timestamp": NOW, "sampled_value": sampled}
        await self.call(
            call.MeterValues(connector_id=1, transaction_id=self.transaction, meter_value=[value])
        )

    async def session(self):
        boot = await self.call(
            call.BootNotification(charge_point_model="model", charge_point_vendor="vendor")
        )
        assert boot.status == "Accepted" and boot.interval > 0
        await self.call(call.Heartbeat())
        await self.status(ChargePointStatus.preparing)
        assert (await self.call(call.Authorize(id_tag="A"))).id_tag_info["status"] == "Accepted"
        started = await self.call(
            call.StartTransaction(connector_id=1, id_tag="A", meter_start=1000, timestamp=NOW)
        )
        self.transaction = started.transaction_id
        await self.status(ChargePointStatus.charging)
        await self.call(call.DataTransfer(vendor_id="vendor"))
        await self.call(call.FirmwareStatusNotification(status="Idle"))
        while "TxDefaultProfile" not in self.limits:
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        stopped = await self.call(
            call.StopTransaction(meter_stop=1500, timestamp=NOW, transaction_id=self.transaction)
        )
        assert stopped.id_tag_info["status"] == "Accepted"
        await self.status(ChargePointStatus.available)
        print("done", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def main(url, unit_key):
    async with websockets.connect(url, subprotocols=["ocpp1.6"]) as socket:
        peer = Peer(url.rsplit("/", 1)[1], socket)
        peer.unit_key = unit_key
        serving = asyncio.create_task(peer.start())
        await peer.session()
        serving.cancel()


asyncio.run(main(*sys.argv[1:]))
