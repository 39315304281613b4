// Keeps a rendered page up to date: listens to the events, and asks for the parts that changed.
// The page is whole without this module; it only patches what the server rendered.
import { showTrace } from "./verify.js";

const EVENTS = ["leaderboard", "verdict", "prices", "health", "halt", "turn", "trade"];
const QUIET_MS = 20_000; // Without any event for so long, the figures are old.
const RETRY_MS = 3_000;
const LABELS_MAX = 12; // With more orders in the price chart, names would cover each other.
const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

// --- Patching -----------------------------------------------------------------------------------

// Make `mine` equal to `next`. Elements with data-keep belong to this module; open details stay open.
function patch(mine, next) {
  if (mine.isEqualNode(next)) return;
  if (mine.nodeType === Node.TEXT_NODE) { mine.data = next.data; return; }
  if (mine.dataset?.keep !== undefined) return;
  for (const { name } of [...mine.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") mine.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (mine.getAttribute(name) !== value) mine.setAttribute(name, value);
  }
  patchChildren(mine, next);
}

function patchChildren(mine, next) {
  const known = new Map([...mine.children].filter((one) => one.id).map((one) => [one.id, one]));
  let at = mine.firstChild;
  for (const child of [...next.childNodes]) {
    const same = child.id ? known.get(child.id) : at && !at.id && at.nodeName === child.nodeName && at;
    if (!same) {
      const added = mine.insertBefore(document.importNode(child, true), at);
      if (added.classList && child.id) added.classList.add("fresh");
      continue;
    }
    if (same === at) at = at.nextSibling;
    else mine.insertBefore(same, at);
    patch(same, child);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// --- Live ---------------------------------------------------------------------------------------

const dirty = new Set(); // Ids of parts that an event has changed.
const fetched = new Map(); // Id -> when it was last asked for.
let timer = 0, isBusy = false, source = null, lastEvent = Date.now(), wasStale = null;

function note(names) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const isPaused = part.id === "reasoning" && document.body.dataset.paused;
    const listens = part.dataset.live.split(" ");
    if (!isPaused && names.some((name) => listens.includes(name))) dirty.add(part.id);
  }
  schedule();
}

function dueAt(id) {
  return (fetched.get(id) ?? 0) + Number(byId(id)?.dataset.every ?? 0);
}

function schedule() {
  if (timer || isBusy || !dirty.size) return;
  const soonest = Math.min(...[...dirty].map(dueAt));
  timer = setTimeout(refresh, Math.max(0, soonest - Date.now()));
}

async function refresh() {
  timer = 0;
  const now = Date.now(), names = [...dirty].filter((id) => dueAt(id) <= now);
  if (!names.length) { schedule(); return; }
  isBusy = true;
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("parts", names.join(","));
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of names) {
        dirty.delete(id);
        fetched.set(id, now);
        const [mine, next] = [byId(id), found.getElementById(id)];
        if (mine && next) patch(mine, next);
      }
      if (names.includes("market")) drawPrices();
    } else {
      for (const id of names) fetched.set(id, now + RETRY_MS);
    }
  } catch {
    for (const id of names) fetched.set(id, now + RETRY_MS);
  } finally {
    isBusy = false;
    schedule();
  }
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
    if (source.readyState === EventSource.CLOSED) setTimeout(() => source.close() || listen(), RETRY_MS);
  };
}

