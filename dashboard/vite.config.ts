// How the dashboard becomes the files that Wald carries: hashed names, nothing inline, nothing from elsewhere.

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    // `dist/.gitignore` stays; the build script empties the rest.
    emptyOutDir: false,
    // The Content-Security-Policy takes no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // `npm run dev` shows the data of a running `wald demo`.
  server: { proxy: { "/api": { target: "http://127.0.0.1:9901", changeOrigin: true } } },
});
