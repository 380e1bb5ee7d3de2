// Collects what a drill leaves behind in the platform: the journals (followed while the drill runs, because the platform prunes
// what its snapshots cover), the snapshots, and what every replica says of its state.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
