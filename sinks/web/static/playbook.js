// The playbook: its rules to read, its files to change, checked while one types, applied on purpose.

import "./shell.js";
import { el } from "./dom.js";
import { formatClock } from "./format.js";
import { rehearsalIsOf, setUpRehearsal } from "./rehearsal.js";
import { say, sayOr } from "./words.js";

const CHECK_AFTER_MS = 250;
const MAIN = "playbook.yaml";

const at = (id) => document.getElementById(id);
const text = at("text");
const state = { main: MAIN, files: { [MAIN]: "" }, open: MAIN, newest: 0, inUse: 0, token: "", saved: "", ok: false };
let asked = 0;
let waiting;

const draft = () => ({ main: state.main, files: state.files });
const isChanged = () => JSON.stringify(state.files) !== state.saved;

async function post(path, body, signal) {
  const send = () => fetch(path, {
    method: "POST",
    signal,
    headers: { "Content-Type": "application/json", "X-Huitou-Token": state.token },
    body: JSON.stringify(body),
  });
  let answer = await send();
  if (answer.status === 403) {
    // The server was started anew since this page was loaded.
    const fresh = await fetch("/v1/playbook");
    if (fresh.ok) state.token = (await fresh.json()).form_token;
    answer = await send();
  }
  return answer;
}

// Rules in words

function flat(value) {
  if (Array.isArray(value)) return value.map(flat).join(", ");
  if (value && typeof value === "object") return Object.entries(value).map(([key, one]) => `${key} ${flat(one)}`).join(", ");
  return ["event", "tier", "holiday", "value"].map((group) => sayOr(`${group}_${value}`, null)).find(Boolean) ?? String(value ?? "");
}

const part = (group, key, value) => {
  const name = `${group}_${key}`;
  return sayOr(name, null) === null ? `${key}: ${flat(value)}` : say(name, { value: flat(value) });
};

function steps(list) {
  const all = Array.isArray(list) ? list : list ? [list] : [];
  return el("ol", { class: "steps" }, ...all.map((step) => {
    const inner = [];
    const said = [];
    for (const [key, value] of Object.entries(step)) {
      if (key === "then" || key === "else") inner.push(el("div", {}, el("span", { class: "small" }, say(`step_${key}`)), steps(value)));
      else if (key === "split") for (const arm of value) inner.push(el("div", {}, el("span", { class: "small" }, `${arm.arm} · ${arm.share}`), steps(arm.then)));
      else said.push(part("step", key, value));
    }
    return el("li", {}, said.join(" · "), ...inner);
  }));
}

function card(rule) {
  const pairs = (group, value) => (value ? Object.entries(value).map(([key, one]) => el("li", {}, part(group, key, one))) : []);
  const guards = pairs("guard", rule.guard);
  return el("article", { class: rule.enabled ? "card rule" : "card rule off" },
    el("div", { class: "card-head" }, el("h2", {}, sayOr(`rule_${rule.name}`, rule.name)),
      el("span", { class: "pill" }, say(rule.enabled ? "playbook_on" : "playbook_off"))),
    rule.description ? el("p", { class: "quiet" }, rule.description) : null,
    el("h3", {}, say("playbook_when")), el("ul", {}, ...pairs("when", rule.when)),
    el("h3", {}, say("playbook_then")), steps(rule.then),
    guards.length ? el("h3", {}, say("playbook_guard")) : null,
    guards.length ? el("ul", {}, ...guards) : null);
}

function drawRules(edition) {
  const rules = edition?.rules ?? [];
  at("rules").replaceChildren(...(rules.length ? rules.map(card) : [el("p", { class: "empty" }, say("playbook_none"))]));
  at("playbook-state").textContent = edition
    ? say("playbook_in_use", { version: edition.version, at: formatClock(edition.applied_at_ms), by: edition.by || "–" })
    : say("playbook_none");
}

// The editor

function numberLines() {
  const count = text.value.split("\n").length;
  at("numbers").textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
  at("numbers").scrollTop = text.scrollTop;
}

function openFile(name) {
  state.open = name;
  text.value = state.files[name];
  const names = Object.keys(state.files);
  at("file").replaceChildren(...names.map((one) => el("option", { value: one }, one)));
  at("file").value = name;
  at("file").hidden = names.length < 2;
  numberLines();
}

function jump(problem) {
  if (problem.file !== state.open && problem.file in state.files) openFile(problem.file);
  const lines = text.value.split("\n");
  const before = lines.slice(0, problem.line - 1).join("\n").length + (problem.line > 1 ? 1 : 0);
  const start = before + problem.column - 1;
  text.focus();
  text.setSelectionRange(start, Math.min(before + (lines[problem.line - 1] ?? "").length, start + Math.max(problem.value.length, 1)));
  const height = parseFloat(getComputedStyle(text).lineHeight);
  text.scrollTop = Math.max(0, (problem.line - 4) * height);
}

function drawProblems(problems) {
  at("problems").replaceChildren(...problems.map((one) => el("li", { class: one.severity },
    el("button", { type: "button", onclick: () => jump(one) },
      el("strong", {}, `${Object.keys(state.files).length > 1 ? `${one.file}:` : ""}${one.line}:${one.column}`),
      " ", one.message,
      one.value ? el("code", {}, one.value) : null,
      one.expected ? el("span", { class: "small" }, say("playbook_expected", { what: one.expected })) : null,
      one.suggestion ? el("span", { class: "small" }, say("playbook_suggestion", { what: one.suggestion })) : null))));
}

const SIGNS = { added: "+", removed: "−", changed: "~", renamed: "→" };

