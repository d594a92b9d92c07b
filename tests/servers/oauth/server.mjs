// An OAuth 2.0 authorization server by others (oidc-provider) on a free loopback port. It says on one line where it is and hands
// out a first refresh token without a browser; it ends when its standard input is closed. Refresh tokens rotate, and one that
// is shown twice revokes its family. The argument is a PEM file with the key of the client `signs`.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const server = createServer();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
const jwk = createPublicKey(readFileSync(process.argv[2])).export({ format: "jwk" });
const secret = { client_secret: "lab-secret", redirect_uris: [], response_types: [] };
const provider = new Provider(issuer, {
  clients: [
    { ...secret, client_id: "lab", grant_types: ["client_credentials", "refresh_token", "authorization_code"], redirect_uris: ["https://client.example/cb"], response_types: ["code"], token_endpoint_auth_method: "client_secret_basic" },
    { ...secret, client_id: "posts", grant_types: ["client_credentials"], token_endpoint_auth_method: "client_secret_post" },
    { client_id: "signs", grant_types: ["client_credentials"], redirect_uris: [], response_types: [], token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [{ ...jwk, kid: "key-1", alg: "RS256", use: "sig" }] } },
  ],
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
  scopes: ["openid", "offline_access", "scim"],
  features: {
    clientCredentials: { enabled: true }, devInteractions: { enabled: false },
    resourceIndicators: { enabled: true, defaultResource: () => "urn:lab", useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: "scim", accessTokenTTL: 3, accessTokenFormat: "opaque" }) },
  },
  ttl: { AccessToken: 3, ClientCredentials: 3, RefreshToken: 3600, Grant: 3600, Session: 3600 },
  rotateRefreshToken: true,
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  cookies: { keys: ["lab-only"] },
});
server.on("request", provider.callback());

const client = await provider.Client.find("lab");
const grant = new provider.Grant({ clientId: "lab", accountId: "user" });
grant.addOIDCScope("openid offline_access");
grant.addResourceScope("urn:lab", "scim");
const first = new provider.RefreshToken({ client, accountId: "user", grantId: await grant.save(), scope: "openid offline_access scim", resource: "urn:lab", gty: "authorization_code", rotations: 0, iiat: Math.floor(Date.now() / 1000), expiresWithSession: false, claims: {} });
console.log(JSON.stringify({ token_endpoint: `${issuer}/token`, refresh_token: await first.save() }));
process.stdin.on("end", () => process.exit(0)).resume();
