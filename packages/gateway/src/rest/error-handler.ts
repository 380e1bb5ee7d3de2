// Every way a request can fail, as an answer of the catalogue. Promises that nothing of a fault of the platform leaves it: that is logged
// under the request's id, and the client gets the id.

import type { Logger } from '@wintrades/platform'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { ApiFault, type ErrorBody } from '../errors.ts'
import { Refusal } from './funds-commands.ts'
import { historyFault } from './history-faults.ts'
import type { Api } from './http.ts'
import { RequestInvalid } from './validation.ts'

/** Fastify's own refusals. */
const FASTIFY_CODES: Readonly<Record<string, Code>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'MEDIA_TYPE_UNSUPPORTED',
  FST_ERR_CTP_EMPTY_TYPE: 'MEDIA_TYPE_UNSUPPORTED',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'REQUEST_MALFORMED',
  FST_ERR_BAD_URL: 'REQUEST_MALFORMED',
  FST_ERR_MAX_PARAM_LENGTH: 'NOT_FOUND',
}

const NO_ANSWER = 'The shard’s replica did not answer in time. Try again.'

type Code = ConstructorParameters<typeof ApiFault>[0]

function faultOf(code: Code): ApiFault {
  return new ApiFault(code)
}

export function addErrorHandler(api: Api, logger: Logger): void {
  api.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof Refusal) return send(reply, error.status, error.body())
    return sendFault(reply, toFault(error, request, logger))
  })
}

export function sendFault(reply: FastifyReply, fault: ApiFault): FastifyReply {
  if (fault.retryAfter_ms !== undefined) reply.header('retry-after', retryAfterSeconds(fault.retryAfter_ms))
  return send(reply, fault.status, fault.body())
}

/** Whole seconds, rounded up: the header knows no less. */
export function retryAfterSeconds(retryAfter_ms: number): string {
  return String(Math.max(1, Math.ceil(retryAfter_ms / 1_000)))
}

function send(reply: FastifyReply, status: number, body: ErrorBody): FastifyReply {
  reply.errorCode = body.error.code
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body))
}

function toFault(error: FastifyError, request: FastifyRequest, logger: Logger): ApiFault {
  if (error instanceof ApiFault) return error
  const ofHistory = historyFault(error)
  if (ofHistory !== null) {
    if (ofHistory.code === 'HISTORY_UNAVAILABLE')
      logger.warn('history cannot be read', { requestId: request.id, error })
    return ofHistory
  }
  if (error instanceof RequestInvalid) return new ApiFault('REQUEST_MALFORMED', { details: error.faults })
  // A read that was not answered is simply to be asked again; anything else may have happened.
  if (error.code === 'FST_ERR_HANDLER_TIMEOUT') {
    return request.method === 'GET' ? new ApiFault('NOT_READY', { message: NO_ANSWER }) : faultOf('OUTCOME_UNKNOWN')
  }
  const code = FASTIFY_CODES[error.code]
  if (code !== undefined) return faultOf(code)
  // What the peer did to the connection is not a fault of the platform.
  if (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE') return faultOf('REQUEST_MALFORMED')
  logger.error('request failed', {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    error,
  })
  return new ApiFault('INTERNAL', { details: { requestId: request.id } })
}
