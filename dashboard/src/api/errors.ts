/** What can go wrong with a request, and what is told about it? */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | undefined,
    /** Which parameter or field it is about, where the answer says. */
    readonly param: string | undefined,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Nobody answered, or only a worker whose office is away. */
export class ServerGoneError extends Error {
  constructor() {
    super("The server does not answer.");
    this.name = "ServerGoneError";
  }
}

interface Envelope {
  error?: { code?: string; message?: string; request_id?: string; details?: { param?: string } };
}

/** Make an error of an answer that says no. */
export function errorOf(response: Response, body: unknown): ApiError {
  const told = (typeof body === "object" && body !== null ? (body as Envelope).error : null) ?? {};
  return new ApiError(
    response.status,
    told.code ?? "unexpected",
    told.message ?? `The server answered ${response.status}.`,
    told.request_id ?? response.headers.get("x-request-id") ?? undefined,
    told.details?.param,
  );
}
