"use strict";
// The galleries of the report: search, filters, sorting, pages, keys and links to single samples.
// Texts of data reach the page by textContent and attributes only, never as HTML.
(() => {
  const PAGE = 24; // samples on the page at once
  const SVG = "http://www.w3.org/2000/svg";
  const galleries = new Map();
  let images = null;
  let current = null; // the gallery that keys act on

  const byClass = (root, name) => root.querySelector("." + name);

  function element(name, properties, ...children) {
    const node = document.createElement(name);
    Object.assign(node, properties);
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  function shape(name, attributes, ...children) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  function content(selector) {
    return JSON.parse(document.querySelector(selector).textContent);
  }

  // Texts: a word that the compared texts share is marked by the longest n-gram it is in.
  function words(text, hit) {
    if (!hit) return [text];
    return text.split(" ").flatMap((word, index) => [
      element("span", { className: "h" + hit[index], textContent: word }), " ",
    ]);
  }

  function data(name, className, text, hit) {
    return element(name, { className: className + " data", dir: "auto" }, ...words(text, hit));
  }

  function picture([key, label, file, width, height, boxes], was) {
    const caption = label ? element("figcaption", { textContent: label }) : null;
    if (!key) {
      const absent = element("span", { className: "absent", title: file,
        textContent: "picture not embedded" });
      return element("figure", { className: "pic" }, absent, caption);
    }
    const drawn = [...boxes, ...((was && was.boxes) || []).map((box) => ["before", ...box])];
    const described = drawn.map(([role, x, y, w, h]) => `; ${role} ${x}, ${y}, ${w} × ${h}`);
    const shot = shape("svg", {
      class: "shot", viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `${label} ${file}${described.join("")}`,
    }, shape("image", { href: images[key], width, height }));
    const rectangle = (name, [, x, y, w, h]) =>
      shape("rect", { class: name, x, y, width: w, height: h });
    // Halos below all boxes, as boxes may coincide.
    shot.append(...drawn.map((box) => rectangle("halo", box)));
    shot.append(...drawn.map((box) => rectangle("box " + box[0], box)));
    return element("figure", { className: "pic" }, shot, caption);
  }

  function pictures(card) {
    return element("div", { className: "pics" },
      ...(card.pics || []).map((pic) => picture(pic, card.was)));
  }

  function pairs(card, className) {
    const list = element("dl", { className });
    const add = (name, text, hit) => {
      if (text === undefined) return;
      list.append(element("dt", { textContent: name }), data("dd", "", text, hit));
    };
    add("true", card.truth);
    add("predicted", card.said, card.hit);
    if (card.was) add("before", card.was.said);
    return list;
  }

  function scores(card) {
    if (!card.score) return null;
    const before = (card.was && card.was.score) || {};
    return element("p", { className: "scores" }, ...Object.entries(card.score).map(
      ([name, value]) => element("span", {}, name + " ",
        element("b", { textContent: value.toFixed(2) }),
        name in before ? ` (before ${before[name].toFixed(2)})` : "")));
  }

  function badges(card) {
    const badge = (className, text) =>
      element("span", { className: "badge " + className, textContent: text });
    return [card.wrong ? badge("bad", "wrong") : null,
      card.was ? badge(card.was.flip, card.was.flip) : null];
  }

  const link = (gallery, card) => `#${gallery.slug}/${encodeURIComponent(card.id)}`;

  function cardNode(gallery, card) {
    const title = element("a", { className: "data", href: link(gallery, card),
      textContent: card.id });
    const node = element("article", { className: "card" + (card.wrong ? " wrong" : "") },
      element("h4", {}, title, ...badges(card)), pictures(card),
      ...(card.text || []).map((text) => data("p", "text", text)), pairs(card, ""),
      scores(card));
    node.addEventListener("click", (event) => {
      if (!event.target.closest("a") && !String(getSelection())) location.hash = title.hash;
    });
    return node;
  }

  // Galleries

  function activate(root) {
    const slug = root.dataset.slug;
    if (galleries.has(slug)) return galleries.get(slug);
    images = images || content("#images");
    const cards = content(`script[data-slug="${CSS.escape(slug)}"]`);
    cards.forEach((card, index) => {
      card.index = index;
      card.found = [card.id, ...(card.text || []), card.truth || "", card.said,
        ...(card.type || [])].join("\n").toLowerCase();
    });
    const gallery = { root, slug, cards, shown: cards, page: 0 };
    galleries.set(slug, gallery);
    for (const name of ["tools", "pager"]) byClass(root, name).hidden = false;
    byClass(root, "first").hidden = true;
    byClass(root, "tools").addEventListener("input", () => refresh(gallery));
    byClass(root, "back").addEventListener("click", () => turn(gallery, -1));
    byClass(root, "on").addEventListener("click", () => turn(gallery, 1));
    refresh(gallery);
    return gallery;
  }

  const value = (gallery, name) => {
    const control = byClass(gallery.root, name);
    return control ? (control.type === "checkbox" ? control.checked : control.value) : "";
  };

  const first = (card) => Object.values(card.score || {});

  const compare = {
    worst: (a, b) => {
      const left = first(a), right = first(b);
      for (let index = 0; index < left.length; index++) {
        if (left[index] !== right[index]) return left[index] - right[index];
      }
      return a.index - b.index;
    },
    best: (a, b) => compare.worst(b, a) || a.index - b.index,
    given: (a, b) => a.index - b.index,
    sure: (a, b) => (b.sure || 0) - (a.sure || 0) || a.index - b.index,
    change: (a, b) => moved(a) - moved(b) || a.index - b.index,
  };

  function moved(card) { // by how much the first changed score rose; unchanged ones come last
    if (!card.was) return 1e9;
    for (const [name, now] of Object.entries(card.score || {})) {
      const before = (card.was.score || {})[name];
      if (before !== undefined && before !== now) return now - before;
    }
    return 1e8;
  }

  function refresh(gallery) {
    const terms = String(value(gallery, "search")).toLowerCase().split(/\s+/).filter(Boolean);
    const wrong = value(gallery, "only-wrong");
    const type = value(gallery, "type");
    const flip = value(gallery, "flip");
    gallery.shown = gallery.cards.filter((card) =>
      (!wrong || card.wrong) && (!type || (card.type || []).includes(type)) &&
      (!flip || (card.was && card.was.flip === flip)) &&
      terms.every((term) => card.found.includes(term)));
    gallery.shown.sort(compare[value(gallery, "sort") || "given"]);
    gallery.page = 0;
    draw(gallery);
  }

  function turn(gallery, step) {
    const last = Math.max(Math.ceil(gallery.shown.length / PAGE) - 1, 0);
    gallery.page = Math.min(Math.max(gallery.page + step, 0), last);
    draw(gallery);
  }

  function draw(gallery) {
    const { root, shown, page, cards } = gallery;
    const part = shown.slice(page * PAGE, (page + 1) * PAGE);
    byClass(root, "cards").replaceChildren(...part.map((card) => cardNode(gallery, card)));
    const number = (count) => count.toLocaleString("en");
    byClass(root, "count").textContent = `${number(shown.length)} of ${number(cards.length)}`;
    const from = shown.length ? page * PAGE + 1 : 0;
    byClass(root, "at").textContent = `${number(from)} to ${number(page * PAGE + part.length)}`;
    byClass(root, "back").disabled = page === 0;
    byClass(root, "on").disabled = (page + 1) * PAGE >= shown.length;
  }

  // A single sample: #task/split/id

  const dialog = element("dialog", {});
  dialog.setAttribute("aria-label", "Sample");
  document.body.append(dialog);
  let opened = null;
  dialog.addEventListener("close", () => {
    if (!opened) return;
    const { gallery, card } = opened;
    opened = null;
    history.replaceState(null, "", "#" + gallery.slug);
    const row = [...gallery.root.querySelectorAll(".card h4 a")].find(
      (anchor) => anchor.getAttribute("href") === link(gallery, card));
    if (row) row.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  function open(gallery, card) {
    opened = { gallery, card };
    const at = gallery.shown.indexOf(card);
    const button = (text, step) => {
      const node = element("button", { type: "button", textContent: text });
      node.disabled = !gallery.shown[at + step] || at < 0;
      node.addEventListener("click", () => go(step));
      return node;
    };
    const close = element("button", { type: "button", textContent: "Close" });
    close.addEventListener("click", () => dialog.close());
    const more = (card.more || []).flatMap(([title, items]) => [
      element("h3", { textContent: title }),
      element("ul", { className: "items" }, ...items.map(([text, score, right, hit]) => {
        const item = data("li", "", text, hit);
        if (right === true || right === false) {
          item.prepend(element("span", { className: right ? "yes" : "no",
            textContent: right ? "✓" : "✗", title: right ? "right" : "wrong" }), " ");
        }
        if (typeof score === "number") item.append(" ", element("b", { textContent: score }));
        return item;
      })),
    ]);
    const facts = [...(card.type || [])];
    if (card.sure !== undefined) facts.push(`confidence ${(100 * card.sure).toFixed(1)} %`);
    dialog.replaceChildren(
      element("div", { className: "bar-top" },
        element("h2", { className: "data", textContent: `${gallery.slug}/${card.id}` }),
        ...badges(card), button("Previous", -1), button("Next", 1), close),
      element("div", { className: "sheet" }, pictures(card), element("div", {},
        ...(card.text || []).map((text) => data("p", "text", text)), pairs(card, "pair"),
        scores(card), facts.length ? data("p", "facts", facts.join(" · ")) : null, ...more)));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  function go(step) {
    const { gallery, card } = opened;
    const next = gallery.shown[gallery.shown.indexOf(card) + step];
    if (!next) return;
    const page = Math.floor(gallery.shown.indexOf(next) / PAGE);
    if (page !== gallery.page) { gallery.page = page; draw(gallery); }
    history.replaceState(null, "", link(gallery, next));
    open(gallery, next);
  }

  // One section is on the screen at a time; the rest of the page is printed all the same.
  const sections = [...document.querySelectorAll("main > section")];

  function show(section) {
    for (const other of sections) other.classList.toggle("away", other !== section);
    for (const anchor of document.querySelectorAll(".side a")) {
      if (decode(anchor.hash.slice(1)) === section.id) anchor.setAttribute("aria-current", "page");
      else anchor.removeAttribute("aria-current");
    }
  }

  function locate() { // what the address names: an element, or a sample of a gallery
    const target = decode(location.hash.slice(1));
    const named = document.getElementById(target);
    const root = named ? undefined : [...document.querySelectorAll(".gallery")]
      .filter((node) => target.startsWith(node.dataset.slug + "/"))
      .sort((a, b) => b.dataset.slug.length - a.dataset.slug.length)[0];
    const section = (named || root || sections[0]).closest("main > section") || sections[0];
    return { target, named, root, section };
  }

  function follow() { // show a section, its provenance, or a sample, as the address says
    const { target, named, root, section } = locate();
    show(section);
    const samples = byClass(section, "gallery");
    current = samples ? activate(samples) : null;
    if (!root) {
      if (dialog.open) { opened = null; dialog.close(); }
      if (named && named.tagName === "DETAILS") named.open = true;
      if (named) named.scrollIntoView();
      return;
    }
    const gallery = activate(root);
    const id = target.slice(gallery.slug.length + 1);
    const card = gallery.cards.find((candidate) => candidate.id === id);
    if (!card) return;
    const at = gallery.shown.indexOf(card);
    if (at >= 0 && Math.floor(at / PAGE) !== gallery.page) {
      gallery.page = Math.floor(at / PAGE);
      draw(gallery);
    }
    open(gallery, card);
  }

  function decode(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  // Keys

  function step(gallery, by) {
    const rows = [...gallery.root.querySelectorAll(".card h4 a")];
    const at = rows.indexOf(document.activeElement);
    if (at + by >= rows.length && by > 0) {
      turn(gallery, 1);
      byClass(gallery.root, "cards").querySelector("h4 a").focus();
    } else if (at + by < 0 && by < 0 && gallery.page > 0) {
      turn(gallery, -1);
      [...gallery.root.querySelectorAll(".card h4 a")].pop().focus();
    } else if (rows.length) {
      rows[Math.max(at + by, 0)].focus();
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog.open) {
      const steps = { ArrowLeft: -1, ArrowRight: 1, k: -1, j: 1 };
      if (event.key in steps) { go(steps[event.key]); event.preventDefault(); }
      return;
    }
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const gallery = "/jkwnp".includes(event.key) ? current : null;
    if (!gallery) return;
    event.preventDefault();
    if (event.key === "/") byClass(gallery.root, "search").focus();
    if (event.key === "j") step(gallery, 1);
    if (event.key === "k") step(gallery, -1);
    if (event.key === "n") turn(gallery, 1);
    if (event.key === "p") turn(gallery, -1);
    const wrong = byClass(gallery.root, "only-wrong");
    if (event.key === "w" && wrong) { wrong.checked = !wrong.checked; refresh(gallery); }
  });

  for (const keys of document.querySelectorAll(".keys")) keys.hidden = false;
  show(locate().section); // before the first paint; the data of the samples follow this script
  addEventListener("hashchange", follow);
  addEventListener("DOMContentLoaded", follow);
})();
