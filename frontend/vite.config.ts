import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the REST API. */
const server = process.env["EAGLEEYE_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    sourcemap: false,
    cssCodeSplit: false,
    // What several pages have in common is one file and not a dozen small ones: a first load is a few requests.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [{ name: "shared", test: /\/src\//, minShareCount: 3 }],
        },
      },
    },
  },
  server: { proxy: { "/api": server, "/docs": server, "/health": server } },
  test: { include: ["src/**/*.test.ts"] },
});
