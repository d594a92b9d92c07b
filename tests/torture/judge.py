"""What became of a tortured file: which promises were broken, and where the kills fell."""

from collections import Counter, defaultdict
from itertools import pairwise


def findings(acknowledged, requests, accounts):
    """What is wrong: (duplicates, lost, everything else), a line each.

    `acknowledged` are the users whom the engine has told to be stored, by id; `active` is None where that is not known.
    """
    owners = Counter(account["attributes"].get("externalId") for account in accounts)
    duplicates = [f"{user} has {number} accounts" for user, number in sorted(owners.items()) if number > 1]
    shown = {account["attributes"].get("externalId"): account for account in accounts}
    created = {one["user"] for one in requests if (one["operation"], one["state"]) == ("Create", "Completed")}
    # Who left before the account was made needs none: the Create is taken back, or, where it may have been sent, the
    # account is looked for, not found and not made. Then there is nothing to deactivate. Nobody else is spared.
    left = {user for user, wanted in acknowledged.items() if wanted["active"] is not True}
    spared = {user for user in left if user not in shown and user not in created}
    other = [
        f"{one['user']}: {one['operation']} ended as {one['state']}"
        for one in requests
        if one["state"] != "Completed" and not _is_harmless(one, spared, left)
    ]
    lost = []
    for user, wanted in acknowledged.items():
        if user in spared:
            continue
        if user not in created:
            lost.append(f"{user} was acknowledged and has no completed Create")
        if user not in shown:
            lost.append(f"{user} was acknowledged and has no account")
            continue
        if shown[user]["attributes"].get("userName") != wanted["username"]:
            other.append(f"{user} does not have the wanted name")
        if owners[user] == 1 and wanted["active"] not in (None, shown[user]["active"]):
            other.append(f"{user} has left and is still active" if shown[user]["active"] else f"{user} is disabled")
    return duplicates, lost, other


def _is_harmless(request, spared, left):
    end = (request["operation"], request["state"])
    not_made = {("Create", "Cancelled"), ("Create", "Failed"), ("Deactivate", "Cancelled")}
    if request["user"] in spared and end in not_made:
        return True
    # A leaver's Create that was taken back may stand before one that was made after all.
    return request["user"] in left and end == ("Create", "Cancelled")


def unsettled(received, opened):
    """The lives that died between a send and its settle: the target had received a write, and the file knew no outcome.

    `received` are the writes that the target received, `opened` are (life, the requests that were open when it opened).
    """
    writes = defaultdict(set)
    for write in received:
        # What the target dropped was answered with a closed connection. That is an outcome, though none that says much.
        if "done" in write:
            about = write["key"] if write["do"] == "create" else write.get("user")
            writes[write["life"]].add((write["do"], about))
    between = set()
    # A life that was killed before it opened has sent nothing.
    for (life, _), (_, left) in pairwise(opened):
        creates = {("create", one["id"]) for one in left if one["operation"] == "Create"}
        removals = {("set_active", one["user"]) for one in left if one["operation"] == "Deactivate"}
        if writes[life] & (creates | removals):
            between.add(life)
    return between


def landed_late(received, deaths):
    """How many writes took effect after the life that sent them had ended. `deaths` are times by life."""
    return sum(1 for write in received if write.get("done", 0.0) > deaths.get(write["life"], float("inf")))
