"""The peers: the pages of a SCIM target read, fourteen fields of each account touched; prints the rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_pages.py msgspec|orjson|scim2-models FOLDER [--file pages.ndjson]

FOLDER is what `bench files` wrote. The pages are in memory before the clock starts.
"""

import argparse
import json
import resource
import time
from pathlib import Path

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def decoder():
    """msgspec's, with the fourteen fields as types."""
    import msgspec

    struct = msgspec.defstruct
    value = struct("Value", [("value", str)])
    name = struct("Name", [("givenName", str), ("familyName", str)])
    work = struct("Enterprise", [("department", str), ("costCenter", str)])
    plain = ("userName", "displayName", "title", "userType", "preferredLanguage", "timezone")
    account = struct(
        "Account",
        [
            ("id", str),
            *((one, str) for one in plain),
            ("name", name),
            ("emails", list[value]),
            ("phoneNumbers", list[value]),
            ("enterprise", work),
            ("active", bool),
            ("externalId", str | None, None),
        ],
        rename={"enterprise": ENTERPRISE},
    )
    page = struct("Page", [("Resources", list[account]), ("totalResults", int)])
    return msgspec.json.Decoder(page).decode


def msgspec():
    """Typed."""
    decode = decoder()

    def touched(page):
        for one in decode(page).Resources:
            yield (
                one.id,
                one.externalId,
                one.userName,
                one.active,
                one.emails[0].value,
                one.name.givenName,
                one.name.familyName,
                one.displayName,
                one.title,
                one.userType,
                one.preferredLanguage,
                one.timezone,
                one.phoneNumbers[0].value,
                one.enterprise.department,
            )

    return touched


def orjson():
    """Dictionaries."""
    import orjson

    def touched(page):
        for one in orjson.loads(page)["Resources"]:
            yield (
                one["id"],
                one.get("externalId"),
                one["userName"],
                one["active"],
                one["emails"][0]["value"],
                one["name"]["givenName"],
                one["name"]["familyName"],
                one["displayName"],
                one["title"],
                one["userType"],
                one["preferredLanguage"],
                one["timezone"],
                one["phoneNumbers"][0]["value"],
                one[ENTERPRISE]["department"],
            )

    return touched


def scim2_models():
    """The SCIM models that Python clients use."""
    from scim2_models import EnterpriseUser, ListResponse, User

    model = ListResponse[User[EnterpriseUser]]

    def touched(page):
        for one in model.model_validate_json(page).resources:
            yield (
                one.id,
                one.external_id,
                one.user_name,
                one.active,
                one.emails[0].value,
                one.name.given_name,
                one.name.family_name,
                one.display_name,
                one.title,
                one.user_type,
                one.preferred_language,
                one.timezone,
                one.phone_numbers[0].value,
                one[EnterpriseUser].department,
            )

    return touched


PEERS = {"msgspec": msgspec, "orjson": orjson, "scim2-models": scim2_models}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--file", default="pages.ndjson")
    arguments = parser.parse_args()
    pages = (arguments.folder / arguments.file).read_bytes().splitlines()
    touched = PEERS[arguments.peer]()
    count = 0
    started = time.perf_counter()
    for page in pages:
        for _ in touched(page):
            count += 1
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"name": arguments.peer, "n": count, "rate": count / seconds, "peak_mib": peak}))


if __name__ == "__main__":
    main()
