/**
 * How is a call made as an application makes it? By a key’s credential, to the data plane.
 *
 * Not by the client of the control plane: a 401 here is about the key, and a text comes in pieces.
 */
import { type ApiError, errorOf, ServerGoneError } from "@/api/errors";
import type { Credential } from "./key";
import type { Kind, Try } from "./tries";

export interface Asked {
  kind: Kind;
  /** "": the default of the category. */
  model: string;
  prompt: string;
  options: Record<string, string | number>;
}
type Told = (changed: Partial<Try> | ((one: Try) => Partial<Try>)) => void;

interface Generated {
  result: Record<string, string> | null;
  provider: string | null;
  call_id: string;
  job?: string | null;
  error?: { message?: string } | null;
  status?: string | null;
}
interface Video {
  status: string;
  progress?: number | null;
  error?: { message?: string } | null;
}

const POLL_MS = 1000;

async function ask(key: Credential, path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  const authorization = `Bearer ${await key()}`;
  const headers = { authorization, "content-type": "application/json" };
  try {
    response = await fetch(path, { ...init, headers, credentials: "omit" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ServerGoneError();
  }
  if (!response.ok) throw await refused(response);
  return response;
}

/** What a refusal says, with the call's id where there is one. */
export class Refused extends Error {
  constructor(
    error: ApiError,
    readonly headers: Partial<Try>,
  ) {
    super(error.message);
  }
}

async function refused(response: Response): Promise<Refused> {
  const body: unknown = await response.json().catch(() => null);
  return new Refused(errorOf(response, body), headersOf(response));
}

/** What the answer's headers say of the call. */
function headersOf(response: Response): Partial<Try> {
  const { headers } = response;
  const attempts = headers.get("x-tollbridge-attempts");
  const found = {
    callId: headers.get("x-tollbridge-call-id") ?? undefined,
    provider: headers.get("x-tollbridge-provider") ?? undefined,
    served: headers.get("x-tollbridge-model") ?? undefined,
    attempts: attempts === null ? undefined : Number(attempts),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

export async function send(
  key: Credential,
  asked: Asked,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  if (asked.kind === "text") await sendText(key, asked, told, signal);
  else if (asked.kind === "video") await sendVideo(key, asked, told, signal);
  else await sendMade(key, asked, told, signal);
}

/** Text comes token by token. */
async function sendText(
  key: Credential,
  asked: Asked,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const body = JSON.stringify({
    model: asked.model || "text",
    messages: [{ role: "user", content: asked.prompt }],
    stream: true,
    stream_options: { include_usage: true },
    ...asked.options,
  });
  const response = await ask(key, "/v1/chat/completions", { method: "POST", body, signal });
  told(headersOf(response));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    const events = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = events.pop() ?? "";
    const more = events.map(textOf).join("");
    if (more === "") continue;
    const now = performance.now() - started;
    told((one) => ({ text: one.text + more, firstMs: one.firstMs ?? now }));
  }
  told({ wholeMs: performance.now() - started });
}

interface Chunk {
  choices?: { delta?: { content?: string | null } }[];
  error?: { message?: string };
}

function textOf(event: string): string {
  const data = event
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trim())
    .join("\n");
  if (data === "" || data === "[DONE]") return "";
  const chunk = JSON.parse(data) as Chunk;
  if (chunk.error) throw new Error(chunk.error.message ?? "The provider broke off.");
  return chunk.choices?.[0]?.delta?.content ?? "";
}

function orderOf(asked: Asked, mode: "sync" | "job"): string {
  return JSON.stringify({
    category: asked.kind.toUpperCase(),
    prompt: asked.prompt,
    ...(asked.model && { model: asked.model }),
    options: asked.options,
    mode,
    action: "playground",
  });
}

/** Pictures and speech are waited for. */
async function sendMade(
  key: Credential,
  asked: Asked,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const body = orderOf(asked, "sync");
  const response = await ask(key, "/api/v1/generate", { method: "POST", body, signal });
  const made = (await response.json()) as Generated;
  const address = made.result?.imageUrl ?? made.result?.audioUrl ?? "";
  // The page may show what it holds itself, and nothing of another address.
  const isHere = address.startsWith("data:") || address.startsWith("/");
  told({
    ...headersOf(response),
    callId: made.call_id,
    ...(made.provider && { provider: made.provider }),
    ...(isHere ? { media: address } : { elsewhere: address }),
    wholeMs: performance.now() - started,
  });
}

/** A film is a job: its progress is asked for until it is there. */
async function sendVideo(
  key: Credential,
  asked: Asked,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const body = orderOf(asked, "job");
  const response = await ask(key, "/api/v1/generate", { method: "POST", body, signal });
  const made = (await response.json()) as Generated;
  const job = made.job ?? made.call_id;
  told({ job, callId: made.call_id, progress: 0 });
  const path = `/v1/videos/${encodeURIComponent(job)}`;
  for (;;) {
    await pause(POLL_MS, signal);
    const video = (await (await ask(key, path, { signal })).json()) as Video;
    told({ progress: video.progress ?? 0 });
    if (video.status === "failed") throw new Error(video.error?.message ?? "The film failed.");
    if (video.status === "completed") break;
  }
  const film = await (await ask(key, `${path}/content`, { signal })).blob();
  told({ media: URL.createObjectURL(film), wholeMs: performance.now() - started, progress: 100 });
}

/** End a film at its provider too. */
export async function cancelJob(key: Credential, job: string): Promise<void> {
  await ask(key, `/api/v1/jobs/${encodeURIComponent(job)}`, { method: "DELETE" });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}
