#!/usr/bin/env python3
"""Writes the first inputs of every target, from tests/data: seeds.py FOLDER."""
import hashlib
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
data = pathlib.Path(__file__).parent.parent / "tests/data"


def cases(name):
    for file in sorted((data / name).glob("*.json")):
        yield from json.loads(file.read_text())


def strings(value, key=None):
    """Every text in a document, with the key that it stands under."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from strings(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from strings(below, key)
    elif isinstance(value, str):
        yield key, value


def scenario_apps():
    for file in sorted((data / "scenarios").glob("*.json")):
        pending = [json.loads(file.read_text())]
        while pending:
            value = pending.pop()
            if isinstance(value, dict):
                if "connector" in value:
                    yield value
                pending.extend(value.values())
            elif isinstance(value, list):
                pending.extend(value)


mappings = list(cases("mapping"))
expressions = [case["expression"] for case in cases("expression")]
paths = [text for key, text in strings([mappings, list(cases("changes"))]) if key in ("target", "path")]
documents = [{key: case[key] for key in ("mapping", "user", "current", "last") if key in case} for case in mappings]
apps = list(scenario_apps())
apps += [{"id": "crm", "connector": {"kind": "mock"}, "mapping": case["mapping"]} for case in mappings]


def answers():
    """What targets answer in the cases of the SCIM connector, behind two bytes for the status and the `Location`."""
    for name in ("create", "read", "find", "list", "update", "failures", "groups"):
        for case in json.loads((data / f"scim/{name}.json").read_text()):
            for step in case["steps"]:
                for exchange in step.get("exchanges", []):
                    if "json" in exchange["answer"]:
                        yield "\0\0" + json.dumps(exchange["answer"]["json"])
    yield "\1\1https://crm.example.com/scim/Users/1\n"


def descriptions():
    """What targets say of themselves in the cases of discovery."""
    for name in ("discovery", "schema"):
        for case in json.loads((data / f"scim/{name}.json").read_text()):
            for step in case["steps"]:
                for exchange in step.get("exchanges", []):
                    if "json" in exchange["answer"]:
                        yield json.dumps(exchange["answer"]["json"])


seeds = {
    "expression": expressions + [text for key, text in strings(mappings) if key == "expression"],
    "mapping": [json.dumps(document) for document in documents],
    "path": paths,
    "filter": [text for _, text in strings([mappings, list(cases("matching"))])],
    "token": [
        json.dumps({"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r"}),
        json.dumps({"access_token": "a", "expires_in": "3600", "refresh_token_expires_in": 1e9, "scope": "scim"}),
        json.dumps({"error": "invalid_grant", "error_description": "gone"}),
    ],
    "definition": [json.dumps(app) for app in apps],
    "answer": list(answers()),
    "discovery": list(descriptions()),
    "wait": [
        "\0retry-after: 120",
        "\0retry-after: Sun, 06 Nov 1994 08:49:37 GMT\ndate: Sun, 06 Nov 1994 08:49:07 GMT",
        "\0retry-after: Sunday, 06-Nov-94 08:49:37 GMT\nretry-after-ms: 250",
        "\1x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795255230\ndate: Sat, 21 Nov 2026 10:00:00 GMT",
        '\2ratelimit-remaining: 0\nratelimit: "default";r=0;t=30',
    ],
}
for target, texts in seeds.items():
    (folder / target).mkdir(parents=True, exist_ok=True)
    for text in texts:
        content = text.encode()
        (folder / target / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
