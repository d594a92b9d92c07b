"""scim2-server's application with its data in memory, for gunicorn (HTTP/1.1, connections kept alive).

The token and the kind of paging come from the environment, SCIM_TOKEN and SCIM_PAGING (`index` or `cursor`).
"""

import os
import secrets

from scim2_models import ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)


def _configuration():
    configuration = load_default_service_provider_config()
    if os.environ.get("SCIM_PAGING") == "cursor":
        document = configuration.model_dump()
        document["pagination"] = {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": 100,
            "maxPageSize": 200,
            "cursorTimeout": 3600,
        }
        configuration = type(configuration).model_validate(document)
    configuration.authentication_schemes = [BEARER_TOKEN_SCHEME]
    return configuration


_provider = ScimProvider.from_discovery(
    load_default_schemas().values(), load_default_resource_types().values(), config=_configuration()
)

app = BearerTokenApplication(
    InMemoryStorage(),
    _provider,
    service=ScimService(_provider, secret=secrets.token_urlsafe(32)),
    bearer_tokens=[os.environ["SCIM_TOKEN"]],
)
