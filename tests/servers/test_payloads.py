"""What the engine sends is judged by somebody else's models of RFC 7643 and RFC 7644, those of scim2-models.

The payloads are written by `tests/tests/zoo.rs`. Run: .build/servers/bin/python -m unittest discover -s tests/servers
"""

import json
import unittest
from pathlib import Path

from scim2_models import Context, EnterpriseUser, PatchOp, User

PAYLOADS = Path(__file__).resolve().parent.parent / "data" / "zoo" / "payloads.json"
CONTEXTS = {
    "POST": Context.RESOURCE_CREATION_REQUEST,
    "PUT": Context.RESOURCE_REPLACEMENT_REQUEST,
    "PATCH": Context.RESOURCE_PATCH_REQUEST,
}
USER = User[EnterpriseUser]


def judged(method, body):
    """What the models make of a body; they raise where it is not valid."""
    model = PatchOp[USER] if method == "PATCH" else USER
    return model.model_validate(body, scim_ctx=CONTEXTS[method])


class Payloads(unittest.TestCase):
    def test_every_payload_is_valid_for_another_client(self):
        payloads = json.loads(PAYLOADS.read_text())
        self.assertGreater(len(payloads), 15)
        self.assertEqual({method for payload in payloads for method in payload}, set(CONTEXTS))
        for payload in payloads:
            for method, body in payload.items():
                with self.subTest(method=method, body=body):
                    read = judged(method, body)
                    if method == "PATCH":
                        self.assertEqual(len(read.operations), len(body["Operations"]))
                    else:
                        self.assertEqual(read.user_name, body["userName"])

    def test_the_models_can_refuse(self):
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        with self.assertRaises(ValueError):
            judged("PATCH", {"schemas": schemas, "Operations": [{"op": "erase", "path": "title"}]})
        with self.assertRaises(ValueError):
            judged("POST", {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "active": True})


if __name__ == "__main__":
    unittest.main()
