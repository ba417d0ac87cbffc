"""A central system of OCPP 2.0.1 from the PyPI package `ocpp` (mobilityhouse/ocpp), which checks every message
it sends and receives against the OCA's JSON schemas.

Says `port N`, steers the charging station that connects through everything it should understand, says
`car N` where so many seconds are to pass, and `done` at the end."""

import asyncio

import websockets
from ocpp.exceptions import NotImplementedError as NotImplemented201
from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.enums import Action

NOW = "2024-01-01T00:00:00Z"


class Peer(ChargePoint):
    def __init__(self, *args):
        super().__init__(*args)
        self.seen = asyncio.Queue()
        self.power_w = None
        self.transaction = None
        self.next_event = None

    async def until(self, wanted):
        while (event := await asyncio.wait_for(self.seen.get(), 60)) != wanted:
            pass

    @on(Action.boot_notification)
    def boot(self, charging_station, reason, **_):
        self.seen.put_nowait(f"boot {reason}")
        return call_result.BootNotification(current_time=NOW, interval=60, status="Accepted")

    @on(Action.heartbeat)
    def heartbeat(self):
        return call_result.Heartbeat(current_time=NOW)

    @on(Action.status_notification)
    def status(self, connector_status, evse_id, connector_id, **_):
        self.seen.put_nowait(connector_status)
        return call_result.StatusNotification()

    @on(Action.transaction_event)
    def event(self, event_type, seq_no, transaction_info, meter_value=None, id_token=None, **_):
        if event_type == "Started":
            self.transaction, self.next_event = transaction_info["transaction_id"], 0
        assert transaction_info["transaction_id"] == self.transaction
        assert seq_no == self.next_event, f"event {seq_no}, not {self.next_event}"
        self.next_event += 1
        for value in meter_value or []:
            for sample in value["sampled_value"]:
                if sample["measurand"] == "Power.Active.Import":
                    self.power_w = sample["value"]
                    self.seen.put_nowait("meter")
        self.seen.put_nowait(event_type)
        if state := transaction_info.get("charging_state"):
            self.seen.put_nowait(state)
        info = {"status": "Accepted"} if id_token else None
        return call_result.TransactionEvent(id_token_info=info)

    @on(Action.meter_values)
    def metered(self, evse_id, meter_value):
        for sample in meter_value[0]["sampled_value"]:
            if sample["measurand"] == "Power.Active.Import":
                self.power_w = sample["value"]
        self.seen.put_nowait("idle meter")
        return call_result.MeterValues()

    @on(Action.report_charging_profiles)
    def reported(self, request_id, evse_id, charging_profile, charging_limit_source, tbc=False):
        assert request_id == 9 and charging_limit_source == "CSO"
        self.profiles += [(evse_id, profile["id"]) for profile in charging_profile]
        if not tbc:
            self.seen.put_nowait("reported")
        return call_result.ReportChargingProfiles()

    async def stack(self, **criteria):
        self.profiles = []
        answer = await self.ask(call.GetChargingProfiles(9, criteria))
        if answer.status == "Accepted":
            await self.until("reported")
        return self.profiles

    async def ask(self, request):
        return await self.call(request, suppress=False)

    async def power(self):
        assert (await self.ask(call.TriggerMessage("TransactionEvent", evse={"id": 1}))).status == "Accepted"
        await self.until("meter")
        return self.power_w

    async def profile(self, purpose, unit, limit, evse=1, **more):
        periods = [{"start_period": 0, "limit": limit}]
        schedule = {"id": 1, "charging_rate_unit": unit, "charging_schedule_period": periods}
        kind = {"charging_profile_kind": "Relative", "charging_schedule": [schedule]}
        profile = {"id": 3, "stack_level": 1, "charging_profile_purpose": purpose}
        return (await self.ask(call.SetChargingProfile(evse, {**profile, **kind, **more}))).status

    async def limit(self, unit):
        composite = await self.ask(call.GetCompositeSchedule(600, 1, charging_rate_unit=unit))
        assert composite.status == "Accepted" and composite.schedule["evse_id"] == 1
        return float(composite.schedule["charging_schedule_period"][0]["limit"])

    async def variables(self):
        asked = [("SmartChargingCtrlr", "RateUnit"), ("SmartChargingCtrlr", "Colour"), ("Paint", "Colour")]
        data = [{"component": {"name": c}, "variable": {"name": v}} for c, v in asked]
        results = (await self.ask(call.GetVariables(data))).get_variable_result
        statuses = [result["attribute_status"] for result in results]
        assert statuses == ["Accepted", "UnknownVariable", "UnknownComponent"], statuses
        place = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
        results = await self.ask(call.SetVariables([{**place, "attribute_value": "30"}]))
        assert results.set_variable_result[0]["attribute_status"] == "Accepted"
        results = await self.ask(call.SetVariables([{**place, "attribute_value": "soon"}]))
        assert results.set_variable_result[0]["attribute_status"] == "Rejected"

    async def judge(self):
        await self.until("boot PowerUp")
        await self.until("Available")
        assert (await self.ask(call.TriggerMessage("MeterValues", evse={"id": 1}))).status == "Accepted"
        await self.until("idle meter")
        assert (await self.ask(call.TriggerMessage("TransactionEvent"))).status == "Rejected"
        assert await self.profile("TxDefaultProfile", "A", 10.0) == "Accepted"
        assert await self.profile("TxProfile", "W", 5000.0, transaction_id="nobody's") == "Rejected"
        await self.variables()
        try:
            await self.ask(call.GetMonitoringReport(request_id=1))
            raise AssertionError("what it has not got is not accepted")
        except NotImplemented201:
            pass
        print("car 600", flush=True)
        await self.until("Occupied")
        await self.until("Started")
        await self.until("Charging")
        assert await self.power() == 6900.0
        assert await self.profile("TxProfile", "W", 5000.5, transaction_id=self.transaction) == "Accepted"
        assert await self.power() == 5000.5
        assert await self.limit("A") == 7.2
        assert await self.profile("ChargingStationMaxProfile", "W", 4500.0, evse=0, id=4) == "Accepted"
        assert await self.power() == 4500.0
        assert await self.stack() == [(0, 4), (1, 3)]
        assert await self.stack(charging_profile_purpose="TxProfile") == [(1, 3)]
        assert await self.stack(charging_profile_id=[77]) == []
        assert (await self.ask(call.ClearChargingProfile(charging_profile_id=4))).status == "Accepted"
        criteria = {"charging_profile_purpose": "TxProfile", "stack_level": 1}
        assert (await self.ask(call.ClearChargingProfile(charging_profile_criteria=criteria))).status == "Accepted"
        assert (await self.ask(call.ClearChargingProfile(charging_profile_id=3))).status == "Unknown"
        assert await self.power() == 11040.0
        assert (await self.ask(call.RequestStopTransaction("nobody's"))).status == "Rejected"
        assert (await self.ask(call.RequestStopTransaction(self.transaction))).status == "Accepted"
        await self.until("Ended")
        token = {"id_token": "A", "type": "Central"}
        request = call.RequestStartTransaction(id_token=token, remote_start_id=5, evse_id=1)
        assert (await self.ask(request)).status == "Accepted"
        await self.until("Started")
        await self.until("Charging")
        assert (await self.ask(call.Reset("OnIdle"))).status == "Rejected"
        assert (await self.ask(call.ClearCache())).status == "Accepted"
        assert (await self.ask(call.UnlockConnector(1, 1))).status == "UnlockFailed"
        assert (await self.ask(call.ChangeAvailability("Inoperative"))).status == "Rejected"
        print("car 36000", flush=True)
        await self.until("Ended")
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

    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["ocpp2.0.1"]) as server:
        print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.wait_for(finished, 120)


asyncio.run(main())
