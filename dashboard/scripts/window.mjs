// What the modules ask of a browser when they are loaded, for tests that have none.
globalThis.window ??= { location: { origin: "http://127.0.0.1" } };
