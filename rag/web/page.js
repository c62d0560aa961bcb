// What the page does in the browser. Gradio runs this once for each part of the page, with what it calls `element`,
// `trigger` (send an event to Python) and `watch` (be told of a new value).

const KEPT = "footnote/"; // begins the key of each conversation that the browser keeps

const ACTS = ["stop", "retry", "edit", "copy", "save", "link", "rate"]; // what Python listens to

function conversation(element, trigger, watch) {
  let shown = 0;
  let pressed = ""; // the button that has the focus, for when the conversation is drawn anew without it

  element.addEventListener("focusin", ({ target }) => {
    const { act, turn } = target.dataset;
    pressed = act ? `[data-act="${act}"]${turn ? `[data-turn="${turn}"]` : ""}` : "";
  });
  element.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const { ask, open, act, turn, form, good } = button.dataset;
    if (ask !== undefined) trigger("example", { question: button.textContent });
    if (open) {
      const opened = document.querySelector(`#reader [data-key="${open}"]`);
      opened && opened.offsetParent ? reveal(opened) : trigger("open", { key: open });
    }
    if (ACTS.includes(act)) {
      button.disabled = act === "stop";
      const note = button.closest(".rating")?.querySelector("input").value ?? "";
      button.closest("details")?.removeAttribute("open");
      trigger(act, { turn, form: form ?? "", good: good ?? "", note });
    }
  });
  element.addEventListener("keydown", ({ key, target }) => {
    if (key === "Enter" && target.closest(".rating input")) target.nextElementSibling.click();
  });

  watch("value", () => {
    const turns = element.querySelectorAll(".turn");
    if (turns.length > shown) turns[turns.length - 1].querySelector("h2").scrollIntoView({ block: "start" });
    shown = turns.length;
    if (pressed && document.activeElement === document.body) {
      const next = [pressed, "[data-act=stop]", "[data-act=retry]"].map((each) => element.querySelector(each)).find(Boolean);
      next?.focus({ preventScroll: true });
    }
  });
}

function menu(element, trigger) {
  element.addEventListener("click", ({ target }) => {
    const { go, forget, fresh } = target.closest("button")?.dataset ?? {};
    if (go) trigger("go", { id: go });
    if (forget) trigger("forget", { id: forget });
    if (fresh !== undefined) trigger("new");
    if (go || fresh !== undefined) element.querySelector("details")?.removeAttribute("open");
  });
}

function reader(element, watch) {
  watch("value", () => {
    const article = element.querySelector("article");
    if (!article) return;
    if ("chosen" in article.dataset) requestAnimationFrame(() => reveal(article));
    else scroll_in(element.closest(".tabitem"), article);
  });
  element.addEventListener("click", ({ target }) => target.closest(".back") && back());
  element.addEventListener("keydown", ({ key }) => key === "Escape" && back());
}

// The list of articles and the pictures of them.
function shelf(element, trigger) {
  const act = ({ target }) => {
    const button = target.closest("[data-source], [data-month], [data-remove]");
    if (!button) return;
    const { source, start, end, month, remove, sure } = button.dataset;
    if (source !== undefined) trigger("open", { source, start: start ?? "", end: end ?? "" });
    if (month !== undefined) trigger("month", { month });
    if (remove === undefined) return;
    if (sure) trigger("remove", { source: remove });
    else ask_again(button);
  };
  element.addEventListener("click", act);
  element.addEventListener("keydown", (event) => {
    if (event.target.closest("a[data-month]") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      act(event);
    }
  });
}

// Ask whether an article is really to be removed, until the reader turns to something else.
function ask_again(button) {
  const [label, text] = [button.getAttribute("aria-label"), button.textContent];
  [button.dataset.sure, button.textContent] = ["yes", "Really remove?"];
  button.removeAttribute("aria-label"); // it would hide what is asked
  const unasked = () => {
    delete button.dataset.sure;
    button.textContent = text;
    button.setAttribute("aria-label", label);
  };
  button.focus(); // not every browser does so at a click
  button.addEventListener("blur", unasked, { once: true });
}

// What only the browser can do: keep conversations, fill the clipboard, save a file.
function port(props, trigger, watch) {
  const orders = {
    keep({ id, started, text }) {
      sessionStorage.setItem(KEPT, id);
      const oldest = () => kept().sort((a, b) => (a.started < b.started ? -1 : 1))[0];
      for (let one = oldest(); ; one = oldest()) {
        try {
          return localStorage.setItem(KEPT + id, JSON.stringify({ id, started, text }));
        } catch (error) {
          if (!one) return; // the browser keeps nothing at all
          localStorage.removeItem(KEPT + one.id);
        }
      }
    },
    open: ({ id }) => sessionStorage.setItem(KEPT, id),
    forget: ({ id }) => localStorage.removeItem(KEPT + id),
    say: ({ text }) => say(text),
    copy: ({ text }) => to_clipboard(text),
    link: ({ question }) => to_clipboard(`${location.origin}${location.pathname}?ask=${encodeURIComponent(question)}`),
    save({ name, text }) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text]));
      link.download = name;
      link.click();
      URL.revokeObjectURL(link.href);
    },
  };
  watch("value", () => {
    const order = JSON.parse(props.value);
    orders[order.do](order);
  });
  addEventListener("storage", ({ key, newValue }) => {
    const open = sessionStorage.getItem(KEPT);
    if (open && key === KEPT + open && newValue) say("Another tab goes on with this conversation; load the page again to see it.");
  });
  const question = new URLSearchParams(location.search).get("ask") ?? "";
  if (question) history.replaceState(null, "", location.pathname);
  trigger("restore", { kept: kept().map(({ text }) => text), open: sessionStorage.getItem(KEPT) ?? "", question });
}

// The conversations that the browser keeps; what another program left under such a key is passed over.
function kept() {
  const found = [];
  for (const [key, value] of Object.entries(localStorage)) {
    if (!key.startsWith(KEPT)) continue;
    try {
      const { id, started, text } = JSON.parse(value);
      if (key === KEPT + id) found.push({ id, started, text });
    } catch (error) {
      localStorage.removeItem(key);
    }
  }
  return found;
}

async function to_clipboard(text) {
  let said = "Copied.";
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    said = "The browser does not let this page copy; save the answer instead.";
  }
  say(said);
}

// Say something for as long as it takes to read it, unless Python says something else meanwhile.
function say(text) {
  const notice = document.querySelector("#notice p");
  notice.textContent = text;
  setTimeout(() => notice.textContent === text && (notice.textContent = ""), 6000);
}

// The reader asked for it: bring the quote into view and move the focus there.
function reveal(article) {
  const quote = point_at(article);
  quote.scrollIntoView({ block: quote.matches("header") ? "start" : "center" });
  quote.focus({ preventScroll: true });
}

// Nobody asked: scroll the pane, never the page.
function scroll_in(pane, article) {
  const quote = point_at(article);
  pane.scrollTop += quote.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
}

// Show in the conversation which source is open; give its quote, or where the article begins.
function point_at(article) {
  for (const button of document.querySelectorAll("#conversation [data-open]")) {
    button.toggleAttribute("aria-current", button.dataset.open === article.dataset.key);
  }
  return article.querySelector(".current") ?? article.querySelector("header");
}

function back() {
  (document.querySelector("#conversation [aria-current]") ?? document.querySelector("#ask textarea")).focus();
}
