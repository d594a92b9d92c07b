"""The peer: plain Python maps N records by the ten rules, JSON in and JSON out, and prints its rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_orjson.py [--n 200000]
"""

import argparse
import json
import resource
import time
from itertools import cycle, islice

import orjson

PROFILES = ("Nurses", "Doctors", "Administration", "Contractors")
KINDS = {"Nurses": "nurse", "Doctors": "physician", "Administration": "staff"}


def record(number):
    """The same record as in `tests/src/bin/bench/workload.rs`."""
    return {
        "id": f"e{number}",
        "username": f"user{number}@example.com",
        "active": True,
        "profile": PROFILES[number % 4],
        "firstName": f"Given{number}",
        "lastName": f"Family{number}",
        "title": "Charge Nurse",
        "department": f"Ward {number % 40}",
        "costCenter": f"C{number % 400}",
        "phone": f"+41 44 555 {number % 10_000:04}",
        "city": "Zürich",
        "country": "CH",
        "language": "de" if number % 2 == 0 else None,
        "manager": f"e{number // 10}",
    }


def mapped(text):
    """One record, as somebody would write it for these ten rules."""
    user = orjson.loads(text)
    language = user.get("language")
    return orjson.dumps(
        {
            "userName": user["username"],
            "name": {"givenName": user.get("firstName"), "familyName": user.get("lastName")},
            "title": user.get("title"),
            "department": user.get("department"),
            "externalId": user.get("id"),
            "timezone": "Europe/Zurich",
            "preferredLanguage": "en" if language is None else language,
            "email": f"{user['firstName'].lower()}.{user['lastName'].lower()}@example.com",
            "userType": KINDS.get(user["profile"], "external"),
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200_000)
    arguments = parser.parse_args()
    records = [orjson.dumps(record(number)) for number in range(1000)]
    started = time.perf_counter()
    for one in islice(cycle(records), arguments.n):
        mapped(one)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = arguments.n / seconds
    print(json.dumps({"name": "orjson", "n": arguments.n, "seconds": seconds, "rate": rate, "peak_mib": peak}))


if __name__ == "__main__":
    main()
