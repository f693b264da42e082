// Puts the chosen theme on the page before anything is painted, so that a dark room never flashes white.
try {
  const theme = localStorage.getItem("spool.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden: the system's preference is then followed.
}
