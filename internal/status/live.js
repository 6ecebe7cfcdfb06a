// Adds messages to the list as they come. Without it the page loads itself again.
"use strict";
(function () {
  const body = document.getElementById("messages");
  const state = document.getElementById("state");
  if (!body || !window.EventSource) return;
  const rows = 200;
  let held = [];
  let paused = false;
  const query = new URLSearchParams(location.search);
  const newest = body.querySelector("tr[data-id]");
  if (newest) query.set("after", newest.dataset.id);

  function say(text, mood) {
    state.textContent = text;
    state.className = "badge " + mood;
  }
  function cell(row, label, name) {
    const td = document.createElement("td");
    td.dataset.label = label;
    if (name) td.className = name;
    row.append(td);
    return td;
  }
  function link(target, text, code) {
    const a = document.createElement("a");
    a.href = target;
    const inner = document.createElement(code ? "code" : "span");
    inner.textContent = text;
    a.append(inner);
    return a;
  }
  function small(text) {
    const s = document.createElement("small");
    s.className = "below";
    s.textContent = text;
    return s;
  }
  function show(m) {
    const row = document.createElement("tr");
    row.dataset.id = m.id;
    const th = document.createElement("th");
    th.scope = "row";
    const time = document.createElement("time");
    time.dateTime = m.at;
    time.textContent = new Date(m.at).toISOString().slice(11, 23);
    th.append(time);
    row.append(th);
    const client = cell(row, "Client", "free");
    client.append(link("client/" + encodeURIComponent(m.client), m.client, true));
    if (m.machine || m.name) client.append(small(m.machine || m.name));
    cell(row, "Message").textContent = m.message;
    const verdict = cell(row, "Answer");
    const badge = document.createElement("span");
    badge.className = "badge " + m.mood;
    badge.textContent = m.verdict;
    verdict.append(badge);
    const address = cell(row, "Address");
    if (m.address) address.append(link("ip/" + encodeURIComponent(m.address), m.address, true));
    const why = cell(row, "Why", "free");
    why.append(m.words);
    if (m.network) why.append(small("in " + m.network + (m.relay ? ", by relay " + m.relay : "")));
    const more = cell(row, "More");
    if (m.explain) more.append(link("explain?" + m.explain, "explain"));
    body.prepend(row);
    while (body.rows.length > rows) body.lastElementChild.remove();
  }
  const source = new EventSource("api/messages.stream?" + query.toString());
  source.onopen = function () { say(paused ? "paused" : "live", paused ? "drift" : "good"); };
  source.onmessage = function (event) {
    const m = JSON.parse(event.data);
    const empty = document.getElementById("empty");
    if (empty) empty.remove();
    if (!paused) { show(m); return; }
    held.push(m);
    if (held.length > rows) held.shift();
    say(held.length + " held back", "drift");
  };
  source.onerror = function () {
    say(source.readyState === EventSource.CLOSED ? "not live: too many watch, or the login ended" : "reconnecting", "bad");
  };
  const pause = document.getElementById("pause");
  pause.hidden = false;
  pause.addEventListener("click", function () {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) { say("paused", "drift"); return; }
    held.forEach(show);
    held = [];
    say("live", "good");
  });
})();
