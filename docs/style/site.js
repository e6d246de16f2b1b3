// Code and tables that are wider than their place are reached by the keyboard, and the landmarks of copy buttons have names of their own.
addEventListener("load", () => setTimeout(() => {
  document.querySelectorAll("pre > code, .md-typeset__scrollwrap").forEach(wide => { if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0; });
  document.querySelectorAll(".md-code__nav").forEach((nav, k) => nav.setAttribute("aria-label", `code ${k + 1}`));
}));
