// Started several times at once by platform.test.ts: loads the secrets and answers with a digest of all of them.

import { createHash } from 'node:crypto'
import { loadConfig, loadSecrets } from '../src/index.ts'

const result = loadConfig({ DATA_DIRECTORY: process.argv[2] })
if (!result.ok) throw new Error('the defaults are refused')
const secrets = loadSecrets(result.config)
const digest = createHash('sha256').update(secrets.operatorApiKey).update(secrets.encryptionKey).update(secrets.linkKey)
for (const { kid, key } of secrets.jwtKeys) digest.update(kid).update(key)
process.send?.(digest.digest('hex'))
process.disconnect?.()
