// Errors as RFC 9457 problem details: a stable code, what happened, and what to do about it.
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'

/** An answer other than success that the caller can do something about. */
export class Problem extends Error {
  readonly status: number
  /** Stable, kebab-case; what programs look at. */
  readonly code: string
  /** What to do next, for people. */
  readonly hint: string | undefined
  constructor(status: number, code: string, detail: string, hint?: string) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.hint = hint
  }
}

/** What is not there and what one may not see look alike, so that nobody learns what others have. */
export const notFound = (what: string): Problem =>
  new Problem(404, 'not-found', `${what} does not exist, or your token may not see it`)

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Conflict',
  422: 'Unprocessable',
  429: 'Too many requests',
  503: 'Unavailable',
}

const send = (reply: FastifyReply, problem: Problem, requestId: string): FastifyReply =>
  reply
    .code(problem.status)
    .type('application/problem+json')
    .send({
      type: `urn:weir:problem:${problem.code}`,
      title: titles[problem.status] ?? 'Error',
      status: problem.status,
      code: problem.code,
      detail: problem.message,
      ...(problem.hint === undefined ? {} : { hint: problem.hint }),
      requestId,
    })

const toProblem = (error: FastifyError | Error): Problem => {
  if (error instanceof Problem) return error
  const validation = 'validation' in error && error.validation !== undefined
  if (validation) return new Problem(400, 'invalid-request', error.message)
  if (error.name === 'InvalidInput') return new Problem(422, 'invalid-input', error.message)
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500
  if (status >= 400 && status < 500) return new Problem(status, 'invalid-request', error.message)
  if (error.name === 'OperatingError') {
    return new Problem(503, 'unavailable', error.message, 'try again in a few seconds')
  }
  return new Problem(500, 'internal', 'the request failed on our side', 'tell us the requestId')
}

/** Makes every error and every unknown route of `app` a problem; the cause goes to the log alone. */
export const answerWithProblems = (
  app: FastifyInstance,
  onFailure: (fields: Readonly<Record<string, unknown>>, message: string) => void,
): void => {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) {
      const { id, method, url } = request
      onFailure({ requestId: id, method, url, error }, 'a request failed')
    }
    return send(reply, problem, request.id)
  })
  app.setNotFoundHandler((request, reply) => {
    const unknown = new Problem(404, 'not-found', `no route ${request.method} ${request.url}`)
    return send(reply, unknown, request.id)
  })
}
