// Deployments on Docker Swarm, for whoever makes one: the command, and tests on a real swarm.

export { requireDeployment } from '../topology/read-files.ts'
export { Docker } from './docker.ts'
export { breakLock, readLock, withLock } from './lock.ts'
export { ensureSwarm } from './preflight.ts'
export { ensureImages, neededImages, releaseOf } from './release.ts'
export { ensureSecrets, pruneSecrets, readSecrets } from './secrets.ts'
export { StateDirectory } from './state-directory.ts'
export { readInfo } from './swarm.ts'
