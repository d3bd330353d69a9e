// What pages do beyond links and forms: keys, live progress, and a double click that sends once. No words of data here.
(() => {
  "use strict";
  const typing = (el) => el.closest("input:not([type=radio]):not([type=checkbox]):not([type=hidden]), textarea, select, dialog[open]");
  const say = (words) => { const place = document.getElementById("said"); if (place) place.textContent = words; };

  // Keys: an element says its own with data-key; the help names them all.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    const help = document.getElementById("keys");
    if (event.key === "?" && help) { event.preventDefault(); help.showModal(); return; }
    const wanted = [...document.querySelectorAll("[data-key]")].find((el) => el.dataset.key === event.key);
    if (!wanted) return;
    event.preventDefault();
    if (wanted.tagName === "SELECT") wanted.focus(); else wanted.click();
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
  });

  // A form that is on its way is not sent again; the server refuses a second one all the same.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog") return;
    if (form.dataset.sent) { event.preventDefault(); event.stopImmediatePropagation(); return; }
    form.dataset.sent = "yes";
  }, true);
  document.addEventListener("htmx:responseError", () => document.querySelectorAll("[data-sent]").forEach((f) => delete f.dataset.sent));
  document.addEventListener("htmx:sendError", () => document.querySelectorAll("[data-sent]").forEach((f) => delete f.dataset.sent));
  window.addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((f) => delete f.dataset.sent));

  // The page stays where it was when the desk goes on to the next file.
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target.id === "desk") kept = window.scrollY; });
  document.addEventListener("htmx:afterSwap", () => { if (kept !== null) { window.scrollTo(0, kept); kept = null; } });

  // After a swap: tell what is there now, and put the focus where the new part says, without a jump.
  document.addEventListener("htmx:afterSettle", (event) => {
    const old = document.querySelector("#notice .trouble");
    if (old && event.detail.target.id !== "notice") old.remove();
    const part = event.detail.elt.closest("[data-says]") || event.detail.elt.querySelector("[data-says]");
    if (part) say(part.dataset.says);
    const next = event.detail.elt.querySelector("[data-focus]");
    if (next) next.focus({ preventScroll: true });
    live();
  });

  // Live progress: the server tells that there is news, the page then asks for its own part again.
  let source = null;
  const live = () => {
    const part = document.querySelector("[data-live]");
    if (source || !part) { if (source && !part) { source.close(); source = null; } return; }
    source = new EventSource(part.dataset.live);
    const fresh = () => { const here = document.querySelector("[data-live]"); if (here) htmx.trigger(here, "news"); };
    source.addEventListener("progress", fresh);
    source.addEventListener("end", () => { fresh(); source.close(); });
  };
  document.addEventListener("DOMContentLoaded", live);
})();
