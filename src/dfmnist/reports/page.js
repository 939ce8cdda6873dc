// The page works without this: it adds playing in step, the quality switch and the place marker.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

  const together = (videos) => {
    for (const video of videos) {
      video.currentTime = 0;
      video.play().catch(() => {});
    }
  };
  const playing = (row) => all("video", row).some((video) => !video.paused);
  const stop = (row) => all("video", row).forEach((video) => video.pause());

  for (const row of all("[data-row]")) {
    const button = row.querySelector("[data-play]");
    if (!button) continue;
    button.hidden = false;
    const show = () => { button.textContent = playing(row) ? "Pause" : "Play together"; };
    button.addEventListener("click", () => (playing(row) ? stop(row) : together(all("video", row))));
    for (const video of all("video", row)) {
      video.addEventListener("play", show);
      video.addEventListener("pause", show);
    }
  }

  for (const radio of all('input[name="quality"]')) {
    radio.addEventListener("change", () => {
      for (const video of all("video")) {
        const source = video.dataset[radio.value];
        if (!source) continue;
        const was = !video.paused;
        const at = video.currentTime;
        video.src = source;
        video.currentTime = at;
        if (was) video.play().catch(() => {});
      }
    });
  }

  const theme = document.getElementById("theme");
  if (theme) {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");
    const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const charts = all("source.dark");
    const asSystem = charts.length ? charts[0].media : "";
    const show = () => {
      theme.textContent = dark() ? "Light" : "Dark";
      theme.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
      const forced = { dark: "screen", light: "not all" }[root.dataset.theme];
      for (const source of charts) source.media = forced || asSystem;
    };
    theme.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept */ }
      show();
    });
    system.addEventListener("change", show);
    theme.hidden = false;
    show();
  }

  // what scrolls sideways can be reached with the keyboard, what does not is no stop on the way
  if ("ResizeObserver" in window) {
    const boxes = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
        else target.removeAttribute("tabindex");
      }
    });
    for (const box of all(".scroll")) boxes.observe(box);
  }

  // a printed page shows everything
  const unfold = [];
  addEventListener("beforeprint", () => {
    for (const fold of all("details:not([open])")) { fold.open = true; unfold.push(fold); }
  });
  addEventListener("afterprint", () => {
    for (const fold of unfold.splice(0)) fold.open = false;
  });

  const toggle = document.getElementById("autoplay");
  if (toggle && "IntersectionObserver" in window) {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) stop(entry.target);
        else if (!playing(entry.target)) together(all("video", entry.target));
      }
    }, { threshold: 0.6 });
    const set = (on) => {
      toggle.setAttribute("aria-pressed", String(on));
      for (const row of all("[data-row]")) {
        if (on) seen.observe(row);
        else { seen.unobserve(row); stop(row); }
      }
    };
    toggle.hidden = false;
    toggle.addEventListener("click", () => set(toggle.getAttribute("aria-pressed") !== "true"));
    set(!calm);
  }

  const quiz = document.getElementById("quiz");
  const pairs = all("article[data-row]")
    .map((row) => ({
      title: row.querySelector("h3").textContent,
      real: row.querySelector(".tile.real video"),
      fake: row.querySelector(".tile.fake video"),
    }))
    .filter((pair) => pair.real && pair.fake);
  if (quiz && pairs.length) {
    const say = document.getElementById("quiz-say");
    const next = document.getElementById("quiz-next");
    const screens = all("video", quiz);
    const buttons = all(".tiles button", quiz);
    let turn = -1, right = 0, asked = 0, real = 0;
    const open = say.textContent;
    const deal = () => {
      turn = (turn + 1) % pairs.length;
      real = Math.random() < 0.5 ? 0 : 1;
      screens.forEach((video, i) => {
        const shown = i === real ? pairs[turn].real : pairs[turn].fake;
        video.className = "";
        video.poster = shown.poster;
        video.src = shown.currentSrc || shown.src;
      });
      if (!calm) together(screens);
      buttons.forEach((button) => { button.disabled = false; });
      say.textContent = `${pairs[turn].title}. ${open}`;
    };
    buttons.forEach((button, i) => button.addEventListener("click", () => {
      asked += 1;
      right += i === real ? 1 : 0;
      screens.forEach((video, k) => { video.className = k === real ? "is-real" : "is-fake"; });
      buttons.forEach((each) => { each.disabled = true; });
      say.textContent = `${i === real ? "Right" : "No"}: the ${real ? "second" : "first"} is real, ` +
        `the other is animated. You have ${right} of ${asked}.`;
      next.focus();
    }));
    next.addEventListener("click", deal);
    quiz.hidden = false;
    deal();
  }

  const links = new Map(all("nav.contents a").map((a) => [a.hash.slice(1), a]));
  if ("IntersectionObserver" in window) {
    const marker = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        const link = links.get(entry.target.id);
        if (!link) continue;
        link.setAttribute("aria-current", "location");
        const list = link.closest("ol");
        list.scrollTo({ left: link.offsetLeft - list.clientWidth / 2, behavior: calm ? "auto" : "smooth" });
      }
    }, { rootMargin: "-15% 0px -75% 0px" });
    for (const id of links.keys()) {
      const section = document.getElementById(id);
      if (section) marker.observe(section);
    }
  }
})();
