// Recorded order flow from outside, read as a stream of records.

export { parseBinance } from './binance.ts'
export { parseBitstamp } from './bitstamp.ts'
export { parseBme } from './bme.ts'
export { levelOrders } from './level-orders.ts'
export { LINE_BYTES_MAX, type Line, LineTooLong, openBytes, readLines } from './lines.ts'
export {
  identifyRecording,
  RECORDING_FORMATS,
  type RecordingFormat,
  type RecordingHead,
  RecordingUnknown,
  readRecording,
} from './recording.ts'
export type * from './records.ts'
