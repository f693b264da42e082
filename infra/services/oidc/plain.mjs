// A provider of plain OAuth 2.0 in the manner of GitHub, whose own is a service that cannot be started here: this stands in
// for it, with the paths and fields of its documentation. Beside that, what only tests want: tokens with any content signed by
// the OpenID provider's keys, and tokens of ours verified by a library that is not ours.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { SignJWT, UnsecuredJWT, createRemoteJWKSet, exportSPKI, generateKeyPair, jwtVerify } from 'jose';

const CLIENT = { id: 'spool', secret: 'secret' };

export function standIn(issuer, keys) {
  const codes = new Map();
  const people = new Map();

  const routes = {
    'GET /login/oauth/authorize': (asked) => ({
      html: `<form method="post" action="/login/oauth/authorize?${asked.query}"><input name="login"></form>`,
    }),
    'POST /login/oauth/authorize': ({ query, form }) => {
      if (query.get('client_id') !== CLIENT.id) return { status: 404, json: { error: 'no such application' } };
      const code = randomBytes(12).toString('hex');
      codes.set(code, { login: form.get('login'), challenge: query.get('code_challenge'), redirect: query.get('redirect_uri') });
      const back = new URL(query.get('redirect_uri'));
      back.searchParams.set('code', code);
      back.searchParams.set('state', query.get('state'));
      return { location: back.href };
    },
    // Errors come with status 200, as GitHub has it.
    'POST /login/oauth/access_token': ({ form, basic }) => {
      const known = codes.get(form.get('code'));
      codes.delete(form.get('code'));
      const [id, secret] = basic ?? [form.get('client_id'), form.get('client_secret')];
      if (id !== CLIENT.id || secret !== CLIENT.secret) return { json: { error: 'incorrect_client_credentials' } };
      const hash = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
      if (!known || known.challenge !== hash || known.redirect !== form.get('redirect_uri')) {
        return { json: { error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' } };
      }
      const access_token = `gho_${randomBytes(12).toString('hex')}`;
      people.set(access_token, known.login);
      return { json: { access_token, token_type: 'bearer', scope: 'read:user,user:email' } };
    },
    'GET /user': (asked) => person(asked, (login) => ({ id: number(login), login: login.split('~')[0], name: null, email: null })),
    'GET /user/emails': (asked) =>
      person(asked, (login) => [
        { email: `${login.split('~')[0]}@users.noreply.example`, primary: false, verified: true },
        { email: `${login.split('~')[0]}@example.org`, primary: true, verified: !login.endsWith('~unverified') },
      ]),

    'POST /forge': async ({ json }) => ({ json: { token: await forged(json, issuer, keys) } }),
    'POST /verify': async ({ json }) => {
      const verified = await jwtVerify(json.token, createRemoteJWKSet(new URL(json.jwks)), { issuer: json.issuer });
      return { json: { payload: verified.payload, header: verified.protectedHeader } };
    },
  };

  function person({ bearer }, shown) {
    const login = people.get(bearer);
    return login ? { json: shown(login) } : { status: 401, json: { message: 'Bad credentials' } };
  }

  return createServer(async (request, response) => {
    const url = new URL(request.url, 'http://stand-in');
    const route = routes[`${request.method} ${url.pathname}`];
    let answer;
    try {
      answer = route ? await route(await read(request, url)) : { status: 404, json: { message: 'Not Found' } };
    } catch (error) {
      answer = { status: 400, json: { message: String(error) } };
    }
    const { status = answer.location ? 302 : 200, location, html, json } = answer;
    const type = html === undefined ? 'application/json' : 'text/html';
    response.writeHead(status, { 'content-type': type, ...(location ? { location } : {}) });
    response.end(html ?? (json === undefined ? '' : JSON.stringify(json)));
  });
}

async function read(request, url) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const [scheme, credentials = ''] = (request.headers.authorization ?? '').split(' ');
  const is = (name) => scheme.toLowerCase() === name;
  return {
    query: url.searchParams,
    form: new URLSearchParams(body),
    json: request.headers['content-type'] === 'application/json' ? JSON.parse(body) : {},
    bearer: is('bearer') ? credentials : undefined,
    basic: is('basic') ? Buffer.from(credentials, 'base64').toString().split(':').map(decodeURIComponent) : undefined,
  };
}

function number(login) {
  return createHash('sha256').update(login).digest().readUInt32BE();
}

// A token with these claims over good ones: signed as asked, or in one of the ways that must not be believed.
async function forged({ alg, claims = {}, kid = alg }, issuer, keys) {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, aud: 'films', sub: 'forged', iat: now, exp: now + 600, ...claims };
  if (alg === 'none') return new UnsecuredJWT(all).encode();
  if (alg === 'HS256') {
    // The old trick: the public key, which everybody has, as the secret.
    const secret = await exportSPKI(keys.RS256.publicKey);
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ alg, kid: 'RS256' })}.${part(all)}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  }
  const signer = alg === 'stranger' ? (await generateKeyPair('RS256')).privateKey : keys[alg].privateKey;
  return new SignJWT(all).setProtectedHeader({ alg: alg === 'stranger' ? 'RS256' : alg, kid: alg === 'stranger' ? 'RS256' : kid }).sign(signer);
}
