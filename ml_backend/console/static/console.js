// What the pages do better with a script; without it they work all the same. No library, no build.
"use strict";

const lang = document.documentElement.lang;

// Times in the reader's own zone and manner.
function localTimes(root) {
  const format = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    if (!Number.isNaN(when.getTime())) {
      time.title = time.textContent;
      time.textContent = format.format(when);
    }
  }
}

// Choosing is enough: the button beside the choice is for those without a script.
function submitOnChoice(root) {
  for (const select of root.querySelectorAll("select[data-submit]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
    const button = select.form.querySelector("button.small");
    if (button) button.hidden = true;
  }
}

// Pointing at a box lights its row, pointing at a row its box.
function joinBoxes(root) {
  const light = (event, on) => {
    const from = event.target.closest("[data-value]");
    if (!from) return;
    for (const one of document.querySelectorAll(`[data-value="${from.dataset.value}"]`)) one.classList.toggle("lit", on);
  };
  root.addEventListener("mouseover", (event) => light(event, true));
  root.addEventListener("mouseout", (event) => light(event, false));
  root.addEventListener("click", (event) => {
    const row = event.target.closest(".side tr[data-value], .side .cell[data-value]");
    if (!row || event.target.closest("a, summary, button")) return;
    const box = document.querySelector(`svg [data-value="${row.dataset.value}"]`);
    if (box) box.scrollIntoView({ block: "center", behavior: "smooth" });
  });
}

// While something is going on, fetch the page again and put in what changed.
function refresh() {
  const waiting = document.querySelector("[data-refresh]");
  if (!waiting) return;
  setTimeout(async () => {
    const typing = document.activeElement && document.activeElement.closest("[data-live] input, [data-live] select");
    if (!document.hidden && !typing) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
        if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch {
        // The backend is away for a moment; the next round tries again.
      }
    }
    refresh();
  }, Number(waiting.dataset.refresh) * 1000);
}

function replace(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
    if (!now) continue;
    localTimes(now);
    // What a reader has opened stays open.
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    if (old.innerHTML === now.innerHTML && old.dataset.refresh === now.dataset.refresh) continue;
    const details = now.querySelectorAll("details");
    if (details.length === open.length) details.forEach((one, at) => { one.open = open[at]; });
    old.replaceWith(document.adoptNode(now));
  }
}

function dropZone(zone, take) {
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer); });
}

// Files of dropped folders too, hidden ones left out.
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
  if (!entries.some((entry) => entry && entry.isDirectory)) return [...transfer.files];
  const found = [];
  const walk = async (entry) => {
    if (!entry || entry.name.startsWith(".")) return;
    if (entry.isFile) {
      found.push(await new Promise((done, failed) => entry.file(done, failed)));
    } else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (!some.length) break;
        for (const one of some) await walk(one);
      }
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

// File by file, two at a time, each with its progress and its outcome.
function uploads(form) {
  const results = document.querySelector("[data-results]");
  const list = results.querySelector(".results");
  const summary = results.querySelector("[data-summary]");
  const button = form.querySelector("button.primary");
  const words = form.dataset;
  const input = form.querySelector("input[name=files]");
  const folder = form.querySelector("[data-folder]");
  const queue = [];
  let active = 0, taken = 0, refused = 0;

  folder.hidden = false;
  folder.querySelector("input").addEventListener("change", (event) => { add([...event.target.files]); event.target.value = ""; });
  input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
  dropZone(form.querySelector("[data-drop]"), async (transfer) => add(await filesOf(transfer)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!queue.length && !active) {
      results.hidden = false;
      summary.textContent = words.nothing;
      input.focus();
      return;
    }
    next();
  });
  window.addEventListener("beforeunload", (event) => { if (active) event.preventDefault(); });

  function add(files) {
    for (const file of files) {
      const path = file.webkitRelativePath || "";
      if (file.name.startsWith(".") || path.split("/").some((part) => part.startsWith("."))) continue;
      queue.push({ file, row: rowFor(file) });
    }
    results.hidden = !list.children.length;
    if (active) next();
    else if (queue.length) button.focus();
  }

  function rowFor(file) {
    const row = document.createElement("li");
    const what = document.createElement("span");
    what.className = "what";
    what.textContent = file.name;
    const state = document.createElement("span");
    state.className = "tag";
    state.textContent = words.waiting;
    row.append(what, state);
    list.append(row);
    return row;
  }

  function next() {
    while (active < 2 && queue.length) send(queue.shift());
    button.disabled = active > 0;
    const text = words.summary.replace("{taken}", taken).replace("{refused}", refused);
    summary.textContent = taken + refused ? text : "";
  }

  function send({ file, row }) {
    active += 1;
    const state = row.querySelector(".tag");
    state.textContent = words.sending;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    row.append(bar);
    const data = new FormData();
    for (const name of ["collection", "notes", "by"]) data.append(name, form.elements[name].value);
    data.append("files", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    request.addEventListener("loadend", () => {
      active -= 1;
      bar.remove();
      show(row, request);
      next();
    });
    request.send(data);
  }

  function show(row, request) {
    const state = row.querySelector(".tag");
    let body = null;
    try { body = JSON.parse(request.responseText); } catch { /* not our JSON: the connection broke */ }
    const file = body && body.files && body.files[0];
    const outcome = file ? file.outcome : "refused";
    state.textContent = words[outcome];
    state.classList.add(outcome);
    if (outcome === "refused") {
      refused += 1;
      const why = document.createElement("small");
      why.className = "warn";
      const error = (file && file.error) || (body && body.error);
      why.textContent = error ? error.message : words.failed;
      row.append(why);
    } else {
      taken += 1;
      const link = document.createElement("a");
      link.href = `/console/documents/${file.document_id}`;
      link.textContent = file.name;
      row.querySelector(".what").replaceChildren(link);
    }
  }
}

function busyForms() {
  for (const form of document.querySelectorAll("form[data-busy]")) {
    const input = form.querySelector("input[type=file]");
    dropZone(form.querySelector("[data-drop]"), (transfer) => { input.files = transfer.files; });
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      button.disabled = true;
      button.textContent = form.dataset.busy;
    });
  }
}

localTimes(document);
submitOnChoice(document);
joinBoxes(document.body);
busyForms();
const upload = document.querySelector("form[data-upload]");
if (upload) uploads(upload);
refresh();
