"""Canaille's application for gunicorn, with an empty database in the folder that SCIM_FOLDER names.

It takes tokens of its own authorization server alone: those of one client, whose secret is SCIM_TOKEN. SCIM_PORT is the
port that it is reached at, which it writes into its URLs.
"""

import datetime
import os
from pathlib import Path

from canaille import create_app
from canaille.app import models
from canaille.app.installation import install
from canaille.backends import Backend
from joserfc.jwk import RSAKey

CLIENT = "rollkeeper"
ADMINISTRATOR = "admin"

app = create_app(
    config={
        "SECRET_KEY": "for tests on loopback",
        "SERVER_NAME": f"127.0.0.1:{os.environ['SCIM_PORT']}",
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "sql"},
        "CANAILLE_SQL": {"DATABASE_URI": f"sqlite:///{Path(os.environ['SCIM_FOLDER']) / 'canaille.sqlite3'}"},
        "CANAILLE_SCIM": {"ENABLE_SERVER": True},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)]},
    }
)

with app.app_context(), Backend.instance.session():
    install(app)
    Backend.instance.save(
        models.Client(
            client_id=CLIENT,
            client_id_issued_at=datetime.datetime.now(datetime.timezone.utc),
            client_secret=os.environ["SCIM_TOKEN"],
            client_secret_expires_at=None,
            client_name=CLIENT,
            client_uri="http://127.0.0.1",
            grant_types=["client_credentials"],
            response_types=[],
            redirect_uris=[],
            scope=["openid", "profile"],
            token_endpoint_auth_method="client_secret_basic",
        )
    )
