// Keeps a rendered page up to date: listens to the events, and asks for the parts that changed.
// The page is whole without this module; it only patches what the server rendered.

const EVENTS = ["leaderboard", "verdict", "prices", "health", "halt", "turn", "trade"];
const QUIET_MS = 20_000; // Without any event for so long, the figures are old.
const RETRY_MS = 3_000;
const LABELS_MAX = 8, LABELS_PX_MIN = 600; // With more orders or less width, names would cover each other.
const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

// Make `mine` equal to `next`. Elements with data-keep belong to this module; open details stay open.
function patch(mine, next) {
  if (mine.isEqualNode(next)) return;
  if (mine.nodeType === Node.TEXT_NODE) { mine.data = next.data; return; }
  if (mine.dataset?.keep !== undefined) return;
  const gone = [...mine.attributes].filter(({ name }) => !next.hasAttribute(name) && name !== "open");
  for (const { name } of gone) mine.removeAttribute(name);
  for (const { name, value } of next.attributes) mine.setAttribute(name, value);
  patchChildren(mine, next);
}

function patchChildren(mine, next) {
  const known = new Map([...mine.children].filter((one) => one.id).map((one) => [one.id, one]));
  let at = mine.firstChild;
  for (const child of [...next.childNodes]) {
    const same = child.id ? known.get(child.id) : at && !at.id && at.nodeName === child.nodeName && at;
    if (!same) {
      const added = mine.insertBefore(document.importNode(child, true), at);
      if (child.id) added.classList.add("fresh");
      continue;
    }
    if (same === at) at = at.nextSibling;
    else mine.insertBefore(same, at);
    patch(same, child);
  }
  for (let gone; (gone = at); gone.remove()) at = at.nextSibling;
}

const dirty = new Set(); // Ids of parts that an event has changed.
const fetched = new Map(); // Id -> when it was last asked for.
let timer = 0, isBusy = false, source = null, lastEvent = Date.now(), shown = null;

function note(names) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const isPaused = part.id === "reasoning" && document.body.dataset.paused;
    const listens = part.dataset.live.split(" ");
    if (!isPaused && names.some((name) => listens.includes(name))) dirty.add(part.id);
  }
  schedule();
}

const dueAt = (id) => (fetched.get(id) ?? 0) + Number(byId(id)?.dataset.every ?? 0);

function schedule() {
  if (timer || isBusy || !dirty.size) return;
  const soonest = Math.min(...[...dirty].map(dueAt));
  timer = setTimeout(refresh, Math.max(0, soonest - Date.now()));
}

async function refresh() {
  timer = 0;
  const now = Date.now(), names = [...dirty].filter((id) => dueAt(id) <= now);
  if (!names.length) return schedule();
  isBusy = true;
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("parts", names.join(","));
  // An event that comes meanwhile makes a part dirty again.
  for (const id of names) { dirty.delete(id); fetched.set(id, now); }
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of names) {
      const [mine, next] = [byId(id), found.getElementById(id)];
      if (mine && next) patch(mine, next);
    }
    if (names.includes("market")) drawPrices();
  } catch {
    for (const id of names) { dirty.add(id); fetched.set(id, now + RETRY_MS); }
  }
  isBusy = false;
  schedule();
}

function listen() {
  source = new EventSource(document.body.dataset.events);
  for (const name of EVENTS) {
    source.addEventListener(name, () => {
      lastEvent = Date.now();
      showState();
      note([name]);
    });
  }
  source.onopen = showState;
  source.onerror = () => {
    showState();
    setTimeout(() => source?.readyState === EventSource.CLOSED && listen(), RETRY_MS);
  };
}

// Say in words whether the page is live; screen readers hear a change of state, not every second.
function showState() {
  const isCut = source.readyState !== EventSource.OPEN || Date.now() - lastEvent > QUIET_MS;
  const time = byId("clock"), broker = byId("state").dataset.broker;
  const words = isCut ? `No event since ${clock(lastEvent)} UTC. Figures are of then. Trying again.` : broker || "Live";
  if (time) time.textContent = isCut || broker ? "" : `${clock(lastEvent)} UTC`;
  if (words === shown) return;
  shown = words;
  root.classList.toggle("stale", isCut || Boolean(broker));
  byId("live").textContent = words;
}

// A hidden page needs no stream: browsers open only six connections to a host.
function followVisibility() {
  if (document.hidden) { source?.close(); source = null; return; }
  if (source) return;
  lastEvent = Date.now();
  listen();
  note(EVENTS);
}

