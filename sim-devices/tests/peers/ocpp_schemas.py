"""Holds messages against the OCA's JSON schemas, as the PyPI package `ocpp` carries them, and against nothing of
ours. Each line of standard input is a JSON object with `version` (1.6 or 2.0.1), `action`, `kind` (Request or
Response) and `payload`. Names each message that does not fit, and exits with 1 where there was one."""

import json
import pathlib
import sys
from decimal import Decimal

import ocpp
from jsonschema import Draft4Validator, Draft6Validator

ROOT = pathlib.Path(ocpp.__file__).parent


def schema(version, action, kind):
    if version == "1.6":
        name = action if kind == "Request" else f"{action}Response"
        path = ROOT / "v16" / "schemas" / f"{name}.json"
        draft = Draft4Validator
    else:
        path = ROOT / "v201" / "schemas" / f"{action}{kind}.json"
        draft = Draft6Validator
    text = path.read_text(encoding="utf-8-sig")
    return draft(json.loads(text, parse_float=Decimal), format_checker=draft.FORMAT_CHECKER)


def main():
    validators, seen, wrong = {}, {}, 0
    for line in sys.stdin:
        message = json.loads(line, parse_float=Decimal)
        key = (message["version"], message["action"], message["kind"])
        if key not in validators:
            validators[key] = schema(*key)
        for error in validators[key].iter_errors(message["payload"]):
            wrong += 1
            print(f"{' '.join(key)}: {error.message} at {list(error.absolute_path)}: {message['payload']}")
        seen[key] = seen.get(key, 0) + 1
    for key in sorted(seen):
        print("seen", *key)
    sys.exit(1 if wrong or not seen else 0)


main()
