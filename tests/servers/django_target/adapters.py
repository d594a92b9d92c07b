"""What filters of groups may name, and who may ask. Of users, filters may name what django-scim2 says: names and `active`."""

import hmac
import os

from django_scim.filters import GroupFilterQuery


class GroupFilter(GroupFilterQuery):
    attr_map = {("displayName", None, None): "name"}


class _Caller:
    is_authenticated = True


class Bearer:
    """Lets in who has the token of the environment, SCIM_TOKEN."""

    def __init__(self, get_response):
        self._get_response = get_response
        self._expected = f"Bearer {os.environ['SCIM_TOKEN']}"

    def __call__(self, request):
        if hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._expected.encode()):
            request.user = _Caller()
        return self._get_response(request)
