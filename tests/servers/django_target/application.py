"""The application for gunicorn, with an empty database in the folder that SCIM_FOLDER names."""

import os
from pathlib import Path

from django.conf import settings

settings.configure(
    SECRET_KEY="for tests on loopback",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["django_scim", "django_target"],
    MIDDLEWARE=["django_target.adapters.Bearer", "django_scim.middleware.SCIMAuthCheckMiddleware"],
    ROOT_URLCONF="django_target.urls",
    AUTH_USER_MODEL="django_target.User",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(os.environ["SCIM_FOLDER"]) / "users.sqlite3"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
            },
        }
    },
    APPEND_SLASH=False,
    USE_TZ=True,
    SCIM_SERVICE_PROVIDER={
        "NETLOC": "127.0.0.1",
        "SCHEME": "http",
        "GROUP_MODEL": "django_target.models.Group",
        "GROUP_FILTER_PARSER": "django_target.adapters.GroupFilter",
        "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "Bearer", "description": "a static token"}],
    },
)

from django.core.wsgi import get_wsgi_application  # noqa: E402

app = get_wsgi_application()

from django.db import connection  # noqa: E402

from django_target.models import Group, User  # noqa: E402

with connection.schema_editor() as editor:
    editor.create_model(Group)
    editor.create_model(User)
