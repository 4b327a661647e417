// Passkeys: hands what the clinic asks to the browser, and the browser's answer back in a form.
// Every form marked data-passkey belongs to one ceremony ("get" or "create"). Its options are on the
// page, in data-options, or come from the address in data-offer.
(() => {
  "use strict";
  const api = window.PublicKeyCredential;
  const able = Boolean(api && api.parseRequestOptionsFromJSON && api.parseCreationOptionsFromJSON && navigator.credentials);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  for (const e of all("[data-without-passkeys]")) e.hidden = able;
  for (const e of all("[data-with-passkeys]")) e.hidden = !able;
  if (!able) return;

  const fresh = 4 * 60 * 1000; // the clinic takes an answer for five minutes
  let waiting = null; // ends what the browser waits for: it takes one question at a time

  const say = (form, text) => {
    const p = form.querySelector("[data-problem]");
    p.textContent = text;
    p.hidden = text === "";
  };

  const words = (error) => {
    switch (error && error.name) {
      case "AbortError":
        return "";
      case "InvalidStateError":
        return "This device has a passkey for your account already.";
      case "SecurityError":
        return "This browser makes no passkeys for this address.";
      case "NotAllowedError":
        return "That was cancelled, or took too long. Please try again, or use another way.";
      default:
        return (error && error.said) || "That did not work. Please try again, or use another way.";
    }
  };

  // ask returns the options of a form, and when they came.
  const ask = async (form) => {
    if (form.asked && Date.now() - form.asked.at < fresh) return form.asked;
    if (!form.dataset.offer) {
      return { at: Date.now(), options: JSON.parse(form.dataset.options) };
    }
    const csrf = form.querySelector("input[name=csrf]");
    const answer = await fetch(form.dataset.offer, {
      method: "POST",
      headers: csrf ? { "X-Csrf-Token": csrf.value } : {},
      credentials: "same-origin",
      cache: "no-store",
    });
    const body = await answer.json();
    if (!answer.ok) throw { said: body.problem };
    form.asked = { at: Date.now(), options: body.options };
    return form.asked;
  };

  const run = async (form, conditional) => {
    if (waiting) waiting.abort();
    const mine = new AbortController();
    waiting = mine;
    try {
      const asked = await ask(form);
      const create = form.dataset.passkey === "create";
      const publicKey = create ? api.parseCreationOptionsFromJSON(asked.options) : api.parseRequestOptionsFromJSON(asked.options);
      const wish = { publicKey, signal: mine.signal };
      if (conditional) wish.mediation = "conditional";
      const key = create ? await navigator.credentials.create(wish) : await navigator.credentials.get(wish);
      form.querySelector("[data-response]").value = JSON.stringify(key.toJSON());
      form.submit();
    } catch (error) {
      if (!conditional) say(form, words(error));
    } finally {
      if (waiting === mine) waiting = null;
    }
  };

  // suggest lets the browser offer passkeys in the e-mail field, for as long as the page is looked at.
  const suggest = async (form) => {
    if (!api.isConditionalMediationAvailable || !(await api.isConditionalMediationAvailable())) return;
    const begin = () => {
      if (document.visibilityState === "visible" && (!waiting || !form.asked || Date.now() - form.asked.at >= fresh)) run(form, true);
    };
    begin();
    document.addEventListener("visibilitychange", begin);
  };

  for (const form of all("form[data-passkey]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      say(form, "");
      button.disabled = true;
      await run(form, false);
      button.disabled = false;
      button.focus();
      if (form.dataset.suggest !== undefined && !form.querySelector("[data-response]").value) suggest(form);
    });
    if (form.dataset.suggest !== undefined) suggest(form);
  }
})();
