// The PC's page follows its scan: a line that says when something is new, asking again where lines do not get through.
(function () {
  "use strict";
  var page = document.querySelector("[data-scan]");
  if (!page) { return; }
  var FINAL = ["linked", "done", "declined", "superseded", "cancelled"];
  var LINE_SILENT_MS = 4000;
  var id = page.dataset.scan;
  var version = Number(page.dataset.v);
  var canRenew = "renews" in page.dataset;
  var line = null, timer = null, generation = 0;
  var status = page.querySelector("[data-role=scan-state]");

  function show(state) {
    page.dataset.state = state;
    status.dataset.state = state;
    page.querySelectorAll("[data-show]").forEach(function (part) {
      part.hidden = part.dataset.show.split(" ").indexOf(state) < 0;
    });
    var code = document.getElementById("code");
    if (state === "confirmed" && code && document.activeElement !== code) { code.focus(); }
  }

  function away(isAway) {
    page.querySelector("[data-show=away]").hidden = !isAway;
  }

  function day(text) {
    var parts = new Intl.DateTimeFormat("zh-CN", {timeZone: "Asia/Shanghai", year: "numeric", month: "numeric", day: "numeric"})
      .formatToParts(new Date(text)).reduce(function (found, part) { found[part.type] = part.value; return found; }, {});
    return parts.year + "年" + parts.month + "月" + parts.day + "日";
  }

  function ask(path, options) {
    return fetch(path, Object.assign({headers: {Accept: "application/json"}, credentials: "same-origin"}, options));
  }

  // What has changed; the page is drawn once, and only from what our own server says.
  function refresh() {
    var mine = generation;
    return ask("/scans/" + id).then(function (answer) {
      if (!answer.ok) { throw new Error(answer.status); }
      return answer.json();
    }).then(function (now) {
      if (mine !== generation || now.v < version) { return; }
      version = now.v;
      away(false);
      page.querySelector("[data-mask]").textContent = now.mask;
      page.querySelector("[data-said]").textContent = now.said;
      page.querySelector("[data-until]").textContent = now.until ? day(now.until) : "";
      page.querySelector("[data-until-line]").hidden = !now.until;
      if (now.state === "expired" && canRenew && page.dataset.state === "waiting") { renew(); return; }
      show(now.state);
      clearTimeout(timer);
      if (FINAL.indexOf(now.state) >= 0 || now.state === "expired") { leave(); return; }
      timer = setTimeout(refresh, (now.ttl + 1) * 1000);
      return true;
    });
  }

  function leave() {
    generation += 1;
    clearTimeout(timer);
    if (line) { line.close(); line = null; }
  }

  // A line first; if it stays silent or breaks for good, long polls.
  function follow() {
    var mine = generation;
    if (!window.EventSource) { poll(mine); return; }
    var heard = false;
    var own = line = new EventSource("/scans/" + id + "/events");
    function instead() {
      if (mine !== generation || line !== own) { return; }
      own.close();
      line = null;
      poll(mine);
    }
    var silent = setTimeout(function () { if (!heard) { instead(); } }, LINE_SILENT_MS);
    own.onmessage = function (event) {
      heard = true;
      clearTimeout(silent);
      if (JSON.parse(event.data).v > version) { again(refresh); } else { away(false); }
    };
    own.onerror = function () {
      if (own.readyState === EventSource.CLOSED || !heard) { clearTimeout(silent); instead(); } else { away(true); }
    };
  }

  function again(work) {
    var mine = generation;
    work().catch(function () {
      if (mine === generation) { away(true); setTimeout(function () { if (mine === generation) { again(work); } }, 1500); }
    });
  }

  function poll(mine) {
    if (mine !== generation) { return; }
    ask("/scans/" + id + "/wait?v=" + version).then(function (answer) {
      if (answer.status === 200) { return refresh(); }
      if (answer.status === 204) { away(false); return; }
      throw new Error(answer.status);
    }).then(function () { poll(mine); }, function () {
      if (mine === generation) { away(true); setTimeout(function () { poll(mine); }, 2000); }
    });
  }

  function fields(form, more) {
    var found = new URLSearchParams(new FormData(form));
    Object.keys(more || {}).forEach(function (name) { found.set(name, more[name]); });
    return found;
  }

  // A new code in place of the old one, without a new page.
  function renew() {
    var form = page.querySelector("form[action='/scans']");
    leave();
    canRenew = false;
    ask("/scans", {method: "POST", body: fields(form, {renews: id})}).then(function (answer) {
      if (!answer.ok) { throw new Error(answer.status); }
      return answer.json();
    }).then(function (made) {
      id = made.id;
      page.dataset.scan = id;
      version = 1;
      generation += 1;
      page.querySelector("[data-role=scan-qr]").src = "/scans/" + id + "/qr.svg";
      page.querySelector("[data-role=scan-number]").textContent = made.number;
      var entry = page.querySelector("[data-entry]");
      if (entry) { entry.textContent = made.qr_url; }
      page.querySelectorAll("form[data-act]").forEach(function (act) { act.action = "/scans/" + id + "/" + act.dataset.act; });
      history.replaceState(null, "", "/scans/" + id);
      page.dataset.renewals = Number(page.dataset.renewals || 0) + 1;
      canRenew = Number(page.dataset.renewals) < 4;
      begin(made.ttl);
    }).catch(function () { show("expired"); });
  }

  function begin(ttl) {
    timer = setTimeout(function () { again(refresh); }, (ttl + 1) * 1000);
    follow();
  }

  show(page.dataset.state);
  if (FINAL.indexOf(page.dataset.state) < 0 && page.dataset.state !== "expired") { begin(Number(page.dataset.ttl)); }
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", function (event) { if (event.persisted) { location.reload(); } });
})();
