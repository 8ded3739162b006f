"""Gets tokens with an OAuth client of another house (PyPI `authlib`), and looks at them with its tools.

Reads one JSON object from standard input, {"issuer", "client", "redirect_uri", "cookie", "route", "confidential": {"id",
"secret"}, "service": {"id", "key"}}, and prints one:
    {"header", "claims", "id_claims", "userinfo", "status", "rotated", "revoked", "own", "exchanged", "service", "called",
    "introspected", "ended"}
"""

import json
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.core import UserInfo
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc.jwk import ECKey

ask = json.load(sys.stdin)
issuer = ask["issuer"]
metadata = AuthorizationServerMetadata(requests.get(issuer + "/.well-known/oauth-authorization-server").json())
algorithms = metadata["id_token_signing_alg_values_supported"]

session = OAuth2Session(
    ask["client"],
    token_endpoint_auth_method="none",
    redirect_uri=ask["redirect_uri"],
    scope="openid email reports:read",
    code_challenge_method="S256",
    token_endpoint=metadata["token_endpoint"],
    revocation_endpoint_auth_method="none",
)
verifier = "a-verifier-of-enough-characters-for-RFC-7636-and-more"
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-0S6")
answer = requests.get(url, headers={"cookie": ask["cookie"]}, allow_redirects=False)
assert answer.status_code == 303, answer.text
token = session.fetch_token(
    metadata["token_endpoint"],
    authorization_response=answer.headers["location"],
    state=state,
    code_verifier=verifier,
)

keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"]).json())
jwt = JsonWebToken(algorithms)
claims = jwt.decode(token["access_token"], keys)
claims.validate()
options = {
    "iss": {"essential": True, "value": issuer},
    "aud": {"essential": True, "value": ask["client"]},
    "nonce": {"essential": True, "value": "n-0S6"},
}
id_claims = jwt.decode(token["id_token"], keys, claims_options=options)
id_claims.validate()

status = session.get(ask["route"]).status_code
discovered = OpenIDProviderMetadata(requests.get(issuer + "/.well-known/openid-configuration").json())
# As the library's own client checks it (OpenID Connect Core 1.0, section 5.3.2).
answer = session.get(discovered["userinfo_endpoint"])
assert answer.status_code == 200, answer.text
userinfo = UserInfo(answer.json())
assert userinfo["sub"] == id_claims["sub"], userinfo

# One that can keep a secret: by HTTP Basic, for itself and for the person that it was called by.
endpoint = metadata["token_endpoint"]
confidential = OAuth2Session(
    ask["confidential"]["id"],
    ask["confidential"]["secret"],
    token_endpoint_auth_method="client_secret_basic",
)
own = confidential.fetch_token(endpoint, grant_type="client_credentials")
called = confidential.get(ask["route"]).status_code
exchanged = confidential.fetch_token(
    endpoint,
    grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token=token["access_token"],
    subject_token_type="urn:ietf:params:oauth:token-type:access_token",
)

# RFC 7662, as the library asks: before and after the token is revoked.
def introspect(access_token):
    answer = confidential.introspect_token(metadata["introspection_endpoint"], token=access_token)
    assert answer.status_code == 200, answer.text
    return answer.json()


introspected = introspect(token["access_token"])

# One that signs, with the library's own ideas of an assertion.
key = ECKey.import_key(ask["service"]["key"])
service = OAuth2Session(ask["service"]["id"], key, token_endpoint_auth_method="private_key_jwt")
service.register_client_auth_method(PrivateKeyJWT(endpoint, alg="ES256"))
signed = service.fetch_token(endpoint, grant_type="client_credentials")

refreshed = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
revoked = session.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"])
ended = introspect(refreshed["access_token"])

print(
    json.dumps(
        {
            "header": claims.header,
            "claims": dict(claims),
            "id_claims": dict(id_claims),
            "userinfo": dict(userinfo),
            "status": status,
            "rotated": refreshed["refresh_token"] != token["refresh_token"],
            "revoked": revoked.status_code,
            "own": dict(jwt.decode(own["access_token"], keys)),
            "called": called,
            "exchanged": dict(jwt.decode(exchanged["access_token"], keys)),
            "introspected": introspected,
            "ended": ended,
            "service": dict(jwt.decode(signed["access_token"], keys)),
        }
    )
)
