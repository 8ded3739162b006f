"""Signs requests and verifies signatures with a library of another house (PyPI `http-message-signatures`).

Reads one JSON object per run from standard input and prints one to standard output:
    {"do": "sign", "method", "url", "headers", "body", "algorithm", "key_id", "key", "components", "nonce"} -> headers
    {"do": "verify", "method", "url", "headers", "body", "algorithm", "key_id", "key"} -> {"covered": [...]}
A key is PEM, or the text of a secret for `hmac-sha256`.
"""

import base64
import hashlib
import json
import sys
from types import SimpleNamespace

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

ask = json.load(sys.stdin)
algorithm = {
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "ed25519": algorithms.ED25519,
    "hmac-sha256": algorithms.HMAC_SHA256,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
    "rsa-v1_5-sha256": algorithms.RSA_V1_5_SHA256,
}[ask["algorithm"]]


class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id):
        key = ask["key"].encode()
        return key if ask["algorithm"] == "hmac-sha256" else load_pem_private_key(key, password=None)

    def resolve_public_key(self, key_id):
        assert key_id == ask["key_id"], key_id
        key = ask["key"].encode()
        return key if ask["algorithm"] == "hmac-sha256" else load_pem_public_key(key)


message = SimpleNamespace(method=ask["method"], url=ask["url"], headers=dict(ask["headers"]))
if ask["do"] == "sign":
    digest = base64.b64encode(hashlib.sha256(ask["body"].encode()).digest()).decode()
    message.headers["Content-Digest"] = f"sha-256=:{digest}:"
    HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys()).sign(
        message,
        key_id=ask["key_id"],
        covered_component_ids=ask["components"],
        nonce=ask["nonce"],
        label="theirs",
        use_existing_digest=True,
    )
    json.dump(message.headers, sys.stdout)
else:
    verifier = HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=Keys())
    (result,) = verifier.verify(message)
    digest = base64.b64encode(hashlib.sha256(ask["body"].encode()).digest()).decode()
    assert message.headers["content-digest"] == f"sha-256=:{digest}:", message.headers["content-digest"]
    json.dump({"covered": list(result.covered_components)}, sys.stdout)
