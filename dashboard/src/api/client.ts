/** How is the server asked? By the client made from its own description, and in no other way. */
import createClient from "openapi-fetch";
import { csrf, serverAnswers, serverIsGone, signedInAgain } from "./connection";
import { ApiError, errorOf, ServerGoneError } from "./errors";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
/** Where one signs in: to be refused here is an answer. */
const SIGN_IN = new Set(["/api/v1/auth/session", "/api/v1/auth/token"]);
/** A worker whose office is away says so by this status and code. */
const AWAY_STATUS = 503;

/**
 * Send a request. With an expired session it waits until somebody has signed in over the page and
 * is then sent again, so that nothing that was typed is lost.
 */
async function send(request: Request): Promise<Response> {
  const spare = request.clone();
  const response = await attempt(request);
  if (response.status !== 401 || SIGN_IN.has(new URL(request.url).pathname)) return response;
  await signedInAgain();
  return attempt(spare);
}

async function attempt(request: Request): Promise<Response> {
  const token = csrf.get();
  if (token && !SAFE.has(request.method)) request.headers.set("x-csrf-token", token);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    serverIsGone();
    throw new ServerGoneError();
  }
  if (response.status === AWAY_STATUS) {
    const body: unknown = await response
      .clone()
      .json()
      .catch(() => null);
    if (errorOf(response, body).code === "office_away") {
      serverIsGone();
      throw new ServerGoneError();
    }
  }
  serverAnswers();
  return response;
}

export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return what was answered; an answer that says no is thrown as an ApiError. */
export async function read<T>(asked: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (!response.ok) throw errorOf(response, error);
  return data as T;
}

/** Whether asking again can help: nobody answered, or the server is busy. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ServerGoneError) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429);
}
