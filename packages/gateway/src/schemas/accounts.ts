// Users, sessions and API keys.

import { Type } from 'typebox'
import { SCOPES } from '../auth/principal.ts'
import { closed } from './common.ts'

const Email = Type.String({ minLength: 3, maxLength: 254, examples: ['ada@example.com'] })
const Password = Type.String({ minLength: 1, maxLength: 1_024, examples: ['correct horse battery staple'] })

export const Credentials = closed({ email: Email, password: Password })
export const RefreshRequest = closed({ refreshToken: Type.String({ minLength: 1, maxLength: 1_024 }) })

export const Registered = Type.Object({ userId: Type.String(), accountId: Type.Integer() })

export const SessionView = Type.Object({
  accessToken: Type.String({ description: 'Sent as `Authorization: Bearer …`.' }),
  refreshToken: Type.String({ description: 'Works once; the answer brings the next one.' }),
  expiresIn: Type.Integer({ description: 'Seconds until the access token ends.' }),
  accountId: Type.Integer(),
})

export const KeyRequest = closed({
  label: Type.String({ minLength: 1, maxLength: 64 }),
  scopes: Type.Array(Type.Enum([...SCOPES]), { minItems: 1, maxItems: SCOPES.length, uniqueItems: true }),
  ipAllowList: Type.Optional(
    Type.Array(Type.String({ minLength: 2, maxLength: 49 }), {
      maxItems: 32,
      description: 'Addresses or networks (10.0.0.0/8) the key may be used from; without it, from everywhere.',
    }),
  ),
})

const key = {
  keyId: Type.String(),
  label: Type.String(),
  scopes: Type.Array(Type.String()),
  ipAllowList: Type.Array(Type.String(), { description: 'Empty: usable from everywhere.' }),
  apiKey: Type.Integer({ description: 'Its number within the account.' }),
  createdAt: Type.String({ format: 'date-time' }),
}

export const KeyView = Type.Object(key)
export const KeyCreated = Type.Object({ ...key, secret: Type.String({ description: 'Shown this once.' }) })
export const KeyPath = closed({ keyId: Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' }) })
