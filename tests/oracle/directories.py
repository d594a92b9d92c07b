"""Random directories for the oracle: users, accounts and links with everything mixed that goes wrong. The same seed gives
the same directory."""

import json
import random

NOW = "2026-03-01T12:00:00Z"

# Texts of which some are the same to a normalisation and not to the next: letter case with and without a fold of its own,
# composed and decomposed, compatibility forms, characters beyond the first plane.
FAMILY = [
    "Müller", "Mu\u0308ller", "MÜLLER", "Muller", "Strasse", "Straße", "STRASSE", "Σίσυφος", "ΣΊΣΥΦΟΣ", "İpek", "ıpek",
    "ﬁnn", "finn", "Ｌｅｅ", "Lee", "𠮷田", "吉田", "Иванов", "ИВАНОВ", "O'Neil", "Ng", "de la Cruz", "Ǆemal", "ǆemal",
]
GIVEN = ["Ada", "ada", "Zoë", "Zoe\u0308", "Ann", "Anne", "Jan", "Ján", "李", "Ольга", "Mia", "Max"]
BLANK = ["", " ", "\u00a0", None]
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

EMAIL = {"user": "email", "account": "emails[type eq \"work\"].value", "normalize": ["trim", "casefold"]}
ANY_EMAIL = {"user": "emails", "account": "emails.value", "normalize": ["casefold"]}
NUMBER = {"user": "number", "account": f"{ENTERPRISE}:employeeNumber"}
NAME = {"user": "username", "account": "userName", "normalize": ["casefold"]}
PHONE = {"user": "phone", "account": "phoneNumbers.value", "normalize": ["digits"]}
LAST = {"user": "name.last", "account": "name.familyName", "normalize": ["nfkc", "casefold"]}
BORN = {"user": "born", "account": "born"}

MATCHING = [
    [{"all": [NUMBER]}],
    [{"all": [EMAIL]}],
    [{"all": [NUMBER]}, {"all": [EMAIL]}],
    [{"all": [NAME]}, {"all": [PHONE, LAST]}],
    [{"all": [ANY_EMAIL]}, {"all": [NUMBER, BORN]}],
    [],
    {"rules": [{"tier": 1, "all": [NUMBER, BORN]},
               {"tier": 2, "confidence": 0.4, "all": [NUMBER]},
               {"tier": 2, "confidence": 0.4, "all": [BORN, {**LAST, "similar": {"levenshtein": 2}}]},
               {"tier": 2, "confidence": 0.3, "all": [EMAIL]}], "certain": 0.7, "candidate": 0.3},
    {"rules": [{"confidence": 0.5, "all": [EMAIL]}, {"confidence": 0.5, "all": [NUMBER]},
               {"confidence": 0.333, "all": [BORN, {**LAST, "similar": {"trigram": 0.3}}]}]},
    {"rules": [{"tier": 7, "confidence": 0.6, "all": [BORN, LAST]}, {"tier": 7, "confidence": 0.6, "all": [NAME]}],
     "certain": 0.9, "candidate": 0.5},
]


def mapping(chance):
    """A random mapping, of which every directory has another."""
    rules = [{"target": "userName", "source": "username", "required": chance.random() < 0.3}]
    more = [
        {"target": "name.familyName", "source": "name.last"},
        {"target": "title", "source": "title", "on_null": "clear"},
        {"target": "displayName", "source": "display", "default": {"value": "Nobody"}},
        {"target": "nickName", "source": "nick", "blank": "null", "on_null": "clear"},
        {"target": f"{ENTERPRISE}:department", "source": "department"},
        {"target": "emails[type eq \"work\"].value", "source": "email"},
        {"target": "userType", "constant": "Employee"},
        {"target": "roles", "source": "roles"},
        {"target": "locale", "source": "locale", "apply": chance.choice(["create", "update"])},
        {"target": "timezone", "source": "zone", "default": {"value": "UTC", "when": "create"},
         "on_null": chance.choice(["skip", "default"])},
    ]
    for rule in chance.sample(more, chance.randint(0, len(more))):
        rules.append({**rule, "strength": chance.choice(["normal", "normal", "strong", "weak"])})
    if chance.random() < 0.3:
        # A weak rule does not say whether the account's mail is to be written over; two rules on one path are refused.
        rules[0]["strength"] = "strong"
    return rules


def options(chance):
    found = {
        "now": NOW,
        "matching": chance.choice(MATCHING),
        "mapping": mapping(chance),
        "assigned_to": chance.choice([
            {"profiles": ["Staff"]}, {"profiles": ["Staff"], "permission_sets": ["CRM"]},
            {"permission_set_groups": ["Sales"]}, {"profiles": ["Staff", "Guest"], "permission_set_groups": ["Sales"]},
        ]),
        "complete": chance.random() < 0.85,
    }
    if chance.random() < 0.25:
        found["scope"] = "user.country == 'DE'"
    return found


