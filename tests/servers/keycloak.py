"""Keycloak's SCIM API: how it is started, and the realm with people that it gives to one client.

It is a preview: the realm says that it wants it, the client may manage users, and its tokens name the SCIM API as their audience.
Only what the realm's user profile has is kept of a person, and only under an annotation what is not Keycloak's own.
"""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

REALM = "tests"
# A test with a virtual clock asks for tokens by that; others would end in five minutes.
TOKEN_LIFE = 86_400
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_ADMINISTRATOR = "administrator"


def command(home, port):
    """The command line of a server on a loopback port. What it is called must not depend on who asks: tokens name it."""
    address = f"http://127.0.0.1:{port}"
    return [
        *(str(home / "bin" / "kc.sh"), "start", "--optimized", "--cache=local", f"--hostname={address}"),
        *("--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={port}", "--log-level=warn"),
    ]


def environment(secret):
    """What it is told beside: the first administrator's password."""
    return {"KC_BOOTSTRAP_ADMIN_USERNAME": _ADMINISTRATOR, "KC_BOOTSTRAP_ADMIN_PASSWORD": secret}


def token_url(port, realm=REALM):
    """Where a realm gives tokens."""
    return f"http://127.0.0.1:{port}/realms/{realm}/protocol/openid-connect/token"


def make_realm(port, client, secret):
    """Makes the realm, in a server that answers already."""
    form = {
        "grant_type": "password",
        "client_id": "admin-cli",
        "username": _ADMINISTRATOR,
        "password": secret,
    }
    request = urllib.request.Request(token_url(port, "master"), urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request, timeout=60.0) as answer:
        token = json.load(answer)["access_token"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/admin/realms",
        json.dumps(_realm(port, client, secret)).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=120.0).close()


def _realm(port, client, secret):
    audience = {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {
            "included.custom.audience": f"http://127.0.0.1:{port}/realms/{REALM}/scim/v2",
            "access.token.claim": "true",
        },
    }
    return {
        "realm": REALM,
        "enabled": True,
        "scimApiEnabled": True,
        "accessTokenLifespan": TOKEN_LIFE,
        "clients": [
            {
                "clientId": client,
                "secret": secret,
                "publicClient": False,
                "serviceAccountsEnabled": True,
                "standardFlowEnabled": False,
                "protocolMappers": [audience],
            }
        ],
        "users": [
            {
                "username": f"service-account-{client}",
                "enabled": True,
                "serviceAccountClientId": client,
                "clientRoles": {"realm-management": ["manage-users", "view-users", "query-users", "query-groups"]},
            }
        ],
        "components": {
            "org.keycloak.userprofile.UserProfileProvider": [
                {
                    "providerId": "declarative-user-profile",
                    "config": {"kc.user.profile.config": [json.dumps({"attributes": _attributes()})]},
                }
            ]
        },
    }


def _attributes():
    permissions = {"view": ["admin"], "edit": ["admin"]}
    own = ("username", "email", "firstName", "lastName")
    annotated = {"title": "title", "externalId": "externalId", "department": f"{ENTERPRISE}:department"}
    return [{"name": name, "permissions": permissions} for name in own] + [
        {"name": name, "permissions": permissions, "annotations": {"kc.scim.schema.attribute": attribute}}
        for name, attribute in annotated.items()
    ]
