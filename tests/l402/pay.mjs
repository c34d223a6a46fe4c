// Pays a coordinator's labeling service by L402, as a client that no one here wrote does it.
//
//   node pay.mjs walk                   one session: open, train, decide, top up, replay, close
//   node pay.mjs buy COUNT              opens and closes sessions, some at once
//   node pay.mjs offer                  prints an offer, and pays nothing
//   node pay.mjs open TOKEN PREIMAGE    tries a credential
//
// It prints one JSON object. API is the coordinator's address. LND, MACAROON and NODE_EXTRA_CA_CERTS
// are the payer's node: address, macaroon in hexadecimal, and file with the certificate.
import assert from "node:assert/strict";
import { fetchWithL402, parseL402 } from "@getalby/lightning-tools/402/l402";

const { API, LND, MACAROON } = process.env;
const SESSIONS = `${API}/v1/label/sessions`;
const JSON_TYPE = { "content-type": "application/json" };
const AT_ONCE = 8;

const wallet = {
  paid: 0,
  async payInvoice({ invoice }) {
    const response = await fetch(`${LND}/v2/router/send`, {
      method: "POST",
      headers: { ...JSON_TYPE, "Grpc-Metadata-macaroon": MACAROON },
      body: JSON.stringify({ payment_request: invoice, timeout_seconds: 60, fee_limit_msat: "1000" }),
    });
    const lines = (await response.text()).trim().split("\n");
    const last = JSON.parse(lines.at(-1)).result;
    if (last?.status !== "SUCCEEDED") throw new Error(`not paid: ${lines.at(-1)}`);
    this.paid += Number(last.value_msat);
    return { preimage: last.payment_preimage };
  },
};

const post = (body, headers = {}) => ({
  method: "POST",
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(body),
});

// Calls with a credential, and never pays.
const withCredentials = (path, body, credentials) =>
  fetchWithL402(`${SESSIONS}/${path}`, body === undefined ? {} : post(body), { wallet, credentials });

async function read(response, status) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return text === "" ? {} : JSON.parse(text);
}

// Opens a session, and pays for it.
async function open(units) {
  const response = await fetchWithL402(SESSIONS, post({ features: 2, classes: 2, budget: { share: 0.5 }, units }), { wallet });
  const opened = await read(response, 201);
  assert.ok(response.payment.paid);
  return { opened, credentials: response.payment.credentials };
}

async function walk() {
  const { opened, credentials } = await open(2000);
  const id = opened.session;
  const left = async () => (await read(await withCredentials(id, undefined, credentials), 200)).units.left;
  const call = async (path, body) => read(await withCredentials(`${id}/${path}`, body, credentials), 200);
  const bought = (await left()) + 10;
  assert.ok(bought >= 2000, `${bought} units for 2,000`);
  const rows = [
    { x: [0, 0], y: 0 },
    { x: [1, 1], y: 1 },
  ];
  const trained = await call("examples", { rows });
  const decided = await call("decisions", { rows: [[0.1, 0.2], [0.9, 0.8], [0.5, 0.5]] });
  assert.equal(decided.rows.length, 3);
  const spent = 10 + trained.units.charged + decided.units.charged;
  assert.equal(await left(), bought - spent);

  // The same key is worked on and charged once.
  const again = { "idempotency-key": "0123456789abcdef", [credentials.header]: credentials.value };
  const body = post({ rows: [[0.3, 0.4]] }, again);
  const [first, second] = [await fetch(`${SESSIONS}/${id}/decisions`, body), await fetch(`${SESSIONS}/${id}/decisions`, body)];
  assert.deepEqual(await read(first, 200), await read(second, 200));
  const before = await left();
  assert.equal(before, bought - spent - 1);

  // Whoever has another session's credential gets nothing of this one.
  // 3,000 sat, so that what the channel owes is above dust, and shows in its balance.
  const other = await open(1_000_000);
  const foreign = await withCredentials(`${id}/decisions`, { rows: [[0, 0]] }, other.credentials);
  assert.equal(foreign.status, 401);
  const [token] = credentials.value.split(":");
  const [, preimage] = other.credentials.value.split(":");
  const mixed = { header: credentials.header, value: `${token}:${preimage}` };
  assert.equal((await withCredentials(`${id}/decisions`, { rows: [[0, 0]] }, mixed)).status, 401);
  const none = await fetch(`${SESSIONS}/${id}/decisions`, post({ rows: [[0, 0]] }));
  assert.equal(none.status, 401);
  assert.doesNotMatch(none.headers.get("www-authenticate") ?? "", /L402|LSAT/, "a 401 must not ask for money");
  assert.equal(await left(), before);

  // More than is left: the client pays for a top-up, and sends the call again.
  const many = Array.from({ length: before + 1 }, () => [0.5, 0.5]);
  const poor = await withCredentials(`${id}/decisions`, { rows: many }, credentials);
  assert.equal(poor.status, 402);
  const topped = await fetchWithL402(
    `${SESSIONS}/${id}/decisions`,
    post({ rows: many }, { [credentials.header]: credentials.value }),
    { wallet },
  );
  assert.equal((await read(topped, 200)).rows.length, many.length);
  assert.ok(topped.payment.paid);
  const rest = await left();

  const model = await withCredentials(`${id}/model`, undefined, credentials);
  assert.equal(model.status, 200);
  await call("close", {});
  // The account outlives its session: the credential opens another one, and pays nothing.
  const reopened = await fetchWithL402(SESSIONS, post({ features: 2, classes: 2 }), { wallet, credentials });
  const session = (await read(reopened, 201)).session;
  const now = (await read(await withCredentials(session, undefined, credentials), 200)).units.left;
  assert.equal(now, rest - 10);
  await read(await withCredentials(`${session}/close`, {}, credentials), 200);
  await read(await withCredentials(`${other.opened.session}/close`, {}, other.credentials), 200);
  return { paid: wallet.paid, left: now };
}

async function buy(count) {
  const times = [];
  const worker = async (_, first) => {
    for (let number = first; number < count; number += AT_ONCE) {
      const start = performance.now();
      const { opened, credentials } = await open(1);
      times.push(performance.now() - start);
      await read(await withCredentials(`${opened.session}/close`, {}, credentials), 200);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  times.sort((one, other) => one - other);
  const at = (share) => Math.round(times[Math.floor(times.length * share)]);
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  return { count: times.length, paid: wallet.paid, seconds, median: at(0.5), p95: at(0.95) };
}

async function offer() {
  const response = await fetch(SESSIONS, post({ features: 2, classes: 2, units: 400 }));
  await read(response, 402);
  const { token, invoice } = parseL402(response.headers.get("www-authenticate"));
  return { token, invoice };
}

async function tryToOpen(token, preimage) {
  const headers = { Authorization: `L402 ${token}:${preimage}` };
  const response = await fetch(SESSIONS, post({ features: 2, classes: 2 }, headers));
  await response.text();
  return { status: response.status };
}

const [command, ...given] = process.argv.slice(2);
const commands = { walk, buy: () => buy(Number(given[0])), offer, open: () => tryToOpen(...given) };
console.log(JSON.stringify(await commands[command]()));
