"use strict";
// Tells a person that the session is about to end, and leaves nothing to be seen of the page
// once it has: also where the machine slept, the network is gone, or the page comes back out
// of the browser's memory. The server ends sessions; this only looks.
(() => {
  const script = document.currentScript;
  const root = document.documentElement;
  const address = new URL("left", script.src);
  const say = (name, words) => script.dataset[name] || words;
  const second = 1000;
  const pollEvery = 60 * second;
  const retryEvery = 5 * second;

  let session = script.dataset.session || ""; // whose page this is
  let over = 60 * second; // by clock(): until the server has said more, the page has a minute
  let warnAt = over;
  let nextAsk = 0;
  let asked = 0; // questions so far; only the answer to the last one counts
  let dismissed = false;
  let gone = false;

  // clock counts milliseconds by whichever went further since it was last asked: the wall
  // clock, which steps, or the page's own, which may stand still while the machine sleeps.
  let wall = Date.now();
  let own = performance.now();
  let passed = 0;
  const clock = () => {
    const w = Date.now();
    const p = performance.now();
    passed += Math.max(w - wall, p - own, 0);
    wall = w;
    own = p;
    return passed;
  };

  // The one dialog, beside the body, so that it is seen when the body is not.
  const dialog = document.createElement("dialog");
  dialog.id = "session-countdown";
  dialog.setAttribute("role", "alertdialog");
  const words = document.createElement("p");
  words.id = "session-countdown-words";
  dialog.setAttribute("aria-labelledby", words.id);
  const left = document.createElement("p");
  const stay = document.createElement("button");
  stay.type = "button";
  stay.textContent = say("stay", "Stay signed in");
  stay.addEventListener("click", () => ask("POST"));
  const unlock = document.createElement("a");
  unlock.textContent = say("unlockText", "Unlock in a new tab");
  unlock.target = "_blank";
  unlock.rel = "noopener";
  unlock.href = say("unlock", "/");
  dialog.append(words, left, stay, unlock);
  dialog.addEventListener("cancel", (event) => {
    if (hidden) event.preventDefault();
    dismissed = true;
  });

  const show = (text, remaining, link) => {
    if (words.textContent !== text) words.textContent = text;
    left.textContent = remaining;
    left.hidden = stay.hidden = remaining === "";
    unlock.hidden = !link;
    if (!dialog.isConnected) root.append(dialog);
    if (!dialog.open) dialog.showModal();
  };

  // blank takes the page off the screen, out of the title and out of reach of the keyboard.
  // What was typed stays in it.
  let hidden = null;
  const blank = (text, link) => {
    if (!hidden) {
      const style = document.body.style;
      hidden = {
        title: document.title,
        value: style.getPropertyValue("display"),
        priority: style.getPropertyPriority("display"),
      };
      style.setProperty("display", "none", "important");
      document.title = say("title", "Signed out");
      if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
      if (dialog.open) dialog.close(); // to open again above whatever the page has opened
    }
    show(text, "", link);
  };
  const reveal = () => {
    if (!hidden) return;
    document.body.style.setProperty("display", hidden.value, hidden.priority);
    document.title = hidden.title;
    hidden = null;
    if (dialog.open) dialog.close();
  };

  // wipe is for good: nothing of the page is left, and the browser goes elsewhere.
  const wipe = () => {
    gone = true;
    blank(say("over", "You are signed out."), false);
    document.body.replaceChildren();
    location.replace(say("end", "/"));
  };

  // ask asks how long is left; POST says that the person is still there.
  const ask = async (method) => {
    if (gone) return;
    const question = ++asked;
    const sent = clock();
    nextAsk = sent + (sent < over ? pollEvery : retryEvery);
    let answer = null;
    try {
      const response = await fetch(address, {
        method,
        cache: "no-store",
        credentials: "same-origin",
        redirect: "error",
        headers: method === "POST" ? { "X-Csrf-Token": script.dataset.csrf || "" } : {},
        signal: AbortSignal.timeout(10 * second),
      });
      if (response.ok) answer = await response.json();
    } catch {
      // Nobody answered. The page ends when it would have ended.
    }
    if (answer && question === asked && !gone) apply(answer, sent);
  };

  const apply = (answer, sent) => {
    if (answer.state !== "live" && answer.state !== "locked" || session && answer.session !== session) {
      wipe(); // over, or somebody else's by now
      return;
    }
    session = answer.session;
    if (answer.state === "locked") {
      over = 0;
      nextAsk = clock() + retryEvery;
      blank(say("locked", "This screen is locked."), true);
      return;
    }
    if (answer.again) { // the token is being changed; the next question goes with the new one
      nextAsk = clock() + second;
      return;
    }
    const ends = sent + Math.min(answer.idle, answer.absolute) * second;
    if (ends > over) dismissed = false;
    over = ends;
    warnAt = over - answer.warn * second;
    nextAsk = clock() + Math.min(pollEvery, Math.max(warnAt - clock(), second));
    if (clock() < over) reveal();
    tick();
  };

  const tick = () => {
    if (gone) return;
    const now = clock();
    if (now >= over) {
      if (!hidden) {
        blank(say("checking", "Nobody was here for a while, so this page is hidden."), false);
        nextAsk = now;
      }
    } else if (now >= warnAt && !hidden && !dismissed && session) {
      show(say("warn", "You will be signed out soon, because nobody was here for a while."), remaining(over - now), false);
    } else if (!hidden && dialog.open) {
      dialog.close();
    }
    if (now >= nextAsk && document.visibilityState === "visible") ask("GET");
  };

  const remaining = (ms) => {
    const s = Math.ceil(ms / second);
    return Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
  };

  const back = () => {
    tick();
    ask("GET");
  };
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && back());
  document.addEventListener("resume", back);
  window.addEventListener("online", back);
  window.addEventListener("focus", tick);
  // The browser may keep the page to bring it back: then nothing is seen of it until the
  // server has said that it is still the same person's.
  window.addEventListener("pagehide", (event) => {
    if (event.persisted && !gone) {
      asked++; // an answer under way is about then, not about when the page comes back
      over = 0;
      blank(say("checking", "Nobody was here for a while, so this page is hidden."), false);
    }
  });
  window.addEventListener("pageshow", (event) => event.persisted && back());

  setInterval(tick, second);
  ask("GET");
})();