def person(chance, number):
    """One user, ordinary or odd."""
    last, given = chance.choice(FAMILY), chance.choice(GIVEN)
    name = f"{given}.{last}{number}" if chance.random() < 0.7 else f"{given}.{last}"
    user = {
        "id": f"u{number}", "username": name, "email": f"{name}@example.com", "number": str(1000 + number),
        "name": {"last": last, "first": given}, "born": f"19{chance.randint(60, 62)}-0{chance.randint(1, 9)}-01",
        "phone": f"+49 30-{number // 2}", "profile": chance.choice(["Staff", "Staff", "Staff", "Guest", "Other"]),
        "title": chance.choice(["Clerk", "clerk", "Chief", "Cafe\u0301", "Café"]), "display": f"{given} {last}",
        "department": chance.choice(["IT", "HR"]), "roles": chance.sample(["a", "b", "c"], chance.randint(0, 3)),
        "locale": chance.choice(["de", "en"]), "zone": "CET", "nick": chance.choice(["x", "", "y"]),
        "country": chance.choice(["DE", "DE", "DE", "FR"]),
    }
    user["emails"] = chance.choice([[user["email"]], [user["email"], f"{number % 7}@old.example"], user["email"]])
    if chance.random() < 0.3:
        user["permission_sets"] = chance.choice([["CRM"], ["X", "CRM"], ["X"], []])
    if chance.random() < 0.8:
        user["permission_set_groups"] = chance.choice([["Sales"], ["Sales"], ["Other"]])
    odd(chance, user)
    return user


def odd(chance, user):
    if chance.random() < 0.12:
        user["active"] = False
    if chance.random() < 0.06:
        user["frozen"] = True
    if chance.random() < 0.08:
        key, time = chance.choice([("valid_from", "2026-02-01T00:00:00Z"), ("valid_from", "2026-04-01T00:00:00+02:00"),
                                   ("valid_until", "2026-02-28T23:59:59Z"), ("valid_until", NOW), ("valid_from", NOW)])
        user[key] = time
    for key in chance.sample(["email", "number", "username", "title", "phone", "country", "born", "display", "zone"], 2):
        if chance.random() < 0.12:
            user[key] = chance.choice(BLANK)
    if chance.random() < 0.03 and (user["number"] or "").isdigit():
        user["number"] = int(user["number"])
    for key in ("title", "country", "display", "zone", "username"):
        if chance.random() < 0.04:
            user.pop(key, None)


