"""Opens batches of readings and bids in DuckDB and in pandas, and compares them with what the ledger settled.

Usage: read_batch.py READINGS BIDS START ENERGY_MILLIJOULE COMMITMENT_MILLIWATT BID_HASH...
"""

import datetime
import hashlib
import sys

import duckdb
import pandas

readings, bids, start, energy, commitment = sys.argv[1:6]
hashes = sys.argv[6:]
start = datetime.datetime.fromtimestamp(int(start), datetime.timezone.utc)

sums = duckdb.sql(
    "select count(*), sum(energy_millijoule), sum(commitment_milliwatt),"
    " min(epoch(interval_start)), max(interval_seconds)"
    f" from '{readings}'"
).fetchall()[0]
assert sums == (len(hashes), int(energy), int(commitment), start.timestamp(), 900), sums
types = dict(duckdb.sql(f"select column_name, column_type from (describe from '{readings}')").fetchall())
assert types["interval_start"] == "TIMESTAMP WITH TIME ZONE", types
assert types["account"] == "VARCHAR" and types["envelope"] == "BLOB", types

frame = pandas.read_parquet(readings)
assert str(frame["interval_start"].dt.tz) == "UTC" and (frame["interval_start"] == start).all(), frame
assert frame["energy_millijoule"].sum() == int(energy), frame
assert list(frame["account"]) == sorted(frame["account"]), frame
# COSE_Sign1 with tag 18 (RFC 9052, section 4.2).
assert all(envelope[0] == 0xD2 for envelope in frame["envelope"]), frame

frame = pandas.read_parquet(bids)
assert [value.hex() for value in frame["bid_hash"]] == hashes, frame
assert [list(prices) for prices in frame["price_pico_eur_per_wh"]] == [[40_000_000, 80_000_000, 80_000_000]] * 2
corners = duckdb.sql(
    f"select account, unnest(power_milliwatt) from '{bids}' order by account limit 3"
).fetchall()
assert [power for _, power in corners] == [5_000_000, 2_000_000, -1], corners


def salted(row):
    """`wire::hash::Hash32::of` of a signed bid, by its own words."""
    digest = hashlib.sha256(b"gridpact bid\0")
    for part in (row["bid_salt"], row["envelope_topic"].encode(), row["envelope"]):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


assert [salted(row) for _, row in frame.iterrows()] == hashes
print("done")
