// What the page does in the browser. Gradio runs this file once for each part of the page, and then calls that part's function.
// Gradio's own names are `element` (the part), `trigger` (sends an event to Python) and `watch` (calls back at a new value).

const KEPT = "footnote/"; // the key of each conversation that the browser keeps begins so

const ACTS = ["stop", "retry", "edit", "copy", "save", "link", "rate"]; // the events of a turn that Python listens to

function conversation(element, trigger, watch) {
  let shown = 0;
  let pressed = ""; // selects the button that has the focus, to find it again when the conversation is drawn anew

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

function source(element, watch) {
  watch("value", () => {
    const article = element.querySelector("article");
    if (!article) return;
    if ("chosen" in article.dataset) requestAnimationFrame(() => reveal(article));
    else scroll_in(element.closest(".tabitem"), article);
  });
  element.addEventListener("click", ({ target }) => target.closest(".back") && back());
  element.addEventListener("keydown", ({ key }) => key === "Escape" && back());
}

// The list of articles, and the pictures of them.
function library(element, trigger) {
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

// Ask whether the article shall really be removed, until the reader turns to something else.
function ask_again(button) {
  const [label, text] = [button.getAttribute("aria-label"), button.textContent];
  [button.dataset.sure, button.textContent] = ["yes", "Really remove?"];
  button.removeAttribute("aria-label"); // it would be read out in the place of the question
  const unasked = () => {
    delete button.dataset.sure;
    button.textContent = text;
    button.setAttribute("aria-label", label);
  };
  button.focus(); // not every browser gives a button the focus at a click
  button.addEventListener("blur", unasked, { once: true });
}

// What only the browser can do, as Python orders it: keep conversations, fill the clipboard, save a file.
function browser(props, trigger, watch) {
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

// Return the conversations that the browser keeps; what another program left under such a key is removed or passed over.
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

// Show a text for six seconds, unless Python shows another meanwhile.
function say(text) {
  const notice = document.querySelector("#notice p");
  notice.textContent = text;
  setTimeout(() => notice.textContent === text && (notice.textContent = ""), 6000);
}

// The reader asked for this article: bring the quote into view and move the focus there.
function reveal(article) {
  const quote = point_at(article);
  quote.scrollIntoView({ block: quote.matches("header") ? "start" : "center" });
  quote.focus({ preventScroll: true });
}

// The article opened by itself: scroll its pane to the quote, and never the page.
function scroll_in(pane, article) {
  const quote = point_at(article);
  pane.scrollTop += quote.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
}

// Mark in the conversation which source is open; return its quote in the article, or the article's header.
function point_at(article) {
  for (const button of document.querySelectorAll("#conversation [data-open]")) {
    button.toggleAttribute("aria-current", button.dataset.open === article.dataset.key);
  }
  return article.querySelector(".current") ?? article.querySelector("header");
}

// Move the focus back to the source's button in the conversation, or to the box.
function back() {
  (document.querySelector("#conversation [aria-current]") ?? document.querySelector("#ask textarea")).focus();
}