def collide(chance, users):
    """Gives some users what another one has, so that several match."""
    for _ in range(len(users) // 8):
        one, other = chance.choice(users), chance.choice(users)
        key = chance.choice(["email", "number", "username", "phone", "born"])
        if other.get(key) is not None and key in one:
            one[key] = other[key]
            if key == "email":
                one["emails"] = other["emails"]


def account_for(chance, user, number):
    """The account that a user's record asks for, as a SCIM resource or as connectors show it."""
    attributes = {
        "userName": user.get("username"), "title": user.get("title"), "displayName": user.get("display"),
        "name": {"familyName": user["name"]["last"], "givenName": user["name"]["first"]},
        "emails": [{"type": "work", "value": user.get("email")}], "born": user.get("born"), "userType": "Employee",
        "phoneNumbers": [{"value": user.get("phone")}], "roles": list(user["roles"]), "locale": user["locale"],
        "nickName": user["nick"] or None, "timezone": user.get("zone"),
        ENTERPRISE: {"employeeNumber": user.get("number"), "department": user["department"]},
    }
    attributes = {key: value for key, value in attributes.items() if value is not None}
    return {"external_id": f"a{number}", "active": True, "frozen": False, "attributes": attributes}


def rewrite(chance, text):
    """A text as somebody else writes it."""
    if not isinstance(text, str):
        return text
    return chance.choice([str.upper, str.lower, str.title, lambda one: f" {one}", lambda one: one[:-1], lambda one: one])(text)


def change(chance, attributes):
    """What somebody did to an account behind our back."""
    for _ in range(chance.randint(1, 3)):
        key = chance.choice(["title", "displayName", "userName", "roles", "nickName", "timezone", "department", "mail", "born",
                             "userType", "locale", "familyName"])
        if key == "roles":
            attributes["roles"] = chance.choice([[], ["c", "b", "a"], ["a"], ["z"], list(reversed(attributes.get("roles", [])))])
        elif key == "department":
            attributes[ENTERPRISE]["department"] = chance.choice(["IT", "HR", "XX", None])
        elif key == "familyName":
            attributes["name"]["familyName"] = chance.choice(FAMILY)
        elif key == "mail":
            attributes["emails"] = chance.choice([
                [], [{"type": "home", "value": "h@example.com"}] + attributes["emails"],
                [{"type": "Work", "value": rewrite(chance, one.get("value"))} for one in attributes["emails"]],
            ])
        elif key in attributes and chance.random() < 0.3:
            del attributes[key]
        else:
            attributes[key] = chance.choice(["changed", "", None, rewrite(chance, attributes.get(key))])


def applied(chance, attributes):
    """What was last applied: what is there, less, or something older."""
    last = json.loads(json.dumps(attributes))
    if chance.random() < 0.6:
        change(chance, last)
        last["title"] = chance.choice([last.get("title"), "Former"])
        last["displayName"] = chance.choice([last.get("displayName"), "Former"])
    for key in chance.sample(sorted(last), chance.randint(0, 2)):
        if chance.random() < 0.3:
            del last[key]
    return last


def link(chance, user, account, attributes):
    found = {"user": user, "account": account}
    state = chance.choices(["Linked", "Ignored", "Duplicate", "Orphaned", None], [80, 5, 4, 4, 7])[0]
    if state is not None:
        found["state"] = state
    if chance.random() < 0.1:
        found["known"] = True
    if chance.random() < 0.7:
        found["last"] = applied(chance, attributes)
    if chance.random() < 0.5:
        found["active"], found["frozen"] = chance.random() < 0.7, chance.random() < 0.3
    if chance.random() < 0.04:
        found["deleted"] = True
    if state in ("Duplicate", "Orphaned") and chance.random() < 0.7:
        del found["user"]
    return found


def broken(chance, line):
    """A record that cannot be read."""
    return chance.choice([line[:-2], "null", "7", '{"id": ""}', '{"id": []}', "{}", "nonsense", '"u1"'])


def directory(seed):
    """A random directory of 1 to 500 users, small ones more often."""
    chance = random.Random(seed)
    size = chance.choices([chance.randint(1, 5), chance.randint(5, 40), chance.randint(40, 150), chance.randint(150, 500)],
                          [25, 45, 25, 5])[0]
    given = options(chance)
    users = [person(chance, number) for number in range(size)]
    collide(chance, users)
    accounts, links = [], []
    for number, user in enumerate(users):
        copies = chance.choices([0, 1, 2], [18, 75, 7])[0]
        for copy in range(copies):
            account = account_for(chance, user, number + copy * 1000)
            if chance.random() < 0.08:
                account["active"] = False
            if chance.random() < 0.05:
                account["frozen"] = True
            is_linked = copy == 0 and chance.random() < 0.6
            if is_linked:
                links.append(link(chance, user["id"], account["external_id"], account["attributes"]))
            if chance.random() < 0.35:
                change(chance, account["attributes"])
            if not is_linked or chance.random() < 0.93:
                accounts.append(account)
    foreign(chance, users, accounts, links)
    return lines(chance, given, users, accounts, links)


def foreign(chance, users, accounts, links):
    """Accounts of nobody, links to users who are gone, links to another's account, protected accounts."""
    for number in range(chance.randint(0, 1 + len(users) // 10)):
        stranger = person(chance, 5000 + number)
        account = account_for(chance, stranger, 5000 + number)
        accounts.append(account)
        if chance.random() < 0.5:
            links.append({"user": f"gone{number}", "account": account["external_id"]})
    taken = {one.get("user") for one in links}
    free = [one["id"] for one in users if one["id"] not in taken]
    listed = {one["account"] for one in links}
    for account in accounts:
        if free and account["external_id"] not in listed and chance.random() < 0.05:
            links.append({"user": free.pop(), "account": account["external_id"]})


def plain(chance, account):
    """The same account as a SCIM resource or a row of a table."""
    if chance.random() < 0.1:
        return {"id": account["external_id"], "active": account["active"], **account["attributes"]}
    if chance.random() < 0.1:
        account = {**account, "attributes": dict(account["attributes"])}
        account["username"] = account["attributes"].pop("userName", "nobody")
    if account["active"] and chance.random() < 0.5:
        account = {key: value for key, value in account.items() if key != "active"}
    return account


def lines(chance, given, users, accounts, links):
    """The directory as lines, shuffled, with what cannot be read."""
    protected = [one["external_id"] for one in accounts if chance.random() < 0.03]
    if protected or chance.random() < 0.5:
        given["protected"] = {"external_ids": protected}
    accounts = [plain(chance, account) for account in accounts]
    for records in (users, accounts, links):
        chance.shuffle(records)
    found = {"options": given}
    for name, records in (("users", users), ("accounts", accounts), ("links", links)):
        found[name] = [json.dumps(record, ensure_ascii=chance.random() < 0.5) for record in records]
    if chance.random() < 0.12 and found["accounts"]:
        repeated = chance.choice(found["accounts"])
        found["accounts"].insert(chance.randint(0, len(found["accounts"])), repeated.replace("1", "2") if chance.random() < 0.2 else repeated)
    for name in ("users", "accounts"):
        if chance.random() < 0.05 and len(found[name]) > 1:
            # A text that begins with half an object is read as one that goes on over the next lines.
            place = chance.randrange(1, len(found[name]))
            found[name].insert(place, broken(chance, found[name][place]))
    if chance.random() < 0.03 and found["users"]:
        found["users"].append(chance.choice(found["users"]))
    return found
