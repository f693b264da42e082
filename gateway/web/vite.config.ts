// How the pages are built: everything from one origin, nothing inlined, so that the strict CSP of the gateway holds.
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // A data: URL for a font or a script would be refused by the policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    // Keeps light-dark() as it is written: the polyfill for older browsers does not follow the theme button.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // hls.js is half a megabyte and is only fetched by the watch page.
    chunkSizeWarningLimit: 650,
  },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/api": { target: process.env["SPOOL_URL"] ?? "http://127.0.0.1:8080" },
      "/ws": { target: process.env["SPOOL_URL"] ?? "http://127.0.0.1:8080", ws: true },
    },
  },
});
