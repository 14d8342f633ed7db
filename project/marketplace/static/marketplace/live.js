// The live page: users who sign in see their notifications as they happen. The public API is all that it uses.

const API = "/api/v1";
const PAUSES = [0.5, 1, 2, 5, 10]; // seconds before the stream is opened again
const DAY = 24 * 60 * 60 * 1000;
const $ = (id) => document.getElementById(id);

let me = null; // who watches: {access, refresh, user}
let types = []; // of notifications, with the channels that the user chose
const stream = { source: null, lastEventId: "", tries: 0, timer: 0 };

// --- the API ---

class Refusal extends Error {
  constructor(status, problem) {
    const errors = (problem.errors || []).map((error) => error.detail);
    super(errors.join(" ") || problem.detail);
    this.status = status;
  }
}

async function call(session, method, path, body) {
  const response = await send(session, method, path, body);
  if (response.status !== 401 || !session) return outcome(response);
  // A refresh token works once: whoever needs another meanwhile waits for the same one.
  session.renewal ??= renew(session).finally(() => (session.renewal = null));
  await session.renewal;
  return outcome(await send(session, method, path, body));
}

function send(session, method, path, body) {
  const headers = session ? { Authorization: `Bearer ${session.access}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  return fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
}

async function outcome(response) {
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

async function renew(session) {
  Object.assign(session, await call(null, "POST", "/auth/refresh", { refresh: session.refresh }));
}

const signIn = (email, password) => call(null, "POST", "/auth/login", { email, password });
const said = (error) => (error instanceof Refusal ? error.message : "The server did not answer. Please try again.");

// --- what is running ---

async function look() {
  let parts = { API: "unavailable" };
  try {
    const response = await fetch("/api/health/ready");
    parts = { API: "ok", ...(await response.json()).parts };
  } catch {} // it is the API that is not there
  const items = Object.entries(parts).map(([name, state]) => {
    const item = make("li", state === "ok" ? name : `${name}: ${state}`);
    item.classList.toggle("ok", state === "ok");
    return item;
  });
  $("parts").replaceChildren(...items);
}

function make(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}

// --- coming and going ---

async function enter(email, password) {
  $("refusal").textContent = "";
  try {
    const session = await signIn(email, password);
    types = (await call(session, "GET", "/notifications/preferences")).items;
    me = session;
  } catch (error) {
    $("refusal").textContent = said(error);
    return;
  }
  show("room");
  $("who").textContent = `${me.user.profile.firstName || me.user.email}, ${me.user.role}`;
  $("stage")?.toggleAttribute("hidden", !demoUsers.some(({ dataset }) => dataset.email === me.user.email));
  $("preferences").querySelector("tbody").replaceChildren(...types.map(row));
  $("who").focus();
  if (location.hash === "#preferences") choosing(); // by a link in a mail
  connect();
}

function leave(reason = "") {
  call(null, "POST", "/auth/logout", { refresh: me.refresh }).catch(() => {});
  me = null;
  disconnect();
  $("inbox").replaceChildren();
  tellCount(0);
  show("door");
  $("refusal").textContent = reason;
  $("credentials").elements.email.focus();
}

function show(id) {
  for (const each of ["door", "room"]) $(each).hidden = each !== id;
}

// --- the stream ---

// A ticket opens one stream, once. So an EventSource can't connect again by itself: each time there is a new one,
// which goes on behind the last event that came.
async function connect() {
  const session = me;
  tell("Connecting …");
  try {
    const { ticket } = await call(session, "POST", "/notifications/stream/ticket");
    if (session !== me) return;
    const query = new URLSearchParams({ ticket });
    if (stream.lastEventId) query.set("lastEventId", stream.lastEventId);
    stream.source = new EventSource(`${API}/notifications/stream?${query}`);
  } catch (error) {
    if (session !== me) return;
    if (error.status === 401) leave("Your session is over.");
    else connectAgain();
    return;
  }
  stream.source.onopen = connected;
  stream.source.onerror = connectAgain;
  stream.source.addEventListener("stream-reset", startOver);
  for (const { type } of types) stream.source.addEventListener(type, arrive);
}

function connected() {
  stream.tries = 0;
  tell("Connected");
  // Without an id the stream starts with what is new: what was before is in the inbox.
  if (!stream.lastEventId) readInbox();
}

function connectAgain() {
  stream.source?.close();
  clearTimeout(stream.timer);
  const pause = PAUSES[Math.min(stream.tries++, PAUSES.length - 1)];
  tell(`Connection lost, again in ${pause} s`);
  stream.timer = setTimeout(connect, pause * 1000);
}

function disconnect() {
  stream.source?.close();
  clearTimeout(stream.timer);
  Object.assign(stream, { source: null, lastEventId: "", tries: 0 });
}

function arrive(event) {
  stream.lastEventId = event.lastEventId;
  const notification = JSON.parse(event.data);
  put(notification);
  countUnread();
  $("news").textContent = `New: ${notification.title}`;
}

function startOver(event) {
  stream.lastEventId = event.lastEventId;
  readInbox();
}

function tell(state) {
  $("state").textContent = state;
  $("state").classList.toggle("connected", state === "Connected");
}

// --- the inbox ---

async function readInbox() {
  const session = me;
  try {
    const { items } = await call(session, "GET", "/notifications?limit=50");
    if (session !== me) return;
    items.forEach(put);
    countUnread();
  } catch {
    if (session === me) connectAgain();
  }
}

function put(notification) {
  const [id, entry] = [notification.id, entryOf(notification)];
  const there = [...$("inbox").children];
  const same = there.find((other) => other.dataset.id === id);
  if (same) same.replaceWith(entry);
  else $("inbox").insertBefore(entry, there.find((other) => other.dataset.id < id) ?? null); // ids are in order of time
}

function entryOf({ id, type, title, body, createdAt, readAt }) {
  const at = make("time", new Date(createdAt).toLocaleString());
  at.dateTime = createdAt;
  const entry = make("li", make("h4", title), make("p", body), make("small", at, ` · ${type}`));
  entry.dataset.id = id;
  if (!readAt) {
    const button = make("button", "Mark as read");
    Object.assign(button, { type: "button", className: "quiet", onclick: () => markRead(entry) });
    button.setAttribute("aria-label", `Mark as read: ${title}`);
    entry.append(button);
    entry.className = "new";
  }
  return entry;
}

const markRead = (entry) => attempt(async () => {
  await call(me, "POST", `/notifications/${entry.dataset.id}/read`);
  read(entry);
  (entry.nextElementSibling?.querySelector("button") ?? $("who")).focus(); // its own button is gone
});

const markAllRead = () => attempt(async () => {
  await call(me, "POST", "/notifications/read-all");
  [...$("inbox").children].forEach(read);
  $("who").focus();
});

function read(entry) {
  entry.className = "";
  entry.querySelector("button")?.remove();
  countUnread();
}

const countUnread = () => attempt(async () => {
  const session = me;
  const { count } = await call(session, "GET", "/notifications/unread-count");
  if (session === me) tellCount(count);
});

function tellCount(count) {
  $("unread").textContent = count ? `${count} unread` : "";
  $("read-all").hidden = !count;
  document.title = count ? `(${count}) marketplace` : "marketplace";
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    $("news").textContent = said(error);
  }
}

// --- preferences ---

function row(wish) {
  const box = (channel, label) => {
    const input = make("input");
    Object.assign(input, { type: "checkbox", checked: wish[channel], onchange: () => choose(wish.type, channel, input) });
    input.setAttribute("aria-label", `${wish.type} ${label}`);
    return make("td", input);
  };
  const name = make("th", wish.type);
  name.scope = "row";
  return make("tr", name, box("inApp", "here"), box("email", "by e-mail"));
}

async function choose(type, channel, input) {
  try {
    await call(me, "PUT", "/notifications/preferences", { items: [{ type, [channel]: input.checked }] });
  } catch {
    input.checked = !input.checked;
  }
}

function choosing() {
  $("preferences").open = true;
  $("preferences").querySelector("summary").focus();
}

// --- something to see: the other demo user acts ---

const demoUsers = [...document.querySelectorAll("[data-password]")];
const others = new Map(); // sessions of demo users, by their e-mail

async function happen() {
  $("happen").disabled = true;
  try {
    const other = await theOther();
    const [customer, provider] = me.user.role === "customer" ? [me, other] : [other, me];
    const booking = await book(customer, provider.user.id);
    if (customer === me) await call(provider, "POST", `/bookings/${booking.id}/confirm`);
    const [who, then] = customer === me ? ["You", ", and it was confirmed"] : [customer.user.profile.firstName, ""];
    $("happened").textContent = `${who} booked “${booking.service.title}”${then}.`;
  } catch (error) {
    $("happened").textContent = said(error);
  }
  $("happen").disabled = false;
}

async function theOther() {
  const { email, password } = demoUsers.find(({ dataset }) => dataset.email !== me.user.email).dataset;
  if (!others.has(email)) others.set(email, await signIn(email, password));
  return others.get(email);
}

async function book(customer, providerId) {
  const services = (await call(customer, "GET", `/services?providerId=${providerId}`)).items;
  const { id } = anyOf(services.filter((service) => !service.autoConfirm)); // a provider is to confirm it
  const [from, to] = [1, 21].map((days) => new Date(Date.now() + days * DAY).toISOString());
  const slots = (await call(customer, "GET", `/services/${id}/slots?${new URLSearchParams({ from, to })}`)).items;
  return call(customer, "POST", "/bookings", { serviceId: id, scheduledAt: anyOf(slots).start });
}

function anyOf(list) {
  if (!list.length) throw new Refusal(409, { detail: "There is nothing left to book." });
  return list[Math.floor(Math.random() * list.length)];
}

// --- hands ---

$("credentials").addEventListener("submit", (event) => {
  event.preventDefault();
  const { email, password } = event.target.elements;
  enter(email.value, password.value);
});
demoUsers.forEach((button) => button.addEventListener("click", () => enter(button.dataset.email, button.dataset.password)));
$("leave").addEventListener("click", () => leave());
$("read-all").addEventListener("click", markAllRead);
$("happen")?.addEventListener("click", happen);
look();
setInterval(() => document.hidden || look(), 10_000);
