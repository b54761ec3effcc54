// What the pages do beyond plain HTML; every page works without it.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Times that go on ------------------------------------------------------------------------
  // The server's clock counts: a wrong one here must not show steps that last minus an hour.
  const stamp = document.documentElement.dataset.now;
  const skew = stamp ? Date.now() - Date.parse(stamp) : 0;
  const age = (iso) => Math.max(0, (Date.now() - skew - Date.parse(iso)) / 1000);

  function seconds(total) {
    if (total < 10) return `${total.toFixed(1)} s`;
    const whole = Math.floor(total);
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    if (hours) return `${hours} h ${minutes} min`;
    return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
  }

  function ago(total) {
    for (const [length, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
      const count = Math.floor(total / length);
      if (count >= 1) return `${count} ${unit}${count > 1 ? "s" : ""} ago`;
    }
    return "just now";
  }

  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tick() {
    for (const element of all("[data-since]")) put(element, seconds(age(element.dataset.since)));
    for (const element of all("time[data-ago]")) put(element, ago(age(element.dateTime)));
  }
  tick();
  setInterval(tick, 500);

  // Copy ------------------------------------------------------------------------------------
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  // Kubeconfig: fetched, so that a refusal is told beside the button -------------------------
  async function download(form) {
    const button = form.querySelector("button");
    const told = document.getElementById(form.dataset.told);
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    tell(told, "busy", "A worker is making your kubeconfig…");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "error" });
      if (!answer.ok) throw new Error(await reason(answer));
      save(await answer.blob(), form.dataset.file);
      const until = new Date(answer.headers.get("X-Atoll-Expires-At"));
      const clock = until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      tell(told, "good", `Downloaded ${form.dataset.file}. It works until ${clock}; after that, download a new one.`);
    } catch (error) {
      const lost = "The portal did not answer. Check the connection, reload the page if you were signed out, then try again.";
      tell(told, "bad", error instanceof TypeError ? lost : error.message);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  async function reason(answer) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const detail = page.getElementById("detail");
    return detail ? detail.textContent.trim() : "That did not work. Reload the page and try again.";
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function tell(element, tone, text) {
    element.hidden = false;
    element.className = `notice tone-${tone}`;
    element.textContent = text;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-download]")) {
      event.preventDefault();
      download(form);
    } else if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
      event.preventDefault();
    } else if (form.method === "post") {
      if (form.dataset.sent) event.preventDefault(); // a double click sends once
      form.dataset.sent = "yes";
    }
  });
  for (const form of all("form[data-go-on]")) form.requestSubmit(); // a form that waited for its sender
  addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => delete form.dataset.sent));

  // Live parts ------------------------------------------------------------------------------
  const lost = document.getElementById("lost");
  let opened = [];
  document.addEventListener("htmx:beforeSwap", () => { opened = all("details[open][id]").map((d) => d.id); });
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    tick();
  });
  const away = (is) => { if (lost && lost.hidden === is) lost.hidden = !is; };
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, () => away(true));
  }
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) away(false); });
})();
