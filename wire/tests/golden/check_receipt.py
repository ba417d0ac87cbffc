#!/usr/bin/env python3
"""Takes the golden receipt apart and verifies it, with libraries that are not ours.

    pip install cbor2 pycose cwt
    python3 wire/tests/golden/check_receipt.py

Exits 0 where the receipt is a COSE Receipt of inclusion (RFC 9942) whose proof leads from the leaf to the
root by RFC 9162, where pycose and cwt each find the signature over that root valid, and where each refuses
it over another; 2 where a library is missing.
"""

import hashlib
import json
import pathlib
import sys

try:
    import cbor2
    import cwt
    from pycose.keys import OKPKey
    from pycose.keys.curves import Ed25519
    from pycose.messages import CoseMessage
except ImportError as missing:
    print(f"not checked: {missing} (pip install cbor2 pycose cwt)")
    sys.exit(2)

golden = json.loads((pathlib.Path(__file__).parent / "receipt.json").read_text())
public, receipt, root = (bytes.fromhex(golden[name]) for name in ("public_key_hex", "receipt_hex", "root_hex"))
leaves = [bytes.fromhex(leaf) for leaf in golden["leaves_hex"]]
kid = golden["kid"].encode()


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: list) -> bytes:
    """RFC 9162, section 2.1.1."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(tree_hash(hashes[:split]), tree_hash(hashes[split:]))


def root_by(path: list, leaf: bytes, index: int, size: int) -> bytes:
    """RFC 9162, section 2.1.3.2."""
    assert index < size
    place, last, node = index, size - 1, leaf_hash(leaf)
    for sibling in path:
        assert last > 0
        if place % 2 == 1 or place == last:
            node = node_hash(sibling, node)
            while place % 2 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        place, last = place >> 1, last >> 1
    assert last == 0
    return node


# RFC 9942: a tagged COSE_Sign1; 395 names the tree, 396 holds the proofs, -1 those of inclusion.
message = cbor2.loads(receipt)
assert message.tag == 18
protected, unprotected, payload, signature = message.value
purpose = {golden["purpose"]: bytes.fromhex(golden["context_hex"])}
assert cbor2.loads(protected) == {1: -8, 395: 1, **purpose}, cbor2.loads(protected)
assert payload is None and len(signature) == 64
assert unprotected[4] == kid and set(unprotected) == {4, 396} and set(unprotected[396]) == {-1}
[proof] = unprotected[396][-1]
size, index, path = cbor2.loads(proof)
assert (size, index) == (len(leaves), golden["index"])
assert tree_hash([leaf_hash(leaf) for leaf in leaves]) == root
assert root_by(path, leaves[index], index, size) == root, "the proof leads to another root"


def by_pycose(over: bytes) -> bool:
    received = CoseMessage.decode(receipt)
    received.payload = over
    received.key = OKPKey(crv=Ed25519, x=public)
    return received.verify_signature()


def by_cwt(over: bytes) -> bool:
    key = cwt.COSEKey.new({1: 1, 2: kid, 3: -8, -1: 6, -2: public})
    return cwt.COSE.new().decode(receipt, key, detached_payload=over) == over


def refuses(verify) -> bool:
    try:
        return not verify()
    except Exception:
        return True


for name, verify in (("pycose", by_pycose), ("cwt", by_cwt)):
    assert verify(root), f"{name} finds the signature invalid"
    assert refuses(lambda: verify(root[::-1])), f"{name} takes the signature for another root's"

print(f"the golden receipt ({len(receipt)} bytes) is a COSE Receipt, and valid by pycose and cwt")
