// Light or dark: as the system has it, until the button says otherwise. Scripts that paint listen for "themechange".
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const show = () => {
    document.getElementById("theme")?.setAttribute("aria-pressed", dark());
    document.dispatchEvent(new Event("themechange"));
  };
  try {
    const kept = localStorage.getItem("muslin-theme");
    if (kept) root.dataset.theme = kept;
  } catch {
    // a browser that keeps nothing for files
  }
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try {
        localStorage.setItem("muslin-theme", root.dataset.theme);
      } catch {
        // the same
      }
      show();
    });
  });
}
