"""The peers: N records mapped by the ten rules, JSON in and JSON out; prints the rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_mapping.py PEER FOLDER [--n 200000]

FOLDER is what `bench workload` wrote. The peers are plain Python between orjson's reading and writing, and three
languages for the rules, each with its rules compiled once and orjson around it.
"""

import argparse
import json
import resource
import time
from itertools import cycle, islice
from pathlib import Path

import orjson

KINDS = {"Nurses": "nurse", "Doctors": "physician", "Administration": "staff"}
DIRECT = {
    "userName": "username",
    "givenName": "firstName",
    "familyName": "lastName",
    "title": "title",
    "department": "department",
    "externalId": "id",
}
SWITCH = (
    "user.profile == 'Nurses' ? 'nurse' : user.profile == 'Doctors' ? 'physician' : "
    "user.profile == 'Administration' ? 'staff' : 'external'"
)


def plain():
    """As somebody would write it in Python for these ten rules."""

    def mapped(text):
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

    return mapped


def by_rules(rules):
    """Around rules that are functions of a user."""

    def mapped(text):
        user = orjson.loads(text)
        made = {name: rule(user) for name, rule in rules.items()}
        made["name"] = {"givenName": made.pop("givenName"), "familyName": made.pop("familyName")}
        return orjson.dumps(made)

    return mapped


def jinja2():
    """The templates of many tools."""
    from jinja2 import Environment

    environment = Environment()
    texts = {name: f"{{{{ user.{source} }}}}" for name, source in DIRECT.items()}
    texts["timezone"] = "Europe/Zurich"
    texts["preferredLanguage"] = "{{ user.language or 'en' }}"
    texts["email"] = "{{ user.firstName | lower }}.{{ user.lastName | lower }}@example.com"
    texts["userType"] = (
        "{% if user.profile == 'Nurses' %}nurse{% elif user.profile == 'Doctors' %}physician"
        "{% elif user.profile == 'Administration' %}staff{% else %}external{% endif %}"
    )
    templates = {name: environment.from_string(text) for name, text in texts.items()}
    return by_rules({name: (lambda user, one=one: one.render(user=user)) for name, one in templates.items()})


def expressions(lower):
    """The ten rules in CEL."""
    texts = {name: f"user.{source}" for name, source in DIRECT.items()}
    texts["timezone"] = "'Europe/Zurich'"
    texts["preferredLanguage"] = "user.language == null ? 'en' : user.language"
    texts["email"] = f"{lower('user.firstName')} + '.' + {lower('user.lastName')} + '@example.com'"
    texts["userType"] = SWITCH
    return texts


def rust_cel():
    """CEL by a Rust wheel."""
    import cel

    programs = {name: cel.compile(text) for name, text in expressions(lambda text: f"lower({text})").items()}

    def mapped(text):
        context = cel.Context()
        context.add_variable("user", orjson.loads(text))
        context.add_function("lower", str.lower)
        made = {name: program.execute(context) for name, program in programs.items()}
        made["name"] = {"givenName": made.pop("givenName"), "familyName": made.pop("familyName")}
        return orjson.dumps(made)

    return mapped


def python_cel():
    """CEL by a Python package."""
    import celpy

    environment = celpy.Environment()
    functions = {"lower": lambda text: celpy.celtypes.StringType(text.lower())}
    texts = expressions(lambda text: f"{text}.lower()")
    programs = {name: environment.program(environment.compile(text), functions) for name, text in texts.items()}

    def mapped(text):
        user = {"user": celpy.json_to_cel(orjson.loads(text))}
        made = {name: str(program.evaluate(user)) for name, program in programs.items()}
        made["name"] = {"givenName": made.pop("givenName"), "familyName": made.pop("familyName")}
        return orjson.dumps(made)

    return mapped


PEERS = {"orjson": plain, "jinja2": jinja2, "rust-cel": rust_cel, "python-cel": python_cel}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=200_000)
    arguments = parser.parse_args()
    mapped = PEERS[arguments.peer]()
    users = (arguments.folder / "users.ndjson").read_bytes().splitlines()
    accounts = (arguments.folder / "accounts.ndjson").read_bytes().splitlines()
    for user, account in zip(users, accounts, strict=True):
        if orjson.loads(mapped(user)) != orjson.loads(account):
            raise SystemExit("a user is mapped wrongly")
    started = time.perf_counter()
    for one in islice(cycle(users), arguments.n):
        mapped(one)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {"name": arguments.peer, "n": arguments.n, "rate": arguments.n / seconds, "peak_mib": peak}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
