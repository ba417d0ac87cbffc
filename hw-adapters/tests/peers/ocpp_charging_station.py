"""A charging station of OCPP 2.0.1 from the PyPI package `ocpp` (mobilityhouse/ocpp), which checks every
message it sends and receives against the OCA's JSON schemas. Arguments: the central system's URL, and the
value of SmartChargingCtrlr.RateUnit.

Says `ready` once its car charges. On `stop` it ends the session and says `done`."""

import asyncio
import base64
import sys

import websockets
from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.enums import Action

NOW = "2024-01-01T00:00:00Z"


class Peer(ChargePoint):
    def __init__(self, *args):
        super().__init__(*args)
        self.limits = {}
        self.events = 0
        self.charging = False
        self.variables = {
            "SmartChargingCtrlr.ProfileStackLevel": "3",
            "SampledDataCtrlr.TxUpdatedMeasurands": "Energy.Active.Import.Register",
        }

    def limit(self):
        return self.limits.get("TxProfile", self.limits.get("TxDefaultProfile", 11040.0))

    @on(Action.get_variables)
    def get_variables(self, get_variable_data):
        results = []
        for asked in get_variable_data:
            name = f"{asked['component']['name']}.{asked['variable']['name']}"
            value = self.variables.get(name)
            known = {"attribute_status": "UnknownVariable"}
            if value is not None:
                known = {"attribute_status": "Accepted", "attribute_value": value}
            results.append({**known, "component": asked["component"], "variable": asked["variable"]})
        return call_result.GetVariables(get_variable_result=results)

    @on(Action.set_variables)
    def set_variables(self, set_variable_data):
        results = []
        for asked in set_variable_data:
            name = f"{asked['component']['name']}.{asked['variable']['name']}"
            self.variables[name] = asked["attribute_value"]
            place = {"component": asked["component"], "variable": asked["variable"]}
            results.append({"attribute_status": "Accepted", **place})
        return call_result.SetVariables(set_variable_result=results)

    @on(Action.trigger_message)
    def trigger(self, requested_message, **_):
        return call_result.TriggerMessage(status="Accepted")

    @after(Action.trigger_message)
    async def triggered(self, requested_message, **_):
        if requested_message == "TransactionEvent":
            await self.event("Updated", "Trigger")
        elif requested_message == "StatusNotification":
            await self.status()

    @on(Action.set_charging_profile)
    def set_profile(self, evse_id, charging_profile):
        (schedule,) = charging_profile["charging_schedule"]
        purpose = charging_profile["charging_profile_purpose"]
        assert evse_id == 1 and charging_profile["stack_level"] == 3
        if purpose == "TxProfile":
            assert charging_profile["transaction_id"] == "tx-1"
            assert 0 < schedule["duration"] < 100_000, "it ends by itself"
        watt = 690 if schedule["charging_rate_unit"] == "A" else 1
        self.limits[purpose] = float(schedule["charging_schedule_period"][0]["limit"]) * watt
        return call_result.SetChargingProfile(status="Accepted")

    @on(Action.clear_charging_profile)
    def clear(self, charging_profile_id, **_):
        purpose = {67790002: "TxDefaultProfile", 67790003: "TxProfile"}.get(charging_profile_id)
        held = self.limits.pop(purpose, None)
        return call_result.ClearChargingProfile(status="Unknown" if held is None else "Accepted")

    @on(Action.get_composite_schedule)
    def composite(self, duration, evse_id, charging_rate_unit):
        limit = self.limit() / (690 if charging_rate_unit == "A" else 1)
        schedule = {
            "evse_id": evse_id,
            "duration": duration,
            "schedule_start": NOW,
            "charging_rate_unit": charging_rate_unit,
            "charging_schedule_period": [{"start_period": 0, "limit": round(limit, 1), "number_phases": 3}],
        }
        return call_result.GetCompositeSchedule(status="Accepted", schedule=schedule)

    @on(Action.request_stop_transaction)
    def stop(self, transaction_id):
        assert transaction_id == "tx-1"
        return call_result.RequestStopTransaction(status="Rejected")

    async def status(self):
        status = "Occupied" if self.charging else "Available"
        await self.call(call.StatusNotification(NOW, status, evse_id=1, connector_id=1))

    async def event(self, kind, reason, **more):
        watt = {"value": self.limit(), "measurand": "Power.Active.Import", "unit_of_measure": {"unit": "W"}}
        register = {"value": 1.0 if kind == "Started" else 1.5, "unit_of_measure": {"unit": "kWh"}}
        self.events += 1
        return await self.call(
            call.TransactionEvent(
                event_type=kind,
                timestamp=NOW,
                trigger_reason=reason,
                seq_no=self.events,
                transaction_info={"transaction_id": "tx-1", "charging_state": more.pop("state", "Charging")},
                evse={"id": 1, "connector_id": 1},
                meter_value=[{"timestamp": NOW, "sampled_value": [watt, register]}],
                **more,
            )
        )

    async def session(self):
        station = {"model": "model", "vendor_name": "vendor"}
        boot = await self.call(call.BootNotification(charging_station=station, reason="PowerUp"))
        assert boot.status == "Accepted" and boot.interval > 0
        await self.call(call.Heartbeat())
        self.charging = True
        await self.status()
        token = {"id_token": "A", "type": "Local"}
        assert (await self.call(call.Authorize(id_token=token))).id_token_info["status"] == "Accepted"
        started = await self.event("Started", "CablePluggedIn", id_token=token)
        assert started.id_token_info["status"] == "Accepted"
        await self.call(call.DataTransfer(vendor_id="vendor"))
        await self.call(call.FirmwareStatusNotification(status="Idle"))
        await self.call(call.SecurityEventNotification(type="x", timestamp=NOW))
        await self.call(call.NotifyEvent(generated_at=NOW, seq_no=0, event_data=[{
            "event_id": 1, "timestamp": NOW, "trigger": "Alerting", "actual_value": "1",
            "event_notification_type": "HardWiredNotification",
            "component": {"name": "EVSE"}, "variable": {"name": "Problem"}}]))
        while "TxDefaultProfile" not in self.limits:
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await self.event("Ended", "EVDeparted", state="Idle")
        self.charging = False
        await self.status()
        print("done", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def main(url, unit, password):
    login = base64.b64encode(f"CS-1:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    async with websockets.connect(
        url, subprotocols=["ocpp2.0.1", "ocpp1.6"], additional_headers=headers
    ) as socket:
        assert socket.subprotocol == "ocpp2.0.1"
        peer = Peer(url.rsplit("/", 1)[1], socket)
        peer.variables["SmartChargingCtrlr.RateUnit"] = unit
        serving = asyncio.create_task(peer.start())
        await peer.session()
        serving.cancel()


asyncio.run(main(*sys.argv[1:]))