if (document.body.dataset.events) {
  listen();
  setInterval(() => source && showState(), 1000);
  document.addEventListener("visibilitychange", followVisibility);
}

document.addEventListener("click", ({ target }) => {
  const choice = target.closest("[data-show], [data-pause]");
  if (!choice) return;
  if (choice.dataset.show) {
    document.body.dataset.show = choice.dataset.show;
    for (const one of choice.parentElement.querySelectorAll("[data-show]")) one.setAttribute("aria-pressed", String(one === choice));
    return;
  }
  const isPaused = choice.getAttribute("aria-pressed") !== "true";
  choice.setAttribute("aria-pressed", String(isPaused));
  if (isPaused) document.body.dataset.paused = "yes";
  else { delete document.body.dataset.paused; note(["turn"]); }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-ask]");
  if (!button || event.ctrlKey || event.metaKey) return;
  event.preventDefault(); // Without this module it is a link to a form.
  const dialog = byId("ask"), form = byId("ask-form"), { ask, words, post, body, reason } = button.dataset;
  const [action, cancel] = [byId("ask-do"), byId("ask-cancel")];
  const say = (text, error = "") => { byId("ask-words").textContent = text; byId("ask-error").textContent = error; };
  [byId("ask-title").textContent, action.textContent, cancel.textContent] = [ask, ask.slice(0, -1), "Cancel"];
  [byId("ask-reason").hidden, action.hidden, action.disabled] = [reason === undefined, false, false];
  const submit = async (asked) => {
    if (asked.submitter?.value !== "do") return;
    asked.preventDefault();
    const sent = { ...JSON.parse(body), ...(reason === undefined ? {} : { reason: form.elements.reason.value }) };
    cancel.focus(), (action.disabled = true);
    say("Sent. Waiting for the answer.");
    const { error, text, state } = await send(post, sent);
    if (form.onsubmit !== submit) return; // Another question is open now.
    say(text ? `${state === "done" ? "Done" : "Not confirmed yet"}: ${text}.` : words, error);
    [action.disabled, action.hidden, byId("ask-reason").hidden] = [false, Boolean(text), Boolean(text) || reason === undefined];
    if (text) cancel.textContent = "Close";
    else if (!error) dialog.close();
  };
  form.onsubmit = submit;
  say(words);
  form.reset();
  dialog.showModal();
});

// Send a command; returns the answer, or why it was refused as `error`.
async function send(address, body) {
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(address, options), found = await answer.json();
    if (answer.ok) { note(["halt", "health"]); return found; }
    return { error: [found.error.message, found.error.remedy].filter(Boolean).join("; ") };
  } catch (error) { return { error: `No answer: ${error.message}` }; }
}

let prices = null;

async function drawPrices() {
  const box = byId("candles");
  if (!box || !byId("candle-table")) return;
  const charts = await import("./vendor/lightweight-charts.mjs");
  const css = getComputedStyle(root), colour = (name) => css.getPropertyValue(`--${name}`).trim();
  const options = {
    autoSize: true,
    layout: { background: { color: colour("bg") }, textColor: colour("ink3"), attributionLogo: false },
    grid: { vertLines: { color: colour("rule") }, horzLines: { color: colour("rule") } },
    timeScale: { timeVisible: true, borderColor: colour("rule"), maxBarSpacing: 24 },
    rightPriceScale: { borderColor: colour("rule") },
    handleScroll: { mouseWheel: false }, handleScale: { mouseWheel: false },
  };
  const [grey, upColor] = [colour("ink3"), colour("bg")]; // Hollow bars rose, full ones fell.
  const style = { upColor, downColor: grey, borderUpColor: grey, borderDownColor: grey, wickUpColor: grey, wickDownColor: grey };
  if (!prices) {
    const chart = charts.createChart(box, options), series = chart.addSeries(charts.CandlestickSeries, { lastValueVisible: false, priceLineVisible: false });
    prices = { chart, series, marks: charts.createSeriesMarkers(series, []), count: 0 };
  }
  prices.chart.applyOptions(options), prices.series.applyOptions(style);
  const rows = (id) => [...byId(id).tBodies[0].rows];
  const bars = rows("candle-table").map((row) => {
    const [open, high, low, close] = [...row.cells].slice(1).map((cell) => Number(cell.textContent));
    return { time: Number(row.dataset.t), open, high, low, close };
  });
  prices.series.setData(bars);
  const marks = rows("fill-table").flatMap((row, _, all) => orderMarks(row, bars, all.length, colour));
  prices.marks.setMarkers(marks.sort((a, b) => a.time - b.time));
  if (!prices.count) prices.chart.timeScale().fitContent();
  prices.count = bars.length;
}

