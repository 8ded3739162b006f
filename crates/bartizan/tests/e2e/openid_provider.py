"""An OpenID provider of another house: the authorization server of PyPI `authlib`, with one client and one person.

Takes the client's id, its secret, and where it is answered (`redirect_uri`) as arguments, listens on a port of its own, and
prints the issuer on a line. Whoever comes is the one person. Ends with its standard input.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import KeySet, RSAKey

client_id, client_secret, redirect_uri = sys.argv[1:]
keys = KeySet([RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "first"})])
codes = {}


class Client(ClientMixin):
    id_token_signed_response_alg = "RS256"

    def get_client_id(self):
        return client_id

    def get_default_redirect_uri(self):
        return redirect_uri

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, uri):
        return uri == redirect_uri

    def check_client_secret(self, secret):
        return secret == client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


class Person:
    id = "company-7"

    def get_user_id(self):
        return self.id


class Code:
    def __init__(self, request):
        asked = request.payload.data
        self.nonce = asked.get("nonce")
        self.redirect_uri = asked["redirect_uri"]
        self.scope = asked["scope"]
        self.code_challenge = asked.get("code_challenge")
        self.code_challenge_method = asked.get("code_challenge_method")
        self.auth_time = int(time.time())

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return self.auth_time

    def get_acr(self):
        return None

    def get_amr(self):
        return ["pwd"]


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

    def save_authorization_code(self, code, request):
        codes[code] = Code(request)

    def query_authorization_code(self, code, client):
        return codes.get(code)

    def delete_authorization_code(self, authorization_code):
        codes.clear()

    def authenticate_user(self, authorization_code):
        return Person()


class IdToken(OpenIDCode):
    def exists_nonce(self, nonce, request):
        return any(code.nonce == nonce for code in codes.values())

    def get_client_claims(self, client):
        return {"iss": issuer, "aud": [client_id]}

    def resolve_client_private_key(self, client):
        return keys

    def generate_user_info(self, user, scope):
        return UserInfo(sub=user.id, name="Ada", email="ada@company.test", email_verified=True)


class Request(OAuth2Request):
    def __init__(self, method, uri, headers, asked):
        super().__init__(method, uri, headers=headers)
        self.payload = BasicOAuth2Payload(asked)

    @property
    def args(self):
        return self.payload.data

    @property
    def form(self):
        return self.payload.data


class Provider(AuthorizationServer):
    def query_client(self, asked):
        return Client() if asked == client_id else None

    def save_token(self, token, request):
        pass

    def send_signal(self, name, *args, **kwargs):
        pass

    def create_oauth2_request(self, request):
        return request

    def handle_response(self, status, body, headers):
        return status, body, headers


class Handler(BaseHTTPRequestHandler):
    def asked(self, asked):
        return Request(self.command, issuer + self.path, self.headers, asked)

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            self.answer(200, metadata, [])
        elif parts.path == "/keys":
            self.answer(200, keys.as_dict(private=False), [])
        else:
            request = self.asked(dict(parse_qsl(parts.query)))
            grant = provider.get_consent_grant(request=request, end_user=Person())
            self.answer(*provider.create_authorization_response(request=request, grant_user=Person(), grant=grant))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.answer(*provider.create_token_response(self.asked(dict(parse_qsl(body)))))

    def answer(self, status, body, headers):
        body = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-type" for name, _ in headers):
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
issuer = f"http://127.0.0.1:{server.server_port}"
metadata = {
    "issuer": issuer,
    "authorization_endpoint": issuer + "/authorize",
    "token_endpoint": issuer + "/token",
    "jwks_uri": issuer + "/keys",
    "response_types_supported": ["code"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic"],
}
provider = Provider()
provider.register_grant(CodeGrant, [CodeChallenge(required=True), IdToken(require_nonce=True)])
provider.register_token_generator("default", BearerTokenGenerator(lambda *_, **__: "an-access-token"))
threading.Thread(target=server.serve_forever, daemon=True).start()
print(issuer, flush=True)
sys.stdin.read()
