"""What the demo's targets hold, read as they are: the SCIM servers over plain HTTP, the ticket system from its file.

Nothing here touches rollkeeper.
"""

import json
import sqlite3
import urllib.parse
import urllib.request

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PAGE = 50


def answer(target, path, body=None, method=None):
    """What a SCIM server answers to a GET; where there is a body, to a POST or to the method."""
    headers = {"Authorization": f"Bearer {target['token']}", "Content-Type": "application/scim+json"}
    data = body and json.dumps(body).encode()
    request = urllib.request.Request(target["base_url"] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read() or "null")


def scim_users(target):
    """Every user of a SCIM server, as the server shows it."""
    found, total = [], None
    while total is None or len(found) < total:
        query = urllib.parse.urlencode({"startIndex": len(found) + 1, "count": PAGE})
        page = answer(target, f"/Users?{query}")
        total = page["totalResults"]
        resources = page.get("Resources", [])
        if not resources and len(found) < total:
            raise OSError(f"the server listed {len(found)} of {total} accounts")
        found += resources
    return found


def scim_accounts(target):
    """Every account of a SCIM server as (external id, active, frozen, attributes)."""
    users = scim_users(target)
    people = {user["id"]: reference(user) for user in users}
    return [(reference(user), user.get("active"), False, flat(user, people)) for user in users]


def reference(user):
    """The person whose account it is; of an account that nobody linked, the login that was given by hand."""
    return user.get("externalId") or f"by hand: {user.get('userName')}"


def flat(user, people):
    """The attributes that the story is about. `people` tells whose the server's ids are, for the manager."""
    enterprise = user.get(ENTERPRISE, {})
    name = user.get("name", {})
    plain = ("userName", "displayName", "title", "userType", "preferredLanguage", "timezone")
    manager = enterprise.get("manager", {}).get("value")
    return {
        **{key: user.get(key) for key in plain},
        "givenName": name.get("givenName"),
        "familyName": name.get("familyName"),
        "workEmail": _work(user.get("emails", [])),
        "workPhone": _work(user.get("phoneNumbers", [])),
        **{key: enterprise.get(key) for key in ("department", "costCenter", "employeeNumber")},
        "manager": people.get(manager, manager),
    }


def _work(values):
    """The only value, which must be of type work; anything else is shown as it is, to be reported as a difference."""
    if not values:
        return None
    if len(values) == 1 and values[0].get("type") == "work":
        return values[0].get("value")
    return values


def ticket_accounts(target):
    """Every agent of the ticket system as (reference, active, frozen, attributes)."""
    connection = sqlite3.connect(f"file:{urllib.parse.quote(str(target['path']))}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT reference, login, full_name, mail, team, level, closed, suspended FROM agents"
    ).fetchall()
    connection.close()
    names = ("login", "fullName", "mail", "team", "level")
    return [(row[0], not row[6], bool(row[7]), dict(zip(names, row[1:6], strict=True))) for row in rows]


READERS = {"crm": scim_accounts, "care": scim_accounts, "tickets": ticket_accounts}
