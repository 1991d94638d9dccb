import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    // One browser tells one story against one server: each step needs the one before.
    fileParallelism: false,
    bail: 1,
    reporters: "verbose",
    // A search takes minutes on a small machine.
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
