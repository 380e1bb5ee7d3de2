// How long something took: on the clock, and of processor time of the thread that did it. On a machine that has other work to do the
// second says what the code costs, and the first what there was left for it.

export type Measured<Result> = { readonly result: Result; readonly seconds: number; readonly cpu_seconds: number }

export function measured<Result>(work: () => Result): Measured<Result> {
  const cpu = process.threadCpuUsage()
  const start_ms = performance.now()
  const result = work()
  const seconds = (performance.now() - start_ms) / 1_000
  const { user, system } = process.threadCpuUsage(cpu)
  return { result, seconds, cpu_seconds: (user + system) / 1e6 }
}
