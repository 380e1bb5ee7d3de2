// The gateway: REST, streams, authentication and order entry in front of a venue.

export { ACCOUNTS } from './auth/schema.ts'
export { type ErrorBody, errorCatalogue } from './errors.ts'
export { createGateway, type Gateway, type GatewayOptions } from './server.ts'
