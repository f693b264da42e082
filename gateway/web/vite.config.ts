// How the pages are built: everything from one origin, nothing inlined, so that the strict CSP of the gateway holds.
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** What is served that others wrote; their licences ask to be served with it. */
const BORROWED = ["hls.js", "openapi-fetch", "@fontsource-variable/archivo"];

function licences(): Plugin {
  return {
    name: "spool-licences",
    generateBundle() {
      const texts = BORROWED.map((name) => `${name}\n\n${readFileSync(new URL(`node_modules/${name}/LICENSE`, import.meta.url), "utf8").trim()}\n`);
      this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join(`\n${"-".repeat(78)}\n\n`) });
    },
  };
}

export default defineConfig({
  plugins: [licences()],
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
