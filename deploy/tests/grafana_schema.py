"""Holds dashboards against Grafana's published schema: the types that Grafana generates from it (grafana-foundation-sdk,
of the version of Grafana in deploy/compose.yaml). A key the schema does not have, a value of another type, and a word that
is none of an enumeration's are errors that name their place.

    python3 deploy/tests/grafana_schema.py deploy/grafana/dashboards/*.json
"""

import copy
import enum
import json
import pathlib
import sys
import types
import typing

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

plugins.register_default_plugins()

# The schema writes whole numbers as float where JSON has just numbers.
NUMBERS = (int, float)


def wrong(place, value, expected):
    return [f"{place}: {json.dumps(value, cls=JSONEncoder)[:80]} is no {expected}"]


def alike(place, value, hint):
    """What is wrong with a decoded value against the type the schema has for it."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in (typing.Any, object) or isinstance(hint, typing.TypeVar):
        return []
    if origin in (typing.Union, types.UnionType):
        found = [alike(place, value, option) for option in args]
        return [] if [] in found else min(found, key=len)
    if hint is type(None):
        return [] if value is None else wrong(place, value, "null")
    if origin is list:
        if not isinstance(value, list):
            return wrong(place, value, "list")
        return [fault for at, item in enumerate(value) for fault in alike(f"{place}[{at}]", item, args[0])]
    if origin is dict:
        if not isinstance(value, dict):
            return wrong(place, value, "object")
        return [fault for key, item in value.items() for fault in alike(f"{place}.{key}", item, args[1])]
    if origin is typing.Literal:
        return [] if value in args else wrong(place, value, f"one of {args}")
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        words = [word.value for word in hint]
        return [] if value in words or value in list(hint) else wrong(place, value, f"one of {words}")
    if hint is bool:
        return [] if isinstance(value, bool) else wrong(place, value, "boolean")
    if hint in NUMBERS:
        number = isinstance(value, NUMBERS) and not isinstance(value, bool)
        return [] if number else wrong(place, value, "number")
    if hint is str:
        return [] if isinstance(value, str) else wrong(place, value, "text")
    if not isinstance(hint, type) or hint.__module__ == "builtins":
        return []
    if isinstance(value, dict) and hasattr(hint, "from_json"):
        # Some lists are decoded no further.
        decoded = hint.from_json(copy.deepcopy(value))
        return of_class(place, decoded) + lost(place, value, json.loads(json.dumps(decoded, cls=JSONEncoder)))
    if not hasattr(value, "to_json"):
        return wrong(place, value, hint.__name__)
    return of_class(place, value)


def of_class(place, value):
    faults = []
    for name, hint in typing.get_type_hints(type(value)).items():
        faults += alike(f"{place}.{name}", getattr(value, name), hint)
    return faults


def lost(place, before, after):
    """Keys that the schema does not know: they were not decoded, so they are not encoded again."""
    if isinstance(before, dict) and isinstance(after, dict):
        unknown = [f"{place}.{key}: the schema has no such key" for key in before if key not in after]
        return unknown + [f for key in before if key in after for f in lost(f"{place}.{key}", before[key], after[key])]
    if isinstance(before, (dict, list)) != isinstance(after, (dict, list)) or isinstance(before, dict) != isinstance(after, dict):
        return wrong(place, before, type(after).__name__)
    if isinstance(before, list):
        return [f for at, (b, a) in enumerate(zip(before, after)) for f in lost(f"{place}[{at}]", b, a)]
    return []


def options_of(panel):
    """A panel's options and its fields' own settings have schemas by the panel's type, which decoding applied."""
    faults = []
    place = f"panel {panel.title!r}"
    if panel.options is not None and not hasattr(panel.options, "to_json"):
        return [f"{place}: no schema is known for panels of type {panel.type_val!r}"]
    if panel.options is not None:
        faults += of_class(f"{place}.options", panel.options)
    custom = panel.field_config.defaults.custom if panel.field_config else None
    if hasattr(custom, "to_json"):
        faults += of_class(f"{place}.fieldConfig.defaults.custom", custom)
    for target in panel.targets or []:
        if not hasattr(target, "to_json"):
            faults.append(f"{place}: no schema is known for its query")
        else:
            faults += of_class(f"{place}.targets", target)
    return faults


def faults_of(document):
    """All that is wrong with a dashboard."""
    try:
        decoded = dashboard.Dashboard.from_json(copy.deepcopy(document))
    except Exception as error:  # Whatever a wrong shape makes the decoder trip over.
        return [f"it can't be decoded: {type(error).__name__}: {error}"]
    again = json.loads(json.dumps(decoded, cls=JSONEncoder))
    faults = of_class("dashboard", decoded) + lost("dashboard", document, again)
    for panel in decoded.panels or []:
        if isinstance(panel, dashboard.Panel):
            faults += options_of(panel)
    if document.get("schemaVersion") != dashboard.Dashboard().schema_version:
        faults.append(f"schemaVersion is {document.get('schemaVersion')}, not {dashboard.Dashboard().schema_version}")
    return faults


def check_the_check(document):
    """Dashboards made wrong by intent must be found wrong."""
    changes = {
        "an unknown key": lambda d: d["panels"][0].update(colour="red"),
        "an unknown key in options": lambda d: d["panels"][0]["options"].update(colour="red"),
        "a text for a number": lambda d: d["panels"][0]["gridPos"].update(w="wide"),
        "an unknown word": lambda d: d.update(graphTooltip=7),
        "an unknown word in options": lambda d: next(
            p for p in d["panels"] if p["type"] == "timeseries"
        )["options"]["legend"].update(placement="left of it"),
        "a list for an object": lambda d: d.update(time=["now"]),
        "a number for a query": lambda d: d["panels"][0]["targets"][0].update(expr=5),
        "an unknown key in a query": lambda d: d["panels"][0]["targets"][0].update(query="up"),
        "an unknown type of panel": lambda d: d["panels"][0].update(type="clock-face"),
    }
    for what, change in changes.items():
        changed = copy.deepcopy(document)
        change(changed)
        if not faults_of(changed):
            sys.exit(f"the check finds nothing wrong with {what}")


def main(paths):
    worst = 0
    for path in paths:
        document = json.loads(pathlib.Path(path).read_text())
        faults = faults_of(document)
        for fault in faults:
            print(f"{path}: {fault}", file=sys.stderr)
        worst = max(worst, len(faults))
        if not faults:
            check_the_check(document)
            print(f"{path}: {len(document['panels'])} panels, as the schema has them")
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
