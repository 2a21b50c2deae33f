import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, URL } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const OUT = fileURLToPath(new URL("../src/tollbridge/dashboard", import.meta.url));

/** Put a .br and a .gz beside each asset, so that the server only has to choose. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(join(OUT, "assets"))) {
        if (!/\.(js|css|svg|json)$/.test(name)) continue;
        const path = join(OUT, "assets", name);
        const bytes = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        const quality = { [constants.BROTLI_PARAM_QUALITY]: 9 };
        writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: quality }));
      }
    },
  };
}

const office = process.env.TOLLBRIDGE_URL ?? "http://127.0.0.1:8000";

export default defineConfig(({ command }) => ({
  plugins: [react(), compressed()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // The server puts a fresh one in its place with each page; see api/dashboard.py.
  html: command === "build" ? { cspNonce: "__CSP_NONCE__" } : {},
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1500,
  },
  test: { environment: "node", setupFiles: "scripts/window.mjs" },
  server: {
    port: 5173,
    proxy: Object.fromEntries(["/api", "/v1", "/v2", "/healthz"].map((path) => [path, office])),
  },
}));
