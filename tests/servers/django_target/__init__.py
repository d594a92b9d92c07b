"""A small Django project that serves django-scim2: another implementation than scim2-server, with a database behind it."""
