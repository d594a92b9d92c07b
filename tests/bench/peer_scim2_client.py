"""The peer: scim2-client creates N users, one after another, and lists those and so many others that are there; it prints
its rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_scim2_client.py --url URL [--n 500] [--listed 4500] [--page 500]

Models are made before the clock starts; each answer is validated, as the client does by default.
"""

import argparse
import json
import resource
import time

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import EnterpriseUser, ResourceType, SearchRequest, User


def user(number):
    """The same user as in `tests/src/bin/bench/workload.rs`."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": f"user{number}@example.com",
        "externalId": f"e{number}",
        "active": True,
        "displayName": f"Given{number} Family{number}",
        "name": {"givenName": f"Given{number}", "familyName": f"Family{number}"},
        "emails": [{"value": f"user{number}@example.com", "type": "work"}],
    }


def listed(scim, model, size):
    """How many users a listing of everybody gives."""
    count = 0
    while True:
        page = scim.query(model, query_parameters=SearchRequest(start_index=count + 1, count=size))
        count += len(page.resources or [])
        if not page.resources or count >= page.total_results:
            return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--listed", type=int, default=0, help="how many others are there; without it nobody is listed")
    parser.add_argument("--page", type=int, default=500)
    arguments = parser.parse_args()
    model = User[EnterpriseUser]
    scim = SyncSCIMClient(Client(base_url=arguments.url, timeout=60))
    scim.resource_models = (model,)
    scim.resource_types = [ResourceType.from_resource(model)]
    users = [model.model_validate(user(number)) for number in range(arguments.n)]
    started = time.perf_counter()
    for one in users:
        scim.create(one)
    if arguments.listed:
        count = listed(scim, model, arguments.page)
        assert count == arguments.n + arguments.listed, count
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = arguments.n / seconds
    print(json.dumps({"name": "scim2-client", "n": arguments.n, "seconds": seconds, "rate": rate, "peak_mib": peak}))


if __name__ == "__main__":
    main()
