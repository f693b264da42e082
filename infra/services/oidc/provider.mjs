// An OpenID provider (oidc-provider) for tests and developers: provider.mjs PORT PLAIN_PORT.
//
// Anybody may log in under any name, with any password. What follows a ~ in the name says what the provider knows: `ada` has
// the verified address ada@example.org, `ada~unverified` the same one unverified, `ada~nomail` none, `ada~other` is somebody else who
// is called the same, and `ada~2` somebody else who is called the same and has the same verified address.
import { Provider } from 'oidc-provider';
import { exportJWK, generateKeyPair } from 'jose';
import { standIn } from './plain.mjs';

const [port, plainPort] = process.argv.slice(2).map(Number);
const issuer = `http://127.0.0.1:${port}`;

const keys = {};
for (const alg of ['RS256', 'ES256', 'EdDSA']) {
  keys[alg] = await generateKeyPair(alg, { extractable: true });
}
const jwks = await Promise.all(
  Object.entries(keys).map(async ([alg, { privateKey }]) => ({ ...(await exportJWK(privateKey)), alg, kid: alg, use: 'sig' })),
);

// Of a native application any port on the loopback is taken (RFC 8252), and nothing else than the port may differ.
const client = (client_id, more = {}) => ({
  client_id,
  client_secret: 'secret',
  application_type: 'native',
  redirect_uris: ['test', 'second'].map((name) => `http://127.0.0.1/api/auth/oidc/${name}/callback`),
  token_endpoint_auth_method: 'client_secret_basic',
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    client('spool'),
    client('spool-es256', { id_token_signed_response_alg: 'ES256', token_endpoint_auth_method: 'client_secret_post' }),
    client('robot', { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] }),
  ],
  jwks: { keys: jwks },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username'],
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => claimsOf(id) }),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        scope: 'films',
        audience: resource.split(':')[1],
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: resource.split(':')[2] } },
      }),
    },
  },
  pkce: { required: () => true },
  cookies: { keys: ['for tests only'] },
});

function claimsOf(id) {
  const [name, mark] = id.split('~');
  const email = `${mark === 'other' ? `other.${name}` : name}@example.org`;
  const mail = mark === 'nomail' ? {} : { email, email_verified: mark !== 'unverified' };
  return { sub: id, name: `${name} of the tests`, preferred_username: name, ...mail };
}

// A server that is asked with keys of ours must be there before the one that is waited for.
standIn(issuer, keys).listen(plainPort, '127.0.0.1', () => provider.listen(port, '127.0.0.1'));
