#!/usr/bin/env python3
"""Builds the golden envelope anew and verifies it, with libraries that are not ours.

    pip install cbor2 pycose cwt
    python3 wire/tests/golden/check_envelope.py

Exits 0 where pycose makes the same bytes from the payload's meaning, where pycose and cwt each find
its signature valid on its topic, and where each refuses it on another; 2 where a library is missing.
"""

import json
import pathlib
import sys

try:
    import cbor2
    import cwt
    from pycose.algorithms import EdDSA
    from pycose.headers import KID, Algorithm
    from pycose.keys import OKPKey
    from pycose.keys.curves import Ed25519
    from pycose.messages import CoseMessage, Sign1Message
except ImportError as missing:
    print(f"not checked: {missing} (pip install cbor2 pycose cwt)")
    sys.exit(2)

golden = json.loads((pathlib.Path(__file__).parent / "envelope.json").read_text())
private, public = (bytes.fromhex(golden[name]) for name in ("private_key_hex", "public_key_hex"))
topic = golden["topic"].encode()
envelope = bytes.fromhex(golden["envelope_hex"])
kid = "{role}/{id}".format(**golden["payload"]["sender"]).encode()


def refuses(verify) -> bool:
    try:
        return not verify()
    except Exception:
        return True


# The same bytes, from the payload's meaning. cbor2 sorts keys by length first (RFC 8949, 4.2.3),
# which is the bytewise order (4.2.1) as long as all keys are texts shorter than 24 bytes.
message = Sign1Message(
    phdr={Algorithm: EdDSA, KID: kid},
    payload=cbor2.dumps(golden["payload"], canonical=True),
    external_aad=topic,
)
message.key = OKPKey(crv=Ed25519, x=public, d=private)
assert message.encode() == envelope, f"pycose makes other bytes: {message.encode().hex()}"


def by_pycose(on_topic: bytes) -> bool:
    received = CoseMessage.decode(envelope)
    received.key = OKPKey(crv=Ed25519, x=public)
    received.external_aad = on_topic
    return received.verify_signature()


def by_cwt(on_topic: bytes) -> bool:
    key = cwt.COSEKey.new({1: 1, 2: kid, 3: -8, -1: 6, -2: public})
    payload = cwt.COSE.new().decode(envelope, key, external_aad=on_topic)
    return cbor2.loads(payload) == golden["payload"]


for name, verify in (("pycose", by_pycose), ("cwt", by_cwt)):
    assert verify(topic), f"{name} finds the signature invalid"
    assert refuses(lambda: verify(topic + b"x")), f"{name} takes the envelope on another topic"

print(f"the golden envelope ({len(envelope)} bytes) is what pycose makes, and valid by pycose and cwt")
