// Errors as RFC 9457 problem details: a stable code, what happened, and what to do about it.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'

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
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Unprocessable',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Unavailable',
}

const send = (reply: FastifyReply, problem: Problem, requestId: string): FastifyReply =>
  reply
    .code(problem.status)
    .type('application/problem+json')
    .headers(problem.status === 401 ? { 'www-authenticate': 'Bearer' } : {})
    .send({
      type: `urn:weir:problem:${problem.code}`,
      title: titles[problem.status] ?? 'Error',
      status: problem.status,
      code: problem.code,
      detail: problem.message,
      ...(problem.hint === undefined ? {} : { hint: problem.hint }),
      requestId,
    })

interface Rule {
  readonly message: string
}
interface Broken extends Rule {
  readonly instancePath: string
  /** Where a value may have one of several shapes: the rules of each that it breaks. */
  readonly params: { readonly errors?: readonly (readonly Rule[])[] }
}

/** Each broken rule with the field it is about. */
const brokenRules = (issues: readonly unknown[]): string[] =>
  issues.flatMap((each) => {
    const { instancePath, message, params } = each as Broken
    const field = instancePath.split('/').filter(Boolean).join('.')
    const rules = nearestShape(params.errors ?? []) ?? [{ message }]
    return rules.map((rule) => `${field || 'the request'}: ${rule.message}`)
  })

/** The shape that was nearly met: the first whose rules say more than that the type is another one. */
const nearestShape = (shapes: readonly (readonly Rule[])[]): readonly Rule[] | undefined =>
  shapes.find((rules) => rules.every(({ message }) => !message.startsWith('Invalid input'))) ??
  shapes.find((rules) => rules.length > 0)

const toProblem = (error: FastifyError | Error): Problem => {
  if (error instanceof Problem) return error
  if (hasZodFastifySchemaValidationErrors(error)) {
    return new Problem(400, 'invalid-request', brokenRules(error.validation).join('; '))
  }
  if (error.name === 'InvalidInput') return new Problem(422, 'invalid-input', error.message)
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500
  if (status === 429) {
    return new Problem(
      429,
      'too-many-requests',
      error.message,
      'wait a minute, then ask less often',
    )
  }
  if (status >= 400 && status < 500) return new Problem(status, 'invalid-request', error.message)
  if (error.name === 'OperatingError') {
    return new Problem(503, 'unavailable', error.message, 'try again in a few seconds')
  }
  return new Problem(500, 'internal', 'the request failed on our side', 'tell us the requestId')
}

/** For errors that are found before there is a route, such as a URL that cannot be read. */
export const answerEarly = (error: Error, request: FastifyRequest, reply: FastifyReply): void =>
  void send(reply, toProblem(error), request.id)

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
