"""The peer: scim2-client creates N users, one after another, and prints its rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_scim2_client.py --url URL [--n 500]

Models are made before the clock starts; each answer is validated, as the client does by default.
"""

import argparse
import json
import resource
import time

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import EnterpriseUser, ResourceType, User


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--n", type=int, default=500)
    arguments = parser.parse_args()
    model = User[EnterpriseUser]
    scim = SyncSCIMClient(Client(base_url=arguments.url, timeout=60))
    scim.resource_models = (model,)
    scim.resource_types = [ResourceType.from_resource(model)]
    users = [model.model_validate(user(number)) for number in range(arguments.n)]
    started = time.perf_counter()
    for one in users:
        scim.create(one)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = arguments.n / seconds
    print(json.dumps({"name": "scim2-client", "n": arguments.n, "seconds": seconds, "rate": rate, "peak_mib": peak}))


if __name__ == "__main__":
    main()
