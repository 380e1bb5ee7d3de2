// The client library: REST, streams, and the raw pipelined connection that load is made with.

export { ApiClient, type ApiClientOptions } from './api-client.ts'
export { type LoadConnection, openLoadConnection } from './load-connection.ts'
export { type ApiError, CLIENT_CODES, type Result, valueOrThrow } from './result.ts'
export { type ApiKey, sign, signedText } from './signature.ts'
export {
  type Channel,
  type Push,
  StreamClient,
  type StreamClientOptions,
  type StreamCredentials,
  type StreamStatus,
  type Subscription,
} from './stream-client.ts'
export type * from './wire-types.ts'