// A ring where the agent saw the price, an arrow where it paid or got one.
function orderMarks(row, bars, count, colour) {
  const [, agent, action, quantity, seen, paid] = [...row.cells].map((cell) => cell.textContent);
  const time = bars.findLast((bar) => bar.time <= Number(row.dataset.t))?.time;
  if (time === undefined) return [];
  const [name] = row.dataset.style.split(" "), isBuy = action === "buy";
  const color = colour(/^s\d$/.test(name) ? name : name === "hold" ? "ink" : "grey");
  const arrow = {
    time, color, shape: isBuy ? "arrowUp" : "arrowDown", price: Number(paid),
    position: isBuy ? "atPriceBottom" : "atPriceTop", text: count > LABELS_MAX || innerWidth < LABELS_PX_MIN ? "" : byId("portfolio") ? `${action} ${quantity}` : agent,
  };
  const ring = { time, color, shape: "circle", price: Number(seen), position: "atPriceMiddle", size: 0.4 };
  return seen ? [ring, arrow] : [arrow];
}

// Recompute every comparison of a trace from the recorded bytes, here and not on the server.
async function verify(box) {
  const answer = await fetch(box.dataset.trace), verdict = byId("checked");
  if (!answer.ok) { verdict.textContent = `The records did not come: status ${answer.status}.`; return; }
  if (!crypto.subtle) { verdict.textContent = verdict.dataset.insecure; return; }
  const { steps, namespace } = await answer.json();
  const decode = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const bytes = new Map(steps.map((step) => [step.name, decode(step.value)]));
  const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const utf8 = (text) => new TextEncoder().encode(text);
  const join = (arrays) => new Uint8Array(arrays.flatMap((array) => [...array]));
  const valueOf = ({ literal, step, path, z_as_offset: zone }) => {
    if (literal !== null) return utf8(literal);
    if (!path.length) return bytes.get(step);
    const found = path.reduce((value, key) => value?.[key], JSON.parse(new TextDecoder().decode(bytes.get(step))));
    return utf8(String(found ?? "").replace(zone ? /Z$/ : /$^/, "+00:00"));
  };
  const compute = async ({ algorithm, parts, separator }) => {
    const joined = join(parts.flatMap((part, index) => (index ? [utf8(separator), valueOf(part)] : [valueOf(part)])));
    if (algorithm === "sha256") return hex(await crypto.subtle.digest("SHA-256", joined));
    if (algorithm === "text") return new TextDecoder().decode(joined);
    const space = namespace.replaceAll("-", "").match(/../g).map((pair) => parseInt(pair, 16));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", join([space, joined])));
    [digest[6], digest[8]] = [(digest[6] & 0x0f) | 0x50, (digest[8] & 0x3f) | 0x80];
    return hex(digest.slice(0, 16)).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  };
  const holds = async (check) => {
    try { return (await compute(check)) === new TextDecoder().decode(valueOf(check.expected)); } catch { return false; }
  };
  const mark = (id, isGood) => {
    byId(id).className = isGood ? "good" : "broken";
    byId(id).querySelector(".mark").textContent = isGood ? "✓ holds" : "✕ broken";
    return isGood;
  };
  const check = async () => {
    let broken = [], count = 0;
    for (const [number, step] of steps.entries()) {
      if (!step.value) continue;
      const own = hex(await crypto.subtle.digest("SHA-256", bytes.get(step.name)));
      byId(`hash-${number}`).textContent = own;
      const found = [mark(`check-${number}-bytes`, own === step.sha256)];
      for (const [index, one] of step.checks.entries()) found.push(mark(`check-${number}-${index}`, await holds(one)));
      count += found.length;
      if (!mark(`step-${number}`, !found.includes(false))) broken.push(`${number + 1}, ${step.name}`);
    }
    box.dataset.state = broken.length ? "broken" : "good";
    verdict.textContent = broken.length
      ? `Broken at ${broken.join("; ")}: these bytes are not those that were recorded.`
      : `All ${count} comparisons hold, computed in this browser.`;
  };
  box.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-tamper]");
    if (!button) return;
    const step = steps[button.dataset.tamper], array = bytes.get(step.name);
    const isChanged = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!isChanged));
    if (isChanged) bytes.set(step.name, decode(step.value));
    else array[array.findLastIndex((byte) => byte >= 0x30 && byte <= 0x38)] += 1; // A digit: 3 becomes 4.
    check();
  });
  await check();
}

root.classList.add("js");
drawPrices();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPrices);
if (byId("trace")) verify(byId("trace"));