function change(one) {
  return el("li", { class: `change ${one.kind}` },
    el("details", { open: one.kind === "changed" },
      el("summary", {}, `${SIGNS[one.kind]} `, el("strong", {}, one.name || one.section), " ",
        el("span", { class: "small" }, `${one.name ? `${one.section} · ` : ""}${say(`change_${one.kind}`)}${one.before ? ` ← ${one.before}` : ""}`)),
      el("dl", { class: "lines" }, ...one.keys.flatMap((key) => [
        el("dt", {}, key.key),
        el("dd", {}, key.old ? el("del", {}, key.old) : null, key.old && key.new ? " → " : null, key.new ? el("ins", {}, key.new) : null)]))));
}

function drawChanges(changes) {
  at("changes").replaceChildren(changes?.length
    ? el("ul", {}, ...changes.map(change))
    : el("p", { class: "quiet" }, say(changes ? "playbook_no_change" : "playbook_mend_first")));
}

function verdict(problems) {
  const errors = problems.filter((one) => one.severity === "error").length;
  at("verdict").className = errors ? "verdict wrong" : "verdict fine";
  at("verdict").textContent = errors ? say("playbook_errors", { n: errors }) : say("playbook_fine", { n: problems.length });
  state.ok = !errors;
  at("apply").disabled = errors > 0 || !isChanged();
  rehearsalIsOf(draft(), !errors);
}

async function check() {
  const mine = ++asked;
  if (!Object.values(state.files).some((one) => one.trim())) return;
  const answer = await post("/v1/playbook/check", draft()).catch(() => null);
  if (mine !== asked) return;
  if (!answer?.ok) {
    refuse(await saidBy(answer));
    return;
  }
  const told = await answer.json();
  if (mine !== asked) return;
  refuse("");
  drawProblems(told.problems);
  drawChanges(told.changes);
  verdict(told.problems);
}

function typed() {
  state.files[state.open] = text.value;
  at("apply").disabled = true;
  rehearsalIsOf(draft(), false);
  numberLines();
  clearTimeout(waiting);
  waiting = setTimeout(check, CHECK_AFTER_MS);
}

text.addEventListener("input", typed);
text.addEventListener("scroll", () => { at("numbers").scrollTop = text.scrollTop; });
let leaving = false;
text.addEventListener("keydown", (event) => {
  if (event.key === "Escape") leaving = true;
  else if (event.key === "Tab" && !leaving && !event.shiftKey) {
    event.preventDefault();
    text.setRangeText("  ", text.selectionStart, text.selectionEnd, "end");
    typed();
  } else if (event.key !== "Shift") leaving = false;
});
at("file").addEventListener("change", () => openFile(at("file").value));

// Applying and putting back

const saidBy = async (answer) => {
  const body = await answer?.json().catch(() => null);
  return body?.error ?? say("reconnecting");
};

function refuse(said) {
  at("refused").hidden = !said;
  at("refused").textContent = said;
}

function drawConflict(told) {
  at("conflict").hidden = false;
  at("conflict").replaceChildren(
    el("p", { class: "trouble" }, say("playbook_conflict", { version: told.theirs.version, by: told.theirs.by || "–" })),
    el("details", {}, el("summary", {}, say("playbook_theirs")), el("pre", {}, Object.values(told.theirs.files).join("\n"))),
    el("button", {
      type: "button", class: "plain", onclick: () => {
        state.newest = told.theirs.version;
        at("conflict").hidden = true;
        read(false);
      },
    }, say("playbook_keep_mine")),
    el("button", { type: "button", class: "plain", onclick: () => { at("conflict").hidden = true; read(true); } }, say("playbook_take_theirs")));
}

at("save").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("apply").disabled = true;
  const answer = await post("/v1/playbook", { ...draft(), note: at("note").value, based_on: state.newest }).catch(() => null);
  if (answer?.status === 201) {
    at("note").value = "";
    await read(true);
    return;
  }
  if (answer?.status === 409) drawConflict(await answer.json());
  else refuse(await saidBy(answer));
  at("apply").disabled = !state.ok || !isChanged();
});

async function putBack(version) {
  if (isChanged() && !confirm(say("playbook_lose_draft"))) return;
  const answer = await post("/v1/playbook/rollback", { version }).catch(() => null);
  if (answer?.ok) await read(true);
  else refuse(await saidBy(answer));
}

function drawHistory(told) {
  const rows = [...told.editions].reverse().map((one) => el("tr", {},
    el("td", { class: "n" }, String(one.version)),
    el("td", {}, el("time", { datetime: new Date(one.applied_at_ms).toISOString() }, formatClock(one.applied_at_ms)),
      el("span", { class: "small" }, one.by ? ` · ${one.by}` : "")),
    el("td", {}, one.note),
    el("td", { class: "n" }, one.version === told.in_use
      ? el("span", { class: "pill" }, say("playbook_now"))
      : el("button", { type: "button", class: "plain", onclick: () => putBack(one.version) }, say("playbook_roll_back")))));
  at("history").replaceChildren(rows.length ? el("table", {}, el("tbody", {}, ...rows)) : el("p", { class: "empty" }, say("playbook_none")));
}

async function read(afresh) {
  const answer = await fetch("/v1/playbook").catch(() => null);
  if (!answer?.ok) {
    refuse(await saidBy(answer));
    return;
  }
  const told = await answer.json();
  state.token = told.form_token;
  state.inUse = told.in_use;
  drawRules(told.edition);
  drawHistory(told);
  if (afresh) {
    state.newest = told.newest;
    if (told.edition) {
      state.main = told.edition.main;
      state.files = { ...told.edition.files };
    }
    state.saved = JSON.stringify(state.files);
    openFile(state.main);
    refuse("");
  }
  at("playbook").removeAttribute("aria-busy");
  await check();
}

setUpRehearsal(draft, post);
addEventListener("beforeunload", (event) => { if (isChanged()) event.preventDefault(); });
await read(true);