// Say in words whether the page is live; screen readers hear a change of state, not every second.
function showState() {
  const isStale = source.readyState !== EventSource.OPEN || Date.now() - lastEvent > QUIET_MS;
  const time = byId("clock");
  if (time && !isStale) time.textContent = `${clock(lastEvent)} UTC`;
  if (isStale === wasStale) return;
  wasStale = isStale;
  root.classList.toggle("stale", isStale);
  const words = `No event since ${clock(lastEvent)} UTC. Figures are of then. Trying again.`;
  byId("live").textContent = isStale ? words : "Live";
  if (time && isStale) time.textContent = "";
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

// --- Choices of the stream ----------------------------------------------------------------------

document.addEventListener("click", ({ target }) => {
  const choice = target.closest("[data-show], [data-pause]");
  if (!choice) return;
  if (choice.dataset.show) {
    document.body.dataset.show = choice.dataset.show;
    for (const one of choice.parentElement.querySelectorAll("[data-show]")) {
      one.setAttribute("aria-pressed", String(one === choice));
    }
    return;
  }
  const isPaused = choice.getAttribute("aria-pressed") !== "true";
  choice.setAttribute("aria-pressed", String(isPaused));
  if (isPaused) document.body.dataset.paused = "yes";
  else { delete document.body.dataset.paused; note(["turn"]); }
});

// --- Commands -----------------------------------------------------------------------------------

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-ask]");
  if (!button) return;
  const dialog = byId("ask"), { ask, words, post, body, reason } = button.dataset;
  byId("ask-title").textContent = ask;
  byId("ask-words").textContent = words;
  byId("ask-do").textContent = button.textContent;
  byId("ask-error").textContent = "";
  byId("ask-reason").hidden = reason === undefined;
  const form = dialog.querySelector("form");
  form.reset();
  form.onsubmit = async (event) => {
    if (event.submitter?.value !== "do") return;
    event.preventDefault();
    const given = JSON.parse(body);
    if (reason !== undefined) given.reason = form.elements.reason.value;
    byId("ask-error").textContent = (await send(post, given)) ?? "";
    if (!byId("ask-error").textContent) dialog.close();
  };
  dialog.showModal();
});

// Send a command; returns why it was refused, or null.
async function send(address, body) {
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.ok) { note(["halt", "health"]); return null; }
    const { error } = await answer.json();
    return [error.message, error.remedy].filter(Boolean).join("; ");
  } catch (error) {
    return `Not sent: ${error.message}`;
  }
}

// --- Prices -------------------------------------------------------------------------------------

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
    timeScale: { timeVisible: true, borderColor: colour("rule") },
    rightPriceScale: { borderColor: colour("rule") },
    handleScroll: { mouseWheel: false }, handleScale: { mouseWheel: false },
  };
  const style = {
    upColor: colour("bg"), downColor: colour("ink3"), borderColor: colour("ink3"),
    wickColor: colour("ink3"), lastValueVisible: false, priceLineVisible: false,
  };
  if (!prices) {
    const chart = charts.createChart(box, options), series = chart.addSeries(charts.CandlestickSeries, style);
    prices = { chart, series, marks: charts.createSeriesMarkers(series, []), count: 0 };
  }
  prices.chart.applyOptions(options);
  prices.series.applyOptions(style);
  const rows = (id) => [...byId(id).tBodies[0].rows];
  const bars = rows("candle-table").map((row) => {
    const [open, high, low, close] = [...row.cells].slice(1).map((cell) => Number(cell.textContent));
    return { time: Number(row.dataset.t), open, high, low, close };
  });
  prices.series.setData(bars);
  prices.marks.setMarkers(rows("fill-table").flatMap((row, _, all) => orderMarks(row, bars, all.length, colour)).sort((a, b) => a.time - b.time));
  if (!prices.count) prices.chart.timeScale().fitContent();
  prices.count = bars.length;
}

// A ring where the agent saw the price, an arrow where it paid or got one.
function orderMarks(row, bars, count, colour) {
  const [, agent, action, , seen, paid] = [...row.cells].map((cell) => cell.textContent);
  const time = bars.findLast((bar) => bar.time <= Number(row.dataset.t))?.time;
  if (time === undefined) return [];
  const name = row.dataset.style, isBuy = action === "buy";
  const color = colour(/^s\d$/.test(name) ? name : name === "hold" ? "ink" : "grey");
  const arrow = {
    time, color, shape: isBuy ? "arrowUp" : "arrowDown", price: Number(paid),
    position: isBuy ? "atPriceBottom" : "atPriceTop", text: count <= LABELS_MAX ? agent : "",
  };
  if (!seen) return [arrow];
  return [{ time, color, shape: "circle", price: Number(seen), position: "atPriceMiddle", size: 0.4 }, arrow];
}

root.classList.add("js");
drawPrices();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPrices);
if (byId("trace")) showTrace(byId("trace"));
