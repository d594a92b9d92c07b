"""Compares what the engine tells beforehand with what the SCIM servers hold, read over plain HTTP.

Each function gives one line per difference, and none where everything came as it was told.
"""

from targets import ENTERPRISE, answer, reference, scim_users

COMMON = {"id", "externalId", "meta"}
USER = "urn:ietf:params:scim:schemas:core:2.0:User"


def of_discovery(told, target):
    """What was discovered, and the server's own description of a user."""
    described = set()
    for schema in answer(target, "/Schemas")["Resources"]:
        if schema["id"] in (USER, ENTERPRISE):
            before = "" if schema["id"] == USER else f"{ENTERPRISE}:"
            for attribute in schema["attributes"]:
                described.add(before + attribute["name"])
                parts = attribute.get("subAttributes") or ()
                described |= {f"{before}{attribute['name']}.{part['name']}" for part in parts}
    yield from _sets("the server describes", described - COMMON, "discovered", {one["path"] for one in told} - COMMON)


def of_suggestions(told, expected):
    """What was proposed, target by target, and what a person would choose."""
    yield from _sets("a person would choose", set(expected.items()), "proposed", set(told.items()))


def of_preview(request, target, person):
    """The request that was foretold, and the account that the server has."""
    users = [user for user in scim_users(target) if reference(user) == person]
    if (request["method"], len(users)) != ("POST", 1):
        yield f"{request['method']} was foretold, and the server has {len(users)} accounts"
        return
    shown = {key: value for key, value in request["body"].items() if key != "schemas"}
    held = {key: _kept(users[0].get(key), value) for key, value in shown.items()}
    for key, value in shown.items():
        if held[key] != value:
            yield f"{key}: foretold {value!r}, held {held[key]!r}"


def _kept(held, told):
    """What the server holds, without what it or a later request adds of its own."""
    return {key: held.get(key) for key in told} if isinstance(told, dict) and isinstance(held, dict) else held


def snapshot(target):
    """What the server holds, account by account."""
    return {reference(user): {key: user[key] for key in user.keys() - {"meta"}} for user in scim_users(target)}


def of_impact(told, before, after):
    """The attributes foretold as {(person, attribute): (before, after)}, and how the server has changed."""
    happened = {
        (person, key): (before.get(person, {}).get(key), after.get(person, {}).get(key))
        for person in before.keys() | after.keys()
        for key in before.get(person, {}).keys() | after.get(person, {}).keys()
        if before.get(person, {}).get(key) != after.get(person, {}).get(key)
    }
    yield from _sets("happened", set(map(repr, happened.items())), "foretold", set(map(repr, told.items())))


def of_requests(told, made):
    """The requests or people that were told of, and those that there are."""
    yield from _sets("there", set(made), "told", set(told))


def _sets(one, ones, other, others):
    for missing in sorted(ones - others, key=str):
        yield f"{one} and not {other}: {missing}"
    for more in sorted(others - ones, key=str):
        yield f"{other} and not {one}: {more}"
